//! A client that follows the rules for clients: an outbox with client message ids and floors, RESUME
//! after a hold, ranges with gaps that are fetched, cursors that are repeated.
//!
//! It keeps a history of what it did and was told. Its state survives its connections, so a test can
//! cut one, or kill the server, and connect again. The frames it receives are handled in `receive`.

mod held_log;
mod outbox;
mod receive;

use super::history::{Doubt, Event, History, Line};
use super::websocket::{Message, SUBPROTOCOL, WebSocket};
use bytes::Bytes;
use chasqui::model::{ClientMessageId, ConversationId, Epoch, Sequence, UserId};
use chasqui::protocol::constants::capability;
use chasqui::protocol::{ClientFrame, Hello, SendFrame, Tlvs};
use held_log::HeldLog;
use outbox::{Outbox, Row};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long the upgrade and WELCOME may take.
const GREETING_PATIENCE: Duration = Duration::from_secs(10);

/// How long a request may stay unanswered before the server counts as dead.
const REQUEST_PATIENCE: Duration = Duration::from_secs(30);

/// How long a hole may stay before it is fetched; up to half of it again is added at random.
const REPAIR_DELAY: Duration = Duration::from_millis(500);

/// How long an ACK waits for more to acknowledge.
const ACK_DELAY: Duration = Duration::from_millis(100);

/// The connection is gone; the code of the close frame if there was one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost(pub Option<u16>);

/// What a rid stands for, besides SENDs, which the outbox knows.
#[derive(Clone, Debug)]
enum Request {
    /// A page of a SYNC, with the ends of what was held when the SYNC began.
    Sync(HashMap<ConversationId, Sequence>),
    /// A range of a log.
    Fetch { conversation: ConversationId, from: Sequence },
}

/// What lasts as long as a connection.
#[derive(Debug)]
struct Link {
    socket: WebSocket,
    ping: Duration,
    sends_max: usize,
    body_bytes_max: u64,
    /// Frames to be written as one message.
    out: Vec<u8>,
    requests: HashMap<u64, (Request, Instant)>,
    next_rid: u64,
    /// No SEND until RESUME.
    is_held: bool,
    resume_at: Instant,
    /// The store was restored: floors are to be lowered before anything is sent again.
    is_restored: bool,
    sync_again: bool,
    /// Conversations seen in this SYNC, to tell what is absent.
    listed: BTreeSet<ConversationId>,
    wanted: BTreeMap<ConversationId, Instant>,
    ack_at: Option<Instant>,
    heard_at: Instant,
    said_at: Instant,
}

/// The client.
pub(crate) struct ChatClient {
    token: String,
    ping_seconds: Option<u64>,
    epoch: Option<Epoch>,
    sync_token: Bytes,
    logs: BTreeMap<ConversationId, HeldLog>,
    outbox: Outbox,
    history: History,
    link: Option<Link>,
}

impl ChatClient {
    /// A client without anything yet.
    pub(crate) fn new(user: UserId, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ping_seconds: None,
            epoch: None,
            sync_token: Bytes::new(),
            logs: BTreeMap::new(),
            outbox: Outbox::default(),
            history: History::new(user),
            link: None,
        }
    }

    /// Whose client it is.
    pub(crate) const fn user(&self) -> UserId {
        self.history.user
    }

    /// What happened so far.
    pub(crate) const fn history(&self) -> &History {
        &self.history
    }

    /// The access token that it uses.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Uses another access token from the next connection on.
    pub(crate) fn set_token(&mut self, token: &str) {
        token.clone_into(&mut self.token);
    }

    /// Asks for a ping interval from the next connection on.
    pub(crate) const fn set_ping(&mut self, seconds: u64) {
        self.ping_seconds = Some(seconds);
    }

    /// The conversations it knows of.
    pub(crate) fn conversations(&self) -> Vec<ConversationId> {
        self.logs.keys().copied().collect()
    }

    /// What it holds of a conversation, ascending.
    pub(crate) fn lines(&self, conversation: ConversationId) -> Vec<Line> {
        self.logs.get(&conversation).map_or_else(Vec::new, |log| log.lines().cloned().collect())
    }

    /// From where on it may see a conversation.
    pub(crate) fn first_visible(&self, conversation: ConversationId) -> Sequence {
        self.logs.get(&conversation).map_or(Sequence::FIRST, HeldLog::begin)
    }

    /// Up to where it holds everything that it may see.
    pub(crate) fn have(&self, conversation: ConversationId) -> Sequence {
        self.logs.get(&conversation).map_or(Sequence::ZERO, HeldLog::have)
    }

    /// How many messages have no final answer.
    pub(crate) fn unanswered(&self) -> usize {
        self.outbox.len()
    }

    /// Whether there is a connection, as far as it knows.
    pub(crate) const fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    /// How many bytes this connection has brought.
    pub(crate) fn received_bytes(&self) -> usize {
        self.link.as_ref().map_or(0, |link| link.socket.received_bytes())
    }

    /// Whether nothing is outstanding: no message, no request, no known hole.
    pub(crate) fn is_settled(&self) -> bool {
        let idle = |link: &Link| {
            link.requests.is_empty() && link.out.is_empty() && !link.sync_again && !link.is_held
        };
        self.outbox.len() == 0
            && self.link.as_ref().is_some_and(idle)
            && self.logs.values().all(|log| !log.has_gap())
    }

    /// Connects, greets and begins to catch up.
    pub(crate) async fn connect(&mut self, address: SocketAddr) -> Result<(), Lost> {
        self.disconnect();
        let greeting = self.greet(address);
        let link = tokio::time::timeout(GREETING_PATIENCE, greeting).await;
        let (link, epoch, rest) = link.unwrap_or(Err(Lost(None)))?;
        self.link = Some(link);
        self.welcomed(epoch);
        self.receive(&rest);
        self.flush().await
    }

    /// Drops the connection; what was unanswered may have been applied.
    pub(crate) fn disconnect(&mut self) {
        self.link = None;
        for row in self.outbox.disconnected() {
            self.history.events.push(Event::Doubted {
                conversation: row.conversation,
                client_message: row.client_message,
                by: Doubt::Unanswered,
            });
        }
    }

    /// Writes a message: it is in the outbox with its floor before the first attempt.
    pub(crate) fn write(&mut self, conversation: ConversationId, text: &str) -> ClientMessageId {
        let client_message = random_id();
        let named = self.logs.get(&conversation).map_or(Sequence::ZERO, |log| log.named);
        let body = Bytes::copy_from_slice(text.as_bytes());
        self.history.events.push(Event::Queued {
            conversation,
            client_message,
            body: body.clone(),
        });
        self.outbox.push(Row {
            conversation,
            client_message,
            floor: named.next(),
            body,
            rid: None,
            is_uncertain: false,
        });
        self.send_outbox();
        client_message
    }

    /// Asks what has changed, as after a RESYNC.
    pub(crate) fn sync(&mut self) {
        self.begin_sync();
    }

    /// Marks everything up to `read` as read.
    pub(crate) fn read(&mut self, conversation: ConversationId, read: Sequence) {
        if let Some(log) = self.logs.get_mut(&conversation) {
            log.read = log.read.max(read);
        }
        self.put(&ClientFrame::Read { conversation, read });
    }

    /// Does what is due, then handles messages until one was handled or `patience` has passed.
    pub(crate) async fn step(&mut self, patience: Duration) -> Result<(), Lost> {
        self.do_what_is_due()?;
        self.flush().await?;
        let link = self.link.as_mut().ok_or(Lost(None))?;
        let patience = patience.min(Duration::from_millis(50));
        let Ok(message) = tokio::time::timeout(patience, link.socket.next()).await else {
            return Ok(());
        };
        let result = match message {
            Message::Binary(payload) => {
                link.heard_at = Instant::now();
                self.receive(&payload);
                Ok(())
            }
            Message::Closed(code) => Err(Lost(Some(code))),
            Message::Broken => Err(Lost(None)),
        };
        if result.is_err() {
            self.disconnect();
        }
        result
    }

    /// Steps until `done`.
    ///
    /// # Panics
    /// If the connection is lost or it takes too long.
    pub(crate) async fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let deadline = super::eventually::Deadline::usual();
        while !done(self) {
            assert!(!deadline.has_passed(), "waited in vain until {what}");
            let step = self.step(Duration::from_millis(50)).await;
            step.unwrap_or_else(|lost| panic!("{lost:?} while waiting until {what}"));
        }
    }

    async fn greet(&self, address: SocketAddr) -> Result<(Link, Epoch, Bytes), Lost> {
        let headers = [("Sec-WebSocket-Protocol", SUBPROTOCOL)];
        let mut socket =
            WebSocket::try_connect(address, &headers).await.map_err(|_ended| Lost(None))?;
        let hello = Hello {
            minor: 0,
            capabilities: capability::CURSOR | capability::EPHEMERAL,
            token: &self.token,
            client: Some("chasqui-tests 1"),
            ping_seconds: self.ping_seconds,
            epoch: self.epoch,
        };
        let mut out = Vec::new();
        ClientFrame::Hello(hello).encode(&mut out);
        socket.send(&out).await.map_err(|_ended| Lost(None))?;
        let first = match socket.next().await {
            Message::Binary(payload) => payload,
            Message::Closed(code) => return Err(Lost(Some(code))),
            Message::Broken => return Err(Lost(None)),
        };
        let Some((welcome, rest)) = receive::welcome(&first) else {
            // An ERROR; the close that follows has its code.
            return Err(Lost(socket.close_code().await));
        };
        let now = Instant::now();
        let link = Link {
            socket,
            ping: Duration::from_secs(welcome.ping_seconds),
            sends_max: usize::try_from(welcome.sends_max).unwrap_or(usize::MAX),
            body_bytes_max: welcome.body_bytes_max,
            out: Vec::new(),
            requests: HashMap::new(),
            next_rid: 1,
            is_held: self.epoch != Some(welcome.epoch),
            resume_at: now,
            is_restored: self.epoch.is_some_and(|epoch| epoch != welcome.epoch),
            sync_again: false,
            listed: BTreeSet::new(),
            wanted: BTreeMap::new(),
            ack_at: None,
            heard_at: now,
            said_at: now,
        };
        Ok((link, welcome.epoch, first.slice_ref(rest)))
    }

    /// What follows a WELCOME: cursors again, SYNC, holes, the outbox.
    fn welcomed(&mut self, epoch: Epoch) {
        self.epoch = Some(epoch);
        let link = self.link.as_ref().expect("it is connected");
        if link.is_restored {
            self.sync_token.clear();
            for log in self.logs.values_mut() {
                log.forget(Sequence::ZERO);
            }
        }
        let cursors: Vec<(ConversationId, Sequence)> = self
            .logs
            .iter()
            .filter(|(_, log)| log.acknowledged > Sequence::ZERO)
            .map(|(conversation, log)| (*conversation, log.acknowledged))
            .collect();
        if !cursors.is_empty() {
            self.put(&ClientFrame::Ack(cursors.as_slice().into()));
        }
        let read: Vec<(ConversationId, Sequence)> =
            self.logs.iter().map(|(conversation, log)| (*conversation, log.read)).collect();
        for (conversation, read) in read.into_iter().filter(|(_, read)| *read > Sequence::ZERO) {
            self.put(&ClientFrame::Read { conversation, read });
        }
        self.begin_sync();
        self.want_holes(Duration::ZERO);
        self.send_outbox();
    }

    fn do_what_is_due(&mut self) -> Result<(), Lost> {
        let now = Instant::now();
        let Some(link) = self.link.as_mut() else { return Err(Lost(None)) };
        let dead = link.ping.mul_f32(1.5) + Duration::from_secs(10);
        let overdue = link.requests.values().any(|(_, at)| now - *at > REQUEST_PATIENCE);
        if overdue || now - link.heard_at > dead {
            self.disconnect();
            return Err(Lost(None));
        }
        if now - link.said_at > link.ping || now - link.heard_at > link.ping {
            link.said_at = now;
            ClientFrame::Ping { nonce: 1 }.encode(&mut link.out);
        }
        let is_syncing = link.requests.values().any(|(r, _)| matches!(r, Request::Sync(_)));
        if link.sync_again && !is_syncing && now >= link.resume_at {
            self.begin_sync();
        }
        self.send_acks(now);
        self.fetch_holes(now);
        self.end_hold(now);
        self.send_outbox();
        Ok(())
    }

    fn send_acks(&mut self, now: Instant) {
        let Some(link) = self.link.as_mut() else { return };
        if link.ack_at.is_none_or(|at| now < at) {
            return;
        }
        link.ack_at = None;
        let mut acks = Vec::new();
        for (conversation, log) in &mut self.logs {
            if log.have() > log.acknowledged {
                log.acknowledged = log.have();
                acks.push((*conversation, log.acknowledged));
            }
        }
        if !acks.is_empty() {
            self.put(&ClientFrame::Ack(acks.as_slice().into()));
        }
    }

    /// Notes every known hole, to be fetched after `delay`.
    fn want_holes(&mut self, delay: Duration) {
        let Some(link) = self.link.as_mut() else { return };
        let at = Instant::now() + delay;
        for (conversation, _) in self.logs.iter().filter(|(_, log)| log.has_gap()) {
            let due = link.wanted.entry(*conversation).or_insert(at);
            *due = at.min(*due);
        }
    }

    fn fetch_holes(&mut self, now: Instant) {
        /// Leaves one of the four reads that may be unanswered to SYNC.
        const FETCHES_MAX: usize = 3;
        let Some(link) = self.link.as_mut() else { return };
        let mut out = Vec::new();
        let fetching = |link: &Link, wanted| {
            let is_it = |request: &Request| matches!(request, Request::Fetch { conversation, .. } if *conversation == wanted);
            link.requests.values().any(|(request, _)| is_it(request))
        };
        for (conversation, due) in link.wanted.clone() {
            let fetches =
                link.requests.values().filter(|(r, _)| matches!(r, Request::Fetch { .. })).count();
            if due > now || fetches >= FETCHES_MAX || fetching(link, conversation) {
                continue;
            }
            link.wanted.remove(&conversation);
            let Some(log) = self.logs.get(&conversation).filter(|log| log.has_gap()) else {
                continue;
            };
            let from = log.have().next();
            let rid = link.request(Request::Fetch { conversation, from });
            out.push(ClientFrame::Fetch { rid, conversation, from, to: Sequence::ZERO });
        }
        for frame in out {
            self.put(&frame);
        }
    }

    /// RESUME once every SEND is answered, the wait is over and nothing stands in the way.
    fn end_hold(&mut self, now: Instant) {
        let Some(link) = self.link.as_mut() else { return };
        let catching_up = !link.requests.is_empty() || !link.wanted.is_empty() || link.sync_again;
        if !link.is_held || catching_up || self.outbox.in_flight() > 0 || now < link.resume_at {
            return;
        }
        let is_restored = std::mem::take(&mut link.is_restored);
        link.is_held = false;
        for row in self.outbox.rows_mut() {
            let Some(log) = self.logs.get(&row.conversation) else { continue };
            if is_restored {
                row.floor = row.floor.min(log.told.next());
            } else if log.holds_all(row.floor, log.have()) {
                // None of these entries is this message, or it would be settled.
                row.floor = row.floor.max(log.have().next());
            }
        }
        self.put(&ClientFrame::Resume);
    }

    fn begin_sync(&mut self) {
        let Some(link) = self.link.as_mut() else { return };
        if link.requests.values().any(|(request, _)| matches!(request, Request::Sync(_))) {
            link.sync_again = true;
            return;
        }
        link.sync_again = false;
        link.listed.clear();
        let have =
            self.logs.iter().map(|(conversation, log)| (*conversation, log.have())).collect();
        let rid = link.request(Request::Sync(have));
        let token = self.sync_token.clone();
        self.put(&ClientFrame::Sync { rid, limit: 0, token: &token });
    }

    fn send_outbox(&mut self) {
        let Some(link) = self.link.as_mut().filter(|link| !link.is_held) else { return };
        let mut room = link.sends_max.saturating_sub(self.outbox.in_flight());
        for row in self.outbox.rows_mut().filter(|row| row.rid.is_none()) {
            if room == 0 {
                break;
            }
            room -= 1;
            let rid = link.next_rid;
            link.next_rid += 1;
            row.rid = Some(rid);
            self.history.attempts += 1;
            let send = SendFrame {
                rid,
                conversation: row.conversation,
                client_message: row.client_message,
                floor: row.floor,
                kind: 1,
                body: &row.body,
                tlvs: Tlvs::EMPTY,
            };
            ClientFrame::Send(send).encode(&mut link.out);
        }
    }

    fn put(&mut self, frame: &ClientFrame<'_>) {
        if let Some(link) = self.link.as_mut() {
            frame.encode(&mut link.out);
        }
    }

    async fn flush(&mut self) -> Result<(), Lost> {
        let Some(link) = self.link.as_mut() else { return Err(Lost(None)) };
        if link.out.is_empty() {
            return Ok(());
        }
        link.said_at = Instant::now();
        let out = std::mem::take(&mut link.out);
        for message in messages(&out) {
            if link.socket.send(message).await.is_err() {
                self.disconnect();
                return Err(Lost(None));
            }
        }
        Ok(())
    }
}

impl Link {
    fn request(&mut self, request: Request) -> u64 {
        let rid = self.next_rid;
        self.next_rid += 1;
        self.requests.insert(rid, (request, Instant::now()));
        rid
    }
}

impl fmt::Debug for ChatClient {
    /// What stands between it and rest; not the thousands of lines that it holds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gaps: Vec<String> = self
            .logs
            .iter()
            .filter(|(_, log)| log.has_gap())
            .map(|(id, log)| {
                format!("{id}: {} of {} told {} named", log.have(), log.told, log.named)
            })
            .collect();
        let link = self.link.as_ref().map(|link| {
            let Link { requests, is_held, is_restored, sync_again, wanted, .. } = link;
            format!(
                "{requests:?} held {is_held} restored {is_restored} again {sync_again} {wanted:?}"
            )
        });
        f.debug_struct("ChatClient")
            .field("user", &self.history.user)
            .field(
                "outbox",
                &format_args!("{} rows, {} in flight", self.outbox.len(), self.outbox.in_flight()),
            )
            .field("gaps", &gaps)
            .field("link", &link)
            .finish_non_exhaustive()
    }
}

/// Cuts a run of frames into messages well below the server's limit.
fn messages(out: &[u8]) -> Vec<&[u8]> {
    const MESSAGE_BYTES: usize = 16 * 1024;
    let (mut messages, mut start) = (Vec::new(), 0);
    let mut frames = chasqui::protocol::frames(out);
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

/// A random id that a client chooses.
pub(crate) fn random_id() -> ClientMessageId {
    loop {
        let bits = getrandom::u64().expect("the system has randomness");
        if let Some(id) = ClientMessageId::from_random(bits) {
            return id;
        }
    }
}
