//! The draft of a batch: entries to be appended, and whose they are.

use super::in_flight::UnderWay;
use super::members::Members;
use super::owner::{Action, Emit, Request};
use crate::model::{
    ClientMessageId, CommandError, Content, ConversationId, Entry, Head, Outcome, Sent, Sequence,
    Timestamp, UserId,
};
use smallvec::SmallVec;
use std::rc::Rc;

/// The contents of one request, each with the id its entry carries.
pub(super) type Contents = SmallVec<[(ClientMessageId, Content); 2]>;

/// Entries to be appended, and whose they are.
#[derive(Debug)]
pub(super) struct Draft<T> {
    /// Where the log ended when it was drawn up.
    pub(super) expected: Sequence,
    pub(super) accepted_at: Timestamp,
    pub(super) entries: Vec<Entry>,
    accepted: Vec<Accepted<T>>,
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
    request: Request<()>,
    /// Where its answer goes; taken when it is answered.
    ticket: Option<T>,
    /// The index of the entry that answers it.
    last: usize,
    /// The same send again, from other connections or doors.
    twins: Vec<Request<T>>,
}

impl<T> Draft<T> {
    /// An empty draft on top of what is committed.
    pub(super) fn new(head: Head, members: Rc<Members>, now: Timestamp, requests: usize) -> Self {
        Self {
            expected: head.sequence,
            accepted_at: now,
            entries: Vec::with_capacity(requests),
            accepted: Vec::with_capacity(requests),
            head,
            members,
            under_way: None,
        }
    }

    /// The index of the same send earlier in the draft; a conflict if it says something else.
    pub(super) fn twin(
        &self,
        user: UserId,
        client_message: ClientMessageId,
        content: &Content,
    ) -> Result<Option<usize>, CommandError> {
        let same = |accepted: &Accepted<T>| match &accepted.request.action {
            Action::Send { client_message: id, content, .. } => {
                (accepted.request.actor.user == user && *id == client_message)
                    .then(|| content.fingerprint())
            }
            Action::Group(_) | Action::Note(_) => None,
        };
        let found = self.accepted.iter().enumerate().find_map(|(i, a)| Some((i, same(a)?)));
        match found {
            Some((index, fingerprint)) if fingerprint == content.fingerprint() => Ok(Some(index)),
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

    /// Adds the entries of one request.
    pub(super) fn push(&mut self, request: Request<T>, contents: Contents) {
        for (client_message, content) in contents {
            let counted = u64::from(content.kind().counts());
            let entry = Entry {
                sequence: self.head.sequence.next(),
                ordinal: self.head.ordinal.plus(counted),
                sender: Some(request.actor.user),
                sent_at: self.accepted_at.max(self.head.sent_at),
                client_message: Some(client_message),
                fingerprint: content.fingerprint(),
                content,
                edited: None,
                erased: None,
            };
            self.head = Head::from(&entry);
            if let Content::Member { .. } = entry.content {
                Rc::make_mut(&mut self.members).fold(&entry);
            }
            self.entries.push(entry);
        }
        let last = self.entries.len().saturating_sub(1);
        let (request, ticket) = request.split();
        self.accepted.push(Accepted { request, ticket: Some(ticket), last, twins: Vec::new() });
    }

    fn index_of(&self, entry: &Entry) -> Option<usize> {
        let key = |entry: &Entry| (entry.sender, entry.client_message, entry.fingerprint);
        self.entries.iter().position(|drafted| key(drafted) == key(entry))
    }

    /// The answer to the request that an entry read from the log answers, if it had none yet.
    pub(super) fn answer_of(
        &mut self,
        conversation: ConversationId,
        entry: &Entry,
    ) -> Option<(T, Outcome)> {
        let index = self.index_of(entry)?;
        let accepted = self.accepted.iter_mut().find(|accepted| accepted.last == index);
        let accepted = accepted?;
        let ticket = accepted.ticket.take()?;
        Some((ticket, outcome(&accepted.request.action, conversation, entry, false)))
    }

    /// Tells the entries, each request answered in the place of its last one.
    pub(super) fn answer(
        self,
        conversation: ConversationId,
        told: Vec<(Rc<Entry>, Rc<[UserId]>)>,
        emits: &mut Vec<Emit<T>>,
    ) {
        let mut accepted = self.accepted.into_iter().peekable();
        for (index, (entry, audience)) in told.into_iter().enumerate() {
            let Some(done) = accepted.next_if(|accepted| accepted.last == index) else {
                emits.push(Emit::Entry { entry, audience, answer: None });
                continue;
            };
            let Accepted { request: Request { action, .. }, ticket, twins, .. } = done;
            let sent = outcome(&action, conversation, &entry, false);
            let twin = outcome(&action, conversation, &entry, true);
            let answer = ticket.map(|ticket| (ticket, sent));
            emits.push(Emit::Entry { entry, audience, answer });
            emits.extend(
                twins
                    .into_iter()
                    .map(|r| Emit::Reply { ticket: r.ticket, result: Ok(twin.clone()) }),
            );
        }
    }

    /// The requests that have no answer yet, in order.
    pub(super) fn into_unanswered(mut self) -> Vec<Request<T>> {
        self.accepted.drain(..).flat_map(Accepted::unanswered).collect()
    }

    /// Like [`Draft::into_unanswered`], but keeps the entries, which may yet prove stored.
    pub(super) fn take_unanswered(&mut self) -> Vec<Request<T>> {
        let mut unanswered = Vec::new();
        for accepted in &mut self.accepted {
            let ticket = accepted.ticket.take();
            unanswered.extend(ticket.map(|ticket| accepted.request.clone().with(ticket)));
            unanswered.append(&mut accepted.twins);
        }
        unanswered
    }
}

impl<T> Accepted<T> {
    fn unanswered(self) -> impl Iterator<Item = Request<T>> {
        let own = self.ticket.map(|ticket| self.request.with(ticket));
        own.into_iter().chain(self.twins)
    }
}

fn outcome(
    action: &Action,
    conversation: ConversationId,
    entry: &Entry,
    duplicate: bool,
) -> Outcome {
    match action {
        Action::Send { .. } => Outcome::Sent(Sent {
            conversation,
            sequence: entry.sequence,
            ordinal: entry.ordinal,
            sent_at: entry.sent_at,
            duplicate,
        }),
        Action::Group(_) | Action::Note(_) => Outcome::Done,
    }
}
