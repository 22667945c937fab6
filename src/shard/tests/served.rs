//! The loop with a core behind it: events out, grants, replies and pushes in, from every side.

use super::*;
use crate::model::CommandError;
use crate::shard::outbox::PushClass;
use crate::shard::reactor::Reactor;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// What other shards and the store would send here.
type Mailbox = mpsc::UnboundedReceiver<Message>;

/// Delivers every message to everyone who is registered.
fn receive(
    reactor: &Reactor,
    mailbox: &mut Mailbox,
    registered: &RefCell<Vec<ConnectionKey>>,
    cx: &mut Context<'_>,
) -> bool {
    let mut inbox = Vec::new();
    let Poll::Ready(count) = mailbox.poll_recv_many(cx, &mut inbox, 256) else { return false };
    reactor.enter(START, |connections| {
        for message in &inbox {
            for key in registered.borrow().iter() {
                connections.deliver(*key, message, PushClass::Entry);
            }
        }
    });
    count > 0
}

/// A core that grants everything at once and refuses everything a little later.
fn handle(reactor: &Rc<Reactor>, registered: &RefCell<Vec<ConnectionKey>>, event: &Event) {
    match *event {
        Event::Authenticate { key, ref token } => {
            assert_eq!(token.as_str(), "token");
            registered.borrow_mut().push(key);
            assert!(reactor.enter(START, |c| c.grant(key, Ok(granted()))));
        }
        Event::Execute { key, rid, .. } => {
            let reactor = Rc::clone(reactor);
            tokio::task::spawn_local(async move {
                tokio::task::yield_now().await;
                let refusal = Err(CommandError::overloaded("full"));
                reactor.enter(START, |connections| connections.reply(key, rid, &refusal));
            });
        }
        Event::Closed { key, .. } => registered.borrow_mut().retain(|other| *other != key),
    }
}

/// Reads frames until there are `count`, beside the loop.
async fn frames_of(peer: &mut Peer, count: usize) {
    while peer.receive().len() < count {
        assert_eq!(peer.end, None);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn answers_come_from_tasks_and_pushes_from_other_threads() {
    let runtime = tokio::runtime::LocalRuntime::new().expect("a runtime");
    let work = async {
        let settings = Settings { limits: Limits::default(), outbox_bytes_max: OUTBOX_BYTES };
        let reactor = Rc::new(Reactor::new(settings, Arc::default()).expect("epoll"));
        let registered = Rc::new(RefCell::new(Vec::new()));
        let (sender, mut mailbox) = mpsc::unbounded_channel();
        let driver = Rc::clone(&reactor);
        let registry = Rc::clone(&registered);
        tokio::task::spawn_local(async move {
            let mailbox = |cx: &mut Context<'_>, _| receive(&driver, &mut mailbox, &registry, cx);
            driver
                .run(|| START, mailbox, |event| handle(&driver, &registry, &event), |_, _| false)
                .await
        });

        let rig = Rig::new();
        let mut peers = Vec::new();
        for _ in 0..20 {
            let (theirs, ours) = rig.sockets();
            let early = masked(0x82, &hello());
            reactor.enter(START, |c| c.adopt(ours, None, &early, Mode::Client)).expect("room");
            let mut peer = Peer::new(theirs);
            frames_of(&mut peer, 1).await;
            peer.frames.clear();
            peers.push(peer);
        }

        for rid in 1..=30 {
            let sync = encoded(&ClientFrame::Sync { rid, limit: 0, token: &[] });
            for peer in &mut peers {
                peer.send(&masked(0x82, &sync));
                frames_of(peer, 1).await;
                assert!(is_frame(
                    &peer.frames.remove(0),
                    |f| matches!(f, ServerFrame::Error(e) if e.rid == rid)
                ));
            }
        }

        let thread = std::thread::spawn(move || {
            for n in 0..2_000_u32 {
                sender.send(binary(&n.to_be_bytes())).expect("the loop runs");
            }
        });
        for peer in &mut peers {
            frames_of(peer, 2_000).await;
            let numbers =
                peer.frames.iter().map(|f| u32::from_be_bytes(f[1..].try_into().expect("four")));
            assert!(numbers.eq(0..2_000));
        }
        thread.join().expect("no panic");

        peers.truncate(5);
        while registered.borrow().len() > 5 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(reactor.enter(START, |connections| connections.len()), 5);
    };
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(30), work).await.expect("it does not stall");
    });
}
