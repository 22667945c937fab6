//! Any message decodes or fails, from either side; what decodes encodes to what decodes alike.

#![no_main]

use chasqui::protocol::content::{self, from_server};
use chasqui::protocol::{ClientFrame, ServerFrame, frames};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| {
    let mut encoded = Vec::new();
    for frame in frames(message) {
        let Ok(frame) = frame else { break };
        if let Ok(Some(decoded)) = ClientFrame::decode(&frame) {
            encoded.clear();
            decoded.encode(&mut encoded);
            let again = frames(&encoded).next().expect("one frame").expect("whole");
            assert_eq!(ClientFrame::decode(&again), Ok(Some(decoded)));
            if let ClientFrame::Send(send) = decoded
                && let Ok(said) = content::from_client(&send)
            {
                let layout = content::encode(&said);
                let tlvs = layout.tlvs();
                let again = chasqui::protocol::SendFrame { body: layout.body, tlvs, ..send };
                assert_eq!(content::from_client(&again), Ok(said));
            }
        }
        if let Ok(Some(decoded)) = ServerFrame::decode(&frame) {
            encoded.clear();
            decoded.encode(&mut encoded);
            let again = frames(&encoded).next().expect("one frame").expect("whole");
            assert_eq!(ServerFrame::decode(&again), Ok(Some(decoded)));
            if let ServerFrame::Entry(entry) = decoded {
                drop(from_server(&entry));
            }
        }
    }
});
