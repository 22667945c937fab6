//! Variable-length integers: RFC 9000 section 16, shortest form only, at most 2^53 - 1.
//!
//! ```text
//! first two bits   00  01  10  11
//! bytes             1   2   4   8
//! largest value    63  16383  2^30-1  2^53-1
//! ```

use super::error::Fault;
use crate::model::NUMBER_MAX;

const ONE_MAX: u64 = (1 << 6) - 1;
const TWO_MAX: u64 = (1 << 14) - 1;
const FOUR_MAX: u64 = (1 << 30) - 1;

/// The bits of the longest form that hold the value.
const EIGHT_MASK: u64 = (1 << 62) - 1;

/// The bytes that `value` takes.
pub(crate) const fn encoded_len(value: u64) -> usize {
    if value <= ONE_MAX {
        1
    } else if value <= TWO_MAX {
        2
    } else if value <= FOUR_MAX {
        4
    } else {
        8
    }
}

/// Appends `value`; one above [`NUMBER_MAX`] is a mistake of the caller and is capped.
pub(crate) fn encode(value: u64, out: &mut Vec<u8>) {
    let (bytes, length) = layout(value);
    // All eight at once, since their number is then known to the compiler.
    out.extend_from_slice(&bytes);
    out.truncate(out.len() - (bytes.len() - length));
}

/// Writes `value` over `place`, which is as long as it is encoded.
pub(crate) fn write(value: u64, place: &mut [u8]) {
    let (bytes, length) = layout(value);
    debug_assert_eq!(place.len(), length, "no room for {value}");
    for (byte, value) in place.iter_mut().zip(bytes) {
        *byte = value;
    }
}

/// The bytes of `value`, and how many of them count.
#[inline]
pub(crate) fn layout(value: u64) -> ([u8; 8], usize) {
    debug_assert!(value <= NUMBER_MAX, "{value} does not fit the protocol");
    let value = value.min(NUMBER_MAX);
    let length = encoded_len(value);
    let prefix: u64 = match length {
        1 => 0b00,
        2 => 0b01,
        4 => 0b10,
        _ => 0b11,
    };
    // From the top, so that the bytes that count come first.
    let bits = value << (64 - 8 * length) | prefix << 62;
    (bits.to_be_bytes(), length)
}

/// Takes one integer off the front of `bytes`: its value and what follows it; `None` if anything is
/// wrong, which [`fault`] names.
#[inline]
pub(crate) fn take(bytes: &[u8]) -> Option<(u64, &[u8])> {
    // Where eight bytes are left, all lengths go one way.
    let Some(eight) = bytes.first_chunk::<8>() else { return take_near_end(bytes) };
    let word = u64::from_be_bytes(*eight);
    let form = word >> 62;
    let length = 1_usize << form;
    let value = (word & EIGHT_MASK) >> (64 - 8 * length);
    let least = match form {
        0 => 0,
        1 => ONE_MAX + 1,
        2 => TWO_MAX + 1,
        _ => FOUR_MAX + 1,
    };
    let rest = bytes.get(length..)?;
    (least <= value && value <= NUMBER_MAX).then_some((value, rest))
}

fn take_near_end(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (first, after) = bytes.split_first()?;
    let (value, shorter_max, rest) = match first >> 6 {
        0b00 => return Some((u64::from(*first), after)),
        0b01 => {
            let (head, rest) = bytes.split_first_chunk::<2>()?;
            (u64::from(u16::from_be_bytes(*head)) & TWO_MAX, ONE_MAX, rest)
        }
        0b10 => {
            let (head, rest) = bytes.split_first_chunk::<4>()?;
            (u64::from(u32::from_be_bytes(*head)) & FOUR_MAX, TWO_MAX, rest)
        }
        _ => return None,
    };
    (shorter_max < value).then_some((value, rest))
}

/// What is wrong with bytes that [`take`] refused.
#[cold]
pub(crate) fn fault(bytes: &[u8]) -> Fault {
    let needed = bytes.first().map_or(1, |first| 1 << (first >> 6));
    match bytes.first_chunk::<8>() {
        _ if bytes.len() < needed => Fault::Truncated { needed, had: bytes.len() },
        Some(eight) if needed == 8 && u64::from_be_bytes(*eight) & EIGHT_MASK > NUMBER_MAX => {
            Fault::VarintTooLarge
        }
        Some(_) | None => Fault::VarintNotShortest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<(u64, &[u8]), Fault> {
        take(bytes).ok_or_else(|| fault(bytes))
    }

    #[test]
    fn the_edges_of_every_length_have_these_bytes() {
        let edges: [(u64, &[u8]); 8] = [
            (0, &[0x00]),
            (63, &[0x3f]),
            (64, &[0x40, 0x40]),
            (16_383, &[0x7f, 0xff]),
            (16_384, &[0x80, 0x00, 0x40, 0x00]),
            ((1 << 30) - 1, &[0xbf, 0xff, 0xff, 0xff]),
            (1 << 30, &[0xc0, 0, 0, 0, 0x40, 0, 0, 0]),
            (NUMBER_MAX, &[0xc0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ];
        for (value, bytes) in edges {
            let mut out = Vec::new();
            encode(value, &mut out);
            assert_eq!(out, bytes, "{value}");
            assert_eq!(decode(bytes), Ok((value, &[][..])));
            let followed = [bytes, &[0xff; 9]].concat();
            assert_eq!(decode(&followed), Ok((value, &[0xff; 9][..])));
            for cut in 0..bytes.len() {
                let error = decode(&bytes[..cut]).expect_err("cut short");
                assert!(matches!(error, Fault::Truncated { had, .. } if had == cut));
            }
        }
    }

    #[test]
    fn longer_forms_and_larger_values_are_refused() {
        for bytes in [&[0x40, 0x07][..], &[0x80, 0, 0x3f, 0xff], &[0xc0, 0, 0, 0, 0, 0, 0, 1]] {
            assert_eq!(decode(bytes), Err(Fault::VarintNotShortest));
            assert_eq!(decode(&[bytes, &[1; 8]].concat()), Err(Fault::VarintNotShortest));
        }
        let above = [0xc0, 0x20, 0, 0, 0, 0, 0, 0];
        assert_eq!(decode(&above), Err(Fault::VarintTooLarge));
    }
}
