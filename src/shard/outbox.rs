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
            [] => return Ok(Flush::Drained),
            [one] => out.write(one),
            many => out.write_vectored(many),
        };
        match written {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                self.advance(count);
                Ok(self.after(count == offered, now))
            }
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
mod tests {
    use super::*;
    use PushClass::{Entry, Ephemeral};

    const BOUND: usize = 10_000;

    /// Takes what it is given until it is full.
    #[derive(Default)]
    struct Pipe {
        taken: Vec<u8>,
        room: usize,
        writes: usize,
    }

    impl Pipe {
        fn with_room(room: usize) -> Self {
            Self { room, ..Self::default() }
        }
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.write_vectored(&[IoSlice::new(bytes)])
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            self.writes += 1;
            let before = self.taken.len();
            for slice in slices {
                let part = slice.len().min(self.room);
                self.taken.extend_from_slice(&slice[..part]);
                self.room -= part;
            }
            match self.taken.len() - before {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                count => Ok(count),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn push(outbox: &mut Outbox, byte: u8, len: usize) {
        outbox.push(&vec![byte; len].into(), Entry, BOUND);
    }

    fn reply(outbox: &mut Outbox, byte: u8, len: usize) -> Result<(), Overflow> {
        outbox.reply(OpCode::Binary, &vec![byte; len], BOUND).map(drop)
    }

    fn drain(outbox: &mut Outbox) -> Vec<u8> {
        let mut pipe = Pipe::with_room(usize::MAX);
        while outbox.write_to(&mut pipe, at(0)).expect("a pipe") != Flush::Drained {}
        pipe.taken
    }

    #[test]
    fn replies_and_pushes_leave_in_order() {
        let mut outbox = Outbox::default();
        reply(&mut outbox, 1, 2).expect("room");
        push(&mut outbox, 2, 3);
        reply(&mut outbox, 3, 1).expect("room");
        reply(&mut outbox, 4, 1).expect("room");
        assert_eq!(outbox.items.len(), 3, "small replies in a row share a buffer");
        let expected = [0x82, 2, 1, 1, 2, 2, 2, 0x82, 1, 3, 0x82, 1, 4];
        assert_eq!(drain(&mut outbox), expected);
        assert_eq!((outbox.cost, outbox.reply_cost, outbox.written), (0, 0, 0));
    }

    #[test]
    fn many_messages_leave_in_few_writes_and_any_room_gives_the_same_bytes() {
        let fill = || {
            let mut outbox = Outbox::default();
            for n in 0..90 {
                push(&mut outbox, n, 5);
                reply(&mut outbox, n, if n == 50 { 1_100 } else { 3 }).expect("room");
            }
            outbox
        };
        let whole = drain(&mut fill());
        let mut pipe = Pipe::with_room(usize::MAX);
        let mut outbox = fill();
        while outbox.write_to(&mut pipe, at(0)).expect("a pipe") != Flush::Drained {}
        assert_eq!(pipe.writes, 3, "180 items, 64 a write");
        for room in [1, 2, 7, 64, 333] {
            let (mut outbox, mut pipe) = (fill(), Pipe::default());
            loop {
                pipe.room = room;
                if outbox.write_to(&mut pipe, at(0)).expect("a pipe") == Flush::Drained {
                    break;
                }
            }
            assert_eq!(pipe.taken, whole, "{room} bytes at a time");
        }
    }

    #[test]
    fn at_the_bound_pushes_go_and_replies_stay_and_the_peer_is_told_once() {
        let mut outbox = Outbox::default();
        reply(&mut outbox, 1, 10).expect("room");
        for _ in 0..200 {
            push(&mut outbox, 2, 100);
            assert!(outbox.cost <= BOUND);
        }
        reply(&mut outbox, 3, 10).expect("room");
        assert_eq!(outbox.take_resync(), None, "not before it has drained");
        let sent = drain(&mut outbox);
        assert!(!sent.contains(&2) && sent.contains(&1) && sent.contains(&3));
        assert_eq!(outbox.take_resync(), Some(ResyncReason::Outbox));
        assert_eq!(outbox.take_resync(), None);
        push(&mut outbox, 4, 1);
        assert_eq!(drain(&mut outbox), [4], "pushes go on after it");
    }

    #[test]
    fn a_reply_that_does_not_fit_beside_pushes_displaces_them() {
        let mut outbox = Outbox::default();
        push(&mut outbox, 2, 6_000);
        reply(&mut outbox, 1, 6_000).expect("kept");
        assert!(!drain(&mut outbox).contains(&2));
        assert_eq!(outbox.take_resync(), Some(ResyncReason::Outbox));
    }

    #[test]
    fn a_message_partly_written_is_never_dropped() {
        let mut outbox = Outbox::default();
        push(&mut outbox, 2, 100);
        push(&mut outbox, 3, 100);
        let mut pipe = Pipe::with_room(40);
        assert_eq!(outbox.write_to(&mut pipe, at(5)).expect("a pipe"), Flush::Blocked);
        outbox.resync_later(ResyncReason::Mailbox);
        assert_eq!(drain(&mut outbox), [2; 60]);
        assert_eq!(outbox.take_resync(), Some(ResyncReason::Mailbox));

        push(&mut outbox, 4, 100);
        reply(&mut outbox, 5, 100).expect("room");
        pipe.room = 1;
        outbox.write_to(&mut pipe, at(5)).expect("a pipe");
        outbox.abandon();
        assert_eq!(drain(&mut outbox), [4; 99]);
    }

    #[test]
    fn replies_are_refused_only_at_twice_the_bound() {
        let mut outbox = Outbox::default();
        let mut kept = 0;
        while reply(&mut outbox, 1, 1_000).is_ok() {
            kept += 1;
            assert_eq!(outbox.is_crowded(BOUND), outbox.reply_cost >= BOUND / 2);
        }
        assert!((18..20).contains(&kept), "{kept}");
        assert_eq!(drain(&mut outbox).len(), kept * 1_004);
    }

    #[test]
    fn an_ephemeral_push_is_dropped_first_and_silently() {
        let mut outbox = Outbox::default();
        for _ in 0..200 {
            outbox.push(&vec![9; 100].into(), Ephemeral, BOUND);
        }
        assert!(outbox.cost <= BOUND / 2 && outbox.resync.is_none());
        push(&mut outbox, 2, 4_000);
        assert!(outbox.resync.is_none(), "they leave room for what matters");
    }

    #[test]
    fn a_stall_is_measured_from_the_last_progress() {
        let mut outbox = Outbox::default();
        push(&mut outbox, 1, 100);
        let mut pipe = Pipe::with_room(10);
        outbox.write_to(&mut pipe, at(10)).expect("a pipe");
        assert_eq!(outbox.stalled_since(), Some(at(10)));
        outbox.write_to(&mut pipe, at(20)).expect("a pipe");
        assert_eq!(outbox.stalled_since(), Some(at(10)), "no progress");
        pipe.room = 10;
        outbox.write_to(&mut pipe, at(30)).expect("a pipe");
        assert_eq!(outbox.stalled_since(), Some(at(30)));
        pipe.room = 100;
        assert_eq!(outbox.write_to(&mut pipe, at(40)).expect("a pipe"), Flush::Drained);
        assert_eq!(outbox.stalled_since(), None);
    }
}
