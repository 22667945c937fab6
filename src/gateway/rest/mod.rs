//! The REST API: every path, and what surrounds all of them and the pages beside them.
//!
//! Each handler reads a request into a command, asks the core and renders the outcome; it decides
//! nothing. Around them stand the limits of every request: a size, a time, and answers that are
//! problem documents also where no handler was reached.

mod auth;
mod chats;
mod contacts;
mod cursor;
mod devices;
mod entry;
mod extract;
mod field;
mod health;
mod json;
mod members;
mod messages;
mod openapi;
mod page;
mod problem;
mod receive;
#[cfg(test)]
mod tests;
mod users;
mod waiting;

pub use problem::Problem;
pub use waiting::waiting;

use super::pages;
use crate::model::{Actor, Command, ErrorCode, Outcome};
use crate::shard::ShardHandle;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Method, Response, StatusCode};
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The limits of a request, and what the API publishes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The most bytes of a request's body.
    pub body_bytes_max: usize,
    /// How long a request may take, its body included and the wait of a long poll not.
    pub request_timeout: Duration,
    /// The public keys of the access tokens, as a JSON Web Key Set.
    pub jwks: Arc<str>,
    /// Whom the pages offer for trying things out, as `name:password`, apart by spaces.
    pub demo: Option<String>,
}

/// What every handler shares: the way to the core.
#[derive(Clone, Debug)]
struct Gate {
    shard: ShardHandle,
    jwks: Bytes,
    openapi: Bytes,
}

impl Gate {
    /// Performs a command for a signed-in device, or for nobody yet.
    async fn ask(&self, actor: Option<Actor>, command: Command) -> Result<Outcome, Problem> {
        self.shard.execute(actor, command).await.map_err(Problem::from)
    }

    /// Performs a command that has nothing to tell.
    async fn perform(&self, actor: Actor, command: Command) -> Result<StatusCode, Problem> {
        let Outcome::Done = self.ask(Some(actor), command).await? else {
            return Err(Problem::wrong_outcome());
        };
        Ok(StatusCode::NO_CONTENT)
    }
}

/// The whole REST API and the pages as one service.
pub fn router(shard: ShardHandle, settings: &Settings) -> Router {
    let (polls, poll_document) = polls().split_for_parts();
    let (routes, mut document) = requests().split_for_parts();
    document.merge(poll_document);
    let jwks = Bytes::copy_from_slice(settings.jwks.as_bytes());
    let gate = Gate { shard, jwks, openapi: openapi::render(&document).into() };
    let patience = settings.request_timeout;
    let poll_patience = patience.saturating_add(Duration::from_secs(field::WAIT_SECONDS_MAX));
    routes
        .layer(middleware::from_fn_with_state(patience, limit_time))
        .merge(polls.layer(middleware::from_fn_with_state(poll_patience, limit_time)))
        .merge(pages::routes(settings.demo.as_deref()))
        .fallback(|| std::future::ready(unknown_path()))
        .method_not_allowed_fallback(|| std::future::ready(unknown_method()))
        .layer(DefaultBodyLimit::max(settings.body_bytes_max))
        .layer(middleware::map_response(harden))
        .with_state(gate)
}

/// The API document, as it is committed and served.
pub fn openapi_document() -> String {
    let (_, mut document) = requests().split_for_parts();
    let (_, polls) = polls().split_for_parts();
    document.merge(polls);
    openapi::render(&document)
}

/// Every path that answers as soon as it can.
fn requests() -> OpenApiRouter<Gate> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(auth::register))
        .routes(routes!(auth::login))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::logout))
        .routes(routes!(users::profile, users::update_profile, users::put_profile))
        .routes(routes!(users::find))
        .routes(routes!(users::get))
        .routes(routes!(contacts::list, contacts::add))
        .routes(routes!(contacts::set, contacts::remove))
        .routes(routes!(chats::list, chats::create))
        .routes(routes!(chats::get, chats::change))
        .routes(routes!(members::list, members::add))
        .routes(routes!(members::remove, members::change))
        .routes(routes!(messages::history))
        .routes(routes!(messages::read))
        .routes(routes!(messages::send))
        .routes(routes!(devices::list))
        .routes(routes!(devices::rename, devices::revoke))
        .routes(routes!(health::health))
        .routes(routes!(health::ready))
        .routes(routes!(health::openapi))
        .routes(routes!(health::jwks))
}

/// The paths that wait for something to happen.
fn polls() -> OpenApiRouter<Gate> {
    OpenApiRouter::new().routes(routes!(receive::receive, receive::acknowledge_and_receive))
}

/// Ends a request that takes too long. What only reads surely changed nothing; of the rest it is
/// not known.
async fn limit_time(
    State(patience): State<Duration>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let answer = tokio::time::timeout(patience, next.run(request)).await;
    answer.unwrap_or_else(|_| too_slow(reads).into_response())
}

fn too_slow(reads: bool) -> Problem {
    if reads {
        Problem::new(ErrorCode::Unavailable, "the answer took too long")
    } else {
        crate::model::CommandError::outcome_unknown().into()
    }
}

/// No answer is to be guessed at: a browser takes each as the type it says.
async fn harden(mut response: Response<Body>) -> Response<Body> {
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

fn unknown_path() -> Problem {
    Problem::new(ErrorCode::NotFound, "no such path")
}

fn unknown_method() -> Problem {
    Problem::new(ErrorCode::Unsupported, "this path does not take this method")
        .with_status(StatusCode::METHOD_NOT_ALLOWED)
}
