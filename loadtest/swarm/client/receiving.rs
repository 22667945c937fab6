//! What a client does with what the server sends, and the log it has of its conversation.

use super::{Alarm, Broken, Client, Context, State};
use crate::ledger::{Track, Verdict};
use crate::message::Stamp;
use crate::tally::Tally;
use chasqui::model::Sequence;
use chasqui::protocol::{
    ClientFrame, EntryFrame, EphemeralFrame, Goaway, ServerFrame, Welcome, frames,
};
use std::collections::BTreeMap;

/// How many entries are kept behind a gap; those beyond are fetched again.
const EARLY_MAX: usize = 4096;

/// How far a client has the log of its conversation.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Up to here it has everything, from where it began.
    pub have: u64,
    /// The highest sequence that it was told of.
    pub told: u64,
    /// Whether it knows where it began.
    pub begun: bool,
    /// Whether an ACK is on its way.
    ack_set: bool,
    /// What came ahead of something missing, and when.
    early: BTreeMap<u64, Arrival>,
    /// What came of each writer's stream.
    pub tracks: Vec<Track>,
}

/// Something that came: a message of this run, or anything else that takes a sequence.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    stamp: Option<Stamp>,
    at: u64,
}

impl Log {
    /// Forgets what was kept behind a gap, since it will be fetched.
    pub(super) fn forget_early(&mut self) {
        self.early.clear();
    }

    /// Everything up to `sequence` is here.
    pub(super) fn reach(&mut self, sequence: u64, ctx: &mut Context<'_>) {
        self.have = self.have.max(sequence);
        self.told = self.told.max(sequence);
        self.take_early(ctx);
    }

    /// Takes in what stands at `sequence`. Tells whether something is missing before it.
    fn take(&mut self, sequence: u64, arrival: Arrival, ctx: &mut Context<'_>) -> bool {
        self.told = self.told.max(sequence);
        if !self.begun || sequence <= self.have {
            return false;
        }
        if sequence > self.have + 1 {
            if self.early.len() < EARLY_MAX {
                self.early.entry(sequence).or_insert(arrival);
            }
            return true;
        }
        self.have = sequence;
        self.apply(&arrival, ctx);
        self.take_early(ctx);
        false
    }

    fn take_early(&mut self, ctx: &mut Context<'_>) {
        while let Some(first) = self.early.first_entry() {
            if *first.key() > self.have + 1 {
                return;
            }
            let (sequence, arrival) = first.remove_entry();
            if sequence > self.have {
                self.have = sequence;
                self.apply(&arrival, ctx);
            }
        }
    }

    fn apply(&mut self, arrival: &Arrival, ctx: &mut Context<'_>) {
        if !self.ack_set && ctx.ack_after > 0 {
            self.ack_set = true;
            ctx.wake_at(ctx.now + ctx.ack_after, Alarm::Ack);
        }
        if let Some(stamp) = &arrival.stamp {
            self.count(stamp, arrival.at, ctx);
        }
    }

    /// Puts a message into the ledger.
    fn count(&mut self, stamp: &Stamp, at: u64, ctx: &mut Context<'_>) {
        if stamp.run != ctx.run {
            return;
        }
        let stream = usize::from(stamp.stream);
        if self.tracks.len() <= stream {
            self.tracks.reserve_exact(stream + 1 - self.tracks.len());
            self.tracks.resize_with(stream + 1, Track::default);
        }
        let Some(track) = self.tracks.get_mut(stream) else { return };
        let measured = ctx.is_measured(stamp.due);
        let open = ctx.is_measured(at);
        let Tally { counts, due_to_entry, .. } = &mut *ctx.tally;
        match track.take(stamp.number) {
            Verdict::New => {}
            Verdict::Reordered => counts.reordered += 1,
            Verdict::Duplicated => return counts.duplicated += 1,
        }
        counts.delivered += 1;
        counts.delivered_in_window += u64::from(open);
        // Slow readers are late by design.
        if measured && !ctx.member.slow {
            due_to_entry.record(at.saturating_sub(stamp.due));
        }
    }
}

impl Client {
    /// Takes one WebSocket message in.
    pub(super) fn take_message(
        &mut self,
        payload: &[u8],
        ctx: &mut Context<'_>,
    ) -> Result<(), Broken> {
        for frame in frames(payload) {
            if let Some(frame) = ServerFrame::decode(&frame?)? {
                self.take_frame(&frame, ctx);
            }
        }
        Ok(())
    }

    fn take_frame(&mut self, frame: &ServerFrame<'_>, ctx: &mut Context<'_>) {
        match frame {
            ServerFrame::Entry(entry) => self.take_entry(entry, ctx),
            ServerFrame::Sent { rid, sequence, duplicate, .. } => {
                ctx.tally.counts.found_stored += u64::from(*duplicate);
                if self.outbox.sent(*rid, ctx) {
                    self.take_at(*sequence, None, ctx);
                }
            }
            ServerFrame::Ephemeral(ephemeral) => self.take_ephemeral(ephemeral, ctx),
            ServerFrame::Welcome(welcome) => self.take_welcome(welcome, ctx),
            ServerFrame::Error(refusal) => self.take_refusal(refusal, ctx),
            ServerFrame::Synced { flags, token, records, .. } => {
                self.take_synced(*flags, token, *records, ctx);
            }
            ServerFrame::Fetched { to, next, .. } => self.take_fetched(*to, *next, ctx),
            ServerFrame::Resync { .. } => {
                ctx.tally.counts.resyncs += 1;
                self.resync();
            }
            ServerFrame::Goaway(goaway) => self.take_goaway(goaway, ctx),
            ServerFrame::Ping { nonce } => self.write(&ClientFrame::Pong { nonce: *nonce }),
            ServerFrame::Pong { .. } | ServerFrame::Cursor(_) | ServerFrame::Presence { .. } => {}
        }
    }

    fn take_welcome(&mut self, welcome: &Welcome, ctx: &mut Context<'_>) {
        // The server holds a connection that did not name its epoch.
        if self.epoch != Some(welcome.epoch) {
            self.outbox.hold(ctx.now);
            self.epoch = Some(welcome.epoch);
        }
        self.outbox.sends_max = usize::try_from(welcome.sends_max).unwrap_or(usize::MAX);
        self.state = State::CatchingUp;
        self.go_on(ctx);
    }

    fn take_entry(&mut self, entry: &EntryFrame<'_>, ctx: &mut Context<'_>) {
        if ctx.member.conversation() != Some(entry.conversation) {
            return;
        }
        let own = entry.client_message.is_some_and(|cmid| self.outbox.stored(cmid.get(), ctx));
        let stamp = if own { None } else { Stamp::read(entry.body) };
        // An entry of one's own that nothing waits for has been settled before.
        let stamp = stamp.filter(|stamp| Some(stamp.stream) != ctx.member.stream);
        self.take_at(entry.sequence, stamp, ctx);
    }

    fn take_at(&mut self, sequence: Sequence, stamp: Option<Stamp>, ctx: &mut Context<'_>) {
        let arrival = Arrival { stamp, at: ctx.now };
        if self.log.take(sequence.get(), arrival, ctx) && self.fetch(ctx) {
            ctx.tally.counts.gaps += 1;
        }
    }

    fn take_ephemeral(&mut self, frame: &EphemeralFrame<'_>, ctx: &mut Context<'_>) {
        if let Some(stamp) = Stamp::read(frame.body) {
            self.log.count(&stamp, ctx.now, ctx);
        }
    }

    /// Acknowledges what it has.
    pub(crate) fn acknowledge(&mut self, ctx: &Context<'_>) {
        self.log.ack_set = false;
        let (Some(conversation), Some(have)) =
            (ctx.member.conversation(), Sequence::new(self.log.have))
        else {
            return;
        };
        if self.state == State::Live {
            let pairs = [(conversation, have)];
            self.write(&ClientFrame::Ack(pairs.as_slice().into()));
        }
    }

    fn take_goaway(&mut self, goaway: &Goaway, ctx: &mut Context<'_>) {
        ctx.tally.counts.goaways += 1;
        let spread = goaway.spread_ms.saturating_mul(crate::clock::MILLISECOND);
        let moment = ctx.now + ctx.random.below(spread);
        self.leave_at = Some(moment);
        ctx.wake_at(moment, Alarm::Leave);
    }

    /// What has come of each writer's stream.
    pub(crate) fn tracks(&self) -> &[Track] {
        &self.log.tracks
    }
}
