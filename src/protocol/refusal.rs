//! The ERROR frame: how a refusal, whatever refused, looks on the wire.

use super::constants::{error_flag, frame};
use super::error::ProtocolError;
use super::reader::Reader;
use super::tlv::Tlvs;
use super::writer::Writer;
use crate::model::{Applied, CommandError, ErrorCode};
use std::time::Duration;

/// An ERROR frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// The request; 0 for the connection, which then closes.
    pub rid: u64,
    /// The number of the code; [`Refusal::known`] names it.
    pub code: u64,
    /// Bits of [`error_flag`].
    pub flags: u8,
    /// How long to wait before trying again.
    pub retry_ms: u64,
    /// For the developer of the client.
    pub text: &'a str,
}

impl<'a> Refusal<'a> {
    /// Refuses request `rid` as the core did.
    pub fn of_command(rid: u64, error: &'a CommandError) -> Self {
        let applied = match error.applied {
            Applied::No => error_flag::NOT_APPLIED,
            Applied::Unknown => error_flag::UNKNOWN,
        };
        let retry = if error.retry.is_some() { error_flag::RETRY } else { 0 };
        let wait = error.retry.map_or(0, |wait: Duration| wait.as_millis());
        Self {
            rid,
            code: error.code.number(),
            flags: u8::try_from(applied | retry).unwrap_or_default(),
            retry_ms: u64::try_from(wait).unwrap_or(u64::MAX).min(crate::model::NUMBER_MAX),
            text: &error.detail,
        }
    }

    /// Refuses a request, or the connection, for what it sent; `text` is the error's.
    pub fn of_protocol(error: &ProtocolError, text: &'a str) -> Self {
        let flags = if error.closes() { 0 } else { error_flag::NOT_APPLIED };
        Self {
            rid: error.rid().unwrap_or(0),
            code: error.code().number(),
            flags: u8::try_from(flags).unwrap_or_default(),
            retry_ms: 0,
            text,
        }
    }

    /// The code, where this version knows it; otherwise the flags alone tell what to do.
    pub const fn known(&self) -> Option<ErrorCode> {
        ErrorCode::from_number(self.code)
    }

    /// Whether the same may succeed later.
    pub fn retry(&self) -> bool {
        self.has(error_flag::RETRY)
    }

    /// Whether this attempt surely changed nothing.
    pub fn not_applied(&self) -> bool {
        self.has(error_flag::NOT_APPLIED)
    }

    /// Whether it may have taken effect.
    pub fn outcome_unknown(&self) -> bool {
        self.has(error_flag::UNKNOWN)
    }

    fn has(&self, flag: u64) -> bool {
        u64::from(self.flags) & flag != 0
    }

    pub(crate) fn read(mut body: Reader<'a>) -> Result<Self, ProtocolError> {
        let refusal = Self {
            rid: body.varint()?,
            code: body.varint()?,
            flags: body.u8()?,
            retry_ms: body.varint()?,
            text: body.str()?,
        };
        Tlvs::parse(body)?.refuse_unknown(&[])?;
        Ok(refusal)
    }

    /// Appends the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Writer::new(out).frame(frame::ERROR, |body| self.write(body));
    }

    pub(crate) fn write(&self, body: &mut Writer<'_>) {
        body.varint(self.rid);
        body.varint(self.code);
        body.u8(self.flags);
        body.varint(self.retry_ms);
        body.bytes(self.text.as_bytes());
    }
}
