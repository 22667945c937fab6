//! The shortest way through everything: two people, one chat, one restart.

use crate::support::peer::{Peer, Seen, sequence};
use crate::support::people::{Person, direct};
use crate::support::server::TestServer;

#[tokio::test]
async fn two_people_chat_and_a_restart_keeps_what_was_said() {
    let mut server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    let ben = Person::register(server.address(), "ben").await;
    let chat = direct(&ana.rest(&server), &ben).await;
    assert_eq!(direct(&ben.rest(&server), &ana).await, chat, "one chat for each pair");

    let mut sender = Peer::connect(server.address(), &ana.token).await;
    let mut other_device =
        Peer::connect(server.address(), &ana.login(server.address()).await.token).await;
    let mut receiver = Peer::connect(server.address(), &ben.token).await;
    let epoch = sender.welcome().epoch;
    let (rid, client_message) = sender.say(chat, 1, "hi").await;
    assert_eq!(sender.sent(rid).await, Ok((sequence(1), false)));

    let shown = receiver.entry(chat).await;
    assert_eq!(
        (shown.sequence, shown.sender, &shown.body[..]),
        (sequence(1), Some(ana.user), &b"hi"[..])
    );
    assert_eq!(shown.client_message, None, "only the sender's devices are told");
    assert_eq!(other_device.entry(chat).await.client_message, Some(client_message));

    server.kill().await;
    server.restart().await;
    let mut receiver = Peer::greet(server.address(), &ben.token, Some(epoch)).await;
    assert_eq!(receiver.welcome().epoch, epoch, "the same store");
    assert_eq!(receiver.fetch(chat, 1, 0).await, Ok(vec![shown]));

    // The same epoch: the connection is not held, and a resend finds the copy.
    let mut sender = Peer::greet(server.address(), &ana.token, Some(epoch)).await;
    let rid = sender.say_as(chat, client_message, 1, "hi").await;
    assert_eq!(sender.sent(rid).await, Ok((sequence(1), true)));
}

#[tokio::test]
async fn typing_is_shown_to_others_and_never_stored() {
    use chasqui::model::EphemeralKind;
    use chasqui::protocol::{ClientFrame, EphemeralFrame};
    let server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    let ben = Person::register(server.address(), "ben").await;
    let chat = direct(&ana.rest(&server), &ben).await;
    let mut sender = Peer::connect(server.address(), &ana.token).await;
    let mut receiver = Peer::connect(server.address(), &ben.token).await;

    let typing =
        EphemeralFrame { conversation: chat, user: None, kind: EphemeralKind::Typing, body: &[] };
    sender.send(&ClientFrame::Ephemeral(typing)).await;
    let expected = Seen::Ephemeral(chat, Some(ana.user), EphemeralKind::Typing);
    receiver.expect(|seen| (*seen == expected).then_some(())).await;
    assert_eq!(receiver.fetch(chat, 1, 0).await, Ok(vec![]));
}

#[tokio::test]
async fn a_cursor_is_shown_to_the_peer_of_a_direct_chat() {
    use chasqui::protocol::ClientFrame;
    let server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    let ben = Person::register(server.address(), "ben").await;
    let chat = direct(&ana.rest(&server), &ben).await;
    let mut sender = Peer::connect(server.address(), &ana.token).await;
    let mut receiver = Peer::connect(server.address(), &ben.token).await;
    let (rid, _) = sender.say(chat, 1, "hi").await;
    assert!(sender.sent(rid).await.is_ok());
    receiver.entry(chat).await;

    receiver.send(&ClientFrame::Read { conversation: chat, read: sequence(99) }).await;
    let read = sender
        .expect(|seen| match seen {
            Seen::Cursor(cursor) if cursor.user == ben.user => Some(cursor.read),
            _ => None,
        })
        .await;
    assert_eq!(read, sequence(1), "clamped to the head");
}
