//! What it costs a client to catch up after an absence.
//!
//! One person is known to the server up to a SYNC token and goes away; others write to them; then the
//! person connects with that token and fetches what is missing. The client holds what it receives and
//! the figures count only if it ends with exactly what was written, each entry once and in order.

use crate::Failure;
use crate::blocking::{Link, hello};
use crate::clock;
use crate::figures::Figures;
use crate::histogram::Times;
use crate::report::{Machine, Report, StageReport};
use crate::server::{Account, Scratch, Server, Setup};
use chasqui::model::{ClientMessageId, ConversationId, Sequence};
use chasqui::protocol::constants::synced_flag;
use chasqui::protocol::{ClientFrame, Record, SendFrame, ServerFrame, Tlvs};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::thread;

/// SENDs that a writer keeps unanswered.
const SENDS_MAX: usize = 64;

/// FETCH requests that a client may have unanswered beside its SYNC.
const FETCHES_MAX: usize = 3;

/// What to measure.
#[derive(Clone, Copy, Debug, clap::Args, serde::Serialize)]
pub(crate) struct Options {
    /// Conversations that are written to, each by one other person.
    #[arg(long, default_value_t = 50)]
    conversations: u32,
    /// Entries in each.
    #[arg(long, default_value_t = 200)]
    entries: u32,
    /// Bytes of each message.
    #[arg(long, default_value_t = 100)]
    bytes: usize,
    /// How often the same absence is made up for, from the same token.
    #[arg(long, default_value_t = 5)]
    runs: u32,
}

/// Writes at the same time: each thread so many conversations, one after the other.
const WRITING_THREADS: usize = 8;

/// Measures.
pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let scratch = Scratch::new()?;
    let accounts = usize::try_from(options.conversations + 1)?;
    let setup = Setup { servers: 1, accounts, ..Setup::default() };
    let servers = Server::start_all(&setup, &scratch)?;
    let server = servers.first().ok_or("no server")?;
    let (away, writers) = server.accounts.split_first().ok_or("no accounts")?;
    let pairs: Vec<[Account; 2]> = writers.iter().map(|it| [it.clone(), away.clone()]).collect();
    let founders: Vec<&[Account]> = pairs.iter().map(<[Account; 2]>::as_slice).collect();
    let chats = server.make_chats(&founders)?;
    let chats: Vec<_> = chats.into_iter().filter_map(ConversationId::new).collect();
    let before = Client::catch_up(server.address, away, &Client::default())?.client;
    write_all(server.address, writers, &chats, options)?;

    let mut figures = Figures::new();
    let mut times = Times::default();
    for _ in 0..options.runs {
        let caught_up = Client::catch_up(server.address, away, &before)?;
        caught_up.client.check(&before, &chats, options)?;
        println!(
            "caught up exactly: {} bytes received, {} sent, {} requests, {:.1} ms",
            caught_up.received,
            caught_up.sent,
            caught_up.client.rid,
            clock::seconds(caught_up.took) * 1e3
        );
        times.record(caught_up.took);
        for (name, count) in
            [("bytes_received", caught_up.received), ("bytes_sent", caught_up.sent)]
        {
            figures.insert(name.to_owned(), f64::from(u32::try_from(count)?));
        }
    }
    crate::figures::put_times("caught_up", &times, &mut figures);
    figures.insert("entries".to_owned(), f64::from(options.conversations * options.entries));
    let needed = vec!["entries".to_owned(), "bytes_received".to_owned()];
    Ok(Report {
        scenario: "resume".to_owned(),
        settings: serde_json::to_value(options)?,
        machine: Machine::here(),
        stages: vec![StageReport {
            name: "catching up".to_owned(),
            figures,
            needed,
            memory: Vec::new(),
        }],
    })
}

fn write_all(
    address: SocketAddr,
    writers: &[Account],
    chats: &[ConversationId],
    options: &Options,
) -> Result<(), Failure> {
    let pairs: Vec<_> = writers.iter().zip(chats).collect();
    let share = pairs.len().div_ceil(WRITING_THREADS).max(1);
    thread::scope(|scope| {
        let write_some = |part: &[(&Account, &ConversationId)]| -> Result<(), Failure> {
            part.iter().try_for_each(|(writer, chat)| write(address, writer, **chat, options))
        };
        let threads: Vec<_> =
            pairs.chunks(share).map(|part| scope.spawn(move || write_some(part))).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err("a thread has panicked".into()))
        })
    })
}

/// The text of message number `number`, of a given length.
fn text(number: u32, bytes: usize) -> Vec<u8> {
    format!("{number:0bytes$}").into_bytes()
}

/// Writes numbered messages and waits until all are acknowledged.
fn write(
    address: SocketAddr,
    writer: &Account,
    chat: ConversationId,
    options: &Options,
) -> Result<(), Failure> {
    let mut link = Link::open(address)?;
    link.send(&[hello(&writer.access_token, None), ClientFrame::Resume])?;
    let texts: Vec<_> = (0..options.entries).map(|number| text(number, options.bytes)).collect();
    let mut rid = 0;
    for batch in texts.chunks(SENDS_MAX) {
        let mut sends = Vec::new();
        for body in batch {
            rid += 1;
            let client_message = ClientMessageId::from_random(getrandom::u64()?);
            sends.push(ClientFrame::Send(SendFrame {
                rid,
                conversation: chat,
                client_message: client_message.ok_or("drew a zero")?,
                floor: Sequence::FIRST,
                kind: 1,
                body,
                tlvs: Tlvs::EMPTY,
            }));
        }
        link.send(&sends)?;
        let mut unanswered = sends.len();
        while unanswered > 0 {
            link.receive(|frame| {
                unanswered -= usize::from(matches!(frame, ServerFrame::Sent { .. }));
            })?;
        }
    }
    Ok(())
}

/// What catching up took.
struct CaughtUp {
    client: Client,
    received: usize,
    sent: usize,
    took: u64,
}

/// What a client keeps.
#[derive(Clone, Debug, Default)]
struct Client {
    epoch: Option<chasqui::model::Epoch>,
    token: Vec<u8>,
    logs: HashMap<ConversationId, HeldLog>,
    rid: u64,
    synced: bool,
    wanted: VecDeque<(ConversationId, Sequence)>,
    fetching: usize,
    broken: Option<String>,
}

/// What it holds of one conversation, without holes from the first entry on.
#[derive(Clone, Debug, Default)]
struct HeldLog {
    have: Sequence,
    texts: Vec<Vec<u8>>,
}

impl Client {
    /// Connects as a client that holds what `before` holds, until nothing is missing.
    fn catch_up(
        address: SocketAddr,
        account: &Account,
        before: &Self,
    ) -> Result<CaughtUp, Failure> {
        let mut client = before.clone();
        let began = clock::now();
        let mut link = Link::open(address)?;
        (client.rid, client.synced) = (1, false);
        let sync = ClientFrame::Sync { rid: 1, limit: 0, token: &before.token };
        link.send(&[hello(&account.access_token, before.epoch), sync])?;
        while !(client.synced && client.fetching == 0) {
            let mut requests = Vec::new();
            link.receive(|frame| client.take(&frame, &mut requests))?;
            if let Some(broken) = client.broken {
                return Err(broken.into());
            }
            if !requests.is_empty() {
                link.send_encoded(&requests)?;
            }
        }
        Ok(CaughtUp {
            client,
            received: link.received,
            sent: link.sent,
            took: clock::now() - began,
        })
    }

    /// Takes a frame in and appends the requests that follow from it.
    fn take(&mut self, frame: &ServerFrame<'_>, requests: &mut Vec<u8>) {
        match frame {
            ServerFrame::Welcome(welcome) => self.epoch = Some(welcome.epoch),
            ServerFrame::Synced { flags, token, records, .. } => {
                self.token = token.to_vec();
                for record in records.iter() {
                    self.want(&record);
                }
                if u64::from(*flags) & synced_flag::MORE == 0 {
                    self.synced = true;
                } else {
                    self.rid += 1;
                    ClientFrame::Sync { rid: self.rid, limit: 0, token }.encode(requests);
                }
            }
            ServerFrame::Entry(entry) => {
                let log = self.logs.entry(entry.conversation).or_default();
                if entry.sequence == log.have.next() {
                    log.have = entry.sequence;
                    log.texts.push(entry.body.to_vec());
                } else {
                    self.broken = Some(format!("{:?} came behind {:?}", entry.sequence, log.have));
                }
            }
            ServerFrame::Fetched { conversation, next, .. } => {
                self.fetching -= 1;
                if *next > Sequence::ZERO {
                    self.wanted.push_front((*conversation, *next));
                }
            }
            ServerFrame::Error(refusal) => self.broken = Some(refusal.text.to_owned()),
            ServerFrame::Ping { .. }
            | ServerFrame::Pong { .. }
            | ServerFrame::Goaway(_)
            | ServerFrame::Sent { .. }
            | ServerFrame::Cursor(_)
            | ServerFrame::Resync { .. }
            | ServerFrame::Ephemeral(_)
            | ServerFrame::Presence { .. } => {
                self.broken = Some(format!("{frame:?} was not asked for"));
            }
        }
        while self.fetching < FETCHES_MAX
            && let Some((conversation, from)) = self.wanted.pop_front()
        {
            (self.rid, self.fetching) = (self.rid + 1, self.fetching + 1);
            let fetch =
                ClientFrame::Fetch { rid: self.rid, conversation, from, to: Sequence::ZERO };
            fetch.encode(requests);
        }
    }

    fn want(&mut self, record: &Record<'_>) {
        let have = self.logs.get(&record.conversation).map_or(Sequence::ZERO, |log| log.have);
        if record.last_sequence > have {
            self.wanted.push_back((record.conversation, have.next()));
        }
    }

    /// Compares with what was written since `before`.
    fn check(
        &self,
        before: &Self,
        chats: &[ConversationId],
        options: &Options,
    ) -> Result<(), Failure> {
        let expected: Vec<_> = (0..options.entries).map(|n| text(n, options.bytes)).collect();
        for chat in chats {
            let held = self.logs.get(chat).map(|log| log.texts.as_slice()).unwrap_or_default();
            let known = before.logs.get(chat).map_or(0, |log| log.texts.len());
            if held.get(known..) != Some(expected.as_slice()) {
                return Err(
                    format!("{chat}: {} entries held, not what was written", held.len()).into()
                );
            }
        }
        Ok(())
    }
}
