//! Renders the table as `client/src/constants.ts`: objects that erase to plain JavaScript, no enums.

use crate::table::{Table, Unit};
use std::fmt::Write as _;

const HEAD: &str = "\
// The numbers of the wire protocol. Generated from `protocol.toml` by `tests/generated`; not to be
// edited.

";

/// The whole file.
pub(crate) fn render(table: &Table) -> String {
    let mut out = String::from(HEAD);
    writeln!(out, "/** The WebSocket subprotocol. */").unwrap();
    writeln!(out, "export const SUBPROTOCOL = '{}';", table.subprotocol).unwrap();
    writeln!(out, "/** The newest minor version spoken here. */").unwrap();
    writeln!(out, "export const MINOR = {};", table.minor).unwrap();
    frames(&mut out, table);
    tags(&mut out, table);
    let kinds = table.entry_kind.iter().map(|k| (&*k.name, k.kind, sentence(&k.name)));
    object(&mut out, "entryKind", "Kinds of entry.", kinds);
    let errors = table.error.iter().map(|e| (&*e.name, e.code, e.doc.clone()));
    object(&mut out, "errorCode", "Codes of an ERROR.", errors);
    let codes = table.close.iter().map(|c| (&*c.name, u64::from(c.code), c.doc.clone()));
    object(&mut out, "closeCode", "Why the server closes a connection.", codes);
    out.push_str(RECONNECTS);
    for number in &table.number {
        let values = number.values.iter().map(|v| (&*v.name, v.value, v.doc.clone()));
        object(&mut out, &camel(&number.name), &format!("{}.", number.of), values);
    }
    let limits = table.limit.iter().map(|limit| {
        let unit = match limit.unit {
            Unit::Bytes => " In bytes.",
            Unit::Count => "",
            Unit::Seconds => " In seconds.",
        };
        (&*limit.name, limit.value, format!("{}{unit}", limit.doc))
    });
    object(&mut out, "limit", "Limits and their defaults.", limits);
    out
}

const RECONNECTS: &str = "
/** Whether a client may come back by itself after this close code. */
export const reconnects = (code: number): boolean => code < 4500;
";

fn constant(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

pub(crate) fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |out, word| out + &word[..1].to_uppercase() + &word[1..])
}

/// A lone word becomes a sentence, so that every comment reads as one.
fn sentence(word: &str) -> String {
    format!("Kind `{word}`.")
}

fn object<'a>(
    out: &mut String,
    name: &str,
    doc: &str,
    values: impl Iterator<Item = (&'a str, u64, String)>,
) {
    writeln!(out, "\n/** {doc} */\nexport const {name} = {{").unwrap();
    for (name, value, doc) in values {
        writeln!(out, "  /** {doc} */\n  {}: {value},", constant(name)).unwrap();
    }
    writeln!(out, "}} as const;").unwrap();
}

fn frames(out: &mut String, table: &Table) {
    let values = table.frame.iter().map(|f| (&*f.name, u64::from(f.kind), f.doc.clone()));
    object(out, "frame", "Frame types.", values);
}

fn tags(out: &mut String, table: &Table) {
    let frames = table.frame.iter().map(|f| (f.name.to_lowercase(), &f.tags));
    let record = std::iter::once(("record".to_owned(), &table.record.tags));
    let kinds = table.entry_kind.iter().map(|k| (k.name.clone(), &k.tags));
    writeln!(out, "\n/** Tags, by what they stand in. */\nexport const tag = {{").unwrap();
    for (name, tags) in frames.chain(record).chain(kinds).filter(|(_, tags)| !tags.is_empty()) {
        writeln!(out, "  {}: {{", camel(&name)).unwrap();
        for tag in tags {
            writeln!(out, "    /** {} */\n    {}: {},", tag.doc, constant(&tag.name), tag.tag)
                .unwrap();
        }
        writeln!(out, "  }},").unwrap();
    }
    writeln!(out, "}} as const;").unwrap();
}
