//! Cursors, time and readiness.

use super::samples::{advance, at, cursor, device_id, log, time, user};
use crate::model::Cursor;
use crate::store::Store;

pub(in crate::store) async fn a_cursor_never_goes_back(store: &impl Store) {
    assert_eq!(store.cursor(user(1), log(1)).await, Ok(Cursor::default()));
    store.advance_cursors(vec![advance(1, 1, cursor(5, 3))]).await.expect("the store works");
    assert_eq!(store.cursor(user(1), log(1)).await, Ok(cursor(5, 3)));
    store.advance_cursors(vec![advance(1, 1, cursor(4, 2))]).await.expect("the store works");
    assert_eq!(store.cursor(user(1), log(1)).await, Ok(cursor(5, 3)));
    let both = vec![advance(1, 1, cursor(9, 1)), advance(1, 1, cursor(2, 4))];
    store.advance_cursors(both).await.expect("the store works");
    let stored = store.cursor(user(1), log(1)).await.expect("the store works");
    let further = Cursor { read_ordinal: cursor(0, 4).read_ordinal, ..cursor(9, 4) };
    assert_eq!(Cursor { changed_at: further.changed_at, ..stored }, further);
    assert_eq!(store.sync_cursors().await, Ok(()));
}

pub(in crate::store) async fn cursors_are_listed_by_user(store: &impl Store) {
    let advances = vec![
        advance(1, 300, cursor(2, 1)),
        advance(1, 2, cursor(8, 8)),
        advance(2, 2, cursor(1, 1)),
    ];
    store.advance_cursors(advances).await.expect("the store works");
    let mut all = store.cursors(user(1)).await.expect("the store works");
    all.sort_by_key(|(conversation, _)| *conversation);
    assert_eq!(all, [(log(2), cursor(8, 8)), (log(300), cursor(2, 1))]);
    assert_eq!(store.cursors(user(3)).await, Ok(vec![]));
}

pub(in crate::store) async fn device_cursors_never_go_back(store: &impl Store) {
    let first = vec![(log(1), at(5)), (log(2), at(1)), (log(1), at(4))];
    store.advance_device_cursors(device_id(1), first).await.expect("the store works");
    let second = vec![(log(1), at(3)), (log(2), at(2))];
    store.advance_device_cursors(device_id(1), second).await.expect("the store works");
    let mut all = store.device_cursors(device_id(1)).await.expect("the store works");
    all.sort_by_key(|(conversation, _)| *conversation);
    assert_eq!(all, [(log(1), at(5)), (log(2), at(2))]);
    assert_eq!(store.device_cursors(device_id(2)).await, Ok(vec![]));
}

pub(in crate::store) async fn time_never_goes_back(store: &impl Store) {
    assert_eq!(store.latest_time().await, Ok(time(0)));
    for (now, latest) in [(50, 50), (40, 50), (60, 60)] {
        store.keep_time(time(now)).await.expect("the store works");
        assert_eq!(store.latest_time().await, Ok(time(latest)));
    }
}

pub(in crate::store) async fn a_store_in_order_passes_the_check(store: &impl Store) {
    assert_eq!(store.check().await, Ok(()));
}
