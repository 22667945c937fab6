//! A proxy in front of a CQL server that makes chosen statements fail: what tests of lost and forged
//! answers stand on.
//!
//! It takes the frames of the native protocol apart as far as is needed to know which statement a
//! request sends, and asks a rule what shall become of it. Everything else passes through.

pub(crate) mod answers;
mod frames;
mod relay;

pub(crate) use frames::Frame;

use relay::Relay;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It never reaches the server.
    DropRequest,
    /// It reaches the server when the proxy is told to let go of what it holds.
    Hold,
    /// It never reaches the server, and the connection breaks.
    BreakBefore,
    /// It never reaches the server and is answered by the proxy.
    Forge(Frame),
    /// The server's answer to it is lost.
    DropAnswer,
    /// The connection breaks where the server answers it.
    BreakAfter,
    /// The proxy's answer takes the place of the server's.
    ForgeAfter(Frame),
}

/// Tells what becomes of a statement, given its text; of a batch, that of the first.
type Rule = Box<dyn FnMut(&str) -> Option<Fault> + Send>;

/// A running proxy.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// What all connections share.
struct Shared {
    rule: Mutex<Rule>,
    /// The text of each prepared statement by its id.
    statements: Mutex<Vec<(Vec<u8>, String)>>,
    released: Notify,
}

impl Proxy {
    /// Starts one in front of a server.
    pub(crate) async fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            rule: Mutex::new(Box::new(|_| None)),
            statements: Mutex::default(),
            released: Notify::new(),
        });
        let server = server.to_owned();
        let accepting = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let Ok(server) = TcpStream::connect(&server).await else { continue };
                    tokio::spawn(Relay::new(Arc::clone(&shared)).run(client, server));
                }
            }
        });
        Self { address, shared, accepting }
    }

    /// Where the driver finds it.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Replaces the rule.
    pub(crate) fn follow(&self, rule: impl FnMut(&str) -> Option<Fault> + Send + 'static) {
        *lock(&self.shared.rule) = Box::new(rule);
    }

    /// Lets go of every request that is held.
    pub(crate) fn release(&self) {
        self.shared.released.notify_waiters();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
