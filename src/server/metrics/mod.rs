//! `/metrics` on an address of its own: what the server counts, in the text format of Prometheus.
//!
//! Owns that listener; it has no other path and nothing of the doors. It runs beside the shards, on
//! the thread that started them, and reads their counters without asking them: a busy shard delays
//! no answer, and an answer delays no shard. `docs/metrics.md` lists the numbers.

mod figures;
mod process;

pub(super) use figures::Sources;

use super::ServerError;
use crate::telemetry::Page;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// The most connections at a time; more are not accepted until one ends.
const CONNECTIONS_MAX: usize = 16;

/// How long a connection may take to send the head of its first or next request: longer than most
/// scrapers wait between two of them.
const IDLE_MAX: Duration = Duration::from_secs(90);

/// How long to wait after an accept that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The listener. Shown as the line that tells where it is.
#[derive(Debug)]
pub(super) struct Door {
    listener: TcpListener,
    address: SocketAddr,
}

impl Door {
    /// Binds it, if there is to be one. Needs a runtime.
    pub(super) fn bind(address: Option<SocketAddr>) -> Result<Option<Self>, ServerError> {
        let Some(address) = address else { return Ok(None) };
        let bind = || {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Some(Self { listener: TcpListener::from_std(listener)?, address }))
        };
        bind().map_err(|source| ServerError::Listen { address, source })
    }

    /// Serves for as long as it is polled.
    pub(super) async fn serve(self, sources: Sources) {
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let sources = Arc::new(sources);
        while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let sources = Arc::clone(&sources);
                    tokio::spawn(async move {
                        converse(stream, &sources).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "metrics on http://{}/metrics", self.address)
    }
}

async fn converse(stream: TcpStream, sources: &Sources) {
    let service = service_fn(|request: Request<Incoming>| {
        std::future::ready(Ok::<_, Infallible>(answer(&request, sources)))
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_MAX)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection for metrics ended");
    }
}

fn answer<B>(request: &Request<B>, sources: &Sources) -> Response<Full<Bytes>> {
    let mut response = Response::default();
    if request.uri().path() != "/metrics" {
        *response.status_mut() = StatusCode::NOT_FOUND;
    } else if request.method() == Method::GET {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(Page::CONTENT_TYPE));
        *response.body_mut() = Full::from(sources.read().page().into_text());
    } else {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
    }
    response
}
