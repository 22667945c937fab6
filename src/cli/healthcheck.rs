//! `healthcheck`: asks the server of a configuration whether it takes work.
//!
//! For supervisors that run a command, as those of containers do, so that an image needs no other
//! HTTP client. One request on one socket: `GET /readyz`, through TLS where the configuration has a
//! certificate, after a PROXY header where the server expects one from here.

use crate::clock::Stopwatch;
use crate::config::Config;
use crate::tls;
use rustls::StreamOwned;
use serde::Deserialize;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// What is asked.
const REQUEST: &[u8] = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// What a server reads first from the addresses in `server.proxies`: that nobody stands behind it.
const PROXY_HEADER: &[u8] = b"PROXY UNKNOWN\r\n";

/// More than any answer has.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Why a server does not count as healthy.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    /// The configuration does not say where to ask.
    #[error("server.listen takes any free port: say by --address which one it got")]
    AnyPort,
    /// It does not answer.
    #[error("{address} does not answer")]
    Silent {
        /// Where it was asked.
        address: SocketAddr,
        /// What happened instead.
        source: io::Error,
    },
    /// It answers something else.
    #[error("{address} does not answer as chasqui does")]
    Stranger {
        /// Where it was asked.
        address: SocketAddr,
    },
    /// It says that it takes no work.
    #[error("{address} answers {status}: {reason}")]
    NotReady {
        /// Where it was asked.
        address: SocketAddr,
        /// The status of its answer.
        status: u16,
        /// What it says.
        reason: String,
    },
}

/// Asks the server that listens by this configuration, or at another address, and waits no longer
/// than `timeout` in all.
pub fn check(
    config: &Config,
    address: Option<SocketAddr>,
    timeout: Duration,
) -> Result<(), Unhealthy> {
    let asked = address.or_else(|| config.server.listen.all().first().copied());
    let address = asked.filter(|address| address.port() != 0).map(reachable);
    let address = address.ok_or(Unhealthy::AnyPort)?;
    let answer = ask(config, address, timeout)
        .map_err(|error| Unhealthy::Silent { address, source: in_time(error, timeout) })?;
    match read(&answer) {
        Some((200, _)) => Ok(()),
        Some((status, reason)) => Err(Unhealthy::NotReady { address, status, reason }),
        None => Err(Unhealthy::Stranger { address }),
    }
}

/// Where this machine reaches itself, if the server listens on all of its addresses.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let own = match listening {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::LOCALHOST),
        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let ip = listening.ip();
    SocketAddr::new(if ip.is_unspecified() { own } else { ip }, listening.port())
}

fn ask(config: &Config, address: SocketAddr, timeout: Duration) -> io::Result<Vec<u8>> {
    let since = Stopwatch::start();
    let stream = TcpStream::connect_timeout(&address, timeout)?;
    let own = stream.local_addr()?.ip();
    let mut stream = Timed { stream, since, timeout };
    if config.server.proxies.iter().any(|proxies| proxies.contains(own)) {
        stream.write_all(PROXY_HEADER)?;
    }
    if config.tls_files().is_some() {
        let session = tls::probe(address.ip()).map_err(io::Error::other)?;
        exchange(StreamOwned::new(session, stream))
    } else {
        exchange(stream)
    }
}

fn exchange(mut stream: impl Read + Write) -> io::Result<Vec<u8>> {
    stream.write_all(REQUEST)?;
    stream.flush()?;
    let mut answer = Vec::new();
    match stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer) {
        // Whoever ends TLS without saying so may still have answered.
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(answer),
    }
}

/// What a problem document says for people.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

/// The status of an answer, and the reason that it gives.
fn read(answer: &[u8]) -> Option<(u16, String)> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let problem = serde_json::from_str(body);
    Some((status, problem.map_or_else(|_| body.to_owned(), |Problem { detail }| detail)))
}

/// The error, in the words of who waited.
fn in_time(error: io::Error, timeout: Duration) -> io::Error {
    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
        io::Error::new(ErrorKind::TimedOut, format!("not within {timeout:?}"))
    } else {
        error
    }
}

/// A stream that is waited for only until a time in all is over.
struct Timed {
    stream: TcpStream,
    since: Stopwatch,
    timeout: Duration,
}

impl Timed {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.timeout.saturating_sub(self.since.elapsed());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// What comes of asking whoever answers like this; also what was asked.
    fn answered(answer: &'static str, timeout: Duration) -> (Result<(), Unhealthy>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut asked = vec![0; REQUEST.len()];
            stream.read_exact(&mut asked).expect("a request");
            stream.write_all(answer.as_bytes()).expect("read");
            if answer.is_empty() {
                // Holds the line until the other side gives up.
                assert_eq!(stream.read(&mut [0]).expect("closed"), 0);
            }
            String::from_utf8(asked).expect("text")
        });
        let told = check(&Config::default(), Some(address), timeout);
        (told, server.join().expect("it answered"))
    }

    #[test]
    fn who_listens_on_every_address_is_asked_at_this_machines_own() {
        for (listening, asked) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("10.1.2.3:80", "10.1.2.3:80"),
        ] {
            assert_eq!(reachable(listening.parse().expect("valid")).to_string(), asked);
        }
    }

    #[test]
    fn only_the_status_200_is_healthy() {
        let (told, asked) = answered("HTTP/1.1 200 OK\r\n\r\n{\"status\":\"ok\"}", PATIENCE);
        assert!(told.is_ok());
        assert!(asked.starts_with("GET /readyz HTTP/1.1\r\n"));
        let (told, _) = answered("HTTP/1.1 503 x\r\n\r\n{\"detail\":\"it drains\"}", PATIENCE);
        assert!(told.expect_err("503").to_string().ends_with(" answers 503: it drains"));
        let (told, _) = answered("HTTP/1.1 404 x\r\n\r\nno", PATIENCE);
        assert!(told.expect_err("404").to_string().ends_with(" answers 404: no"));
    }

    #[test]
    fn who_speaks_otherwise_is_not_healthy() {
        for answer in ["+OK\r\n\r\n", "HTTP/1.1 2", "HTTP/1.1 x00 a\r\n\r\n"] {
            let (told, _) = answered(answer, PATIENCE);
            assert!(matches!(told, Err(Unhealthy::Stranger { .. })), "{answer}: {told:?}");
        }
    }

    #[test]
    fn a_server_that_says_nothing_is_not_waited_for_longer_than_asked() {
        let (told, _) = answered("", Duration::from_millis(50));
        let Err(Unhealthy::Silent { source, .. }) = told else { panic!("{told:?}") };
        assert_eq!(source.to_string(), "not within 50ms");
    }

    #[test]
    fn a_port_that_only_the_server_knows_must_be_told() {
        let mut config = Config::default();
        config.server.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into();
        assert!(matches!(check(&config, None, PATIENCE), Err(Unhealthy::AnyPort)));
    }
}
