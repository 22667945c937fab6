//! The caller's contact list.

use super::Gate;
use super::cursor::{ContactCursor, ContactCursorField};
use super::entry::ContactStateName;
use super::extract::{Caller, Id, Params, Valid, inner};
use super::field::{LimitField, UserField};
use super::page::{LIMIT_DEFAULT, Page};
use super::problem::{Barred, BodyRefusals, Missing, Problem, Refusals, Unauthenticated};
use crate::model::{Actor, Command, Contact, ErrorCode, Outcome, UserId};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the caller stands to another user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "user": 2_251_799_813_685_249_u64, "state": "accepted", "changed_at": 1_790_000_000_000_u64
}))]
pub(super) struct ContactView {
    /// The other user.
    #[schema(minimum = 1)]
    user: u64,
    /// How the caller stands to them.
    state: ContactStateName,
    /// Since when.
    changed_at: u64,
}

impl From<Contact> for ContactView {
    fn from(contact: Contact) -> Self {
        let Contact { owner: _, peer, state, set_by: _, changed_at } = contact;
        Self { user: peer.get(), state: state.into(), changed_at: changed_at.as_millis() }
    }
}

/// Whom to add.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"user": 2_251_799_813_685_249_u64}))]
pub(super) struct AddContactRequest {
    user: UserField,
}

/// How the caller wants to stand to a user.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"state": "accepted"}))]
pub(super) struct ContactStateRequest {
    /// `accepted` puts them on the list, `none` takes them off it.
    #[schema(value_type = SettableState)]
    state: ContactStateName,
}

/// What this version lets a client set.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes the values that are taken")]
enum SettableState {
    Accepted,
    None,
}

/// Which page.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ContactsQuery {
    /// Where the page before ended.
    #[param(inline, nullable = false)]
    cursor: Option<ContactCursorField>,
    /// How many; 50 where absent.
    #[param(inline, nullable = false)]
    limit: Option<LimitField>,
}

/// The contact list
#[utoipa::path(get, path = "/contacts", tag = "contacts", operation_id = "contacts",
    security(("bearer" = [])), params(ContactsQuery),
    responses((status = 200, description = "A page, ordered by user id.", body = Page<ContactView>),
        Refusals, Unauthenticated))]
pub(super) async fn list(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    Params(query): Params<ContactsQuery>,
) -> Result<Json<Page<ContactView>>, Problem> {
    let limit = inner(query.limit).map_or(LIMIT_DEFAULT, |limit| limit.0);
    let after = inner(query.cursor).and_then(|cursor| cursor.0);
    let command = Command::Contacts { after, limit };
    let Outcome::Contacts(contacts) = gate.ask(Some(actor), command).await? else {
        return Err(Problem::wrong_outcome());
    };
    // A short page is the last one.
    let last = contacts.last().filter(|_| contacts.len() >= limit);
    let next_cursor = last.map(|contact| ContactCursor::after(contact.peer));
    let items = contacts.into_iter().map(ContactView::from).collect();
    Ok(Json(Page { items, next_cursor }))
}

async fn put_on_list(
    gate: &Gate,
    actor: Actor,
    user: UserId,
) -> Result<Json<ContactView>, Problem> {
    let command = Command::AddContact { user };
    let Outcome::Contact(contact) = gate.ask(Some(actor), command).await? else {
        return Err(Problem::wrong_outcome());
    };
    Ok(Json(contact.into()))
}

/// Add a contact
#[utoipa::path(post, path = "/contacts", tag = "contacts", operation_id = "add_contact",
    security(("bearer" = [])), request_body = AddContactRequest,
    responses((status = 201, description = "On the list, also if it was already.",
            body = ContactView),
        Refusals, BodyRefusals, Unauthenticated, Missing, Barred))]
pub(super) async fn add(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    Valid(request): Valid<AddContactRequest>,
) -> Result<(StatusCode, Json<ContactView>), Problem> {
    let contact = put_on_list(&gate, actor, request.user.0).await?;
    Ok((StatusCode::CREATED, contact))
}

/// Set how the caller stands to a user
///
/// Requests and blocking are `unsupported` in this version.
#[utoipa::path(put, path = "/contacts/{user}", tag = "contacts", operation_id = "set_contact",
    security(("bearer" = [])),
    params(("user" = inline(UserField), Path, description = "To whom.")),
    request_body = ContactStateRequest,
    responses((status = 200, description = "On the list.", body = ContactView),
        (status = 204, description = "Off the list."),
        Refusals, BodyRefusals, Unauthenticated, Missing, Barred))]
pub(super) async fn set(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    Id(user): Id<UserId>,
    Valid(request): Valid<ContactStateRequest>,
) -> Result<Response, Problem> {
    match request.state {
        ContactStateName::Accepted => {
            put_on_list(&gate, actor, user).await.map(IntoResponse::into_response)
        }
        ContactStateName::None => {
            let removed = gate.perform(actor, Command::RemoveContact { user }).await;
            removed.map(IntoResponse::into_response)
        }
        ContactStateName::RequestedByYou
        | ContactStateName::RequestedByThem
        | ContactStateName::Blocked => {
            let detail = "this version sets only accepted and none";
            Err(Problem::new(ErrorCode::Unsupported, detail).with_field("state"))
        }
    }
}

/// Take a user off the contact list
///
/// One who is not on it is fine.
#[utoipa::path(delete, path = "/contacts/{user}", tag = "contacts", operation_id = "remove_contact",
    security(("bearer" = [])),
    params(("user" = inline(UserField), Path, description = "Whom.")),
    responses((status = 204, description = "Off the list."), Refusals, Unauthenticated, Barred))]
pub(super) async fn remove(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    Id(user): Id<UserId>,
) -> Result<StatusCode, Problem> {
    gate.perform(actor, Command::RemoveContact { user }).await
}
