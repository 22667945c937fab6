//! The draft of a batch: entries to be appended, and whose they are.
//!
//! It is written where it stays until its entries are told, and used again for the next batch.

use super::effects::has_effects;
use super::emits::{Answer, Emits};
use super::in_flight::UnderWay;
use super::members::Members;
use super::owner::{Action, Lane, Request};
use crate::model::{
    Actor, ClientMessageId, CommandError, Content, ConversationId, Entry, Head, Sequence,
    Timestamp, UserId,
};
use std::rc::Rc;

/// What a request other than a send adds: contents, each with the id its entry carries.
pub(super) type Contents = Vec<(ClientMessageId, Content)>;

/// Entries to be appended, and whose they are.
#[derive(Debug)]
pub(super) struct Draft<T> {
    /// Where the log ended when it was drawn up.
    pub(super) expected: Sequence,
    pub(super) accepted_at: Timestamp,
    pub(super) entries: Vec<Entry>,
    /// Whether something beyond the log follows from an entry.
    pub(super) has_effects: bool,
    accepted: Vec<Accepted<T>>,
    /// Who may see each entry, once they are stored; empty where all are the members' to see.
    pub(super) audiences: Vec<Rc<[UserId]>>,
    /// Where the log will end.
    pub(super) head: Head,
    /// The members as they will be.
    pub(super) members: Rc<Members>,
    /// Set from its first append on: no resting point of SYNC is placed after its entries before
    /// they are visible, however long their outcome stays unknown.
    pub(super) under_way: Option<UnderWay>,
}

#[derive(Debug)]
struct Accepted<T> {
    actor: Actor,
    wish: Wish,
    lane: Option<Lane>,
    /// Where its answer goes; taken when it is answered.
    ticket: Option<T>,
    /// The index of the entry that answers it.
    last: usize,
    /// The same send again, from other connections or doors.
    twins: Vec<Request<T>>,
}

/// What was asked for.
#[derive(Clone, Debug)]
enum Wish {
    /// To send what its entry holds: it is not kept twice.
    Send { floor: Option<Sequence> },
    /// Anything else, from which its entries follow.
    Other(Box<Action>),
}

impl<T> Draft<T> {
    /// An empty draft on top of what is committed.
    pub(super) fn new(head: Head, members: Rc<Members>, now: Timestamp) -> Self {
        Self {
            expected: head.sequence,
            accepted_at: now,
            entries: Vec::new(),
            has_effects: false,
            accepted: Vec::new(),
            audiences: Vec::new(),
            head,
            members,
            under_way: None,
        }
    }

    /// Puts a draft whose entries are told on top of what is committed now.
    pub(super) fn renew(&mut self, head: Head, members: &Rc<Members>, now: Timestamp) {
        self.expected = head.sequence;
        self.accepted_at = now;
        self.head = head;
        if !Rc::ptr_eq(&self.members, members) {
            self.members = Rc::clone(members);
        }
    }

    /// The index of the same send earlier in the draft; a conflict if it says something else.
    pub(super) fn twin(
        &self,
        user: UserId,
        client_message: ClientMessageId,
        content: &Content,
    ) -> Result<Option<usize>, CommandError> {
        let key = (Some(user), Some(client_message));
        let same = |entry: &&Entry| (entry.sender, entry.client_message) == key;
        let sent = |accepted: &Accepted<T>| match accepted.wish {
            Wish::Send { .. } => self.entries.get(accepted.last).filter(same),
            Wish::Other(_) => None,
        };
        let found = self.accepted.iter().enumerate().find_map(|(i, a)| Some((i, sent(a)?)));
        match found {
            Some((index, entry)) if entry.fingerprint == content.fingerprint() => Ok(Some(index)),
            Some(_) => Err(CommandError::reused_client_id()),
            None => Ok(None),
        }
    }

    /// Lets a request share the answer of the one at `index`.
    pub(super) fn attach(&mut self, index: usize, twin: Request<T>) {
        if let Some(accepted) = self.accepted.get_mut(index) {
            accepted.twins.push(twin);
        }
    }

    /// Adds the entries of one request: what it sends, else `contents`.
    pub(super) fn push(&mut self, request: Request<T>, contents: Contents) {
        let Request { actor, action, lane, ticket } = request;
        let wish = match action {
            Action::Send { client_message, floor, content } => {
                self.append(actor.user, client_message, content);
                Wish::Send { floor }
            }
            Action::Group(_) | Action::Note(_) => {
                for (client_message, content) in contents {
                    self.append(actor.user, client_message, content);
                }
                Wish::Other(Box::new(action))
            }
        };
        let last = self.entries.len().saturating_sub(1);
        let ticket = Some(ticket);
        self.accepted.push(Accepted { actor, wish, lane, ticket, last, twins: Vec::new() });
    }

    fn append(&mut self, sender: UserId, client_message: ClientMessageId, content: Content) {
        let counted = u64::from(content.kind().counts());
        let entry = Entry {
            sequence: self.head.sequence.next(),
            ordinal: self.head.ordinal.plus(counted),
            sender: Some(sender),
            sent_at: self.accepted_at.max(self.head.sent_at),
            client_message: Some(client_message),
            fingerprint: content.fingerprint(),
            content,
            edited: None,
            erased: None,
        };
        self.head = Head::from(&entry);
        self.has_effects |= has_effects(&entry);
        if let Content::Member { .. } = entry.content {
            Rc::make_mut(&mut self.members).fold(&entry);
        }
        self.entries.push(entry);
    }

    fn index_of(&self, entry: &Entry) -> Option<usize> {
        let key = |entry: &Entry| (entry.sender, entry.client_message, entry.fingerprint);
        self.entries.iter().position(|drafted| key(drafted) == key(entry))
    }

    /// The answer to the request that an entry read from the log answers, if it had none yet.
    pub(super) fn answer_of(&mut self, entry: &Entry) -> Option<(T, Answer)> {
        let index = self.index_of(entry)?;
        let accepted = self.accepted.iter_mut().find(|accepted| accepted.last == index);
        let accepted = accepted?;
        let ticket = accepted.ticket.take()?;
        Some((ticket, accepted.wish.answer()))
    }

    /// Tells the entries, which are stored, each to its audience and each request answered in the place
    /// of its last one. `members` see what has no audience of its own. Leaves it empty.
    pub(super) fn answer(
        &mut self,
        conversation: ConversationId,
        members: &Rc<[UserId]>,
        emits: &mut impl Emits<T>,
    ) {
        let mut requests = self.accepted.iter_mut().peekable();
        for (index, entry) in self.entries.iter().enumerate() {
            let audience = self.audiences.get(index).unwrap_or(members);
            let Some(request) = requests.next_if(|next| next.last == index) else {
                emits.entry(entry, audience, None);
                continue;
            };
            let answer = request.wish.answer();
            emits.entry(entry, audience, request.ticket.take().map(|ticket| (ticket, answer)));
            for twin in request.twins.drain(..) {
                let outcome = answer.outcome(conversation, Head::from(entry), true);
                emits.reply(twin.ticket, Ok(outcome));
            }
        }
        self.entries.clear();
        self.accepted.clear();
        self.audiences.clear();
        self.has_effects = false;
        self.under_way = None;
    }

    /// Takes out the requests that have no answer yet, in order. The entries stay: they may yet prove
    /// stored.
    pub(super) fn take_unanswered(&mut self) -> Vec<Request<T>> {
        let mut unanswered = Vec::new();
        for accepted in &mut self.accepted {
            let entry = self.entries.get(accepted.last);
            unanswered.extend(entry.and_then(|entry| accepted.take_request(entry)));
            unanswered.append(&mut accepted.twins);
        }
        unanswered
    }
}

impl<T> Accepted<T> {
    /// The request as it came, unless it was answered; `entry` is the one that would answer it.
    fn take_request(&mut self, entry: &Entry) -> Option<Request<T>> {
        let action = match &self.wish {
            Wish::Send { floor } => Action::Send {
                client_message: entry.client_message?,
                floor: *floor,
                content: entry.content.clone(),
            },
            Wish::Other(action) => Action::clone(action),
        };
        let ticket = self.ticket.take()?;
        Some(Request { actor: self.actor, action, lane: self.lane, ticket })
    }
}

impl Wish {
    fn answer(&self) -> Answer {
        match self {
            Self::Send { .. } => Answer::Sent,
            Self::Other(_) => Answer::Done,
        }
    }
}
