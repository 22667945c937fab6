//! What machines ask, and the document of the API.

use super::script::{Api, request};
use crate::gateway::rest::openapi_document;
use crate::model::Outcome;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[tokio::test]
async fn readiness_is_the_shards_and_life_is_not() {
    let api = Api::new(|_| Some(Ok(Outcome::Done)));
    for path in ["/healthz", "/readyz"] {
        let answer = api.ask(request(&format!("GET {path}"), "")).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"status": "ok"})));
    }
    api.drain();
    assert_eq!(api.ask(request("GET /healthz", "")).await.status.as_u16(), 200);
    let answer = api.ask(request("GET /readyz", "")).await;
    assert_eq!(answer.problem(), (503, "unavailable".to_owned()));
}

#[tokio::test]
async fn keys_and_document_are_published() {
    let api = Api::new(|_| Some(Ok(Outcome::Done)));
    let keys = api.ask(request("GET /.well-known/jwks.json", "")).await;
    assert_eq!(keys.json(), json!({"keys": []}));
    let document = api.ask(request("GET /openapi.json", "")).await;
    assert_eq!(document.headers["content-type"], "application/json");
    assert_eq!(document.text, openapi_document());
}

/// Every reference of the document leads somewhere.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                found.insert(reference.trim_start_matches('#').to_owned());
            }
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_document_is_whole() {
    let document: Value = serde_json::from_str(&openapi_document()).expect("JSON");
    assert_eq!(document["openapi"], "3.1.0");
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in found {
        assert!(document.pointer(&reference).is_some(), "{reference} leads nowhere");
    }
    for path in [
        "/register",
        "/login",
        "/logout",
        "/user/profile",
        "/message/send",
        "/message/receive",
        "/contacts",
        "/chats",
    ] {
        assert!(document["paths"].get(path).is_some(), "{path} is kept for good");
    }
}
