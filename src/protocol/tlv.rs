//! Tagged values: the tail of every body, where new fields go.
//!
//! Owns their order (ascending, unique) and their lengths. What a tag means, and whether an unknown
//! one may be skipped, is decided where the frame is known.

use super::error::{Fault, ProtocolError};
use super::reader::Reader;
use super::writer::Writer;

/// One tagged value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// Its tag.
    pub tag: u64,
    /// Its value.
    pub value: &'a [u8],
    /// Where the value begins in the message.
    pub(crate) offset: usize,
}

impl<'a> Tlv<'a> {
    /// Reads the fields of the value.
    pub(crate) const fn reader(&self) -> Reader<'a> {
        Reader::new(self.value, self.offset)
    }
}

/// A checked run of tagged values, in the bytes of the message. Iterates over [`Tlv`].
#[derive(Clone, Copy, Debug)]
pub struct Tlvs<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Tlvs<'a> {
    /// No values.
    pub const EMPTY: Self = Self { bytes: &[], offset: 0 };

    /// Checks everything that `reader` has left: mostly nothing.
    #[inline]
    pub(crate) fn parse(reader: Reader<'a>) -> Result<Self, ProtocolError> {
        if !reader.is_empty() {
            Self::check(reader)?;
        }
        Ok(Self { bytes: reader.rest(), offset: reader.offset() })
    }

    fn check(mut reader: Reader<'a>) -> Result<(), ProtocolError> {
        let mut last = None;
        while !reader.is_empty() {
            let at = reader;
            let tag = reader.varint()?;
            if last.is_some_and(|last| tag <= last) {
                return Err(at.error(Fault::TagOrder(tag)));
            }
            last = Some(tag);
            reader.bytes()?;
        }
        Ok(())
    }

    /// Checks bytes that hold tagged values and nothing else.
    ///
    /// # Errors
    /// A value cut short, a bad varint, a tag out of order.
    pub fn new(bytes: &'a [u8]) -> Result<Self, ProtocolError> {
        Self::parse(Reader::new(bytes, 0))
    }

    /// The bytes, ready to be copied.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The values in ascending order of their tags.
    pub fn iter(&self) -> impl Iterator<Item = Tlv<'a>> + use<'a> {
        let mut rest = *self;
        std::iter::from_fn(move || {
            let (first, after) = rest.split_first()?;
            rest = after;
            Some(first)
        })
    }

    /// The value of one tag.
    pub fn get(&self, tag: u64) -> Option<Tlv<'a>> {
        self.iter().take_while(|tlv| tlv.tag <= tag).find(|tlv| tlv.tag == tag)
    }

    /// The first value and those after it.
    #[inline]
    pub(crate) fn split_first(&self) -> Option<(Tlv<'a>, Self)> {
        if self.is_empty() { None } else { self.split() }
    }

    fn split(&self) -> Option<(Tlv<'a>, Self)> {
        let mut reader = Reader::new(self.bytes, self.offset);
        let tag = reader.varint().ok()?;
        let value = reader.nested().ok()?;
        let first = Tlv { tag, value: value.rest(), offset: value.offset() };
        Some((first, Self { bytes: reader.rest(), offset: reader.offset() }))
    }

    /// Bytes that this module's writer laid out.
    pub(crate) const fn trusted(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// The varint in one tag.
    pub(crate) fn varint(&self, tag: u64) -> Result<Option<u64>, ProtocolError> {
        self.get(tag).map(|tlv| tlv.reader().varint()).transpose()
    }

    /// The str in one tag.
    pub(crate) fn str(&self, tag: u64) -> Result<Option<&'a str>, ProtocolError> {
        self.get(tag).map(|tlv| tlv.reader().rest_str()).transpose()
    }

    /// Refuses even tags that are not `known`; odd ones may be skipped.
    pub(crate) fn refuse_unknown(&self, known: &[u64]) -> Result<(), ProtocolError> {
        let unknown = |tlv: &Tlv<'_>| tlv.tag.is_multiple_of(2) && !known.contains(&tlv.tag);
        match self.iter().find(unknown) {
            Some(tlv) => Err(ProtocolError::closing(Fault::UnknownTag(tlv.tag), tlv.offset)),
            None => Ok(()),
        }
    }

    /// Appends them.
    pub(crate) fn write(&self, out: &mut Writer<'_>) {
        out.raw(self.bytes);
    }
}

/// Equal if they hold the same bytes, wherever those lie.
impl PartialEq for Tlvs<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Tlvs<'_> {}
