//! What everything on one shard shares: the services, the owners, and the ways to other shards.

use super::ConnectionKey;
use super::fanout::Fanout;
use super::mailbox::{Mailboxes, Origin, ShardMessage};
use super::owners::Owners;
use super::reactor::Reactor;
use super::registry::{Place, Registry};
use super::wakes::Wakes;
use crate::chat::{Chat, Lane, Request};
use crate::clock::Clock;
use crate::identity::Identity;
use crate::model::{Actor, Command, CommandError, ConversationId, ErrorCode, Outcome, Timestamp};
use crate::protocol::CloseCode;
use crate::store::Store;
use rustc_hash::FxBuildHasher;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// See the module. One per shard; everything in it stays on the shard's thread.
#[derive(Debug)]
pub(super) struct Core<S> {
    pub(super) index: usize,
    pub(super) chat: Chat<S>,
    pub(super) identity: Identity<S>,
    pub(super) clock: Clock,
    pub(super) registry: Arc<Registry>,
    pub(super) mailboxes: Mailboxes,
    pub(super) reactor: Rc<Reactor>,
    pub(super) fanout: Fanout,
    pub(super) owners: Owners,
    pub(super) wakes: Wakes,
    /// Whom connections that are not active yet may turn out to be: they are in the registry
    /// already, and come out of it if they close first.
    pub(super) greeting: RefCell<HashMap<ConnectionKey, Actor, FxBuildHasher>>,
    /// Connections of which a send was refused before it reached an owner, with their count of
    /// RESUMEs and when: what they had sent behind it is refused as well.
    pub(super) refused: RefCell<Refused>,
}

type Refused = HashMap<(u64, u64), (u32, Timestamp), FxBuildHasher>;

/// How long such a refusal is remembered: far longer than anything stays queued.
const REFUSED: Duration = Duration::from_mins(2);

/// The shard that owns a conversation.
pub(super) fn owner_of(conversation: ConversationId, shards: usize) -> usize {
    // Ids are random, so they need no hash.
    let shards = u64::try_from(shards).unwrap_or(1).max(1);
    usize::try_from(conversation.get() % shards).unwrap_or_default()
}

impl<S: Store> Core<S> {
    /// The shard that owns a conversation.
    pub(super) fn owner_of(&self, conversation: ConversationId) -> usize {
        owner_of(conversation, self.mailboxes.len())
    }

    /// Where a connection of this shard lives.
    pub(super) fn place(&self, key: ConnectionKey) -> Place {
        Place { shard: self.index, key }
    }

    /// What tells a connection of this shard from all others, between two RESUMEs.
    pub(super) fn lane(&self, key: ConnectionKey, resumes: u32) -> Lane {
        let shard = u64::try_from(self.index).unwrap_or_default();
        Lane { connection: (shard, key.to_token()), resumes }
    }

    /// Refuses a send that reaches no owner. If it may pass later, everything that its connection
    /// has sent behind it is refused too.
    pub(super) fn refuse(&self, origin: Origin, lane: Option<Lane>, error: CommandError) {
        if let Some(lane) = lane.filter(|_| error.retry.is_some()) {
            let refused = (lane.resumes, self.clock.now());
            self.refused.borrow_mut().insert(lane.connection, refused);
        }
        self.fanout.answer(origin, Err(error));
    }

    /// Whether a send comes behind one that was refused.
    pub(super) fn is_refused(&self, lane: Option<Lane>) -> bool {
        let Some(lane) = lane else { return false };
        let refused = self.refused.borrow();
        refused.get(&lane.connection).is_some_and(|(resumes, _)| *resumes == lane.resumes)
    }

    /// Forgets what has been idle for a while.
    pub(super) fn sweep(&self, now: Timestamp) {
        self.owners.sweep(now);
        self.reactor.nudge();
        let mut refused = self.refused.borrow_mut();
        refused.retain(|_, (_, at)| now.since(*at) < REFUSED);
        give_back(&mut refused);
        give_back(&mut self.greeting.borrow_mut());
    }

    /// Loads a conversation, which finishes what a crash left undone.
    pub(super) fn load(self: &Rc<Self>, conversation: ConversationId) {
        let core = Rc::clone(self);
        tokio::task::spawn_local(async move {
            if let Err(error) = core.owners.view(&core, conversation).await {
                tracing::warn!(%error, chat = %conversation, "a conversation cannot be recovered");
            }
        });
    }

    /// Tells whether the store takes writes.
    pub(super) fn check(self: &Rc<Self>, reply: oneshot::Sender<Result<(), CommandError>>) {
        let core = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let checked = core.chat.store().check().await;
            drop(reply.send(checked.map_err(CommandError::from)));
        });
    }

    /// Appends to a conversation of any shard and awaits the outcome.
    pub(super) async fn append(
        &self,
        conversation: ConversationId,
        request: Request<()>,
    ) -> Result<Outcome, CommandError> {
        let Request { actor, action, lane, ticket: () } = request;
        self.ask(conversation, |ticket| ShardMessage::Append {
            conversation,
            request: Request { actor, action, lane, ticket },
        })
        .await
    }

    /// Has the owner's shard perform a command and awaits the outcome.
    pub(super) async fn call(
        &self,
        conversation: ConversationId,
        actor: Actor,
        command: Command,
    ) -> Result<Outcome, CommandError> {
        let actor = Some(actor);
        self.ask(conversation, |origin| ShardMessage::Perform {
            origin,
            actor,
            command,
            lane: None,
        })
        .await
    }

    /// Sends the owner's shard a message with an origin to answer to, and awaits the answer.
    async fn ask(
        &self,
        conversation: ConversationId,
        message: impl FnOnce(Origin) -> ShardMessage,
    ) -> Result<Outcome, CommandError> {
        let (reply, outcome) = oneshot::channel();
        let message = message(Origin::Call(reply));
        if self.mailboxes.command(self.owner_of(conversation), message).is_err() {
            return Err(overloaded());
        }
        outcome.await.unwrap_or_else(|_| Err(overloaded()))
    }

    /// Closes every live connection of a device, on whichever shard.
    pub(super) fn close_device(&self, actor: Actor) {
        for Place { shard, key } in self.registry.of_device(actor) {
            let code = CloseCode::DeviceRevoked;
            self.mailboxes.post(shard, ShardMessage::Close { key, code });
        }
    }
}

/// Shrinks a table of which less than a quarter is used: a rush must not be paid for ever after.
/// What is left has room to double.
pub(super) fn give_back<K: Eq + Hash, V, S: BuildHasher>(table: &mut HashMap<K, V, S>) {
    if table.len() < table.capacity() / 4 {
        table.shrink_to(table.len() * 2);
    }
}

/// A mailbox had no room.
pub(super) fn overloaded() -> CommandError {
    CommandError::overloaded("the server has too much to do")
}

/// A command that only an actor may give came without one.
pub(super) fn unauthenticated() -> CommandError {
    CommandError::new(ErrorCode::Unauthenticated, "no valid token")
}

/// Runs a task on this shard.
pub(super) fn spawn<S: Store>(
    core: &Rc<Core<S>>,
    origin: Origin,
    task: impl Future<Output = Result<Outcome, CommandError>> + 'static,
) {
    let task = core.wakes.gather(task);
    let core = Rc::clone(core);
    tokio::task::spawn_local(async move {
        let result = task.await;
        core.fanout.answer(origin, result);
    });
}

/// Runs a task that only waits and reads; it ends when whoever asked goes away.
pub(super) fn spawn_while_asked<S: Store>(
    core: &Rc<Core<S>>,
    origin: Origin,
    task: impl Future<Output = Result<Outcome, CommandError>> + 'static,
) {
    match origin {
        Origin::Call(mut reply) => {
            tokio::task::spawn_local(async move {
                tokio::select! {
                    result = task => drop(reply.send(result)),
                    () = reply.closed() => {}
                }
            });
        }
        Origin::Connection { .. } => spawn(core, origin, task),
    }
}
