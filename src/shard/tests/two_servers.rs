//! Two servers that store in one place and tell each other nothing.

use super::crowd::{Client, Server, check, message, pause, user};
use crate::model::{
    Applied, Command, Content, ConversationId, ErrorCode, Message, Outcome, Sequence,
};
use crate::store::embedded::{Embedded, Hooks, Options};
use crate::store::faulty::{FaultyStore, Plan};

type Shared = FaultyStore<Embedded>;

/// Two servers, three users, and a group that the first server has made.
fn run(test: impl AsyncFnOnce(Server<Shared>, Server<Shared>, ConversationId)) {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::LocalRuntime::new().expect("a runtime");
    runtime.block_on(async {
        let options = Options { reserve_bytes: 0, ..Options::new(folder.path()) };
        let hooks = Hooks::new(&options, |failure| panic!("{failure}"));
        let store = Embedded::open(&options, hooks).expect("a store");
        let store = FaultyStore::new(store, Plan::healthy());
        let (one, other) = (Server::start(store.clone()), Server::start(store));
        one.register(4).await;
        let chat = one.group(3, 1).await;
        test(one, other, chat).await;
    });
}

fn at(number: u64) -> Sequence {
    Sequence::new(number).expect("small")
}

fn send(chat: ConversationId, id: u64, reply_to: Option<u64>) -> Command {
    let reply_to = reply_to.map(at);
    let said = Message { text: "hi".into(), reply_to, ..Message::default() };
    Command::Send {
        conversation: chat,
        client_message: message(id),
        floor: None,
        content: Content::Message(said),
    }
}

/// Where the log ends, as a server tells by FETCH, by the list of messages and by the chat itself.
async fn ends(server: &Server<Shared>, chat: ConversationId) -> [u64; 3] {
    let fetch = Command::Fetch { conversation: chat, from: at(1), to: Sequence::ZERO };
    let Ok(Outcome::Fetched(fetched)) = server.ask(1, fetch).await else { panic!("fetched") };
    let list = Command::History { chat, before: None, after: None, limit: 1 };
    let Ok(Outcome::History { entries, .. }) = server.ask(1, list).await else { panic!("listed") };
    let shown = server.ask(1, Command::Chat { chat }).await;
    let Ok(Outcome::Chat { chat, .. }) = shown else { panic!("{shown:?}") };
    [fetched.to, entries[0].sequence, chat.head.sequence].map(Sequence::get)
}

#[test]
fn what_one_stores_the_other_serves_though_it_does_nothing_itself() {
    run(async |one, other, chat| {
        assert_eq!(ends(&other, chat).await, [2, 2, 2]);
        for place in 3..6 {
            one.ask(1, send(chat, place, None)).await.expect("sent");
            assert_eq!(ends(&other, chat).await, [place; 3]);
        }
    });
}

#[test]
fn a_cursor_may_reach_what_the_other_has_stored() {
    run(async |one, other, chat| {
        assert_eq!(ends(&other, chat).await, [2, 2, 2]);
        one.ask(1, send(chat, 9, None)).await.expect("sent");
        other.ask(2, Command::Read { conversation: chat, read: at(3) }).await.expect("read");
        other.ask(3, Command::Ack(vec![(chat, at(3))])).await.expect("acknowledged");
        let members = other.ask(1, Command::Members { chat }).await;
        let Ok(Outcome::Members(members)) = members else { panic!("{members:?}") };
        assert_eq!([members[1].cursor.read, members[2].cursor.delivered], [at(3); 2]);
    });
}

#[test]
fn nobody_is_refused_for_what_the_other_has_changed() {
    run(async |one, other, chat| {
        assert_eq!(ends(&other, chat).await, [2, 2, 2]);
        let add = |users| Command::AddMembers { chat, users };
        one.ask(1, add(vec![user(4)])).await.expect("added");
        let sent = other.ask(4, send(chat, 9, None)).await;
        assert!(matches!(sent, Ok(Outcome::Sent(_))), "{sent:?}");
        one.ask(1, send(chat, 10, None)).await.expect("sent");
        let reply = other.ask(4, send(chat, 11, Some(5))).await;
        assert!(matches!(reply, Ok(Outcome::Sent(_))), "{reply:?}");
        one.ask(1, Command::RemoveMember { chat, user: user(4) }).await.expect("removed");
        other.ask(1, add(vec![user(4)])).await.expect("added");
        let sent = one.ask(4, send(chat, 12, None)).await;
        assert!(matches!(sent, Ok(Outcome::Sent(_))), "really added again: {sent:?}");
        one.ask(1, Command::RemoveMember { chat, user: user(4) }).await.expect("removed");
        let late = other.ask(4, send(chat, 13, None)).await.expect_err("removed");
        assert_eq!((late.code, late.applied), (ErrorCode::Forbidden, Applied::No));
    });
}

#[test]
fn no_race_of_two_loses_doubles_reorders_or_hides_anything() {
    run(async |one, other, chat| {
        let servers = [one, other];
        let live = async |number: u64| {
            let mut client = Client::new(number, chat, 40);
            for turn in 0.. {
                // Mostly at one server; it is told things by either.
                let server = &servers[usize::from(number == 2)];
                let elsewhere = &servers[usize::from(turn % 3 == 0)];
                client.send(server).await;
                client.list(elsewhere).await;
                client.fetch(server).await;
                if client.is_done() {
                    return client;
                }
                pause().await;
            }
            unreachable!("it does not end");
        };
        let (a, b, c) = tokio::join!(live(1), live(2), live(3));
        let mut clients = [a, b, c];
        for client in &mut clients {
            assert!(client.fetch(&servers[1]).await);
        }
        check(&clients);
    });
}
