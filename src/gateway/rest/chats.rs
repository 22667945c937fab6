//! Chats: the caller's list, one of them, and making one.

use super::Gate;
use super::cursor::{ChatCursor, ChatCursorField};
use super::entry::EntryView;
use super::extract::{Caller, Id, JsonBytes, Params, Valid, inner, parse};
use super::field::{
    ChatField, ClientMessageField, LimitField, MembersField, TitleField, UserField,
};
use super::page::{LIMIT_DEFAULT, Page};
use super::problem::{Barred, BodyRefusals, Missing, Problem, Refusals, Unauthenticated};
use crate::model::{Actor, Chat, Command, ConversationId, ConversationKind, Outcome, UserId};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kinds of chats.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ChatKindName {
    Journal,
    Direct,
    Group,
}

impl From<ConversationKind> for ChatKindName {
    fn from(kind: ConversationKind) -> Self {
        match kind {
            ConversationKind::Journal => Self::Journal,
            ConversationKind::Direct => Self::Direct,
            ConversationKind::Group => Self::Group,
        }
    }
}

/// A conversation as the caller sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Chat, example = json!({
    "chat": 1_122_334_455_667_u64, "kind": "direct", "title": null,
    "peer": 2_251_799_813_685_249_u64, "members": 2, "last_sequence": 42, "last_ord": 40,
    "read": 41, "read_ord": 39, "unread": 1, "delivered": 42, "last_entry": null,
    "peer_read": 42, "peer_delivered": 42
}))]
pub(super) struct ChatView {
    /// Its id.
    #[schema(minimum = 1)]
    chat: u64,
    kind: ChatKindName,
    /// The title of a group.
    #[schema(required)]
    title: Option<String>,
    /// The other user of a direct chat.
    #[schema(required, minimum = 1)]
    peer: Option<u64>,
    /// How many belong to it.
    members: u64,
    /// The sequence of the last entry that the caller may see.
    last_sequence: u64,
    /// How many entries up to there count as unread.
    last_ord: u64,
    /// Up to which sequence the caller has read.
    read: u64,
    /// The ordinal there.
    read_ord: u64,
    /// How many entries that count the caller has not read.
    unread: u64,
    /// Up to which sequence some device of the caller's has stored it.
    delivered: u64,
    /// The last entry that the caller may see.
    #[schema(required, inline = false)]
    last_entry: Option<EntryView>,
    /// In a direct chat: up to which sequence the other has read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    peer_read: Option<u64>,
    /// In a direct chat: up to which sequence some device of the other's has stored it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    peer_delivered: Option<u64>,
}

impl ChatView {
    fn new(reader: Actor, chat: Chat) -> Self {
        let unread = chat.unread();
        let id = chat.conversation.id;
        let peer = chat.peer;
        Self {
            chat: id.get(),
            kind: chat.conversation.kind().into(),
            title: chat.settings.title.map(|title| title.as_str().to_owned()),
            peer: peer.map(|(user, _)| user.get()),
            members: chat.member_count,
            last_sequence: chat.head.sequence.get(),
            last_ord: chat.head.ordinal.get(),
            read: chat.cursor.read.get(),
            read_ord: chat.cursor.read_ordinal.get(),
            unread,
            delivered: chat.cursor.delivered.get(),
            last_entry: chat.last_entry.map(|entry| EntryView::new(reader, id, entry)),
            peer_read: peer.map(|(_, cursor)| cursor.read.get()),
            peer_delivered: peer.map(|(_, cursor)| cursor.delivered.get()),
        }
    }
}

/// Which page.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ChatsQuery {
    /// Where the page before ended.
    #[param(inline, nullable = false)]
    cursor: Option<ChatCursorField>,
    /// How many; 50 where absent.
    #[param(inline, nullable = false)]
    limit: Option<LimitField>,
}

/// The caller's chats
///
/// The last active first.
#[utoipa::path(get, path = "/chats", tag = "chats", operation_id = "chats",
    security(("bearer" = [])), params(ChatsQuery),
    responses((status = 200, description = "A page of chats.", body = Page<ChatView>),
        Refusals, Unauthenticated))]
pub(super) async fn list(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    Params(query): Params<ChatsQuery>,
) -> Result<Json<Page<ChatView>>, Problem> {
    let limit = inner(query.limit).map_or(LIMIT_DEFAULT, |limit| limit.0);
    let cursor = inner(query.cursor).and_then(|cursor| cursor.0);
    let Outcome::Chats { chats, next } =
        gate.ask(Some(actor), Command::Chats { cursor, limit }).await?
    else {
        return Err(Problem::wrong_outcome());
    };
    let items = chats.into_iter().map(|chat| ChatView::new(actor, chat)).collect();
    Ok(Json(Page { items, next_cursor: next.map(ChatCursor::after) }))
}

/// `direct`.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DirectKind {
    Direct,
}

/// `group`.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum GroupKind {
    Group,
}

/// The direct chat with a user: the existing one is returned.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"kind": "direct", "user": 2_251_799_813_685_249_u64}))]
pub(super) struct DirectRequest {
    #[serde(rename = "kind")]
    _kind: DirectKind,
    user: UserField,
}

/// A new group; the same `client_id` again finds the one it created.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({
    "kind": "group", "title": "Garden", "members": [2_251_799_813_685_249_u64],
    "client_id": 17_730_941_538_400_u64
}))]
pub(super) struct GroupRequest {
    #[serde(rename = "kind")]
    _kind: GroupKind,
    title: TitleField,
    /// The members besides the caller, who is the owner.
    members: MembersField,
    client_id: ClientMessageField,
}

/// A chat to find or make.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it only describes the two shapes, which are read one by one")]
pub(super) enum CreateChatRequest {
    Direct(DirectRequest),
    Group(GroupRequest),
}

/// What tells the two shapes apart.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CreatableKind {
    Direct,
    Group,
}

#[derive(Debug, Deserialize)]
struct Shape {
    kind: CreatableKind,
}

fn create_command(body: &[u8]) -> Result<Command, Problem> {
    match parse::<Shape>(body)?.kind {
        CreatableKind::Direct => {
            let DirectRequest { _kind: _, user } = parse(body)?;
            Ok(Command::CreateDirect { user: user.0 })
        }
        CreatableKind::Group => {
            let GroupRequest { _kind: _, title, members, client_id } = parse(body)?;
            let members: Vec<UserId> = members.0.0;
            Ok(Command::CreateGroup { title: title.0, members, client_id: client_id.0 })
        }
    }
}

/// Find or make a chat
#[utoipa::path(post, path = "/chats", tag = "chats", operation_id = "create_chat",
    security(("bearer" = [])), request_body = CreateChatRequest,
    responses((status = 201, description = "Made.", body = ChatView),
        (status = 200, description = "It existed.", body = ChatView),
        Refusals, BodyRefusals, Unauthenticated, Missing, Barred))]
pub(super) async fn create(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    JsonBytes(body): JsonBytes,
) -> Result<(StatusCode, Json<ChatView>), Problem> {
    let command = create_command(&body)?;
    let Outcome::Chat { chat, created } = gate.ask(Some(actor), command).await? else {
        return Err(Problem::wrong_outcome());
    };
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(ChatView::new(actor, *chat))))
}

/// One chat
#[utoipa::path(get, path = "/chats/{chat}", tag = "chats", operation_id = "chat",
    security(("bearer" = [])),
    params(("chat" = inline(ChatField), Path, description = "Which.")),
    responses((status = 200, description = "The chat.", body = ChatView),
        Refusals, Unauthenticated, Missing))]
pub(super) async fn get(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    Id(chat): Id<ConversationId>,
) -> Result<Json<ChatView>, Problem> {
    let Outcome::Chat { chat, created: _ } = gate.ask(Some(actor), Command::Chat { chat }).await?
    else {
        return Err(Problem::wrong_outcome());
    };
    Ok(Json(ChatView::new(actor, *chat)))
}

/// What is to change.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"title": "Garden and kitchen"}))]
pub(super) struct ChangeChatRequest {
    title: TitleField,
}

/// Rename a group
///
/// For its owner and admins.
#[utoipa::path(patch, path = "/chats/{chat}", tag = "chats", operation_id = "change_chat",
    security(("bearer" = [])), request_body = ChangeChatRequest,
    params(("chat" = inline(ChatField), Path, description = "Which group.")),
    responses((status = 204, description = "It has this title."),
        Refusals, BodyRefusals, Unauthenticated, Missing, Barred))]
pub(super) async fn change(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    Id(chat): Id<ConversationId>,
    Valid(request): Valid<ChangeChatRequest>,
) -> Result<StatusCode, Problem> {
    gate.perform(actor, Command::RenameGroup { chat, title: request.title.0 }).await
}
