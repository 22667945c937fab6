//! Renders the table as `src/protocol/constants.rs`, as rustfmt would leave it.

use crate::table::{Close, From, Table, Tag, Unit};
use std::fmt::Write as _;

const HEAD: &str = "\
//! The numbers of the wire protocol. Generated from `protocol.toml` by `tests/generated`; not to be
//! edited. Owns no behaviour beyond looking a number up.

use std::time::Duration;

";

/// The whole file.
pub(crate) fn render(table: &Table) -> String {
    let mut out = String::from(HEAD);
    writeln!(out, "/// The WebSocket subprotocol.").unwrap();
    writeln!(out, "pub const SUBPROTOCOL: &str = {:?};", table.subprotocol).unwrap();
    writeln!(out, "/// The newest minor version spoken here.").unwrap();
    writeln!(out, "pub const MINOR: u64 = {};", table.minor).unwrap();
    frames(&mut out, table);
    tags(&mut out, table);
    let kinds = table.entry_kind.iter().map(|k| (k.name.clone(), k.kind, k.name.clone()));
    module(&mut out, "entry_kind", "Kinds of entry.", kinds);
    for number in &table.number {
        let values = number.values.iter();
        let values = values.map(|v| (v.name.clone(), v.value, v.doc.clone()));
        module(&mut out, &number.name, &format!("{}.", number.of), values);
    }
    close_codes(&mut out, &table.close);
    limits(&mut out, table);
    out
}

fn constant(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

fn variant(name: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('-').map(capital).collect()
}

fn module(
    out: &mut String,
    name: &str,
    doc: &str,
    values: impl Iterator<Item = (String, u64, String)>,
) {
    writeln!(out, "\n/// {doc}\npub mod {name} {{").unwrap();
    for (name, value, doc) in values {
        writeln!(
            out,
            "    /// {}\n    pub const {}: u64 = {value};",
            sentence(&doc),
            constant(&name)
        )
        .unwrap();
    }
    writeln!(out, "}}").unwrap();
}

/// A lone word becomes a sentence, so that every doc comment reads as one.
fn sentence(doc: &str) -> String {
    if doc.ends_with('.') { doc.to_owned() } else { format!("Kind `{doc}`.") }
}

fn frames(out: &mut String, table: &Table) {
    writeln!(out, "\n/// Which side sends a frame.").unwrap();
    writeln!(out, "#[derive(Clone, Copy, Debug, PartialEq, Eq)]\npub enum Side {{").unwrap();
    for (side, doc) in
        [("Client", "Only clients."), ("Server", "Only the server."), ("Both", "Either.")]
    {
        writeln!(out, "    /// {doc}\n    {side},").unwrap();
    }
    writeln!(out, "}}\n\n/// Frame types.\npub mod frame {{\n    use super::Side;\n").unwrap();
    for frame in &table.frame {
        writeln!(out, "    /// {}", frame.doc).unwrap();
        writeln!(out, "    pub const {}: u8 = 0x{:02x};", frame.name, frame.kind).unwrap();
    }
    writeln!(out, "\n    /// The name of a type and who sends it; `None` if it is unknown.")
        .unwrap();
    writeln!(out, "    pub const fn describe(kind: u8) -> Option<(&'static str, Side)> {{")
        .unwrap();
    writeln!(out, "        Some(match kind {{").unwrap();
    for frame in &table.frame {
        let side = match frame.from {
            From::Client => "Client",
            From::Server => "Server",
            From::Both => "Both",
        };
        writeln!(out, "            {0} => (\"{0}\", Side::{side}),", frame.name).unwrap();
    }
    writeln!(out, "            _ => return None,\n        }})\n    }}\n}}").unwrap();
}

fn tags(out: &mut String, table: &Table) {
    writeln!(out, "\n/// Tags, by what they stand in.\npub mod tag {{").unwrap();
    let mut groups: Vec<(String, &[Tag])> = Vec::new();
    for frame in table.frame.iter().filter(|f| !f.tags.is_empty()) {
        groups.push((frame.name.to_lowercase(), &frame.tags));
    }
    groups.push(("record".to_owned(), &table.record.tags));
    for kind in table.entry_kind.iter().filter(|k| !k.tags.is_empty()) {
        groups.push((kind.name.clone(), &kind.tags));
    }
    for (index, (name, tags)) in groups.iter().enumerate() {
        if index > 0 {
            writeln!(out).unwrap();
        }
        writeln!(out, "    /// Tags of `{name}`.\n    pub mod {name} {{").unwrap();
        for tag in *tags {
            writeln!(out, "        /// {}", tag.doc).unwrap();
            writeln!(out, "        pub const {}: u64 = {};", constant(&tag.name), tag.tag).unwrap();
        }
        writeln!(out, "    }}").unwrap();
    }
    writeln!(out, "}}").unwrap();
}

fn close_codes(out: &mut String, codes: &[Close]) {
    writeln!(out, "\n/// Why the server closes a connection.").unwrap();
    writeln!(out, "#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]\npub enum CloseCode {{")
        .unwrap();
    for code in codes {
        writeln!(out, "    /// {}\n    {},", code.doc, variant(&code.name)).unwrap();
    }
    writeln!(out, "}}\n\nimpl CloseCode {{\n    /// Every code, ascending.").unwrap();
    writeln!(out, "    pub const ALL: &'static [Self] = &[").unwrap();
    for code in codes {
        writeln!(out, "        Self::{},", variant(&code.name)).unwrap();
    }
    writeln!(out, "    ];").unwrap();
    writeln!(out, "\n    /// The number in the close frame.").unwrap();
    writeln!(out, "    pub const fn number(self) -> u16 {{").unwrap();
    arms(out, codes, |c| c.code.to_string());
    writeln!(out, "\n    /// The reason in the close frame.").unwrap();
    writeln!(out, "    pub const fn name(self) -> &'static str {{").unwrap();
    arms(out, codes, |c| format!("{:?}", c.name));
    writeln!(out, "\n    /// Whether a client may come back by itself.").unwrap();
    writeln!(out, "    pub const fn reconnects(self) -> bool {{\n        self.number() < 4500")
        .unwrap();
    writeln!(out, "    }}\n}}").unwrap();
    assert!(codes.iter().all(|c| c.reconnect == (c.code < 4500)), "the range tells the verdict");
}

fn arms(out: &mut String, codes: &[Close], value: impl Fn(&Close) -> String) {
    writeln!(out, "        match self {{").unwrap();
    for code in codes {
        writeln!(out, "            Self::{} => {},", variant(&code.name), value(code)).unwrap();
    }
    writeln!(out, "        }}\n    }}").unwrap();
}

fn limits(out: &mut String, table: &Table) {
    writeln!(out, "\n/// Limits and their defaults.\npub mod limit {{\n    use super::Duration;\n")
        .unwrap();
    for limit in &table.limit {
        let name = constant(&limit.name);
        writeln!(out, "    /// {}", limit.doc).unwrap();
        match limit.unit {
            Unit::Bytes | Unit::Count => {
                writeln!(out, "    pub const {name}: usize = {};", grouped(limit.value)).unwrap();
            }
            Unit::Seconds => {
                let (unit, value) = match limit.value {
                    minutes if minutes.is_multiple_of(60) => ("mins", minutes / 60),
                    seconds => ("secs", seconds),
                };
                writeln!(out, "    pub const {name}: Duration = Duration::from_{unit}({value});")
                    .unwrap();
            }
        }
    }
    writeln!(out, "}}").unwrap();
}

/// `65536` as `65_536`.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('_');
        }
        out.push(digit);
    }
    out
}
