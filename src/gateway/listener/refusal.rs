//! Telling those who are over a limit, and the log.
//!
//! Owns what a refusal costs: one write and no reading, a bounded number of connections that are
//! read on so that their answer is not lost to a reset, and one line of log a second.

use super::wire::Wire;
use super::{Front, linger};
use crate::admission::Refusal;
use crate::gateway::rest::Problem;
use crate::model::{CommandError, ErrorCode};
use axum::http::header::{CONNECTION, HeaderValue};
use socket2::SockRef;
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpStream;

/// How many refused connections are read on at a time; others may lose their answer to a reset.
const LINGERING_MAX: u32 = 64;
/// How often refusals are logged.
const LOG_PERIOD: Duration = Duration::from_secs(1);
/// After how long the refused may try again.
pub(super) const RETRY: Duration = Duration::from_secs(5);

/// What refusals of one shard share.
#[derive(Debug, Default)]
pub(super) struct Refuser {
    lingering: Cell<u32>,
    /// Whether a line was logged less than a period ago.
    quiet: Cell<bool>,
    /// How many refusals no line tells of yet.
    unsaid: Cell<u64>,
    last: Cell<Option<(SocketAddr, Refusal)>>,
}

/// What a refused connection or request is answered.
pub(super) fn refused(refusal: Refusal) -> Problem {
    let detail = match refusal {
        Refusal::Total => "the server has as many connections as it takes",
        Refusal::Address => "the server takes no more connections from this address",
        Refusal::Handshakes => "too many connections are being made",
        Refusal::Http => "too many HTTP connections are open",
    };
    last(ErrorCode::Overloaded, detail, RETRY)
}

/// What an upgrade is answered while the server leaves. The refused come back as spread as they came:
/// each after the same time.
pub(super) fn leaving(spread: Duration) -> Problem {
    let detail = "the server is restarting and takes no further WebSockets";
    last(ErrorCode::Unavailable, detail, spread)
}

/// What an upgrade is answered before the server serves.
pub(super) fn starting() -> Problem {
    let detail = "the server is starting and takes no WebSockets yet";
    last(ErrorCode::Unavailable, detail, RETRY)
}

/// The last answer of a connection, which may be tried again after a while.
fn last(code: ErrorCode, detail: &'static str, retry: Duration) -> Problem {
    Problem::from(CommandError::retryable(code, detail, retry))
        .with_header(CONNECTION, HeaderValue::from_static("close"))
}

/// Answers a connection that is not to be served, and closes it.
pub(super) fn refuse(front: &Rc<Front>, stream: TcpStream, client: SocketAddr, refusal: Refusal) {
    note(front, client, refusal);
    // Where TLS is spoken the answer would need a handshake, which costs more than is to be saved.
    if front.settings.tls.is_some() {
        return;
    }
    // A fresh socket has room for it, whatever the runtime knows of it yet.
    let sent = SockRef::from(&stream).send(&refused(refusal).into_last_answer());
    let lingering = front.refuser.lingering.get();
    if sent.is_err() || lingering >= LINGERING_MAX {
        return;
    }
    front.refuser.lingering.set(lingering + 1);
    let front = Rc::clone(front);
    tokio::task::spawn_local(async move {
        linger(Wire::Plain(stream)).await;
        let lingering = &front.refuser.lingering;
        lingering.set(lingering.get().saturating_sub(1));
    });
}

/// Counts a refusal and logs it, at once or with those that follow.
pub(super) fn note(front: &Rc<Front>, client: SocketAddr, refusal: Refusal) {
    front.settings.admission.refuse(refusal);
    let refuser = &front.refuser;
    refuser.unsaid.set(refuser.unsaid.get() + 1);
    refuser.last.set(Some((client, refusal)));
    if !refuser.quiet.replace(true) {
        let front = Rc::clone(front);
        tokio::task::spawn_local(async move {
            while front.refuser.say() {
                tokio::time::sleep(LOG_PERIOD).await;
            }
            front.refuser.quiet.set(false);
        });
    }
}

impl Refuser {
    /// Logs what is unsaid; false if there is nothing.
    fn say(&self) -> bool {
        let Some((client, reason)) = self.last.take() else { return false };
        let count = self.unsaid.take();
        tracing::warn!(%client, ?reason, count, "refused connections, this client the last");
        true
    }
}
