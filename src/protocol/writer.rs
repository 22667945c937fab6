//! Writes fields, and frames around them. Owns the one place where a length goes in front of what it
//! measures; knows single fields, not frames.

use super::varint;
use crate::model::Timestamp;

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
