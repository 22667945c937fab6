//! A WebSocket connection, frame by frame: for tests that look at single frames.
//!
//! Unlike `chat_client` it does nothing by itself, apart from greeting.

mod seen;

pub(crate) use seen::{Listed, Seen};

use super::chat_client::random_id;
use super::eventually::Deadline;
use super::history::Line;
use super::websocket::{Message, WebSocket};
use bytes::Bytes;
use chasqui::model::{ClientMessageId, ConversationId, Epoch, ErrorCode, Sequence};
use chasqui::protocol::constants::capability;
use chasqui::protocol::{ClientFrame, Hello, SendFrame, Tlvs, Welcome};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// One connection.
#[derive(Debug)]
pub(crate) struct Peer {
    socket: WebSocket,
    seen: VecDeque<Seen>,
    next_rid: u64,
    welcome: Option<Welcome>,
}

impl Peer {
    /// Connects, greets and ends the hold that a connection without an epoch begins with.
    pub(crate) async fn connect(address: SocketAddr, token: &str) -> Self {
        let mut peer = Self::greet(address, token, None).await;
        peer.send(&ClientFrame::Resume).await;
        peer
    }

    /// Connects and greets with the epoch last seen.
    ///
    /// # Panics
    /// If the server does not welcome it.
    pub(crate) async fn greet(address: SocketAddr, token: &str, epoch: Option<Epoch>) -> Self {
        let mut peer = Self::silent(address).await;
        peer.send(&hello(token, epoch)).await;
        match peer.next().await {
            Seen::Welcome(welcome) => peer.welcome = Some(welcome),
            other => panic!("{other:?} instead of WELCOME"),
        }
        peer
    }

    /// Connects without greeting.
    pub(crate) async fn silent(address: SocketAddr) -> Self {
        Self::over(WebSocket::connect(address).await)
    }

    /// Takes a connection that was made otherwise.
    pub(crate) const fn over(socket: WebSocket) -> Self {
        Self { socket, seen: VecDeque::new(), next_rid: 1, welcome: None }
    }

    /// What WELCOME said.
    ///
    /// # Panics
    /// If it was not greeted.
    pub(crate) fn welcome(&self) -> Welcome {
        self.welcome.expect("it was greeted")
    }

    /// Sends one frame in a message of its own. A connection that has ended shows when it is read.
    pub(crate) async fn send(&mut self, frame: &ClientFrame<'_>) {
        let mut out = Vec::new();
        frame.encode(&mut out);
        self.send_message(&out).await;
    }

    /// Sends a message of one's own making.
    pub(crate) async fn send_message(&mut self, message: &[u8]) {
        self.socket.send(message).await.ok();
    }

    /// A rid that was not used before.
    pub(crate) const fn rid(&mut self) -> u64 {
        self.next_rid += 1;
        self.next_rid
    }

    /// Sends a text under a fresh id; the rid and the id.
    pub(crate) async fn say(
        &mut self,
        conversation: ConversationId,
        floor: u64,
        text: &str,
    ) -> (u64, ClientMessageId) {
        let client_message = random_id();
        (self.say_as(conversation, client_message, floor, text).await, client_message)
    }

    /// Sends a text; the rid.
    pub(crate) async fn say_as(
        &mut self,
        conversation: ConversationId,
        client_message: ClientMessageId,
        floor: u64,
        text: &str,
    ) -> u64 {
        let rid = self.rid();
        self.send(&text_frame(rid, conversation, client_message, floor, text)).await;
        rid
    }

    /// The next frame, within the usual patience.
    pub(crate) async fn next(&mut self) -> Seen {
        Deadline::usual().wait("a frame", self.read()).await
    }

    /// The next frame, if there is one soon.
    pub(crate) async fn next_within(&mut self, patience: std::time::Duration) -> Option<Seen> {
        tokio::time::timeout(patience, self.read()).await.ok()
    }

    /// The next frame, however long it takes. Giving up on it loses nothing.
    pub(crate) async fn read(&mut self) -> Seen {
        loop {
            if let Some(seen) = self.seen.pop_front() {
                return seen;
            }
            match self.socket.next().await {
                Message::Binary(message) => self.seen.extend(seen::decode(&message)),
                Message::Closed(code) => return Seen::Ended(Some(code)),
                Message::Broken => return Seen::Ended(None),
            }
        }
    }

    /// Skips frames until one is of interest.
    ///
    /// # Panics
    /// If the connection ends first, unless its end is of interest.
    pub(crate) async fn expect<T>(&mut self, mut pick: impl FnMut(&Seen) -> Option<T>) -> T {
        loop {
            let seen = self.next().await;
            if let Some(found) = pick(&seen) {
                return found;
            }
            assert!(!matches!(seen, Seen::Ended(_)), "the connection ended: {seen:?}");
        }
    }

    /// Waits for the answer to a SEND: where it is stored and whether it was there before.
    pub(crate) async fn sent(&mut self, rid: u64) -> Result<(Sequence, bool), (ErrorCode, u8)> {
        self.expect(|seen| match seen {
            Seen::Sent { rid: of, sequence, duplicate } if *of == rid => {
                Some(Ok((*sequence, *duplicate)))
            }
            Seen::Error { rid: of, code, flags } if *of == rid => Some(Err((*code, *flags))),
            _ => None,
        })
        .await
    }

    /// Waits for an ENTRY of a conversation.
    pub(crate) async fn entry(&mut self, conversation: ConversationId) -> Line {
        self.expect(|seen| match seen {
            Seen::Entry(of, line) if *of == conversation => Some(line.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for the end of the connection; the code of the close frame if there was one.
    pub(crate) async fn end(&mut self) -> Option<u16> {
        self.expect(|seen| match seen {
            Seen::Ended(code) => Some(*code),
            _ => None,
        })
        .await
    }

    /// Reads a range of a log, page by page.
    pub(crate) async fn fetch(
        &mut self,
        conversation: ConversationId,
        from: u64,
        to: u64,
    ) -> Result<Vec<Line>, ErrorCode> {
        let (mut from, mut lines) = (sequence(from), Vec::new());
        loop {
            let rid = self.rid();
            let to = sequence(to);
            self.send(&ClientFrame::Fetch { rid, conversation, from, to }).await;
            let page = self.expect(|seen| match seen {
                Seen::Entry(of, line) if *of == conversation => {
                    lines.push(line.clone());
                    None
                }
                Seen::Fetched { rid: of, next, .. } if *of == rid => Some(Ok(*next)),
                Seen::Error { rid: of, code, .. } if *of == rid => Some(Err(*code)),
                _ => None,
            });
            match page.await? {
                Sequence::ZERO => return Ok(lines),
                next => from = next,
            }
        }
    }

    /// Asks what changed, page by page: all records, the last token, and whether it was everything.
    pub(crate) async fn sync(&mut self, token: &[u8]) -> (Vec<Listed>, Bytes, bool) {
        let (mut token, mut all) = (Bytes::copy_from_slice(token), Vec::new());
        loop {
            let rid = self.rid();
            self.send(&ClientFrame::Sync { rid, limit: 0, token: &token }).await;
            let flags = self
                .expect(|seen| match seen {
                    Seen::Synced { rid: of, flags, token: next, records, bytes } if *of == rid => {
                        assert!(*bytes <= 64 * 1024 + 64, "a page has {bytes} bytes");
                        all.extend(records.iter().cloned());
                        token = next.clone();
                        Some(*flags)
                    }
                    Seen::Error { rid: of, code, .. } if *of == rid => panic!("{code}"),
                    _ => None,
                })
                .await;
            if flags & 1 == 0 {
                return (all, token, flags & 2 != 0);
            }
        }
    }

    /// A PING and its PONG: everything sent before it was taken in, in order.
    pub(crate) async fn round_trip(&mut self) {
        let nonce = self.rid();
        self.send(&ClientFrame::Ping { nonce }).await;
        self.expect(|seen| (*seen == Seen::Pong(nonce)).then_some(())).await;
    }

    /// The connection below.
    pub(crate) fn into_socket(self) -> WebSocket {
        self.socket
    }
}

/// A HELLO that wants everything but presence.
pub(crate) const fn hello(token: &str, epoch: Option<Epoch>) -> ClientFrame<'_> {
    ClientFrame::Hello(Hello {
        minor: 0,
        capabilities: capability::EPHEMERAL | capability::CURSOR,
        token,
        client: None,
        ping_seconds: None,
        epoch,
    })
}

/// A SEND of a text.
pub(crate) fn text_frame(
    rid: u64,
    conversation: ConversationId,
    client_message: ClientMessageId,
    floor: u64,
    text: &str,
) -> ClientFrame<'_> {
    ClientFrame::Send(SendFrame {
        rid,
        conversation,
        client_message,
        floor: sequence(floor),
        kind: 1,
        body: text.as_bytes(),
        tlvs: Tlvs::EMPTY,
    })
}

/// A position.
///
/// # Panics
/// If it is larger than the protocol carries.
pub(crate) fn sequence(number: u64) -> Sequence {
    Sequence::new(number).expect("it fits")
}
