//! Sending, reading back, and telling what has been read.

use super::Gate;
use super::cursor::{HistoryCursor, HistoryCursorField};
use super::entry::{EntryView, views};
use super::extract::{Caller, Id, JsonBytes, Params, Valid, inner, parse};
use super::field::{
    BlobField, BoundField, ChatField, ClientMessageField, KindField, LimitField, MediaField,
    NumberField, SequenceField, UserField,
};
use super::json::Object;
use super::page::{LIMIT_DEFAULT, Page};
use super::problem::{Barred, BodyRefusals, Missing, Problem, Refusals, Unauthenticated};
use crate::model::{
    Attachment, Command, Content, ConversationId, Entry, Message, Outcome, Sent, Sequence,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use thin_vec::ThinVec;
use utoipa::ToSchema;

/// Which stretch.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// Only entries before this sequence.
    #[param(inline, nullable = false)]
    before: Option<BoundField>,
    /// Only entries after this sequence, oldest first.
    #[param(inline, nullable = false)]
    after: Option<BoundField>,
    /// Where the page before ended.
    #[param(inline, nullable = false)]
    cursor: Option<HistoryCursorField>,
    /// How many; 50 where absent.
    #[param(inline, nullable = false)]
    limit: Option<LimitField>,
}

/// The bounds and the size of a page of history.
struct Stretch {
    before: Option<Sequence>,
    after: Option<Sequence>,
    limit: usize,
}

impl From<HistoryQuery> for Stretch {
    /// The cursor stands for the bound that it has moved; the other one is the request's.
    fn from(query: HistoryQuery) -> Self {
        let (mut before, mut after) = (query.before.map(|b| b.0.0), query.after.map(|b| b.0.0));
        match inner(query.cursor) {
            Some(HistoryCursor::Before(sequence)) => before = Some(sequence),
            Some(HistoryCursor::After(sequence)) => after = Some(sequence),
            None => {}
        }
        Self { before, after, limit: inner(query.limit).map_or(LIMIT_DEFAULT, |limit| limit.0) }
    }
}

/// Where to read on behind a page that is not the last.
fn next_cursor(entries: &[Entry], more: bool, ascending: bool) -> Option<String> {
    let last = entries.last().filter(|_| more)?.sequence;
    let cursor = if ascending { HistoryCursor::After(last) } else { HistoryCursor::Before(last) };
    Some(cursor.render())
}

/// The history of a chat
///
/// What the caller may see of it, newest first unless `after` is given. Both bounds are exclusive.
#[utoipa::path(get, path = "/chats/{chat}/messages", tag = "messages", operation_id = "history",
    security(("bearer" = [])),
    params(("chat" = inline(ChatField), Path, description = "Which chat."), HistoryQuery),
    responses((status = 200, description = "A page of entries.", body = Page<EntryView>),
        Refusals, Unauthenticated, Missing))]
pub(super) async fn history(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    Id(chat): Id<ConversationId>,
    Params(query): Params<HistoryQuery>,
) -> Result<Json<Page<EntryView>>, Problem> {
    let Stretch { before, after, limit } = query.into();
    let command = Command::History { chat, before, after, limit };
    let Outcome::History { entries, more } = gate.ask(Some(actor), command).await? else {
        return Err(Problem::wrong_outcome());
    };
    let next_cursor = next_cursor(&entries, more, after.is_some());
    Ok(Json(Page { items: views(actor, chat, entries), next_cursor }))
}

/// How far the caller has read.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"sequence": 42}))]
pub(super) struct ReadRequest {
    sequence: SequenceField,
}

/// Tell what has been read
///
/// Up to and including a sequence. Never goes back; what lies beyond the last entry counts as the
/// last entry.
#[utoipa::path(post, path = "/chats/{chat}/read", tag = "messages", operation_id = "read",
    security(("bearer" = [])), request_body = ReadRequest,
    params(("chat" = inline(ChatField), Path, description = "Which chat.")),
    responses((status = 204, description = "Noted."),
        Refusals, BodyRefusals, Unauthenticated, Missing))]
pub(super) async fn read(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    Id(chat): Id<ConversationId>,
    Valid(request): Valid<ReadRequest>,
) -> Result<StatusCode, Problem> {
    gate.perform(actor, Command::Read { conversation: chat, read: request.sequence.0 }).await
}

/// A file that a message refers to.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct AttachmentRequest {
    media: MediaField,
    /// Its size in bytes.
    size: NumberField,
    /// Its media type.
    #[serde(rename = "type")]
    media_type: String,
    /// Its name for people; empty where absent.
    #[serde(default)]
    name: String,
    /// Width in pixels.
    width: Option<NumberField>,
    /// Height in pixels.
    height: Option<NumberField>,
    /// Length in milliseconds.
    duration_ms: Option<NumberField>,
    /// A tiny picture of it.
    preview: Option<BlobField>,
}

impl From<AttachmentRequest> for Attachment {
    fn from(request: AttachmentRequest) -> Self {
        let number = |field: Option<NumberField>| inner(field).unwrap_or_default().0;
        Self {
            media: request.media.0,
            size: request.size.0.0,
            media_type: request.media_type,
            name: request.name,
            width: number(request.width),
            height: number(request.height),
            duration_ms: number(request.duration_ms),
            preview: inner(request.preview).unwrap_or_default(),
        }
    }
}

/// A message.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({
    "chat": 1_122_334_455_667_u64, "client_id": 17_730_941_538_400_u64, "text": "hi", "floor": 42
}))]
pub(super) struct MessageRequest {
    chat: ChatField,
    client_id: ClientMessageField,
    /// The text; may be empty beside an attachment.
    #[schema(min_length = 1)]
    text: String,
    /// The sequence it answers.
    reply_to: Option<SequenceField>,
    /// The users it names.
    #[serde(default)]
    mentions: Vec<UserField>,
    /// Files it carries.
    #[serde(default)]
    #[schema(value_type = Vec<AttachmentRequest>)]
    attachments: Vec<Object<AttachmentRequest>>,
    /// 1 + the highest sequence of the chat known to the client when it first tried to send this;
    /// the same on every attempt. Without it a resend is recognised within the last 4,096 entries.
    floor: Option<SequenceField>,
}

/// An entry that the server carries without understanding it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({
    "chat": 1_122_334_455_667_u64, "client_id": 17_730_941_538_401_u64, "kind": 16, "body": "aGk="
}))]
pub(super) struct OpaqueRequest {
    chat: ChatField,
    client_id: ClientMessageField,
    kind: KindField,
    body: BlobField,
    /// As in a message.
    floor: Option<SequenceField>,
}

/// What to send: with `kind` an application's own entry, else a message.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it only describes the two shapes, which are read one by one")]
pub(super) enum SendRequest {
    Opaque(OpaqueRequest),
    Message(MessageRequest),
}

/// What tells the two shapes apart.
#[derive(Debug, Deserialize)]
struct Shape {
    kind: Option<IgnoredAny>,
}

fn send_command(body: &[u8]) -> Result<Command, Problem> {
    if parse::<Shape>(body)?.kind.is_some() {
        parse(body).map(OpaqueRequest::into)
    } else {
        parse(body).map(MessageRequest::into)
    }
}

impl From<MessageRequest> for Command {
    fn from(request: MessageRequest) -> Self {
        let message = Message {
            text: request.text.into(),
            attachments: request
                .attachments
                .into_iter()
                .map(|Object(attachment)| attachment.into())
                .collect(),
            reply_to: inner(request.reply_to),
            mentions: request.mentions.into_iter().map(|user| user.0).collect(),
        };
        Self::Send {
            conversation: request.chat.0,
            client_message: request.client_id.0,
            floor: inner(request.floor),
            content: Content::Message(message),
        }
    }
}

impl From<OpaqueRequest> for Command {
    fn from(request: OpaqueRequest) -> Self {
        let content = Content::Opaque {
            kind: request.kind.0.0,
            body: request.body.0.as_ref().into(),
            attributes: ThinVec::new(),
        };
        Self::Send {
            conversation: request.chat.0,
            client_message: request.client_id.0,
            floor: inner(request.floor),
            content,
        }
    }
}

/// Where a send is stored.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Sent, example = json!({
    "chat": 1_122_334_455_667_u64, "sequence": 42, "ord": 40, "sent_at": 1_790_000_000_000_u64,
    "duplicate": false
}))]
pub(super) struct SentView {
    /// Where.
    #[schema(minimum = 1)]
    chat: u64,
    /// At which sequence.
    #[schema(minimum = 1)]
    sequence: u64,
    /// The ordinal there.
    ord: u64,
    /// When it was accepted.
    sent_at: u64,
    /// Whether an earlier attempt had been stored.
    duplicate: bool,
}

impl From<Sent> for SentView {
    fn from(sent: Sent) -> Self {
        let Sent { conversation, sequence, ordinal, sent_at, duplicate } = sent;
        Self {
            chat: conversation.get(),
            sequence: sequence.get(),
            ord: ordinal.get(),
            sent_at: sent_at.as_millis(),
            duplicate,
        }
    }
}

/// Send into a chat
///
/// Answered once it is stored durably. After a refusal whose `applied` is `unknown`, and after no
/// answer at all, send the same again: it is stored at most once.
#[utoipa::path(post, path = "/message/send", tag = "messages", operation_id = "send",
    security(("bearer" = [])), request_body = SendRequest,
    responses((status = 201, description = "Stored.", body = SentView),
        (status = 200, description = "An earlier attempt had been stored.", body = SentView),
        Refusals, BodyRefusals, Unauthenticated, Missing, Barred))]
pub(super) async fn send(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    JsonBytes(body): JsonBytes,
) -> Result<(StatusCode, Json<SentView>), Problem> {
    let command = send_command(&body).map_err(Problem::of_send)?;
    let outcome = gate.ask(Some(actor), command).await.map_err(Problem::of_send)?;
    let Outcome::Sent(sent) = outcome else {
        return Err(Problem::wrong_outcome());
    };
    let status = if sent.duplicate { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(sent.into())))
}
