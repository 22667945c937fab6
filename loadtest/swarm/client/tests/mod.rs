//! A client over a script of bytes: what the server says in, what the client says out.

mod connection;
mod outbox;
mod receiving;

use super::*;
use crate::client::{Member, Random, Timers, Traffic};
use crate::message::Stamp;
use crate::schedule::Schedule;
use crate::tally::Tally;
use chasqui::model::{
    ClientMessageId, ConversationId, DeviceId, ErrorCode, Ordinal, Sequence, Timestamp, UserId,
};
use chasqui::protocol::constants::error_flag;
use chasqui::protocol::{
    ClientFrame, EntryFrame, Record, Refusal, SendFrame, ServerFrame, Tlvs, Welcome, frames,
};

const RUN: u32 = 5;

const CHAT: u64 = 77;

/// A client, and everything that it is told with each call.
struct Script {
    client: Client,
    member: Member,
    traffic: Traffic,
    tally: Tally,
    timers: Timers,
    random: Random,
    scratch: Vec<u8>,
    now: u64,
}

/// What a client wrote, as far as the tests care.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Hello { epoch: bool },
    Sync,
    Resume,
    Send { rid: u64, cmid: u64, floor: u64, number: u32 },
    Fetch { rid: u64, from: u64 },
    Ack { sequence: u64 },
    Other,
}

impl Script {
    /// A client of a direct chat that writes stream 0, in a closed loop of one.
    fn new(patience: Option<u64>) -> Self {
        let member = Member {
            token: "t".to_owned(),
            server: 0,
            conversation: Some(CHAT),
            stream: Some(0),
            slow: false,
        };
        let traffic = Traffic {
            schedule: Schedule::new(0, 1_000, 0.0, (0, 1), 1),
            window: Some(1),
            span: 0..1_000_000_000_000,
            measured: 0..1_000_000_000_000,
            storm: None,
            kind: Kind::Durable,
            bytes: 64,
            patience,
        };
        Self {
            client: Client::default(),
            member,
            traffic,
            tally: Tally::default(),
            timers: Timers::default(),
            random: Random(1),
            scratch: Vec::new(),
            now: 10,
        }
    }

    fn with<T>(&mut self, call: impl FnOnce(&mut Client, &mut Context<'_>) -> T) -> T {
        let mut ctx = Context {
            index: 0,
            turn: Some(0),
            member: &self.member,
            now: self.now,
            run: RUN,
            ping_seconds: 240,
            sync: true,
            ack_after: 1_000,
            traffic: Some(&self.traffic),
            tally: &mut self.tally,
            timers: &mut self.timers,
            random: &mut self.random,
            scratch: &mut self.scratch,
        };
        call(&mut self.client, &mut ctx)
    }

    /// The server says bytes.
    fn hear_bytes(&mut self, bytes: &[u8]) -> Vec<Said> {
        self.with(|client, ctx| client.receive(bytes, ctx)).expect("it goes on");
        self.said()
    }

    /// The server says frames.
    fn hear(&mut self, frames: &[ServerFrame<'_>]) -> Vec<Said> {
        let bytes: Vec<u8> = frames.iter().flat_map(message).collect();
        self.hear_bytes(&bytes)
    }

    /// What the client has to say; all of it is taken.
    fn said(&mut self) -> Vec<Said> {
        let bytes = self.client.output().to_vec();
        self.client.written(bytes.len());
        let mut said = Vec::new();
        let mut rest = &bytes[..];
        while let [0x82, length, tail @ ..] = rest {
            let (length, tail) = match length & 0x7f {
                126 => (usize::from(u16::from_be_bytes([tail[0], tail[1]])), &tail[2..]),
                short => (usize::from(short), tail),
            };
            let payload = &tail[4..4 + length];
            for frame in frames(payload) {
                let frame = ClientFrame::decode(&frame.expect("whole")).expect("valid");
                said.push(say(&frame.expect("known")));
            }
            rest = &tail[4 + length..];
        }
        said
    }

    /// Brings it to where it is live, with its first message written.
    fn live(&mut self) -> (u64, u64) {
        self.client.connected("host");
        let output = self.client.output().len();
        self.client.written(output);
        assert_eq!(self.hear_bytes(UPGRADED), [Said::Hello { epoch: false }, Said::Sync]);
        assert_eq!(self.hear(&[welcome(9)]), [], "SYNC is not answered yet");
        let said = self.hear_bytes(&synced(1));
        let [Said::Resume, Said::Send { rid, cmid, number: 1, .. }] = said[..] else {
            panic!("{said:?}")
        };
        (rid, cmid)
    }
}

const UPGRADED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";

fn say(frame: &ClientFrame<'_>) -> Said {
    match frame {
        ClientFrame::Hello(hello) => Said::Hello { epoch: hello.epoch.is_some() },
        ClientFrame::Sync { .. } => Said::Sync,
        ClientFrame::Resume => Said::Resume,
        ClientFrame::Send(SendFrame { rid, client_message, floor, body, .. }) => Said::Send {
            rid: *rid,
            cmid: client_message.get(),
            floor: floor.get(),
            number: Stamp::read(body).expect("a stamp").number,
        },
        ClientFrame::Fetch { rid, from, .. } => Said::Fetch { rid: *rid, from: from.get() },
        ClientFrame::Ack(pairs) => {
            Said::Ack { sequence: pairs.iter().next().expect("one").1.get() }
        }
        ClientFrame::Ping { .. }
        | ClientFrame::Pong { .. }
        | ClientFrame::Read { .. }
        | ClientFrame::Ephemeral(_)
        | ClientFrame::Watch(_) => Said::Other,
    }
}

/// A message as the server writes it.
fn message(frame: &ServerFrame<'_>) -> Vec<u8> {
    let mut payload = Vec::new();
    frame.encode(&mut payload);
    wrap(&payload)
}

fn wrap(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("short");
    let mut bytes = vec![0x82, 126];
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn sequence(number: u64) -> Sequence {
    Sequence::new(number).expect("small")
}

fn welcome(epoch: u64) -> ServerFrame<'static> {
    ServerFrame::Welcome(Welcome {
        minor: 0,
        capabilities: 0,
        user: UserId::new(1).expect("an id"),
        device: DeviceId::new(2).expect("an id"),
        epoch: Epoch::new(epoch).expect("an id"),
        now: Timestamp::ZERO,
        ping_seconds: 240,
        message_bytes_max: 65_536,
        body_bytes_max: 32_768,
        sends_max: 64,
    })
}

fn sent(rid: u64, number: u64) -> ServerFrame<'static> {
    ServerFrame::Sent {
        rid,
        sequence: sequence(number),
        ordinal: Ordinal::ZERO,
        sent_at: Timestamp::ZERO,
        duplicate: false,
    }
}

/// An ENTRY at `at` with message `number` of `stream`.
fn entry(at: u64, stream: u16, number: u32, cmid: Option<u64>) -> Vec<u8> {
    let mut body = Vec::new();
    Stamp { run: RUN, stream, number, due: 1 }.write(64, &mut body);
    message(&ServerFrame::Entry(EntryFrame {
        conversation: ConversationId::new(CHAT).expect("an id"),
        sequence: sequence(at),
        ordinal: Ordinal::ZERO,
        sender: UserId::new(3),
        sent_at: Timestamp::ZERO,
        kind: 1,
        body: &body,
        client_message: cmid.and_then(ClientMessageId::new),
        tlvs: Tlvs::EMPTY,
    }))
}

fn fetched(rid: u64, to: u64, next: u64) -> ServerFrame<'static> {
    let conversation = ConversationId::new(CHAT).expect("an id");
    ServerFrame::Fetched { rid, conversation, to: sequence(to), next: sequence(next) }
}

fn refused(rid: u64, code: ErrorCode, flag: u64) -> ServerFrame<'static> {
    let flags = u8::try_from(error_flag::RETRY | flag).expect("small");
    ServerFrame::Error(Refusal { rid, code: code.number(), flags, retry_ms: 1, text: "" })
}

/// The answer to SYNC request `rid`: the chat with its head, and a token.
fn synced_at(rid: u64, head: u64) -> Vec<u8> {
    let record = Record {
        conversation: ConversationId::new(CHAT).expect("an id"),
        kind: 1,
        last_sequence: sequence(head),
        last_ordinal: Ordinal::ZERO,
        last_at: Timestamp::ZERO,
        read: Sequence::ZERO,
        read_ordinal: Ordinal::ZERO,
        delivered: Sequence::ZERO,
        title: None,
        peer: None,
        last_entry: None,
        muted: false,
        member_count: None,
        first_visible: Sequence::FIRST,
        left: false,
        peer_read: None,
        peer_delivered: None,
    };
    let records = [record];
    let records = records.as_slice().into();
    message(&ServerFrame::Synced { rid, flags: 0, token: b"token", records })
}

fn synced(rid: u64) -> Vec<u8> {
    synced_at(rid, 0)
}
