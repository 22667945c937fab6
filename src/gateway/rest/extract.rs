//! Reading a request: who asks, and what, as types that have checked themselves.
//!
//! A handler lists its [`Caller`] first, so that an unauthenticated request is refused before
//! anything else of it is looked at. What cannot be read is `malformed`, what breaks a rule of a
//! field is `invalid`; both name the field.

use super::Gate;
use super::field::{Checked, Field, RULE_PREFIX};
use super::json::Object;
use super::problem::Problem;
use crate::model::{Actor, Command, ErrorCode, Outcome, Secret};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

/// The user and device whose access token the request carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller(pub(super) Actor);

impl FromRequestParts<Gate> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gate: &Gate) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).ok_or_else(|| {
            Problem::new(ErrorCode::Unauthenticated, "an Authorization: Bearer token is needed")
        })?;
        let Outcome::Authenticated(grant) = gate.ask(None, Command::Authenticate { token }).await?
        else {
            return Err(Problem::wrong_outcome());
        };
        Ok(Self(grant.actor))
    }
}

/// The token of an `Authorization: Bearer` header; the scheme's name is not case-sensitive.
fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Secret::new(token))
}

/// A JSON body.
#[derive(Clone, Debug)]
pub(super) struct Valid<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Gate> for Valid<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, gate: &Gate) -> Result<Self, Problem> {
        let JsonBytes(bytes) = JsonBytes::from_request(request, gate).await?;
        parse(&bytes).map(Self)
    }
}

/// A body that says it is JSON, unread: for requests whose shape depends on one of their fields.
#[derive(Clone, Debug)]
pub(super) struct JsonBytes(pub(super) Bytes);

impl FromRequest<Gate> for JsonBytes {
    type Rejection = Problem;

    async fn from_request(request: Request, gate: &Gate) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let detail = "the body must be application/json";
            let problem = Problem::new(ErrorCode::Unsupported, detail);
            return Err(problem.with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        match Bytes::from_request(request, gate).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Problem::new(ErrorCode::TooLarge, "the body is larger than the server takes"))
            }
            Err(_) => Err(Problem::new(ErrorCode::Malformed, "the body ended too early")),
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(media_type)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else {
        return false;
    };
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let suffix = essence.strip_prefix("application/").unwrap_or_default();
    suffix == "json" || suffix.ends_with("+json")
}

/// Reads a JSON object; what stands behind it is an error too.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let Object(value) = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        if error.inner().is_data() {
            let path = error.path().to_string();
            refusal(&path, without_position(&error.into_inner().to_string()))
        } else {
            not_json(&error.into_inner())
        }
    })?;
    deserializer.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

fn not_json(error: &serde_json::Error) -> Problem {
    Problem::new(ErrorCode::Malformed, format!("the body is not JSON: {error}"))
}

/// The message without where in the text it occurred: the path says it better.
fn without_position(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(message, _)| message)
}

/// A refusal of the field at `path`, `.` standing for the whole.
fn refusal(path: &str, message: &str) -> Problem {
    let code =
        if message.starts_with(RULE_PREFIX) { ErrorCode::Invalid } else { ErrorCode::Malformed };
    match path {
        "." => Problem::new(code, message.to_owned()),
        _ if code == ErrorCode::Invalid => {
            Problem::new(code, format!("{path} {message}")).with_field(path.to_owned())
        }
        _ => Problem::new(code, format!("{path}: {message}")).with_field(path.to_owned()),
    }
}

/// A query string.
#[derive(Clone, Debug)]
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Gate> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _gate: &Gate) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = form_urlencoded::parse(query.as_bytes());
        serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs))
            .map(Self)
            .map_err(|error| refusal(&error.path().to_string(), &error.inner().to_string()))
    }
}

/// The one id in a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Id<T>(pub(super) T);

impl<T: Checked<Wire = u64>> FromRequestParts<Gate> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gate: &Gate) -> Result<Self, Problem> {
        let params = path(parts, gate).await?;
        id(params.iter().next()).map(Self)
    }
}

/// The two ids in a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ids<A, B>(pub(super) A, pub(super) B);

impl<A: Checked<Wire = u64>, B: Checked<Wire = u64>> FromRequestParts<Gate> for Ids<A, B> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gate: &Gate) -> Result<Self, Problem> {
        let params = path(parts, gate).await?;
        let mut params = params.iter();
        Ok(Self(id(params.next())?, id(params.next())?))
    }
}

async fn path(parts: &mut Parts, gate: &Gate) -> Result<RawPathParams, Problem> {
    let malformed = |_| Problem::new(ErrorCode::Malformed, "the path is not UTF-8");
    RawPathParams::from_request_parts(parts, gate).await.map_err(malformed)
}

fn id<T: Checked<Wire = u64>>(param: Option<(&str, &str)>) -> Result<T, Problem> {
    let (name, text) = param.unwrap_or_default();
    let problem = |code| {
        let detail = format!("{name} {RULE_PREFIX}{}", T::RULE);
        Problem::new(code, detail).with_field(name.to_owned())
    };
    // Only digits: `u64` would also take a plus sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    let number = number.ok_or_else(|| problem(ErrorCode::Malformed))?;
    T::check(number).ok_or_else(|| problem(ErrorCode::Invalid))
}

/// Takes a checked value out of an optional field.
pub(super) fn inner<T>(field: Option<Field<T>>) -> Option<T> {
    field.map(|Field(value)| value)
}
