//! The operations that are measured, each to be repeated any number of times.
//!
//! What precedes the repetitions is the same for every count up to [`Operation::most`], so that the
//! difference of two runs is the repetitions alone.

use crate::chat::{
    Done, Failure, NOW, Room, TEXT, Told, actor, conversation, granted, hello, id, masked, send,
    sends, service, services, settings, store,
};
use crate::instructions::Counted;
use crate::storage::{self, APPENDS};
use chasqui::chat::{Action, Owner, Request};
use chasqui::model::{ClientMessageId, Content, Entry, Message, Ordinal, Outcome, Sent, Sequence};
use chasqui::protocol::{ClientFrame, EntryEncoder, frames};
use chasqui::session::{Limits, Session};
use chasqui::shard::MemoryShard;
use std::hint::black_box;

/// How many SENDs one read brings where a client does not wait.
const BATCH: u64 = 16;

/// What is measured. The numbers of members are those besides the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Decode a SEND.
    DecodeSend,
    /// Lay out and encode an ENTRY.
    EncodeEntry,
    /// A SEND through a session, and its SENT back.
    SessionStep,
    /// The owner of a conversation decides and stores one message.
    OwnerCommit,
    /// The embedded store appends one of 64 messages that wait together, each to a log of its own: the
    /// caller's share.
    StoreAppend,
    /// A WebSocket message that is sent back, from the bytes of one read to the bytes of one write.
    Echo,
    /// The same where one read brings many.
    EchoBatch,
    /// The commit thread's share.
    StoreCommitThread,
    /// One message of a direct chat, from the bytes of one read to the bytes of two writes.
    Message,
    /// The same where one read brings many.
    MessageBatch,
    /// One message to a group of 100.
    Fanout100,
    /// One message to a group of 500.
    Fanout500,
}

impl Operation {
    pub(crate) const ALL: [Self; 12] = [
        Self::DecodeSend,
        Self::EncodeEntry,
        Self::SessionStep,
        Self::OwnerCommit,
        Self::StoreAppend,
        Self::Echo,
        Self::EchoBatch,
        Self::StoreCommitThread,
        Self::Message,
        Self::MessageBatch,
        Self::Fanout100,
        Self::Fanout500,
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::DecodeSend => "decode_send",
            Self::EncodeEntry => "encode_entry",
            Self::SessionStep => "session_step",
            Self::OwnerCommit => "owner_commit",
            Self::StoreAppend => "store_append",
            Self::Echo => "echo",
            Self::EchoBatch => "echo_batch",
            Self::StoreCommitThread => "store_commit_thread",
            Self::Message => "message",
            Self::MessageBatch => "message_batch",
            Self::Fanout100 => "fanout_100",
            Self::Fanout500 => "fanout_500",
        }
    }

    /// How often it can be repeated.
    pub(crate) const fn most(self) -> u64 {
        match self {
            Self::DecodeSend
            | Self::EncodeEntry
            | Self::SessionStep
            | Self::OwnerCommit
            | Self::Echo
            | Self::Message => 1_200,
            Self::EchoBatch | Self::MessageBatch => 120,
            Self::StoreAppend | Self::StoreCommitThread | Self::Fanout100 | Self::Fanout500 => 60,
        }
    }

    /// Where its instructions are counted.
    pub(crate) const fn counted(self) -> Counted {
        match self {
            Self::StoreAppend => Counted::Function(storage::CALLER),
            Self::StoreCommitThread => Counted::Thread(storage::COMMIT_THREAD),
            Self::DecodeSend
            | Self::EncodeEntry
            | Self::SessionStep
            | Self::OwnerCommit
            | Self::Echo
            | Self::EchoBatch
            | Self::Message
            | Self::MessageBatch
            | Self::Fanout100
            | Self::Fanout500 => Counted::AllButWriting,
        }
    }

    /// How many of what is reported one repetition does.
    pub(crate) const fn per_repetition(self) -> u64 {
        match self {
            Self::EchoBatch | Self::MessageBatch => BATCH,
            Self::StoreAppend | Self::StoreCommitThread => APPENDS,
            Self::DecodeSend
            | Self::EncodeEntry
            | Self::SessionStep
            | Self::OwnerCommit
            | Self::Echo
            | Self::Message
            | Self::Fanout100
            | Self::Fanout500 => 1,
        }
    }

    pub(crate) fn repeat(self, count: u64) -> Result<(), Failure> {
        let most = self.most();
        match self {
            Self::DecodeSend => decode(count),
            Self::EncodeEntry => encode(count),
            Self::SessionStep => session(most, count),
            Self::OwnerCommit => local(commit(most, count)),
            Self::StoreAppend | Self::StoreCommitThread => local(storage::append(count)),
            Self::Echo => echo(1, most, count),
            Self::EchoBatch => echo(BATCH, most, count),
            Self::Message => exchange(2, sends(most, 1)?, count),
            Self::MessageBatch => exchange(2, sends(most, BATCH)?, count),
            Self::Fanout100 => exchange(101, sends(most, 1)?, count),
            Self::Fanout500 => exchange(501, sends(most, 1)?, count),
        }
    }
}

fn local(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let options = tokio::runtime::LocalOptions::default();
    tokio::runtime::Builder::new_current_thread().build_local(options)?.block_on(work)
}

fn decode(count: u64) -> Result<(), Failure> {
    let message = send(1, 1)?;
    for _ in 0..count {
        for frame in frames(black_box(&message)) {
            black_box(ClientFrame::decode(&frame.map_err(|e| format!("{e:?}"))?))
                .map_err(|e| format!("{e:?}"))?;
        }
    }
    Ok(())
}

fn encode(count: u64) -> Result<(), Failure> {
    let entry = entry(12_345)?;
    let conversation = conversation()?;
    for _ in 0..count {
        let mut frame = Vec::new();
        EntryEncoder::new(conversation, black_box(&entry)).encode(false, &mut frame);
        black_box(frame);
    }
    Ok(())
}

pub(crate) fn entry(number: u64) -> Result<Entry, Failure> {
    let content = said();
    Ok(Entry {
        sequence: Sequence::new(number).ok_or("no such sequence")?,
        ordinal: Ordinal::new(number).ok_or("no such ordinal")?,
        sender: Some(actor(1)?.user),
        sent_at: NOW,
        client_message: Some(id(ClientMessageId::new, number)?),
        fingerprint: content.fingerprint(),
        content,
        edited: None,
        erased: None,
    })
}

fn said() -> Content {
    Content::Message(Message { text: TEXT.into(), ..Message::default() })
}

fn session(most: u64, count: u64) -> Result<(), Failure> {
    let (limits, mut effects) = (Limits::default(), Done::default());
    let mut session = Session::new(NOW);
    session.handle_message(NOW, &limits, &hello()?, &mut effects);
    session.handle_grant(NOW, &limits, Ok(granted(1)?), &mut effects);
    let sends = (1..=most).map(|number| send(number, number)).collect::<Result<Vec<_>, _>>()?;
    let before = effects.effects;
    for (rid, message) in (1..=count).zip(&sends) {
        session.handle_message(NOW, &limits, message, &mut effects);
        let sent = Outcome::Sent(Sent {
            conversation: conversation()?,
            sequence: Sequence::new(rid).ok_or("no such sequence")?,
            ordinal: Ordinal::new(rid).ok_or("no such ordinal")?,
            sent_at: NOW,
            duplicate: false,
        });
        session.handle_outcome(rid, &Ok(sent), &mut effects);
    }
    let followed = effects.effects - before;
    if followed == 2 * count { Ok(()) } else { Err(format!("{followed} effects").into()) }
}

async fn commit(most: u64, count: u64) -> Result<(), Failure> {
    let chat = service(store(2)?);
    let owner = Owner::load(&chat, conversation()?).await?;
    let mut owner = owner.ok_or("the conversation is unknown")?;
    let request = |number| -> Result<Request<()>, Failure> {
        let client_message = id(ClientMessageId::new, number)?;
        let action = Action::Send { client_message, floor: Sequence::new(number), content: said() };
        Ok(Request { actor: actor(1)?, action, lane: None, ticket: () })
    };
    let requests = (1..=most).map(request).collect::<Result<Vec<_>, Failure>>()?;
    let (mut batch, mut told) = (Vec::new(), Told::default());
    // Taken and dropped alike, whatever the count.
    for (number, request) in (1..).zip(requests) {
        if number <= count {
            batch.push(request);
            owner.commit(&chat, NOW, &mut batch, &mut told).await;
        }
    }
    if told.entries == count { Ok(()) } else { Err(format!("{} entries", told.entries).into()) }
}

fn echo(batch: u64, most: u64, count: u64) -> Result<(), Failure> {
    let mut shard = MemoryShard::new(services(store(2)?)?, settings())?;
    let key = shard.connect_echo()?;
    let read = masked(TEXT.as_bytes()).repeat(usize::try_from(batch)?);
    let mut reads = vec![read; usize::try_from(most)?];
    for read in reads.iter_mut().take(usize::try_from(count)?) {
        shard.receive(key, read);
        let mut written = 0;
        shard.write(&mut |_, bytes| written += bytes.len());
        // The mask does not come back.
        if written + 4 * usize::try_from(batch)? != read.len() {
            return Err(format!("{written} bytes came back").into());
        }
    }
    Ok(())
}

fn exchange(users: u64, mut reads: Vec<Vec<u8>>, count: u64) -> Result<(), Failure> {
    let mut room = Room::new(users)?;
    for read in reads.iter_mut().take(usize::try_from(count)?) {
        let written = room.exchange(read);
        if written.to_writer == 0 || written.to_others == 0 {
            return Err(format!("{written:?} came of a SEND").into());
        }
    }
    Ok(())
}
