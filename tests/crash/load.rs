//! People who write to each other all the time, each by a client in a task of its own.
//!
//! A client that loses its connection connects again, wherever the server is by then. Nobody pauses for
//! a crash, so kills hit sends in every state.

use crate::checker::{Log, Logs};
use crate::support::chat_client::{ChatClient, Lost, random_id};
use crate::support::eventually::{Deadline, eventually};
use crate::support::history::{Event, History, Line};
use crate::support::people::{Person, direct, group};
use crate::support::rest::Rest;
use chasqui::model::{ConversationId, Sequence};
use chasqui::protocol::CloseCode;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How many people there are: one group of all, and a direct chat of each with the next.
pub(crate) const PEOPLE: usize = 6;

/// How many messages each client keeps in its outbox while the load lasts.
const OUTBOX: usize = 24;

/// What the clients of a load do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Write and read.
    Write,
    /// Write nothing new.
    Rest,
    /// Read what is there, and end.
    End,
}

/// What the clients of a load are told.
#[derive(Clone, Debug)]
struct Orders {
    /// Where the servers are; people are dealt out to them in turn.
    addresses: Vec<SocketAddr>,
    stage: Stage,
}

/// What the clients of a load share.
#[derive(Debug, Default)]
struct Shared {
    acknowledged: AtomicUsize,
    /// The longest time in which one client was told of no send, in milliseconds.
    stall: AtomicU64,
    /// How many clients write no more and have every answer.
    quiet: AtomicUsize,
}

/// A running load.
#[derive(Debug)]
pub(crate) struct Load {
    people: Vec<Person>,
    tasks: Vec<JoinHandle<ChatClient>>,
    orders: watch::Sender<Orders>,
    shared: Arc<Shared>,
}

impl Load {
    /// Registers people, makes their chats and begins.
    pub(crate) async fn start(address: SocketAddr, people: usize) -> Self {
        Self::start_through(address, address, people).await
    }

    /// The same, the clients connecting elsewhere than where people register.
    pub(crate) async fn start_through(
        address: SocketAddr,
        through: SocketAddr,
        people: usize,
    ) -> Self {
        let mut crowd = Vec::new();
        // Another load may have left its people in the same store.
        let load = random_id().get();
        for index in 0..people {
            crowd.push(Person::register(address, &format!("p{index}-{load}")).await);
        }
        let rest = |person: &Person| Rest::with_token(address, &person.token);
        let others: Vec<&Person> = crowd[1..].iter().collect();
        let everyone = group(&rest(&crowd[0]), "everyone", &others).await;
        let (orders, receiver) =
            watch::channel(Orders { addresses: vec![through], stage: Stage::Write });
        let shared = Arc::new(Shared::default());
        let mut tasks = Vec::new();
        for (index, person) in crowd.iter().enumerate() {
            let next = &crowd[(index + 1) % crowd.len()];
            let chats = vec![everyone, direct(&rest(person), next).await];
            let shared = Arc::clone(&shared);
            let life =
                Life { index, person: person.clone(), chats, orders: receiver.clone(), shared };
            tasks.push(tokio::spawn(life.live()));
        }
        Self { people: crowd, tasks, orders, shared }
    }

    /// Waits until the clients were told of further sends.
    pub(crate) async fn expect_progress(&self) {
        let before = self.shared.acknowledged.load(Ordering::Relaxed);
        eventually("sends are acknowledged", async || {
            let now = self.shared.acknowledged.load(Ordering::Relaxed);
            let died = self.tasks.iter().any(JoinHandle::is_finished);
            assert!(!died, "a client has ended");
            (now > before + PEOPLE).then_some(())
        })
        .await;
    }

    /// How many sends the clients were told of.
    pub(crate) fn acknowledged(&self) -> usize {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// The longest time in which one client was told of no send, since this was asked for last.
    pub(crate) fn longest_stall(&self) -> Duration {
        Duration::from_millis(self.shared.stall.swap(0, Ordering::Relaxed))
    }

    /// Tells the clients where the servers are now: each goes to one of them.
    pub(crate) fn servers_moved(&self, addresses: &[SocketAddr]) {
        self.orders.send_modify(|orders| orders.addresses = addresses.to_vec());
    }

    /// Waits until the clients have every answer and write nothing more.
    pub(crate) async fn rest(&self) {
        self.orders.send_modify(|orders| orders.stage = Stage::Rest);
        let quiet = async || (self.shared.quiet.load(Ordering::SeqCst) == PEOPLE).then_some(());
        eventually("every send is answered", quiet).await;
    }

    /// Lets the clients come to rest, and reads everything back with new ones, each from the server after
    /// that of the old one.
    pub(crate) async fn finish(self, addresses: &[SocketAddr]) -> (Vec<History>, Logs) {
        self.orders.send_replace(Orders { addresses: addresses.to_vec(), stage: Stage::End });
        let mut histories = Vec::new();
        let mut held: BTreeMap<ConversationId, Vec<Log>> = BTreeMap::new();
        let next = addresses.iter().cycle().skip(1);
        for ((task, person), address) in self.tasks.into_iter().zip(&self.people).zip(next) {
            let client = task.await.expect("the client follows the protocol");
            let mut reader = ChatClient::new(person.user, client.token());
            reader.connect(*address).await.expect("the server is up");
            reader.until("everything is read back", ChatClient::is_settled).await;
            for conversation in reader.conversations() {
                let first = reader.first_visible(conversation);
                let log = Log { first, lines: reader.lines(conversation) };
                held.entry(conversation).or_default().push(log);
                let (old, new) = (client.have(conversation), reader.have(conversation));
                assert_eq!(old, new, "{} has all of {conversation}", person.name);
            }
            histories.push(client.history().clone());
        }
        let logs = held.into_iter().map(|(conversation, views)| (conversation, merge(&views)));
        (histories, logs.collect())
    }
}

/// One log from the views of its members: only a sender is told their client message ids.
fn merge(views: &[Log]) -> Log {
    let mut lines: BTreeMap<Sequence, Line> = BTreeMap::new();
    for line in views.iter().flat_map(|view| &view.lines) {
        let known = lines.entry(line.sequence).or_insert_with(|| line.clone());
        assert!(known.is_same(line), "two members see the same: {known:?} and {line:?}");
        known.client_message = known.client_message.or(line.client_message);
    }
    let first = views.iter().map(|view| view.first).min().unwrap_or(Sequence::FIRST);
    Log { first, lines: lines.into_values().collect() }
}

/// One client of a load.
struct Life {
    /// Which of them.
    index: usize,
    person: Person,
    chats: Vec<ConversationId>,
    orders: watch::Receiver<Orders>,
    shared: Arc<Shared>,
}

impl Life {
    /// Writes and reads until the load ends, then comes to rest.
    async fn live(mut self) -> ChatClient {
        let mut client = ChatClient::new(self.person.user, &self.person.token);
        let mut written = 0_usize;
        let mut told = Told { events: 0, at: Instant::now() };
        let mut resting: Option<Deadline> = None;
        let (mut is_quiet, mut has_asked) = (false, false);
        let (mut server, _) = self.orders();
        loop {
            let (address, stage) = self.orders();
            if stage > Stage::Write {
                let deadline = *resting.get_or_insert_with(Deadline::usual);
                if !is_quiet && client.unanswered() == 0 {
                    is_quiet = true;
                    self.shared.quiet.fetch_add(1, Ordering::SeqCst);
                }
                // Only now is nothing more to come; the last of it may be under way, so ask for it.
                let is_over =
                    stage == Stage::End && self.shared.quiet.load(Ordering::SeqCst) == PEOPLE;
                if !has_asked && is_over {
                    has_asked = true;
                    client.sync();
                }
                if has_asked && client.is_settled() {
                    return client;
                }
                assert!(!deadline.has_passed(), "a client does not come to rest: {client:?}");
            }
            if !client.is_connected() || address != server {
                server = address;
                self.connect(&mut client, server).await;
                continue;
            }
            if stage == Stage::Write && client.unanswered() < OUTBOX {
                let text = format!("{}:{written}", client.user());
                client.write(self.chats[written % self.chats.len()], &text);
                written += 1;
                if client.unanswered() < OUTBOX {
                    continue;
                }
            }
            // A loss shows as a client without a connection in the next turn.
            client.step(Duration::from_millis(20)).await.ok();
            self.listen(&client, &mut told);
        }
    }

    /// Where its server is, and what it is to do.
    fn orders(&self) -> (SocketAddr, Stage) {
        let orders = self.orders.borrow();
        (orders.addresses[self.index % orders.addresses.len()], orders.stage)
    }

    /// Connects, with a new token if the old one has expired.
    async fn connect(&mut self, client: &mut ChatClient, address: SocketAddr) {
        let Err(Lost(code)) = client.connect(address).await else { return };
        let expired = code == Some(CloseCode::TokenExpired.number());
        if expired && self.person.refresh(address).await {
            client.set_token(&self.person.token);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    /// Counts what the client was told since.
    fn listen(&self, client: &ChatClient, told: &mut Told) {
        let events = &client.history().events;
        let is_sent = |event: &&Event| matches!(event, Event::Sent { .. });
        let sent = events[told.events..].iter().filter(is_sent).count();
        told.events = events.len();
        if sent > 0 {
            self.shared.acknowledged.fetch_add(sent, Ordering::Relaxed);
            let waited = u64::try_from(told.at.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.shared.stall.fetch_max(waited, Ordering::Relaxed);
            told.at = Instant::now();
        }
    }
}

/// Up to where a client's history was listened to, and when it was told of a send last.
struct Told {
    events: usize,
    at: Instant,
}
