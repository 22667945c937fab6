//! A relay between clients and a server that does what bad networks do: it holds bytes back and
//! releases them in lumps, or it cuts each connection after a random number of bytes.

use crate::support::dice::Dice;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What is done to the connections that come from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Nothing.
    Plain,
    /// Bytes wait up to this long for more to go with them.
    Lumps(Duration),
    /// Each direction may carry a random number of bytes; then both sides are closed, half the time
    /// by a reset.
    Cuts,
}

/// How many bytes of one direction are held back at most.
const LUMP_BYTES_MAX: usize = 256 * 1024;

/// A connection that is to be cut carries fewer bytes than 2 to this, most of them far fewer.
const CUT_BITS_MAX: u64 = 16;

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    seed: u64,
    connections: AtomicU64,
    cuts: AtomicUsize,
}

/// A running relay.
#[derive(Debug)]
pub(crate) struct Relay {
    address: SocketAddr,
    manner: watch::Sender<Manner>,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// Starts one in front of `target` that does nothing yet.
    pub(crate) async fn to(target: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (manner, told) = watch::channel(Manner::Plain);
        let (connections, cuts) = (AtomicU64::new(0), AtomicUsize::new(0));
        let shared = Arc::new(Shared { target, seed, connections, cuts });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared), told));
        Self { address, manner, shared, accepting }
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Treats the connections that come from now on so.
    pub(crate) fn set(&self, manner: Manner) {
        self.manner.send_replace(manner);
    }

    /// How many connections it has cut.
    pub(crate) fn cuts(&self) -> usize {
        self.shared.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, told: watch::Receiver<Manner>) {
    while let Ok((client, _)) = listener.accept().await {
        let (shared, manner) = (Arc::clone(&shared), *told.borrow());
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(shared.target).await else { return };
            // Whoever ended it: both sides are closed.
            serve(client, server, manner, &shared).await.ok();
        });
    }
}

async fn serve(
    mut client: TcpStream,
    mut server: TcpStream,
    manner: Manner,
    shared: &Shared,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let number = shared.connections.fetch_add(1, Ordering::Relaxed);
    let mut dice = Dice::new(shared.seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let mut allowance = || {
        let most = 1 << dice.between(5, CUT_BITS_MAX);
        if manner == Manner::Cuts { dice.between(0, most) } else { u64::MAX }
    };
    let (up, down) = (allowance(), allowance());
    let is_cut = {
        let (client_reads, client_writes) = client.split();
        let (server_reads, server_writes) = server.split();
        tokio::select! {
            ended = carry(client_reads, server_writes, manner, up) => ended?,
            ended = carry(server_reads, client_writes, manner, down) => ended?,
        }
    };
    if is_cut {
        shared.cuts.fetch_add(1, Ordering::Relaxed);
        if dice.between(0, 1) == 0 {
            for stream in [&client, &server] {
                socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
            }
        }
    }
    Ok(())
}

/// Carries bytes until the source ends, or until `allowance` of them have passed: then it is cut.
async fn carry(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    manner: Manner,
    mut allowance: u64,
) -> io::Result<bool> {
    let mut held = Vec::with_capacity(16 * 1024);
    loop {
        held.clear();
        if from.read_buf(&mut held).await? == 0 {
            return Ok(false);
        }
        if let Manner::Lumps(wait) = manner {
            gather(&mut from, &mut held, wait).await?;
        }
        let may_pass = usize::try_from(allowance).unwrap_or(usize::MAX).min(held.len());
        to.write_all(&held[..may_pass]).await?;
        allowance -= u64::try_from(may_pass).expect("it fits");
        if allowance == 0 {
            return Ok(true);
        }
    }
}

/// Adds what comes within a time to what is held.
async fn gather(from: &mut ReadHalf<'_>, held: &mut Vec<u8>, wait: Duration) -> io::Result<()> {
    let deadline = tokio::time::Instant::now() + wait;
    while held.len() < LUMP_BYTES_MAX {
        // An end is found again by the next read, and cancelling a read loses nothing.
        match tokio::time::timeout_at(deadline, from.read_buf(held)).await {
            Ok(Ok(1..)) => {}
            Ok(Ok(0)) | Err(_) => break,
            Ok(Err(error)) => return Err(error),
        }
    }
    Ok(())
}
