//! What is answered before there is a store.

use super::problem::Problem;
use super::{harden, health};
use crate::model::{CommandError, ErrorCode};
use axum::Router;
use axum::middleware;
use axum::routing::get;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// After how long a client may ask again.
const RETRY: Duration = Duration::from_secs(1);

/// Tells everyone why nothing can be done yet; only that the process lives is answered as usual.
pub fn waiting(why: watch::Receiver<Arc<str>>) -> Router {
    let refuse = move || {
        let detail = why.borrow().to_string();
        let refusal = CommandError::retryable(ErrorCode::Unavailable, detail, RETRY);
        std::future::ready(Problem::from(refusal))
    };
    Router::new()
        .route("/healthz", get(health::health))
        .fallback(refuse)
        .layer(middleware::map_response(harden))
}
