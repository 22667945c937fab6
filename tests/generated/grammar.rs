//! Renders the table as `client/src/grammar.ts`: a line for everything that has a layout, which the
//! client's codec reads as it runs.

use crate::table::{EntryKind, Table, Tag};
use crate::typescript::camel;

const HEAD: &str = "\
// How everything on the wire is laid out. Generated from `protocol.toml` by `tests/generated`; not to be
// edited. `shapes.ts` says how a line is read.

export const GRAMMAR = [
";

/// The whole file.
pub(crate) fn render(table: &Table) -> String {
    let mut parts = Vec::new();
    let frames: Vec<String> = table
        .frame
        .iter()
        .map(|frame| {
            let fields = frame.fields.iter().map(|f| field(f, &mut parts));
            let head = head(&frame.name, u64::from(frame.kind), frame.from.name(), fields);
            let rest = frame.tags_of.as_ref().map(|_| "...".to_owned());
            head + " |"
                + &words(frame.tags.iter().map(|tag| tagged(tag, "", &mut parts)).chain(rest))
        })
        .collect();
    let contents: Vec<String> =
        table.entry_kind.iter().map(|kind| content(kind, table, &mut parts)).collect();
    let fields = table.record.fields.iter().map(|f| field(f, &mut Vec::new()));
    let tags = table.record.tags.iter().map(|tag| tagged(tag, "", &mut Vec::new()));
    let record = head("RECORD", 0, "part", fields) + " |" + &words(tags);
    // Whatever the kind of an entry, the server may set these on it.
    let set = table.entry_kind.iter().flat_map(|kind| &kind.tags).filter(|tag| tag.server);
    let served = head("SERVED", 0, "part", std::iter::empty())
        + " |"
        + &words(set.map(|tag| tagged(tag, "", &mut Vec::new())));
    let lines = [frames, vec![record, served], parts, contents].concat();
    let lines = lines.iter().fold(HEAD.to_owned(), |out, line| out + "  '" + line + "',\n");
    lines + "];\n"
}

fn head(name: &str, number: u64, from: &str, fields: impl Iterator<Item = String>) -> String {
    format!("{name} {number} {from}{}", words(fields))
}

fn words(words: impl Iterator<Item = String>) -> String {
    words.fold(String::new(), |line, word| line + " " + &word)
}

fn content(kind: &EntryKind, table: &Table, parts: &mut Vec<String>) -> String {
    let from = if kind.send { "send" } else { "made" };
    let body: Vec<String> = kind.holds.iter().map(|holds| field(holds, parts)).collect();
    let tags = kind.tags.iter().filter(|tag| !tag.server).map(|tag| {
        // Where the table numbers its values, no other is known.
        let of = format!("{} entry, {}", kind.name, tag.name);
        let numbers = table.number.iter().find(|number| number.of == of);
        let range = numbers.map_or_else(String::new, |number| {
            let values: Vec<u64> = number.values.iter().map(|value| value.value).collect();
            let counted = (1..).take(values.len());
            assert!(values.iter().copied().eq(counted), "{of}: {values:?} has gaps");
            format!(":1-{}", values.len())
        });
        tagged(tag, &range, parts)
    });
    head(&kind.name, kind.kind, from, body.into_iter()) + " |" + &words(tags)
}

fn tagged(tag: &Tag, range: &str, parts: &mut Vec<String>) -> String {
    let preset = tag.preset.as_ref().map_or_else(String::new, |preset| format!("~{preset}"));
    let field = field(&format!("{} {}", tag.name, tag.kind), parts);
    format!("{}={field}{range}{preset}", tag.tag)
}

/// A field as `name:type`, of which a varint needs no type. A list of fields that has to be laid out
/// by itself becomes one of the `parts`.
fn field(text: &str, parts: &mut Vec<String>) -> String {
    let (name, kind) = text.split_once(' ').expect("a field has a type");
    let kind = match kind {
        "varint" => return camel(name),
        "ENTRY body" => "ENTRY".to_owned(),
        "list<record bytes>" => "RECORD*".to_owned(),
        "list<user id>" => "id*".to_owned(),
        "list<conversation id, delivered varint>" => "pair*".to_owned(),
        _ => match kind.strip_prefix("items<").and_then(|rest| rest.strip_suffix('>')) {
            Some(fields) => {
                let part = name.trim_end_matches('s').to_uppercase();
                let fields = fields.split(", ").map(|inner| field(inner, &mut Vec::new()));
                parts.push(head(&part, 0, "part", fields));
                format!("{part}*")
            }
            None => kind.to_owned(),
        },
    };
    format!("{}:{kind}", camel(name))
}
