//! The two types by which the doors know a shard.

use crate::model::{Actor, Command, CommandError, Outcome};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{mpsc, oneshot};

/// One command on its way to a shard.
#[derive(Debug)]
pub struct Asked {
    /// Who asks.
    pub actor: Option<Actor>,
    /// What is asked.
    pub command: Command,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Outcome, CommandError>>,
}

/// All shards behind one handle.
#[derive(Clone, Debug)]
pub struct ShardHandle {
    commands: mpsc::Sender<Asked>,
    ready: Arc<AtomicBool>,
}

impl ShardHandle {
    /// A handle whose commands arrive at the receiver, which answers them.
    pub fn scripted() -> (Self, mpsc::Receiver<Asked>) {
        let (commands, asked) = mpsc::channel(64);
        (Self { commands, ready: Arc::new(AtomicBool::new(true)) }, asked)
    }

    /// Sets what [`Self::ready`] answers.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// Performs a command.
    pub async fn execute(
        &self,
        actor: Option<Actor>,
        command: Command,
    ) -> Result<Outcome, CommandError> {
        let (reply, answer) = oneshot::channel();
        let asked = Asked { actor, command, reply };
        if self.commands.send(asked).await.is_err() {
            return Err(CommandError::overloaded("the server is stopping"));
        }
        answer.await.unwrap_or_else(|_| Err(CommandError::outcome_unknown()))
    }

    /// Whether commands can be taken.
    pub async fn ready(&self) -> Result<(), CommandError> {
        tokio::task::yield_now().await;
        let ready = self.ready.load(Ordering::Relaxed);
        ready.then_some(()).ok_or_else(|| CommandError::overloaded("not ready"))
    }
}

/// The shard of the current thread.
#[derive(Clone, Debug)]
pub struct LocalShard(Rc<()>);

impl LocalShard {
    /// A shard that drops what it adopts.
    pub fn new() -> Self {
        Self(Rc::new(()))
    }

    /// Takes over an upgraded WebSocket.
    pub fn adopt(&self, socket: TcpStream, early: &[u8]) {
        tracing::debug!(early = early.len(), "adopted");
        drop(socket);
    }

    /// Takes over an upgraded WebSocket that is echoed.
    pub fn adopt_echo(&self, socket: TcpStream, early: &[u8]) {
        self.adopt(socket, early);
    }
}

impl Default for LocalShard {
    fn default() -> Self {
        Self::new()
    }
}
