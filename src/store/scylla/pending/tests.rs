//! Marks on a real server, as appends leave them that do not end well.

use super::slot_of;
use crate::model::ConversationId;
use crate::store::conformance::samples::{append, at, log};
use crate::store::scylla::append::Appending;
use crate::store::scylla::ground::with_store;
use crate::store::{Append, Appended, Log, Pending};

#[test]
fn every_conversation_has_a_slot() {
    for number in [1, 63, 64, 127, 128, (1 << 53) - 1] {
        let id = ConversationId::new(number).expect("in range");
        assert_eq!(u64::try_from(slot_of(id)), Ok(number % 64));
    }
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_mark_counts_from_the_moment_its_entries_are_there() {
    with_store(async |store| {
        let sent = Append { has_effects: true, ..append(1, 0, 2) };
        let mark = Appending::new(&sent);
        store.inner.mark(&mark).await.expect("the store works");
        assert_eq!(store.pending_of(log(1)).await, Ok(None));
        assert_eq!(store.pending().await, Ok(vec![]));
        // The append lands late, long after its mark.
        assert_eq!(store.append(append(1, 0, 2)).await, Ok(Appended::Applied));
        let pending = Pending { conversation: log(1), from: at(1) };
        assert_eq!(store.pending_of(log(1)).await, Ok(Some(pending)));
        assert_eq!(store.pending().await, Ok(vec![pending]));
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn marks_are_found_in_every_slot() {
    with_store(async |store| {
        for number in 1..=150 {
            let marked = Append { has_effects: true, ..append(number, 0, 1) };
            assert_eq!(store.append(marked).await, Ok(Appended::Applied));
        }
        for number in (1..=150).step_by(2) {
            assert_eq!(store.settle(log(number), at(1)).await, Ok(()));
        }
        let mut pending = store.pending().await.expect("the store works");
        pending.sort_by_key(|pending| pending.conversation);
        let even: Vec<Pending> = (2..=150)
            .step_by(2)
            .map(|number| Pending { conversation: log(number), from: at(1) })
            .collect();
        assert_eq!(pending, even);
    })
    .await;
}
