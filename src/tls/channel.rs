//! The records of an established connection: plaintext in and out over a socket that does not wait.
//!
//! Owns where a record begins and ends, what is in it besides data (alerts, new keys), and what must
//! survive between two reads or writes. The handshake is over before; whether to wait, and what the
//! plaintext means, is for whoever has the socket.
//!
//! Invariants:
//! - An idle channel keeps keys and no buffer: the start of a record that is not whole, and records
//!   that the socket did not take, are kept only while there are such.
//! - Records leave in the order in which they were sealed, and what was sealed is never dropped.
//! - After the first record that is not authentic, or not allowed, nothing more is opened.

use super::cipher::{Opener, Sealer};
use super::record::{Broken, HEAD_BYTES, PLAIN_BYTES_MAX, ROOM_BYTES_MIN, split_record};
use rustls::crypto::cipher::OutboundChunks;
use rustls::kernel::KernelConnection;
use rustls::server::ServerConnectionData;
use rustls::{
    AlertDescription, ContentType, Error, ExtractedSecrets, ProtocolVersion, SupportedCipherSuite,
};
use smallvec::SmallVec;
use std::io::{self, IoSlice, Read, Write};

/// How much is sealed before it is written.
const SEALED_BYTES_MAX: usize = 4 * PLAIN_BYTES_MAX;
/// How many records in a row may carry no data.
const EMPTY_RECORDS_MAX: u8 = 32;
/// The handshake message that announces new keys, up to whether it asks for the same.
const KEY_UPDATE: [u8; 4] = [24, 0, 0, 1];
/// An alert that does not end the connection by its level, in TLS 1.2.
const WARNING: u8 = 1;

/// What a read led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// So many bytes of plaintext; `more` if the socket filled the room, so may have more.
    Bytes {
        /// How many, which may be none.
        count: usize,
        /// Whether another read may give something.
        more: bool,
    },
    /// The peer has ended its side.
    End,
}

/// Records on their way out.
#[derive(Default)]
struct Outgoing {
    records: Vec<u8>,
    /// How much of them the socket has taken.
    sent: usize,
}

/// What is to be had from the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// More.
    Open,
    /// Nothing: it has said so.
    Closed,
    /// Nothing that could be trusted.
    Broken,
}

/// The state of an established connection.
pub struct Channel {
    sealer: Sealer,
    opener: Opener,
    /// What new keys are made from.
    keys: KernelConnection<ServerConnectionData>,
    /// The start of a record that is not whole.
    incoming: Box<[u8]>,
    /// Records that the socket has not taken.
    outgoing: Option<Box<Outgoing>>,
    /// How many records in a row carried no data.
    empty_records: u8,
    end: End,
    /// The peer wants our next record under a new key.
    rekey: bool,
}

/// What an idle one keeps, besides the keys themselves.
const CHANNEL_BYTES_MAX: usize = 640;
const _: () = assert!(size_of::<Channel>() <= CHANNEL_BYTES_MAX);

impl Channel {
    /// Goes on where a handshake has ended, with the bytes that it left.
    pub(super) fn new(
        secrets: ExtractedSecrets,
        keys: KernelConnection<ServerConnectionData>,
        incoming: &[u8],
        closed: bool,
    ) -> Result<Self, Error> {
        let suite = keys.negotiated_cipher_suite();
        Ok(Self {
            sealer: Sealer::new(suite, secrets.tx)?,
            opener: Opener::new(suite, secrets.rx)?,
            keys,
            incoming: incoming.into(),
            outgoing: None,
            empty_records: 0,
            end: if closed { End::Closed } else { End::Open },
            rekey: false,
        })
    }

    /// Reads once and opens what is whole: plaintext at the front of `room`, which must have
    /// [`Self::room_bytes_min`] bytes. A peer that breaks the rules is sent an alert, and what it
    /// did is an error of kind `InvalidData`.
    pub fn receive(
        &mut self,
        socket: &mut (impl Read + Write),
        room: &mut [u8],
    ) -> io::Result<Received> {
        match self.end {
            End::Open => {}
            End::Closed => return Ok(Received::End),
            End::Broken => return Err(io::ErrorKind::InvalidData.into()),
        }
        let (kept, rest) =
            room.split_at_mut_checked(self.incoming.len()).ok_or(io::ErrorKind::InvalidInput)?;
        kept.copy_from_slice(&self.incoming);
        let kept = kept.len();
        let room_left = rest.len();
        let count = socket.read(rest)?;
        if count == 0 {
            return Ok(Received::End);
        }
        self.take(socket, room.get_mut(..kept + count).unwrap_or_default(), count == room_left)
    }

    fn take(
        &mut self,
        socket: &mut impl Write,
        bytes: &mut [u8],
        more: bool,
    ) -> io::Result<Received> {
        let (count, result) = self.open(bytes);
        if let Err(broken) = result {
            self.end = End::Broken;
            self.tell(socket, &broken);
            if count == 0 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, broken));
            }
        }
        // The end behind this is told next time.
        Ok(Received::Bytes { count, more: more || self.end != End::Open })
    }

    /// The least length of the room to read into.
    pub const fn room_bytes_min() -> usize {
        ROOM_BYTES_MIN
    }

    /// Whether records wait for the socket to take them.
    pub fn has_outgoing(&self) -> bool {
        self.outgoing.is_some()
    }

    /// Seals and writes until everything is sealed or the socket is full: how much was sealed, which
    /// is less than what was given only in the latter case. `WouldBlock` if records from before
    /// still wait.
    pub fn send(&mut self, socket: &mut impl Write, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let chunks: SmallVec<[&[u8]; 8]> = slices.iter().map(|slice| &**slice).collect();
        let total: usize = chunks.iter().map(|chunk| chunk.len()).sum();
        self.flush(socket)?;
        let mut sealed = 0_usize;
        while sealed < total {
            let until = total.min(sealed.saturating_add(SEALED_BYTES_MAX));
            while sealed < until {
                let end = until.min(sealed.saturating_add(PLAIN_BYTES_MAX));
                let payload = OutboundChunks::Multiple { chunks: &chunks, start: sealed, end };
                self.seal(ContentType::ApplicationData, payload)?;
                sealed = end;
            }
            match self.flush(socket) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sealed)
    }

    /// Writes the records that wait; `WouldBlock` if the socket does not take all of them.
    pub fn flush(&mut self, socket: &mut impl Write) -> io::Result<()> {
        let Some(outgoing) = &mut self.outgoing else { return Ok(()) };
        while let Some(rest) = outgoing.records.get(outgoing.sent..).filter(|r| !r.is_empty()) {
            let offered = rest.len();
            match socket.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    outgoing.sent += count;
                    if count < offered {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.outgoing = None;
        Ok(())
    }

    /// Tells the peer that nothing follows. The end of the stream says the same, so a socket that
    /// is full is not waited for.
    pub fn close(&mut self, socket: &mut impl Write) {
        self.alert(socket, WARNING, AlertDescription::CloseNotify);
    }

    /// How many bytes are kept: of a record that is not whole, and of records not taken.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> (usize, usize) {
        let outgoing = self.outgoing.as_ref().map_or(0, |outgoing| outgoing.records.capacity());
        (self.incoming.len(), outgoing)
    }

    /// As if the key had sealed as much as it may.
    #[cfg(test)]
    pub(super) fn want_new_key(&mut self) {
        self.rekey = true;
    }

    /// Opens whole records of `bytes` in place and keeps the start of the one that is cut: how many
    /// of the first bytes are plaintext now, and what is wrong with what follows.
    fn open(&mut self, bytes: &mut [u8]) -> (usize, Result<(), Broken>) {
        let (mut at, mut plain) = (0, 0);
        let result = loop {
            if self.end != End::Open {
                break Ok(());
            }
            match self.open_first(bytes.get_mut(at..).unwrap_or_default()) {
                Ok(Some((length, count))) => {
                    let from = at + HEAD_BYTES;
                    bytes.copy_within(from..from + count, plain);
                    plain += count;
                    at += length;
                }
                Ok(None) => {
                    self.incoming = bytes.get(at..).unwrap_or_default().into();
                    return (plain, Ok(()));
                }
                Err(broken) => break Err(broken),
            }
        };
        self.incoming = Box::default();
        (plain, result)
    }

    /// Opens the first record, if it is whole, and acts on what is no data in it: its length, and
    /// how many bytes of data follow its head now.
    fn open_first(&mut self, bytes: &mut [u8]) -> Result<Option<(usize, usize)>, Broken> {
        let Some((head, body)) = split_record(bytes)? else { return Ok(None) };
        let length = HEAD_BYTES + body.len();
        let (typ, count) = self.open_one(head, body)?;
        let plain = body.get(..count).unwrap_or_default();
        let is_data = typ == ContentType::ApplicationData;
        self.count_empty(!is_data || plain.is_empty())?;
        if !is_data {
            self.heed(typ, plain)?;
        }
        Ok(Some((length, if is_data { count } else { 0 })))
    }

    fn open_one(
        &mut self,
        typ: ContentType,
        body: &mut [u8],
    ) -> Result<(ContentType, usize), Broken> {
        let sealed = typ == ContentType::ApplicationData
            || (!self.is_1_3() && matches!(typ, ContentType::Alert | ContentType::Handshake));
        if !sealed {
            return Err(Broken::Record("a record that is not encrypted"));
        }
        Ok(self.opener.open(typ, body)?)
    }

    fn is_1_3(&self) -> bool {
        self.keys.protocol_version() == ProtocolVersion::TLSv1_3
    }

    /// Acts on a record that carries no data.
    fn heed(&mut self, typ: ContentType, payload: &[u8]) -> Result<(), Broken> {
        match (typ, payload) {
            (ContentType::Alert, [level, description]) => self.heed_alert(*level, *description),
            (ContentType::Handshake, [message @ .., asks @ (0 | 1)])
                if self.is_1_3() && *message == KEY_UPDATE =>
            {
                let suite = self.keys.negotiated_cipher_suite();
                self.opener = Opener::new(suite, self.keys.update_rx_secret()?)?;
                self.rekey |= *asks == 1;
                Ok(())
            }
            _ => Err(Broken::Record("a message that has no place after the handshake")),
        }
    }

    fn heed_alert(&mut self, level: u8, description: u8) -> Result<(), Broken> {
        let alert = AlertDescription::from(description);
        if alert == AlertDescription::CloseNotify {
            self.end = End::Closed;
            return Ok(());
        }
        let harmless =
            alert == AlertDescription::UserCanceled || (!self.is_1_3() && level == WARNING);
        if harmless { Ok(()) } else { Err(Broken::Alert(description)) }
    }

    /// Counts records without data, each of which costs as much as one with.
    fn count_empty(&mut self, empty: bool) -> Result<(), Broken> {
        self.empty_records = if empty { self.empty_records.saturating_add(1) } else { 0 };
        if self.empty_records > EMPTY_RECORDS_MAX {
            return Err(Broken::Record("too many records without data"));
        }
        Ok(())
    }

    fn seal(&mut self, typ: ContentType, payload: OutboundChunks<'_>) -> io::Result<()> {
        let sealed = self.renew().and_then(|()| self.sealer.seal(typ, payload));
        self.append(sealed.map_err(io::Error::other)?);
        Ok(())
    }

    /// Changes to a new key, if the peer wants it or the old one has sealed as much as it may.
    fn renew(&mut self) -> Result<(), Error> {
        let suite = self.keys.negotiated_cipher_suite();
        let spent = self.sealer.sequence() >= limit(suite);
        if !self.rekey && !spent {
            return Ok(());
        }
        if !self.is_1_3() {
            return Err(Error::EncryptError);
        }
        self.rekey = false;
        let [a, b, c, d] = KEY_UPDATE;
        let message = self.sealer.seal(ContentType::Handshake, (&[a, b, c, d, 0][..]).into())?;
        self.append(message);
        self.sealer = Sealer::new(suite, self.keys.update_tx_secret()?)?;
        Ok(())
    }

    fn append(&mut self, mut records: Vec<u8>) {
        let outgoing = self.outgoing.get_or_insert_default();
        if outgoing.records.is_empty() {
            outgoing.records = records;
        } else {
            outgoing.records.append(&mut records);
        }
    }

    /// Tells a peer what it did wrong.
    fn tell(&mut self, socket: &mut impl Write, broken: &Broken) {
        const FATAL: u8 = 2;
        let description = match broken {
            // It has ended the connection itself.
            Broken::Alert(_) => return,
            Broken::Record(_) => AlertDescription::UnexpectedMessage,
            Broken::Tls(Error::DecryptError) => AlertDescription::BadRecordMac,
            Broken::Tls(Error::PeerSentOversizedRecord) => AlertDescription::RecordOverflow,
            Broken::Tls(_) => AlertDescription::DecodeError,
        };
        self.alert(socket, FATAL, description);
    }

    /// Sends an alert if the socket takes it now: whoever waits for more than that waits for the
    /// end of the stream.
    fn alert(&mut self, socket: &mut impl Write, level: u8, description: AlertDescription) {
        let alert = [level, u8::from(description)];
        let sealed = self.seal(ContentType::Alert, (&alert[..]).into());
        drop(sealed.and_then(|()| self.flush(socket)));
    }
}

/// How many records a key may seal.
fn limit(suite: SupportedCipherSuite) -> u64 {
    match suite {
        SupportedCipherSuite::Tls12(suite) => suite.common.confidentiality_limit,
        SupportedCipherSuite::Tls13(suite) => suite.common.confidentiality_limit,
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}
