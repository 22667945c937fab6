//! Who belongs to a chat, and changing it in a group.

use super::Gate;
use super::entry::RoleName;
use super::extract::{Caller, Id, Ids, Valid};
use super::field::{ChatField, UserField, UsersField};
use super::page::Page;
use super::problem::{Barred, BodyRefusals, Missing, Problem, Refusals, Unauthenticated};
use crate::model::{Command, ConversationId, MemberView, Outcome, UserId};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A member and how far they have come.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "user": 2_251_799_813_685_249_u64, "role": "member", "joined": 2, "delivered": 42, "read": 41,
    "read_ord": 39
}))]
pub(super) struct Member {
    /// Who.
    #[schema(minimum = 1)]
    user: u64,
    role: RoleName,
    /// The first sequence of their membership.
    joined: u64,
    /// Up to which sequence some device of theirs has stored it.
    delivered: u64,
    /// Up to which sequence they have read.
    read: u64,
    /// The ordinal there.
    read_ord: u64,
}

impl From<MemberView> for Member {
    fn from(member: MemberView) -> Self {
        let MemberView { user, role, joined, cursor } = member;
        Self {
            user: user.get(),
            role: role.into(),
            joined: joined.get(),
            delivered: cursor.delivered.get(),
            read: cursor.read.get(),
            read_ord: cursor.read_ordinal.get(),
        }
    }
}

/// Whom to add.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"users": [2_251_799_813_685_249_u64]}))]
pub(super) struct AddMembersRequest {
    users: UsersField,
}

/// The members of a chat
///
/// With their cursors; in groups of over 200 members `delivered` is not kept.
#[utoipa::path(get, path = "/chats/{chat}/members", tag = "chats", operation_id = "members",
    security(("bearer" = [])),
    params(("chat" = inline(ChatField), Path, description = "Which chat.")),
    responses((status = 200, description = "All of them.", body = Page<Member>),
        Refusals, Unauthenticated, Missing))]
pub(super) async fn list(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    Id(chat): Id<ConversationId>,
) -> Result<Json<Page<Member>>, Problem> {
    let Outcome::Members(members) = gate.ask(Some(actor), Command::Members { chat }).await? else {
        return Err(Problem::wrong_outcome());
    };
    Ok(Json(Page::whole(members.into_iter().map(Member::from))))
}

/// Add users to a group
///
/// Those who belong to it already are left as they are.
#[utoipa::path(post, path = "/chats/{chat}/members", tag = "chats", operation_id = "add_members",
    security(("bearer" = [])), request_body = AddMembersRequest,
    params(("chat" = inline(ChatField), Path, description = "Which group.")),
    responses((status = 204, description = "They belong to it."),
        Refusals, BodyRefusals, Unauthenticated, Missing, Barred))]
pub(super) async fn add(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    Id(chat): Id<ConversationId>,
    Valid(request): Valid<AddMembersRequest>,
) -> Result<StatusCode, Problem> {
    gate.perform(actor, Command::AddMembers { chat, users: request.users.0.0 }).await
}

/// Remove a user from a group
///
/// Oneself: leave it. One who does not belong to it is fine.
#[utoipa::path(delete, path = "/chats/{chat}/members/{user}", tag = "chats",
    operation_id = "remove_member", security(("bearer" = [])),
    params(("chat" = inline(ChatField), Path, description = "Which group."),
        ("user" = inline(UserField), Path, description = "Whom.")),
    responses((status = 204, description = "They do not belong to it."),
        Refusals, Unauthenticated, Missing, Barred))]
pub(super) async fn remove(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    Ids(chat, user): Ids<ConversationId, UserId>,
) -> Result<StatusCode, Problem> {
    gate.perform(actor, Command::RemoveMember { chat, user }).await
}

/// What a member is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"role": "admin"}))]
pub(super) struct ChangeMemberRequest {
    role: RoleName,
}

/// Give a member another role
///
/// For an owner of the group. Nobody but themselves takes an owner's role away, and not the last one's.
#[utoipa::path(patch, path = "/chats/{chat}/members/{user}", tag = "chats",
    operation_id = "change_member", security(("bearer" = [])), request_body = ChangeMemberRequest,
    params(("chat" = inline(ChatField), Path, description = "Which group."),
        ("user" = inline(UserField), Path, description = "Whose role.")),
    responses((status = 204, description = "They have this role."),
        Refusals, BodyRefusals, Unauthenticated, Missing, Barred))]
pub(super) async fn change(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    Ids(chat, user): Ids<ConversationId, UserId>,
    Valid(request): Valid<ChangeMemberRequest>,
) -> Result<StatusCode, Problem> {
    gate.perform(actor, Command::SetRole { chat, user, role: request.role.into() }).await
}
