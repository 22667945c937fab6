//! Renders the table as the tables of `docs/protocol.md`, each between its two markers.

use crate::table::{Table, Tag, Unit};
use std::fmt::Write as _;

/// The document with every marked section written anew.
///
/// A section begins with `<!-- generated: NAME -->` and ends with `<!-- end -->`.
pub(crate) fn render(document: &str, table: &Table) -> String {
    let mut out = String::new();
    let mut rest = document;
    while let Some(start) = rest.find("<!-- generated: ") {
        let (before, section) = rest.split_at(start);
        let line_end = section.find('\n').expect("a marker stands on its own line");
        let (marker, body) = section.split_at(line_end);
        let name = marker.trim_start_matches("<!-- generated: ").trim_end_matches(" -->");
        let end = body.find("<!-- end -->").expect("a section ends");
        writeln!(out, "{before}{marker}\n{}", section_of(name, table)).unwrap();
        rest = &body[end..];
    }
    out + rest
}

fn section_of(name: &str, table: &Table) -> String {
    match name {
        "frames" => frames(table),
        "hello tags" => tags(&table.frame[0].tags),
        "record" => format!("{}\n{}", fields(&table.record.fields), tags(&table.record.tags)),
        "entry kinds" => entry_kinds(table),
        "errors" => errors(table),
        "close codes" => close_codes(table),
        "limits" => limits(table),
        "numbers" => numbers(table),
        other => panic!("no section is called {other:?}"),
    }
}

fn fields(fields: &[String]) -> String {
    if fields.is_empty() {
        return "(empty)".to_owned();
    }
    fields.iter().map(|f| format!("`{f}`")).collect::<Vec<_>>().join(", ")
}

fn frames(table: &Table) -> String {
    let mut out =
        String::from("| type | name | from | fields | meaning |\n|---|---|---|---|---|\n");
    for frame in &table.frame {
        let from = frame.from.name();
        let mut shape = fields(&frame.fields);
        for tag in &frame.tags {
            write!(shape, "; tag {} `{} {}`", tag.tag, tag.name, tag.kind).unwrap();
        }
        if let Some(of) = &frame.tags_of {
            write!(shape, "; tags by {of}").unwrap();
        }
        let (kind, name, doc) = (frame.kind, &frame.name, &frame.doc);
        writeln!(out, "| `{kind:02x}` | {name} | {from} | {shape} | {doc} |").unwrap();
    }
    out
}

fn tags(tags: &[Tag]) -> String {
    let mut out = String::from("\n| tag | name | value | meaning |\n|---|---|---|---|\n");
    for tag in tags {
        writeln!(out, "| {} | {} | `{}` | {} |", tag.tag, tag.name, tag.kind, tag.doc).unwrap();
    }
    out
}

fn entry_kinds(table: &Table) -> String {
    let mut out = String::from(
        "| kind | name | where | from clients | body | tags |\n|---|---|---|---|---|---|\n",
    );
    for kind in &table.entry_kind {
        let tags: Vec<String> = kind
            .tags
            .iter()
            .map(|tag| {
                let by = if tag.server { " (set by the server)" } else { "" };
                format!("{} `{} {}`: {}{by}", tag.tag, tag.name, tag.kind, tag.doc)
            })
            .collect();
        let send = if kind.send { "yes" } else { "no" };
        let (number, name, place, body) = (kind.kind, &kind.name, &kind.place, &kind.body);
        writeln!(out, "| {number} | {name} | {place} | {send} | {body} | {} |", tags.join("<br>"))
            .unwrap();
    }
    out.push_str(
        "| 16 and above | opaque | any | yes | not looked at | 64 and above, not looked at |\n",
    );
    out
}

fn errors(table: &Table) -> String {
    let mut out = String::from("| code | name | meaning |\n|---|---|---|\n");
    for error in &table.error {
        writeln!(out, "| {} | {} | {} |", error.code, error.name, error.doc).unwrap();
    }
    out
}

fn close_codes(table: &Table) -> String {
    let mut out = String::from("| code | name | the client | meaning |\n|---|---|---|---|\n");
    for close in &table.close {
        let verdict = if close.reconnect { "reconnects" } else { "stops" };
        writeln!(out, "| {} | {} | {verdict} | {} |", close.code, close.name, close.doc).unwrap();
    }
    out
}

fn limits(table: &Table) -> String {
    let mut out = String::from("| limit | default | meaning |\n|---|---|---|\n");
    for limit in &table.limit {
        let unit = match limit.unit {
            Unit::Bytes => " bytes",
            Unit::Count => "",
            Unit::Seconds => " s",
        };
        writeln!(out, "| {} | {}{unit} | {} |", limit.name, limit.value, limit.doc).unwrap();
    }
    out
}

fn numbers(table: &Table) -> String {
    let mut out = String::from("| field | value | name | meaning |\n|---|---|---|---|\n");
    for number in &table.number {
        let bits = if number.bits { " (bits)" } else { "" };
        for value in &number.values {
            let (of, name) = (&number.of, &value.name);
            writeln!(out, "| {of}{bits} | {} | {name} | {} |", value.value, value.doc).unwrap();
        }
    }
    out
}
