//! Writes fields, and frames around them. Owns the one place where a length goes in front of what it
//! measures; knows single fields, not frames.

use super::varint;
use crate::model::Timestamp;

/// The most bytes that the fixed fields of a frame take, those of varying length left out.
const FIXED_BYTES_MAX: usize = 64;

/// The longest varint, in bytes.
pub(super) const VARINT_BYTES_MAX: usize = 8;

/// Fixed fields that are written before the frame around them is, so that its length is known first.
#[derive(Debug)]
pub(crate) struct Fixed {
    bytes: [u8; FIXED_BYTES_MAX],
    len: usize,
}

impl Fixed {
    /// No fields.
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; FIXED_BYTES_MAX], len: 0 }
    }

    pub(crate) fn varint(&mut self, value: u64) {
        let (bytes, len) = varint::layout(value);
        // What the value does not take is written over by the next one.
        let place = self.bytes.get_mut(self.len..self.len + VARINT_BYTES_MAX);
        debug_assert!(place.is_some(), "more fields than a frame has");
        if let Some(place) = place {
            place.copy_from_slice(&bytes);
            self.len += len;
        }
    }

    pub(crate) fn u8(&mut self, value: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = value;
            self.len += 1;
        }
    }

    /// Six bytes of milliseconds since 1970.
    pub(crate) fn ts(&mut self, at: Timestamp) {
        let [_, _, ts @ ..] = at.as_millis().to_be_bytes();
        if let Some(place) = self.bytes.get_mut(self.len..self.len + ts.len()) {
            place.copy_from_slice(&ts);
            self.len += ts.len();
        }
    }

    /// Their bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// The bytes written so far.
#[derive(Debug)]
pub(crate) struct Writer<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> Writer<'o> {
    /// Appends to `out`.
    pub(crate) const fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out }
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.out.push(value);
    }

    pub(crate) fn varint(&mut self, value: u64) {
        varint::encode(value, self.out);
    }

    /// A count or a length.
    pub(crate) fn count(&mut self, count: usize) {
        self.varint(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Bytes without a length.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// A varint length and the bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.raw(bytes);
    }

    /// Six bytes of milliseconds since 1970.
    pub(crate) fn ts(&mut self, at: Timestamp) {
        self.raw(at.as_millis().to_be_bytes().get(2..).unwrap_or_default());
    }

    /// A varint length and whatever `write` writes.
    ///
    /// The length is not known before: it gets the one byte that most take, and the value makes room
    /// if that was too little.
    pub(crate) fn nested(&mut self, write: impl FnOnce(&mut Writer<'_>)) {
        let start = self.out.len();
        self.out.push(0);
        write(&mut Writer::new(self.out));
        let end = self.out.len();
        let len = u64::try_from(end - start - 1).unwrap_or(u64::MAX);
        let width = varint::encoded_len(len);
        if width > 1 {
            self.out.resize(end + width - 1, 0);
            self.out.copy_within(start + 1..end, start + width);
        }
        if let Some(length) = self.out.get_mut(start..start + width) {
            varint::write(len, length);
        }
    }

    /// A frame: its type, its length and the body that `write` writes.
    pub(crate) fn frame(&mut self, kind: u8, write: impl FnOnce(&mut Writer<'_>)) {
        self.u8(kind);
        self.nested(write);
    }

    /// A tagged value.
    pub(crate) fn tlv(&mut self, tag: u64, write: impl FnOnce(&mut Writer<'_>)) {
        self.varint(tag);
        self.nested(write);
    }

    /// A tagged varint.
    pub(crate) fn tlv_varint(&mut self, tag: u64, value: u64) {
        self.varint(tag);
        self.count(varint::encoded_len(value));
        self.varint(value);
    }

    /// A tagged varint that is left out where it is absent.
    pub(crate) fn tlv_optional(&mut self, tag: u64, value: Option<u64>) {
        if let Some(value) = value {
            self.tlv_varint(tag, value);
        }
    }

    /// Tagged bytes.
    pub(crate) fn tlv_bytes(&mut self, tag: u64, value: &[u8]) {
        self.varint(tag);
        self.bytes(value);
    }
}
