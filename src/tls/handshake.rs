//! The handshake of one connection, from the server's side, without a socket.
//!
//! Bytes in, bytes out, and at the end a [`Channel`]: rustls leads the handshake, and what it
//! learned of the records behind it (an application may speak at once) goes along. Nothing that came
//! is lost and nothing is handed on that was not authenticated.
//!
//! Invariant: what is kept of the peer's bytes is bounded, since rustls refuses a handshake message
//! beyond 64 KiB and a record beyond its length before it is whole.

use super::channel::Channel;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, InsufficientSizeError, UnbufferedStatus};
use rustls::{Error, ServerConfig};
use std::sync::Arc;

/// The most bytes of records that wait to make a handshake message whole.
const INCOMING_BYTES_MAX: usize = 128 << 10;

/// A handshake under way.
pub struct Handshake {
    connection: UnbufferedServerConnection,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    /// What the peer said behind its handshake and rustls has opened already.
    early: Vec<u8>,
    closed: bool,
}

/// Where a step left the connection.
enum Step {
    On,
    Starved,
    Done,
}

impl Handshake {
    /// Begins with the peer's first byte.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, Error> {
        Ok(Self {
            connection: UnbufferedServerConnection::new(config)?,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            early: Vec::new(),
            closed: false,
        })
    }

    /// Takes what has come; tells whether the handshake is complete. After either answer, and after
    /// an error, what is outgoing must be sent.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<bool, Error> {
        self.incoming.extend_from_slice(bytes);
        if self.incoming.len() > INCOMING_BYTES_MAX {
            return Err(Error::General("a handshake longer than any".into()));
        }
        loop {
            match self.step() {
                Ok(Step::On) => {}
                Ok(Step::Starved) => return Ok(false),
                Ok(Step::Done) => return Ok(true),
                Err(error) => {
                    self.queue_alert();
                    return Err(error);
                }
            }
        }
    }

    /// Takes out what is to be sent.
    pub fn take_outgoing(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.outgoing)
    }

    /// The established connection, and what was said on it already.
    pub fn finish(self) -> Result<(Channel, Vec<u8>), Error> {
        let (secrets, keys) = self.connection.dangerous_into_kernel_connection()?;
        Ok((Channel::new(secrets, keys, &self.incoming, self.closed)?, self.early))
    }

    fn step(&mut self) -> Result<Step, Error> {
        let UnbufferedStatus { discard, state } =
            self.connection.process_tls_records(&mut self.incoming);
        let step = match state? {
            ConnectionState::EncodeTlsData(mut data) => {
                encode(|room| data.encode(room), &mut self.outgoing)?;
                Step::On
            }
            ConnectionState::TransmitTlsData(data) => {
                // From here on `outgoing` has it.
                data.done();
                Step::On
            }
            ConnectionState::ReadTraffic(mut traffic) => {
                while let Some(record) = traffic.next_record() {
                    self.early.extend_from_slice(record?.payload);
                }
                Step::On
            }
            ConnectionState::PeerClosed => {
                self.closed = true;
                Step::On
            }
            ConnectionState::BlockedHandshake => Step::Starved,
            ConnectionState::WriteTraffic(_) => Step::Done,
            // Early data is not offered, and we have not closed.
            ConnectionState::Closed | ConnectionState::ReadEarlyData(_) | _ => {
                return Err(Error::General("a state that cannot be".into()));
            }
        };
        self.incoming.drain(..discard.min(self.incoming.len()));
        Ok(step)
    }

    /// After an error: what tells the peer of it. rustls remembers places in what it was given, so it
    /// is given the same again, nothing taken out.
    fn queue_alert(&mut self) {
        let status = self.connection.process_tls_records(&mut self.incoming);
        if let Ok(ConnectionState::EncodeTlsData(mut alert)) = status.state {
            // Without room or an alert the connection just ends.
            drop(encode(|room| alert.encode(room), &mut self.outgoing));
        }
    }
}

/// Appends what `write` needs room for.
fn encode(
    mut write: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let before = out.len();
    let Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) =
        write(&mut [])
    else {
        return Ok(());
    };
    out.resize(before.saturating_add(required_size), 0);
    let written = write(out.get_mut(before..).unwrap_or_default());
    written.map(drop).map_err(|error| Error::General(error.to_string()))
}

impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handshake").finish_non_exhaustive()
    }
}
