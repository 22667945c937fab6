//! Reads the fields of a body one after the other. Owns positions in the message, so that an error
//! can name one; knows single fields, not frames.

use super::error::{Fault, ProtocolError};
use super::varint;
use crate::model::{ConversationId, Ordinal, Sequence, Timestamp, UserId};

/// What is left of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// Where `rest` begins in the message.
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, which begin at `offset` of the message.
    pub(crate) const fn new(bytes: &'a [u8], offset: usize) -> Self {
        Self { rest: bytes, offset }
    }

    /// Where the next field begins in the message.
    pub(crate) const fn offset(&self) -> usize {
        self.offset
    }

    /// Whether nothing is left.
    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Everything that is left.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// What lies between here and where `end` has come.
    pub(crate) fn until(&self, end: &Self) -> Self {
        let bytes = self.rest.get(..end.offset - self.offset).unwrap_or_default();
        Self::new(bytes, self.offset)
    }

    /// A fault that lies where the next field begins.
    pub(crate) const fn error(&self, fault: Fault) -> ProtocolError {
        ProtocolError::closing(fault, self.offset)
    }

    /// The next `count` bytes.
    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], ProtocolError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.truncated(count));
        };
        self.rest = rest;
        self.offset += count;
        Ok(taken)
    }

    #[cold]
    fn truncated(&self, needed: usize) -> ProtocolError {
        self.error(Fault::Truncated { needed, had: self.rest.len() })
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, ProtocolError> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, ProtocolError> {
        let Some((value, rest)) = varint::take(self.rest) else { return Err(self.bad_varint()) };
        self.offset += self.rest.len() - rest.len();
        self.rest = rest;
        Ok(value)
    }

    #[cold]
    fn bad_varint(&self) -> ProtocolError {
        self.error(varint::fault(self.rest))
    }

    /// A varint length and that many bytes.
    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], ProtocolError> {
        let length = self.varint()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// A varint length and that many bytes, with their position.
    #[inline]
    pub(crate) fn nested(&mut self) -> Result<Self, ProtocolError> {
        let length = self.varint()?;
        let offset = self.offset;
        let bytes = self.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        Ok(Self::new(bytes, offset))
    }

    pub(crate) fn str(&mut self) -> Result<&'a str, ProtocolError> {
        let mut nested = self.nested()?;
        nested.rest_str()
    }

    /// Everything that is left, as a str without a length.
    pub(crate) fn rest_str(&mut self) -> Result<&'a str, ProtocolError> {
        match std::str::from_utf8(self.rest) {
            Ok(text) => {
                self.take(text.len())?;
                Ok(text)
            }
            Err(broken) => {
                let offset = self.offset + broken.valid_up_to();
                Err(ProtocolError::closing(Fault::NotUtf8, offset))
            }
        }
    }

    /// Six bytes of milliseconds since 1970.
    pub(crate) fn ts(&mut self) -> Result<Timestamp, ProtocolError> {
        let taken = self.take(6)?;
        let millis = taken.iter().fold(0, |sum: u64, byte| (sum << 8) | u64::from(*byte));
        Ok(Timestamp::from_millis(millis))
    }

    /// A number that is not 0, such as an id or a rid; `name` is its field's.
    pub(crate) fn non_zero(&mut self, name: &'static str) -> Result<u64, ProtocolError> {
        let at = *self;
        let value = self.varint()?;
        if value == 0 { Err(at.error(Fault::Zero(name))) } else { Ok(value) }
    }

    pub(crate) fn conversation(&mut self) -> Result<ConversationId, ProtocolError> {
        self.id("conversation", ConversationId::new)
    }

    pub(crate) fn user(&mut self) -> Result<UserId, ProtocolError> {
        self.id("user", UserId::new)
    }

    /// An id, made by `new`.
    pub(crate) fn id<T>(
        &mut self,
        name: &'static str,
        new: fn(u64) -> Option<T>,
    ) -> Result<T, ProtocolError> {
        let at = *self;
        new(self.varint()?).ok_or_else(|| at.error(Fault::Zero(name)))
    }

    pub(crate) fn sequence(&mut self) -> Result<Sequence, ProtocolError> {
        Ok(Sequence::new(self.varint()?).unwrap_or(Sequence::MAX))
    }

    pub(crate) fn ordinal(&mut self) -> Result<Ordinal, ProtocolError> {
        Ok(Ordinal::new(self.varint()?).unwrap_or(Ordinal::MAX))
    }
}
