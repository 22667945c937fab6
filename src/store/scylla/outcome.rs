//! What the database answered, in the store's own terms.
//!
//! The rule behind all of it: a change is *surely not made* only if the answer proves that it never
//! got as far as being proposed to the nodes that hold the row. Everything else is unknown, and
//! whoever asked finds out by reading.

use super::STATEMENTS_MAX;
use super::database::Kind;
use crate::store::StoreError;
use futures_util::{StreamExt, stream};
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};
use scylla::response::query_result::{QueryResult, QueryRowsResult};
use scylla::statement::Consistency;
use scylla::value::{CqlValue, Row};
use std::time::Duration;

/// After how long something may be tried again that an overloaded node has refused.
const OVERLOAD_WAIT: Duration = Duration::from_secs(1);

/// What a failed read reads as.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what the driver or the server may add later proves nothing"
)]
pub(super) fn unread(error: &ExecutionError) -> StoreError {
    tracing::warn!(%error, "a read failed");
    match error {
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(
            DbError::Overloaded | DbError::RateLimitReached { .. },
            _,
        )) => StoreError::Behind { wait: OVERLOAD_WAIT },
        _ => StoreError::Unavailable,
    }
}

/// What a failed change reads as.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what the driver or the server may add later proves nothing"
)]
pub(super) fn unmade(kind: Kind, error: &ExecutionError) -> StoreError {
    let outcome = match error {
        // It never left this machine.
        ExecutionError::BadQuery(_)
        | ExecutionError::EmptyPlan
        | ExecutionError::PrepareError(_) => StoreError::Unavailable,
        // A conditional statement is tried once, so these speak of that one try. Any other may have
        // been tried before, on a node that did make the change.
        ExecutionError::ConnectionPoolError(_) if kind == Kind::Conditional => {
            StoreError::Unavailable
        }
        ExecutionError::LastAttemptError(attempt) if kind == Kind::Conditional => refused(attempt),
        _ => StoreError::Unknown,
    };
    tracing::warn!(%error, %outcome, "a change failed");
    outcome
}

/// What the one attempt at a conditional statement proves.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what the driver or the server may add later proves nothing"
)]
fn refused(attempt: &RequestAttemptError) -> StoreError {
    match attempt {
        RequestAttemptError::SerializationError(_)
        | RequestAttemptError::CqlRequestSerialization(_)
        | RequestAttemptError::UnableToAllocStreamId
        | RequestAttemptError::RepreparedIdChanged { .. } => StoreError::Unavailable,
        RequestAttemptError::DbError(error, message) => refused_by_server(error, message),
        _ => StoreError::Unknown,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what the driver or the server may add later proves nothing"
)]
fn refused_by_server(error: &DbError, message: &str) -> StoreError {
    match error {
        // Too few nodes to agree on anything: found before the first proposal. The same error with
        // the consistency of the last phase comes when the nodes have agreed already.
        DbError::Unavailable {
            consistency: Consistency::Serial | Consistency::LocalSerial,
            ..
        }
        | DbError::IsBootstrapping
        | DbError::SyntaxError
        | DbError::Invalid
        | DbError::Unauthorized
        | DbError::AuthenticationError
        | DbError::ConfigError
        | DbError::ProtocolError
        | DbError::Unprepared { .. } => StoreError::Unavailable,
        // Both servers use this error for two things: for a request that they do not begin, and for
        // the last phase of one whose outcome is agreed, if a node that is down has too many hints.
        DbError::Overloaded if message.contains("hints") => StoreError::Unknown,
        DbError::Overloaded | DbError::RateLimitReached { rejected_by_coordinator: true, .. } => {
            StoreError::Behind { wait: OVERLOAD_WAIT }
        }
        _ => StoreError::Unknown,
    }
}

/// A failure of a statement that changes nothing which anybody sees: whatever became of it, what it was
/// to prepare was surely not made.
pub(super) fn unchanged(error: StoreError) -> StoreError {
    if error == StoreError::Unknown { StoreError::Unavailable } else { error }
}

/// What comes of changes that are made at the same time, as many as one operation may have under way.
pub(super) async fn of_all<C>(changes: Vec<C>) -> Result<(), StoreError>
where
    C: Future<Output = Result<(), StoreError>>,
{
    let made = stream::iter(changes).buffer_unordered(STATEMENTS_MAX);
    of_many(made.collect::<Vec<_>>().await)
}

/// What came of several changes. Nothing changed only if each of them was surely not made.
pub(super) fn of_many(
    outcomes: impl IntoIterator<Item = Result<(), StoreError>>,
) -> Result<(), StoreError> {
    let (mut made, mut failed) = (false, None);
    for outcome in outcomes {
        match outcome {
            Ok(()) => made = true,
            Err(StoreError::Unknown) => failed = Some(StoreError::Unknown),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    match failed {
        None => Ok(()),
        Some(_) if made => Err(StoreError::Unknown),
        Some(error) => Err(error),
    }
}

/// The rows of an answer to a read.
pub(super) fn rows(answer: QueryResult) -> Result<QueryRowsResult, StoreError> {
    answer.into_rows_result().map_err(|error| {
        tracing::error!(%error, "a read was not answered by rows");
        StoreError::Unavailable
    })
}

/// What a conditional statement was answered: whether it was made, and what it found.
///
/// The columns differ with the server and with the outcome, so they are read by name. Cassandra
/// answers a batch by one row, and by `[applied]` alone where it was made or where the partition
/// does not exist. ScyllaDB answers by a row for each statement, made or not, with all columns of
/// the table as they were before.
#[derive(Debug)]
pub(super) struct Answer {
    names: Vec<String>,
    rows: Vec<Row>,
}

impl Answer {
    /// Whether the statement was made.
    pub(super) fn is_applied(&self) -> bool {
        self.value("[applied]").is_some_and(|value| *value == CqlValue::Boolean(true))
    }

    /// A number that was found; `None` where there is none or the answer does not tell.
    pub(super) fn number(&self, column: &str) -> Option<i64> {
        self.value(column)?.as_bigint()
    }

    /// Bytes that were found.
    pub(super) fn bytes(&self, column: &str) -> Option<&[u8]> {
        self.value(column)?.as_blob().map(Vec::as_slice)
    }

    /// A truth value that was found.
    pub(super) fn flag(&self, column: &str) -> Option<bool> {
        self.value(column)?.as_boolean()
    }

    /// The first value of a column that is not null.
    fn value(&self, column: &str) -> Option<&CqlValue> {
        let place = self.names.iter().position(|name| name == column)?;
        self.rows.iter().find_map(|row| row.columns.get(place)?.as_ref())
    }
}

/// Fails as unknown: the server has decided, but what it says cannot be read.
impl TryFrom<QueryResult> for Answer {
    type Error = StoreError;

    fn try_from(answer: QueryResult) -> Result<Self, StoreError> {
        let illegible = |error: &dyn std::error::Error| {
            tracing::error!(%error, "the answer to a condition cannot be read");
            StoreError::Unknown
        };
        let answer = answer.into_rows_result().map_err(|error| illegible(&error))?;
        let names = answer.column_specs().iter().map(|column| column.name().to_owned()).collect();
        let rows = answer.rows::<Row>().map_err(|error| illegible(&error))?;
        let rows = rows.collect::<Result<_, _>>().map_err(|error| illegible(&error))?;
        Ok(Self { names, rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scylla::errors::{BadQuery, ConnectionPoolError, WriteType};
    use std::slice;

    const BEHIND: StoreError = StoreError::Behind { wait: OVERLOAD_WAIT };

    fn by_server(error: DbError) -> ExecutionError {
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, String::new()))
    }

    fn unavailable(consistency: Consistency) -> ExecutionError {
        by_server(DbError::Unavailable { consistency, required: 2, alive: 1 })
    }

    fn write_timeout(write_type: WriteType) -> ExecutionError {
        let consistency = Consistency::LocalSerial;
        by_server(DbError::WriteTimeout { consistency, received: 1, required: 2, write_type })
    }

    fn read_timeout() -> ExecutionError {
        let consistency = Consistency::LocalSerial;
        by_server(DbError::ReadTimeout {
            consistency,
            received: 1,
            required: 2,
            data_present: false,
        })
    }

    /// What never left this machine, however often the driver would have tried.
    fn unsent() -> [ExecutionError; 2] {
        let too_many = BadQuery::TooManyQueriesInBatchStatement(70_000);
        [ExecutionError::BadQuery(too_many), ExecutionError::EmptyPlan]
    }

    #[test]
    fn what_was_never_sent_was_not_made() {
        for error in &unsent() {
            assert_eq!(unmade(Kind::Conditional, error), StoreError::Unavailable, "{error}");
            assert_eq!(unmade(Kind::Write, error), StoreError::Unavailable, "{error}");
        }
    }

    #[test]
    fn a_condition_that_was_refused_before_it_was_proposed_was_not_made() {
        let refusals = [
            unavailable(Consistency::LocalSerial),
            unavailable(Consistency::Serial),
            ExecutionError::ConnectionPoolError(ConnectionPoolError::Initializing),
            ExecutionError::LastAttemptError(RequestAttemptError::UnableToAllocStreamId),
            by_server(DbError::IsBootstrapping),
            by_server(DbError::Invalid),
            by_server(DbError::Unauthorized),
        ];
        for error in &refusals {
            assert_eq!(unmade(Kind::Conditional, error), StoreError::Unavailable, "{error}");
        }
        assert_eq!(unmade(Kind::Conditional, &by_server(DbError::Overloaded)), BEHIND);
    }

    #[test]
    fn a_condition_that_may_have_been_proposed_is_of_unknown_outcome() {
        let cas_unknown = 0x1700;
        let failures = [
            ExecutionError::RequestTimeout(Duration::from_secs(8)),
            write_timeout(WriteType::Cas),
            write_timeout(WriteType::Simple),
            read_timeout(),
            // The nodes had agreed when the last phase found too few of them.
            unavailable(Consistency::LocalQuorum),
            by_server(DbError::ServerError),
            by_server(DbError::Other(cas_unknown)),
        ];
        for error in &failures {
            assert_eq!(unmade(Kind::Conditional, error), StoreError::Unknown, "{error}");
        }
    }

    #[test]
    fn a_write_that_may_have_been_tried_before_is_of_unknown_outcome() {
        let failures = [
            ExecutionError::ConnectionPoolError(ConnectionPoolError::Initializing),
            unavailable(Consistency::LocalQuorum),
            by_server(DbError::Overloaded),
            write_timeout(WriteType::Simple),
        ];
        for error in &failures {
            assert_eq!(unmade(Kind::Write, error), StoreError::Unknown, "{error}");
        }
    }

    #[test]
    fn a_read_that_failed_may_be_tried_again() {
        for error in [read_timeout(), unavailable(Consistency::LocalQuorum)] {
            assert_eq!(unread(&error), StoreError::Unavailable, "{error}");
        }
        assert_eq!(unread(&by_server(DbError::Overloaded)), BEHIND);
    }

    /// An answer of these columns and rows.
    fn answer(names: &[&str], rows: &[&[Option<CqlValue>]]) -> Answer {
        let names = names.iter().copied().map(str::to_owned).collect();
        Answer { names, rows: rows.iter().map(|row| Row { columns: row.to_vec() }).collect() }
    }

    #[test]
    fn cassandras_answers_are_read() {
        let no = Some(CqlValue::Boolean(false));
        let made = answer(&["[applied]"], &[&[Some(CqlValue::Boolean(true))]]);
        assert!(made.is_applied());
        assert_eq!(made.number("last_sequence"), None);
        let absent = answer(&["[applied]"], &[slice::from_ref(&no)]);
        assert!(!absent.is_applied());
        assert_eq!(absent.number("last_sequence"), None);
        let names = ["[applied]", "sequence", "last_sequence", "sealed", "record"];
        let found = [no, None, Some(CqlValue::BigInt(7)), None, None];
        let stale = answer(&names, &[&found]);
        assert!(!stale.is_applied());
        assert_eq!((stale.number("last_sequence"), stale.flag("sealed")), (Some(7), None));
    }

    #[test]
    fn scyllas_answers_are_read() {
        let names = ["[applied]", "last_sequence", "sealed", "next_bucket"];
        let row = |applied, sealed| {
            [
                Some(CqlValue::Boolean(applied)),
                Some(CqlValue::BigInt(7)),
                Some(CqlValue::Boolean(sealed)),
                Some(CqlValue::BigInt(8)),
            ]
        };
        let nulls = |applied| [Some(CqlValue::Boolean(applied)), None, None, None];
        // A row for each statement; those of entries that were not there hold nothing.
        let sealed = answer(&names, &[&row(false, true), &nulls(false)]);
        assert!(!sealed.is_applied());
        assert_eq!((sealed.flag("sealed"), sealed.number("next_bucket")), (Some(true), Some(8)));
        let made = answer(&names, &[&row(true, false), &nulls(true)]);
        assert!(made.is_applied());
        assert_eq!(made.number("last_sequence"), Some(7), "what was there before");
    }
}
