//! The same scenarios through both doors: same outcomes, same errors.
//!
//! Ana owns a group with Ben; Cleo belongs to nothing. Ana, or whoever a scenario names, goes through
//! the door under test.

use crate::support::chat_client::random_id;
use crate::support::door::{Caller, Door, Stored};
use crate::support::history::Line;
use crate::support::peer::Peer;
use crate::support::people::{Person, direct, group};
use crate::support::server::TestServer;
use chasqui::model::{ConversationId, ErrorCode};
use chasqui::protocol::constants::{entry_kind, limit};
use serde_json::json;

struct Scene {
    server: TestServer,
    ana: Person,
    ben: Person,
    cleo: Person,
    /// Its log begins with the settings and the members.
    group: ConversationId,
}

/// The head of the group's log before anyone has said anything.
const GROUP_BEGINS: u64 = 2;

impl Scene {
    async fn set() -> Self {
        let server = TestServer::start().await;
        let mut people = Vec::new();
        for name in ["ana", "ben", "cleo"] {
            people.push(Person::register(server.address(), name).await);
        }
        let [ana, ben, cleo] = people.try_into().expect("three");
        let group = group(&ana.rest(&server), "us", &[&ben]).await;
        Self { server, ana, ben, cleo, group }
    }

    async fn remove_ben(&self) {
        let path = format!("/chats/{}/members/{}", self.group, self.ben.user);
        assert_eq!(self.ana.rest(&self.server).delete(&path).await.status, 204);
    }
}

/// One test for each scenario and door.
macro_rules! through_both_doors {
    ($($scenario:ident),* $(,)?) => {
        mod through_the_websocket {
            $(#[tokio::test]
            async fn $scenario() {
                super::$scenario(crate::support::door::Door::Ws).await;
            })*
        }
        mod through_rest {
            $(#[tokio::test]
            async fn $scenario() {
                super::$scenario(crate::support::door::Door::Rest).await;
            })*
        }
    };
}

through_both_doors! {
    a_message_is_stored_and_shown,
    a_resend_is_answered_with_the_first_copy,
    the_same_id_with_another_text_is_a_conflict,
    a_copy_sent_through_the_other_door_is_found,
    what_is_not_ones_own_is_not_found,
    a_former_member_is_forbidden_to_send_but_may_resend_and_read,
    a_newcomer_sees_from_their_joining_on,
    a_floor_beyond_the_head_is_out_of_range,
    a_floor_too_far_back_is_out_of_range,
    a_body_over_the_limit_is_too_large,
    an_empty_message_is_invalid,
    a_range_is_read_exactly,
    unread_is_what_others_said_since,
    the_read_cursor_never_goes_back_nor_beyond_the_head,
}

fn texts(lines: &[Line]) -> Vec<(u64, String)> {
    let text = |line: &Line| String::from_utf8_lossy(&line.body).into_owned();
    let is_message = |line: &&Line| line.kind == entry_kind::MESSAGE;
    lines.iter().filter(is_message).map(|line| (line.sequence.get(), text(line))).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a send is compared with")]
fn stored(sequence: u64) -> Result<Stored, ErrorCode> {
    Ok(Stored { sequence, duplicate: false })
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a send is compared with")]
fn duplicate(sequence: u64) -> Result<Stored, ErrorCode> {
    Ok(Stored { sequence, duplicate: true })
}

async fn a_message_is_stored_and_shown(door: Door) {
    let scene = Scene::set().await;
    let mut ana = Caller::at(door, &scene.server, &scene.ana).await;
    let mut ben = Caller::at(door, &scene.server, &scene.ben).await;
    let mut watching = Peer::connect(scene.server.address(), &scene.ben.token).await;

    let id = random_id();
    assert_eq!(ana.send(scene.group, id, 3, "hi \u{1f600}").await, stored(3));
    assert_eq!(watching.entry(scene.group).await.body, "hi \u{1f600}".as_bytes());
    let seen = ben.read_range(scene.group, 1, 10).await.expect("his own chat");
    let kinds: Vec<u64> = seen.iter().map(|line| line.kind).collect();
    assert!(kinds.ends_with(&[entry_kind::MEMBER, entry_kind::MESSAGE]), "{kinds:?}");
    let said = seen.last().expect("it is not empty");
    assert_eq!(said.sender, Some(scene.ana.user));
    assert_eq!(said.client_message, None, "only the sender is told");
    let own = ana.read_range(scene.group, 3, 3).await.expect("her own chat");
    assert_eq!(own[0].client_message, Some(id));
}

async fn a_resend_is_answered_with_the_first_copy(door: Door) {
    let scene = Scene::set().await;
    let mut ana = Caller::at(door, &scene.server, &scene.ana).await;
    let id = random_id();
    assert_eq!(ana.send(scene.group, id, 3, "once").await, stored(3));
    assert_eq!(ana.send(scene.group, random_id(), 4, "between").await, stored(4));
    for _ in 0..3 {
        assert_eq!(ana.send(scene.group, id, 3, "once").await, duplicate(3));
    }
    let log = ana.read_range(scene.group, 3, 10).await.expect("her own chat");
    assert_eq!(texts(&log), [(3, "once".to_owned()), (4, "between".to_owned())]);
}

async fn the_same_id_with_another_text_is_a_conflict(door: Door) {
    let scene = Scene::set().await;
    let mut ana = Caller::at(door, &scene.server, &scene.ana).await;
    let id = random_id();
    assert_eq!(ana.send(scene.group, id, 3, "this").await, stored(3));
    assert_eq!(ana.send(scene.group, id, 3, "that").await, Err(ErrorCode::Conflict));
    assert_eq!(ana.send(scene.group, random_id(), 4, "more").await, stored(4));
}

async fn a_copy_sent_through_the_other_door_is_found(door: Door) {
    let scene = Scene::set().await;
    let other = if door == Door::Ws { Door::Rest } else { Door::Ws };
    let mut first = Caller::at(other, &scene.server, &scene.ana).await;
    let mut second = Caller::at(door, &scene.server, &scene.ana).await;
    let id = random_id();
    assert_eq!(first.send(scene.group, id, 3, "hi").await, stored(3));
    assert_eq!(second.send(scene.group, id, 3, "hi").await, duplicate(3));
}

async fn what_is_not_ones_own_is_not_found(door: Door) {
    let scene = Scene::set().await;
    let mut cleo = Caller::at(door, &scene.server, &scene.cleo).await;
    let unknown = ConversationId::new(random_id().get()).expect("not zero");
    for chat in [scene.group, unknown] {
        assert_eq!(cleo.send(chat, random_id(), 1, "hi").await, Err(ErrorCode::NotFound));
        assert_eq!(cleo.read_range(chat, 1, 10).await, Err(ErrorCode::NotFound));
    }
}

async fn a_former_member_is_forbidden_to_send_but_may_resend_and_read(door: Door) {
    let scene = Scene::set().await;
    let mut ana = Caller::at(door, &scene.server, &scene.ana).await;
    let mut ben = Caller::at(door, &scene.server, &scene.ben).await;
    let id = random_id();
    assert_eq!(ben.send(scene.group, id, 3, "early").await, stored(3));
    scene.remove_ben().await;
    assert_eq!(ana.send(scene.group, random_id(), 5, "late").await, stored(5));

    let refused = ben.send(scene.group, random_id(), 4, "late").await;
    assert_eq!(refused, Err(ErrorCode::Forbidden));
    assert_eq!(ben.send(scene.group, id, 3, "early").await, duplicate(3));
    let seen = ben.read_range(scene.group, 1, 10).await.expect("he was there");
    let last = seen.last().expect("it is not empty");
    assert_eq!((last.sequence.get(), last.kind), (4, entry_kind::MEMBER), "what removed him");
    assert_eq!(texts(&seen), [(3, "early".to_owned())]);
}

async fn a_newcomer_sees_from_their_joining_on(door: Door) {
    let scene = Scene::set().await;
    let mut ana = Caller::at(door, &scene.server, &scene.ana).await;
    assert_eq!(ana.send(scene.group, random_id(), 3, "before").await, stored(3));
    let path = format!("/chats/{}/members", scene.group);
    let added = ana.rest().post(&path, json!({"users": [scene.cleo.user.get()]})).await;
    assert_eq!(added.status, 204);
    assert_eq!(ana.send(scene.group, random_id(), 5, "after").await, stored(5));

    let mut cleo = Caller::at(door, &scene.server, &scene.cleo).await;
    let seen = cleo.read_range(scene.group, 1, 10).await.expect("she was added");
    let sequences: Vec<u64> = seen.iter().map(|line| line.sequence.get()).collect();
    assert_eq!(sequences, [4, 5], "from the entry that added her");
    assert_eq!(cleo.chat(scene.group).await.1, 1, "what came after her joining is unread");
    assert_eq!(cleo.send(scene.group, random_id(), 6, "thanks").await, stored(6));
}

async fn a_floor_beyond_the_head_is_out_of_range(door: Door) {
    let scene = Scene::set().await;
    let mut ana = Caller::at(door, &scene.server, &scene.ana).await;
    let beyond = ana.send(scene.group, random_id(), 4, "hi").await;
    assert_eq!(beyond, Err(ErrorCode::FloorOutOfRange));
    assert_eq!(ana.send(scene.group, random_id(), 3, "hi").await, stored(3));
}

async fn a_floor_too_far_back_is_out_of_range(door: Door) {
    let scene = Scene::set().await;
    let mut ana = Caller::at(door, &scene.server, &scene.ana).await;
    assert_eq!(ana.send(scene.group, random_id(), 3, "first").await, stored(3));
    let most = u64::try_from(limit::FLOOR_ENTRIES_MAX).expect("small");
    let head = fill(&scene, most).await;

    assert_eq!(head, 3 + most);
    let too_far = ana.send(scene.group, random_id(), 1, "hi").await;
    assert_eq!(too_far, Err(ErrorCode::FloorOutOfRange));
    // Just within reach: `most` entries lie from there to the head.
    assert_eq!(ana.send(scene.group, random_id(), 4, "hi").await, stored(head + 1));
}

/// Lets Ben say so many things; the head afterwards.
async fn fill(scene: &Scene, count: u64) -> u64 {
    const WINDOW: u64 = 60;
    let mut ben = Peer::connect(scene.server.address(), &scene.ben.token).await;
    let mut rids = std::collections::VecDeque::new();
    let mut head = 0;
    for number in 0..count {
        // Its own floor rises with it, as far as answers have come.
        rids.push_back(ben.say(scene.group, head + 1, &number.to_string()).await.0);
        if u64::try_from(rids.len()).expect("few") == WINDOW || number + 1 == count {
            while let Some(rid) = rids.pop_front() {
                head = ben.sent(rid).await.expect("it is stored").0.get();
            }
        }
    }
    head
}

async fn a_body_over_the_limit_is_too_large(door: Door) {
    let scene = Scene::set().await;
    let mut ana = Caller::at(door, &scene.server, &scene.ana).await;
    let largest = "x".repeat(limit::BODY_BYTES_MAX);
    let larger = "x".repeat(limit::BODY_BYTES_MAX + 1);
    let refused = ana.send(scene.group, random_id(), 3, &larger).await;
    assert_eq!(refused, Err(ErrorCode::TooLarge));
    assert_eq!(ana.send(scene.group, random_id(), 3, &largest).await, stored(3));
    let log = ana.read_range(scene.group, 3, 3).await.expect("her own chat");
    assert_eq!(log[0].body.len(), largest.len());
}

async fn an_empty_message_is_invalid(door: Door) {
    let scene = Scene::set().await;
    let mut ana = Caller::at(door, &scene.server, &scene.ana).await;
    assert_eq!(ana.send(scene.group, random_id(), 3, "").await, Err(ErrorCode::Invalid));
}

async fn a_range_is_read_exactly(door: Door) {
    let scene = Scene::set().await;
    let mut ana = Caller::at(door, &scene.server, &scene.ana).await;
    for number in 3..=120 {
        let sent = ana.send(scene.group, random_id(), number, &number.to_string()).await;
        assert_eq!(sent, stored(number));
    }
    let expected =
        |from: u64, to: u64| -> Vec<_> { (from..=to).map(|n| (n, n.to_string())).collect() };
    for (from, to, last) in [(3, 120, 120), (5, 7, 7), (60, 60, 60), (100, 500, 120)] {
        let lines = ana.read_range(scene.group, from, to).await.expect("her own chat");
        assert_eq!(texts(&lines), expected(from, last), "{from} to {to}");
    }
    assert_eq!(ana.read_range(scene.group, 121, 130).await, Ok(vec![]));
}

async fn unread_is_what_others_said_since(door: Door) {
    let scene = Scene::set().await;
    let mut ana = Caller::at(door, &scene.server, &scene.ana).await;
    let mut ben = Caller::at(door, &scene.server, &scene.ben).await;
    for number in 3..=5 {
        assert_eq!(ana.send(scene.group, random_id(), number, "hi").await, stored(number));
    }
    let (head, unread, read) = ben.chat(scene.group).await;
    assert_eq!((head, unread), (5, 3));
    assert!(read < GROUP_BEGINS, "joining is read up to just before it");
    ben.mark_read(scene.group, 4).await;
    assert_eq!(ben.chat(scene.group).await, (5, 1, 4));
    assert_eq!(ana.chat(scene.group).await, (5, 0, 5), "sending reads");
    assert_eq!(ben.send(scene.group, random_id(), 6, "ho").await, stored(6));
    assert_eq!(ben.chat(scene.group).await, (6, 0, 6));
    assert_eq!(ana.chat(scene.group).await, (6, 1, 5));
}

async fn the_read_cursor_never_goes_back_nor_beyond_the_head(door: Door) {
    let scene = Scene::set().await;
    let mut ana = Caller::at(door, &scene.server, &scene.ana).await;
    let mut ben = Caller::at(door, &scene.server, &scene.ben).await;
    assert_eq!(ana.send(scene.group, random_id(), 3, "hi").await, stored(3));
    ben.mark_read(scene.group, 1_000_000).await;
    assert_eq!(ben.chat(scene.group).await, (3, 0, 3));
    ben.mark_read(scene.group, GROUP_BEGINS).await;
    assert_eq!(ben.chat(scene.group).await, (3, 0, 3));
}

#[tokio::test]
async fn a_direct_chat_is_one_whichever_door_asks_first() {
    let scene = Scene::set().await;
    let (ana, ben) = (scene.ana.rest(&scene.server), scene.ben.rest(&scene.server));
    let (one, other) = tokio::join!(direct(&ana, &scene.ben), direct(&ben, &scene.ana));
    assert_eq!(one, other);
}
