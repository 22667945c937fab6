//! What a connection is owed: a queue of bytes, bounded, that exists only while it is not empty.
//!
//! Owns the order and the bound. It decides what is dropped; it neither encodes frames nor closes
//! connections.
//!
//! A reply answers this connection; a push tells it of something that the log or the next answer
//! tells as well. Invariants:
//! - The cost of what is queued, counted in bytes with the overhead of an item, stays within the
//!   bound, but for replies: they are kept, up to twice the bound. What may be unanswered at once
//!   is limited, and nothing more is read of a peer whose replies take half of the bound, so a
//!   reader that takes its replies never meets the second bound.
//! - When the bound would be passed, every queued push is dropped, and so are later ones until the
//!   queue has drained; then the peer is told once to synchronise again.
//! - A message that was partly written stays, whatever it is.

use super::websocket::{Message, ServerHead};
use fastwebsockets::OpCode;
use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};

use crate::model::Timestamp;
use crate::protocol::constants::resync_reason;

/// The most slices in one write.
const SLICES_MAX: usize = 64;

/// When a buffer of replies takes no further one, and the largest that is used again.
const REPLIES_BYTES_MAX: usize = 4_096;

/// The cost of an item besides its bytes.
const ITEM_COST: usize = size_of::<Item>();
const _: () = assert!(ITEM_COST <= 40, "most items are smaller messages than that");

/// Items kept allocated in an outbox that is put aside for reuse, and how many such are kept.
const SPARE_ITEMS_MAX: usize = 32;
const SPARES_MAX: usize = 1_024;

/// What a push is. All but the last are dropped together, and the peer then synchronises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PushClass {
    /// An entry of a log.
    Entry,
    /// A cursor that moved.
    Cursor,
    /// Typing and the like: told by nothing else and worth nothing later, so dropped first and
    /// silently.
    Ephemeral,
}

/// Why pushes were dropped, as the peer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResyncReason {
    /// This outbox was full.
    Outbox,
    /// The mailbox of the shard was full.
    Mailbox,
}

impl ResyncReason {
    /// The number in a RESYNC frame.
    pub(super) const fn number(self) -> u64 {
        match self {
            Self::Outbox => resync_reason::OUTBOX,
            Self::Mailbox => resync_reason::MAILBOX,
        }
    }
}

/// A reply did not fit into twice the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

/// What a write led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flush {
    /// Nothing is left.
    Drained,
    /// The socket may take more.
    More,
    /// The socket is full; it reports when it is not.
    Blocked,
}

/// A bounded queue of messages.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    items: VecDeque<Item>,
    cost: usize,
    reply_cost: usize,
    /// How much of the first item has been written.
    written: usize,
    resync: Option<ResyncReason>,
    stalled_since: Option<Timestamp>,
    /// The buffer of replies that were written, for the next ones.
    spare: Vec<u8>,
}

/// Emptied outboxes, put aside for the next connections that need one: a connection has an outbox
/// only for as long as it takes to write it.
#[derive(Debug, Default)]
pub(super) struct Spares {
    #[expect(clippy::vec_box, reason = "they are moved into connections as boxes")]
    boxes: Vec<Box<Outbox>>,
}

impl Spares {
    /// The outbox in `place`, put there if there is none.
    pub(super) fn lend<'a>(&mut self, place: &'a mut Option<Box<Outbox>>) -> &'a mut Outbox {
        place.get_or_insert_with(|| self.boxes.pop().unwrap_or_default())
    }

    /// Puts an emptied outbox aside, unless there are enough.
    pub(super) fn put(&mut self, mut outbox: Box<Outbox>) {
        debug_assert!(outbox.items.is_empty() && outbox.resync.is_none(), "nothing may be owed");
        if self.boxes.len() < SPARES_MAX {
            outbox.items.shrink_to(SPARE_ITEMS_MAX);
            outbox.stalled_since = None;
            self.boxes.push(outbox);
        }
    }
}

#[derive(Debug)]
enum Item {
    /// A push, whose bytes others may hold too.
    Push(Message),
    /// Replies in a row.
    Replies(Vec<u8>),
}

impl Item {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Push(message) => message,
            Self::Replies(bytes) => bytes,
        }
    }

    fn is_push(&self) -> bool {
        matches!(self, Self::Push(_))
    }
}

impl Outbox {
    /// Queues a push that carries its WebSocket head, or drops it. Returns how many pushes were
    /// dropped, queued ones among them: 0 if it was queued.
    pub(super) fn push(&mut self, message: &Message, class: PushClass, bound: usize) -> usize {
        if self.resync.is_some() {
            return 1;
        }
        let cost = message.len() + ITEM_COST;
        if class == PushClass::Ephemeral && self.cost + cost > bound / 2 {
            return 1;
        }
        if self.cost + cost > bound {
            return 1 + self.resync_later(ResyncReason::Outbox);
        }
        self.cost += cost;
        self.items.push_back(Item::Push(Message::clone(message)));
        0
    }

    /// Queues a reply as one WebSocket message. Returns how many pushes made room for it.
    pub(super) fn reply(
        &mut self,
        opcode: OpCode,
        payload: &[u8],
        bound: usize,
    ) -> Result<usize, Overflow> {
        let head = ServerHead::new(opcode, payload.len());
        let cost = head.as_bytes().len() + payload.len() + ITEM_COST;
        let mut dropped = 0;
        if self.cost + cost > bound && self.cost > self.reply_cost {
            dropped = self.resync_later(ResyncReason::Outbox);
        }
        if self.cost + cost > bound.saturating_mul(2) {
            return Err(Overflow);
        }
        self.append(head.as_bytes(), payload);
        Ok(dropped)
    }

    /// Drops the queued pushes and those to come, and remembers to tell the peer once. Returns how
    /// many were queued.
    pub(super) fn resync_later(&mut self, reason: ResyncReason) -> usize {
        self.resync.get_or_insert(reason);
        let queued = self.items.len();
        self.retain(|item| !item.is_push());
        queued - self.items.len()
    }

    /// Drops everything that the peer has not seen a part of.
    pub(super) fn abandon(&mut self) {
        self.resync = None;
        self.retain(|_| false);
    }

    /// What the peer must be told, once nothing is queued any more.
    pub(super) fn take_resync(&mut self) -> Option<ResyncReason> {
        if self.items.is_empty() { self.resync.take() } else { None }
    }

    /// Whether replies take half of the bound: then no further request is read.
    pub(super) fn is_crowded(&self, bound: usize) -> bool {
        self.reply_cost >= bound / 2
    }

    /// Since when the socket has taken nothing, if it is full.
    pub(super) fn stalled_since(&self) -> Option<Timestamp> {
        self.stalled_since
    }

    /// The socket reports that it takes bytes again.
    pub(super) fn unblock(&mut self) {
        self.stalled_since = None;
    }

    /// What it takes of the bound.
    #[cfg(test)]
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    /// Writes once.
    pub(super) fn write_to(&mut self, out: &mut impl Write, now: Timestamp) -> io::Result<Flush> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut offered = 0;
        let mut count = 0;
        for (slice, item) in slices.iter_mut().zip(&self.items) {
            let skip = if count == 0 { self.written } else { 0 };
            let bytes = item.bytes().get(skip..).unwrap_or_default();
            *slice = IoSlice::new(bytes);
            offered += bytes.len();
            count += 1;
        }
        let written = match slices.get(..count).unwrap_or_default() {
            [] => Ok(0),
            [one] => out.write(one),
            many => out.write_vectored(many),
        };
        let done = match written {
            Ok(0) if offered > 0 => Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                self.advance(count);
                // What took the bytes may still hold some back.
                let held_back = if count == offered { out.flush() } else { Ok(()) };
                held_back.map(|()| self.after(count == offered, now))
            }
            Err(error) => Err(error),
        };
        match done {
            Ok(flush) => Ok(flush),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.stalled_since.get_or_insert(now);
                Ok(Flush::Blocked)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Flush::More),
            Err(error) => Err(error),
        }
    }

    fn after(&mut self, took_all: bool, now: Timestamp) -> Flush {
        self.stalled_since = if took_all { None } else { Some(now) };
        match (took_all, self.items.is_empty()) {
            (true, true) => Flush::Drained,
            (true, false) => Flush::More,
            (false, _) => Flush::Blocked,
        }
    }

    /// Copies a reply behind the one before it, unless that stands before a push or its buffer is full.
    fn append(&mut self, head: &[u8], payload: &[u8]) {
        let len = head.len() + payload.len();
        let mut cost = len;
        match self.items.back_mut() {
            Some(Item::Replies(replies)) if replies.len() + len <= REPLIES_BYTES_MAX => {
                replies.extend_from_slice(head);
                replies.extend_from_slice(payload);
            }
            Some(_) | None => {
                cost += ITEM_COST;
                let mut replies = std::mem::take(&mut self.spare);
                replies.reserve(len);
                replies.extend_from_slice(head);
                replies.extend_from_slice(payload);
                self.items.push_back(Item::Replies(replies));
            }
        }
        self.cost += cost;
        self.reply_cost += cost;
    }

    fn retain(&mut self, keep: impl Fn(&Item) -> bool) {
        let mut partly_written = self.written > 0;
        let (mut cost, mut reply_cost) = (0, 0);
        self.items.retain(|item| {
            let stays = std::mem::take(&mut partly_written) || keep(item);
            if stays {
                let own = item.bytes().len() + ITEM_COST;
                cost += own;
                reply_cost += if item.is_push() { 0 } else { own };
            }
            stays
        });
        (self.cost, self.reply_cost) = (cost, reply_cost);
    }

    fn advance(&mut self, mut count: usize) {
        count += self.written;
        while let Some(first) = self.items.front() {
            let len = first.bytes().len();
            if count < len {
                break;
            }
            count -= len;
            let cost = len + ITEM_COST;
            self.cost -= cost;
            if let Some(Item::Replies(mut replies)) = self.items.pop_front() {
                self.reply_cost -= cost;
                if replies.capacity() <= REPLIES_BYTES_MAX {
                    replies.clear();
                    self.spare = replies;
                }
            }
        }
        self.written = count;
    }
}

#[cfg(test)]
mod tests;
