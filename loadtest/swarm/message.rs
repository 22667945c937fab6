//! What a message says: from which run and stream it is, its number there, and when it was due.
//!
//! ASCII, since the body of a message is text: each number as digits of six bits, then padding.
//! Whoever receives it can tell what is missing, what came twice, and how late it is, with nothing
//! else to go by.

/// Digits of each field.
const RUN: usize = 6;
const STREAM: usize = 3;
const NUMBER: usize = 6;
const DUE: usize = 11;

/// The shortest body.
pub(crate) const BYTES_MIN: usize = RUN + STREAM + NUMBER + DUE;

/// What a body says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The run.
    pub run: u32,
    /// Which of the writers of its conversation.
    pub stream: u16,
    /// 1, 2, 3, ... in that stream.
    pub number: u32,
    /// When it was due, on the clock of the run.
    pub due: u64,
}

impl Stamp {
    /// Writes a body of `bytes` bytes, or [`BYTES_MIN`] if that is more, in place of what is there.
    pub(crate) fn write(&self, bytes: usize, body: &mut Vec<u8>) {
        body.clear();
        push(body, u64::from(self.run), RUN);
        push(body, u64::from(self.stream), STREAM);
        push(body, u64::from(self.number), NUMBER);
        push(body, self.due, DUE);
        body.resize(bytes.max(BYTES_MIN), b'.');
    }

    /// Reads a body; `None` if it is not one of ours.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let (run, rest) = take(body, RUN)?;
        let (stream, rest) = take(rest, STREAM)?;
        let (number, rest) = take(rest, NUMBER)?;
        let (due, _) = take(rest, DUE)?;
        Some(Self {
            run: u32::try_from(run).ok()?,
            stream: u16::try_from(stream).ok()?,
            number: u32::try_from(number).ok()?,
            due,
        })
    }
}

const ZERO: u8 = b'0';

fn push(out: &mut Vec<u8>, number: u64, digits: usize) {
    let mut shift = 6 * digits;
    for _ in 0..digits {
        shift -= 6;
        let digit = u8::try_from(number >> shift & 63).unwrap_or_default();
        out.push(ZERO + digit);
    }
}

fn take(bytes: &[u8], digits: usize) -> Option<(u64, &[u8])> {
    let (field, rest) = bytes.split_at_checked(digits)?;
    let mut number: u64 = 0;
    for byte in field {
        let digit = byte.checked_sub(ZERO).filter(|digit| *digit < 64)?;
        number = number << 6 | u64::from(digit);
    }
    Some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let most = Stamp { run: u32::MAX, stream: u16::MAX, number: u32::MAX, due: u64::MAX >> 1 };
        for stamp in [most, Stamp { run: 0, stream: 0, number: 1, due: 0 }] {
            for bytes in [0, BYTES_MIN, 64] {
                let mut body = vec![b'!'; 7];
                stamp.write(bytes, &mut body);
                assert_eq!(body.len(), bytes.max(BYTES_MIN));
                assert!(body.is_ascii());
                assert_eq!(Stamp::read(&body), Some(stamp));
            }
        }
    }

    #[test]
    fn other_texts_are_not_read() {
        assert_eq!(Stamp::read(b""), None);
        assert_eq!(Stamp::read(b"hello, this is a message of someone else"), None);
        assert_eq!(Stamp::read(&[0xff; 40]), None);
    }
}
