//! How many deliveries to distinct sockets a second of processor time makes: one frame a write, and a
//! burst of frames a write.

use crate::Failure;
use crate::clients::{Clients, message};
use crate::figures::{Figures, Spread, as_f64, ratio};
use crate::target::Target;
use chasqui::model::{ClientMessageId, ConversationId, Sequence};
use chasqui::protocol::{ClientFrame, Hello, SendFrame, Tlvs};
use serde_json::json;
use std::time::{Duration, Instant};

/// What to measure.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Options {
    /// Receivers, each on a connection and an account of its own.
    #[arg(long, default_value_t = 1_000)]
    receivers: usize,
    /// Bytes of each message.
    #[arg(long, default_value_t = 100)]
    bytes: usize,
    /// Messages that are sent at once in the second part.
    #[arg(long, default_value_t = 8)]
    burst: usize,
    /// Bursts of a turn. All messages of a run together must stay below 4,096, the span of a floor, since
    /// the writer keeps its first.
    #[arg(long, default_value_t = 20)]
    bursts: usize,
    /// Turns of each.
    #[arg(long, default_value_t = 6)]
    rounds: usize,
    /// Pause after each burst, in milliseconds, besides the wait until it has arrived.
    #[arg(long, default_value_t = 2)]
    pause: u64,
}

/// How many members one request adds.
const MEMBERS_A_REQUEST: usize = 100;

/// The server pings nobody for so long.
const PING_SECONDS: u64 = 240;

/// The greeting of a client that is left in peace.
fn greeting(token: &str) -> Result<Vec<u8>, Failure> {
    let ping_seconds = Some(PING_SECONDS);
    let mut hello = Vec::new();
    let frame = Hello { minor: 0, capabilities: 0, token, client: None, ping_seconds, epoch: None };
    ClientFrame::Hello(frame).encode(&mut hello);
    ClientFrame::Resume.encode(&mut hello);
    message(&hello)
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<Figures, Failure> {
    let mut figures = Figures::new();
    let (floor, server) = (Target::floor()?, Target::chasqui(options.receivers + 1)?);
    let chat = group(&server)?;
    let mut floor_group = Group::open(&floor, options, |_| Ok((String::from("/fan"), Vec::new())))?;
    let mut server_group = Group::open(&server, options, |index| {
        let account = server.accounts.get(index).ok_or("too few accounts")?;
        Ok((String::from("/ws"), greeting(&account.access_token)?))
    })?;
    let body = vec![b'x'; options.bytes];
    for burst in [1, options.burst] {
        let (mut floors, mut servers, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        let mut frames_a_write = Vec::new();
        for _ in 0..options.rounds {
            let plain = message(&body)?.repeat(burst);
            let low = floor_group.turn(options, burst, |_| Ok(plain.clone()))?;
            let own = server_group.turn(options, burst, |floor| send(chat, burst, floor, &body))?;
            floors.push(low.per_second());
            servers.push(own.per_second());
            ratios.push(low.per_second() / own.per_second());
            frames_a_write.push(ratio(own.deliveries, own.writes));
        }
        println!(
            "{} receivers, {burst} at once: server {:.0} deliveries a second of processor time, floor \
             {:.0}, ratio {:.2}; {:.2} frames a write",
            options.receivers,
            Spread::of(&servers),
            Spread::of(&floors),
            Spread::of(&ratios),
            Spread::of(&frames_a_write),
        );
        let name = |figure: &str| format!("{figure}_of_{burst}");
        figures.insert(name("deliveries_per_cpu_second"), Spread::of(&servers).median());
        figures.insert(name("floor_ratio"), Spread::of(&ratios).median());
    }
    Ok(figures)
}

/// A group of all accounts.
fn group(server: &Target) -> Result<ConversationId, Failure> {
    let (owner, others) = server.accounts.split_first().ok_or("no account")?;
    let body = json!({"kind": "group", "title": "gauge", "members": [], "client_id": 1});
    let chat = server.post(owner, "/chats", &body)?;
    let chat = chat.get("chat").and_then(serde_json::Value::as_u64).ok_or("no chat")?;
    for some in others.chunks(MEMBERS_A_REQUEST) {
        let users: Vec<u64> = some.iter().map(|account| account.user).collect();
        server.post(owner, &format!("/chats/{chat}/members"), &json!({"users": users}))?;
    }
    ConversationId::new(chat).ok_or_else(|| "no chat".into())
}

/// SENDs of a burst, as one message.
fn send(
    conversation: ConversationId,
    burst: usize,
    floor: Sequence,
    body: &[u8],
) -> Result<Vec<u8>, Failure> {
    let mut frames = Vec::new();
    for rid in 1..=u64::try_from(burst)? {
        let client_message = ClientMessageId::from_random(getrandom::u64()?);
        ClientFrame::Send(SendFrame {
            rid,
            conversation,
            client_message: client_message.ok_or("drew a zero")?,
            floor,
            kind: 1,
            body,
            tlvs: Tlvs::EMPTY,
        })
        .encode(&mut frames);
    }
    message(&frames)
}

/// What one turn came to.
struct Reading {
    deliveries: u64,
    nanos: u64,
    writes: u64,
}

impl Reading {
    fn per_second(&self) -> f64 {
        as_f64(self.deliveries) / as_f64(self.nanos.max(1)) * 1e9
    }
}

/// A target, one who writes (the first client) and those who read.
struct Group<'t> {
    target: &'t Target,
    clients: Clients,
    /// Of each client, what has come of a message.
    partial: Vec<Vec<u8>>,
}

impl<'t> Group<'t> {
    fn open(
        target: &'t Target,
        options: &Options,
        greet: impl Fn(usize) -> Result<(String, Vec<u8>), Failure>,
    ) -> Result<Self, Failure> {
        let mut clients = Clients::new()?;
        for index in 0..=options.receivers {
            let (path, greeting) = greet(index)?;
            clients.open(target.address, &path, &greeting)?;
        }
        let mut group = Self { target, clients, partial: vec![Vec::new(); options.receivers + 1] };
        // What the greetings are answered with.
        let settled = Instant::now() + Duration::from_secs(1);
        while Instant::now() < settled {
            group.clients.receive(Duration::from_millis(50), |_, _, _| Ok(()))?;
        }
        Ok(group)
    }

    fn turn(
        &mut self,
        options: &Options,
        burst: usize,
        make: impl Fn(Sequence) -> Result<Vec<u8>, Failure>,
    ) -> Result<Reading, Failure> {
        let before = self.reading()?;
        let mut arrived = 0;
        for round in 1..=options.bursts {
            self.clients.send(0, &make(Sequence::FIRST)?)?;
            let expected = round * burst * options.receivers;
            let deadline = Instant::now() + Duration::from_secs(10);
            while arrived < expected {
                arrived += self.receive()?;
                if Instant::now() > deadline {
                    return Err(format!("{arrived} of {expected} deliveries have arrived").into());
                }
            }
            std::thread::sleep(Duration::from_millis(options.pause));
        }
        let after = self.reading()?;
        Ok(Reading {
            deliveries: u64::try_from(arrived)?,
            nanos: after.0 - before.0,
            writes: after.1 - before.1,
        })
    }

    /// Counts the messages that have come to others than the writer.
    fn receive(&mut self) -> Result<usize, Failure> {
        let Self { clients, partial, .. } = self;
        let mut arrived = 0;
        clients.receive(Duration::from_millis(100), |_, index, bytes| {
            if index == 0 {
                return Ok(());
            }
            let partial = partial.get_mut(index).ok_or("no such client")?;
            partial.extend_from_slice(bytes);
            let (count, used) = messages(partial);
            partial.drain(..used);
            arrived += count;
            Ok(())
        })?;
        Ok(arrived)
    }

    fn reading(&self) -> Result<(u64, u64), Failure> {
        let writes = self.target.metric("chasqui_syscalls_total{call=\"write\"}")?;
        Ok((self.target.cpu_nanos()?, writes))
    }
}

/// How many whole messages of a server are in `bytes`, and how long they are together.
fn messages(bytes: &[u8]) -> (usize, usize) {
    let (mut count, mut used) = (0, 0);
    while let Some([_, length, rest @ ..]) = bytes.get(used..) {
        let (head, length) = match (length, rest) {
            (126, [high, low, ..]) => (4, usize::from(u16::from_be_bytes([*high, *low]))),
            (126.., _) => break,
            (short, _) => (2, usize::from(*short)),
        };
        if bytes.len() < used + head + length {
            break;
        }
        used += head + length;
        count += 1;
    }
    (count, used)
}
