//! The shards as the doors see them: somewhere to send commands, and somewhere to leave a socket.

use super::ConnectionKey;
use super::connections::Connections;
use super::core::{overloaded, owner_of};
use super::counters::{Counters, Counts};
use super::mailbox::{Mailboxes, Origin, ShardMessage};
use super::perform::conversation_of;
use super::reactor::Reactor;
use super::settings::Mode;
use crate::admission::Admitted;
use crate::clock::Clock;
use crate::model::{Actor, Command, CommandError, ErrorCode, Outcome};
use crate::protocol::{CloseCode, Goaway};
use crate::tls::Channel;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use tokio::sync::oneshot;

/// All shards behind one handle. Cheap to clone, usable from any thread.
#[derive(Clone, Debug)]
pub struct ShardHandle {
    mailboxes: Mailboxes,
    counters: Arc<[Arc<Counters>]>,
    /// Where the next command without a conversation goes.
    next: Arc<AtomicU16>,
    draining: Arc<AtomicBool>,
}

/// What is left to do on all shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Live WebSocket connections.
    pub connections: usize,
    /// Whether any conversation has something to store.
    pub busy: bool,
}

impl ShardHandle {
    pub(super) fn new(mailboxes: Mailboxes, counters: Arc<[Arc<Counters>]>) -> Self {
        Self { mailboxes, counters, next: Arc::default(), draining: Arc::default() }
    }

    /// Performs a command for an actor, or for nobody yet, and awaits what came of it.
    pub async fn execute(
        &self,
        actor: Option<Actor>,
        command: Command,
    ) -> Result<Outcome, CommandError> {
        let shard = match conversation_of(&command) {
            Some(conversation) => owner_of(conversation, self.mailboxes.len()),
            None => self.next.fetch_add(1, Ordering::Relaxed) % self.mailboxes.len(),
        };
        let is_send = matches!(command, Command::Send { .. });
        let (reply, outcome) = oneshot::channel();
        let origin = Origin::Call(reply);
        let message = ShardMessage::Perform { origin, actor, command, lane: None };
        if self.mailboxes.command(shard, message).is_err() {
            return Err(overloaded());
        }
        outcome.await.unwrap_or_else(|_| {
            Err(if is_send { CommandError::outcome_unknown() } else { stopping() })
        })
    }

    /// Whether commands can be taken: every shard answers, its store takes writes, and the server
    /// is not about to end.
    pub async fn ready(&self) -> Result<(), CommandError> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(stopping());
        }
        for shard in 0..self.mailboxes.len() {
            let (reply, answer) = oneshot::channel();
            self.mailboxes.post(shard, ShardMessage::Check(reply));
            answer.await.unwrap_or_else(|_| Err(stopping()))?;
        }
        Ok(())
    }

    /// Asks all connections to go elsewhere; from now on the server is not ready.
    pub fn drain(&self, goaway: Goaway) {
        self.draining.store(true, Ordering::Relaxed);
        for shard in 0..self.mailboxes.len() {
            self.mailboxes.post(shard, ShardMessage::Drain(goaway));
        }
    }

    /// Closes all connections.
    pub fn close_all(&self, code: CloseCode) {
        for shard in 0..self.mailboxes.len() {
            self.mailboxes.post(shard, ShardMessage::CloseAll(code));
        }
    }

    /// Ends the shards.
    pub fn end(&self) {
        for shard in 0..self.mailboxes.len() {
            self.mailboxes.post(shard, ShardMessage::End);
        }
    }

    /// Has the owner of each conversation load it, which finishes what a crash left undone.
    pub fn recover(&self, conversations: impl IntoIterator<Item = crate::model::ConversationId>) {
        for conversation in conversations {
            let shard = owner_of(conversation, self.mailboxes.len());
            self.mailboxes.post(shard, ShardMessage::Load(conversation));
        }
    }

    /// What all shards have counted. They are not asked: a shard that is busy answers as well.
    pub fn counts(&self) -> Counts {
        let mut total = Counts::default();
        for counters in self.counters.iter() {
            total.add(&counters.counts());
        }
        total
    }

    /// What is left to do.
    pub async fn census(&self) -> Census {
        let mut total = Census::default();
        for shard in 0..self.mailboxes.len() {
            let (reply, answer) = oneshot::channel();
            self.mailboxes.post(shard, ShardMessage::Count(reply));
            // A shard that has ended has nothing left.
            let census = answer.await.unwrap_or_default();
            total.connections += census.connections;
            total.busy |= census.busy;
        }
        total
    }
}

fn stopping() -> CommandError {
    CommandError::retryable(
        ErrorCode::Unavailable,
        "the server is stopping",
        std::time::Duration::from_secs(5),
    )
}

/// The shard of the current thread, for whoever brings it a socket.
#[derive(Clone)]
pub struct LocalShard {
    pub(super) reactor: Rc<Reactor>,
    pub(super) clock: Clock,
}

impl LocalShard {
    /// Takes over an upgraded WebSocket, what encrypts it, and the bytes that were read behind its
    /// handshake.
    pub fn adopt(
        &self,
        socket: TcpStream,
        tls: Option<Box<Channel>>,
        early: &[u8],
        admitted: Admitted,
    ) {
        self.enter(admitted, |connections| connections.adopt(socket, tls, early, Mode::Client));
    }

    /// Takes over an upgraded WebSocket that sends back what it gets.
    pub fn adopt_echo(
        &self,
        socket: TcpStream,
        tls: Option<Box<Channel>>,
        early: &[u8],
        admitted: Admitted,
    ) {
        self.enter(admitted, |connections| connections.adopt(socket, tls, early, Mode::Echo));
    }

    fn enter(
        &self,
        admitted: Admitted,
        adopt: impl FnOnce(&mut Connections) -> std::io::Result<ConnectionKey>,
    ) {
        let adopted = self.reactor.enter(self.clock.now(), |connections| {
            let key = adopt(connections)?;
            connections.admit(key, admitted);
            std::io::Result::Ok(())
        });
        if let Err(error) = adopted {
            tracing::warn!(%error, "a WebSocket could not be taken over");
        }
    }
}

impl std::fmt::Debug for LocalShard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalShard").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod scripted {
    //! A handle whose commands a test answers.

    use super::{ShardHandle, ShardMessage};
    use crate::model::{Actor, Command, CommandError, Outcome};
    use crate::shard::mailbox::{Inbox, Origin, mailboxes};
    use std::sync::Arc;
    use tokio::sync::oneshot;

    /// One command on its way.
    #[derive(Debug)]
    pub(crate) struct Asked {
        #[expect(dead_code, reason = "shown when a test fails")]
        pub(crate) actor: Option<Actor>,
        pub(crate) command: Command,
        pub(crate) reply: oneshot::Sender<Result<Outcome, CommandError>>,
    }

    /// Where the commands arrive.
    #[derive(Debug)]
    pub(crate) struct Script(Inbox);

    impl ShardHandle {
        /// A handle whose commands arrive at a script.
        pub(crate) fn scripted() -> (Self, Script) {
            let (mailboxes, mut inboxes) = mailboxes(1);
            (Self::new(mailboxes, Arc::default()), Script(inboxes.remove(0)))
        }
    }

    impl Script {
        /// The next command; `None` when the handle is gone.
        #[expect(clippy::wildcard_enum_match_arm, reason = "a script answers commands only")]
        pub(crate) async fn recv(&mut self) -> Option<Asked> {
            loop {
                let mut messages = Vec::new();
                let polled = std::future::poll_fn(|ctx| self.0.poll(ctx, &mut messages, 1));
                if polled.await == 0 {
                    return None;
                }
                match messages.pop()? {
                    ShardMessage::Perform {
                        origin: Origin::Call(reply), actor, command, ..
                    } => {
                        return Some(Asked { actor, command, reply });
                    }
                    ShardMessage::Check(reply) => drop(reply.send(Ok(()))),
                    other => drop(other),
                }
            }
        }
    }
}
