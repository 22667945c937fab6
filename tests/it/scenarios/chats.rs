//! Chats and groups, by REST and as members see them on the WebSocket.

use crate::support::chat_client::random_id;
use crate::support::eventually::eventually;
use crate::support::peer::{Listed, Peer};
use crate::support::people::{Person, direct, group, number};
use crate::support::server::TestServer;
use chasqui::model::ConversationId;
use chasqui::protocol::constants::entry_kind;
use serde_json::{Value, json};

async fn crowd<const N: usize>(server: &TestServer) -> [Person; N] {
    let mut people = Vec::new();
    for index in 0..N {
        people.push(Person::register(server.address(), &format!("person-{index}")).await);
    }
    people.try_into().expect("as many as asked for")
}

#[tokio::test]
async fn a_direct_chat_is_created_once_and_found_afterwards() {
    let server = TestServer::start().await;
    let [ana, ben] = crowd(&server).await;
    let body = json!({"kind": "direct", "user": ben.user.get()});
    let created = ana.rest(&server).post("/chats", body.clone()).await;
    let found = ana.rest(&server).post("/chats", body).await;
    assert_eq!((created.status.as_u16(), found.status.as_u16()), (201, 200));
    assert_eq!(created.body["chat"], found.body["chat"]);
    assert_eq!(created.body["kind"], "direct");
    assert_eq!(created.body["last_sequence"], 0);

    let own = json!({"kind": "direct", "user": ana.user.get()});
    assert!(ana.rest(&server).post("/chats", own).await.status.is_client_error());
    let nobody = json!({"kind": "direct", "user": 1});
    ana.rest(&server).post("/chats", nobody).await.assert_refused(404, "not-found");
}

#[tokio::test]
async fn a_group_created_twice_under_one_id_is_one() {
    let server = TestServer::start().await;
    let [ana, ben] = crowd(&server).await;
    let id = random_id().get();
    let body =
        json!({"kind": "group", "title": "us", "members": [ben.user.get()], "client_id": id});
    let first = ana.rest(&server).post("/chats", body.clone()).await.ok();
    let second = ana.rest(&server).post("/chats", body.clone()).await.ok();
    assert_eq!(first["chat"], second["chat"]);
    let of_ben = ben.rest(&server).post("/chats", body).await.ok();
    assert_ne!(first["chat"], of_ben["chat"], "the id is the creator's own");
}

#[tokio::test]
async fn members_are_told_when_they_are_added_and_removed() {
    let server = TestServer::start().await;
    let [ana, ben, cleo] = crowd(&server).await;
    let chat = group(&ana.rest(&server), "us", &[&ben]).await;
    let mut watching = Peer::connect(server.address(), &cleo.token).await;
    let members = format!("/chats/{chat}/members");

    let body = json!({"users": [cleo.user.get(), ben.user.get()]});
    for _ in 0..2 {
        assert_eq!(ana.rest(&server).post(&members, body.clone()).await.status, 204);
    }
    let added = watching.entry(chat).await;
    assert_eq!((added.kind, added.sequence.get()), (entry_kind::MEMBER, 3));
    let path = format!("{members}/{}", cleo.user);
    for _ in 0..2 {
        assert_eq!(ana.rest(&server).delete(&path).await.status, 204);
    }
    let removed = watching.entry(chat).await;
    assert_eq!((removed.kind, removed.sequence.get()), (entry_kind::MEMBER, 4), "and none besides");

    let (records, mut token, _) = watching.sync(&[]).await;
    let is_it = |record: &&Listed| record.conversation == chat;
    assert!(records.iter().find(is_it).is_none_or(|record| record.left));
    // A token covers a change only once no crash can undo it: then nothing is listed any more.
    eventually("nothing has changed since", async || {
        let (changed, next, everything) = watching.sync(&token).await;
        assert!(!everything, "the token is known");
        token = next;
        changed.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn leaving_is_removing_oneself() {
    let server = TestServer::start().await;
    let [ana, ben] = crowd(&server).await;
    let chat = group(&ana.rest(&server), "us", &[&ben]).await;
    let path = format!("/chats/{chat}/members/{}", ben.user);
    assert_eq!(ben.rest(&server).delete(&path).await.status, 204);
    let listed = ben.rest(&server).get("/chats").await.ok();
    let has = |list: &Value| {
        list["items"].as_array().expect("items").iter().any(|c| number(&c["chat"]) == chat.get())
    };
    assert!(!has(&listed), "only current chats are listed: {listed}");
    assert!(has(&ana.rest(&server).get("/chats").await.ok()));
}

#[tokio::test]
async fn members_are_listed_with_their_cursors() {
    let server = TestServer::start().await;
    let [ana, ben, cleo] = crowd(&server).await;
    let chat = group(&ana.rest(&server), "us", &[&ben, &cleo]).await;
    let body = json!({"chat": chat.get(), "client_id": random_id().get(), "text": "hi"});
    ana.rest(&server).post("/message/send", body).await.ok();
    let read = json!({"sequence": 3});
    ben.rest(&server).post(&format!("/chats/{chat}/read"), read).await.ok();
    let members = cleo.rest(&server).get(&format!("/chats/{chat}/members")).await.ok();
    let items = members["items"].as_array().expect("items");
    assert_eq!(items.len(), 3);
    let of = |person: &Person| {
        let is_it = |item: &&Value| number(&item["user"]) == person.user.get();
        items.iter().find(is_it).unwrap_or_else(|| panic!("{} in {members}", person.name))
    };
    assert_eq!(of(&ana)["role"], "owner");
    assert_eq!((number(&of(&ana)["read"]), number(&of(&ben)["read"])), (3, 3));
    assert!(number(&of(&cleo)["read"]) < 3);
}

#[tokio::test]
async fn many_chats_are_listed_page_by_page_the_last_active_first() {
    let server = TestServer::start().await;
    let [ana, ben] = crowd(&server).await;
    let rest = ana.rest(&server);
    let mut chats: Vec<u64> = vec![direct(&rest, &ben).await.get()];
    for index in 0..11 {
        chats.push(group(&rest, &format!("group {index}"), &[&ben]).await.get());
    }
    for (index, chat) in chats.iter().enumerate() {
        let body = json!({"chat": chat, "client_id": random_id().get(), "text": index.to_string()});
        rest.post("/message/send", body).await.ok();
    }
    let (mut listed, mut times, mut path) = (Vec::new(), Vec::new(), "/chats?limit=5".to_owned());
    loop {
        let page = rest.get(&path).await.ok();
        let items = page["items"].as_array().expect("items");
        assert!(items.len() <= 5);
        for chat in items {
            listed.push(number(&chat["chat"]));
            times.push(number(&chat["last_entry"]["sent_at"]));
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/chats?limit=5&cursor={cursor}"),
            None => break,
        }
    }
    assert!(times.is_sorted_by(|one, next| one >= next), "{times:?}");
    listed.retain(|chat| chats.contains(chat));
    listed.sort_unstable();
    chats.sort_unstable();
    assert_eq!(listed, chats, "each of them once");
}

#[tokio::test]
async fn a_stranger_sees_nothing_of_a_chat() {
    let server = TestServer::start().await;
    let [ana, ben, cleo] = crowd(&server).await;
    let chat = group(&ana.rest(&server), "us", &[&ben]).await;
    let rest = cleo.rest(&server);
    let unknown = ConversationId::new(random_id().get()).expect("not zero");
    for chat in [chat, unknown] {
        rest.get(&format!("/chats/{chat}")).await.assert_refused(404, "not-found");
        rest.get(&format!("/chats/{chat}/members")).await.assert_refused(404, "not-found");
        rest.get(&format!("/chats/{chat}/messages")).await.assert_refused(404, "not-found");
        let body = json!({"users": [cleo.user.get()]});
        rest.post(&format!("/chats/{chat}/members"), body).await.assert_refused(404, "not-found");
        let path = format!("/chats/{chat}/members/{}", ben.user);
        rest.delete(&path).await.assert_refused(404, "not-found");
    }
}

#[tokio::test]
async fn roles_and_titles_change_at_the_door_and_reach_everybody() {
    let server = TestServer::start().await;
    let [ana, ben, cleo] = crowd(&server).await;
    let chat = group(&ana.rest(&server), "before", &[&ben, &cleo]).await;
    let mut listening = Peer::connect(server.address(), &cleo.token).await;
    let title = json!({"title": "after"});
    let path = format!("/chats/{chat}");
    ben.rest(&server).patch(&path, title.clone()).await.assert_refused(403, "forbidden");
    let member = format!("{path}/members/{}", ben.user);
    assert_eq!(ana.rest(&server).patch(&member, json!({"role": "admin"})).await.status, 204);
    assert_eq!(ben.rest(&server).patch(&path, title).await.status, 204);
    let kinds = [listening.entry(chat).await.kind, listening.entry(chat).await.kind];
    assert_eq!(kinds, [entry_kind::MEMBER, entry_kind::SETTINGS]);
    assert_eq!(cleo.rest(&server).get(&path).await.ok()["title"], "after");
}
