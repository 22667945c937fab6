//! Changes that span partitions, on a real server: the process is killed after each of their
//! statements in turn, and whoever comes next finds the change made or not made, never half of it.

use super::ground::with_schema;
use super::{Options, Scylla};
use crate::model::{
    Account, Claim, ClientMessageId, Conversation, ConversationId, Device, DeviceId, DeviceName,
    Membership, PasswordHash, Profile, Timestamp, UserId, Username,
};
use crate::store::{AccountInsert, Claimed, Directory, Effect, Log};

/// More statements than any of these changes sends.
const STATEMENTS: u64 = 12;

fn user(number: u64) -> UserId {
    UserId::new(number).expect("in range")
}

fn account(id: u64, name: &str) -> Account {
    Account {
        user: user(id),
        username: Username::new(name).expect("a user name"),
        password: PasswordHash::new("$argon2id$v=19$..."),
        profile: Profile::default(),
        created_at: Timestamp::from_millis(5),
    }
}

fn journal(id: u64, owner: u64) -> Conversation {
    let id = ConversationId::new(id).expect("in range");
    Conversation { id, claim: Claim::Journal(user(owner)), created_at: Timestamp::from_millis(9) }
}

fn group(id: u64, creator: u64) -> Conversation {
    let client = ClientMessageId::new(3).expect("in range");
    Conversation { claim: Claim::Group(user(creator), client), ..journal(id, creator) }
}

/// A process that is killed once it has sent so many statements, and one that comes after it.
async fn two(options: &Options, killed_after: u64) -> (Scylla, Scylla) {
    let killed = Scylla::open(options).await.expect("a store");
    killed.inner.database.kill_after(killed_after);
    (killed, Scylla::open(options).await.expect("a store"))
}

/// Whether a change that is cut off after each number of statements in turn is made at last.
fn all_or_nothing(made: &[bool]) {
    let first = made.iter().position(|made| *made).expect("made at last");
    assert!(first > 0, "nothing was sent");
    assert!(made.iter().skip(first).all(|made| *made), "{made:?}");
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn an_account_has_both_its_name_and_its_id_or_neither() {
    with_schema(async |options| {
        let mut made = Vec::new();
        for n in 0..STATEMENTS {
            let (killed, next) = two(&options, n).await;
            let (name, id) = (format!("user{n}"), 10 * n + 1);
            let answer = killed.insert_account(account(id, &name)).await;
            let username = Username::new(&name).expect("a user name");
            let found = next.account_by_name(&username).await.expect("works");
            assert_eq!(next.account(user(id)).await, Ok(found.clone()), "after {n}");
            assert!(answer.is_err() || found.is_some(), "{answer:?} after {n}");
            // Whoever wants the name now has it or does not, for good.
            let second = next.insert_account(account(id + 1, &name)).await.expect("works");
            let expected =
                if found.is_some() { AccountInsert::NameTaken } else { AccountInsert::Inserted };
            assert_eq!(second, expected, "after {n}");
            let holder = next.account_by_name(&username).await.expect("works").expect("stored");
            assert_eq!(next.account(holder.user).await, Ok(Some(holder)), "after {n}");
            made.push(found.is_some());
        }
        all_or_nothing(&made);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_name_that_was_cut_off_is_made_whole_by_whoever_wants_it() {
    with_schema(async |options| {
        for n in 0..STATEMENTS {
            let (killed, next) = two(&options, n).await;
            let (name, id) = (format!("user{n}"), 10 * n + 1);
            drop(killed.insert_account(account(id, &name)).await);
            // The same account again, as its server tries it.
            let again = next.insert_account(account(id, &name)).await.expect("works");
            assert_ne!(again, AccountInsert::IdTaken, "after {n}");
            assert_eq!(next.account(user(id)).await, Ok(Some(account(id, &name))), "after {n}");
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_loser_of_a_name_leaves_nothing_that_is_seen() {
    with_schema(async |options| {
        for n in 0..STATEMENTS {
            let (killed, next) = two(&options, n).await;
            let (name, id) = (format!("user{n}"), 10 * n + 1);
            next.insert_account(account(id, &name)).await.expect("works");
            drop(killed.insert_account(account(id + 1, &name)).await);
            assert_eq!(next.account(user(id + 1)).await, Ok(None), "after {n}");
            assert_eq!(next.account(user(id)).await, Ok(Some(account(id, &name))), "after {n}");
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_claim_has_its_conversation_or_is_free() {
    with_schema(async |options| {
        let mut made = Vec::new();
        for n in 0..STATEMENTS {
            let (killed, next) = two(&options, n).await;
            let id = 10 * n + 1;
            for (id, conversation) in [(id, journal(id, id)), (id + 1, group(id + 1, id))] {
                killed.inner.database.kill_after(n);
                let answer = killed.claim(conversation).await;
                let found = next.claimed(conversation.claim).await.expect("works");
                let by_id = next.conversation(conversation.id).await.expect("works");
                assert_eq!(by_id.map(|(found, _)| found), found, "after {n}");
                assert!(answer.is_err() || found.is_some(), "{answer:?} after {n}");
                let rival = Conversation { id: journal(id + 5, 1).id, ..conversation };
                let expected = found.map_or(Claimed::Created, Claimed::Exists);
                assert_eq!(next.claim(rival).await, Ok(expected), "after {n}");
                let holder = next.claimed(conversation.claim).await.expect("works");
                let holder = holder.expect("claimed");
                let by_id = next.conversation(holder.id).await.expect("works");
                assert_eq!(by_id.map(|(found, _)| found), Some(holder), "after {n}");
                made.push(found.is_some());
            }
        }
        let journals: Vec<bool> = made.iter().step_by(2).copied().collect();
        all_or_nothing(&journals);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_device_is_listed_and_found_or_neither() {
    with_schema(async |options| {
        let mut made = Vec::new();
        for n in 0..STATEMENTS {
            let (killed, next) = two(&options, n).await;
            let device = Device {
                device: DeviceId::new(n + 1).expect("in range"),
                user: user(n + 1),
                name: DeviceName::new("phone").expect("a name"),
                created_at: Timestamp::from_millis(5),
                family: 1,
                generation: 1,
                revoked_at: None,
                version: 0,
            };
            drop(killed.insert_device(device.clone()).await);
            let found = next.device(device.device).await.expect("works");
            let listed = next.devices(device.user).await.expect("works");
            assert_eq!(listed, Vec::from_iter(found.clone()), "after {n}");
            made.push(found.is_some());
        }
        all_or_nothing(&made);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn whoever_is_found_in_a_conversation_finds_it_in_their_list() {
    with_schema(async |options| {
        let mut made = Vec::new();
        for n in 0..STATEMENTS {
            let (killed, next) = two(&options, n).await;
            let id = journal(n + 1, 1).id;
            let rows: Vec<Membership> = (1..=3)
                .map(|member| Membership::by_claim(id, user(10 * n + member), Timestamp::ZERO))
                .collect();
            let effects: Vec<Effect> = rows.iter().cloned().map(Effect::Membership).collect();
            drop(killed.apply_effects(effects.clone()).await);
            let members = next.members(id).await.expect("works");
            for row in &members {
                let listed = next.memberships(row.user).await;
                assert_eq!(listed, Ok(vec![row.clone()]), "after {n}");
            }
            made.push(members.len() == rows.len());
            // The mark of the append brings whoever comes next to write them again.
            next.apply_effects(effects).await.expect("works");
            assert_eq!(next.members(id).await, Ok(rows.clone()), "after {n}");
            for row in rows {
                assert_eq!(next.membership(row.user, id).await, Ok(Some(row)), "after {n}");
            }
        }
        all_or_nothing(&made);
    })
    .await;
}
