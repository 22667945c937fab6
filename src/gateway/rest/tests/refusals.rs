//! What is wrong with a request is told by code, status and field.

use super::script::{Api, BODY_BYTES_MAX, TOKEN, exchange, request};
use crate::model::{Applied, CommandError, ErrorCode, Outcome};
use axum::body::Body;
use axum::http::Request;
use std::time::Duration;

#[tokio::test]
async fn every_refusal_of_the_core_has_its_status() {
    let statuses = [400, 400, 401, 404, 403, 400, 409, 413, 429, 503, 503, 504, 401, 500, 409];
    for (code, status) in ErrorCode::ALL.iter().zip(statuses) {
        let error = CommandError::new(*code, "why");
        let (answer, _) = exchange("GET /user/profile", "", Err(error)).await;
        assert_eq!(answer.problem(), (status, code.name().to_owned()));
        let json = answer.json();
        assert_eq!((&json["code"], &json["detail"]), (&code.number().into(), &"why".into()));
        assert_eq!(json.get("applied"), None);
        assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401);
    }
}

#[tokio::test]
async fn a_send_tells_whether_it_was_applied() {
    const SEND: &str = r#"{"chat": 7, "client_id": 9, "text": "hi"}"#;
    let unknown = CommandError::outcome_unknown();
    assert_eq!(unknown.applied, Applied::Unknown);
    let (answer, _) = exchange("POST /message/send", SEND, Err(unknown)).await;
    assert_eq!(answer.problem(), (504, "outcome-unknown".to_owned()));
    assert_eq!(answer.json()["applied"], "unknown");
    assert_eq!(answer.json()["retry_ms"], 1000);
    assert_eq!(answer.headers["retry-after"], "1");

    let refused = CommandError::new(ErrorCode::Forbidden, "blocked");
    let (answer, _) = exchange("POST /message/send", SEND, Err(refused)).await;
    assert_eq!(answer.json()["applied"], "false");
    let (answer, _) = exchange("POST /message/send", "{}", Ok(Outcome::Done)).await;
    assert_eq!(answer.json()["applied"], "false");
}

#[tokio::test]
async fn a_broken_rule_names_its_field() {
    let cases = [
        ("POST /register", r#"{"username": "a", "password": "12345678"}"#, "username"),
        ("POST /register", r#"{"username": "ana", "password": "1234567"}"#, "password"),
        (
            "POST /register",
            r#"{"username": "ana", "password": "12345678", "display_name": ""}"#,
            "display_name",
        ),
        ("POST /login", r#"{"username": "ana", "password": "12345678", "device": 0}"#, "device"),
        ("PATCH /user/profile", r#"{"avatar": 9007199254740992}"#, "avatar"),
        ("POST /contacts", r#"{"user": 0}"#, "user"),
        ("GET /contacts?limit=0", "", "limit"),
        ("GET /contacts?cursor=no", "", "cursor"),
        ("GET /chats?limit=101", "", "limit"),
        ("GET /chats/0", "", "chat"),
        ("DELETE /chats/7/members/0", "", "user"),
        ("POST /chats", r#"{"kind": "direct", "user": 0}"#, "user"),
        (
            "POST /chats",
            r#"{"kind": "group", "title": "a\nb", "members": [], "client_id": 5}"#,
            "title",
        ),
        ("POST /chats/7/members", r#"{"users": []}"#, "users"),
        ("GET /users?ids=1,0", "", "ids"),
        ("GET /users?ids=1&username=ana", "", "username"),
        ("POST /message/send", r#"{"chat": 7, "client_id": 0, "text": "hi"}"#, "client_id"),
        (
            "POST /message/send",
            r#"{"chat": 7, "client_id": 9, "kind": 15, "body": "aGk="}"#,
            "kind",
        ),
        ("POST /message/send", r#"{"chat": 7, "client_id": 9, "kind": 16, "body": "a"}"#, "body"),
        ("GET /message/receive?wait=26", "", "wait"),
        (
            "POST /message/receive",
            r#"{"acks": [{"chat": 7, "sequence": 1}, {"chat": 7, "sequence": 0}]}"#,
            "acks[1].sequence",
        ),
        ("PATCH /devices/2", &format!(r#"{{"name": "{}"}}"#, "n".repeat(65)), "name"),
    ];
    for (line, body, field) in cases {
        let (answer, command) = exchange(line, body, Ok(Outcome::Done)).await;
        assert_eq!(answer.problem(), (400, "invalid".to_owned()), "{line} {body}");
        assert_eq!(answer.json()["field"], field, "{line} {body}");
        assert!(answer.json()["detail"].as_str().expect("text").contains(field), "{line} {body}");
        assert_eq!(command, "", "nothing reaches the core: {line} {body}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_malformed() {
    let cases = [
        ("POST /register", "{", ""),
        ("POST /register", "{} {}", "username"),
        ("POST /register", r#"{"username": "ana"}"#, "password"),
        ("POST /register", r#"{"username": 5, "password": "12345678"}"#, "username"),
        ("POST /login", r#"{"username": "ana", "password": "12345678"} x"#, ""),
        ("POST /login", r#"["ana"]"#, ""),
        ("PATCH /user/profile", "[null, null]", "object"),
        ("POST /message/receive", r#"{"acks": [[7, 1]]}"#, "acks[0]"),
        ("POST /contacts", r#"{"user": 7.5}"#, "user"),
        ("POST /chats", r#"{"user": 5}"#, "kind"),
        ("POST /chats", r#"{"kind": "journal"}"#, "kind"),
        ("POST /message/send", r#"{"chat": 7, "client_id": 9}"#, "text"),
        ("POST /message/send", r#"{"chat": 7, "client_id": "9", "text": "hi"}"#, "client_id"),
        ("POST /message/send", r#"{"chat": -7, "client_id": 9, "text": "hi"}"#, "chat"),
        ("GET /chats/seven", "", "chat"),
        ("GET /chats/+7", "", "chat"),
        ("GET /chats/7/messages?before=x", "", "before"),
        ("PUT /contacts/7", r#"{"state": "friend"}"#, "state"),
    ];
    for (line, body, named) in cases {
        let (answer, command) = exchange(line, body, Ok(Outcome::Done)).await;
        assert_eq!(answer.problem(), (400, "malformed".to_owned()), "{line} {body}");
        assert!(answer.json()["detail"].as_str().expect("text").contains(named), "{line} {body}");
        assert_eq!(command, "", "nothing reaches the core: {line} {body}");
    }
}

#[tokio::test]
async fn text_of_the_client_cannot_pass_for_a_rule() {
    let body = r#"{"username": "ana", "password": "12345678", "device": "must be 1"}"#;
    let (answer, _) = exchange("POST /login", body, Ok(Outcome::Done)).await;
    assert_eq!(answer.problem(), (400, "malformed".to_owned()));
}

#[tokio::test]
async fn states_that_only_others_can_bring_about_are_unsupported() {
    for state in ["blocked", "requested_by_you", "requested_by_them"] {
        let body = format!(r#"{{"state": "{state}"}}"#);
        let (answer, command) = exchange("PUT /contacts/7", &body, Ok(Outcome::Done)).await;
        assert_eq!(answer.problem(), (400, "unsupported".to_owned()));
        assert_eq!(command, "");
    }
}

#[tokio::test]
async fn credentials_are_asked_for_before_anything_is_read() {
    let api = Api::new(|_| Some(Ok(Outcome::Done)));
    let paths = [
        "POST /logout",
        "GET /user/profile",
        "PATCH /user/profile",
        "PUT /user/profile",
        "GET /users",
        "GET /users/x",
        "GET /contacts?limit=x",
        "POST /contacts",
        "PUT /contacts/x",
        "DELETE /contacts/x",
        "GET /chats?cursor=x",
        "POST /chats",
        "GET /chats/x",
        "GET /chats/x/members",
        "POST /chats/x/members",
        "DELETE /chats/x/members/y",
        "GET /chats/x/messages",
        "POST /chats/x/read",
        "POST /message/send",
        "GET /message/receive?wait=x",
        "POST /message/receive",
        "GET /devices",
        "PATCH /devices/x",
        "DELETE /devices/x",
    ];
    for line in paths {
        for (authorization, name) in [
            ("", "unauthenticated"),
            ("Basic dmFsaWQ6", "unauthenticated"),
            ("Bearer ", "unauthenticated"),
            ("Bearer forged", "unauthenticated"),
            ("bearer old", "expired"),
        ] {
            let (method, path) = line.split_once(' ').expect("a method and a path");
            let builder = Request::builder().method(method).uri(path);
            let builder = if authorization.is_empty() {
                builder
            } else {
                builder.header("authorization", authorization)
            };
            let answer = api.ask(builder.body(Body::from("{")).expect("a request")).await;
            assert_eq!(answer.problem(), (401, name.to_owned()), "{line} {authorization}");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
    }
}

#[tokio::test]
async fn a_body_must_say_that_it_is_json_and_have_an_end() {
    let api = Api::new(|_| Some(Ok(Outcome::Done)));
    let post = |media_type: &str, body: String| {
        Request::post("/contacts")
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-type", media_type)
            .body(Body::from(body))
            .expect("a request")
    };
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let answer = api.ask(post(media_type, r#"{"user": 7}"#.to_owned())).await;
        assert_eq!(answer.problem(), (415, "unsupported".to_owned()), "{media_type}");
    }
    let long = format!(r#"{{"user": 7, "x": "{}"}}"#, "x".repeat(BODY_BYTES_MAX));
    let answer = api.ask(post("application/json; charset=utf-8", long)).await;
    assert_eq!(answer.problem(), (413, "too-large".to_owned()));
}

#[tokio::test]
async fn where_no_handler_is_the_answer_is_a_problem_too() {
    let api = Api::new(|_| Some(Ok(Outcome::Done)));
    let answer = api.ask(request("GET /nowhere", "")).await;
    assert_eq!(answer.problem(), (404, "not-found".to_owned()));
    for (line, allow) in
        [("DELETE /login", "POST"), ("POST /devices", "GET,HEAD"), ("PUT /message/send", "POST")]
    {
        let answer = api.ask(request(line, "")).await;
        assert_eq!(answer.problem(), (405, "unsupported".to_owned()), "{line}");
        assert_eq!(answer.headers["allow"], allow, "{line}");
    }
}

#[tokio::test]
async fn an_outcome_of_another_command_is_a_fault_of_the_server() {
    for (line, body, outcome) in [
        ("GET /user/profile", "", Outcome::Done),
        ("POST /logout", "", Outcome::Users(Vec::new())),
        ("GET /users?ids=1", "", Outcome::Done),
        ("POST /message/send", r#"{"chat": 7, "client_id": 9, "text": "hi"}"#, Outcome::Done),
    ] {
        let (answer, _) = exchange(line, body, Ok(outcome)).await;
        assert_eq!(answer.problem(), (500, "internal".to_owned()), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_answered_truthfully() {
    let api = Api::new(|_| None);
    let answer = api.ask(request("GET /user/profile", "")).await;
    assert_eq!(answer.problem(), (503, "unavailable".to_owned()));
    let answer = api.ask(request("POST /contacts", r#"{"user": 7}"#)).await;
    assert_eq!(answer.problem(), (504, "outcome-unknown".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_may_take_its_wait_longer() {
    let api = Api::new(|_| None);
    let poll = api.ask(request("GET /message/receive?wait=25", ""));
    let ended = tokio::time::timeout(Duration::from_secs(34), poll).await;
    assert!(ended.is_err(), "it ended before wait and request time-out were over");
}
