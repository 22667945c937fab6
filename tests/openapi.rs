//! The committed API document is the one that is served.
//!
//! `CHASQUI_BLESS=1 cargo test --test openapi` writes it anew.

use chasqui::gateway::rest::openapi_document;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

#[test]
#[expect(clippy::disallowed_methods, reason = "a wish of whoever runs the test, not configuration")]
fn the_committed_document_is_current() {
    let document = openapi_document();
    if std::env::var_os("CHASQUI_BLESS").is_some() {
        std::fs::write(COMMITTED, &document).expect("the project's folder is writable");
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(committed == document, "openapi.json is stale: CHASQUI_BLESS=1 writes it anew");
}
