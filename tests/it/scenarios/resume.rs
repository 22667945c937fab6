//! Coming back after an absence: clients that were away catch up exactly.

use crate::support::chat_client::ChatClient;
use crate::support::eventually::{Deadline, eventually};
use crate::support::history::{Event, Line};
use crate::support::people::{Person, direct, group};
use crate::support::server::TestServer;
use chasqui::model::ConversationId;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How many messages are written while one is away, over how many conversations.
const ENTRIES: usize = 10_000;
const CONVERSATIONS: usize = 50;

fn bodies(lines: &[Line]) -> Vec<String> {
    let messages = lines.iter().filter(|line| line.kind == 1);
    messages.map(|line| String::from_utf8_lossy(&line.body).into_owned()).collect()
}

/// Writes texts in turn to some chats, keeping the window full, until all are acknowledged.
async fn write_all(writer: &mut ChatClient, chats: &[ConversationId], count: usize) {
    for number in 0..count {
        writer.write(chats[number % chats.len()], &number.to_string());
        while writer.unanswered() >= 64 {
            writer.step(Duration::from_millis(50)).await.expect("the server is up");
        }
    }
    writer.until("everything is acknowledged", ChatClient::is_settled).await;
}

#[tokio::test]
async fn who_was_away_for_many_entries_in_many_conversations_catches_up_exactly() {
    let server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    let ben = Person::register(server.address(), "ben").await;
    let mut chats = Vec::new();
    for index in 0..CONVERSATIONS {
        chats.push(group(&ana.rest(&server), &format!("group {index}"), &[&ben]).await);
    }
    let mut writer = ChatClient::new(ana.user, &ana.token);
    let mut away = ChatClient::new(ben.user, &ben.token);
    writer.connect(server.address()).await.expect("a connection");
    away.connect(server.address()).await.expect("a connection");
    away.until("everything is there", ChatClient::is_settled).await;
    away.disconnect();

    write_all(&mut writer, &chats, ENTRIES).await;

    let began = Instant::now();
    let before = away.history().events.len();
    away.connect(server.address()).await.expect("a connection");
    away.until("the absence is made up for", ChatClient::is_settled).await;
    println!(
        "resume: {ENTRIES} entries in {CONVERSATIONS} conversations: {} bytes in {} ms",
        away.received_bytes(),
        began.elapsed().as_millis()
    );
    let per_chat = ENTRIES / CONVERSATIONS;
    for (index, chat) in chats.iter().enumerate() {
        let expected: Vec<String> =
            (0..per_chat).map(|n| (n * CONVERSATIONS + index).to_string()).collect();
        assert_eq!(bodies(&away.lines(*chat)), expected);
    }
    let mut shown = HashMap::new();
    for event in &away.history().events[before..] {
        if let Event::Shown { conversation, line } = event {
            *shown.entry((*conversation, line.sequence)).or_insert(0) += 1;
        }
    }
    assert_eq!(shown.len(), ENTRIES, "exactly what was missed");
    assert!(shown.values().all(|times| *times == 1), "and each of it once");
}

#[tokio::test]
async fn a_connection_cut_at_any_time_costs_nothing() {
    let server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    let ben = Person::register(server.address(), "ben").await;
    let chat = direct(&ana.rest(&server), &ben).await;
    let mut writer = ChatClient::new(ana.user, &ana.token);
    let mut reader = ChatClient::new(ben.user, &ben.token);
    let mut written = 0;
    for cut in 0_u64..30 {
        writer.connect(server.address()).await.expect("a connection");
        reader.connect(server.address()).await.expect("a connection");
        for _ in 0..20 {
            writer.write(chat, &written.to_string());
            written += 1;
        }
        // Cut after none, some or all of the answers.
        for _ in 0..cut % 7 {
            writer.step(Duration::from_millis(cut % 5)).await.expect("the server is up");
            reader.step(Duration::from_millis(cut % 3)).await.expect("the server is up");
        }
        writer.disconnect();
        reader.disconnect();
    }
    writer.connect(server.address()).await.expect("a connection");
    writer.until("everything is acknowledged", ChatClient::is_settled).await;
    reader.connect(server.address()).await.expect("a connection");
    reader.until("everything is there", ChatClient::is_settled).await;
    let expected: Vec<String> = (0..written).map(|number: u32| number.to_string()).collect();
    assert_eq!(bodies(&reader.lines(chat)), expected);
    assert_eq!(bodies(&writer.lines(chat)), expected);
}

#[tokio::test]
async fn every_device_of_a_member_converges() {
    let server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    let ben = Person::register(server.address(), "ben").await;
    let chat = direct(&ana.rest(&server), &ben).await;
    let mut devices = Vec::new();
    for person in [&ana, &ben] {
        for _ in 0..2 {
            let device = person.login(server.address()).await;
            let mut client = ChatClient::new(device.user, &device.token);
            client.connect(server.address()).await.expect("a connection");
            devices.push(client);
        }
    }
    for round in 0..25 {
        for (index, device) in devices.iter_mut().enumerate() {
            device.write(chat, &format!("{index}:{round}"));
            device.step(Duration::from_millis(1)).await.expect("the server is up");
        }
    }
    let deadline = Deadline::usual();
    while !devices.iter().all(|d| d.is_settled() && d.have(chat).get() == 100) {
        assert!(!deadline.has_passed(), "waited in vain until all has come");
        for device in &mut devices {
            device.step(Duration::from_millis(5)).await.expect("the server is up");
        }
    }
    let views: Vec<Vec<String>> = devices.iter().map(|d| bodies(&d.lines(chat))).collect();
    assert!(views.iter().all(|view| *view == views[0]), "all see one order");
    for index in 0..devices.len() {
        let own: Vec<&String> =
            views[0].iter().filter(|text| text.starts_with(&format!("{index}:"))).collect();
        let expected: Vec<String> = (0..25).map(|round| format!("{index}:{round}")).collect();
        assert!(own.into_iter().eq(expected.iter()), "in the order of their device");
    }
}

#[tokio::test]
async fn a_cursor_that_was_told_is_not_taken_back_by_a_stop() {
    let mut server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    let ben = Person::register(server.address(), "ben").await;
    let chat = direct(&ana.rest(&server), &ben).await;
    let mut writer = ChatClient::new(ana.user, &ana.token);
    writer.connect(server.address()).await.expect("a connection");
    write_all(&mut writer, &[chat], 10).await;
    let mut reader = ChatClient::new(ben.user, &ben.token);
    reader.connect(server.address()).await.expect("a connection");
    reader.until("all has come", |reader| reader.have(chat).get() == 10).await;
    reader.read(chat, reader.have(chat));
    reader.step(Duration::from_millis(50)).await.expect("the server is up");
    reader.disconnect();
    writer.disconnect();

    server.kill().await;
    server.restart().await;
    // A kill may take it back; the client repeats it.
    reader.connect(server.address()).await.expect("a connection");
    reader.until("it is settled", ChatClient::is_settled).await;
    // That has no answer, and REST may be asked before it was taken in.
    eventually("it is read", async || {
        let seen = ben.rest(&server).get(&format!("/chats/{chat}")).await.ok();
        ((&seen["read"], &seen["unread"]) == (&10.into(), &0.into())).then_some(())
    })
    .await;
}
