//! Answers that no server here gives when asked: errors, and the shape of ScyllaDB's answers to
//! conditions.

use super::frames::{ERROR, Frame, RESULT};

const LOCAL_QUORUM: u16 = 0x0006;
const LOCAL_SERIAL: u16 = 0x0009;

/// A result of rows, whose columns are all of one table.
const ROWS: i32 = 2;
const GLOBAL_TABLE: i32 = 1;
const BIGINT: u16 = 2;

/// An error: its code, its message and what stands behind that.
fn error(code: i32, message: &str, rest: &[u8]) -> Frame {
    let mut body = code.to_be_bytes().to_vec();
    put_string(&mut body, message);
    body.extend_from_slice(rest);
    Frame::answer(ERROR, body)
}

/// The nodes did not answer in time while they agreed on a condition.
pub(crate) fn cas_timeout() -> Frame {
    let mut rest = level(LOCAL_SERIAL, 1, 2);
    put_string(&mut rest, "CAS");
    error(0x1100, "Operation timed out", &rest)
}

/// Too few nodes are there, found out before anything was proposed to them.
pub(crate) fn unavailable() -> Frame {
    error(0x1000, "Cannot achieve consistency level LOCAL_SERIAL", &level(LOCAL_SERIAL, 2, 1))
}

/// Too few nodes are there for the last step, when they have agreed already.
pub(crate) fn unavailable_to_commit() -> Frame {
    error(0x1000, "Cannot achieve consistency level LOCAL_QUORUM", &level(LOCAL_QUORUM, 2, 1))
}

/// The node takes no more requests.
pub(crate) fn overloaded() -> Frame {
    error(0x1001, "Server is in overloaded state. Cannot accept more requests", &[])
}

/// The node has too many hints to write, which it finds out while it sends out what was agreed.
pub(crate) fn overloaded_by_hints() -> Frame {
    error(0x1001, "Too many in flight hints: 4097", &[])
}

/// A consistency level and two numbers of nodes.
fn level(level: u16, one: i32, other: i32) -> Vec<u8> {
    [&level.to_be_bytes()[..], &one.to_be_bytes(), &other.to_be_bytes()].concat()
}

/// The answer of ScyllaDB to a condition over `log`: a row for every statement of the batch, made or
/// not, with the columns of the key and of the conditions as they were before. Only the first
/// statement has conditions, so the columns of the others are null.
pub(crate) fn scylla_answer(
    is_applied: bool,
    statements: usize,
    last_sequence: Option<i64>,
    next_bucket: Option<i64>,
) -> Frame {
    const BOOLEAN: u16 = 4;
    let columns = [
        ("[applied]", BOOLEAN),
        ("conversation", BIGINT),
        ("bucket", BIGINT),
        ("sequence", BIGINT),
        ("last_sequence", BIGINT),
        ("next_bucket", BIGINT),
        ("sealed", BOOLEAN),
    ];
    let mut body = [ROWS, GLOBAL_TABLE, 7].map(i32::to_be_bytes).concat();
    put_string(&mut body, "keyspace");
    put_string(&mut body, "log");
    for (name, kind) in columns {
        put_string(&mut body, name);
        body.extend_from_slice(&kind.to_be_bytes());
    }
    body.extend_from_slice(&i32::try_from(statements).expect("few").to_be_bytes());
    for statement in 0..statements {
        put_value(&mut body, Some(&[u8::from(is_applied)]));
        (0..3).for_each(|_| put_value(&mut body, None));
        for number in [last_sequence, next_bucket] {
            let number = number.filter(|_| statement == 0).map(i64::to_be_bytes);
            put_value(&mut body, number.as_ref().map(<[u8; 8]>::as_slice));
        }
        let is_sealed = statement == 0 && next_bucket.is_some();
        put_value(&mut body, is_sealed.then_some(&[1]));
    }
    Frame::answer(RESULT, body)
}

/// No rows of a read of entries.
pub(crate) fn no_entries() -> Frame {
    const BLOB: u16 = 3;
    let mut body = [ROWS, GLOBAL_TABLE, 2].map(i32::to_be_bytes).concat();
    put_string(&mut body, "keyspace");
    put_string(&mut body, "log");
    for (name, kind) in [("sequence", BIGINT), ("record", BLOB)] {
        put_string(&mut body, name);
        body.extend_from_slice(&kind.to_be_bytes());
    }
    body.extend_from_slice(&0_i32.to_be_bytes());
    Frame::answer(RESULT, body)
}

fn put_string(body: &mut Vec<u8>, text: &str) {
    body.extend_from_slice(&u16::try_from(text.len()).expect("short").to_be_bytes());
    body.extend_from_slice(text.as_bytes());
}

fn put_value(body: &mut Vec<u8>, value: Option<&[u8]>) {
    let length = value.map_or(-1, |value| i32::try_from(value.len()).expect("short"));
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(value.unwrap_or_default());
}
