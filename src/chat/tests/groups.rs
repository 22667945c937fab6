//! Who may change a group, and how.

use super::{NOW, Ticket, World, actor, user};
use crate::chat::{Action, GroupChange, Owner, Request};
use crate::model::{ClientMessageId, ErrorCode, Outcome, Role, Title};

/// A group of users 1 (its owner), 2 and 3.
struct Group {
    world: World,
    owner: Owner<Ticket>,
}

impl Group {
    async fn new() -> Self {
        let world = World::new().await;
        let client_id = ClientMessageId::new(77).expect("in range");
        let made = world.chat.group(actor(1), &[user(2), user(3)], client_id, NOW).await;
        let (id, _, members) = made.expect("claimed");
        let owner = Owner::load(&world.chat, id).await.expect("works").expect("exists");
        let mut group = Self { world, owner };
        let begin = GroupChange::Begin { title: title("Team"), members };
        assert_eq!(group.change(1, begin).await, Ok(()));
        group
    }

    async fn change(&mut self, by: u64, change: GroupChange) -> Result<(), ErrorCode> {
        let action = Action::Group(change);
        let request = Request { actor: actor(by), action, lane: None, ticket: 1 };
        let told = self.owner.tell_all(&self.world.chat, NOW, vec![request]).await;
        let (_, result) = super::answers(told).pop().expect("answered");
        result.map(|outcome| assert_eq!(outcome, Outcome::Done)).map_err(|error| error.code)
    }

    /// The length of the log: who changed nothing appended nothing.
    fn entries(&self) -> u64 {
        self.owner.view().head().sequence.get()
    }
}

fn title(text: &str) -> Title {
    Title::new(text).expect("valid")
}

#[tokio::test]
async fn members_leave_and_do_nothing_else() {
    let mut group = Group::new().await;
    for change in [
        GroupChange::Add(vec![user(4)]),
        GroupChange::Remove(user(3)),
        GroupChange::Rename(title("Mine")),
        GroupChange::SetRole(user(2), Role::Owner),
    ] {
        assert_eq!(group.change(2, change).await, Err(ErrorCode::Forbidden));
    }
    assert_eq!(group.entries(), 2);
    assert_eq!(group.change(2, GroupChange::Remove(user(2))).await, Ok(()));
    assert_eq!(group.entries(), 3);
}

#[tokio::test]
async fn to_strangers_the_group_does_not_exist() {
    let mut group = Group::new().await;
    let change = GroupChange::Rename(title("Mine"));
    assert_eq!(group.change(4, change).await, Err(ErrorCode::NotFound));
}

#[tokio::test]
async fn admins_manage_those_below_them() {
    let mut group = Group::new().await;
    for member in [2, 3] {
        let promote = GroupChange::SetRole(user(member), Role::Admin);
        assert_eq!(group.change(1, promote).await, Ok(()));
    }
    assert_eq!(group.change(2, GroupChange::Add(vec![user(4)])).await, Ok(()));
    assert_eq!(group.change(2, GroupChange::Rename(title("Ours"))).await, Ok(()));
    assert_eq!(group.change(2, GroupChange::Remove(user(4))).await, Ok(()));
    for above in [1, 3] {
        let removal = GroupChange::Remove(user(above));
        assert_eq!(group.change(2, removal).await, Err(ErrorCode::Forbidden));
    }
    let chat = group.world.chat.chat(&group.owner.view(), actor(3)).await.expect("theirs");
    assert_eq!(chat.settings.title.as_ref().map(Title::as_str), Some("Ours"));
}

#[tokio::test]
async fn what_is_so_already_appends_nothing() {
    let mut group = Group::new().await;
    for change in [
        GroupChange::Rename(title("Team")),
        GroupChange::SetRole(user(2), Role::Member),
        GroupChange::Add(vec![user(2), user(3)]),
        GroupChange::Remove(user(4)),
    ] {
        assert_eq!(group.change(1, change).await, Ok(()));
    }
    assert_eq!(group.entries(), 2);
}

#[tokio::test]
async fn a_group_keeps_an_owner() {
    let mut group = Group::new().await;
    let stand_down = || GroupChange::SetRole(user(1), Role::Member);
    assert_eq!(group.change(1, stand_down()).await, Err(ErrorCode::Forbidden));
    assert_eq!(group.change(1, GroupChange::SetRole(user(2), Role::Owner)).await, Ok(()));
    assert_eq!(group.change(2, stand_down()).await, Err(ErrorCode::Forbidden));
    assert_eq!(group.change(1, stand_down()).await, Ok(()));
    assert_eq!(group.change(4, stand_down()).await, Err(ErrorCode::NotFound));
    let nobody = GroupChange::SetRole(user(4), Role::Admin);
    assert_eq!(group.change(2, nobody).await, Err(ErrorCode::NotFound));
}
