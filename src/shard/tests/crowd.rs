//! Servers without doors, and clients of theirs that send again until they know: what is told is held
//! against what is stored.

use super::{Peer, encoded, is_frame, masked};
use crate::chat::{self, Chat, Lane};
use crate::clock::Clock;
use crate::identity::{self, Identity, Keys, Registration};
use crate::model::{
    Account, Actor, Applied, ClientMessageId, Command, CommandError, Content, ConversationId,
    DeviceId, DeviceName, Entry, Message, Outcome, Password, PasswordHash, Profile, Sent, Sequence,
    Timestamp, UserId, Username,
};
use crate::protocol::{ClientFrame, Hello, ServerFrame};
use crate::session::Limits;
use crate::shard::core::Core;
use crate::shard::mailbox::Origin;
use crate::shard::perform::perform;
use crate::shard::seat::{ConnectionSettings, Services, run as run_shard, seats};
use crate::shard::settings::Mode;
use crate::store::Store;
use std::collections::{HashMap, HashSet};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How many messages a client has under way.
const WINDOW: usize = 4;

/// When everything begins.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// Starts the loop of a shard without doors, since it is the loop that passes on what others wake. To be
/// called on a runtime for local tasks.
pub(crate) fn start<S: Store>(store: S) -> Rc<Core<S>> {
    let services = Services {
        chat: Chat::new(store.clone(), chat::Settings::default()),
        identity: Identity::new(
            store,
            Keys::generate().expect("keys"),
            identity::Settings::default(),
        ),
        clock: Clock::new(NOW),
    };
    let settings = ConnectionSettings { limits: Limits::default(), outbox_bytes_max: 1 << 16 };
    let seat = seats(1, usize::MAX).1.pop().expect("one");
    let (core, reactor, inbox) = seat.assemble(services, settings).expect("epoll");
    tokio::task::spawn_local(run_shard(Rc::clone(&core), reactor, inbox));
    core
}

/// A server of one shard without doors: what it knows is its own, what it stores is not.
#[derive(Clone)]
pub(crate) struct Server<S>(Rc<Core<S>>);

impl<S: Store> Server<S> {
    /// Starts one. To be called on a runtime for local tasks.
    pub(crate) fn start(store: S) -> Self {
        Self(start(store))
    }

    /// Has a command performed as if it had come over a connection.
    pub(crate) async fn ask(&self, number: u64, command: Command) -> Result<Outcome, CommandError> {
        self.begin(number, command, None).await.expect("answered")
    }

    /// The same, in the order in which this is called, whenever the answer is awaited.
    fn begin(
        &self,
        number: u64,
        command: Command,
        lane: Option<Lane>,
    ) -> oneshot::Receiver<Result<Outcome, CommandError>> {
        let (reply, answer) = oneshot::channel();
        perform(&self.0, Origin::Call(reply), Some(actor(number)), command, lane);
        answer
    }

    /// Accounts with the numbers from 1 on.
    pub(crate) async fn register(&self, count: u64) {
        for number in 1..=count {
            let account = Account {
                user: user(number),
                username: Username::new(&format!("user{number}")).expect("valid"),
                password: PasswordHash::new(""),
                profile: Profile::default(),
                created_at: NOW,
            };
            self.0.chat.store().insert_account(account).await.expect("stored");
        }
    }

    /// A group of users 1 to `count`, made by the first; another one for each `name`.
    pub(crate) async fn group(&self, count: u64, name: u64) -> ConversationId {
        let command = Command::CreateGroup {
            title: crate::model::Title::new("everyone").expect("valid"),
            members: (2..=count).map(user).collect(),
            client_id: message(name),
        };
        let made = self.ask(1, command).await;
        let Ok(Outcome::Chat { chat, .. }) = made else { panic!("{made:?}") };
        chat.conversation.id
    }
}

impl<S: Store> Server<S> {
    /// Registers someone and connects a client of theirs, up to the frames; who it is.
    pub(super) async fn connect(&self, name: &str) -> (u64, Peer) {
        let core = &self.0;
        let registration = Registration {
            username: Username::new(name).expect("valid"),
            password: Password::new("correct horse").expect("valid"),
            display_name: None,
            device_name: DeviceName::new("phone").expect("valid"),
        };
        let signed_in = core.identity.register(core.clock.now(), registration).await;
        let (signed_in, _) = signed_in.expect("registered");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let theirs = TcpStream::connect(listener.local_addr().expect("bound"));
        let (ours, _) = listener.accept().expect("one waits");
        let mut peer = Peer::new(theirs.expect("it listens"));
        let adopted = core.reactor.hand_over(|c| c.adopt(ours, None, &[], Mode::Client));
        adopted.expect("room");
        peer.send(&masked(
            0x82,
            &encoded(&ClientFrame::Hello(Hello {
                minor: 0,
                capabilities: 0,
                token: signed_in.access_token.as_str(),
                client: None,
                ping_seconds: None,
                epoch: Some(core.chat.store().epoch()),
            })),
        ));
        let welcome = next_frame(&mut peer).await;
        assert!(is_frame(&welcome, |frame| matches!(frame, ServerFrame::Welcome(_))));
        (signed_in.actor.user.get(), peer)
    }
}

/// The next message that a peer gets.
pub(super) async fn next_frame(peer: &mut Peer) -> Vec<u8> {
    while peer.receive().is_empty() {
        assert_eq!(peer.end, None);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    peer.frames.remove(0)
}

pub(crate) fn user(number: u64) -> UserId {
    UserId::new(number).expect("in range")
}

fn actor(number: u64) -> Actor {
    Actor { user: user(number), device: DeviceId::new(number).expect("in range") }
}

pub(crate) fn message(number: u64) -> ClientMessageId {
    ClientMessageId::new(number).expect("in range")
}

/// What was not stored yet of what a client sends.
#[derive(Clone, Copy)]
struct Unanswered {
    id: u64,
    /// Fixed before the first attempt.
    floor: Option<Sequence>,
    /// Whether an attempt may have stored it.
    is_uncertain: bool,
}

/// One user's client.
pub(crate) struct Client {
    number: u64,
    chat: ConversationId,
    outbox: Vec<Unanswered>,
    resumes: u32,
    /// The highest sequence that anything named to it.
    named: Sequence,
    /// What it holds, from the first entry on.
    held: Vec<Entry>,
    /// Where each of its messages was said to be.
    stored: HashMap<ClientMessageId, Sequence>,
    /// How many attempts were answered as of unknown outcome.
    pub(crate) doubted: usize,
}

impl Client {
    /// A client that is to send `messages` messages.
    pub(crate) fn new(number: u64, chat: ConversationId, messages: u64) -> Self {
        let first = number * 1_000_000;
        let unanswered = |id| Unanswered { id, floor: None, is_uncertain: false };
        Self {
            number,
            chat,
            outbox: (first..first + messages).map(unanswered).collect(),
            resumes: 0,
            named: Sequence::ZERO,
            held: Vec::new(),
            stored: HashMap::new(),
            doubted: 0,
        }
    }

    /// How often it has sent something.
    pub(crate) fn attempts(&self) -> u32 {
        self.resumes
    }

    /// Whether every message is stored.
    pub(crate) fn is_done(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Sends the next few messages to a server, and takes what it answers to each.
    pub(crate) async fn send<S: Store>(&mut self, server: &Server<S>) {
        let number = u32::try_from(self.number).expect("small");
        let lane = Lane { connection: [7, number, 0], resumes: self.resumes };
        let floor = self.named.next();
        let mut answers = Vec::new();
        for row in self.outbox.iter_mut().take(WINDOW) {
            let command = Command::Send {
                conversation: self.chat,
                client_message: message(row.id),
                floor: Some(*row.floor.get_or_insert(floor)),
                content: text(row.id),
            };
            answers.push((row.id, server.begin(self.number, command, Some(lane))));
        }
        for (id, answer) in answers {
            match answer.await.expect("answered") {
                Ok(Outcome::Sent(sent)) => self.sent(id, sent),
                Ok(other) => panic!("{other:?}"),
                Err(error) => self.refused(id, &error),
            }
        }
        self.resumes += 1;
    }

    fn sent(&mut self, id: u64, sent: Sent) {
        let place = self.outbox.iter().position(|row| row.id == id).expect("it was sent");
        let row = self.outbox.remove(place);
        assert!(!sent.duplicate || row.is_uncertain, "{id}: every attempt was surely not applied");
        self.stored.insert(message(id), sent.sequence);
        self.named = self.named.max(sent.sequence);
    }

    fn refused(&mut self, id: u64, error: &CommandError) {
        assert!(error.retry.is_some(), "{id}: {error:?}");
        if error.applied != Applied::No {
            let row = self.outbox.iter_mut().find(|row| row.id == id).expect("it was sent");
            row.is_uncertain = true;
            self.doubted += 1;
        }
    }

    /// Is told by the list of chats how far the log goes.
    pub(crate) async fn list<S: Store>(&mut self, server: &Server<S>) {
        let command = Command::Chats { cursor: None, limit: 10 };
        let Ok(Outcome::Chats { chats, .. }) = server.ask(self.number, command).await else {
            return;
        };
        let chat = chats.into_iter().find(|chat| chat.conversation.id == self.chat);
        self.named = self.named.max(chat.expect("it is a member").head.sequence);
    }

    /// Fetches what it lacks: everything that it was told of is there, without a hole. Whether it was not
    /// refused.
    pub(crate) async fn fetch<S: Store>(&mut self, server: &Server<S>) -> bool {
        loop {
            let from = self.have().next();
            let command = Command::Fetch { conversation: self.chat, from, to: Sequence::ZERO };
            let fetched = match server.ask(self.number, command).await {
                Ok(Outcome::Fetched(fetched)) => fetched,
                Ok(other) => panic!("{other:?}"),
                Err(error) => {
                    assert!(error.retry.is_some(), "{error:?}");
                    return false;
                }
            };
            for entry in fetched.entries {
                assert_eq!(entry.sequence, self.have().next(), "no hole");
                self.held.push(entry);
            }
            if fetched.next == Sequence::ZERO {
                assert!(self.have() >= self.named, "{} of {} named", self.have(), self.named);
                return true;
            }
        }
    }

    fn have(&self) -> Sequence {
        self.held.last().map_or(Sequence::ZERO, |entry| entry.sequence)
    }
}

/// Has a client fetch until it is not refused, since a broken connection takes a moment to mend.
pub(crate) async fn read_back<S: Store>(client: &mut Client, server: &Server<S>) {
    while !client.fetch(server).await {
        pause().await;
    }
}

fn text(id: u64) -> Content {
    Content::Message(Message { text: format!("message {id}").into(), ..Message::default() })
}

/// Holds clients, all of whose messages are stored, against each other after their last FETCH: they hold
/// the same log, each message is in it once, where its sender was told and in the order of sending.
pub(crate) fn check(clients: &[Client]) {
    let log = &clients.first().expect("one").held;
    for client in clients {
        assert!(client.is_done());
        assert!(client.held == *log, "all hold the same");
        let own: Vec<&Entry> =
            log.iter().filter(|e| e.sender == Some(user(client.number))).collect();
        let sent: Vec<_> =
            own.iter().filter(|e| matches!(e.content, Content::Message(_))).collect();
        assert_eq!(sent.len(), client.stored.len(), "each once");
        let mut seen = HashSet::new();
        for entry in &sent {
            let id = entry.client_message.expect("a message");
            assert!(seen.insert(id), "{id} is there twice");
            assert_eq!(client.stored.get(&id), Some(&entry.sequence), "where it was said to be");
        }
        assert!(sent.is_sorted_by_key(|entry| entry.client_message), "in the order sent");
    }
}

/// Waits a little, as a client does that was refused.
pub(crate) async fn pause() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}
