//! One person through one of the two doors: scenarios are written once and run through each.

use super::eventually::Deadline;
use super::history::Line;
use super::peer::{Listed, Peer, sequence};
use super::people::{Person, number};
use super::rest::{Answer, Rest};
use super::server::TestServer;
use bytes::Bytes;
use chasqui::model::{ClientMessageId, ConversationId, ErrorCode, Sequence, UserId};
use chasqui::protocol::ClientFrame;
use chasqui::protocol::constants::{entry_kind, error_flag};
use hyper::StatusCode;
use serde_json::{Value, json};

/// Which way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// Frames over the WebSocket.
    Ws,
    /// JSON over HTTP.
    Rest,
}

/// Where a send is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The position.
    pub sequence: u64,
    /// Whether it was there before.
    pub duplicate: bool,
}

/// Someone at a door.
#[derive(Debug)]
pub(crate) struct Caller {
    /// Who.
    pub person: Person,
    rest: Rest,
    peer: Option<Peer>,
}

impl Caller {
    /// Goes to a door.
    pub(crate) async fn at(door: Door, server: &TestServer, person: &Person) -> Self {
        let peer = match door {
            Door::Ws => Some(Peer::connect(server.address(), &person.token).await),
            Door::Rest => None,
        };
        Self { person: person.clone(), rest: person.rest(server), peer }
    }

    /// Sends a text; the code where it is refused, which must be surely not applied.
    pub(crate) async fn send(
        &mut self,
        conversation: ConversationId,
        client_message: ClientMessageId,
        floor: u64,
        text: &str,
    ) -> Result<Stored, ErrorCode> {
        let Some(peer) = &mut self.peer else {
            let body = json!({
                "chat": conversation.get(),
                "client_id": client_message.get(),
                "floor": floor,
                "text": text,
            });
            let answer = self.rest.post("/message/send", body).await;
            if let Some(code) = refusal(&answer) {
                assert_eq!(answer.body["applied"], "false", "{}", answer.body);
                return Err(code);
            }
            let duplicate = answer.body["duplicate"].as_bool().expect("a flag");
            return Ok(Stored { sequence: number(&answer.body["sequence"]), duplicate });
        };
        let rid = peer.say_as(conversation, client_message, floor, text).await;
        match peer.sent(rid).await {
            Ok((sequence, duplicate)) => Ok(Stored { sequence: sequence.get(), duplicate }),
            Err((code, flags)) => {
                let flags = u64::from(flags);
                assert_ne!(flags & error_flag::NOT_APPLIED, 0, "{code}: {flags}");
                if code == ErrorCode::FloorOutOfRange {
                    peer.send(&ClientFrame::Resume).await;
                }
                Err(code)
            }
        }
    }

    /// Reads a range of a log, both ends inclusive.
    pub(crate) async fn read_range(
        &mut self,
        conversation: ConversationId,
        from: u64,
        to: u64,
    ) -> Result<Vec<Line>, ErrorCode> {
        if let Some(peer) = &mut self.peer {
            return peer.fetch(conversation, from, to).await;
        }
        let (mut after, mut lines) = (from - 1, Vec::new());
        loop {
            let path =
                format!("/chats/{conversation}/messages?after={after}&before={}&limit=50", to + 1);
            let answer = self.rest.get(&path).await;
            if let Some(code) = refusal(&answer) {
                return Err(code);
            }
            let items = answer.body["items"].as_array().expect("items").clone();
            lines.extend(items.iter().map(line));
            match lines.last() {
                Some(last) if !answer.body["next_cursor"].is_null() => after = last.sequence.get(),
                _ => return Ok(lines),
            }
        }
    }

    /// Marks everything up to `read` as read.
    pub(crate) async fn mark_read(&mut self, conversation: ConversationId, read: u64) {
        if let Some(peer) = &mut self.peer {
            peer.send(&ClientFrame::Read { conversation, read: sequence(read) }).await;
            // READ has no answer, and other requests may overtake it.
            let deadline = Deadline::usual();
            loop {
                let (head, _, reached) = self.chat(conversation).await;
                if reached >= read.min(head) {
                    return;
                }
                assert!(!deadline.has_passed(), "READ {read} has no effect");
            }
        } else {
            let path = format!("/chats/{conversation}/read");
            self.rest.post(&path, json!({"sequence": read})).await.ok();
        }
    }

    /// How the chat looks to this person: its head, what is unread, up to where it is read.
    pub(crate) async fn chat(&mut self, conversation: ConversationId) -> (u64, u64, u64) {
        let Some(peer) = &mut self.peer else {
            let chat = self.rest.get(&format!("/chats/{conversation}")).await.ok();
            let field = |name: &str| number(&chat[name]);
            return (field("last_sequence"), field("unread"), field("read"));
        };
        let (records, _, _) = peer.sync(&[]).await;
        let is_it = |record: &&Listed| record.conversation == conversation;
        let record = records.iter().find(is_it).expect("it is listed");
        (record.last_sequence.get(), record.unread, record.read.get())
    }

    /// The REST door, for what only it can do.
    pub(crate) const fn rest(&self) -> &Rest {
        &self.rest
    }
}

/// The code of a refusal, whose status must be the one that belongs to it.
pub(crate) fn refusal(answer: &Answer) -> Option<ErrorCode> {
    if answer.status.is_success() {
        return None;
    }
    let name = answer.problem();
    let code = ErrorCode::ALL.iter().find(|code| code.name() == name);
    let code = *code.unwrap_or_else(|| panic!("{name} is no code"));
    assert_eq!(answer.status, status(code), "{}", answer.body);
    Some(code)
}

/// The status that belongs to a code.
fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::Malformed | ErrorCode::Unsupported | ErrorCode::Invalid => {
            StatusCode::BAD_REQUEST
        }
        ErrorCode::Unauthenticated | ErrorCode::Expired => StatusCode::UNAUTHORIZED,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::Conflict | ErrorCode::FloorOutOfRange => StatusCode::CONFLICT,
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Overloaded | ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::OutcomeUnknown => StatusCode::GATEWAY_TIMEOUT,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An entry as REST shows it.
pub(crate) fn line(entry: &Value) -> Line {
    const KINDS: [(&str, u64); 9] = [
        ("message", entry_kind::MESSAGE),
        ("edit", entry_kind::EDIT),
        ("unsend", entry_kind::UNSEND),
        ("reaction", entry_kind::REACTION),
        ("pin", entry_kind::PIN),
        ("member", entry_kind::MEMBER),
        ("settings", entry_kind::SETTINGS),
        ("contact", entry_kind::CONTACT),
        ("device", entry_kind::DEVICE),
    ];
    let named = |name: &str| KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
    let kind = entry["kind"].as_u64().or_else(|| entry["kind"].as_str().and_then(named));
    Line {
        sequence: Sequence::new(number(&entry["sequence"])).expect("it fits"),
        sender: entry["sender"].as_u64().and_then(UserId::new),
        client_message: entry["client_id"].as_u64().and_then(ClientMessageId::new),
        kind: kind.unwrap_or_else(|| panic!("{} is no kind", entry["kind"])),
        body: Bytes::from(entry["text"].as_str().unwrap_or_default().to_owned()),
    }
}
