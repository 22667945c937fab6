//! Refusals as RFC 9457 problem documents.
//!
//! Owns the mapping of the wire's error codes to HTTP statuses and the one shape in which every
//! refusal leaves, whether the core, a request that cannot be read or the router itself refused. It
//! never shows anything internal.

use crate::model::{Applied, CommandError, ErrorCode};
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::panic::Location;
use std::time::Duration;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

/// The media type of a problem document.
const PROBLEM_JSON: &str = "application/problem+json";

/// A refusal on its way to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    error: CommandError,
    field: Option<Cow<'static, str>>,
    tells_applied: bool,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A refusal with the status of its code.
    pub fn new(code: ErrorCode, detail: impl Into<Cow<'static, str>>) -> Self {
        CommandError::new(code, detail).into()
    }

    /// Answers with another status than the code's own.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Names the field of the request that is wrong.
    #[must_use]
    pub(super) fn with_field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Tells whether a send may have taken effect.
    #[must_use]
    pub(super) fn of_send(mut self) -> Self {
        self.tells_applied = true;
        self
    }

    /// The core answered a command with the outcome of another: a fault of the server.
    #[track_caller]
    pub(super) fn wrong_outcome() -> Self {
        tracing::error!(at = %Location::caller(), "outcome does not belong to the command");
        Self::new(ErrorCode::Internal, "a fault of the server")
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        let status = status(error.code);
        Self { status, error, field: None, tells_applied: false, headers: Vec::new() }
    }
}

/// The HTTP status of a code.
const fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::Malformed | ErrorCode::Unsupported | ErrorCode::Invalid => {
            StatusCode::BAD_REQUEST
        }
        ErrorCode::Unauthenticated | ErrorCode::Expired => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Conflict | ErrorCode::FloorOutOfRange => StatusCode::CONFLICT,
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Overloaded | ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::OutcomeUnknown => StatusCode::GATEWAY_TIMEOUT,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A sentence for the code, the same whenever it occurs.
const fn title(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Malformed => "The request cannot be read",
        ErrorCode::Unsupported => "This server does not do that",
        ErrorCode::Unauthenticated => "No valid credentials",
        ErrorCode::NotFound => "Not found",
        ErrorCode::Forbidden => "Not allowed",
        ErrorCode::Invalid => "A value breaks a rule",
        ErrorCode::Conflict => "It contradicts what is stored",
        ErrorCode::TooLarge => "Too large",
        ErrorCode::RateLimited => "Too many requests",
        ErrorCode::Overloaded => "The server has too much to do",
        ErrorCode::Unavailable => "Not possible now",
        ErrorCode::OutcomeUnknown => "Whether it was applied is not known",
        ErrorCode::Expired => "The token has expired",
        ErrorCode::Internal => "A fault of the server",
        ErrorCode::FloorOutOfRange => "The floor is out of range",
    }
}

/// A refusal (RFC 9457). The codes are those of the ERROR frame of the WebSocket protocol.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem, example = json!({
    "type": "/problems/invalid", "title": "A value breaks a rule", "status": 400,
    "detail": "username must be 3 to 32 of a-z 0-9 . _ -, beginning with a letter or digit",
    "code": 6, "name": "invalid", "field": "username"
}))]
pub(super) struct ProblemDocument<'a> {
    /// Identifies the kind of refusal; its last part is `name`.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference")]
    kind: String,
    /// The kind of refusal in words.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What went wrong this time, for the developer of the client.
    detail: &'a str,
    /// The number of the code.
    #[schema(minimum = 1)]
    code: u64,
    /// The name of the code.
    name: &'static str,
    /// The field of the request that is wrong, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<&'a str>,
    /// On a send: `false`, it surely was not applied by this attempt; `unknown`, send it again to
    /// learn it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    applied: Option<AppliedName>,
    /// Set where the same request may succeed later: after how many milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0)]
    retry_ms: Option<u64>,
}

/// Whether a refused send may have taken effect.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Applied)]
pub(super) enum AppliedName {
    /// Surely not.
    False,
    /// Not known.
    Unknown,
}

impl From<Applied> for AppliedName {
    fn from(applied: Applied) -> Self {
        match applied {
            Applied::No => Self::False,
            Applied::Unknown => Self::Unknown,
        }
    }
}

impl Problem {
    /// The answer as it goes over a connection that nothing was read from and that ends with it.
    pub(crate) fn into_last_answer(self) -> Vec<u8> {
        let (head, body) = self.render().into_parts();
        let mut answer = format!("HTTP/1.1 {}\r\n", head.status).into_bytes();
        for (name, value) in &head.headers {
            answer.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        answer.extend(format!("content-length: {}\r\n\r\n", body.len()).into_bytes());
        answer.extend(body);
        answer
    }

    fn render(self) -> Response<Vec<u8>> {
        let Self { status, error, field, tells_applied, headers } = self;
        let document = ProblemDocument {
            kind: format!("/problems/{}", error.code.name()),
            title: title(error.code),
            status: status.as_u16(),
            detail: &error.detail,
            code: error.code.number(),
            name: error.code.name(),
            field: field.as_deref(),
            applied: tells_applied.then(|| error.applied.into()),
            retry_ms: error.retry.map(millis),
        };
        // A document of strings and numbers always has a JSON form.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(body);
        *response.status_mut() = status;
        // For whoever counts refusals.
        response.extensions_mut().insert(error.code);
        let fields = response.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            fields.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(retry) = error.retry {
            fields.insert(RETRY_AFTER, HeaderValue::from(retry_seconds(retry)));
        }
        for (name, value) in headers {
            fields.insert(name, value);
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        self.render().map(Body::from)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Whole seconds, rounded up, since the header knows nothing finer.
fn retry_seconds(retry: Duration) -> u64 {
    millis(retry).div_ceil(1_000).max(1)
}

type Responses = BTreeMap<String, RefOr<utoipa::openapi::Response>>;

/// Every status of a refusal: its name among the document's responses, and what it means there.
const RESPONSES: [(u16, &str, &str); 11] = [
    (400, "BadRequest", "Malformed, unsupported, or a value that breaks a rule."),
    (401, "Unauthenticated", "The token is absent, wrong, revoked or expired."),
    (403, "Forbidden", "The caller may know that it exists, but may not do this."),
    (404, "NotFound", "It does not exist, or is not the caller's to see."),
    (409, "Conflict", "It contradicts what is stored."),
    (413, "TooLarge", "It is larger than the server takes."),
    (415, "UnsupportedMediaType", "The body is not `application/json`."),
    (429, "RateLimited", "Too many requests."),
    (500, "Internal", "A fault of the server."),
    (503, "Unavailable", "The server has too much to do, or its store does not answer. Try again."),
    (504, "OutcomeUnknown", "Whether it was applied is not known; the same request again tells."),
];

/// The responses that the paths of the document refer to.
pub(super) fn responses() -> impl Iterator<Item = (&'static str, utoipa::openapi::Response)> {
    let problem = Ref::from_schema_name("Problem");
    let content = ContentBuilder::new().schema(Some(problem)).build();
    RESPONSES.into_iter().map(move |(_, name, text)| {
        let response = ResponseBuilder::new().description(text);
        (name, response.content(PROBLEM_JSON, content.clone()).build())
    })
}

fn refer(statuses: &[u16]) -> Responses {
    let listed = RESPONSES.into_iter().filter(|(status, ..)| statuses.contains(status));
    listed
        .map(|(status, name, _)| (status.to_string(), Ref::from_response_name(name).into()))
        .collect()
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $statuses:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub(super) struct $name;

            impl IntoResponses for $name {
                fn responses() -> Responses {
                    refer(&$statuses)
                }
            }
        )*
    };
}

refusals! {
    /// What any request may be answered with.
    Refusals = [400, 429, 500, 503, 504];
    /// What a request that needs a token may be answered with besides.
    Unauthenticated = [401];
    /// What a request with a body may be answered with besides.
    BodyRefusals = [413, 415];
    /// What a request about something may be answered with besides.
    Missing = [404];
    /// What a request that changes something may be answered with besides.
    Barred = [403, 409];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_status() {
        let statuses: Vec<u16> = ErrorCode::ALL.iter().map(|code| status(*code).as_u16()).collect();
        assert_eq!(
            statuses,
            [400, 400, 401, 404, 403, 400, 409, 413, 429, 503, 503, 504, 401, 500, 409]
        );
    }

    #[test]
    fn a_retry_is_told_in_whole_seconds_rounded_up() {
        let told = |millis| retry_seconds(Duration::from_millis(millis));
        assert_eq!([told(0), told(1), told(1_000), told(1_001)], [1, 1, 1, 2]);
    }
}
