//! Appends whose answers are lost, forged or of ScyllaDB's shape.

use super::{BUCKET_ENTRIES, append_by, numbers, seal, tail};
use crate::model::Head;
use crate::store::conformance::samples::{append, at, log};
use crate::store::scylla::ground::{address, with_schema};
use crate::store::scylla::proxy::answers::{
    cas_timeout, overloaded, overloaded_by_hints, scylla_answer, unavailable, unavailable_to_commit,
};
use crate::store::scylla::proxy::{Fault, Proxy};
use crate::store::scylla::{Caps, Options, Scylla};
use crate::store::{Append, Appended, Log, StoreError};
use std::time::Duration;

const EXTEND: &str = "UPDATE log SET last_sequence";
const SEAL: &str = "UPDATE log SET sealed";

/// Runs a test over a store behind a proxy, and one that sees the server as it is.
async fn behind_a_proxy(test: impl AsyncFnOnce(Proxy, Scylla, Scylla)) {
    with_schema(async |options| {
        let caps = Caps { entries: BUCKET_ENTRIES, ..options.caps };
        let options = Options { caps, timeout: Duration::from_millis(1500), ..options };
        let proxy = Proxy::start(&address()).await;
        let through = Options { contact_points: vec![proxy.address()], ..options.clone() };
        let store = Scylla::open(&through).await.expect("a store");
        let direct = Options { timeout: Duration::from_secs(8), ..options };
        test(proxy, store, Scylla::open(&direct).await.expect("a store")).await;
    })
    .await;
}

/// Makes one fault happen to the next statement that begins so.
fn once(proxy: &Proxy, statement: &'static str, fault: Fault) {
    let mut fault = Some(fault);
    proxy.follow(move |text| if text.starts_with(statement) { fault.take() } else { None });
}

const APPLIED: Result<Appended, StoreError> = Ok(Appended::Applied);

/// The answer to an append on another head than that which `append` left.
fn stale(append: &Append<'_>) -> Appended {
    Appended::Stale(append.entries.last().map(Head::from).expect("entries"))
}

/// What an append comes to by a fault, whether it is in the log then, and that it can be tried again
/// as it was.
async fn check(fault: Fault, expected: StoreError, is_there: bool) {
    behind_a_proxy(async |proxy, store, direct| {
        for head in [0, 1, BUCKET_ENTRIES, 2 * BUCKET_ENTRIES + 1] {
            let before = numbers(&direct, 1).await.len();
            let fill = head - u64::try_from(before).expect("few");
            if fill > 0 {
                let before = head - fill;
                assert_eq!(store.append(append(1, before, fill)).await, APPLIED);
            }
            let sent = append(1, head, 1);
            once(&proxy, EXTEND, fault.clone());
            assert_eq!(store.append(sent.clone()).await, Err(expected.clone()), "on {head}");
            let there = u64::from(is_there);
            assert_eq!(direct.head(log(1)).await.map(|head| head.sequence), Ok(at(head + there)));
            let again = if is_there { Ok(stale(&sent)) } else { APPLIED };
            assert_eq!(once_connected(&store, &sent).await, again, "on {head}");
            assert_eq!(numbers(&direct, 1).await, (1..=head + 1).collect::<Vec<_>>());
        }
    })
    .await;
}

/// Appends, as soon as a connection that broke is there again.
async fn once_connected(store: &Scylla, sent: &Append<'_>) -> Result<Appended, StoreError> {
    let deadline = tokio::time::sleep(Duration::from_secs(20));
    tokio::pin!(deadline);
    loop {
        let appended = store.append(sent.clone()).await;
        if appended != Err(StoreError::Unavailable) || deadline.is_elapsed() {
            return appended;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

const WAIT: Duration = Duration::from_secs(1);

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_lost_request_is_unknown_and_not_there() {
    check(Fault::DropRequest, StoreError::Unknown, false).await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_lost_answer_is_unknown_and_there() {
    check(Fault::DropAnswer, StoreError::Unknown, true).await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_connection_that_breaks_leaves_it_open() {
    check(Fault::BreakBefore, StoreError::Unknown, false).await;
    check(Fault::BreakAfter, StoreError::Unknown, true).await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_timeout_of_the_server_leaves_it_open() {
    check(Fault::Forge(cas_timeout()), StoreError::Unknown, false).await;
    check(Fault::ForgeAfter(cas_timeout()), StoreError::Unknown, true).await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn too_few_nodes_are_a_refusal_only_before_they_agreed() {
    check(Fault::Forge(unavailable()), StoreError::Unavailable, false).await;
    check(Fault::ForgeAfter(unavailable_to_commit()), StoreError::Unknown, true).await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn an_overloaded_node_refuses_unless_it_had_begun() {
    check(Fault::Forge(overloaded()), StoreError::Behind { wait: WAIT }, false).await;
    check(Fault::ForgeAfter(overloaded_by_hints()), StoreError::Unknown, true).await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_lost_append_that_lands_late_lands_once_or_never() {
    behind_a_proxy(async |proxy, store, direct| {
        assert_eq!(store.append(append(1, 0, 1)).await, APPLIED);
        // It lands before anybody else has written.
        once(&proxy, EXTEND, Fault::Hold);
        assert_eq!(store.append(append(1, 1, 1)).await, Err(StoreError::Unknown));
        assert_eq!(direct.head(log(1)).await.map(|head| head.sequence), Ok(at(1)));
        proxy.release();
        while direct.head(log(1)).await.map(|head| head.sequence) != Ok(at(2)) {}
        assert_eq!(store.append(append(1, 1, 1)).await, Ok(stale(&append(1, 1, 1))));
        // It lands after another has written, or has sealed the bucket.
        for (expected, roll) in [(2, false), (3, true)] {
            once(&proxy, EXTEND, Fault::Hold);
            let lost = append_by(7, 1, expected, 1);
            assert_eq!(store.append(lost.clone()).await, Err(StoreError::Unknown));
            if roll {
                assert!(seal(&direct, 1).await.is_some());
            }
            let other = append(1, expected, 1);
            assert_eq!(direct.append(other.clone()).await, APPLIED);
            proxy.release();
            assert_eq!(store.append(lost).await, Ok(stale(&other)));
        }
        let stored = super::entries(&direct, 1).await;
        assert!(stored.iter().all(|entry| entry.sender != append_by(7, 1, 0, 1).entries[0].sender));
        assert_eq!(numbers(&direct, 1).await, [1, 2, 3, 4]);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_seal_without_an_answer_is_surely_no_append() {
    behind_a_proxy(async |proxy, store, direct| {
        let mut head = 0;
        for (fault, is_sealed) in [
            (Fault::DropRequest, false),
            (Fault::DropAnswer, true),
            (Fault::Forge(cas_timeout()), false),
            (Fault::ForgeAfter(cas_timeout()), true),
        ] {
            assert_eq!(store.append(append(1, head, BUCKET_ENTRIES)).await, APPLIED);
            head += BUCKET_ENTRIES;
            let bucket = tail(&direct, 1).await.bucket;
            once(&proxy, SEAL, fault.clone());
            let refused = Err(StoreError::Unavailable);
            assert_eq!(store.append(append(1, head, 1)).await, refused, "{fault:?}");
            assert_eq!(tail(&direct, 1).await.bucket != bucket, is_sealed, "{fault:?}");
            assert_eq!(store.append(append(1, head, 1)).await, APPLIED, "{fault:?}");
            head += 1;
        }
        assert_eq!(numbers(&direct, 1).await, (1..=head).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn answers_of_scylladb_are_understood() {
    behind_a_proxy(async |proxy, store, direct| {
        let answer = |is_applied, statements, last, next| {
            Fault::ForgeAfter(scylla_answer(is_applied, statements, last, next))
        };
        // Opened: the row did not exist before.
        once(&proxy, EXTEND, answer(true, 3, None, None));
        assert_eq!(store.append(append(1, 0, 2)).await, APPLIED);
        // Extended: the row as it was before.
        once(&proxy, EXTEND, answer(true, 2, Some(2), None));
        assert_eq!(store.append(append(1, 2, 1)).await, APPLIED);
        // Another was first.
        assert_eq!(direct.append(append(1, 3, 1)).await, APPLIED);
        once(&proxy, EXTEND, answer(false, 2, Some(4), None));
        assert_eq!(store.append(append(1, 3, 1)).await, Ok(stale(&append(1, 3, 1))));
        // The bucket is sealed, on the expected head.
        let next = seal(&direct, 1).await.expect("nobody was first");
        let name = i64::try_from(next.0).expect("small");
        once(&proxy, EXTEND, answer(false, 2, Some(4), Some(name)));
        assert_eq!(store.append(append(1, 4, 1)).await, APPLIED);
        assert_eq!(tail(&direct, 1).await.bucket, next);
        // Sealing.
        assert_eq!(store.append(append(1, 5, BUCKET_ENTRIES - 1)).await, APPLIED);
        once(&proxy, SEAL, answer(true, 1, Some(9), None));
        assert_eq!(store.append(append(1, 9, 1)).await, APPLIED);
        // There is no such bucket.
        once(&proxy, EXTEND, answer(false, 2, None, None));
        let refused = append(1, 10, 1);
        assert_eq!(store.append(refused.clone()).await, Ok(stale(&refused)));
        assert_eq!(numbers(&direct, 1).await, (1..=11).collect::<Vec<_>>());
    })
    .await;
}
