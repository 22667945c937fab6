//! The order, the bound and what is dropped at it, written to a pipe that is full at will.

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
