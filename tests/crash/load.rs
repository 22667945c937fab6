//! People who write to each other all the time, each by a client in a task of its own.
//!
//! A client that loses its connection connects again, wherever the server is by then. Nobody pauses for
//! a crash, so kills hit sends in every state.

use crate::checker::{Log, Logs};
use crate::support::chat_client::{ChatClient, Lost};
use crate::support::eventually::{Deadline, eventually};
use crate::support::history::{Event, History, Line};
use crate::support::people::{Person, direct, group};
use crate::support::rest::Rest;
use chasqui::model::{ConversationId, Sequence};
use chasqui::protocol::CloseCode;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How many people there are: one group of all, and a direct chat of each with the next.
pub(crate) const PEOPLE: usize = 6;

/// How many messages each client keeps in its outbox while the load lasts.
const OUTBOX: usize = 24;

/// What the clients of a load are told.
#[derive(Clone, Copy, Debug)]
struct Orders {
    /// Where the server is.
    address: SocketAddr,
    /// Whether they are to come to rest.
    rest: bool,
}

/// What the clients of a load share.
#[derive(Debug)]
struct Shared {
    acknowledged: AtomicUsize,
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
        for index in 0..people {
            crowd.push(Person::register(address, &format!("person-{index}")).await);
        }
        let rest = |person: &Person| Rest::with_token(address, &person.token);
        let others: Vec<&Person> = crowd[1..].iter().collect();
        let everyone = group(&rest(&crowd[0]), "everyone", &others).await;
        let (orders, receiver) = watch::channel(Orders { address: through, rest: false });
        let shared =
            Arc::new(Shared { acknowledged: AtomicUsize::new(0), quiet: AtomicUsize::new(0) });
        let mut tasks = Vec::new();
        for (index, person) in crowd.iter().enumerate() {
            let next = &crowd[(index + 1) % crowd.len()];
            let chats = vec![everyone, direct(&rest(person), next).await];
            let shared = Arc::clone(&shared);
            tasks.push(tokio::spawn(live(person.clone(), chats, receiver.clone(), shared)));
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

    /// Tells the clients where the server is now.
    pub(crate) fn server_moved(&self, address: SocketAddr) {
        self.orders.send_replace(Orders { address, rest: false });
    }

    /// Lets the clients come to rest, and reads everything back with new ones.
    pub(crate) async fn finish(self, address: SocketAddr) -> (Vec<History>, Logs) {
        self.orders.send_replace(Orders { address, rest: true });
        let mut histories = Vec::new();
        let mut held: BTreeMap<ConversationId, Vec<Log>> = BTreeMap::new();
        for (task, person) in self.tasks.into_iter().zip(&self.people) {
            let client = task.await.expect("the client follows the protocol");
            let mut reader = ChatClient::new(person.user, client.token());
            reader.connect(address).await.expect("the server is up");
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

/// Writes and reads until the load ends, then comes to rest.
async fn live(
    mut person: Person,
    chats: Vec<ConversationId>,
    orders: watch::Receiver<Orders>,
    shared: Arc<Shared>,
) -> ChatClient {
    let mut client = ChatClient::new(person.user, &person.token);
    let mut counted = 0;
    let mut written = 0_usize;
    let mut resting: Option<Deadline> = None;
    let (mut is_quiet, mut has_asked) = (false, false);
    loop {
        let Orders { address, rest } = *orders.borrow();
        if rest {
            resting.get_or_insert_with(Deadline::usual);
        }
        if let Some(deadline) = resting {
            if !is_quiet && client.unanswered() == 0 {
                is_quiet = true;
                shared.quiet.fetch_add(1, Ordering::SeqCst);
            }
            // Only now is nothing more to come; the last of it may be under way, so ask for it.
            if !has_asked && shared.quiet.load(Ordering::SeqCst) == PEOPLE {
                has_asked = true;
                client.sync();
            }
            if has_asked && client.is_settled() {
                return client;
            }
            assert!(!deadline.has_passed(), "a client does not come to rest: {client:?}");
        }
        if !client.is_connected()
            && let Err(Lost(code)) = client.connect(address).await
        {
            let expired = code == Some(CloseCode::TokenExpired.number());
            if expired && person.refresh(address).await {
                client.set_token(&person.token);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        }
        if resting.is_none() && client.unanswered() < OUTBOX {
            let text = format!("{}:{written}", client.user());
            client.write(chats[written % chats.len()], &text);
            written += 1;
            if client.unanswered() < OUTBOX {
                continue;
            }
        }
        // A loss shows as a client without a connection in the next turn.
        client.step(Duration::from_millis(20)).await.ok();
        let events = &client.history().events;
        let sent = events[counted..].iter().filter(|e| matches!(e, Event::Sent { .. })).count();
        shared.acknowledged.fetch_add(sent, Ordering::Relaxed);
        counted = events.len();
    }
}
