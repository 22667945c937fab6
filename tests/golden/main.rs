//! The golden vectors of `tests/vectors` hold: what they say a message means is what it is decoded
//! to, what they refuse is refused, by the decoder and by a session alike. The vectors are made by an
//! encoder that shares no code with this crate (`tests/vectors/generate.py`).

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod describe;
mod sessions;

use chasqui::model::{Actor, DeviceId, Epoch, ErrorCode, Timestamp, UserId};
use chasqui::protocol::constants::limit;
use chasqui::protocol::{
    ClientFrame, CloseCode, Fault, Hello, ProtocolError, ServerFrame, content, frames,
};
use chasqui::session::{Effect, Granted, Limits, Session};
use serde_json::{Value, json};
use std::path::Path;

const FILES: [&str; 5] = ["varints", "client_frames", "server_frames", "contents", "rejects"];

fn vectors() -> impl Iterator<Item = Value> {
    FILES.into_iter().flat_map(vectors_of)
}

fn vectors_of(file: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let text = std::fs::read_to_string(folder.join(file).with_extension("json")).unwrap();
    let Value::Array(vectors) = serde_json::from_str::<Value>(&text).unwrap()["vectors"].take()
    else {
        panic!("{file} holds a list of vectors")
    };
    vectors
}

fn message(vector: &Value) -> Vec<u8> {
    unhex(&vector["hex"])
}

fn unhex(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    let byte = |index| u8::from_str_radix(&hex[index..index + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// What a message decodes to, written anew, and where that ends.
#[derive(Default)]
struct Decoded {
    frames: Vec<Value>,
    encoded: Vec<u8>,
    error: Option<ProtocolError>,
}

fn decode(from: &str, message: &[u8]) -> Decoded {
    let mut decoded = Decoded::default();
    for frame in frames(message) {
        let result = frame.and_then(|frame| match from {
            "client" => decode_client(&frame, &mut decoded),
            _ => decode_server(&frame, &mut decoded),
        });
        if let Err(error) = result {
            decoded.error = Some(error);
            break;
        }
    }
    decoded
}

fn decode_client(
    frame: &chasqui::protocol::Frame<'_>,
    decoded: &mut Decoded,
) -> Result<(), ProtocolError> {
    let Some(frame) = ClientFrame::decode(frame)? else { return Ok(()) };
    let mut content = None;
    if let ClientFrame::Send(send) = &frame {
        if send.body.len() > limit::BODY_BYTES_MAX {
            return Err(ProtocolError {
                fault: Fault::BodyTooLarge,
                offset: 0,
                rid: Some(send.rid),
            });
        }
        content = Some(content::from_client(send)?);
    }
    decoded.frames.push(describe::client(&frame, content.as_ref()));
    frame.encode(&mut decoded.encoded);
    Ok(())
}

fn decode_server(
    frame: &chasqui::protocol::Frame<'_>,
    decoded: &mut Decoded,
) -> Result<(), ProtocolError> {
    let Some(frame) = ServerFrame::decode(frame)? else { return Ok(()) };
    decoded.frames.push(describe::server(&frame));
    frame.encode(&mut decoded.encoded);
    Ok(())
}

fn verdict(error: Option<ProtocolError>) -> Value {
    match error {
        None => json!("ok"),
        Some(error) => match error.rid {
            Some(rid) => json!({"code": error.code().name(), "rid": rid}),
            None => json!({"code": error.code().name(), "closes": true}),
        },
    }
}

#[test]
fn every_vector_decodes_to_what_it_says() {
    for vector in vectors() {
        let decoded = decode(vector["from"].as_str().unwrap(), &message(&vector));
        assert_eq!(verdict(decoded.error), vector["verdict"], "{}", vector["name"]);
        assert_eq!(json!(decoded.frames), vector["frames"], "{}", vector["name"]);
    }
}

#[test]
fn what_was_decoded_encodes_to_the_same_bytes() {
    for vector in vectors().filter(|v| v["verdict"] == "ok" && v["canonical"].is_null()) {
        let message = message(&vector);
        let decoded = decode(vector["from"].as_str().unwrap(), &message);
        assert_eq!(describe::hex(&decoded.encoded), describe::hex(&message), "{}", vector["name"]);
    }
}

#[test]
fn content_encodes_to_the_same_bytes() {
    for vector in vectors().filter(|v| v["verdict"] == "ok" && v["canonical"].is_null()) {
        let message = message(&vector);
        for frame in frames(&message) {
            let Ok(Some(ClientFrame::Send(send))) = ClientFrame::decode(&frame.unwrap()) else {
                continue;
            };
            let said = content::from_client(&send).unwrap();
            let layout = content::encode(&said);
            assert_eq!((layout.kind, layout.body), (send.kind, send.body));
            let skips = vector["name"].as_str().unwrap().contains("ignored")
                || vector["name"].as_str().unwrap().contains("kept apart");
            assert_eq!(layout.tlvs() == send.tlvs, !skips, "{}", vector["name"]);
        }
    }
}

#[test]
fn a_frame_cut_at_any_length_is_malformed() {
    for vector in vectors().filter(|v| v["verdict"] == "ok") {
        if vector["frames"].as_array().unwrap().len() != 1 || vector["canonical"] == false {
            continue;
        }
        let message = message(&vector);
        for end in 0..message.len() {
            let decoded = decode(vector["from"].as_str().unwrap(), &message[..end]);
            let expected = json!({"code": "malformed", "closes": true});
            assert_eq!(verdict(decoded.error), expected, "{} cut to {end}", vector["name"]);
        }
    }
}

/// A session that has been welcomed.
fn active(now: Timestamp, limits: &Limits) -> Session {
    let (mut session, mut effects) = (Session::new(now), Vec::new());
    let epoch = Epoch::new(5).unwrap();
    let hello = ClientFrame::Hello(Hello {
        minor: 0,
        capabilities: 0,
        token: "",
        client: None,
        ping_seconds: None,
        epoch: Some(epoch),
    });
    let mut message = Vec::new();
    hello.encode(&mut message);
    session.handle_message(now, limits, &message, &mut effects);
    let actor = Actor { user: UserId::new(1).unwrap(), device: DeviceId::new(2).unwrap() };
    let granted = Granted { actor, family: 1, epoch };
    session.handle_grant(now, limits, Ok(granted), &mut effects);
    session
}

#[test]
fn a_session_answers_as_the_vector_says() {
    let (now, limits) = (Timestamp::from_millis(1_790_000_000_000), Limits::default());
    for vector in vectors().filter(|v| v["from"] == "client" && v["verdict"] != "ok") {
        let (mut session, mut effects) = (active(now, &limits), Vec::new());
        session.handle_message(now, &limits, &message(&vector), &mut effects);
        let closes = vector["verdict"]["closes"] == true;
        assert_eq!(session.is_closed(), closes, "{}", vector["name"]);
        if closes {
            assert!(matches!(effects.pop(), Some(Effect::Close(CloseCode::Protocol))));
        }
        let Some(Effect::Write(bytes)) = effects.pop() else { panic!("{}", vector["name"]) };
        let frame = frames(&bytes).next().unwrap().unwrap();
        let Ok(Some(ServerFrame::Error(refusal))) = ServerFrame::decode(&frame) else {
            panic!("{}", vector["name"])
        };
        assert_eq!(refusal.known().map(ErrorCode::name), vector["verdict"]["code"].as_str());
        assert_eq!(refusal.rid, vector["verdict"]["rid"].as_u64().unwrap_or(0));
        assert_eq!(refusal.not_applied(), !closes, "{}", vector["name"]);
        assert!(!refusal.retry() && !refusal.outcome_unknown(), "{}", vector["name"]);
    }
}
