//! Everything that can happen next: what clients do, what the network and the database do, and what
//! must never come of it. What owners do is in `owner`.

use crate::rules::{Rule, Rules};
use crate::state::{Action, CLIENTS, FOREIGN, NAMES, Phase, Progress, State, Statement};
use crate::store;

/// What happens in a step, for people to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    ClientSends { message: u8, owner: u8 },
    ClientLosesConnection { message: u8 },
    ClientRaisesFloor { message: u8 },
    ClientGivesUp { message: u8 },
    OwnerReadsHead { owner: u8, start: u8 },
    OwnerCannotRead { owner: u8 },
    OwnerFindsCopies { owner: u8 },
    OwnerBegins { owner: u8, statement: Statement },
    OwnerIsAnswered { owner: u8, statement: Statement },
    OwnerIsStale { owner: u8, statement: Statement, start: u8 },
    OwnerIsStaleAndCannotRead { owner: u8, statement: Statement },
    OwnerCannotSend { owner: u8, statement: Statement },
    OwnerLosesAnswer { owner: u8, statement: Statement },
    OwnerTriesAgain { owner: u8, statement: Statement },
    OwnerTellsUnknown { owner: u8 },
    OwnerTrustsAbsence { owner: u8 },
    OwnerCrashes { owner: u8 },
    LostStatementTakesEffect { statement: Statement },
    ThirdWriterAppends,
    ThirdWriterSeals,
}

/// A promise that was broken.
pub(crate) type Breach = &'static str;

/// One step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub event: Event,
    /// Whether it takes a fault or good fortune: no progress may depend on it.
    pub is_luck: bool,
    pub state: State,
    pub breach: Option<Breach>,
}

/// The steps from one state.
pub(crate) struct Steps<'a> {
    pub rules: &'a Rules,
    pub from: &'a State,
    found: &'a mut Vec<Step>,
}

/// Puts everything that can happen in `from` into `found`.
pub(crate) fn find(rules: &Rules, from: &State, found: &mut Vec<Step>) {
    found.clear();
    let mut steps = Steps { rules, from, found };
    (0..rules.bounds.messages).for_each(|message| steps.of_client(message));
    (0..2).for_each(|owner| steps.of_owner(owner));
    steps.of_database();
}

impl Steps<'_> {
    pub(crate) fn add(&mut self, event: Event, is_luck: bool, change: impl FnOnce(&mut Turn<'_>)) {
        let mut turn = Turn { rules: self.rules, state: *self.from, breach: None };
        change(&mut turn);
        let Turn { mut state, breach, .. } = turn;
        state.tidy(|state, statement| store::is_dead(self.rules, state, statement));
        let breach = breach_of(&state).or(breach);
        self.found.push(Step { event, is_luck, state, breach });
    }

    fn of_client(&mut self, message: u8) {
        let client = *self.from.client(message);
        if client.waits_for.is_some() {
            let event = Event::ClientLosesConnection { message };
            self.add(event, true, |turn| turn.leave_open(message));
        } else if matches!(client.progress, Progress::Unsent | Progress::Sending) {
            for owner in (0..2).filter(|owner| self.from.owner(*owner).phase == Phase::Gathering) {
                let event = Event::ClientSends { message, owner };
                self.add(event, false, |turn| turn.send(message, owner));
            }
            let above = self.from.last() + 1;
            if client.progress == Progress::Sending
                && self.from.sequence_of(message).is_none()
                && client.floor < above
            {
                self.add(Event::ClientRaisesFloor { message }, true, |turn| {
                    turn.state.client_mut(message).floor = above;
                });
            }
            if client.progress == Progress::Sending && !client.is_open {
                self.add(Event::ClientGivesUp { message }, true, |turn| {
                    turn.state.client_mut(message).progress = Progress::GivenUp;
                });
            }
        }
    }

    fn of_database(&mut self) {
        for statement in self.from.lost() {
            let mut after = *self.from;
            if store::execute(self.rules, &mut after, statement) {
                let event = Event::LostStatementTakesEffect { statement };
                self.add(event, true, |turn| turn.state = after);
            }
        }
        let last = self.from.chain().last().unwrap_or_default();
        if self.from.log().filter(|entry| *entry == FOREIGN).count() < self.rules.bounds.foreign {
            self.add(Event::ThirdWriterAppends, true, |turn| {
                let expected = turn.state.last();
                let bucket = turn.state.bucket_mut(last);
                if bucket.is_absent() {
                    bucket.begin(expected);
                }
                bucket.push(FOREIGN);
            });
        }
        if self.from.chain().count() <= self.rules.bounds.rolls {
            let mut after = *self.from;
            let expected = after.last();
            let seal = Statement { action: Action::Seal, bucket: last, expected };
            if store::execute(self.rules, &mut after, seal) {
                self.add(Event::ThirdWriterSeals, true, |turn| turn.state = after);
            }
        }
    }
}

/// A state in the middle of a step.
pub(crate) struct Turn<'a> {
    pub rules: &'a Rules,
    pub state: State,
    breach: Option<Breach>,
}

impl Turn<'_> {
    /// A client sends its message, for the first time or again. It knows the whole log, so that its
    /// floor is as high as it can be.
    fn send(&mut self, message: u8, owner: u8) {
        let above = self.state.last() + 1;
        let client = self.state.client_mut(message);
        if client.progress == Progress::Unsent || !self.rules.keep(Rule::FloorIsFixed) {
            client.floor = above;
        }
        client.progress = Progress::Sending;
        client.waits_for = Some(owner);
        self.state.owner_mut(owner).messages.insert(message);
    }

    /// An attempt ends without an answer, or with none that says anything.
    fn leave_open(&mut self, message: u8) {
        let client = self.state.client_mut(message);
        client.waits_for = None;
        client.is_open = true;
    }

    /// Leaves the attempts at an owner open.
    pub(crate) fn leave_all_open(&mut self, owner: u8) {
        for message in 0..CLIENTS {
            if self.state.client(message).waits_for == Some(owner) {
                self.leave_open(message);
            }
        }
    }

    /// An owner answers a message as stored.
    pub(crate) fn acknowledge(&mut self, owner: u8, message: u8, sequence: u8) {
        if self.state.sequence_of(message) != Some(sequence) {
            self.breach = Some("a message is acknowledged that is not stored there");
        }
        let client = self.state.client_mut(message);
        if client.waits_for == Some(owner) {
            client.progress = Progress::Acknowledged;
            client.waits_for = None;
            client.is_open = false;
        }
    }

    /// An owner answers a message as surely not applied.
    pub(crate) fn refuse(&mut self, owner: u8, message: u8) {
        let client = self.state.client_mut(message);
        if client.waits_for == Some(owner) {
            client.waits_for = None;
        }
    }

    /// Reads where the log ends, beginning at the bucket `start`.
    pub(crate) fn read_head(&mut self, start: u8) -> u8 {
        let head = store::head(self.rules, &self.state, start);
        let is_acknowledged = |entry: u8| {
            entry == FOREIGN || self.state.client(entry).progress == Progress::Acknowledged
        };
        if self.state.log().skip(usize::from(head)).any(is_acknowledged) {
            self.breach = Some("the head that is read lies below an acknowledged entry");
        }
        head
    }
}

/// What must not be true of any state.
fn breach_of(state: &State) -> Option<Breach> {
    if state.chain().count() > NAMES {
        return Some("the chain of buckets leads back into itself");
    }
    let mut last = 0;
    for bucket in state.chain().map(|name| state.bucket(name)) {
        if !bucket.is_absent() {
            if bucket.before != last {
                return Some("a sequence is missing or given twice");
            }
            last = bucket.last();
        }
    }
    (0..CLIENTS).find_map(|message| {
        let copies = state.log().filter(|entry| *entry == message).count();
        match (copies, state.client(message).progress) {
            (0, Progress::Acknowledged) => Some("an acknowledged message is not stored"),
            (1, Progress::GivenUp) => Some("a message is stored that surely was not"),
            (0 | 1, _) => None,
            _ => Some("a message is stored twice"),
        }
    })
}
