//! Where a record begins and ends in what was read, and what is wrong where none does.
//!
//! Pure functions over byte slices. What is inside a record is the channel's to know. A record is
//! refused by its head, before the rest of it is waited for.

use rustls::{ContentType, Error};

/// The head of a record: type, version, length.
pub(super) const HEAD_BYTES: usize = 5;
/// The most plaintext in one record.
pub(super) const PLAIN_BYTES_MAX: usize = 16 << 10;
/// The longest body of a record.
const BODY_BYTES_MAX: usize = PLAIN_BYTES_MAX + 2_048;
/// The least room to read into: a whole record, and what follows it.
pub(super) const ROOM_BYTES_MIN: usize = HEAD_BYTES + BODY_BYTES_MAX + 1;

/// What a peer did that ends its connection.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// A record that cannot be, or came at the wrong time.
    #[error("{0}")]
    Record(&'static str),
    /// An alert.
    #[error("the peer sent alert {0}")]
    Alert(u8),
    /// What rustls has to object.
    #[error(transparent)]
    Tls(#[from] Error),
}

/// The type and body of the first record; `None` if it is not whole. What cannot become a record is
/// refused by its head.
pub(super) fn split_record(bytes: &mut [u8]) -> Result<Option<(ContentType, &mut [u8])>, Broken> {
    let Some((&mut [typ, major, _, high, low], rest)) = bytes.split_first_chunk_mut::<HEAD_BYTES>()
    else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if major != 3 || length == 0 {
        return Err(Broken::Record("this is no record"));
    }
    if length > BODY_BYTES_MAX {
        return Err(Broken::Tls(Error::PeerSentOversizedRecord));
    }
    Ok(rest.get_mut(..length).map(|body| (ContentType::from(typ), body)))
}
