//! How what an owner decided reaches those whom it concerns.
//!
//! An owner says what came of its requests to whatever takes it, one thing at a time and in the order in
//! which it is to be told, so that nothing is gathered on the way. It knows neither doors nor connections.

use super::owner::Owner;
use crate::model::{CommandError, ConversationId, Entry, Head, Outcome, Sent, UserId};
use std::rc::Rc;

/// Takes what comes of requests. `T` is what a caller finds its requests again by.
pub trait Emits<T> {
    /// The owner has moved on: said before anything that follows from it, since whoever is told may read
    /// at once.
    fn moved(&mut self, owner: &Owner<T>);

    /// Answers a request.
    fn reply(&mut self, ticket: T, result: Result<Outcome, CommandError>);

    /// Tells a new entry to everyone who may see it. `answer` is set on the entry that answers a
    /// request: the answer stands in the entry's place where it came from.
    fn entry(&mut self, entry: &Entry, audience: &Rc<[UserId]>, answer: Option<(T, Answer)>);
}

/// What the answer to a request that led to an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Where the entry is stored.
    Sent,
    /// Nothing but that it is done.
    Done,
}

impl Answer {
    /// The answer to whoever asked for an entry that is stored `at`.
    pub fn outcome(self, conversation: ConversationId, at: Head, duplicate: bool) -> Outcome {
        let Head { sequence, ordinal, sent_at } = at;
        match self {
            Self::Sent => {
                Outcome::Sent(Sent { conversation, sequence, ordinal, sent_at, duplicate })
            }
            Self::Done => Outcome::Done,
        }
    }
}

/// One thing that came of requests, for whoever would rather look at all of it later.
#[derive(Clone, Debug)]
pub enum Emit<T> {
    /// An answer.
    Reply {
        /// Whose.
        ticket: T,
        /// Which.
        result: Result<Outcome, CommandError>,
    },
    /// A new entry.
    Entry {
        /// The entry.
        entry: Entry,
        /// Everyone who may see it.
        audience: Rc<[UserId]>,
        /// Set on the entry that answers a request.
        answer: Option<(T, Answer)>,
    },
}

impl<T> Emits<T> for Vec<Emit<T>> {
    fn moved(&mut self, _: &Owner<T>) {}

    fn reply(&mut self, ticket: T, result: Result<Outcome, CommandError>) {
        self.push(Emit::Reply { ticket, result });
    }

    fn entry(&mut self, entry: &Entry, audience: &Rc<[UserId]>, answer: Option<(T, Answer)>) {
        let (entry, audience) = (entry.clone(), Rc::clone(audience));
        self.push(Emit::Entry { entry, audience, answer });
    }
}
