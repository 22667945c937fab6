//! What carries the bytes of one connection.
//!
//! Owns the socket and, with TLS, what that keeps; without it no buffer, so that a connection at rest
//! has none.

use crate::tls::{Session, Tls};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// A way to the server.
#[derive(Debug)]
pub(crate) enum Transport {
    /// TCP as it is.
    Plain(OwnedFd),
    /// TLS over it.
    Tls(OwnedFd, Box<Session>),
}

/// What became of an attempt to move bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// So many bytes.
    Bytes(usize),
    /// None for now.
    Blocked,
    /// The connection is over.
    Closed,
}

impl Transport {
    /// Begins to connect from an address of this machine; writability tells that it has come to an
    /// end, [`Transport::connected`] to which.
    pub(crate) fn connect(from: IpAddr, to: SocketAddr, tls: Option<&Tls>) -> Result<Self, Errno> {
        let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        if to.ip().is_loopback() && to.is_ipv4() {
            net::bind(&socket, &SocketAddr::new(from, 0))?;
        }
        match net::connect(&socket, &to) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error),
        }
        Ok(match tls {
            None => Self::Plain(socket),
            Some(tls) => {
                Self::Tls(socket, Box::new(tls.session().map_err(|_refused| Errno::PROTO)?))
            }
        })
    }

    /// Whether the connection stands, once the socket is writable.
    pub(crate) fn connected(&self) -> bool {
        matches!(sockopt::socket_error(self), Ok(Ok(())))
    }

    /// Has closing it send a reset, as when a process or a network dies.
    pub(crate) fn abort_on_close(&self) {
        sockopt::set_socket_linger(self, Some(Duration::ZERO)).ok();
    }

    /// Whether something waits to be written that nobody will hand over again.
    pub(crate) fn is_behind(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(_, session) => session.is_behind(),
        }
    }

    /// Writes what waits.
    pub(crate) fn push(&mut self) -> Moved {
        match self {
            Self::Plain(_) => Moved::Blocked,
            Self::Tls(socket, session) => moved(session.push(socket).map(|()| 0)),
        }
    }

    /// Takes what has arrived.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Moved {
        let read = match self {
            Self::Plain(socket) => rustix::io::read(&*socket, buffer).map_err(Into::into),
            Self::Tls(socket, session) => session.read(socket, buffer),
        };
        if matches!(read, Ok(0)) { Moved::Closed } else { moved(read) }
    }

    /// Hands over as much as is taken.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Moved {
        moved(match self {
            Self::Plain(socket) => {
                net::send(&*socket, bytes, net::SendFlags::NOSIGNAL).map_err(Into::into)
            }
            Self::Tls(socket, session) => session.write(socket, bytes),
        })
    }
}

fn moved(result: io::Result<usize>) -> Moved {
    match result {
        Ok(count) => Moved::Bytes(count),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Moved::Blocked
        }
        Err(_) => Moved::Closed,
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Plain(socket) | Self::Tls(socket, _) => socket.as_fd(),
        }
    }
}
