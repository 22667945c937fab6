//! One conversation on a shard in memory, and the bytes that its clients send: what is measured.
//!
//! Ids are as large as random ones are, so that what is counted in bytes is what users see.

use chasqui::chat::{self, Answer, Chat, Emits, Owner};
use chasqui::clock::Clock;
use chasqui::identity::{self, Identity, Keys};
use chasqui::model::{
    Actor, Claim, ClientMessageId, Command, CommandError, Conversation, ConversationId, DeviceId,
    Entry, Epoch, Membership, Outcome, Secret, Sequence, Timestamp, UserId,
};
use chasqui::protocol::constants::limit;
use chasqui::protocol::{ClientFrame, CloseCode, Hello, SendFrame, Tlvs};
use chasqui::session::{Effects, Granted, Limits};
use chasqui::shard::{ConnectionKey, ConnectionSettings, MemoryShard, Services};
use chasqui::store::null::NullStore;
use std::error::Error;
use std::hint::black_box;
use std::rc::Rc;

/// Anything that ends a measurement.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// What every message says: 64 bytes.
pub(crate) const TEXT: &str = "Sixty-four bytes, about as long as a message between friends is.";
const _: () = assert!(TEXT.len() == 64);

/// The kind of a message with text.
const KIND: u64 = chasqui::protocol::constants::entry_kind::MESSAGE;

/// An id of the size that most random ones have.
const LARGE: u64 = 1 << 52;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

pub(crate) fn id<T>(make: impl Fn(u64) -> Option<T>, number: u64) -> Result<T, Failure> {
    make(LARGE + number).ok_or_else(|| "no such id".into())
}

pub(crate) fn actor(number: u64) -> Result<Actor, Failure> {
    Ok(Actor { user: id(UserId::new, number)?, device: id(DeviceId::new, number)? })
}

pub(crate) fn granted(number: u64) -> Result<Granted, Failure> {
    Ok(Granted { actor: actor(number)?, family: 1, epoch: id(Epoch::new, 0)? })
}

pub(crate) fn conversation() -> Result<ConversationId, Failure> {
    id(ConversationId::new, 0)
}

/// A direct chat for two, a group for any other number of users: they are numbered from 1.
pub(crate) fn store(users: u64) -> Result<NullStore, Failure> {
    let (id_, creator) = (conversation()?, actor(1)?.user);
    let claim = match users {
        2 => Claim::Direct(creator, actor(2)?.user),
        _ => Claim::Group(creator, id(ClientMessageId::new, 0)?),
    };
    let conversation = Conversation { id: id_, claim, created_at: NOW };
    let members = (1..=users).map(|number| Ok(Membership::by_claim(id_, actor(number)?.user, NOW)));
    let members = members.collect::<Result<Vec<_>, Failure>>()?;
    Ok(NullStore::new(id(Epoch::new, 0)?, vec![(conversation, members)]))
}

/// The direct chat with this number; its writer is user `2 * number + 1`, its reader the next one.
pub(crate) fn pair(number: u64) -> Result<(ConversationId, Actor, Actor), Failure> {
    let id = id(ConversationId::new, number)?;
    Ok((id, actor(2 * number + 1)?, actor(2 * number + 2)?))
}

/// So many direct chats.
pub(crate) fn pairs(count: u64) -> Result<NullStore, Failure> {
    let known = (0..count).map(|number| {
        let (id, writer, reader) = pair(number)?;
        let claim = Claim::Direct(writer.user, reader.user);
        Ok((Conversation { id, claim, created_at: NOW }, Vec::new()))
    });
    Ok(NullStore::new(id(Epoch::new, 0)?, known.collect::<Result<_, Failure>>()?))
}

pub(crate) fn service(store: NullStore) -> Chat<NullStore> {
    Chat::new(store, chat::Settings::default())
}

pub(crate) fn services(store: NullStore) -> Result<Services<NullStore>, Failure> {
    Ok(Services {
        chat: service(store.clone()),
        identity: Identity::new(store, Keys::generate()?, identity::Settings::default()),
        clock: Clock::new(NOW),
    })
}

pub(crate) fn settings() -> ConnectionSettings {
    ConnectionSettings { limits: Limits::default(), outbox_bytes_max: limit::OUTBOX_BYTES_MAX }
}

/// The WebSocket message of a client with this payload.
pub(crate) fn masked(payload: &[u8]) -> Vec<u8> {
    let mask = [0x11, 0xa5, 0xff, 0x3c];
    let mut bytes = vec![0x82];
    if let Ok(len @ 0..126) = u8::try_from(payload.len()) {
        bytes.push(0x80 | len);
    } else {
        bytes.push(0xfe);
        bytes.extend(u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes());
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

pub(crate) fn encoded(frame: &ClientFrame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    bytes
}

pub(crate) fn hello() -> Result<Vec<u8>, Failure> {
    Ok(encoded(&ClientFrame::Hello(Hello {
        minor: 0,
        capabilities: 0,
        token: "token",
        client: None,
        ping_seconds: None,
        epoch: Some(id(Epoch::new, 0)?),
    })))
}

/// The SEND of the message with this number, from 1: it becomes the entry with that sequence. Its
/// writer has seen everything below `floor`.
pub(crate) fn send(number: u64, floor: u64) -> Result<Vec<u8>, Failure> {
    send_to(conversation()?, number, floor)
}

/// The same to any conversation.
pub(crate) fn send_to(
    conversation: ConversationId,
    number: u64,
    floor: u64,
) -> Result<Vec<u8>, Failure> {
    Ok(encoded(&ClientFrame::Send(SendFrame {
        rid: number,
        conversation,
        client_message: id(ClientMessageId::new, number)?,
        floor: Sequence::new(floor).ok_or("no such sequence")?,
        kind: KIND,
        body: TEXT.as_bytes(),
        tlvs: Tlvs::EMPTY,
    })))
}

/// SENDs from 1 on, masked, `batch` of them in one read.
pub(crate) fn sends(count: u64, batch: u64) -> Result<Vec<Vec<u8>>, Failure> {
    (0..count).map(|read| batch_of(conversation()?, 1 + read * batch, batch)).collect()
}

/// The SENDs from `first` on that one read brings.
pub(crate) fn batch_of(
    conversation: ConversationId,
    first: u64,
    batch: u64,
) -> Result<Vec<u8>, Failure> {
    let sends = first..first + batch;
    let parts = sends.map(|number| Ok(masked(&send_to(conversation, number, first)?)));
    Ok(parts.collect::<Result<Vec<_>, Failure>>()?.concat())
}

/// Counts what a session wants done.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) effects: u64,
    frame: Vec<u8>,
}

impl Effects for Done {
    fn authenticate(&mut self, _: Secret) {
        self.effects += 1;
    }

    fn execute(&mut self, _: u64, command: Command, _: u32) {
        black_box(&command);
        self.effects += 1;
    }

    fn write(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        self.frame.clear();
        encode(&mut self.frame);
        black_box(&self.frame);
        self.effects += 1;
    }

    fn close(&mut self, _: CloseCode) {
        self.effects += 1;
    }
}

/// Counts what an owner tells.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) entries: u64,
}

impl<T> Emits<T> for Told {
    fn moved(&mut self, _: &Owner<T>) {}

    fn reply(&mut self, _: T, _: Result<Outcome, CommandError>) {}

    fn entry(&mut self, entry: &Entry, _: &Rc<[UserId]>, _: Option<(T, Answer)>) {
        black_box(entry);
        self.entries += 1;
    }
}

/// A conversation in which everybody is connected and user 1 writes.
pub(crate) struct Room {
    shard: MemoryShard<NullStore>,
    writer: ConnectionKey,
}

/// How many bytes the server wrote.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    pub(crate) to_writer: usize,
    pub(crate) to_others: usize,
}

impl Room {
    pub(crate) fn new(users: u64) -> Result<Self, Failure> {
        let mut shard = MemoryShard::new(services(store(users)?)?, settings())?;
        let hello = masked(&hello()?);
        let connect = |number| -> Result<ConnectionKey, Failure> {
            Ok(shard.connect(granted(number)?, &mut hello.clone())?)
        };
        let writer = connect(1)?;
        for number in 2..=users {
            connect(number)?;
        }
        shard.write(&mut |_, _| {});
        Ok(Self { shard, writer })
    }

    /// Brings what one read of the writer's socket gives to an end: everybody is told, and everything
    /// is written.
    pub(crate) fn exchange(&mut self, read: &mut [u8]) -> Written {
        self.shard.receive(self.writer, read);
        while self.shard.round() {}
        let mut written = Written::default();
        self.shard.write(&mut |key, bytes| {
            let side =
                if key == self.writer { &mut written.to_writer } else { &mut written.to_others };
            *side += bytes.len();
        });
        written
    }
}
