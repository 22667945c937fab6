//! A core that answers as it is told, and the requests that tests make of the API before it.

use crate::gateway::rest::{Settings, router};
use crate::model::{
    Actor, Command, CommandError, ConversationId, DeviceId, ErrorCode, Grant, Outcome, Sequence,
    Timestamp, UserId,
};
use crate::protocol::Goaway;
use crate::shard::ShardHandle;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use std::time::Duration;
use tower::ServiceExt;

/// The most bytes of a body in these tests.
pub(super) const BODY_BYTES_MAX: usize = 4096;
/// The one token that is valid.
pub(super) const TOKEN: &str = "valid";

pub(super) fn user(number: u64) -> UserId {
    UserId::new(number).expect("an id")
}

pub(super) fn chat(number: u64) -> ConversationId {
    ConversationId::new(number).expect("an id")
}

pub(super) fn at(number: u64) -> Sequence {
    Sequence::new(number).expect("small")
}

pub(super) fn millis(number: u64) -> Timestamp {
    Timestamp::from_millis(number)
}

pub(super) fn actor() -> Actor {
    Actor { user: user(1), device: DeviceId::new(2).expect("an id") }
}

/// What the API answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The status and the name of the problem.
    pub(super) fn problem(&self) -> (u16, String) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let json = self.json();
        let name = json["name"].as_str().unwrap_or_default().to_owned();
        assert_eq!(json["type"], format!("/problems/{name}"));
        assert_eq!(json["status"], self.status.as_u16());
        (self.status.as_u16(), name)
    }
}

/// The API before a scripted core.
#[derive(Debug)]
pub(super) struct Api {
    router: Router,
    shard: ShardHandle,
}

impl Api {
    /// Answers every command but `Authenticate` by `script`; a command that it leaves unanswered
    /// stays so.
    pub(super) fn new(
        script: impl Fn(Command) -> Option<Result<Outcome, CommandError>> + Send + 'static,
    ) -> Self {
        let (shard, mut asked) = ShardHandle::scripted();
        tokio::spawn(async move {
            let mut unanswered = Vec::new();
            while let Some(asked) = asked.recv().await {
                if let Command::Authenticate { token } = &asked.command {
                    let result = authenticate(token.as_str());
                    asked.reply.send(result).expect("somebody waits");
                } else if let Some(result) = script(asked.command) {
                    asked.reply.send(result).expect("somebody waits");
                } else {
                    unanswered.push(asked.reply);
                }
            }
        });
        let settings = Settings {
            body_bytes_max: BODY_BYTES_MAX,
            request_timeout: Duration::from_secs(10),
            jwks: r#"{"keys":[]}"#.into(),
            demo: None,
        };
        Self { router: router(shard.clone(), &settings), shard }
    }

    /// Has the core begin to drain.
    pub(super) fn drain(&self) {
        self.shard.drain(Goaway { reason: 1, spread_ms: 0, grace_ms: 0 });
    }

    pub(super) async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("never fails");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("in memory").to_bytes();
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        Answer { status: parts.status, headers: parts.headers, text }
    }
}

fn authenticate(token: &str) -> Result<Outcome, CommandError> {
    match token {
        TOKEN => Ok(Outcome::Authenticated(Grant { actor: actor(), family: 1 })),
        "old" => Err(CommandError::new(ErrorCode::Expired, "the token has expired")),
        _ => Err(CommandError::new(ErrorCode::Unauthenticated, "no such token")),
    }
}

/// A request as a signed-in client makes it: `"POST /login"`, and a body unless it is empty.
pub(super) fn request(line: &str, body: &str) -> Request<Body> {
    let (method, path) = line.split_once(' ').expect("a method and a path");
    let builder = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {TOKEN}"));
    let request = if body.is_empty() {
        builder.body(Body::empty())
    } else {
        builder.header("content-type", "application/json").body(Body::from(body.to_owned()))
    };
    request.expect("a request")
}

/// Makes one request of a core that answers every command with `result`, and tells what command
/// that was.
pub(super) async fn exchange(
    line: &str,
    body: &str,
    result: Result<Outcome, CommandError>,
) -> (Answer, String) {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let api = Api::new(move |command| {
        tell.send(format!("{command:?}")).expect("the test waits");
        Some(result.clone())
    });
    let answer = api.ask(request(line, body)).await;
    (answer, told.try_recv().unwrap_or_default())
}
