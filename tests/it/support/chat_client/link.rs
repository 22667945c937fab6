//! One connection of the client: how it is made, what was asked on it and what is to be written.

use super::Lost;
use crate::support::websocket::{Message, SUBPROTOCOL, WebSocket};
use bytes::Bytes;
use chasqui::model::{ConversationId, Epoch, Sequence};
use chasqui::protocol::{ClientFrame, Hello, ServerFrame, Welcome, frames};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long the upgrade and WELCOME may take.
const GREETING_PATIENCE: Duration = Duration::from_secs(10);

/// What a rid stands for, besides SENDs, which the outbox knows.
#[derive(Clone, Debug)]
pub(super) enum Request {
    /// A page of a SYNC, with the ends of what was held when the SYNC began.
    Sync(HashMap<ConversationId, Sequence>),
    /// A range of a log.
    Fetch { conversation: ConversationId, from: Sequence },
}

/// What lasts as long as a connection.
#[derive(Debug)]
pub(super) struct Link {
    pub socket: WebSocket,
    pub ping: Duration,
    pub sends_max: usize,
    /// Frames to be written as one message.
    pub out: Vec<u8>,
    pub requests: HashMap<u64, (Request, Instant)>,
    pub next_rid: u64,
    /// No SEND until RESUME.
    pub is_held: bool,
    pub resume_at: Instant,
    /// The store was restored: floors are to be lowered before anything is sent again.
    pub is_restored: bool,
    pub sync_again: bool,
    /// Conversations seen in this SYNC, to tell what is absent.
    pub listed: BTreeSet<ConversationId>,
    pub wanted: BTreeMap<ConversationId, Instant>,
    pub ack_at: Option<Instant>,
    pub heard_at: Instant,
    pub said_at: Instant,
}

impl Link {
    /// Connects and says HELLO; what WELCOME has told it, and the frames behind it.
    pub(super) async fn connect(
        address: SocketAddr,
        hello: Hello<'_>,
    ) -> Result<(Self, Epoch, Bytes), Lost> {
        let greeting = Self::greet(address, hello);
        let link = tokio::time::timeout(GREETING_PATIENCE, greeting).await;
        link.unwrap_or(Err(Lost(None)))
    }

    async fn greet(address: SocketAddr, hello: Hello<'_>) -> Result<(Self, Epoch, Bytes), Lost> {
        let headers = [("Sec-WebSocket-Protocol", SUBPROTOCOL)];
        let mut socket =
            WebSocket::try_connect(address, &headers).await.map_err(|_ended| Lost(None))?;
        let epoch = hello.epoch;
        let mut out = Vec::new();
        ClientFrame::Hello(hello).encode(&mut out);
        socket.send(&out).await.map_err(|_ended| Lost(None))?;
        let first = match socket.next().await {
            Message::Binary(payload) => payload,
            Message::Closed(code) => return Err(Lost(Some(code))),
            Message::Broken => return Err(Lost(None)),
        };
        let Some((welcome, rest)) = welcome(&first) else {
            // An ERROR; the close that follows has its code.
            return Err(Lost(socket.close_code().await));
        };
        let now = Instant::now();
        let link = Self {
            socket,
            ping: Duration::from_secs(welcome.ping_seconds),
            sends_max: usize::try_from(welcome.sends_max).unwrap_or(usize::MAX),
            out: Vec::new(),
            requests: HashMap::new(),
            next_rid: 1,
            is_held: epoch != Some(welcome.epoch),
            resume_at: now,
            is_restored: epoch.is_some_and(|epoch| epoch != welcome.epoch),
            sync_again: false,
            listed: BTreeSet::new(),
            wanted: BTreeMap::new(),
            ack_at: None,
            heard_at: now,
            said_at: now,
        };
        Ok((link, welcome.epoch, first.slice_ref(rest)))
    }

    /// The rid of a new request.
    pub(super) fn request(&mut self, request: Request) -> u64 {
        let rid = self.next_rid;
        self.next_rid += 1;
        self.requests.insert(rid, (request, Instant::now()));
        rid
    }

    /// Writes what is to be written.
    pub(super) async fn flush(&mut self) -> Result<(), Lost> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.said_at = Instant::now();
        let out = std::mem::take(&mut self.out);
        for message in messages(&out) {
            self.socket.send(message).await.map_err(|_ended| Lost(None))?;
        }
        Ok(())
    }
}

/// The WELCOME that a first message begins with, and the frames after it.
fn welcome(message: &[u8]) -> Option<(Welcome, &[u8])> {
    let mut frames = frames(message);
    let first = frames.next()?.ok()?;
    match ServerFrame::decode(&first) {
        Ok(Some(ServerFrame::Welcome(welcome))) => Some((welcome, frames.rest())),
        _ => None,
    }
}

/// Cuts a run of frames into messages well below the server's limit.
fn messages(out: &[u8]) -> Vec<&[u8]> {
    const MESSAGE_BYTES: usize = 16 * 1024;
    let (mut messages, mut start) = (Vec::new(), 0);
    let mut frames = frames(out);
    while let Some(frame) = frames.next() {
        frame.expect("it was encoded here");
        let end = out.len() - frames.rest().len();
        if end - start > MESSAGE_BYTES {
            messages.push(&out[start..end]);
            start = end;
        }
    }
    messages.push(&out[start..]);
    messages.retain(|message| !message.is_empty());
    messages
}
