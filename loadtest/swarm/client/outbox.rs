//! Messages that are not settled: written, refused for now, or to be written again.
//!
//! In order, each with the client message id and the floor of its first attempt. After a retryable
//! refusal the server holds the connection: when all is answered, RESUME lets it go on. A refused
//! message is sent again or, where its writer is told to be impatient, given up; its number then goes
//! to the next. Given up is only what was surely not applied, with everything behind it, so that the
//! numbers of what is stored have no holes.

use super::{Alarm, Client, Context, Kind, State};
use crate::clock::MILLISECOND;
use crate::message::Stamp;
use chasqui::model::{ClientMessageId, EphemeralKind, ErrorCode, Sequence};
use chasqui::protocol::{ClientFrame, EphemeralFrame, Refusal, SendFrame, Tlvs};
use std::collections::VecDeque;

/// Messages that are not settled, and what is known of the rest.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: VecDeque<Pending>,
    /// The number of the last message made.
    number: u32,
    /// The last number acknowledged.
    acknowledged: u32,
    /// How many have fallen due in this stage, and how many of those were taken up.
    due: u32,
    taken: u32,
    /// Until when the connection is held, if it is.
    held: Option<u64>,
    /// Whether the floors have to be raised before anything is written again.
    floors_low: bool,
    /// Whether there may be something to write again.
    rewrite: bool,
    /// Whether the connection was lost since the stage began.
    was_cut: bool,
    /// How many the server lets be unanswered.
    pub sends_max: usize,
}

/// One message.
#[derive(Clone, Debug)]
struct Pending {
    rid: u64,
    cmid: ClientMessageId,
    floor: u64,
    number: u32,
    attempt: Attempt,
    /// Whether some attempt may have been applied.
    doubtful: bool,
    due: u64,
    written: u64,
}

/// What has become of the last attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    /// There is none on this connection.
    None,
    /// It is unanswered.
    Waiting,
    /// It was refused, with the number of a code.
    Refused(u64),
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            number: 0,
            acknowledged: 0,
            due: 0,
            taken: 0,
            held: None,
            floors_low: false,
            rewrite: false,
            was_cut: false,
            sends_max: 1,
        }
    }
}

impl Outbox {
    /// The connection is held until `moment` at least.
    pub(super) fn hold(&mut self, moment: u64) {
        self.held = Some(self.held.unwrap_or_default().max(moment));
    }

    /// The connection is gone: what was unanswered may or may not have been applied.
    pub(super) fn disconnected(&mut self, ctx: &mut Context<'_>) {
        self.give_up(ctx);
        for pending in &mut self.queue {
            pending.doubtful |= pending.attempt == Attempt::Waiting;
            pending.attempt = Attempt::None;
        }
        (self.held, self.floors_low, self.rewrite) = (None, false, true);
        self.was_cut = true;
    }

    /// SENT has come; false if it answers nothing.
    pub(super) fn sent(&mut self, rid: u64, ctx: &mut Context<'_>) -> bool {
        let is_it = |pending: &Pending| pending.rid == rid && pending.attempt == Attempt::Waiting;
        let Some(at) = self.queue.iter().position(is_it) else {
            ctx.tally.counts.faults += 1;
            return false;
        };
        self.settle(at, ctx);
        true
    }

    /// An entry of one's own has come; whether it settles something.
    pub(super) fn stored(&mut self, cmid: u64, ctx: &mut Context<'_>) -> bool {
        let at = self.queue.iter().position(|pending| pending.cmid.get() == cmid);
        // One that is unanswered on this connection has its SENT still coming.
        let at = at.filter(|at| {
            self.queue.get(*at).is_some_and(|pending| pending.attempt != Attempt::Waiting)
        });
        at.is_some_and(|at| {
            self.settle(at, ctx);
            true
        })
    }

    fn settle(&mut self, at: usize, ctx: &mut Context<'_>) {
        let Some(pending) = self.queue.remove(at) else { return };
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
        if self.acknowledged == 0 {
            ctx.tally.counts.writers += 1;
        }
        self.acknowledged = self.acknowledged.max(pending.number);
        ctx.tally.counts.acknowledged += 1;
        ctx.tally.last_acknowledged = ctx.now;
        ctx.tally.counts.acknowledged_in_window += u64::from(ctx.is_measured(ctx.now));
        if ctx.is_measured(pending.due) {
            ctx.tally.due_to_sent.record(ctx.now.saturating_sub(pending.due));
            ctx.tally.write_to_sent.record(ctx.now.saturating_sub(pending.written));
        }
        let storm = ctx.traffic.and_then(|traffic| traffic.storm).filter(|_| !self.was_cut);
        if let Some(storm) = storm {
            let took = ctx.now.saturating_sub(pending.due);
            if pending.due < storm.cut_at {
                ctx.tally.calm.record(took);
            } else if (storm.from..storm.to).contains(&pending.due) {
                ctx.tally.spared.record(took);
            }
        }
    }

    /// A SEND was refused.
    pub(super) fn refused(&mut self, refusal: &Refusal<'_>, ctx: &mut Context<'_>) {
        let at = self.queue.iter().position(|pending| pending.rid == refusal.rid);
        let Some(pending) = at.and_then(|at| self.queue.get_mut(at)) else {
            ctx.tally.counts.faults += 1;
            return;
        };
        if !refusal.retry() && refusal.not_applied() {
            // Nothing that is sent here may be refused for good: a message is lost.
            ctx.tally.counts.faults += 1;
            at.and_then(|at| self.queue.remove(at));
            return;
        }
        // Exactly one of the two must be said.
        if refusal.not_applied() == refusal.outcome_unknown() {
            ctx.tally.counts.faults += 1;
        }
        pending.attempt = Attempt::Refused(refusal.code);
        pending.doubtful |= !refusal.not_applied();
        self.floors_low |= refusal.known() == Some(ErrorCode::FloorOutOfRange);
        if self.held.is_none() {
            ctx.tally.counts.held += 1;
        }
        let until = ctx.now + refusal.retry_ms.saturating_mul(MILLISECOND);
        self.hold(until);
        ctx.wake_at(until, Alarm::Wake);
    }

    /// Gives up what was refused and not applied, from the back up to the first that may have been.
    fn give_up(&mut self, ctx: &mut Context<'_>) {
        if ctx.traffic.is_none_or(|traffic| traffic.patience.is_none()) {
            return;
        }
        while let Some(Pending {
            attempt: Attempt::Refused(code), doubtful: false, number, ..
        }) = self.queue.back()
        {
            let name = ErrorCode::from_number(*code).map_or("unknown", ErrorCode::name);
            *ctx.tally.refused.entry(name.to_owned()).or_default() += 1;
            self.number = number.saturating_sub(1);
            self.queue.pop_back();
        }
    }

    /// Another message has fallen due.
    pub(super) fn fall_due(&mut self) {
        self.due += 1;
    }

    /// A new stage begins: what fell due in the last one and was not taken up is forgotten.
    pub(super) fn begin_stage(&mut self) {
        (self.due, self.taken, self.was_cut) = (0, 0, false);
    }

    /// Messages that are neither acknowledged nor given up.
    pub(super) fn unsettled(&self) -> u64 {
        let waiting = u64::from(self.due.saturating_sub(self.taken));
        waiting.saturating_add(u64::try_from(self.queue.len()).unwrap_or(u64::MAX))
    }

    /// When the next message to be taken up was due.
    fn next_due(&mut self, ctx: &mut Context<'_>) -> Option<u64> {
        let traffic = ctx.traffic?;
        let turn = ctx.turn?;
        if let Some(window) = traffic.window {
            let room = self.queue.len() < window && traffic.span.contains(&ctx.now);
            return room.then_some(ctx.now);
        }
        while self.taken < self.due {
            let due = traffic.schedule.due(u64::from(turn), u64::from(self.taken));
            self.taken += 1;
            if traffic.patience.is_none_or(|patience| due + patience >= ctx.now) {
                return Some(due);
            }
            ctx.tally.counts.withheld += 1;
        }
        None
    }
}

impl Client {
    /// Another message has fallen due.
    pub(crate) fn fall_due(&mut self, ctx: &mut Context<'_>) {
        self.outbox.fall_due();
        self.pump(ctx);
    }

    /// A new stage begins.
    pub(crate) fn begin_stage(&mut self) {
        self.outbox.begin_stage();
    }

    /// Messages that are neither acknowledged nor given up.
    pub(crate) fn unsettled(&self) -> u64 {
        self.outbox.unsettled()
    }

    /// The last number acknowledged.
    pub(crate) fn acknowledged(&self) -> u32 {
        self.outbox.acknowledged
    }

    /// Writes whatever may be written now.
    pub(crate) fn pump(&mut self, ctx: &mut Context<'_>) {
        self.go_on(ctx);
        // Between stages nothing is written, not even again: who is waited for may not be there yet.
        if self.state != State::Live || ctx.traffic.is_none() || !self.release(ctx) {
            return;
        }
        let again = if self.outbox.rewrite { self.outbox.queue.len() } else { 0 };
        self.outbox.rewrite = false;
        for at in 0..again {
            if self.outbox.queue.get(at).is_some_and(|it| it.attempt == Attempt::None) {
                ctx.tally.counts.resent += 1;
                self.write_send(at, ctx);
            }
        }
        while self.outbox.queue.len() < self.outbox.sends_max
            && let Some(due) = self.outbox.next_due(ctx)
        {
            self.send(due, ctx);
        }
    }

    /// Ends the hold if there is one; whether messages may be written.
    fn release(&mut self, ctx: &mut Context<'_>) -> bool {
        let Some(until) = self.outbox.held else { return true };
        let waiting = self.outbox.queue.iter().any(|it| it.attempt == Attempt::Waiting);
        if waiting || ctx.now < until || (self.outbox.floors_low && !self.is_caught_up()) {
            return false;
        }
        self.outbox.give_up(ctx);
        for pending in &mut self.outbox.queue {
            pending.attempt = Attempt::None;
            if self.outbox.floors_low {
                // Everything from the old floor up to here is held, and none of it is this message.
                pending.floor = self.log.have + 1;
            }
        }
        (self.outbox.held, self.outbox.floors_low, self.outbox.rewrite) = (None, false, true);
        self.write(&ClientFrame::Resume);
        true
    }

    fn send(&mut self, due: u64, ctx: &mut Context<'_>) {
        let Some(cmid) = ClientMessageId::from_random(ctx.random.next()) else { return };
        self.outbox.number += 1;
        let number = self.outbox.number;
        if ctx.traffic.is_some_and(|traffic| traffic.kind == Kind::Ephemeral) {
            return self.write_ephemeral(number, due, ctx);
        }
        self.outbox.queue.push_back(Pending {
            rid: 0,
            cmid,
            floor: self.log.told + 1,
            number,
            attempt: Attempt::None,
            doubtful: false,
            due,
            written: ctx.now,
        });
        self.write_send(self.outbox.queue.len() - 1, ctx);
    }

    fn write_send(&mut self, at: usize, ctx: &mut Context<'_>) {
        let rid = self.next_rid();
        let (Some(pending), Some(conversation)) =
            (self.outbox.queue.get_mut(at), ctx.member.conversation())
        else {
            return;
        };
        (pending.rid, pending.attempt) = (rid, Attempt::Waiting);
        let (number, due) = (pending.number, pending.due);
        let (client_message, floor) = (pending.cmid, pending.floor);
        let stream = ctx.member.stream.unwrap_or_default();
        let mut body = std::mem::take(ctx.scratch);
        let bytes = ctx.traffic.map_or(0, |traffic| traffic.bytes);
        Stamp { run: ctx.run, stream, number, due }.write(bytes, &mut body);
        self.write(&ClientFrame::Send(SendFrame {
            rid,
            conversation,
            client_message,
            floor: Sequence::new(floor).unwrap_or(Sequence::MAX),
            kind: 1,
            body: &body,
            tlvs: Tlvs::EMPTY,
        }));
        *ctx.scratch = body;
    }

    fn write_ephemeral(&mut self, number: u32, due: u64, ctx: &mut Context<'_>) {
        let Some(conversation) = ctx.member.conversation() else { return };
        let stream = ctx.member.stream.unwrap_or_default();
        let mut body = std::mem::take(ctx.scratch);
        let bytes = ctx.traffic.map_or(0, |traffic| traffic.bytes);
        Stamp { run: ctx.run, stream, number, due }.write(bytes, &mut body);
        let kind = EphemeralKind::Typing;
        self.write(&ClientFrame::Ephemeral(EphemeralFrame {
            conversation,
            user: None,
            kind,
            body: &body,
        }));
        *ctx.scratch = body;
        ctx.tally.counts.writers += u64::from(self.outbox.acknowledged == 0);
        self.outbox.acknowledged = number;
        ctx.tally.counts.acknowledged += 1;
        ctx.tally.counts.acknowledged_in_window += u64::from(ctx.is_measured(ctx.now));
    }
}
