//! What carries the bytes of one connection.
//!
//! Owns the socket and nothing else: no buffer, so that a connection at rest has none.

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// A way to the server.
#[derive(Debug)]
pub(crate) enum Transport {
    /// TCP as it is.
    Plain(OwnedFd),
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
    pub(crate) fn connect(from: IpAddr, to: SocketAddr) -> Result<Self, Errno> {
        let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        if to.ip().is_loopback() && to.is_ipv4() {
            net::bind(&socket, &SocketAddr::new(from, 0))?;
        }
        match net::connect(&socket, &to) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(Self::Plain(socket)),
            Err(error) => Err(error),
        }
    }

    /// Whether the connection stands, once the socket is writable.
    pub(crate) fn connected(&self) -> bool {
        let Self::Plain(socket) = self;
        matches!(sockopt::socket_error(socket), Ok(Ok(())))
    }

    /// Has closing it send a reset, as when a process or a network dies.
    pub(crate) fn abort_on_close(&self) {
        let Self::Plain(socket) = self;
        sockopt::set_socket_linger(socket, Some(Duration::ZERO)).ok();
    }

    /// Takes what has arrived.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Moved {
        let Self::Plain(socket) = self;
        match rustix::io::read(&*socket, buffer) {
            Ok(0) => Moved::Closed,
            Ok(count) => Moved::Bytes(count),
            Err(Errno::AGAIN | Errno::INTR) => Moved::Blocked,
            Err(_) => Moved::Closed,
        }
    }

    /// Hands over as much as is taken.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Moved {
        let Self::Plain(socket) = self;
        match net::send(&*socket, bytes, net::SendFlags::NOSIGNAL) {
            Ok(count) => Moved::Bytes(count),
            Err(Errno::AGAIN | Errno::INTR) => Moved::Blocked,
            Err(_) => Moved::Closed,
        }
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        let Self::Plain(socket) = self;
        socket.as_fd()
    }
}
