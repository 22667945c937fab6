//! Splits a message into frames. Owns the outer layout and the rule of unknown types; the bodies
//! belong to [`super::ClientFrame`] and [`super::ServerFrame`].

use super::constants::{Side, frame};
use super::error::{Fault, ProtocolError};
use super::reader::Reader;

/// From this type on, an unknown frame is skipped; below it, it breaks the connection.
const SKIPPABLE_FIRST: u8 = 0x80;

/// One frame, its body not yet looked at.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Its type.
    pub kind: u8,
    /// Its body.
    pub body: &'a [u8],
    /// Where the frame begins in the message.
    start: usize,
    /// Where the body begins in the message.
    offset: usize,
}

impl<'a> Frame<'a> {
    /// Where the frame begins in the message.
    pub const fn start(&self) -> usize {
        self.start
    }

    /// Reads the fields of the body.
    pub(crate) const fn reader(&self) -> Reader<'a> {
        Reader::new(self.body, self.offset)
    }

    /// Whether this is a frame that `side` sends: true if so, false if it is to be skipped.
    pub(crate) fn is_from(&self, side: Side) -> Result<bool, ProtocolError> {
        let fault = match (frame::describe(self.kind), self.kind) {
            (Some((_, from)), _) if from == side || from == Side::Both => return Ok(true),
            (Some(_), kind) => Fault::WrongSide(kind),
            (None, kind @ (0x00 | 0xff)) => Fault::ReservedType(kind),
            (None, SKIPPABLE_FIRST..) => return Ok(false),
            (None, kind) => Fault::UnknownType(kind),
        };
        Err(ProtocolError::closing(fault, self.start))
    }
}

/// The frames of one WebSocket message. An error ends the iteration: what came before it stands.
pub fn frames(message: &[u8]) -> Frames<'_> {
    Frames { reader: Reader::new(message, 0), ended: false }
}

/// Iterates over the frames of a message; see [`frames`].
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    reader: Reader<'a>,
    ended: bool,
}

impl<'a> Frames<'a> {
    /// The bytes of the frames that have not been taken yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.reader.rest()
    }

    fn read(&mut self) -> Result<Frame<'a>, ProtocolError> {
        let start = self.reader.offset();
        if self.reader.is_empty() {
            return Err(self.reader.error(Fault::EmptyMessage));
        }
        let kind = self.reader.u8()?;
        let body = self.reader.nested()?;
        Ok(Frame { kind, body: body.rest(), start, offset: body.offset() })
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, ProtocolError>;

    fn next(&mut self) -> Option<Self::Item> {
        let begun = self.reader.offset() > 0;
        if self.ended || (begun && self.reader.is_empty()) {
            return None;
        }
        let frame = self.read();
        self.ended = frame.is_err();
        Some(frame)
    }
}

impl std::iter::FusedIterator for Frames<'_> {}
