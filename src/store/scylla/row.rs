//! How ids and positions stand in columns, and what records are sealed with.

use smallvec::SmallVec;

/// A number of at most 63 bits as a `bigint`. Ids, sequences and times have fewer.
pub(super) fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A `bigint` as a number; `None` if it is below zero, which nothing here writes.
pub(super) fn number(bigint: i64) -> Option<u64> {
    u64::try_from(bigint).ok()
}

/// What the record of a row is sealed with: the name of its table and its key in the order of the
/// columns, so that a record never passes for that of another row. Where a row belongs to a
/// conversation of its partition, the conversation comes last.
pub(super) fn key(table: &str, ids: &[u64]) -> SmallVec<[u8; 40]> {
    let mut key = SmallVec::from_slice(table.as_bytes());
    for id in ids {
        key.extend_from_slice(&id.to_be_bytes());
    }
    key
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
