//! The long poll: receiving without a WebSocket, for networks that break upgrades.

use super::Gate;
use super::entry::EntryView;
use super::extract::{Caller, Params, Valid, inner};
use super::field::{ChatField, LimitField, SequenceField, Wait, WaitField};
use super::json::Object;
use super::problem::{BodyRefusals, Problem, Refusals, Unauthenticated};
use crate::model::{Actor, Command, ConversationId, Outcome, Sequence};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many entries an answer holds where the request does not say.
const ENTRIES_DEFAULT: usize = 100;

/// How long and how much.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ReceiveQuery {
    /// How many seconds to wait for a first entry; 0 where absent.
    #[param(inline, nullable = false)]
    wait: Option<WaitField>,
    /// How many entries; 100 where absent.
    #[param(inline, nullable = false)]
    limit: Option<LimitField>,
}

/// Everything of a chat up to a sequence.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Ack)]
pub(super) struct AckRequest {
    chat: ChatField,
    /// The last sequence that the device has stored.
    sequence: SequenceField,
}

/// What is acknowledged, then how long and how much.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({
    "acks": [{"chat": 1_122_334_455_667_u64, "sequence": 42}], "wait": 25, "limit": 100
}))]
pub(super) struct ReceiveRequest {
    /// Acknowledged durably before anything else.
    #[serde(default)]
    #[schema(value_type = Vec<AckRequest>)]
    acks: Vec<Object<AckRequest>>,
    /// How many seconds to wait for a first entry; 0 where absent.
    wait: Option<WaitField>,
    /// How many entries; 100 where absent.
    limit: Option<LimitField>,
}

/// What the device has not acknowledged.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Received)]
pub(super) struct ReceivedView {
    /// Of all chats and the journal, own sends included, in sequence order per chat.
    entries: Vec<EntryView>,
    /// Whether more are waiting.
    more: bool,
}

async fn poll(
    gate: &Gate,
    actor: Actor,
    acks: Vec<(ConversationId, Sequence)>,
    (wait, limit): (Option<WaitField>, Option<LimitField>),
) -> Result<Json<ReceivedView>, Problem> {
    let Wait(wait) = inner(wait).unwrap_or_default();
    let limit = inner(limit).map_or(ENTRIES_DEFAULT, |limit| limit.0);
    let command = Command::Receive { acks, wait, limit };
    let Outcome::Received(received) = gate.ask(Some(actor), command).await? else {
        return Err(Problem::wrong_outcome());
    };
    let view = |(chat, entry)| EntryView::new(actor, chat, entry);
    let entries = received.entries.into_iter().map(view).collect();
    Ok(Json(ReceivedView { entries, more: received.more }))
}

/// Wait for entries
///
/// Answers with what the device has not acknowledged, as soon as there is something, else empty
/// once `wait` is over. The same entries come again until they are acknowledged. One poll per
/// device: a second one ends the first, which is answered empty.
#[utoipa::path(get, path = "/message/receive", tag = "messages", operation_id = "receive",
    security(("bearer" = [])), params(ReceiveQuery),
    responses((status = 200, description = "Entries, or none yet.", body = ReceivedView),
        Refusals, Unauthenticated))]
pub(super) async fn receive(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    Params(query): Params<ReceiveQuery>,
) -> Result<Json<ReceivedView>, Problem> {
    poll(&gate, actor, Vec::new(), (query.wait, query.limit)).await
}

/// Acknowledge entries and wait for more
///
/// One request per round: it acknowledges what the last answer brought, then waits like GET.
#[utoipa::path(post, path = "/message/receive", tag = "messages",
    operation_id = "acknowledge_and_receive",
    security(("bearer" = [])), request_body = ReceiveRequest,
    responses((status = 200, description = "Entries, or none yet.", body = ReceivedView),
        Refusals, BodyRefusals, Unauthenticated))]
pub(super) async fn acknowledge_and_receive(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    Valid(request): Valid<ReceiveRequest>,
) -> Result<Json<ReceivedView>, Problem> {
    let acks = request.acks.into_iter().map(|Object(ack)| (ack.chat.0, ack.sequence.0)).collect();
    poll(&gate, actor, acks, (request.wait, request.limit)).await
}
