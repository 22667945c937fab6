//! Any sequence of messages, answers and ticks leaves a session sound: one answer per request,
//! silence after the close.
//!
//! The input is a script. Its first byte says whether a good greeting comes first; then each step is
//! an operation byte, and for a message a length byte and that many bytes.

#![no_main]

use chasqui::model::{
    Actor, CommandError, ConversationId, DeviceId, Epoch, Ordinal, Outcome, Sent, Sequence,
    Timestamp, UserId,
};
use chasqui::protocol::{ClientFrame, Hello};
use chasqui::session::{Effect, GrantError, Granted, Limits, Session};
use libfuzzer_sys::fuzz_target;

const EPOCH: u64 = 77;

fn granted() -> Granted {
    let actor = Actor { user: UserId::new(1).unwrap(), device: DeviceId::new(2).unwrap() };
    Granted { actor, family: 1, epoch: Epoch::new(EPOCH).unwrap() }
}

fn sent() -> Outcome {
    Outcome::Sent(Sent {
        conversation: ConversationId::new(1).unwrap(),
        sequence: Sequence::FIRST,
        ordinal: Ordinal::FIRST,
        sent_at: Timestamp::ZERO,
        duplicate: false,
    })
}

struct Run {
    session: Session,
    limits: Limits,
    now: u64,
    open: Vec<u64>,
    closed: bool,
    effects: Vec<Effect>,
}

impl Run {
    fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }

    fn message(&mut self, bytes: &[u8]) {
        self.session.handle_message(self.at(), &self.limits, bytes, &mut self.effects);
    }

    fn step(&mut self, operation: u8, input: &mut &[u8]) {
        match operation % 8 {
            0..=3 => {
                let Some((length, rest)) = input.split_first() else { return };
                let length = usize::from(*length).min(rest.len());
                let (message, rest) = rest.split_at(length);
                *input = rest;
                self.message(message);
            }
            4 => {
                let result = if operation < 128 { Ok(granted()) } else { Err(GrantError::Expired) };
                self.session.handle_grant(self.at(), &self.limits, result, &mut self.effects);
            }
            5 if !self.open.is_empty() => {
                let rid = self.open.swap_remove(usize::from(operation) % self.open.len());
                let result = match operation / 64 {
                    0 => Err(CommandError::overloaded("busy")),
                    1 => Err(CommandError::outcome_unknown()),
                    2 => Ok(Outcome::Done),
                    _ => Ok(sent()),
                };
                self.session.handle_outcome(rid, &result, &mut self.effects);
            }
            6 => {
                self.now += u64::from(operation) * 500;
                self.session.handle_tick(self.at(), &self.limits, &mut self.effects);
            }
            _ => self.session.heard(self.at()),
        }
    }

    fn check(&mut self) {
        for effect in self.effects.drain(..) {
            assert!(!self.closed, "nothing follows the close");
            match effect {
                Effect::Close(_) => self.closed = true,
                Effect::Execute { rid, .. } if rid != 0 => {
                    assert!(!self.open.contains(&rid), "one execution per open rid");
                    self.open.push(rid);
                }
                Effect::Execute { .. } | Effect::Authenticate { .. } | Effect::Write(_) => {}
            }
        }
        assert_eq!(self.closed, self.session.is_closed());
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((first, mut input)) = input.split_first() else { return };
    let mut run = Run {
        session: Session::new(Timestamp::ZERO),
        limits: Limits::default(),
        now: 0,
        open: Vec::new(),
        closed: false,
        effects: Vec::new(),
    };
    if first % 4 != 0 {
        let mut hello = Vec::new();
        ClientFrame::Hello(Hello {
            minor: 0,
            capabilities: 7,
            token: "token",
            client: None,
            ping_seconds: None,
            epoch: Epoch::new(EPOCH),
        })
        .encode(&mut hello);
        run.message(&hello);
        run.step(4, &mut &[][..]);
    }
    while let Some((operation, rest)) = input.split_first() {
        input = rest;
        run.step(*operation, &mut input);
        run.check();
    }
    for rid in std::mem::take(&mut run.open) {
        let before = run.effects.len();
        run.session.handle_outcome(rid, &Ok(sent()), &mut run.effects);
        assert!(run.closed || run.effects.len() > before, "every request is answered");
        run.check();
    }
});
