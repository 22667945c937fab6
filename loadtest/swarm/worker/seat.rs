//! One client with its socket.

use crate::client::transport::{Moved, Transport};
use crate::client::{Broken, Client, Context, State};

/// A member's place in a worker.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of one connection")]
pub(super) struct Seat {
    /// The protocol.
    pub client: Client,
    /// The socket, while there is one.
    pub transport: Option<Transport>,
    /// When it began to connect.
    pub began: u64,
    /// When it last lost everything it had, until it has it again.
    pub down_since: Option<u64>,
    /// How often it has tried to connect.
    pub attempts: u32,
    /// How often in a row it has failed to.
    pub failures: u32,
    /// Whether it counts among those that are connecting.
    pub connecting: bool,
    /// Whether there is something to write.
    pub dirty: bool,
    /// Whether it has sent or received since it was last looked at.
    pub active: bool,
    /// Whether it reads a byte at a time now.
    pub trickles: bool,
}

/// What moving bytes came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moves {
    /// Bytes.
    pub bytes: u64,
    /// Calls of the kernel.
    pub calls: u64,
}

impl Seat {
    /// Reads what has arrived into `buffer` and hands it to the client.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        ctx: &mut Context<'_>,
        moves: &mut Moves,
    ) -> Result<(), Broken> {
        // A slow one takes one byte and leaves the rest where it is.
        let room = if self.trickles { 1 } else { buffer.len() };
        while let Some(transport) = &mut self.transport {
            let Some(space) = buffer.get_mut(..room) else { break };
            moves.calls += 1;
            match transport.read(space) {
                Moved::Bytes(count) => {
                    moves.bytes += u64::try_from(count).unwrap_or_default();
                    self.active = true;
                    self.client.receive(space.get(..count).unwrap_or_default(), ctx)?;
                    if count < buffer.len() {
                        break;
                    }
                }
                Moved::Blocked => break,
                Moved::Closed => return Err(Broken::Closed(1006)),
            }
        }
        Ok(())
    }

    /// Whether something waits until the socket is writable.
    pub(super) fn is_blocked(&self) -> bool {
        let behind = self.transport.as_ref().is_some_and(Transport::is_behind);
        !self.dirty && (self.client.has_output() || behind)
    }

    /// Writes what the client has to say, as far as it is taken.
    pub(super) fn flush(&mut self, moves: &mut Moves) -> Result<(), Broken> {
        let Some(transport) = &mut self.transport else { return Ok(()) };
        if transport.is_behind() && transport.push() == Moved::Closed {
            return Err(Broken::Closed(1006));
        }
        while self.client.state > State::Connecting && self.client.has_output() {
            let output = self.client.output();
            moves.calls += 1;
            match transport.write(output) {
                Moved::Bytes(count) => {
                    moves.bytes += u64::try_from(count).unwrap_or_default();
                    self.active = true;
                    self.client.written(count);
                }
                Moved::Blocked => break,
                Moved::Closed => return Err(Broken::Closed(1006)),
            }
        }
        Ok(())
    }
}
