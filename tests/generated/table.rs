//! `protocol.toml` as data. Owns its schema and nothing of any output.

use serde::Deserialize;

/// The whole table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub(crate) subprotocol: String,
    pub(crate) minor: u64,
    pub(crate) frame: Vec<Frame>,
    pub(crate) record: Record,
    pub(crate) entry_kind: Vec<EntryKind>,
    pub(crate) error: Vec<Error>,
    pub(crate) close: Vec<Close>,
    pub(crate) number: Vec<Number>,
    pub(crate) limit: Vec<Limit>,
}

/// One frame type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Frame {
    #[serde(rename = "type")]
    pub(crate) kind: u8,
    pub(crate) name: String,
    pub(crate) from: From,
    pub(crate) fields: Vec<String>,
    #[serde(default)]
    pub(crate) tags: Vec<Tag>,
    pub(crate) tags_of: Option<String>,
    pub(crate) doc: String,
}

/// Who sends a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum From {
    Client,
    Server,
    Both,
}

impl From {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Both => "both",
        }
    }
}

/// One tagged value.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tag {
    pub(crate) tag: u64,
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) server: bool,
    /// What it counts as where it is absent.
    pub(crate) preset: Option<String>,
    pub(crate) doc: String,
}

/// The record of a SYNCED.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    pub(crate) fields: Vec<String>,
    pub(crate) tags: Vec<Tag>,
}

/// One kind of entry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntryKind {
    pub(crate) kind: u64,
    pub(crate) name: String,
    #[serde(rename = "where")]
    pub(crate) place: String,
    pub(crate) send: bool,
    pub(crate) body: String,
    /// What the body says, as a field; absent where it says nothing.
    pub(crate) holds: Option<String>,
    #[serde(default)]
    pub(crate) tags: Vec<Tag>,
}

/// One error code.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Error {
    pub(crate) code: u64,
    pub(crate) name: String,
    pub(crate) doc: String,
}

/// One close code.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Close {
    pub(crate) code: u16,
    pub(crate) name: String,
    pub(crate) reconnect: bool,
    pub(crate) doc: String,
}

/// The values of one small field.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Number {
    pub(crate) name: String,
    pub(crate) of: String,
    #[serde(default)]
    pub(crate) bits: bool,
    pub(crate) values: Vec<Value>,
}

/// One of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Value {
    pub(crate) value: u64,
    pub(crate) name: String,
    pub(crate) doc: String,
}

/// One limit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limit {
    pub(crate) name: String,
    pub(crate) value: u64,
    pub(crate) unit: Unit,
    pub(crate) doc: String,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    Bytes,
    Count,
    Seconds,
}
