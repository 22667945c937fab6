//! Accounts and tokens: register, log in, refresh, log out.

use super::Gate;
use super::extract::{Caller, Valid, inner};
use super::field::{
    DeviceField, DeviceNameField, DisplayNameField, PasswordField, SecretField, UsernameField,
};
use super::problem::{Barred, BodyRefusals, Problem, Refusals, Unauthenticated};
use crate::model::{Command, Outcome, SignedIn};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A new account.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"username": "ana", "password": "correct horse", "display_name": "Ana"}))]
pub(super) struct RegisterRequest {
    username: UsernameField,
    password: PasswordField,
    /// The user name where absent.
    display_name: Option<DisplayNameField>,
    /// What the device calls itself; empty where absent.
    device_name: Option<DeviceNameField>,
}

/// Who signs in.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"username": "ana", "password": "correct horse"}))]
pub(super) struct LoginRequest {
    username: UsernameField,
    password: PasswordField,
    /// What the device calls itself; empty where absent.
    device_name: Option<DeviceNameField>,
    /// Re-enters this device of one's own instead of adding one.
    device: Option<DeviceField>,
}

/// A refresh token.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"refresh_token": "cn_3q2-7w"}))]
pub(super) struct RefreshRequest {
    refresh_token: SecretField,
}

/// A signed-in device and its tokens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "user": 4_503_599_627_370_497_u64, "device": 2_251_799_813_685_249_u64,
    "access_token": "eyJhbGciOiJFZERTQSJ9.e30.c2ln", "expires_in": 900,
    "refresh_token": "cn_3q2-7w"
}))]
pub(super) struct Tokens {
    /// The user.
    #[schema(minimum = 1)]
    user: u64,
    /// The device.
    #[schema(minimum = 1)]
    device: u64,
    /// For `Authorization: Bearer` and HELLO.
    access_token: String,
    /// For how many seconds the access token is valid.
    expires_in: u64,
    /// For `/token/refresh`.
    refresh_token: String,
}

impl From<SignedIn> for Tokens {
    fn from(signed_in: SignedIn) -> Self {
        let SignedIn { actor, access_token, expires_in, refresh_token } = signed_in;
        Self {
            user: actor.user.get(),
            device: actor.device.get(),
            access_token: access_token.as_str().to_owned(),
            expires_in: expires_in.as_secs(),
            refresh_token: refresh_token.as_str().to_owned(),
        }
    }
}

type TokenAnswer = (StatusCode, [(HeaderName, &'static str); 1], Json<Tokens>);

/// Tokens are for their receiver alone: no cache keeps them.
async fn sign_in(
    gate: &Gate,
    status: StatusCode,
    command: Command,
) -> Result<TokenAnswer, Problem> {
    let Outcome::SignedIn(signed_in) = gate.ask(None, command).await? else {
        return Err(Problem::wrong_outcome());
    };
    Ok((status, [(CACHE_CONTROL, "no-store")], Json(signed_in.into())))
}

/// Create an account
///
/// And sign its first device in.
#[utoipa::path(post, path = "/register", tag = "auth", operation_id = "register",
    request_body = RegisterRequest,
    responses((status = 201, description = "Registered and signed in.", body = Tokens),
        Refusals, BodyRefusals, Barred))]
pub(super) async fn register(
    State(gate): State<Gate>,
    Valid(request): Valid<RegisterRequest>,
) -> Result<TokenAnswer, Problem> {
    let RegisterRequest { username, password, display_name, device_name } = request;
    let command = Command::Register {
        username: username.0,
        password: password.0,
        display_name: inner(display_name),
        device_name: inner(device_name).unwrap_or_default(),
    };
    sign_in(&gate, StatusCode::CREATED, command).await
}

/// Sign a device in
///
/// An unknown user and a wrong password are answered alike.
#[utoipa::path(post, path = "/login", tag = "auth", operation_id = "login",
    request_body = LoginRequest,
    responses((status = 200, description = "Signed in.", body = Tokens),
        Refusals, BodyRefusals, Unauthenticated, Barred))]
pub(super) async fn login(
    State(gate): State<Gate>,
    Valid(request): Valid<LoginRequest>,
) -> Result<TokenAnswer, Problem> {
    let LoginRequest { username, password, device_name, device } = request;
    let command = Command::Login {
        username: username.0,
        password: password.0,
        device_name: inner(device_name).unwrap_or_default(),
        device: inner(device),
    };
    sign_in(&gate, StatusCode::OK, command).await
}

/// Exchange a refresh token
///
/// The answer carries its successor. Until that is first presented here, the same request may be
/// repeated; an older token than that revokes the sign-in.
#[utoipa::path(post, path = "/token/refresh", tag = "auth", operation_id = "refresh",
    request_body = RefreshRequest,
    responses((status = 200, description = "New tokens.", body = Tokens),
        Refusals, BodyRefusals, Unauthenticated))]
pub(super) async fn refresh(
    State(gate): State<Gate>,
    Valid(request): Valid<RefreshRequest>,
) -> Result<TokenAnswer, Problem> {
    let command = Command::Refresh { token: request.refresh_token.0 };
    sign_in(&gate, StatusCode::OK, command).await
}

/// Sign this device out
///
/// Closes its live connections at once; its tokens are dead.
#[utoipa::path(post, path = "/logout", tag = "auth", operation_id = "logout",
    security(("bearer" = [])),
    responses((status = 204, description = "Signed out."), Refusals, Unauthenticated))]
pub(super) async fn logout(
    State(gate): State<Gate>,
    Caller(actor): Caller,
) -> Result<StatusCode, Problem> {
    gate.perform(actor, Command::Logout).await
}
