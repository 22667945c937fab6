//! The values of the rows: what a model type looks like on disk, in whichever database.
//!
//! ```text
//! version 1 | checksum 8 | rkyv archive
//! ```
//!
//! The checksum is the xxh3 of the archive, seeded with the key and the version, so that a row that
//! was damaged, or that turned up under another row's key, is found out. Each version of a record
//! keeps its archived struct for good; reading matches on the version byte. Model types carry no
//! layout: a record is a struct of its own and converts with the model's checked constructors, so
//! nothing that breaks a rule of the model is ever read.

mod account;
mod content;
mod conversation;
mod entry;
mod membership;
mod position;

pub(super) use entry::{EntryKey, LogEnd, entry_key};
pub(super) use position::{InConversation, Marked};

use crate::store::StoreError;
use rkyv::Serialize;
use rkyv::api::high::{HighSerializer, HighValidator};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::Failure;
use rkyv::ser::allocator::ArenaHandle;
use std::cell::RefCell;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

const CHECKSUM_BYTES: usize = 8;
const HEADER_BYTES: usize = 1 + CHECKSUM_BYTES;

/// What a row can be read as.
pub(super) trait Decode: Sized {
    /// The name of this kind of row in errors.
    const WHAT: &'static str;

    /// Reads an archive of a version; `None` if the version is not known or the archive is wrong.
    fn decode(version: u8, key: &[u8], archive: &[u8]) -> Option<Self>;
}

/// What is written as a row.
pub(in crate::store) trait Encode {
    /// Writes the newest version's value.
    fn encode<V: Value>(&self, key: &[u8]) -> V;
}

/// What a database takes for the bytes of a value.
pub(super) trait Value: for<'a> From<&'a [u8]> {}

impl<V: for<'a> From<&'a [u8]>> Value for V {}

/// Reads a row.
pub(super) fn decode<R: Decode>(key: &[u8], value: &[u8]) -> Result<R, StoreError> {
    unsealed(key, value)
        .and_then(|(version, archive)| R::decode(version, key, archive))
        .ok_or_else(|| corrupt(R::WHAT, key))
}

/// Reports a row that did not pass its checks. Its key holds ids only, or a user name.
pub(super) fn corrupt(what: &'static str, key: &[u8]) -> StoreError {
    tracing::error!(what, key = %key.escape_ascii(), "corrupt row");
    StoreError::Corrupt { what }
}

fn unsealed<'a>(key: &[u8], value: &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&version, rest) = value.split_first()?;
    let (checksum, archive) = rest.split_first_chunk::<CHECKSUM_BYTES>()?;
    (checksum_of(version, key, archive) == *checksum).then_some((version, archive))
}

fn checksum_of(version: u8, key: &[u8], archive: &[u8]) -> [u8; CHECKSUM_BYTES] {
    xxh3_64_with_seed(archive, xxh3_64(key).wrapping_add(u64::from(version))).to_be_bytes()
}

/// Archives a record behind its version and checksum.
fn seal<R, V: Value>(version: u8, key: &[u8], record: &R) -> V
where
    R: for<'v, 'a> Serialize<HighSerializer<&'v mut Vec<u8>, ArenaHandle<'a>, Failure>>,
{
    SCRATCH.with_borrow_mut(|value| {
        value.clear();
        value.resize(HEADER_BYTES, version);
        #[expect(clippy::expect_used, reason = "an archive in memory has nothing that can fail")]
        let value = rkyv::api::high::to_bytes_in(record, value).expect("archived");
        if let Some((header, archive)) = value.split_at_mut_checked(HEADER_BYTES) {
            let (_, checksum) = header.split_at_mut(1);
            checksum.copy_from_slice(&checksum_of(version, key, archive));
        }
        V::from(value.as_slice())
    })
}

thread_local! {
    /// Where a value is put together, before it is known how long it is.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Gives access to an archive in place, once its structure has been checked.
fn access<A>(archive: &[u8]) -> Option<&A>
where
    A: rkyv::Portable + for<'a> CheckBytes<HighValidator<'a, Failure>>,
{
    rkyv::access::<A, Failure>(archive).ok()
}

/// An id or position that may be absent; no id is zero.
#[expect(clippy::option_option, reason = "whether it is right, and whether it is there")]
fn optional<T>(number: u64, wrap: impl Fn(u64) -> Option<T>) -> Option<Option<T>> {
    if number == 0 { Some(None) } else { wrap(number).map(Some) }
}

#[cfg(test)]
mod tests;
