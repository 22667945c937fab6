//! What HTTP is spoken over: a socket, or one with TLS on it.
//!
//! Owns the handshake of a connection and its plaintext until an upgrade takes both away. It decides
//! nothing about time: whoever calls bounds it.
//!
//! A plain socket is passed through. With TLS, what was opened and not read yet is kept here, and
//! goes along with an upgrade.

use crate::tls::{Channel, Handshake, Received, ServerConfig};
use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

/// How much of a handshake is read at once.
const HANDSHAKE_BYTES: usize = 4_096;

/// What someone who speaks HTTP to a port of HTTPS is told.
const PLAIN_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Content-Length: 24\r\nConnection: close\r\n\r\nthis port speaks HTTPS.\n";

/// A connection that HTTP is spoken over.
pub(super) enum Wire {
    /// As it comes.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<Encrypted>),
}

/// A socket with TLS on it.
pub(super) struct Encrypted {
    stream: TcpStream,
    channel: Box<Channel>,
    /// What was opened, and how much of it was read.
    plain: Vec<u8>,
    read: usize,
}

/// A handshake that led to nothing; the socket has been told why.
#[derive(Debug)]
pub(super) struct Failed {
    /// To be closed in order.
    pub(super) stream: TcpStream,
    /// Why.
    pub(super) error: io::Error,
}

impl Wire {
    /// Does the handshake on a fresh socket.
    pub(super) async fn encrypted(
        mut stream: TcpStream,
        config: Arc<ServerConfig>,
    ) -> Result<Self, Failed> {
        match shake_hands(&mut stream, config).await {
            Ok((channel, plain)) => {
                let channel = Box::new(channel);
                Ok(Self::Tls(Box::new(Encrypted { stream, channel, plain, read: 0 })))
            }
            Err(error) => Err(Failed { stream, error }),
        }
    }

    /// Takes it apart: the socket, its TLS, and what was opened and not read.
    pub(super) fn into_parts(self) -> (TcpStream, Option<Box<Channel>>, Vec<u8>) {
        match self {
            Self::Plain(stream) => (stream, None, Vec::new()),
            Self::Tls(encrypted) => {
                let Encrypted { stream, channel, mut plain, read } = *encrypted;
                plain.drain(..read);
                (stream, Some(channel), plain)
            }
        }
    }
}

async fn shake_hands(
    stream: &mut TcpStream,
    config: Arc<ServerConfig>,
) -> io::Result<(Channel, Vec<u8>)> {
    let mut handshake = Handshake::new(config).map_err(io::Error::other)?;
    let mut first = true;
    loop {
        stream.readable().await?;
        let received = {
            let mut bytes = [0; HANDSHAKE_BYTES];
            let count = match stream.try_read(&mut bytes) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            };
            let bytes = bytes.get(..count).unwrap_or_default();
            if first && is_http(bytes) { None } else { Some(handshake.receive(bytes)) }
        };
        first = false;
        let Some(received) = received else {
            stream.write_all(PLAIN_ANSWER).await?;
            return Err(io::Error::other("plain HTTP"));
        };
        let outgoing = handshake.take_outgoing();
        stream.write_all(&outgoing).await?;
        if received.map_err(io::Error::other)? {
            return handshake.finish().map_err(io::Error::other);
        }
    }
}

/// Whether a client's first bytes are the name of a method; a handshake begins with 22.
fn is_http(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_uppercase)
}

impl Encrypted {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let left = self.plain.get(self.read..).unwrap_or_default();
            if !left.is_empty() {
                let taken = left.get(..buf.remaining()).unwrap_or(left);
                buf.put_slice(taken);
                self.read += taken.len();
                if self.read == self.plain.len() {
                    (self.plain, self.read) = (Vec::new(), 0);
                }
                return Poll::Ready(Ok(()));
            }
            ready!(self.stream.poll_read_ready(context))?;
            // Only while something has come: who waits for a request keeps no buffer.
            let mut room = vec![0; Channel::room_bytes_min()];
            match self.channel.receive(&mut Ready(&self.stream), &mut room) {
                Ok(Received::Bytes { count, .. }) => {
                    room.truncate(count);
                    (self.plain, self.read) = (room, 0);
                }
                Ok(Received::End) => return Poll::Ready(Ok(())),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            match self.channel.send(&mut Ready(&self.stream), slices) {
                Err(error) if is_passing(&error) => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.channel.has_outgoing() {
            ready!(self.stream.poll_write_ready(context))?;
            match self.channel.flush(&mut Ready(&self.stream)) {
                Err(error) if is_passing(&error) => {}
                flushed => return Poll::Ready(flushed),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(context))?;
        self.channel.close(&mut Ready(&self.stream));
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Whether to wait until the socket is ready and try again.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// A socket as it is now, without waiting.
struct Ready<'a>(&'a TcpStream);

impl Read for Ready<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Ready<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buf),
            Self::Tls(encrypted) => encrypted.poll_read(context, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(encrypted) => encrypted.poll_send(context, &[IoSlice::new(bytes)]),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Tls(encrypted) => encrypted.poll_send(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(encrypted) => encrypted.poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(encrypted) => encrypted.poll_shutdown(context),
        }
    }
}
