//! Counts the bytes of one message on the wire, WebSocket heads included, in both directions.

use crate::Figure;
use crate::chat::{Failure, Room, Written, conversation, encoded, masked, sends};
use chasqui::model::Sequence;
use chasqui::protocol::{ClientFrame, Pairs};

/// A conversation is some hundred messages long: numbers take two bytes then, as most do.
const NUMBER: u64 = 300;

/// An ACK covers everything below it, so a client sends one for what came in a while.
const ENTRIES_PER_ACK: f64 = 4.0;

pub(crate) fn measure() -> Result<Vec<Figure>, Failure> {
    let mut reads = sends(NUMBER, 1)?;
    let mut room = Room::new(2)?;
    let (mut sent, mut written) = (0, Written::default());
    for read in &mut reads {
        (sent, written) = (read.len(), room.exchange(read));
    }
    let ack = masked(&ack()?).len();
    let figure =
        |name: &str, bytes: f64| Figure { unit: "bytes", name: name.to_owned(), value: bytes };
    let [sent, to_writer, to_others, ack] = [sent, written.to_writer, written.to_others, ack]
        .map(|bytes| u32::try_from(bytes).map(f64::from));
    let (send, sent, entry, ack) = (sent?, to_writer?, to_others?, ack?);
    Ok(vec![
        figure("send", send),
        figure("sent", sent),
        figure("entry", entry),
        figure("ack", ack),
        figure("exchange", send + sent + entry + ack / ENTRIES_PER_ACK),
        figure("exchange_acked_singly", send + sent + entry + ack),
    ])
}

fn ack() -> Result<Vec<u8>, Failure> {
    let acknowledged = [(conversation()?, Sequence::new(NUMBER).ok_or("no such sequence")?)];
    Ok(encoded(&ClientFrame::Ack(Pairs::from(&acknowledged[..]))))
}
