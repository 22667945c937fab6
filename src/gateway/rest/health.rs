//! What machines ask: whether the process lives, whether it can take work, what the API is and
//! which keys its tokens are signed with.

use super::Gate;
use super::problem::{Problem, Refusals};
use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"status": "ok"}))]
pub(super) struct Health {
    /// Always `ok`: whoever is not answers with a problem.
    status: &'static str,
}

const OK: Json<Health> = Json(Health { status: "ok" });

/// Whether the process lives
///
/// Asks nothing of the store: a process that answers here is not to be killed.
#[utoipa::path(get, path = "/healthz", tag = "health", operation_id = "healthz",
    responses((status = 200, description = "It lives.", body = Health), Refusals))]
pub(super) async fn health() -> Json<Health> {
    OK
}

/// Whether the server takes work
///
/// 503 while it starts, while it drains and while its store does not take writes.
#[utoipa::path(get, path = "/readyz", tag = "health", operation_id = "readyz",
    responses((status = 200, description = "It does.", body = Health), Refusals))]
pub(super) async fn ready(State(gate): State<Gate>) -> Result<Json<Health>, Problem> {
    gate.shard.ready().await?;
    Ok(OK)
}

type Published = ([(HeaderName, &'static str); 2], Bytes);

fn publish(json: Bytes) -> Published {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=300")], json)
}

/// This document
#[utoipa::path(get, path = "/openapi.json", tag = "health", operation_id = "openapi",
    responses((status = 200, description = "OpenAPI 3.1.", body = serde_json::Value), Refusals))]
pub(super) async fn openapi(State(gate): State<Gate>) -> Published {
    publish(gate.openapi)
}

/// The public keys of the access tokens
///
/// Access tokens are JSON Web Tokens, signed with `EdDSA` by the key that their `kid` names.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "health", operation_id = "jwks",
    responses((status = 200, description = "A JSON Web Key Set.", body = serde_json::Value),
        Refusals))]
pub(super) async fn jwks(State(gate): State<Gate>) -> Published {
    publish(gate.jwks)
}
