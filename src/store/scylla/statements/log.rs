//! The statements of the logs: `log`, `buckets`, `pending`.

use super::{Database, Kind, PrepareError, Statement, statements};

statements! {
    /// Statements over `log`, `buckets` and `pending`.
    Log {
        /// First of the batch of an append: moves the end of an open bucket. Values: the new
        /// `last_sequence`, `last_ord`, `last_at`, `bytes`; conversation, bucket, the expected
        /// `last_sequence`. Conditions name what a refusal has to tell: a server answers by the
        /// columns of the conditions.
        extend: Conditional = "UPDATE log SET last_sequence = ?, last_ord = ?, last_at = ?, bytes = ? \
            WHERE conversation = ? AND bucket = ? \
            IF last_sequence = ? AND sealed = null AND next_bucket = null";
        /// First of the batch that opens a bucket together with its first append. Values: as above,
        /// then `first_sequence` and `opened_at`; conversation, bucket.
        open: Conditional = "UPDATE log SET last_sequence = ?, last_ord = ?, last_at = ?, bytes = ?, \
            first_sequence = ?, opened_at = ? \
            WHERE conversation = ? AND bucket = ? \
            IF last_sequence = null AND sealed = null AND next_bucket = null";
        /// An entry, in the batch of its append.
        insert: Conditional = "INSERT INTO log (conversation, bucket, sequence, record) \
            VALUES (?, ?, ?, ?)";
        /// Seals a bucket and names its successor. Values: `next_bucket`, conversation, bucket, the
        /// expected `last_sequence`.
        seal: Conditional = "UPDATE log SET sealed = true, next_bucket = ? \
            WHERE conversation = ? AND bucket = ? \
            IF last_sequence = ? AND sealed = null AND next_bucket = null";
        /// A bucket without its entries.
        bucket: Read = "SELECT DISTINCT last_sequence, last_ord, last_at, first_sequence, opened_at, \
            bytes, next_bucket FROM log WHERE conversation = ? AND bucket = ?";
        /// Entries of a bucket, lowest first.
        ascending: Read = "SELECT sequence, record FROM log WHERE conversation = ? AND bucket = ? \
            AND sequence >= ? AND sequence <= ? ORDER BY sequence ASC LIMIT ?";
        /// Entries of a bucket, highest first.
        descending: Read = "SELECT sequence, record FROM log WHERE conversation = ? AND bucket = ? \
            AND sequence >= ? AND sequence <= ? ORDER BY sequence DESC LIMIT ?";
        /// The same when a quorum lacked an entry below the end it had told.
        ascending_settled: SerialRead = "SELECT sequence, record FROM log \
            WHERE conversation = ? AND bucket = ? \
            AND sequence >= ? AND sequence <= ? ORDER BY sequence ASC LIMIT ?";
        /// As above, highest first.
        descending_settled: SerialRead = "SELECT sequence, record FROM log \
            WHERE conversation = ? AND bucket = ? \
            AND sequence >= ? AND sequence <= ? ORDER BY sequence DESC LIMIT ?";
        /// An entry.
        entry: Read = "SELECT record FROM log \
            WHERE conversation = ? AND bucket = ? AND sequence = ?";
        /// Replaces the record of an entry that is to be erased, if it is still what was read.
        erase: Conditional = "UPDATE log SET record = ? \
            WHERE conversation = ? AND bucket = ? AND sequence = ? IF record = ?";
        /// Notes where a bucket begins.
        note_bucket: Write = "INSERT INTO buckets (conversation, first_sequence, bucket, opened_at) \
            VALUES (?, ?, ?, ?)";
        /// The bucket that holds a sequence, as far as buckets were noted.
        bucket_of: Read = "SELECT bucket FROM buckets \
            WHERE conversation = ? AND first_sequence <= ? LIMIT 1";
        /// Marks the entries of an append as having effects that may be unwritten.
        mark: Write = "INSERT INTO pending (slot, conversation, to_sequence, from_sequence) \
            VALUES (?, ?, ?, ?)";
        /// Takes off the marks that end at or before a sequence.
        unmark: Write = "DELETE FROM pending \
            WHERE slot = ? AND conversation = ? AND to_sequence <= ?";
        /// The marks of a conversation, the earliest first.
        marks_of: Read = "SELECT from_sequence FROM pending WHERE slot = ? AND conversation = ?";
        /// The marks of a slot.
        marks: Read = "SELECT conversation, from_sequence FROM pending WHERE slot = ?";
    }
}
