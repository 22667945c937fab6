//! A worker: many clients on one thread.
//!
//! The coordinator starts it as a process of its own, because a process may hold only so many sockets,
//! and tells it what to do by lines on its standard input. It owns the loop and the sockets; what is
//! said on them is the client's, what a stage of traffic comes to is in `stage`.
//!
//! Invariant: it never waits for anything but the reactor, so heartbeats go on between orders.

pub(crate) mod command;
mod connecting;
mod reactor;
mod seat;
mod stage;

use crate::Failure;
use crate::client::{Alarm, Broken, Context, Random, State, Timers, Traffic};
use crate::clock::{self, MILLISECOND, SECOND};
use crate::tally::Tally;
use crate::tls::Tls;
pub(crate) use stage::settles_by;

use command::{Command, Plan, Reply};
use connecting::Queue;
use reactor::{Event, Reactor};
use seat::{Moves, Seat};
use stage::Task;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

/// What is read at once.
const READ_BYTES: usize = 256 << 10;

/// How often heartbeats and the end of a stage are looked after.
const TICK: u64 = 20 * MILLISECOND;

/// A worker.
struct Worker {
    plan: Plan,
    tls: Option<Tls>,
    reactor: Reactor,
    seats: Vec<Seat>,
    /// The seats of those who write, in the order of their turns, and each seat's turn.
    writers: Vec<u32>,
    turns: Vec<Option<u32>>,
    /// Who waits for a connection.
    queue: Queue,
    /// Who has something to write.
    dirty: Vec<u32>,
    timers: Timers,
    random: Random,
    traffic: Option<Traffic>,
    tally: Tally,
    task: Task,
    /// When it is looked at next whether that is done.
    look: u64,
    /// What has happened, taken out of the reactor.
    events: Vec<Event>,
    buffer: Vec<u8>,
    scratch: Vec<u8>,
    /// Whose heartbeat is looked after next, and since when all of them are.
    beat: (usize, u64),
}

/// Runs a worker by the plan in a file until its orders end.
pub(crate) fn run(plan: &Path) -> Result<(), Failure> {
    let plan: Plan = serde_json::from_reader(BufReader::new(File::open(plan)?))?;
    crate::server::raise_file_limit()?;
    let orders = std::io::stdin();
    rustix::io::ioctl_fionbio(&orders, true)?;
    let reactor = Reactor::new(&orders)?;
    let tls = plan.certificate.as_deref().map(Tls::trusting).transpose()?;
    let mut worker = Worker::new(plan, tls, reactor, Random(getrandom::u64()?));
    let mut line = Vec::new();
    while worker.turn(&mut line)? {}
    Ok(())
}

impl Worker {
    fn new(plan: Plan, tls: Option<Tls>, reactor: Reactor, random: Random) -> Self {
        let seats: Vec<Seat> = plan.members.iter().map(|_| Seat::default()).collect();
        let mut turns = vec![None; seats.len()];
        let mut writers = Vec::new();
        for ((index, member), turn) in (0..).zip(&plan.members).zip(&mut turns) {
            if member.stream.is_some() {
                *turn = u32::try_from(writers.len()).ok();
                writers.push(index);
            }
        }
        Self {
            queue: Queue::new(plan.connecting_max),
            tls,
            reactor,
            seats,
            writers,
            turns,
            dirty: Vec::new(),
            timers: Timers::default(),
            random,
            traffic: None,
            tally: Tally::default(),
            task: Task::None,
            look: 0,
            events: Vec::new(),
            buffer: vec![0; READ_BYTES],
            scratch: Vec::new(),
            beat: (0, clock::now()),
            plan,
        }
    }

    /// One round of the loop; false when its orders have ended.
    fn turn(&mut self, line: &mut Vec<u8>) -> Result<bool, Failure> {
        let now = clock::now();
        self.start_connecting(now);
        self.flush(now);
        let next = [self.timers.next(), self.next_message(), Some(now + TICK)];
        let moment = next.into_iter().flatten().min().unwrap_or(now);
        self.reactor.wait(now, moment)?;
        self.count_call();
        let mut events = std::mem::take(&mut self.events);
        events.extend(self.reactor.events());
        for event in events.drain(..) {
            match event {
                Event::Orders => {
                    if !self.take_orders(line)? {
                        return Ok(false);
                    }
                }
                Event::Seat { index, readable, writable } => {
                    self.serve(index, readable, writable);
                }
            }
        }
        self.events = events;
        self.on_time(clock::now())?;
        Ok(true)
    }

    /// Does what is due.
    fn on_time(&mut self, now: u64) -> Result<(), Failure> {
        while let Some((index, alarm)) = self.timers.pop(now) {
            self.ring(index, alarm, now);
        }
        self.send_due(now);
        self.beat(now);
        if let Some(reply) = self.check_task(now) {
            let mut text = serde_json::to_vec(&reply)?;
            text.push(b'\n');
            std::io::stdout().write_all(&text)?;
            std::io::stdout().flush()?;
        }
        Ok(())
    }

    fn take_orders(&mut self, line: &mut Vec<u8>) -> Result<bool, Failure> {
        let mut chunk = [0; 4096];
        let count = match std::io::stdin().read(&mut chunk) {
            Ok(0) => return Ok(false),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        line.extend_from_slice(chunk.get(..count).unwrap_or_default());
        while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            let rest = line.split_off(end + 1);
            let command: Command = serde_json::from_slice(line)?;
            *line = rest;
            self.begin(command);
        }
        Ok(true)
    }

    /// Calls a client with what it has to know, and looks after what follows from it.
    fn with<T>(
        &mut self,
        index: u32,
        now: u64,
        call: impl FnOnce(&mut Seat, &mut Context<'_>, &mut [u8]) -> T,
    ) -> Option<T> {
        let at = usize::try_from(index).ok()?;
        let seat = self.seats.get_mut(at)?;
        let mut ctx = Context {
            index,
            turn: self.turns.get(at).copied().flatten(),
            member: self.plan.members.get(at)?,
            now,
            run: self.plan.run,
            ping_seconds: self.plan.ping_seconds,
            sync: self.plan.sync,
            ack_after: self.plan.ack_after,
            traffic: self.traffic.as_ref(),
            tally: &mut self.tally,
            timers: &mut self.timers,
            random: &mut self.random,
            scratch: &mut self.scratch,
        };
        let before = seat.client.state;
        let result = call(seat, &mut ctx, &mut self.buffer);
        if seat.client.state == State::Live && before != State::Live {
            self.queue.on_ready(seat, &mut ctx);
        }
        if seat.client.has_output() && !seat.dirty {
            seat.dirty = true;
            self.dirty.push(index);
        }
        Some(result)
    }

    /// A socket is ready.
    fn serve(&mut self, index: u32, readable: bool, writable: bool) {
        let now = clock::now();
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let Some(seat) = self.seats.get(at) else { return };
        if seat.client.state == State::Connecting {
            if writable {
                self.on_connected(index, now);
            }
            return;
        }
        if writable && seat.is_blocked() {
            self.flush_one(index, now);
        }
        if readable && self.seats.get(at).is_some_and(|seat| !seat.trickles) {
            self.read(index, now);
        }
    }

    fn read(&mut self, index: u32, now: u64) {
        let mut moves = Moves::default();
        let result = self.with(index, now, |seat, ctx, buffer| {
            let result = seat.read(buffer, ctx, &mut moves);
            if ctx.is_measured(now) {
                ctx.tally.counts.bytes_read += moves.bytes;
                ctx.tally.counts.generator_syscalls += moves.calls;
            }
            result
        });
        if let Some(Err(broken)) = result {
            self.on_broken(index, now, &broken);
        }
    }

    /// Writes for everyone who has something to say.
    fn flush(&mut self, now: u64) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for index in dirty.drain(..) {
            self.flush_one(index, now);
        }
        self.dirty = dirty;
    }

    fn flush_one(&mut self, index: u32, now: u64) {
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let Some(seat) = self.seats.get_mut(at) else { return };
        seat.dirty = false;
        let mut moves = Moves::default();
        let result = seat.flush(&mut moves);
        if self.traffic.as_ref().is_some_and(|traffic| traffic.measured.contains(&now)) {
            self.tally.counts.bytes_written += moves.bytes;
            self.tally.counts.generator_syscalls += moves.calls;
        }
        if let Err(broken) = result {
            self.on_broken(index, now, &broken);
        }
    }

    fn ring(&mut self, index: u32, alarm: Alarm, now: u64) {
        match alarm {
            Alarm::Connect => self.queue.push(index),
            Alarm::Wake => {
                self.with(index, now, |seat, ctx, _| seat.client.pump(ctx));
            }
            Alarm::Ack => {
                self.with(index, now, |seat, ctx, _| seat.client.acknowledge(ctx));
            }
            Alarm::Leave => {
                if self.with(index, now, |seat, _, _| seat.client.leaves(now)) == Some(true) {
                    self.on_broken(index, now, &Broken::Closed(1000));
                }
            }
            Alarm::Trickle => self.trickle(index, now),
        }
    }

    /// Reads a byte for a slow reader, and again a second later.
    fn trickle(&mut self, index: u32, now: u64) {
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        if self.seats.get(at).is_some_and(|seat| seat.trickles) {
            self.read(index, now);
            self.timers.set(now + SECOND, index, Alarm::Trickle);
        }
    }

    /// Sends what keeps connections alive that have been silent since they were last looked at.
    fn beat(&mut self, now: u64) {
        let interval = self.plan.ping_seconds.saturating_mul(SECOND).max(1);
        let (next, since) = self.beat;
        let passed = u128::from(now.saturating_sub(since));
        let count = u128::try_from(self.seats.len()).unwrap_or_default();
        let goal = usize::try_from(passed * count / u128::from(interval)).unwrap_or(usize::MAX);
        for at in next..goal.min(self.seats.len()) {
            let Some(seat) = self.seats.get_mut(at) else { break };
            // Who reads a byte a second says nothing else.
            let silent = !std::mem::take(&mut seat.active) || seat.trickles;
            if silent && seat.client.state == State::Live {
                let index = u32::try_from(at).unwrap_or(u32::MAX);
                self.with(index, now, |seat, _, _| seat.client.ping());
            }
        }
        self.beat = if goal >= self.seats.len() { (0, now) } else { (goal.max(next), since) };
    }

    fn reply(&mut self) -> Reply {
        Reply::Done(Box::new(std::mem::take(&mut self.tally)))
    }

    /// A wait is a call of the kernel too.
    fn count_call(&mut self) {
        let now = clock::now();
        if self.traffic.as_ref().is_some_and(|traffic| traffic.measured.contains(&now)) {
            self.tally.counts.generator_syscalls += 1;
        }
    }
}
