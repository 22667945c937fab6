//! The session as its driver sees it: messages and answers in, effects out.

mod property;
mod scenario;

use super::{Effect, GrantError, Granted, Limits, Session};
use crate::model::{
    Actor, ClientMessageId, CommandError, Content, ConversationId, DeviceId, Entry, Epoch,
    ErrorCode, Fetched, Message, Ordinal, Outcome, Sent, Sequence, Synced, Timestamp, UserId,
};
use crate::protocol::{
    ClientFrame, CloseCode, Hello, Refusal, SendFrame, ServerFrame, Tlvs, frames,
};
use std::time::Duration;

const EPOCH: Option<Epoch> = Epoch::new(77);

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + seconds * 1000)
}

fn conversation() -> ConversationId {
    ConversationId::new(0x0001_1223_3445_5667).expect("not zero")
}

fn actor() -> Actor {
    let user = UserId::new(1).expect("not zero");
    Actor { user, device: DeviceId::new(2).expect("not zero") }
}

fn granted() -> Granted {
    Granted { actor: actor(), family: 1, epoch: EPOCH.expect("not zero") }
}

fn hello(epoch: Option<Epoch>) -> ClientFrame<'static> {
    ClientFrame::Hello(Hello {
        minor: 0,
        capabilities: 7,
        token: "token",
        client: None,
        ping_seconds: Some(30),
        epoch,
    })
}

fn send(rid: u64) -> ClientFrame<'static> {
    ClientFrame::Send(SendFrame {
        rid,
        conversation: conversation(),
        client_message: ClientMessageId::new(rid).expect("not zero"),
        floor: Sequence::FIRST,
        kind: 1,
        body: b"hi",
        tlvs: Tlvs::EMPTY,
    })
}

fn fetch(rid: u64) -> ClientFrame<'static> {
    let from = Sequence::FIRST;
    ClientFrame::Fetch { rid, conversation: conversation(), from, to: Sequence::ZERO }
}

fn sync(rid: u64, token: &[u8]) -> ClientFrame<'_> {
    ClientFrame::Sync { rid, limit: 0, token }
}

fn encode(parts: &[ClientFrame<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        part.encode(&mut out);
    }
    out
}

fn sent(sequence: u64) -> Outcome {
    Outcome::Sent(Sent {
        conversation: conversation(),
        sequence: Sequence::new(sequence).expect("small"),
        ordinal: Ordinal::FIRST,
        sent_at: at(0),
        duplicate: false,
    })
}

fn fetched(entries: Vec<Entry>) -> Outcome {
    let to = entries.last().map_or(Sequence::ZERO, |entry| entry.sequence);
    Outcome::Fetched(Fetched { conversation: conversation(), entries, to, next: Sequence::ZERO })
}

fn synced() -> Outcome {
    let token = vec![1].into();
    Outcome::Synced(Synced { chats: Vec::new(), more: false, everything: true, token })
}

fn entry(sequence: u64, sender: UserId) -> Entry {
    let content = Content::Message(Message { text: "hi".into(), ..Message::default() });
    Entry {
        sequence: Sequence::new(sequence).expect("small"),
        ordinal: Ordinal::FIRST,
        sender: Some(sender),
        sent_at: at(0),
        client_message: ClientMessageId::new(9),
        fingerprint: content.fingerprint(),
        content,
        edited: None,
        erased: None,
    }
}

/// A session with its driver's part: the effects since they were last looked at.
struct Peer {
    session: Session,
    limits: Limits,
    effects: Vec<Effect>,
}

impl Peer {
    fn new() -> Self {
        let limits = Limits::default();
        Self { session: Session::new(at(0)), limits, effects: Vec::new() }
    }

    /// Greeted with the store's epoch and welcomed.
    fn welcomed() -> Self {
        let mut peer = Self::new();
        peer.take(&[hello(EPOCH)]);
        peer.grant();
        peer.told();
        peer
    }

    fn take(&mut self, parts: &[ClientFrame<'_>]) {
        self.take_bytes(&encode(parts));
    }

    fn take_bytes(&mut self, message: &[u8]) {
        self.session.handle_message(at(1), &self.limits, message, &mut self.effects);
    }

    fn grant(&mut self) {
        self.session.handle_grant(at(1), &self.limits, Ok(granted()), &mut self.effects);
    }

    fn answer(&mut self, rid: u64, result: &Result<Outcome, CommandError>) {
        self.session.handle_outcome(rid, result, &mut self.effects);
    }

    fn tick(&mut self, seconds: u64) {
        self.session.handle_tick(at(seconds), &self.limits, &mut self.effects);
    }

    /// The effects since the last call, each as a word or two.
    fn told(&mut self) -> Vec<String> {
        self.effects.drain(..).map(|effect| word(&effect)).collect()
    }
}

fn word(effect: &Effect) -> String {
    match effect {
        Effect::Authenticate { token } => format!("authenticate {}", token.as_str()),
        Effect::Execute { rid, command: _, resumes } => format!("execute {rid} at {resumes}"),
        Effect::Close(code) => format!("close {}", code.number()),
        Effect::Write(bytes) => {
            let mut all = frames(bytes);
            let frame = all.next().expect("a frame").expect("whole");
            assert!(all.next().is_none(), "one frame per effect");
            frame_word(&ServerFrame::decode(&frame).expect("sound").expect("known"))
        }
    }
}

fn frame_word(frame: &ServerFrame<'_>) -> String {
    match frame {
        ServerFrame::Error(refusal @ Refusal { rid, flags, .. }) => {
            let code = refusal.known().expect("known");
            format!("error {rid} {code} {flags}")
        }
        ServerFrame::Welcome(welcome) => {
            format!("welcome {} {}", welcome.capabilities, welcome.ping_seconds)
        }
        ServerFrame::Pong { nonce } => format!("pong {nonce}"),
        ServerFrame::Sent { rid, sequence, .. } => format!("sent {rid} {sequence}"),
        ServerFrame::Entry(entry) => {
            format!("entry {} {}", entry.sequence, u8::from(entry.client_message.is_some()))
        }
        ServerFrame::Synced { rid, .. } => format!("synced {rid}"),
        ServerFrame::Fetched { rid, .. } => format!("fetched {rid}"),
        ServerFrame::Goaway(_) => "goaway".to_owned(),
        ServerFrame::Ping { .. }
        | ServerFrame::Cursor(_)
        | ServerFrame::Resync { .. }
        | ServerFrame::Ephemeral(_)
        | ServerFrame::Presence { .. } => panic!("a session does not say {frame:?}"),
    }
}
