//! Whatever arrives in whatever order: no panic, one answer per request, silence after the close.

use super::*;
use crate::model::Command;
use proptest::prelude::*;
use std::collections::HashMap;

#[derive(Clone, Debug)]
enum Step {
    Frames(Vec<Part>),
    Bytes(Vec<u8>),
    Grant(bool),
    /// Answers the n-th open request, one way or another.
    Answer(usize, u8),
    /// An answer nobody asked for.
    Stray(u64),
    Tick(u64),
    Heard,
    Drain,
}

#[derive(Clone, Debug)]
enum Part {
    Hello(bool),
    Send(u64),
    BadSend(u64),
    Fetch(u64),
    Sync(u64),
    Resume,
    Ping,
    Read,
    Unknown(u8),
}

fn rid() -> impl Strategy<Value = u64> {
    prop_oneof![9 => 1_u64..200, 1 => Just(crate::model::NUMBER_MAX)]
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        1 => any::<bool>().prop_map(Part::Hello),
        20 => rid().prop_map(Part::Send),
        3 => rid().prop_map(Part::BadSend),
        4 => rid().prop_map(Part::Fetch),
        4 => rid().prop_map(Part::Sync),
        4 => Just(Part::Resume),
        2 => Just(Part::Ping),
        2 => Just(Part::Read),
        1 => (0xe0_u8..=0xfe).prop_map(Part::Unknown),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => prop::collection::vec(part(), 1..20).prop_map(Step::Frames),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Bytes),
        4 => prop::bool::weighted(0.9).prop_map(Step::Grant),
        12 => (any::<usize>(), any::<u8>()).prop_map(|(which, how)| Step::Answer(which, how)),
        1 => rid().prop_map(Step::Stray),
        1 => (0_u64..100).prop_map(Step::Tick),
        1 => Just(Step::Heard),
        1 => Just(Step::Drain),
    ]
}

fn write(part: &Part, out: &mut Vec<u8>) {
    match part {
        Part::Hello(current) => hello(EPOCH.filter(|_| *current)).encode(out),
        Part::Send(rid) => send(*rid).encode(out),
        Part::BadSend(rid) => {
            let ClientFrame::Send(good) = send(*rid) else { return };
            ClientFrame::Send(SendFrame { kind: 7, ..good }).encode(out);
        }
        Part::Fetch(rid) => fetch(*rid).encode(out),
        Part::Sync(rid) => sync(*rid, b"mark").encode(out),
        Part::Resume => ClientFrame::Resume.encode(out),
        Part::Ping => ClientFrame::Ping { nonce: 5 }.encode(out),
        Part::Read => {
            let read = Sequence::FIRST;
            ClientFrame::Read { conversation: conversation(), read }.encode(out);
        }
        Part::Unknown(kind) => out.extend_from_slice(&[*kind, 1, 0]),
    }
}

/// What a correct driver and a watchful client know.
#[derive(Default)]
struct Ledger {
    /// Requests sent and not yet answered, by rid.
    asked: HashMap<u64, usize>,
    /// Requests being executed, each with the outcome it hopes for.
    executing: Vec<(u64, Outcome)>,
    closed: bool,
}

impl Ledger {
    fn is_executing(&self, rid: u64) -> bool {
        self.executing.iter().any(|(open, _)| *open == rid)
    }

    fn look(&mut self, effects: &mut Vec<Effect>) {
        for effect in effects.drain(..) {
            assert!(!self.closed, "nothing follows the close");
            match effect {
                Effect::Execute { rid: 0, .. } | Effect::Authenticate { .. } => {}
                Effect::Execute { rid, command, .. } => {
                    assert!(!self.is_executing(rid), "one execution per open rid");
                    let hoped = if matches!(command, Command::Send { .. }) {
                        sent(rid)
                    } else if matches!(command, Command::Sync { .. }) {
                        synced()
                    } else {
                        fetched(vec![entry(1, actor().user)])
                    };
                    self.executing.push((rid, hoped));
                }
                Effect::Close(_) => self.closed = true,
                Effect::Write(bytes) => {
                    let answered = match word(&Effect::Write(bytes)).split_once(' ') {
                        Some(("sent" | "synced" | "fetched" | "error", rest)) => {
                            let rid = rest.split(' ').next().expect("a rid");
                            rid.parse().expect("a number")
                        }
                        _ => 0,
                    };
                    if answered != 0 {
                        let open = self.asked.get_mut(&answered).expect("it was asked");
                        *open = open.checked_sub(1).expect("answered once");
                    }
                }
            }
        }
    }
}

fn outcome(how: u8, hoped: Outcome) -> Result<Outcome, CommandError> {
    match how % 6 {
        0 => Err(CommandError::overloaded("busy")),
        1 => Err(CommandError::outcome_unknown()),
        2 => Err(CommandError::new(ErrorCode::Forbidden, "no")),
        3 => Ok(Outcome::Done),
        _ => Ok(hoped),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_request_is_answered_once_and_nothing_follows_the_close(
        steps in prop::collection::vec(step(), 0..60),
        greets in prop::bool::weighted(0.9),
    ) {
        let (mut peer, mut ledger, mut clock) = (Peer::new(), Ledger::default(), 1);
        let mut steps = steps;
        if greets {
            steps.splice(0..0, [Step::Frames(vec![Part::Hello(true)]), Step::Grant(true)]);
        }
        for step in &steps {
            let now = at(clock);
            let Peer { session, limits, effects } = &mut peer;
            match step {
                Step::Frames(parts) => {
                    let mut message = Vec::new();
                    for part in parts {
                        write(part, &mut message);
                        if let Part::Send(rid) | Part::BadSend(rid) | Part::Fetch(rid)
                            | Part::Sync(rid) = part
                        {
                            *ledger.asked.entry(*rid).or_default() += 1;
                        }
                    }
                    session.handle_message(now, limits, &message, effects);
                }
                Step::Bytes(bytes) => session.handle_message(now, limits, bytes, effects),
                Step::Grant(true) => session.handle_grant(now, limits, Ok(granted()), effects),
                Step::Grant(false) => {
                    session.handle_grant(now, limits, Err(GrantError::Expired), effects);
                }
                Step::Answer(which, how) if !ledger.executing.is_empty() => {
                    let which = which % ledger.executing.len();
                    let (rid, hoped) = ledger.executing.swap_remove(which);
                    session.handle_outcome(rid, &outcome(*how, hoped), effects);
                }
                Step::Stray(rid) if !ledger.is_executing(*rid) => {
                    session.handle_outcome(*rid, &Ok(sent(1)), effects);
                }
                Step::Answer(..) | Step::Stray(_) => {}
                Step::Tick(seconds) => {
                    clock += seconds;
                    session.handle_tick(at(clock), limits, effects);
                }
                Step::Heard => session.heard(now),
                Step::Drain => {
                    let goaway = crate::protocol::Goaway { reason: 1, spread_ms: 1, grace_ms: 1 };
                    session.handle_drain(goaway, effects);
                }
            }
            ledger.look(&mut peer.effects);
            prop_assert_eq!(ledger.closed, peer.session.is_closed());
        }
        if peer.session.is_authenticating() {
            peer.grant();
            ledger.look(&mut peer.effects);
        }
        for (rid, hoped) in std::mem::take(&mut ledger.executing) {
            peer.answer(rid, &Ok(hoped));
            ledger.look(&mut peer.effects);
        }
        if peer.session.is_active() {
            prop_assert!(ledger.asked.values().all(|open| *open == 0), "{:?}", ledger.asked);
        }
    }
}
