//! Lists in a frame: checked once when the frame is decoded, read lazily from its bytes.
//!
//! The same types carry a slice of values to be encoded, so that a frame looks the same whichever
//! way it goes.

use super::error::{Fault, ProtocolError};
use super::reader::Reader;
use super::writer::Writer;
use crate::model::{ConversationId, Sequence, UserId};

/// Either checked bytes or values.
#[derive(Clone, Copy, Debug)]
enum List<'a, T> {
    Bytes(&'a [u8]),
    Items(&'a [T]),
}

/// Pairs of a conversation and a position in it.
#[derive(Clone, Copy, Debug)]
pub struct Pairs<'a>(List<'a, (ConversationId, Sequence)>);

impl<'a> Pairs<'a> {
    /// Takes a counted list off the front of `body`.
    pub(crate) fn read(body: &mut Reader<'a>) -> Result<Self, ProtocolError> {
        let count = body.varint()?;
        let start = *body;
        for _ in 0..count {
            body.conversation()?;
            body.sequence()?;
        }
        Ok(Self(List::Bytes(start.until(body).rest())))
    }

    /// The pairs.
    pub fn iter(&self) -> impl Iterator<Item = (ConversationId, Sequence)> + use<'a> {
        let (bytes, items) = match self.0 {
            List::Bytes(bytes) => (bytes, &[][..]),
            List::Items(items) => (&[][..], items),
        };
        let mut reader = Reader::new(bytes, 0);
        let decoded = std::iter::from_fn(move || {
            Some((reader.conversation().ok()?, reader.sequence().ok()?))
        });
        decoded.chain(items.iter().copied())
    }

    pub(crate) fn write(&self, body: &mut Writer<'_>) {
        body.count(self.iter().count());
        for (conversation, position) in self.iter() {
            body.varint(conversation.get());
            body.varint(position.get());
        }
    }
}

impl<'a> From<&'a [(ConversationId, Sequence)]> for Pairs<'a> {
    fn from(items: &'a [(ConversationId, Sequence)]) -> Self {
        Self(List::Items(items))
    }
}

impl PartialEq for Pairs<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Pairs<'_> {}

/// Users.
#[derive(Clone, Copy, Debug)]
pub struct Users<'a>(List<'a, UserId>);

impl<'a> Users<'a> {
    /// Takes a counted list of at most `count_max` off the front of `body`.
    pub(crate) fn read(body: &mut Reader<'a>, count_max: usize) -> Result<Self, ProtocolError> {
        let at = *body;
        let count = body.varint()?;
        if usize::try_from(count).map_or(true, |count| count > count_max) {
            return Err(at.error(Fault::TooMany(count_max)));
        }
        let start = *body;
        for _ in 0..count {
            body.user()?;
        }
        Ok(Self(List::Bytes(start.until(body).rest())))
    }

    /// The users.
    pub fn iter(&self) -> impl Iterator<Item = UserId> + use<'a> {
        let (bytes, items) = match self.0 {
            List::Bytes(bytes) => (bytes, &[][..]),
            List::Items(items) => (&[][..], items),
        };
        let mut reader = Reader::new(bytes, 0);
        std::iter::from_fn(move || reader.user().ok()).chain(items.iter().copied())
    }

    pub(crate) fn write(&self, body: &mut Writer<'_>) {
        body.count(self.iter().count());
        for user in self.iter() {
            body.varint(user.get());
        }
    }
}

impl<'a> From<&'a [UserId]> for Users<'a> {
    fn from(items: &'a [UserId]) -> Self {
        Self(List::Items(items))
    }
}

impl PartialEq for Users<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Users<'_> {}
