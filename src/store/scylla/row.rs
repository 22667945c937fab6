//! How ids and positions stand in columns, and what records are sealed with.

use crate::store::StoreError;
use crate::store::records::{self, Decode};
use scylla::deserialize::row::DeserializeRow;
use scylla::response::query_result::QueryRowsResult;
use smallvec::SmallVec;

/// A number of at most 63 bits as a `bigint`. Ids, sequences and times have fewer.
pub(super) fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A `bigint` as a number; `None` if it is below zero, which nothing here writes.
pub(super) fn number(bigint: i64) -> Option<u64> {
    u64::try_from(bigint).ok()
}

/// What the record of a row is sealed with.
pub(super) type Key = SmallVec<[u8; 40]>;

/// The key of a row's record: the name of its table and its key in the order of the
/// columns, so that a record never passes for that of another row. Where a row belongs to a
/// conversation of its partition, the conversation comes last.
pub(super) fn key(table: &str, ids: &[u64]) -> Key {
    let mut key = Key::from_slice(table.as_bytes());
    for id in ids {
        key.extend_from_slice(&id.to_be_bytes());
    }
    key
}

/// The rows of an answer as values of a type.
pub(super) fn typed<'r, R>(
    rows: &'r QueryRowsResult,
) -> Result<impl Iterator<Item = Result<R, StoreError>>, StoreError>
where
    R: DeserializeRow<'r, 'r>,
{
    let rows = rows.rows::<R>().map_err(|error| illegible(&error))?;
    Ok(rows.map(|row| row.map_err(|error| illegible(&error))))
}

/// The first row of an answer.
pub(super) fn first<'r, R>(rows: &'r QueryRowsResult) -> Result<Option<R>, StoreError>
where
    R: DeserializeRow<'r, 'r>,
{
    typed(rows)?.next().transpose()
}

/// The record that is all of an answer, if there is one.
pub(super) fn record<R: Decode>(
    rows: &QueryRowsResult,
    key: &[u8],
) -> Result<Option<R>, StoreError> {
    let Some((record,)) = first::<(&[u8],)>(rows)? else { return Ok(None) };
    records::decode(key, record).map(Some)
}

/// Reports an answer that is not what was asked for: the table has other columns, or a cell is null
/// that never is.
fn illegible(error: &dyn std::error::Error) -> StoreError {
    tracing::error!(%error, "a row cannot be read");
    StoreError::Corrupt { what: "row" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_stay_in_order() {
        for plain in [0, 1, 1 << 53] {
            assert_eq!(number(bigint(plain)), Some(plain));
        }
        assert_eq!(bigint(u64::MAX), i64::MAX);
        assert_eq!(number(-1), None);
    }

    #[test]
    fn rows_of_two_tables_never_share_a_key() {
        assert_ne!(key("members", &[1, 2]), key("memberships", &[1, 2]));
        assert_ne!(key("members", &[1, 2]), key("members", &[2, 1]));
    }
}
