//! Changes that touch more than one row: a crash between any two steps leaves nothing half done once
//! the conversation is loaded again.

use super::{NOW, Ticket, World, actor, log_of, user};
use crate::chat::{Action, Answer, Emits, GroupChange, Owner, Request};
use crate::model::{
    ClientMessageId, CommandError, ConversationId, Entry, Outcome, Role, Title, UserId,
};
use crate::store::Log;
use crate::store::faulty::{Call, Fault, Plan};
use std::rc::Rc;

/// More calls than any of these changes makes of the store.
const CALLS_MAX: u64 = 24;

fn request(change: GroupChange) -> Request<Ticket> {
    Request { actor: actor(1), action: Action::Group(change), lane: None, ticket: 1 }
}

async fn group(world: &World) -> (ConversationId, Vec<UserId>) {
    let client_id = ClientMessageId::new(77).expect("in range");
    let made = world.chat.group(actor(1), &[user(2), user(3)], client_id, NOW).await;
    let (id, _, members) = made.expect("claimed");
    (id, members)
}

fn title() -> Title {
    Title::new("Team").expect("valid")
}

/// What the rows say: the members with their roles, and the title and count.
async fn rows(
    world: &World,
    id: ConversationId,
) -> (Vec<(UserId, Role, bool)>, Option<String>, u64) {
    let store = world.store().inner();
    let members = store.members(id).await.expect("works");
    let mut members: Vec<_> =
        members.iter().map(|row| (row.user, row.role, row.is_current())).collect();
    members.sort_unstable();
    let (_, settings) = store.conversation(id).await.expect("works").expect("exists");
    let title = settings.title.map(|title| title.as_str().to_owned());
    (members, title, settings.member_count)
}

#[tokio::test(start_paused = true)]
async fn a_group_is_whole_after_a_crash_at_any_step_of_its_beginning() {
    for call in 1..CALLS_MAX {
        for fault in [Fault::Refuse, Fault::LoseAnswer, Fault::LoseChange] {
            let world = World::new().await;
            let (id, members) = group(&world).await;
            let begin = || request(GroupChange::Begin { title: title(), members: members.clone() });
            world.store().follow(Plan::at(call, fault));
            // The crash: the owner is dropped with whatever it knew.
            if let Ok(Some(mut owner)) = Owner::load(&world.chat, id).await {
                owner.tell_all(&world.chat, NOW, vec![begin()]).await;
            }
            world.store().follow(Plan::healthy());
            let mut owner = Owner::load(&world.chat, id).await.expect("works").expect("exists");
            owner.tell_all(&world.chat, NOW, vec![begin()]).await;
            let everyone = vec![
                (user(1), Role::Owner, true),
                (user(2), Role::Member, true),
                (user(3), Role::Member, true),
            ];
            let expected = (everyone, Some("Team".to_owned()), 3);
            assert_eq!(rows(&world, id).await, expected, "{fault:?} at call {call}");
            assert_eq!(log_of(world.store(), id).await.len(), 2, "{fault:?} at call {call}");
            assert_eq!(world.store().inner().pending_of(id).await, Ok(None));
        }
    }
}

/// Two servers: while one loads the group, the other adds a user, between any two reads of the first.
#[tokio::test]
async fn a_load_that_another_writer_overtakes_misses_nobody() {
    const READS: &[&str] = &["head", "pending_of", "conversation", "members"];
    for read in (1..).take(READS.len()) {
        let world = World::new().await;
        let (id, members) = group(&world).await;
        let mut other = Owner::load(&world.chat, id).await.expect("works").expect("exists");
        let begin = request(GroupChange::Begin { title: title(), members });
        other.tell_all(&world.chat, NOW, vec![begin]).await;
        world.store().follow(Plan::at(read, Fault::Stall).only(READS));
        let loading = Owner::<Ticket>::load(&world.chat, id);
        tokio::pin!(loading);
        tokio::select! {
            () = world.store().until_stalled(1) => {}
            _ = &mut loading => panic!("loading makes no read {read}"),
        }
        let added = request(GroupChange::Add(vec![user(4)]));
        other.tell_all(&world.chat, NOW, vec![added]).await;
        world.store().release();
        let mut owner = loading.await.expect("works").expect("exists");
        // Shows a writer that is behind where the log ends.
        owner.tell_all(&world.chat, NOW, vec![super::send(1, 11, 1, "hi")]).await;
        assert!(owner.view().current().contains(&user(4)), "overtaken at read {read}");
        let theirs = Request { actor: actor(4), ..super::send(2, 12, 1, "ho") };
        let place = super::told(owner.tell_all(&world.chat, NOW, vec![theirs]).await);
        assert_eq!(place, Ok((5, false)), "overtaken at read {read}");
        assert_eq!(rows(&world, id).await.2, 4, "overtaken at read {read}");
    }
}

#[tokio::test(start_paused = true)]
async fn effects_that_failed_are_written_by_the_same_owner_later() {
    let world = World::new().await;
    let (id, members) = group(&world).await;
    let mut owner = Owner::load(&world.chat, id).await.expect("works").expect("exists");
    world.store().follow(Plan::at(1, Fault::Refuse).only(&["apply_effects"]));
    let begin = request(GroupChange::Begin { title: title(), members });
    let answers = super::answers(owner.tell_all(&world.chat, NOW, vec![begin]).await);
    assert!(matches!(&answers[..], [(1, Ok(_))]), "the append is the commit point");
    assert!(owner.is_unsettled());
    owner.tell_all(&world.chat, NOW, Vec::new()).await;
    assert!(!owner.is_unsettled());
    assert_eq!(rows(&world, id).await.2, 3);
}

#[tokio::test]
async fn removing_the_owner_hands_the_group_on_in_the_same_append() {
    let world = World::new().await;
    let (id, members) = group(&world).await;
    let mut owner = Owner::load(&world.chat, id).await.expect("works").expect("exists");
    let begin = request(GroupChange::Begin { title: title(), members });
    owner.tell_all(&world.chat, NOW, vec![begin]).await;
    owner.tell_all(&world.chat, NOW, vec![request(GroupChange::Remove(user(1)))]).await;
    let (members, _, count) = rows(&world, id).await;
    assert_eq!(members[0], (user(1), Role::Member, false));
    assert_eq!((members[1], count), ((user(2), Role::Owner, true), 2));
}

#[tokio::test]
async fn whoever_joins_has_nothing_unread() {
    let world = World::new().await;
    let (id, members) = group(&world).await;
    let mut owner = Owner::load(&world.chat, id).await.expect("works").expect("exists");
    let begin = request(GroupChange::Begin { title: title(), members });
    owner.tell_all(&world.chat, NOW, vec![begin]).await;
    for message in 100..110 {
        owner.tell_all(&world.chat, NOW, vec![super::send(1, message, 1, "hi")]).await;
    }
    owner.tell_all(&world.chat, NOW, vec![request(GroupChange::Add(vec![user(4)]))]).await;
    let chat = world.chat.chat(&owner.view(), actor(4)).await.expect("theirs");
    assert_eq!((chat.unread(), chat.first_visible.get()), (0, 13));
    let early = world.chat.chat(&owner.view(), actor(2)).await.expect("theirs");
    assert_eq!((early.unread(), early.first_visible.get()), (10, 1));
}

#[tokio::test]
async fn what_follows_from_another_servers_entry_is_written_before_it_is_told() {
    let world = World::new().await;
    let (id, members) = group(&world).await;
    let load = async || Owner::load(&world.chat, id).await.expect("works").expect("exists");
    let (mut one, mut other) = (load().await, load().await);
    world.store().follow(Plan::at(1, Fault::Refuse).only(&["apply_effects"]));
    let begin = request(GroupChange::Begin { title: title(), members });
    one.tell_all(&world.chat, NOW, vec![begin]).await;
    assert_eq!(rows(&world, id).await, (Vec::new(), None, 0), "not by its own server");
    let mut told = Told { world: &world, written: Vec::new() };
    other.catch_up(&world.chat, &mut told).await.expect("works");
    assert_eq!(told.written, [true, true], "when each of the two entries was told");
    assert_eq!(rows(&world, id).await.0.len(), 3);
}

/// Notes whether effects had been written whenever an entry is told.
struct Told<'a> {
    world: &'a World,
    written: Vec<bool>,
}

impl Emits<Ticket> for Told<'_> {
    fn moved(&mut self, _: &Owner<Ticket>) {}

    fn reply(&mut self, ticket: Ticket, result: Result<Outcome, CommandError>) {
        panic!("{ticket}: {result:?}");
    }

    fn entry(&mut self, _: &Entry, _: &Rc<[UserId]>, _: Option<(Ticket, Answer)>) {
        let calls = self.world.store().calls();
        let written = |call: &Call| call.method == "apply_effects" && call.fault.is_none();
        self.written.push(calls.iter().any(written));
    }
}
