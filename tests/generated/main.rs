//! Generated files are current: what `protocol.toml` says is what the code and the documents say.
//! With `CHASQUI_BLESS=1` they are written instead of compared. Each output is one renderer, a
//! function from the table to text; another language is another renderer.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![expect(clippy::struct_field_names, reason = "the names are those of the table")]

mod grammar;
mod markdown;
mod rust;
mod table;
mod typescript;

use chasqui::model::{EntryKind, ErrorCode};
use std::path::Path;
use table::Table;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn table() -> Table {
    toml::from_str(&read("protocol.toml")).expect("protocol.toml follows its schema")
}

#[expect(clippy::disallowed_methods, reason = "how a test is told to write instead of compare")]
fn bless() -> bool {
    std::env::var("CHASQUI_BLESS").is_ok()
}

fn check(path: &str, current: &str, rendered: &str) {
    if current == rendered {
        return;
    }
    assert!(bless(), "{path} is out of date: CHASQUI_BLESS=1 cargo test --test generated");
    std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(path), rendered).unwrap();
}

#[test]
fn the_constants_are_current() {
    let path = "src/protocol/constants.rs";
    check(path, &read(path), &rust::render(&table()));
}

#[test]
fn the_constants_of_the_client_are_current() {
    let path = "client/src/constants.ts";
    check(path, &read(path), &typescript::render(&table()));
}

#[test]
fn the_grammar_of_the_client_is_current() {
    let path = "client/src/grammar.ts";
    check(path, &read(path), &grammar::render(&table()));
}

#[test]
fn the_tables_of_the_document_are_current() {
    let path = "docs/protocol.md";
    let document = read(path);
    check(path, &document, &markdown::render(&document, &table()));
}

#[test]
fn the_error_codes_of_the_model_are_those_of_the_table() {
    let codes: Vec<(u64, String)> =
        ErrorCode::ALL.iter().map(|code| (code.number(), code.name().to_owned())).collect();
    let table: Vec<(u64, String)> =
        table().error.into_iter().map(|error| (error.code, error.name)).collect();
    assert_eq!(codes, table);
}

#[test]
fn the_entry_kinds_of_the_model_are_those_of_the_table() {
    let model = [
        ("message", EntryKind::MESSAGE),
        ("edit", EntryKind::EDIT),
        ("unsend", EntryKind::UNSEND),
        ("reaction", EntryKind::REACTION),
        ("pin", EntryKind::PIN),
        ("member", EntryKind::MEMBER),
        ("settings", EntryKind::SETTINGS),
        ("contact", EntryKind::CONTACT),
        ("device", EntryKind::DEVICE),
    ]
    .map(|(name, kind)| (name.to_owned(), kind.get()));
    let table: Vec<(String, u64)> =
        table().entry_kind.into_iter().map(|kind| (kind.name, kind.kind)).collect();
    assert_eq!(model.as_slice(), table);
}

#[test]
fn every_number_is_given_once() {
    let table = table();
    let ascending = |numbers: Vec<u64>, what: &str| {
        assert!(numbers.is_sorted_by(|a, b| a < b), "{what}: {numbers:?}");
    };
    ascending(table.frame.iter().map(|f| u64::from(f.kind)).collect(), "frames");
    ascending(table.error.iter().map(|e| e.code).collect(), "errors");
    ascending(table.close.iter().map(|c| u64::from(c.code)).collect(), "close codes");
    for tags in table.frame.iter().map(|f| &f.tags).chain(table.entry_kind.iter().map(|k| &k.tags))
    {
        ascending(tags.iter().map(|t| t.tag).collect(), "tags");
    }
    for number in &table.number {
        ascending(number.values.iter().map(|v| v.value).collect(), &number.name);
    }
}
