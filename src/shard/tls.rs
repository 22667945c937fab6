//! How a connection's bytes pass through TLS, if it has any.
//!
//! Owns the joint between a connection and its channel: reads come out as plaintext in the shard's
//! buffer, writes go in as the outbox's slices. Keys and records are the channel's. A connection
//! without TLS pays one test a read and one a write.

use super::connection::{Connection, Flags};
use super::outbox::{Flush, Outbox};
use super::turn::{self, Received};
use crate::model::Timestamp;
use crate::tls::{self, Channel};
use std::io::{self, IoSlice, Write};
use std::net::{Shutdown, TcpStream};

impl Connection {
    /// Reads once, what is plaintext then.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Received {
        let Some(channel) = &mut self.tls else { return turn::receive(self, buffer) };
        match channel.receive(&mut &self.socket, buffer) {
            Ok(tls::Received::Bytes { count, more }) => {
                Received::Bytes(count, more || self.flags.has(Flags::FINISHED))
            }
            Ok(tls::Received::End) => Received::End,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Received::Nothing,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Received::Bytes(0, true),
            Err(_broken) => Received::Broken,
        }
    }

    /// Writes once what is owed.
    pub(super) fn write(&mut self, now: Timestamp) -> io::Result<Flush> {
        let Some(outbox) = &mut self.outbox else { return Ok(Flush::Drained) };
        let mut socket = &self.socket;
        match &mut self.tls {
            None => outbox.write_to(&mut socket, now),
            Some(channel) => write_sealed(outbox, channel, socket, now),
        }
    }

    /// Ends our side.
    pub(super) fn shut(&mut self) -> io::Result<()> {
        if let Some(channel) = &mut self.tls {
            channel.close(&mut &self.socket);
        }
        self.socket.shutdown(Shutdown::Write)
    }
}

fn write_sealed(
    outbox: &mut Outbox,
    channel: &mut Channel,
    socket: &TcpStream,
    now: Timestamp,
) -> io::Result<Flush> {
    outbox.write_to(&mut Sealing { channel, socket }, now)
}

/// Seals what is written to it. It takes less than it is given only where the socket is full.
struct Sealing<'a> {
    channel: &'a mut Channel,
    socket: &'a TcpStream,
}

impl Write for Sealing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.channel.send(&mut self.socket, slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.channel.flush(&mut self.socket)
    }
}
