//! A state of the model: one conversation in the database, the statements on their way to it, the
//! conversation's owners in two server processes, and the clients that send to them.
//!
//! It holds no rule. Buckets are named by small numbers in place of milliseconds; the first one is 0.

/// How many names of buckets there are.
pub(crate) const NAMES: usize = 3;

/// How many clients there are, each with one message; messages are numbered from 0.
pub(crate) const CLIENTS: u8 = 2;

/// The entry of a third writer. Every other entry is its message.
pub(crate) const FOREIGN: u8 = CLIENTS;

/// The most entries of a bucket, with room for one too many.
const ENTRIES: usize = 5;

/// The most statements that are lost and may still take effect.
const LOST: usize = 6;

/// A set of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Messages(u8);

impl Messages {
    pub(crate) fn iter(self) -> impl Iterator<Item = u8> {
        (0..CLIENTS).filter(move |message| self.contains(*message))
    }

    pub(crate) fn contains(self, message: u8) -> bool {
        self.0 >> message & 1 == 1
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn insert(&mut self, message: u8) {
        self.0 |= 1 << message;
    }

    pub(crate) fn remove(&mut self, message: u8) {
        self.0 &= !(1 << message);
    }
}

impl FromIterator<u8> for Messages {
    fn from_iter<I: IntoIterator<Item = u8>>(messages: I) -> Self {
        let mut set = Self::default();
        messages.into_iter().for_each(|message| set.insert(message));
        set
    }
}

/// A conditional statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Statement {
    pub action: Action,
    /// The bucket that it reads and writes.
    pub bucket: u8,
    /// Where the log ends as far as its sender knows.
    pub expected: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Action {
    /// Adds entries to a bucket.
    Append(Messages),
    /// Begins a bucket with entries.
    Open(Messages),
    /// Ends a bucket and names the next one.
    Seal,
}

/// A partition of the log; absent while it has no entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Bucket {
    /// The sequence before its first entry.
    pub before: u8,
    length: u8,
    entries: [u8; ENTRIES],
    /// The name of the next bucket, once this one is sealed.
    pub next: Option<u8>,
}

impl Bucket {
    pub(crate) fn is_absent(&self) -> bool {
        self.length == 0
    }

    /// The sequence of its last entry.
    pub(crate) fn last(&self) -> u8 {
        self.before + self.length
    }

    pub(crate) fn entries(&self) -> &[u8] {
        &self.entries[..usize::from(self.length)]
    }

    /// Lets it begin after a sequence.
    pub(crate) fn begin(&mut self, before: u8) {
        *self = Self { before, next: self.next, ..Self::default() };
    }

    pub(crate) fn push(&mut self, entry: u8) {
        self.entries[usize::from(self.length)] = entry;
        self.length += 1;
    }
}

/// The writer of the conversation in one server process. It has forgotten everything while it has no
/// messages: loading it anew then is what reading on would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Owner {
    /// What it was sent and has not decided.
    pub messages: Messages,
    /// Where the log ends as far as it was read; `None` until it is loaded.
    pub head: Option<u8>,
    pub phase: Phase,
    /// Whether an earlier try of the append under way has an unknown outcome.
    pub in_doubt: bool,
}

/// What an owner does with its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Phase {
    /// More may come. What comes while an append is under way waits for its end: here it is sent later.
    #[default]
    Gathering,
    /// They are being appended at the head, and this statement is under way.
    Appending(Statement),
    /// Whether they are stored is unknown, and nothing is being done about it.
    Doubting,
}

/// How far a client is with its message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Progress {
    #[default]
    Unsent,
    Sending,
    Acknowledged,
    /// Every attempt was answered as surely not applied, and there will not be another.
    GivenUp,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Client {
    pub progress: Progress,
    /// Where a copy of its message lies at the earliest.
    pub floor: u8,
    /// The owner whose answer it waits for.
    pub waits_for: Option<u8>,
    /// Whether an attempt was answered as unknown or not at all.
    pub is_open: bool,
}

/// Everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct State {
    buckets: [Bucket; NAMES],
    /// Statements for which nobody waits any more and which may still take effect.
    lost: [Option<Statement>; LOST],
    owners: [Owner; 2],
    clients: [Client; 2],
}

impl State {
    pub(crate) fn bucket(&self, name: u8) -> &Bucket {
        &self.buckets[usize::from(name)]
    }

    pub(crate) fn bucket_mut(&mut self, name: u8) -> &mut Bucket {
        &mut self.buckets[usize::from(name)]
    }

    pub(crate) fn owner(&self, owner: u8) -> &Owner {
        &self.owners[usize::from(owner)]
    }

    pub(crate) fn owner_mut(&mut self, owner: u8) -> &mut Owner {
        &mut self.owners[usize::from(owner)]
    }

    pub(crate) fn client(&self, message: u8) -> &Client {
        &self.clients[usize::from(message)]
    }

    pub(crate) fn client_mut(&mut self, message: u8) -> &mut Client {
        &mut self.clients[usize::from(message)]
    }

    /// The buckets from the first to the last one that was named, which may be absent. A chain that leads
    /// back into itself has more than [`NAMES`].
    pub(crate) fn chain(&self) -> impl Iterator<Item = u8> {
        std::iter::successors(Some(0), |name| self.bucket(*name).next).take(NAMES + 1)
    }

    /// The log: the entries along the chain.
    pub(crate) fn log(&self) -> impl Iterator<Item = u8> {
        self.chain().flat_map(|name| self.bucket(name).entries()).copied()
    }

    /// The sequence of its last entry.
    pub(crate) fn last(&self) -> u8 {
        self.log().zip(1..).last().map_or(0, |(_, sequence)| sequence)
    }

    /// Where a message is stored.
    pub(crate) fn sequence_of(&self, message: u8) -> Option<u8> {
        self.log().zip(1..).find(|(entry, _)| *entry == message).map(|(_, sequence)| sequence)
    }

    pub(crate) fn lost(&self) -> impl Iterator<Item = Statement> {
        self.lost.into_iter().flatten()
    }

    /// Leaves a statement on its way, for which nobody waits.
    pub(crate) fn lose(&mut self, statement: Statement) {
        if self.lost().all(|lost| lost != statement) {
            let free = self.lost.iter_mut().find(|lost| lost.is_none()).expect("a free place");
            *free = Some(statement);
        }
    }

    /// Makes states equal that differ in nothing that matters.
    pub(crate) fn tidy(&mut self, is_dead: impl Fn(&Self, Statement) -> bool) {
        for at in 0..LOST {
            if self.lost[at].is_some_and(|statement| is_dead(self, statement)) {
                self.lost[at] = None;
            }
        }
        self.lost.sort_unstable();
        for owner in self.owners.iter_mut().filter(|owner| owner.messages.is_empty()) {
            *owner = Owner::default();
        }
        for (message, client) in (0..).zip(&mut self.clients) {
            let is_over = matches!(client.progress, Progress::Acknowledged | Progress::GivenUp);
            if is_over && self.owners.iter().all(|owner| !owner.messages.contains(message)) {
                client.floor = 0;
            }
        }
    }

    /// The one state that stands for this one and for the same with the owners' names exchanged.
    pub(crate) fn canonical(&self) -> Self {
        let mut exchanged = *self;
        exchanged.owners.swap(0, 1);
        for client in &mut exchanged.clients {
            client.waits_for = client.waits_for.map(|owner| 1 - owner);
        }
        exchanged.min(*self)
    }
}
