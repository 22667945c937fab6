//! How many durable messages a second the server takes, one to one.
//!
//! People in pairs write to each other; each connection keeps a window of SENDs unanswered and writes
//! the next when one is answered (closed loop). Counted is what is acknowledged, so what is durable.

use crate::Failure;
use crate::link::Link;
use crate::server::{Server, cpu_seconds};
use chasqui::model::{ClientMessageId, ConversationId, Sequence};
use chasqui::protocol::{ClientFrame, SendFrame, ServerFrame, Tlvs};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// What to measure.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Options {
    /// Connections, an even number.
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// SENDs that each keeps unanswered.
    #[arg(long, default_value_t = 16)]
    window: usize,
    /// Bytes of each message.
    #[arg(long, default_value_t = 100)]
    bytes: usize,
    /// How long to measure, after a warm-up.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How long to warm up.
    #[arg(long, default_value_t = 2)]
    warm_up_seconds: u64,
}

/// When counting begins and ends.
#[derive(Clone, Copy, Debug)]
struct Span {
    begin: Instant,
    end: Instant,
}

/// Measures and prints.
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let server = Server::start(options.connections.next_multiple_of(2))?;
    let mut writers = Vec::new();
    for pair in server.accounts.chunks_exact(2) {
        let [one, other] = pair else { continue };
        let chat = server.direct(one, other)?;
        for account in [one, other] {
            let (link, _) = Link::connect(server.address, &account.access_token).await?;
            writers.push(Writer { link, chat, named: Sequence::ZERO, sent_at: HashMap::new() });
        }
    }
    let connections = writers.len();
    let begin = Instant::now() + Duration::from_secs(options.warm_up_seconds);
    let span = Span { begin, end: begin + Duration::from_secs(options.seconds) };
    let mut tasks = JoinSet::new();
    for writer in writers {
        tasks.spawn(writer.run(*options, span));
    }
    tokio::time::sleep_until(span.begin.into()).await;
    let used =
        || -> Result<_, Failure> { Ok((server.cpu_seconds()?, cpu_seconds(std::process::id())?)) };
    let before = used()?;
    tokio::time::sleep_until(span.end.into()).await;
    let after = used()?;
    let cpu = (after.0 - before.0, after.1 - before.1);
    let mut latencies = Vec::new();
    while let Some(result) = tasks.join_next().await {
        latencies.append(&mut result??);
    }
    latencies.sort_unstable();
    report(options, connections, &latencies, cpu);
    let per_sync = logged_syncs(&server.stop()?).map(|(entries, syncs)| entries / syncs);
    let per_sync = per_sync.map_or("not told".to_owned(), |count| format!("{count:.1}"));
    println!("messages a sync, over the whole run: {per_sync}");
    Ok(())
}

fn report(options: &Options, connections: usize, latencies: &[u64], cpu: (f64, f64)) {
    let Ok(count) = u32::try_from(latencies.len()) else { return };
    let seconds = Duration::from_secs(options.seconds).as_secs_f64();
    let quantile = |per_mille: usize| {
        let index = (latencies.len() * per_mille / 1000).min(latencies.len().saturating_sub(1));
        Duration::from_micros(latencies.get(index).copied().unwrap_or_default())
    };
    println!(
        "{connections} connections, {} unanswered each, {} bytes, {} s",
        options.window, options.bytes, options.seconds
    );
    println!("{:.0} durable messages a second", f64::from(count) / seconds);
    println!(
        "SEND to SENT: p50 {:?}, p99 {:?}, p99.9 {:?}",
        quantile(500),
        quantile(990),
        quantile(999)
    );
    let each = |seconds: f64| seconds * 1e6 / f64::from(count.max(1));
    println!(
        "processor time a message: server {:.1} us, this generator {:.1} us",
        each(cpu.0),
        each(cpu.1)
    );
}

/// One person writing.
#[derive(Debug)]
struct Writer {
    link: Link,
    chat: ConversationId,
    named: Sequence,
    sent_at: HashMap<u64, Instant>,
}

impl Writer {
    /// Writes until the end; the times from SEND to SENT within the span, in microseconds.
    async fn run(mut self, options: Options, span: Span) -> Result<Vec<u64>, Failure> {
        let body = vec![b'x'; options.bytes];
        let (mut rid, mut latencies) = (0, Vec::new());
        loop {
            let now = Instant::now();
            let mut sends = Vec::new();
            while now < span.end && self.sent_at.len() < options.window {
                rid += 1;
                self.sent_at.insert(rid, now);
                sends.push(self.send(rid, &body)?);
            }
            if sends.is_empty() && self.sent_at.is_empty() {
                return Ok(latencies);
            }
            if !sends.is_empty() {
                self.link.send(&sends).await?;
            }
            let Self { link, named, sent_at, .. } = &mut self;
            link.receive(|frame| {
                if let ServerFrame::Sent { rid, sequence, .. } = frame {
                    *named = sequence.max(*named);
                    let now = Instant::now();
                    let at = sent_at.remove(&rid).unwrap_or(now);
                    if span.begin <= now && now < span.end {
                        let micros = now.duration_since(at).as_micros();
                        latencies.push(u64::try_from(micros).unwrap_or(u64::MAX));
                    }
                } else if let ServerFrame::Entry(entry) = frame {
                    *named = entry.sequence.max(*named);
                }
            })
            .await?;
        }
    }

    fn send<'a>(&self, rid: u64, body: &'a [u8]) -> Result<ClientFrame<'a>, Failure> {
        let client_message = ClientMessageId::from_random(getrandom::u64()?);
        Ok(ClientFrame::Send(SendFrame {
            rid,
            conversation: self.chat,
            client_message: client_message.ok_or("drew a zero")?,
            floor: self.named.next(),
            kind: 1,
            body,
            tlvs: Tlvs::EMPTY,
        }))
    }
}

/// Entries and syncs, as the store counts them in the server's last words.
fn logged_syncs(log: &str) -> Option<(f64, f64)> {
    let line = log.lines().rev().find(|line| line.contains("\"syncs\""))?;
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    let fields = event.get("fields").unwrap_or(&event);
    let number = |name: &str| fields.get(name).and_then(serde_json::Value::as_f64);
    Some((number("entries")?, number("syncs")?))
}
