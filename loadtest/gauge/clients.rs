//! Many clients on one thread, with as little work as can be: an epoll set and one buffer.

use crate::Failure;
use chasqui::protocol::constants::SUBPROTOCOL;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// How much is read at once.
const READ_BYTES: usize = 64 << 10;

/// How many events are taken at once.
const EVENTS_MAX: usize = 256;

/// Open connections; what they send to each other is the caller's.
pub(crate) struct Clients {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    sockets: Vec<TcpStream>,
    buffer: Vec<u8>,
}

impl Clients {
    /// None yet.
    pub(crate) fn new() -> Result<Self, Failure> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let events = Vec::with_capacity(EVENTS_MAX);
        Ok(Self { epoll, events, sockets: Vec::new(), buffer: vec![0; READ_BYTES] })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Opens one. `greeting` is sent behind the handshake.
    pub(crate) fn open(
        &mut self,
        address: SocketAddr,
        path: &str,
        greeting: &[u8],
    ) -> Result<(), Failure> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        write!(
            socket,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n\
             Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
        )?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte)?;
            head.extend_from_slice(&byte);
        }
        if !head.starts_with(b"HTTP/1.1 101 ") {
            return Err(String::from_utf8_lossy(&head).into_owned().into());
        }
        socket.write_all(greeting)?;
        socket.set_nonblocking(true)?;
        let data = epoll::EventData::new_u64(u64::try_from(self.sockets.len())?);
        epoll::add(&self.epoll, &socket, data, epoll::EventFlags::IN)?;
        self.sockets.push(socket);
        Ok(())
    }

    /// Writes all of `bytes` on one of them.
    pub(crate) fn send(&self, index: usize, bytes: &[u8]) -> Result<(), Failure> {
        let mut socket = self.sockets.get(index).ok_or("no such client")?;
        let mut rest = bytes;
        while !rest.is_empty() {
            match socket.write(rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Waits for bytes at most so long, and hands out what has come on which of them.
    pub(crate) fn receive(
        &mut self,
        timeout: Duration,
        mut take: impl FnMut(&Self, usize, &[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.events.clear();
        let timeout = Timespec::try_from(timeout)?;
        epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&timeout))?;
        let events = std::mem::take(&mut self.events);
        let mut buffer = std::mem::take(&mut self.buffer);
        for event in &events {
            let data = event.data;
            let index = usize::try_from(data.u64())?;
            let mut socket = self.sockets.get(index).ok_or("no such client")?;
            match socket.read(&mut buffer) {
                Ok(0) => return Err("the server closed a connection".into()),
                Ok(count) => take(self, index, buffer.get(..count).unwrap_or_default())?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        (self.events, self.buffer) = (events, buffer);
        Ok(())
    }
}

/// A client's binary message, masked, of at most 65,535 bytes.
pub(crate) fn message(payload: &[u8]) -> Result<Vec<u8>, Failure> {
    const MASK: [u8; 4] = [0x5a, 0xc3, 0x17, 0xe9];
    let mut message = vec![0x82];
    if let Ok(short @ 0..=125) = u8::try_from(payload.len()) {
        message.push(0x80 | short);
    } else {
        message.push(0xfe);
        message.extend_from_slice(&u16::try_from(payload.len())?.to_be_bytes());
    }
    message.extend_from_slice(&MASK);
    message.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    Ok(message)
}
