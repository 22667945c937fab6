//! A client that follows the rules for clients: an outbox with client message ids and floors, RESUME
//! after a hold, ranges with gaps that are fetched, cursors that are repeated.
//!
//! It keeps a history of what it did and was told. Its state survives its connections, so a test can
//! cut one, or kill the server, and connect again. The frames it receives are handled in `receive`, what
//! it sends unasked is in `duties`, and what goes with a connection in `link`.

mod duties;
mod held_log;
mod link;
mod outbox;
mod receive;

use super::history::{Doubt, Event, History, Line};
use super::websocket::Message;
use bytes::Bytes;
use chasqui::model::{ClientMessageId, ConversationId, Epoch, Sequence, UserId};
use chasqui::protocol::constants::capability;
use chasqui::protocol::{ClientFrame, Hello};
use held_log::HeldLog;
use link::Link;
use outbox::{Outbox, Row};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a hole may stay before it is fetched; up to half of it again is added at random.
const REPAIR_DELAY: Duration = Duration::from_millis(500);

/// How long an ACK waits for more to acknowledge.
const ACK_DELAY: Duration = Duration::from_millis(100);

/// The connection is gone; the code of the close frame if there was one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost(pub Option<u16>);

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
        let hello = Hello {
            minor: 0,
            capabilities: capability::CURSOR | capability::EPHEMERAL,
            token: &self.token,
            client: Some("chasqui-tests 1"),
            ping_seconds: self.ping_seconds,
            epoch: self.epoch,
        };
        let (link, epoch, rest) = Link::connect(address, hello).await?;
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

    fn put(&mut self, frame: &ClientFrame<'_>) {
        if let Some(link) = self.link.as_mut() {
            frame.encode(&mut link.out);
        }
    }

    async fn flush(&mut self) -> Result<(), Lost> {
        let link = self.link.as_mut().ok_or(Lost(None))?;
        let result = link.flush().await;
        if result.is_err() {
            self.disconnect();
        }
        result
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

/// A random id that a client chooses.
pub(crate) fn random_id() -> ClientMessageId {
    loop {
        let bits = getrandom::u64().expect("the system has randomness");
        if let Some(id) = ClientMessageId::from_random(bits) {
            return id;
        }
    }
}
