//! The rules over a real embedded store that fails on purpose: what clients are told is true, and
//! nothing is lost, doubled or left half done.

mod cursors;
mod doubt;
mod effects;
mod foreign;
mod groups;
mod resend;
mod schedules;
mod syncing;

use super::{Action, Chat, Emit, Lane, Owner, Request, Settings};
use crate::model::{
    Account, Actor, ClientMessageId, CommandError, Content, ConversationId, DeviceId, Entry,
    ErrorCode, Head, Message, Outcome, PasswordHash, Profile, Sent, Sequence, Timestamp, UserId,
    Username,
};
use crate::store::embedded::{Embedded, Hooks, Options};
use crate::store::faulty::{FaultyStore, Plan};
use crate::store::{Direction, Directory, Log, Range};

pub(super) type Faulty = FaultyStore<Embedded>;

/// What a request is found again by.
pub(super) type Ticket = u32;

/// A chat service over a store of its own, and a direct chat between two users.
pub(super) struct World {
    pub(super) chat: Chat<Faulty>,
    pub(super) id: ConversationId,
    // Removed with the last test that uses it.
    _folder: tempfile::TempDir,
}

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_000_000);

impl World {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = Options { reserve_bytes: 0, ..Options::new(folder.path()) };
        let hooks = Hooks::new(&options, |failure| panic!("{failure}"));
        let store = Embedded::open(&options, hooks).expect("a store");
        let chat = Chat::new(FaultyStore::new(store, Plan::healthy()), Settings::default());
        for number in 1..=4 {
            chat.store().insert_account(account(number)).await.expect("stored");
        }
        let direct = chat.direct(actor(1), user(2), NOW).await.expect("created");
        Self { chat, id: direct.0, _folder: folder }
    }

    pub(super) fn store(&self) -> &Faulty {
        self.chat.store()
    }

    /// The owner of the direct chat as a node loads it.
    pub(super) async fn owner(&self) -> Owner<Ticket> {
        Owner::load(&self.chat, self.id).await.expect("loaded").expect("exists")
    }

    /// All entries of the direct chat, as the store behind the faults has them.
    pub(super) async fn log(&self) -> Vec<Entry> {
        log_of(self.store(), self.id).await
    }
}

pub(super) async fn log_of(store: &Faulty, id: ConversationId) -> Vec<Entry> {
    let range = Range {
        from: Sequence::FIRST,
        to: Sequence::MAX,
        direction: Direction::Ascending,
        entries_max: usize::MAX,
        bytes_max: usize::MAX,
    };
    store.inner().entries(id, range).await.expect("the store itself works")
}

fn account(number: u64) -> Account {
    Account {
        user: user(number),
        username: Username::new(&format!("user{number}")).expect("valid"),
        password: PasswordHash::new(""),
        profile: Profile::default(),
        created_at: NOW,
    }
}

pub(super) fn user(number: u64) -> UserId {
    UserId::new(number).expect("in range")
}

pub(super) fn actor(number: u64) -> Actor {
    Actor { user: user(number), device: DeviceId::new(number).expect("in range") }
}

pub(super) fn at(number: u64) -> Sequence {
    Sequence::new(number).expect("in range")
}

pub(super) fn text(text: &str) -> Content {
    Content::Message(Message { text: text.into(), ..Message::default() })
}

/// A send of user 1 with a client message id and a floor; 0 for none.
pub(super) fn send(ticket: Ticket, id: u64, floor: u64, said: &str) -> Request<Ticket> {
    let floor = (floor > 0).then(|| at(floor));
    let client_message = ClientMessageId::new(id).expect("in range");
    let action = Action::Send { client_message, floor, content: text(said) };
    Request { actor: actor(1), action, lane: None, ticket }
}

pub(super) fn in_lane(mut request: Request<Ticket>, resumes: u32) -> Request<Ticket> {
    request.lane = Some(Lane { connection: [0, 7, 1], resumes });
    request
}

impl Owner<Ticket> {
    /// Commits and gives what came of it.
    async fn tell_all(
        &mut self,
        chat: &Chat<Faulty>,
        now: Timestamp,
        requests: Vec<Request<Ticket>>,
    ) -> Vec<Emit<Ticket>> {
        let (mut requests, mut emits) = (requests.into(), Vec::new());
        self.commit(chat, now, &mut requests, &mut emits).await;
        assert!(requests.is_empty(), "each request is taken");
        emits
    }
}

/// The answers among what was told, by ticket.
pub(super) fn answers(emits: Vec<Emit<Ticket>>) -> Vec<(Ticket, Result<Outcome, CommandError>)> {
    let answer = |emit| match emit {
        Emit::Reply { ticket, result } => Some((ticket, result)),
        Emit::Entry { entry, answer, .. } => answer.map(|(ticket, answer)| {
            let conversation = ConversationId::new(1).expect("not zero");
            (ticket, Ok(answer.outcome(conversation, Head::from(&entry), false)))
        }),
    };
    emits.into_iter().filter_map(answer).collect()
}

/// The only answer: where it is stored and whether a copy was found, or the code of the refusal.
pub(super) fn told(emits: Vec<Emit<Ticket>>) -> Result<(u64, bool), ErrorCode> {
    let mut answers = answers(emits);
    assert_eq!(answers.len(), 1, "{answers:?}");
    match answers.pop().expect("one").1 {
        Ok(Outcome::Sent(Sent { sequence, duplicate, .. })) => Ok((sequence.get(), duplicate)),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.code),
    }
}
