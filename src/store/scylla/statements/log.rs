//! The statements of the logs: `log`, `buckets`, `pending`.

use super::{Database, Kind, PrepareError, Statement, statements};

statements! {
    /// Statements over `log`, `buckets` and `pending`.
    Log {
        /// First of the batch of an append: moves the end of a bucket. Values: the new
        /// `last_sequence`, `last_ord`, `last_at`, `bytes`; conversation, bucket, the expected
        /// `last_sequence`.
        advance: Conditional = "UPDATE log SET last_sequence = ?, last_ord = ?, last_at = ?, bytes = ? \
            WHERE conversation = ? AND bucket = ? IF last_sequence = ? AND sealed = null";
        /// First of the batch that opens a bucket together with its first append.
        open: Conditional = "UPDATE log SET last_sequence = ?, last_ord = ?, last_at = ?, bytes = ?, \
            first_sequence = ?, opened_at = ? \
            WHERE conversation = ? AND bucket = ? IF last_sequence = null";
        /// An entry, in the batch of its append.
        insert: Conditional = "INSERT INTO log (conversation, bucket, sequence, record) \
            VALUES (?, ?, ?, ?)";
        /// Seals a bucket and names its successor. Values: `next_bucket`, conversation, bucket, the
        /// expected `last_sequence`.
        seal: Conditional = "UPDATE log SET sealed = true, next_bucket = ? \
            WHERE conversation = ? AND bucket = ? IF last_sequence = ? AND sealed = null";
        /// The static columns of a bucket.
        bucket: Read = "SELECT last_sequence, last_ord, last_at, first_sequence, opened_at, bytes, \
            sealed, next_bucket FROM log WHERE conversation = ? AND bucket = ? LIMIT 1";
        /// The same, after what was begun in the partition is finished.
        bucket_settled: SerialRead = "SELECT last_sequence, last_ord, last_at, first_sequence, \
            opened_at, bytes, sealed, next_bucket FROM log \
            WHERE conversation = ? AND bucket = ? LIMIT 1";
        /// Entries of a bucket, lowest first.
        ascending: Read = "SELECT sequence, record FROM log WHERE conversation = ? AND bucket = ? \
            AND sequence >= ? AND sequence <= ? ORDER BY sequence ASC";
        /// Entries of a bucket, highest first.
        descending: Read = "SELECT sequence, record FROM log WHERE conversation = ? AND bucket = ? \
            AND sequence >= ? AND sequence <= ? ORDER BY sequence DESC";
        /// Replaces the record of an entry that is to be erased, if it is still what was read.
        erase: Conditional = "UPDATE log SET record = ? \
            WHERE conversation = ? AND bucket = ? AND sequence = ? IF record = ?";
        /// Notes where a bucket begins.
        note_bucket: Write = "INSERT INTO buckets (conversation, first_sequence, bucket, opened_at) \
            VALUES (?, ?, ?, ?)";
        /// The last bucket that was noted.
        last_bucket: Read = "SELECT first_sequence, bucket, opened_at FROM buckets \
            WHERE conversation = ? LIMIT 1";
        /// The bucket that holds a sequence, as far as buckets were noted.
        bucket_of: Read = "SELECT first_sequence, bucket, opened_at FROM buckets \
            WHERE conversation = ? AND first_sequence <= ? LIMIT 1";
        /// Marks the entries of an append as having effects that may be unwritten.
        mark: Write = "INSERT INTO pending (slot, conversation, to_sequence, from_sequence) \
            VALUES (?, ?, ?, ?)";
        /// Takes off the marks that end at or before a sequence.
        unmark: Write = "DELETE FROM pending \
            WHERE slot = ? AND conversation = ? AND to_sequence <= ?";
        /// The marks of a conversation.
        marks_of: Read = "SELECT from_sequence, to_sequence FROM pending \
            WHERE slot = ? AND conversation = ?";
        /// The marks of a slot.
        marks: Read = "SELECT conversation, from_sequence, to_sequence FROM pending WHERE slot = ?";
    }
}
