//! What a worker is about, and when it is done: opening connections, or sending until everything has
//! been accounted for.

use super::command::{Command, Cut, How, Reply, Stage};
use super::connecting::PATIENCE;
use super::{TICK, Worker};
use crate::client::{Alarm, State, Traffic};
use crate::ledger::Track;
use crate::schedule::Schedule;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// What a worker is about.
#[derive(Debug)]
pub(super) enum Task {
    /// Keeping its connections alive.
    None,
    /// Opening connections until so many are ready.
    Open {
        /// How many.
        count: usize,
        /// When it gives up.
        until: u64,
    },
    /// Sending.
    Send(Sending),
}

/// A stage of traffic under way.
#[derive(Debug)]
pub(super) struct Sending {
    /// What is still to be cut.
    cuts: VecDeque<Cut>,
    /// When it ends at the latest.
    settled_by: u64,
    /// Whether slow readers have been told to hurry.
    hurried: bool,
}

impl Worker {
    /// Begins what the coordinator asks for.
    pub(super) fn begin(&mut self, command: Command) {
        let now = crate::clock::now();
        match command {
            Command::Open { count } => self.open(count, now),
            Command::Reopen => {
                self.cut(&Cut { at: now, share: 2.0, how: How::Close }, now);
                let count = self.seats.iter().filter(|seat| seat.attempts > 0).count();
                self.task = Task::Open { count, until: now + PATIENCE };
            }
            Command::Ping => {
                let all = u32::try_from(self.seats.len()).unwrap_or(u32::MAX);
                for index in 0..all {
                    self.with(index, now, |seat, _, _| {
                        if seat.client.state == State::Live {
                            seat.client.ping();
                        }
                    });
                }
                self.task = Task::Open { count: 0, until: now };
            }
            Command::Send(stage) => self.send(stage, now),
        }
    }

    fn open(&mut self, count: usize, now: u64) {
        for (index, seat) in (0..).zip(self.seats.iter().take(count)) {
            if seat.attempts == 0 {
                self.queue.push(index);
            }
        }
        self.task = Task::Open { count, until: now + PATIENCE };
    }

    fn send(&mut self, stage: Stage, now: u64) {
        let writers = u64::try_from(self.writers.len()).unwrap_or_default();
        let schedule = Schedule::new(stage.begin, stage.end, stage.rate, self.plan.turn, writers);
        self.traffic = Some(Traffic {
            schedule,
            window: stage.window,
            span: stage.begin..stage.end,
            measured: stage.measured.0..stage.measured.1,
            storm: stage.storm,
            kind: stage.kind,
            bytes: stage.bytes,
            patience: stage.patience,
        });
        for seat in &mut self.seats {
            seat.client.begin_stage();
        }
        if stage.window.is_some() {
            for index in &self.writers {
                self.timers.set(stage.begin, *index, Alarm::Wake);
            }
        }
        for (index, member) in (0..).zip(&self.plan.members) {
            if member.slow {
                self.timers.set(stage.begin.max(now), index, Alarm::Trickle);
            }
        }
        for (seat, member) in self.seats.iter_mut().zip(&self.plan.members) {
            seat.trickles = member.slow && seat.client.state == State::Live;
        }
        self.task = Task::Send(Sending {
            cuts: stage.cuts.into(),
            settled_by: stage.settled_by,
            hurried: false,
        });
    }

    /// When the next message is due.
    pub(super) fn next_message(&self) -> Option<u64> {
        self.traffic.as_ref().filter(|it| it.window.is_none())?.schedule.next()
    }

    /// Has those write whose messages are due.
    pub(super) fn send_due(&mut self, now: u64) {
        loop {
            let Some(traffic) = self.traffic.as_mut().filter(|it| it.window.is_none()) else {
                return;
            };
            let measured = traffic.measured.clone();
            let Some((turn, due)) = traffic.schedule.pop(now) else { return };
            if measured.contains(&due) {
                self.tally.counts.due += 1;
                self.tally.lag.record(now.saturating_sub(due));
            }
            let writer = usize::try_from(turn).ok().and_then(|turn| self.writers.get(turn));
            if let Some(index) = writer.copied() {
                self.with(index, now, |seat, ctx, _| seat.client.fall_due(ctx));
            }
        }
    }

    /// Whether what it is about is done; then the answer.
    pub(super) fn check_task(&mut self, now: u64) -> Option<Reply> {
        if now < self.look {
            return None;
        }
        self.look = now + TICK;
        match &mut self.task {
            Task::None => return None,
            Task::Open { count, until } => {
                let live = |seat: &super::Seat| seat.client.state == State::Live;
                let ready = self.seats.iter().filter(|seat| live(seat)).count();
                if ready < *count && now < *until {
                    return None;
                }
            }
            Task::Send(sending) => {
                if let Some(cut) = sending.cuts.pop_front_if(|cut| cut.at <= now) {
                    self.cut(&cut, now);
                    return None;
                }
                let until = sending.settled_by;
                if self.traffic.as_ref().is_some_and(|traffic| now < traffic.span.end) {
                    return None;
                }
                self.hurry(now);
                if !self.is_settled() && now < until {
                    return None;
                }
                self.close_accounts();
                self.traffic = None;
            }
        }
        self.task = Task::None;
        Some(self.reply())
    }

    /// Has slow readers read as others do, once nothing is sent any more.
    fn hurry(&mut self, now: u64) {
        let Task::Send(sending) = &mut self.task else { return };
        if std::mem::replace(&mut sending.hurried, true) {
            return;
        }
        for index in 0..u32::try_from(self.seats.len()).unwrap_or(u32::MAX) {
            let at = usize::try_from(index).unwrap_or(usize::MAX);
            if let Some(seat) = self.seats.get_mut(at).filter(|seat| seat.trickles) {
                seat.trickles = false;
                self.read(index, now);
            }
        }
    }

    fn is_settled(&self) -> bool {
        let settled = |seat: &super::Seat| {
            seat.attempts == 0 || seat.client.state == State::Live && seat.client.unsettled() == 0
        };
        self.seats.iter().all(settled) && self.lost() == 0
    }

    fn close_accounts(&mut self) {
        self.tally.counts.lost = self.lost();
        let opened = self.seats.iter().filter(|seat| seat.attempts > 0);
        self.tally.counts.unsettled = opened.map(|seat| seat.client.unsettled()).sum();
        let received = |seat: &&super::Seat| !seat.client.tracks().is_empty();
        let receivers = self.seats.iter().filter(received).count();
        self.tally.counts.receivers = u64::try_from(receivers).unwrap_or_default();
    }

    /// Acknowledged messages that are not at a receiver.
    fn lost(&self) -> u64 {
        let mut streams: HashMap<u64, Vec<(u16, u32)>> = HashMap::new();
        for (member, seat) in self.plan.members.iter().zip(&self.seats) {
            if let (Some(conversation), Some(stream)) = (member.conversation, member.stream) {
                let acknowledged = seat.client.acknowledged();
                streams.entry(conversation).or_default().push((stream, acknowledged));
            }
        }
        let nothing = Track::default();
        let mut lost = 0;
        for (member, seat) in self.plan.members.iter().zip(&self.seats) {
            // Who never connected expects nothing.
            let conversation = member.conversation.filter(|_| seat.attempts > 0);
            let expected = conversation.and_then(|id| streams.get(&id));
            for (stream, acknowledged) in expected.into_iter().flatten() {
                if Some(*stream) != member.stream {
                    let track = seat.client.tracks().get(usize::from(*stream));
                    lost += track.unwrap_or(&nothing).lacks(*acknowledged);
                }
            }
        }
        lost
    }
}

/// Until when what is missing is waited for after a stage that ends at `end`; EPHEMERAL frames may be
/// dropped, so it is not waited for long.
pub(crate) fn settles_by(end: u64, wait: Duration, may_drop: bool) -> u64 {
    const DROPPED_AFTER: Duration = Duration::from_secs(2);
    end + crate::clock::nanos(if may_drop { wait.min(DROPPED_AFTER) } else { wait })
}
