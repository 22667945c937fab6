//! Claims and logs.

use super::samples::{
    append, at, client, contents, direct, entry, erased_entry, everything, log, text, time, user,
};
use crate::model::{Claim, Conversation, Entry, Erasure, Head, Sequence};
use crate::store::{Append, Appended, Claimed, Direction, Range, Store};

pub(in crate::store) async fn a_claim_belongs_to_the_first(store: &impl Store) {
    let first = direct(10, 1, 2);
    assert_eq!(store.claimed(first.claim).await, Ok(None));
    assert_eq!(store.conversation(first.id).await, Ok(None));
    assert_eq!(store.claim(first).await, Ok(Claimed::Created));
    assert_eq!(store.claim(direct(11, 2, 1)).await, Ok(Claimed::Exists(first)));
    assert_eq!(store.claim(first).await, Ok(Claimed::Exists(first)));
    assert_eq!(store.claimed(first.claim).await, Ok(Some(first)));
    assert_eq!(store.conversation(log(11)).await, Ok(None));
}

pub(in crate::store) async fn a_conversation_id_belongs_to_the_first_claim(store: &impl Store) {
    let first = direct(10, 1, 2);
    assert_eq!(store.claim(first).await, Ok(Claimed::Created));
    let second = direct(10, 1, 3);
    assert_eq!(store.claim(second).await, Ok(Claimed::IdTaken));
    assert_eq!(store.claimed(second.claim).await, Ok(None));
    let found = store.conversation(log(10)).await.expect("the store works");
    assert_eq!(found.map(|(found, _)| found), Some(first));
}

pub(in crate::store) async fn claims_of_all_kinds_are_kept_apart(store: &impl Store) {
    let claims = [
        Claim::Journal(user(1)),
        Claim::Journal(user(2)),
        Claim::direct(user(1), user(2)).expect("two users"),
        Claim::Group(user(1), client(2)),
        Claim::Group(user(2), client(1)),
    ];
    for (id, claim) in (20..).zip(claims) {
        let made = Conversation { id: log(id), claim, created_at: time(id) };
        assert_eq!(store.claim(made).await, Ok(Claimed::Created));
        assert_eq!(store.claimed(claim).await, Ok(Some(made)));
    }
}

pub(in crate::store) async fn of_many_claims_one_creates(store: &impl Store) {
    let tasks: Vec<_> = (10..26)
        .map(|id| {
            let store = store.clone();
            let (one, other) = if id % 2 == 0 { (1, 2) } else { (2, 1) };
            tokio::spawn(async move { (id, store.claim(direct(id, one, other)).await) })
        })
        .collect();
    let mut created = Vec::new();
    let mut found = Vec::new();
    for task in tasks {
        let (id, claimed) = task.await.expect("no panic");
        match claimed.expect("the store works") {
            Claimed::Created => created.push(log(id)),
            Claimed::Exists(conversation) => found.push(conversation.id),
            Claimed::IdTaken => panic!("no id was used twice"),
        }
    }
    assert_eq!(created.len(), 1);
    assert!(found.iter().all(|id| created.contains(id)));
}

pub(in crate::store) async fn an_unknown_log_is_empty(store: &impl Store) {
    assert_eq!(store.head(log(1)).await, Ok(Head::default()));
    assert_eq!(store.entries(log(1), everything()).await, Ok(vec![]));
}

pub(in crate::store) async fn an_entry_is_read_as_it_was_written(store: &impl Store) {
    let mut entries: Vec<Entry> =
        (1..).zip(contents()).map(|(sequence, content)| entry(sequence, content)).collect();
    let next = u64::try_from(entries.len()).expect("few") + 1;
    entries.push(erased_entry(next));
    let expected = Sequence::ZERO;
    let all =
        Append { conversation: log(1), expected, entries: (&entries).into(), has_effects: false };
    assert_eq!(store.append(all).await, Ok(Appended::Applied));
    assert_eq!(store.entries(log(1), everything()).await, Ok(entries));
}

pub(in crate::store) async fn an_append_moves_the_head(store: &impl Store) {
    for (expected, count) in [(0, 1), (1, 3), (4, 260)] {
        let append = append(1, expected, count);
        let head = append.entries.last().map(Head::from).expect("entries");
        assert_eq!(store.append(append).await, Ok(Appended::Applied));
        assert_eq!(store.head(log(1)).await, Ok(head));
    }
    let entries = store.entries(log(1), everything()).await.expect("the store works");
    assert_eq!(numbers(&entries), (1..=264).collect::<Vec<_>>());
}

pub(in crate::store) async fn an_append_on_another_head_is_stale_and_stores_nothing(
    store: &impl Store,
) {
    assert_eq!(store.append(append(1, 3, 1)).await, Ok(Appended::Stale(Head::default())));
    assert_eq!(store.append(append(1, 0, 2)).await, Ok(Appended::Applied));
    let head = Head::from(&entry(2, text("")));
    for expected in [0, 1, 3] {
        let stale = store.append(append(1, expected, 5)).await;
        assert_eq!(stale, Ok(Appended::Stale(head)), "on {expected}");
    }
    let entries = store.entries(log(1), everything()).await.expect("the store works");
    assert_eq!(numbers(&entries), [1, 2]);
    assert_eq!(store.head(log(1)).await, Ok(head));
}

pub(in crate::store) async fn of_many_appends_on_one_head_one_is_stored(store: &impl Store) {
    for round in 0..8 {
        let tasks: Vec<_> = (1..=8)
            .map(|sender| {
                let store = store.clone();
                let mut append = append(1, round, 1);
                append.entries.to_mut()[0].sender = Some(user(sender));
                tokio::spawn(async move { (sender, store.append(append).await) })
            })
            .collect();
        let mut applied = Vec::new();
        for task in tasks {
            let (sender, appended) = task.await.expect("no panic");
            match appended.expect("the store works") {
                Appended::Applied => applied.push(user(sender)),
                Appended::Stale(head) => assert_eq!(head.sequence, at(round + 1)),
            }
        }
        assert_eq!(applied.len(), 1);
        let entries = store.entries(log(1), everything()).await.expect("the store works");
        assert_eq!(numbers(&entries), (1..=round + 1).collect::<Vec<_>>());
        assert_eq!(entries.last().and_then(|last| last.sender), applied.first().copied());
    }
}

pub(in crate::store) async fn a_reader_never_sees_part_of_an_append(store: &impl Store) {
    const AT_ONCE: u64 = 50;
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0..40 {
                let appended = store.append(append(1, round * AT_ONCE, AT_ONCE)).await;
                assert_eq!(appended, Ok(Appended::Applied));
            }
        })
    };
    let mut before = 0;
    while !writer.is_finished() {
        let head = store.head(log(1)).await.expect("the store works").sequence.get();
        let entries = store.entries(log(1), everything()).await.expect("the store works");
        assert_eq!(head % AT_ONCE, 0);
        assert!(head >= before);
        before = u64::try_from(entries.len()).expect("few");
        assert_eq!(before % AT_ONCE, 0);
        assert!(before >= head);
    }
    writer.await.expect("no panic");
}

pub(in crate::store) async fn heads_come_in_the_order_asked_for(store: &impl Store) {
    store.append(append(300, 0, 3)).await.expect("the store works");
    store.append(append(1, 0, 1)).await.expect("the store works");
    let heads = store.heads(vec![log(300), log(2), log(1), log(300)]).await;
    let sequences: Vec<u64> =
        heads.expect("the store works").iter().map(|head| head.sequence.get()).collect();
    assert_eq!(sequences, [3, 0, 1, 3]);
    assert_eq!(store.heads(vec![]).await, Ok(vec![]));
}

pub(in crate::store) async fn logs_are_kept_apart(store: &impl Store) {
    for number in [255, 256, 257] {
        store.append(append(number, 0, number - 250)).await.expect("the store works");
    }
    for number in [255, 256, 257] {
        let entries = store.entries(log(number), everything()).await.expect("the store works");
        assert_eq!(numbers(&entries), (1..=number - 250).collect::<Vec<_>>());
    }
}

pub(in crate::store) async fn a_range_is_read_from_both_ends(store: &impl Store) {
    store.append(append(1, 0, 300)).await.expect("the store works");
    let read = async |from, to, direction| {
        let range = Range { from: at(from), to: at(to), direction, ..everything() };
        numbers(&store.entries(log(1), range).await.expect("the store works"))
    };
    assert_eq!(read(254, 257, Direction::Ascending).await, [254, 255, 256, 257]);
    assert_eq!(read(254, 257, Direction::Descending).await, [257, 256, 255, 254]);
    assert_eq!(read(299, 900, Direction::Ascending).await, [299, 300]);
    assert_eq!(read(299, 900, Direction::Descending).await, [300, 299]);
    assert_eq!(read(0, 2, Direction::Descending).await, [2, 1]);
    assert_eq!(read(7, 7, Direction::Ascending).await, [7]);
    assert_eq!(read(7, 6, Direction::Ascending).await, [0; 0]);
    assert_eq!(read(301, 400, Direction::Descending).await, [0; 0]);
}

pub(in crate::store) async fn a_range_stops_at_its_limits(store: &impl Store) {
    let mut large = append(1, 0, 20);
    for entry in large.entries.to_mut() {
        entry.content = text(&"x".repeat(1_000));
    }
    store.append(large).await.expect("the store works");
    let read = async |direction, entries_max, bytes_max| {
        let range = Range { direction, entries_max, bytes_max, ..everything() };
        numbers(&store.entries(log(1), range).await.expect("the store works"))
    };
    assert_eq!(read(Direction::Ascending, 2, usize::MAX).await, [1, 2]);
    assert_eq!(read(Direction::Descending, 2, usize::MAX).await, [20, 19]);
    assert_eq!(read(Direction::Ascending, 0, usize::MAX).await, [0; 0]);
    assert_eq!(read(Direction::Ascending, usize::MAX, 1).await, [1]);
    assert_eq!(read(Direction::Descending, usize::MAX, 0).await, [20]);
    let half = read(Direction::Ascending, usize::MAX, 10_000).await;
    assert!((2..=10).contains(&half.len()), "{half:?}");
}

pub(in crate::store) async fn erasing_takes_what_was_said_and_leaves_the_row(store: &impl Store) {
    let mut entries: Vec<Entry> =
        (1..).zip(contents()).map(|(sequence, content)| entry(sequence, content)).collect();
    let all = Append {
        conversation: log(1),
        expected: Sequence::ZERO,
        entries: (&entries).into(),
        has_effects: false,
    };
    store.append(all).await.expect("the store works");
    store.append(append(2, 0, 1)).await.expect("the store works");
    for entry in entries.iter_mut().step_by(2) {
        assert_eq!(store.erase(log(1), entry.sequence, Erasure(3)).await, Ok(true));
        assert_eq!(store.erase(log(1), entry.sequence, Erasure(4)).await, Ok(true));
        entry.content.erase();
        entry.erased = Some(Erasure(3));
    }
    assert_eq!(store.entries(log(1), everything()).await, Ok(entries.clone()));
    assert_eq!(store.head(log(1)).await, Ok(entries.last().map(Head::from).expect("entries")));
    let untouched = store.entries(log(2), everything()).await.expect("the store works");
    assert_eq!(untouched, append(2, 0, 1).entries.into_owned());
    for absent in [0, 2] {
        assert_eq!(store.erase(log(2), at(absent), Erasure(0)).await, Ok(false), "at {absent}");
    }
    let head = at(entries.len().try_into().expect("few"));
    assert_eq!(store.append(append(1, head.get(), 1)).await, Ok(Appended::Applied));
}

fn numbers(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.sequence.get()).collect()
}
