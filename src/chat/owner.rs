//! The one writer of a conversation: it sees every change in order and decides with what was
//! committed before it.
//!
//! Invariants: at most one append is under way; sequences are given out by the append itself (the
//! store refuses one that does not continue the log); nothing is told to anyone before it is
//! durable; [`Owner::commit`] answers every request exactly once.

use super::Chat;
use super::cursors::Known;
use super::draft::Draft;
use super::effects::{Unwritten, has_effects};
use super::emits::Emits;
use super::fetch::body_bytes;
use super::members::Members;
use super::recent::Recent;
use super::view::View;
use crate::model::{
    Actor, ClientMessageId, CommandError, Content, Conversation, ConversationId, ConversationKind,
    Cursor, CursorAdvance, Entry, Head, Role, Sequence, Settings, Timestamp, Title, UserId,
};
use crate::store::{Append, Appended, Direction, Range, Store, StoreError};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::rc::Rc;

/// The most requests that become one append.
pub const BATCH_REQUESTS_MAX: usize = 64;

/// The most bytes that requests gathered for one append say together; one alone may say more. A
/// database takes an append in one piece, and refuses too large ones.
pub const BATCH_BYTES_MAX: usize = 512 * 1024;

/// How often a batch is tried again after another writer was first.
const STALE_ATTEMPTS_MAX: usize = 5;

/// A connection's place between two RESUMEs: what a refusal holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lane {
    /// The connection, by any three numbers that are its own while it lives.
    pub connection: [u32; 3],
    /// How many RESUMEs it had sent.
    pub resumes: u32,
}

/// What a group can become.
#[derive(Clone, Debug)]
pub enum GroupChange {
    /// It begins; nothing if it has begun.
    Begin {
        /// Its title.
        title: Title,
        /// Everyone, its creator included.
        members: Vec<UserId>,
    },
    /// Users are added; those present are left as they are.
    Add(Vec<UserId>),
    /// A user is taken out, or the actor leaves.
    Remove(UserId),
    /// It gets another title.
    Rename(Title),
    /// A member gets another role.
    SetRole(UserId, Role),
}

/// What is to be appended.
#[derive(Clone, Debug)]
pub enum Action {
    /// A client's entry.
    Send {
        /// By what a resend is recognised.
        client_message: ClientMessageId,
        /// Where an earlier copy can lie at the earliest; `None` for the last entries of the span.
        floor: Option<Sequence>,
        /// What it says.
        content: Content,
    },
    /// A change of a group.
    Group(GroupChange),
    /// An account event in the actor's journal.
    Note(Content),
}

impl Action {
    /// About how many bytes of entries it leads to.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Send { content, .. } | Self::Note(content) => body_bytes(content),
            Self::Group(GroupChange::Begin { members: users, .. } | GroupChange::Add(users)) => {
                size_of_val(users.as_slice())
            }
            Self::Group(
                GroupChange::Remove(_) | GroupChange::Rename(_) | GroupChange::SetRole(..),
            ) => 0,
        }
    }
}

/// An action, who wants it and where the answer goes.
#[derive(Clone, Debug)]
pub struct Request<T> {
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// Set for sends of a connection.
    pub lane: Option<Lane>,
    /// Where the answer goes, whatever that is to the caller.
    pub ticket: T,
}

/// See the module. `T` is what a caller finds its requests again by.
#[derive(Debug)]
pub struct Owner<T> {
    pub(super) conversation: Conversation,
    pub(super) settings: Rc<Settings>,
    pub(super) members: Rc<Members>,
    pub(super) head: Head,
    pub(super) recent: Recent,
    pub(super) holds: Vec<(Lane, Timestamp)>,
    pub(super) doubt: Option<Box<Draft<T>>>,
    /// Effects of stored entries that could not be written yet.
    pub(super) unwritten: Unwritten,
    /// The last draft, told and empty, for the next batch.
    pub(super) blank: Option<Box<Draft<T>>>,
    known: Rc<Known>,
}

impl<T> Owner<T> {
    /// Loads a conversation and finishes what a crash left undone; `None` if there is none.
    ///
    /// Another server may append and write effects between any two of these reads, so their order
    /// matters: an effect of an entry up to the head read first is either written, and then found by
    /// the reads of rows that come last, or still marked as pending. Rows that are newer than the
    /// head do no harm: folding leaves them as they are.
    pub async fn load<S: Store>(
        chat: &Chat<S>,
        id: ConversationId,
    ) -> Result<Option<Self>, StoreError> {
        let store = &chat.store;
        let head = store.head(id).await?;
        let pending = store.pending_of(id).await?;
        let Some((conversation, settings)) = store.conversation(id).await? else {
            return Ok(None);
        };
        let rows = match conversation.kind() {
            ConversationKind::Group => store.members(id).await?,
            ConversationKind::Journal | ConversationKind::Direct => Vec::new(),
        };
        let mut owner = Self {
            conversation,
            settings: Rc::new(settings),
            members: Rc::new(Members::new(conversation, rows)),
            head,
            recent: Recent::after(head.sequence),
            holds: Vec::new(),
            doubt: None,
            unwritten: Unwritten::default(),
            blank: None,
            known: Rc::default(),
        };
        if let Some(pending) = pending {
            owner.recover(chat, pending).await?;
        }
        Ok(Some(owner))
    }

    /// What readers may know now.
    pub fn view(&self) -> View {
        View {
            conversation: self.conversation,
            settings: Rc::clone(&self.settings),
            members: Rc::clone(&self.members),
            head: self.head,
            known: Rc::clone(&self.known),
        }
    }

    /// Brings up to date what readers may know. Little of it changes with an entry.
    pub fn refresh(&self, view: &mut View) {
        view.head = self.head;
        if !Rc::ptr_eq(&view.settings, &self.settings) {
            view.settings = Rc::clone(&self.settings);
        }
        if !Rc::ptr_eq(&view.members, &self.members) {
            view.members = Rc::clone(&self.members);
        }
    }

    /// Gives back what it needs only while it works.
    pub fn rest(&mut self) {
        self.blank = None;
    }

    /// How many entries it remembers.
    pub fn remembered(&self) -> usize {
        self.recent.len()
    }

    /// Whether something is left to be done without a new request: then [`Owner::commit`] is to be
    /// called again after a while, with no requests.
    pub fn is_unsettled(&self) -> bool {
        self.doubt.is_some() || !self.unwritten.is_empty()
    }

    /// Decides and stores `requests`, in order, and tells `emits` what came of them. `requests` is left
    /// empty, the caller's to use again.
    pub async fn commit<S: Store>(
        &mut self,
        chat: &Chat<S>,
        now: Timestamp,
        requests: &mut VecDeque<Request<T>>,
        emits: &mut impl Emits<T>,
    ) {
        self.forget_holds(now);
        if self.is_unsettled() {
            self.write_effects(chat).await;
            put_back(self.resolve(chat, emits).await, requests);
        }
        for attempt in 0..STALE_ATTEMPTS_MAX {
            if requests.is_empty() {
                return;
            }
            // After the first attempt it knows how the log stood when these requests had come: either
            // its append was applied, or it has read the head.
            let current = attempt > 0 || !chat.store.is_shared();
            if let Err(error) = self.attempt(chat, (now, current), requests, emits).await {
                self.refuse(requests.drain(..), &error, now, emits);
                return;
            }
        }
        let busy = CommandError::overloaded("another writer was always first");
        self.refuse(requests.drain(..), &busy, now, emits);
    }

    /// Decides `requests` and appends what they lead to. Left in `requests` is, on `Ok`, what is to be
    /// decided anew and, on `Err`, what is to be refused with it.
    async fn attempt<S: Store>(
        &mut self,
        chat: &Chat<S>,
        (now, current): (Timestamp, bool),
        requests: &mut VecDeque<Request<T>>,
        emits: &mut impl Emits<T>,
    ) -> Result<(), CommandError> {
        if self.doubt.is_some() {
            return Err(CommandError::outcome_unknown());
        }
        let all = requests.make_contiguous();
        if !self.needs_no_look_back(all) {
            self.look_back(chat, all).await.map_err(|error| unapplied(&error))?;
        }
        let mut draft = self.admit(chat.settings(), (now, current), requests, emits);
        let Some(first) = draft.entries.first() else {
            if !requests.is_empty() {
                self.catch_up(chat, emits).await?;
            }
            return Ok(());
        };
        draft.under_way = Some(chat.in_flight.begin(first.sent_at));
        match chat.store.append(self.append_of(&draft)).await {
            Ok(Appended::Applied) => self.applied(chat, draft, emits).await,
            Ok(Appended::Stale(_)) => {
                put_back(draft.take_unanswered(), requests);
                self.catch_up(chat, emits).await?;
            }
            Err(StoreError::Unknown) => {
                self.doubt = Some(draft);
                put_back(self.resolve(chat, emits).await, requests);
            }
            Err(error) => {
                put_back(draft.take_unanswered(), requests);
                return Err(error.into());
            }
        }
        Ok(())
    }

    pub(super) fn append_of<'a>(&self, draft: &'a Draft<T>) -> Append<'a> {
        Append {
            conversation: self.conversation.id,
            expected: draft.expected,
            entries: Cow::Borrowed(&draft.entries),
            has_effects: draft.has_effects,
        }
    }

    /// Takes a draft that is stored: folds its entries, answers its requests. Nobody hears of it before
    /// what follows from it was tried to be written.
    pub(super) async fn applied<S: Store>(
        &mut self,
        chat: &Chat<S>,
        mut draft: Box<Draft<T>>,
        emits: &mut impl Emits<T>,
    ) {
        for entry in &draft.entries {
            self.fold(chat, entry);
            if draft.has_effects {
                draft.audiences.push(self.members.audience(entry));
            }
        }
        if !self.unwritten.is_empty() {
            self.write_effects(chat).await;
        }
        emits.moved(self);
        draft.answer(self.conversation.id, self.members.current(), emits);
        self.blank = Some(draft);
    }

    /// Folds an entry into everything known, and notes what follows from it. Also what follows from
    /// another writer's entry: should that writer fail, it is written all the same.
    pub(super) fn fold<S: Store>(&mut self, chat: &Chat<S>, entry: &Entry) {
        self.head = Head::from(entry);
        self.recent.push(entry);
        self.advance_sender(chat, entry);
        if has_effects(entry) {
            let follows = self.fold_state(entry);
            self.unwritten.extend(follows);
        }
    }

    /// Sending shows that one has read what came before.
    fn advance_sender<S: Store>(&self, chat: &Chat<S>, entry: &Entry) {
        let Some(user) = entry.sender else { return };
        let cursor = Cursor {
            delivered: Sequence::ZERO,
            read: entry.sequence,
            read_ordinal: entry.ordinal,
            changed_at: entry.sent_at,
        };
        self.known.advance(user, &cursor);
        chat.cursors.advance(CursorAdvance { user, conversation: self.conversation.id, cursor });
    }
}

/// Puts requests back to where they were: before those that came later.
fn put_back<T>(undecided: Vec<Request<T>>, requests: &mut VecDeque<Request<T>>) {
    undecided.into_iter().rev().for_each(|request| requests.push_front(request));
}

/// One page of a log, small enough to hold in memory.
pub(super) fn ascending(from: Sequence, to: Sequence) -> Range {
    Range { from, to, direction: Direction::Ascending, entries_max: 512, bytes_max: 1 << 20 }
}

/// A refusal met before anything was appended: whatever the store said, nothing was applied.
pub(super) fn unapplied(error: &StoreError) -> CommandError {
    match error {
        StoreError::Unknown => StoreError::Unavailable.into(),
        StoreError::Unavailable
        | StoreError::Behind { .. }
        | StoreError::Full
        | StoreError::Corrupt { .. } => error.clone().into(),
    }
}
