//! The session vectors: a connection step by step.

use crate::{describe, unhex, vectors_of};
use chasqui::model::{
    Actor, Applied, CommandError, ConversationId, DeviceId, Epoch, ErrorCode, Ordinal, Outcome,
    Sent, Sequence, Timestamp, UserId,
};
use chasqui::protocol::{ServerFrame, frames};
use chasqui::session::{Effect, Granted, Limits, Session};
use serde_json::{Value, json};
use std::time::Duration;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn granted(epoch: u64) -> Granted {
    let actor = Actor { user: UserId::new(1).unwrap(), device: DeviceId::new(2).unwrap() };
    Granted { actor, family: 1, epoch: Epoch::new(epoch).unwrap() }
}

fn stored(step: &Value) -> Outcome {
    Outcome::Sent(Sent {
        conversation: ConversationId::new(1).unwrap(),
        sequence: Sequence::new(step["sequence"].as_u64().unwrap()).unwrap(),
        ordinal: Ordinal::FIRST,
        sent_at: NOW,
        duplicate: false,
    })
}

fn refused(step: &Value) -> CommandError {
    let named = |code: &&ErrorCode| Some(code.name()) == step["code"].as_str();
    let code = *ErrorCode::ALL.iter().find(named).unwrap();
    let unknown = step["unknown"] == true;
    CommandError {
        applied: if unknown { Applied::Unknown } else { Applied::No },
        ..CommandError::retryable(code, "not now", Duration::from_secs(1))
    }
}

/// What goes out, as the steps of a vector show it.
fn outgoing(effects: &mut Vec<Effect>) -> Vec<Value> {
    let shown = effects.drain(..).filter_map(|effect| match effect {
        Effect::Authenticate { .. } | Effect::Execute { .. } => None,
        Effect::Close(code) => Some(json!({"close": code.number()})),
        Effect::Write(bytes) => {
            let frame = frames(&bytes).next().unwrap().unwrap();
            let frame = ServerFrame::decode(&frame).unwrap().unwrap();
            Some(json!({"server": describe::server(&frame)}))
        }
    });
    shown.collect()
}

/// Whether `said` has at least what `expected` has.
fn covers(said: &Value, expected: &Value) -> bool {
    match expected {
        Value::Object(fields) => fields.iter().all(|(name, field)| covers(&said[name], field)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            said == expected
        }
    }
}

#[test]
fn every_session_goes_as_its_vector_says() {
    let limits = Limits::default();
    for vector in vectors_of("sessions") {
        let (mut session, mut effects) = (Session::new(NOW), Vec::new());
        let mut waiting = Vec::new().into_iter();
        for step in vector["steps"].as_array().unwrap() {
            let name = &vector["name"];
            if step["server"].is_object() || step["close"].is_number() {
                let said = waiting.next().unwrap_or_default();
                assert!(covers(&said, step), "{name}: {said} instead of {step}");
                continue;
            }
            assert_eq!(waiting.next(), None, "{name}: before {step}");
            if step["client"].is_string() {
                session.handle_message(NOW, &limits, &unhex(&step["client"]), &mut effects);
            } else if let Some(epoch) = step["granted"].as_u64() {
                session.handle_grant(NOW, &limits, Ok(granted(epoch)), &mut effects);
            } else {
                let good = step["stored"].is_object();
                let step = if good { &step["stored"] } else { &step["refused"] };
                let result = if good { Ok(stored(step)) } else { Err(refused(step)) };
                session.handle_outcome(step["rid"].as_u64().unwrap(), &result, &mut effects);
            }
            waiting = outgoing(&mut effects).into_iter();
        }
        assert_eq!(waiting.next(), None, "{}: at the end", vector["name"]);
    }
}
