//! The long poll: what clients use that cannot hold a WebSocket open. None of these opens one.

use crate::support::chat_client::random_id;
use crate::support::door::line;
use crate::support::eventually::Deadline;
use crate::support::people::{Person, direct, group, number};
use crate::support::rest::Rest;
use crate::support::server::TestServer;
use serde_json::{Value, json};
use std::time::Duration;

struct Scene {
    server: TestServer,
    ana: Person,
    ben: Person,
    chat: u64,
}

impl Scene {
    async fn set() -> Self {
        let server = TestServer::start().await;
        let ana = Person::register(server.address(), "ana").await;
        let ben = Person::register(server.address(), "ben").await;
        let chat = direct(&ana.rest(&server), &ben).await.get();
        Self { server, ana, ben, chat }
    }

    async fn say(&self, text: &str) {
        let body = json!({"chat": self.chat, "client_id": random_id().get(), "text": text});
        self.ana.rest(&self.server).post("/message/send", body).await.ok();
    }

    /// Acknowledges everything that waits for a device, so that tests begin with nothing.
    async fn drained(&self, person: &Person) -> Rest {
        let rest = person.rest(&self.server);
        let mut acks = json!([]);
        loop {
            let got = receive(&rest, acks, 0).await;
            if items(&got).is_empty() {
                return rest;
            }
            acks = acks_of(&got);
        }
    }
}

async fn receive(rest: &Rest, acks: Value, wait: u64) -> Value {
    rest.post("/message/receive", json!({"acks": acks, "wait": wait, "limit": 100})).await.ok()
}

fn items(received: &Value) -> &Vec<Value> {
    received["entries"].as_array().expect("entries")
}

fn acks_of(received: &Value) -> Value {
    let ack = |e: &Value| json!({"chat": e["chat"], "sequence": e["sequence"]});
    Value::Array(items(received).iter().map(ack).collect())
}

fn texts(received: &Value) -> Vec<String> {
    let text = |entry| String::from_utf8_lossy(&line(entry).body).into_owned();
    items(received).iter().map(text).collect()
}

#[tokio::test]
async fn entries_come_until_they_are_acknowledged() {
    let scene = Scene::set().await;
    let ben = scene.drained(&scene.ben).await;
    scene.say("one").await;
    scene.say("two").await;
    for _ in 0..2 {
        assert_eq!(texts(&receive(&ben, json!([]), 0).await), ["one", "two"]);
    }
    let first = json!([{"chat": scene.chat, "sequence": 1}]);
    assert_eq!(texts(&receive(&ben, first.clone(), 0).await), ["two"]);
    assert_eq!(texts(&receive(&ben, first, 0).await), ["two"], "an ack may be repeated");
    let all = json!([{"chat": scene.chat, "sequence": 2}]);
    assert_eq!(texts(&receive(&ben, all, 0).await), [""; 0]);
}

#[tokio::test]
async fn a_poll_waits_for_the_first_entry() {
    let scene = Scene::set().await;
    let ben = scene.drained(&scene.ben).await;
    let poll = tokio::spawn(async move { receive(&ben, json!([]), 25).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!poll.is_finished(), "there is nothing yet");
    scene.say("at last").await;
    let got = Deadline::usual().wait("the poll", poll).await.expect("it does not panic");
    assert_eq!(texts(&got), ["at last"]);
}

#[tokio::test]
async fn a_poll_that_waits_in_vain_ends_empty() {
    let scene = Scene::set().await;
    let ben = scene.drained(&scene.ben).await;
    let got = receive(&ben, json!([]), 1).await;
    assert_eq!((items(&got).len(), &got["more"]), (0, &json!(false)));
}

#[tokio::test]
async fn a_second_poll_ends_the_first() {
    let scene = Scene::set().await;
    let ben = scene.drained(&scene.ben).await;
    let first = tokio::spawn({
        let ben = ben.clone();
        async move { receive(&ben, json!([]), 25).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let second = tokio::spawn(async move { receive(&ben, json!([]), 25).await });
    let got = Deadline::after(Duration::from_secs(10)).wait("the first poll", first).await;
    assert_eq!(items(&got.expect("it does not panic")).len(), 0);
    scene.say("for the second").await;
    let got = Deadline::usual().wait("the second poll", second).await;
    assert_eq!(texts(&got.expect("it does not panic")), ["for the second"]);
}

#[tokio::test]
async fn each_device_has_cursors_of_its_own_and_they_survive_a_kill() {
    let mut scene = Scene::set().await;
    let other = scene.ben.login(scene.server.address()).await;
    scene.drained(&scene.ben).await;
    scene.drained(&other).await;
    scene.say("one").await;
    let ack = json!([{"chat": scene.chat, "sequence": 1}]);
    let one = receive(&scene.ben.rest(&scene.server), ack, 0).await;
    assert_eq!(items(&one).len(), 0);

    scene.server.kill().await;
    scene.server.restart().await;
    let acknowledged = receive(&scene.ben.rest(&scene.server), json!([]), 0).await;
    assert_eq!(items(&acknowledged).len(), 0, "durable before the answer");
    let not_yet = receive(&other.rest(&scene.server), json!([]), 0).await;
    assert_eq!(texts(&not_yet), ["one"]);
}

#[tokio::test]
async fn own_messages_come_too_with_their_id() {
    let scene = Scene::set().await;
    let ana = scene.drained(&scene.ana).await;
    scene.say("mine").await;
    let got = receive(&ana, json!([]), 0).await;
    assert_eq!(texts(&got), ["mine"]);
    assert!(items(&got)[0]["client_id"].is_u64());
}

#[tokio::test]
async fn many_entries_of_many_chats_come_in_order_and_in_parts() {
    let scene = Scene::set().await;
    let ben = scene.drained(&scene.ben).await;
    let ana = scene.ana.rest(&scene.server);
    let mut chats = vec![scene.chat];
    for index in 0..3 {
        chats.push(group(&ana, &format!("group {index}"), &[&scene.ben]).await.get());
    }
    for number in 0..60 {
        for chat in &chats {
            let text = number.to_string();
            let body = json!({"chat": chat, "client_id": random_id().get(), "text": text});
            ana.post("/message/send", body).await.ok();
        }
    }
    let mut last = std::collections::HashMap::new();
    let mut count = 0;
    let mut acks = json!([]);
    loop {
        let body = json!({"acks": acks, "wait": 0, "limit": 25});
        let got = ben.post("/message/receive", body).await.ok();
        assert!(items(&got).len() <= 25);
        for entry in items(&got) {
            let (chat, sequence) = (number(&entry["chat"]), number(&entry["sequence"]));
            let before = last.insert(chat, sequence);
            assert!(before.is_none_or(|before| sequence == before + 1), "{before:?} {sequence}");
            count += usize::from(entry["kind"] == "message");
        }
        if items(&got).is_empty() {
            assert_eq!(got["more"], json!(false));
            break;
        }
        acks = acks_of(&got);
    }
    assert_eq!(count, 240);
}

#[tokio::test]
async fn a_wait_beyond_the_limit_is_invalid() {
    let scene = Scene::set().await;
    let ben = scene.ben.rest(&scene.server);
    let body = json!({"acks": [], "wait": 26, "limit": 1});
    ben.post("/message/receive", body).await.assert_refused(400, "invalid");
}

#[tokio::test]
async fn logout_ends_a_poll() {
    let scene = Scene::set().await;
    let ben = scene.drained(&scene.ben).await;
    let poll = tokio::spawn({
        let ben = ben.clone();
        async move { ben.post("/message/receive", json!({"acks": [], "wait": 25})).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(ben.post("/logout", json!({})).await.status, 204);
    Deadline::after(Duration::from_secs(10)).wait("the poll", poll).await.expect("no panic");
}
