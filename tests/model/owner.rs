//! What an owner does: looks messages up, appends them, and finds out what became of them.
//!
//! This is `Owner` of `src/chat`: `read_head` is its `load` and what `look_back` reads for a floor above the
//! head, `decide` its `attempt`, `resolve` and `catch_up` are named alike.

use crate::rules::Rule;
use crate::state::{Action, Messages, Owner, Phase, State, Statement};
use crate::steps::{Event, Steps, Turn};
use crate::store::{self, Next};

impl Steps<'_> {
    pub(crate) fn of_owner(&mut self, owner: u8) {
        let Owner { messages, head, phase, .. } = *self.from.owner(owner);
        if messages.is_empty() {
            return;
        }
        match (phase, head) {
            (Phase::Appending(statement), _) => self.await_answer(owner, statement),
            (Phase::Doubting, Some(head)) => self.resolve(owner, head),
            (Phase::Gathering, Some(head)) if !self.is_below_floor(owner, head) => {
                self.decide(owner, head);
            }
            (Phase::Gathering | Phase::Doubting, _) => self.read_head(owner),
        }
        self.add(Event::OwnerCrashes { owner }, true, |turn| {
            turn.leave_all_open(owner);
            if let Phase::Appending(statement) = phase {
                turn.state.lose(statement);
            }
            *turn.state.owner_mut(owner) = Owner::default();
        });
    }

    /// Whether a client has seen more of the log than the owner has.
    fn is_below_floor(&self, owner: u8, head: u8) -> bool {
        let is_beyond = |message: u8| self.from.client(message).floor > head + 1;
        self.from.owner(owner).messages.iter().any(is_beyond)
    }

    fn read_head(&mut self, owner: u8) {
        for (start, is_luck) in store::starts(self.from) {
            self.add(Event::OwnerReadsHead { owner, start }, is_luck, |turn| {
                turn.state.owner_mut(owner).head = Some(turn.read_head(start));
            });
        }
        self.add(Event::OwnerCannotRead { owner }, true, |turn| turn.refuse_all(owner));
    }

    /// Answers what is in the log already, and begins to append the rest.
    fn decide(&mut self, owner: u8, head: u8) {
        let copy_of = |message: u8| {
            let found = self.from.sequence_of(message)?;
            let looked_at = self.from.client(message).floor..=head;
            let is_found = looked_at.contains(&found) && self.rules.keep(Rule::LookUpFirst);
            is_found.then_some(found)
        };
        let messages = self.from.owner(owner).messages;
        let new: Messages = messages.iter().filter(|message| copy_of(*message).is_none()).collect();
        let copies: Vec<(u8, u8)> =
            messages.iter().filter_map(|message| Some((message, copy_of(message)?))).collect();
        let answer_copies = |turn: &mut Turn<'_>| {
            turn.state.owner_mut(owner).messages = new;
            for (message, found) in &copies {
                turn.acknowledge(owner, *message, *found);
            }
        };
        if new.is_empty() {
            self.add(Event::OwnerFindsCopies { owner }, false, answer_copies);
            return;
        }
        for (statement, is_luck) in store::beginnings(self.rules, self.from, head, new) {
            self.add(Event::OwnerBegins { owner, statement }, is_luck, |turn| {
                answer_copies(turn);
                turn.state.owner_mut(owner).phase = Phase::Appending(statement);
                if !turn.rules.keep(Rule::StoreBeforeAnswer) {
                    turn.acknowledge_all(owner);
                }
            });
        }
    }

    fn await_answer(&mut self, owner: u8, statement: Statement) {
        let mut after = *self.from;
        let is_applied = store::execute(self.rules, &mut after, statement);
        self.take_answer(owner, statement, &after, is_applied);
        if is_applied && !self.rules.keep(Rule::DriverNeverRepeats) {
            self.take_answer(owner, statement, &after, false);
        }
        self.add(Event::OwnerCannotSend { owner, statement }, true, |turn| turn.fail(owner));
        self.add(Event::OwnerLosesAnswer { owner, statement }, true, |turn| {
            turn.state.lose(statement);
            match statement.action {
                // The entries have not left yet.
                Action::Seal => turn.fail(owner),
                Action::Append(_) | Action::Open(_) if turn.rules.keep(Rule::LostIsUnknown) => {
                    let owner = turn.state.owner_mut(owner);
                    (owner.phase, owner.in_doubt) = (Phase::Doubting, true);
                }
                Action::Append(_) | Action::Open(_) => turn.refuse_all(owner),
            }
        });
    }

    /// The answer to `statement` arrives, which has led to the state `after`.
    fn take_answer(&mut self, owner: u8, statement: Statement, after: &State, is_applied: bool) {
        let messages = self.from.owner(owner).messages;
        let answered = Event::OwnerIsAnswered { owner, statement };
        match store::after(self.rules, after, messages, statement, is_applied) {
            Next::Applied => self.add(answered, false, |turn| {
                turn.state = *after;
                turn.acknowledge_all(owner);
            }),
            Next::Send(next) => self.add(answered, false, |turn| {
                turn.state = *after;
                turn.state.owner_mut(owner).phase = Phase::Appending(next);
            }),
            Next::Stale => {
                for (start, is_luck) in store::starts(after) {
                    self.add(Event::OwnerIsStale { owner, statement, start }, is_luck, |turn| {
                        turn.state = *after;
                        turn.catch_up(owner, start);
                    });
                }
                let event = Event::OwnerIsStaleAndCannotRead { owner, statement };
                self.add(event, true, |turn| {
                    turn.state = *after;
                    turn.fail(owner);
                });
            }
        }
    }

    /// The outcome of an append is unknown: it is tried again, as it was.
    fn resolve(&mut self, owner: u8, head: u8) {
        let messages = self.from.owner(owner).messages;
        for (statement, is_luck) in store::beginnings(self.rules, self.from, head, messages) {
            self.add(Event::OwnerTriesAgain { owner, statement }, is_luck, |turn| {
                turn.state.owner_mut(owner).phase = Phase::Appending(statement);
            });
        }
        self.add(Event::OwnerTellsUnknown { owner }, true, |turn| turn.leave_all_open(owner));
        if !self.rules.keep(Rule::AbsenceProvesNothing) {
            self.add(Event::OwnerTrustsAbsence { owner }, false, |turn| {
                let read = turn.read_head(0);
                turn.acknowledge_found(owner, head, read);
                turn.refuse_all(owner);
            });
        }
    }
}

impl Turn<'_> {
    /// Answers everything as surely not applied.
    fn refuse_all(&mut self, owner: u8) {
        let messages = self.state.owner(owner).messages;
        messages.iter().for_each(|message| self.refuse(owner, message));
        *self.state.owner_mut(owner) = Owner::default();
    }

    /// This try of the append surely failed.
    fn fail(&mut self, owner: u8) {
        if self.state.owner(owner).in_doubt && self.rules.keep(Rule::DoubtOutlivesFailure) {
            self.state.owner_mut(owner).phase = Phase::Doubting;
        } else {
            self.refuse_all(owner);
        }
    }

    /// Everything is stored, right above the head.
    fn acknowledge_all(&mut self, owner: u8) {
        let Owner { messages, head, .. } = *self.state.owner(owner);
        let above = head.unwrap_or_default() + 1;
        for (message, sequence) in messages.iter().zip(above..) {
            self.acknowledge(owner, message, sequence);
        }
        *self.state.owner_mut(owner) = Owner::default();
    }

    /// Answers what lies above `before` and up to `read`.
    fn acknowledge_found(&mut self, owner: u8, before: u8, read: u8) {
        for message in self.state.owner(owner).messages.iter() {
            let found = self.state.sequence_of(message);
            if let Some(found) = found.filter(|found| *found > before && *found <= read) {
                self.acknowledge(owner, message, found);
                self.state.owner_mut(owner).messages.remove(message);
            }
        }
    }

    /// The log does not end where the owner thought: it reads on and decides anew. What is in doubt stays
    /// so until a longer log has been read.
    fn catch_up(&mut self, owner: u8, start: u8) {
        let Owner { head, in_doubt, .. } = *self.state.owner(owner);
        let before = head.unwrap_or_default();
        let read = self.read_head(start);
        if in_doubt && read <= before {
            self.state.owner_mut(owner).phase = Phase::Doubting;
            return;
        }
        if in_doubt && self.rules.keep(Rule::FoundIsAcknowledged) {
            self.acknowledge_found(owner, before, read);
        }
        let messages = self.state.owner(owner).messages;
        let again = store::beginnings(self.rules, &self.state, read, messages);
        let phase = match again.first() {
            Some((statement, _)) if !self.rules.keep(Rule::LookUpAfterStale) => {
                Phase::Appending(*statement)
            }
            _ => Phase::Gathering,
        };
        let head = Some(read);
        *self.state.owner_mut(owner) = Owner { messages, head, phase, in_doubt: false };
    }
}
