//! Servers over a database that fails: what their clients are told is true, whatever became of the
//! statements behind it.

use super::crowd::{Client, Server, check, message, next_frame, pause, read_back, user};
use super::{Peer, encoded, is_frame, masked};
use crate::model::{Command, ErrorCode, Outcome, Sequence};
use crate::protocol::constants::error_flag;
use crate::protocol::{ClientFrame, SendFrame, ServerFrame, Tlvs};
use crate::store::faulty::Draws;
use crate::store::scylla::ground::{address, with_schema};
use crate::store::scylla::proxy::answers::{
    cas_timeout, overloaded, overloaded_by_hints, unavailable, unavailable_to_commit,
};
use crate::store::scylla::proxy::{Fault, Proxy};
use crate::store::scylla::{Caps, Options, Scylla};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How many schedules of faults are run at least; the seeds are their numbers.
const SCHEDULES: u64 = 6;

/// How many are run at most, until all that may happen has happened: how many statements there are
/// to fail depends on which commands meet in one append.
const MOST_SCHEDULES: u64 = 60;

/// How many faults there are by name.
const FAULTS: usize = 11;

/// How many messages each client of a schedule sends.
const MESSAGES: u64 = 16;

/// One statement in so many fails.
const ONE_IN: u64 = 6;

/// After how long a statement without an answer counts as lost.
const TIMEOUT: Duration = Duration::from_millis(250);

/// What opens a store through a proxy, and one that goes around it. Buckets are small: logs roll.
async fn through_a_proxy(test: impl AsyncFnOnce(Options, Options, Proxy)) {
    with_schema(async |options| {
        let caps = Caps { entries: 10, ..options.caps };
        let direct = Options { caps, ..options };
        let proxy = Proxy::start(&address()).await;
        let contact_points = vec![proxy.address()];
        let proxied = Options { contact_points, timeout: TIMEOUT, ..direct.clone() };
        test(proxied, direct, proxy).await;
    })
    .await;
}

fn run(test: impl AsyncFnOnce(Options, Options, Proxy)) {
    let runtime = tokio::runtime::LocalRuntime::new().expect("a runtime");
    runtime.block_on(through_a_proxy(test));
}

async fn serve(options: &Options) -> Server<Scylla> {
    Server::start(Scylla::open(options).await.expect("a store"))
}

/// What may become of a statement: of a read, of a write, and of a condition.
fn faults(statement: &str) -> Vec<(&'static str, Fault)> {
    let mut faults = vec![
        ("lost on the way there", Fault::DropRequest),
        ("cut off before", Fault::BreakBefore),
        ("unavailable", Fault::Forge(unavailable())),
        ("overloaded", Fault::Forge(overloaded())),
    ];
    if statement.starts_with("SELECT") {
        return faults;
    }
    faults.extend([
        ("lost on the way back", Fault::DropAnswer),
        ("cut off after", Fault::BreakAfter),
        ("late", Fault::Hold),
    ]);
    if statement.contains(" IF ") {
        faults.extend([
            ("timed out, not made", Fault::Forge(cas_timeout())),
            ("timed out, made", Fault::ForgeAfter(cas_timeout())),
            ("too few to commit, made", Fault::ForgeAfter(unavailable_to_commit())),
            ("too many hints, made", Fault::ForgeAfter(overloaded_by_hints())),
        ]);
    }
    faults
}

/// How often each fault came up, and how many of the statements that can fail in so many ways failed.
#[derive(Debug, Default)]
struct Tally {
    faults: BTreeMap<&'static str, usize>,
    failed: BTreeMap<usize, usize>,
}

/// Has statements fail as a seed says, in one way after the other.
fn fail(proxy: &Proxy, seed: u64, tally: &Arc<Mutex<Tally>>) {
    let (mut draws, tally) = (Draws::new(seed), Arc::clone(tally));
    proxy.follow(move |statement| {
        // What the driver sends to make a connection ready. It waits for the answer for as long as the
        // connection answers anything else, so a lost one would be no fault that happens.
        if statement.starts_with("USE") || statement.contains("system") {
            return None;
        }
        if !draws.draw().is_multiple_of(ONE_IN) {
            return None;
        }
        let mut tally = tally.lock().expect("sound");
        let mut faults = faults(statement);
        let failed = tally.failed.entry(faults.len()).or_default();
        *failed += 1;
        let (name, fault) = faults.swap_remove(*failed % faults.len());
        *tally.faults.entry(name).or_default() += 1;
        Some(fault)
    });
}

#[test]
#[ignore = "needs a CQL server: make cql"]
fn no_fault_of_the_database_loses_doubles_or_reorders_anything() {
    run(async |proxied, direct, proxy| {
        let servers = [serve(&proxied).await, serve(&proxied).await];
        let (sound, tally) = (serve(&direct).await, Arc::<Mutex<Tally>>::default());
        sound.register(3).await;
        let mut doubted = 0;
        for seed in 1..=MOST_SCHEDULES {
            let is_all_seen = doubted > 0 && tally.lock().expect("sound").faults.len() == FAULTS;
            if seed > SCHEDULES && is_all_seen {
                break;
            }
            let chat = sound.group(3, seed).await;
            fail(&proxy, seed, &tally);
            let live = async |number: u64| {
                let mut client = Client::new(number, chat, MESSAGES);
                while !client.is_done() {
                    let elsewhere = client.attempts().is_multiple_of(3);
                    let server = &servers[usize::from(elsewhere ^ (number == 2))];
                    client.send(server).await;
                    client.fetch(server).await;
                    pause().await;
                }
                client
            };
            let all = async { tokio::join!(live(1), live(2), live(3)) };
            let late = async {
                loop {
                    tokio::time::sleep(TIMEOUT / 2).await;
                    proxy.release();
                }
            };
            let (a, b, c) = tokio::select! {
                clients = all => clients,
                () = late => unreachable!("it has no end"),
                () = tokio::time::sleep(Duration::from_mins(1)) => panic!("{seed}: no end"),
            };
            proxy.follow(|_| None);
            proxy.release();
            let mut clients = [a, b, c];
            for (client, server) in clients.iter_mut().zip([&sound, &servers[0], &servers[1]]) {
                read_back(client, server).await;
                doubted += client.doubted;
            }
            check(&clients);
        }
        let tally = tally.lock().expect("sound");
        assert!(doubted > 0, "outcomes were unknown: {tally:?}");
        assert_eq!(tally.faults.len(), FAULTS, "every fault came up: {tally:?}");
    });
}

/// The next message that is no push: the journal tells of the new device, sooner or later.
async fn answer(peer: &mut Peer) -> Vec<u8> {
    loop {
        let told = next_frame(peer).await;
        if !is_frame(&told, |frame| matches!(frame, ServerFrame::Entry(_))) {
            return told;
        }
    }
}

#[test]
#[ignore = "needs a CQL server: make cql"]
fn a_client_is_told_by_a_frame_that_the_database_is_overloaded() {
    run(async |proxied, direct, proxy| {
        serve(&direct).await.register(1).await;
        let server = serve(&proxied).await;
        let (number, mut peer) = server.connect("caller").await;
        let made = server.ask(number, Command::CreateDirect { user: user(1) }).await;
        let Ok(Outcome::Chat { chat, .. }) = made else { panic!("{made:?}") };
        let send = |rid| {
            let frame = ClientFrame::Send(SendFrame {
                rid,
                conversation: chat.conversation.id,
                client_message: message(9),
                floor: Sequence::FIRST,
                kind: 1,
                body: b"hi",
                tlvs: Tlvs::EMPTY,
            });
            encoded(&frame)
        };
        let is_append = |statement: &str| statement.starts_with("UPDATE log");
        proxy.follow(move |statement| is_append(statement).then(|| Fault::Forge(overloaded())));
        peer.send(&masked(0x82, &send(7)));
        let told = answer(&mut peer).await;
        assert!(is_frame(&told, |frame| {
            let ServerFrame::Error(refusal) = frame else { panic!("{frame:?}") };
            let flags = u64::from(refusal.flags);
            assert_eq!((refusal.rid, refusal.known()), (7, Some(ErrorCode::Overloaded)));
            assert_eq!(flags, error_flag::RETRY | error_flag::NOT_APPLIED);
            refusal.retry_ms == 1_000
        }));
        proxy.follow(|_| None);
        let again = [encoded(&ClientFrame::Resume), send(8)].concat();
        peer.send(&masked(0x82, &again));
        let told = answer(&mut peer).await;
        let is_sent = |frame: &ServerFrame<'_>| {
            matches!(frame, ServerFrame::Sent { rid: 8, sequence, duplicate: false, .. }
                if *sequence == Sequence::FIRST)
        };
        assert!(is_frame(&told, is_sent));
    });
}
