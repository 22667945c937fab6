//! What an idle connection costs the server.
//!
//! Opens connections in steps, each on an account of its own, lets the server come to rest after each
//! step and reads its anonymous memory. The slope between the first step and the last is the figure:
//! what the process needs without connections is not in it, nor is what the kernel keeps for a socket.
//!
//! Connections that were never used say little about those that were, so each may first do something
//! that takes buffers and leaves an idle connection behind.

use crate::Failure;
use crate::link::Link;
use crate::server::{Account, Server};
use chasqui::model::{ClientMessageId, ConversationId, Sequence};
use chasqui::protocol::{ClientFrame, SendFrame, ServerFrame, Tlvs};
use std::time::{Duration, Instant};

/// What to measure.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Options {
    /// Connections at the first reading.
    #[arg(long, default_value_t = 2_000)]
    from: u32,
    /// Connections at the last reading.
    #[arg(long, default_value_t = 15_000)]
    to: u32,
    /// Readings.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..))]
    steps: u32,
    /// What each connection does before it rests.
    #[arg(long, value_enum, default_value_t = Before::Nothing)]
    before: Before,
    /// Seconds to wait before each reading, such as until conversations at rest are forgotten.
    #[arg(long, default_value_t = 0)]
    wait_seconds: u64,
}

/// What a connection does before it rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Before {
    /// It is greeted, no more.
    Nothing,
    /// It asks for a PONG and gets it.
    Ping,
    /// It sends a durable message to a partner and gets one.
    Message,
    /// It is closed and opened again, together with all others.
    Reconnect,
}

/// Measures and prints.
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let Options { from, to, steps, before, wait_seconds } = *options;
    let server = Server::start(to)?;
    let mut links = Vec::new();
    let mut readings = Vec::new();
    for step in 0..steps {
        let goal = from + (to - from) * step / (steps - 1);
        let accounts = server.accounts.get(..usize::try_from(goal)?).ok_or("too few accounts")?;
        let opened = links.len();
        open(&server, accounts, &mut links).await?;
        match before {
            Before::Nothing => {}
            Before::Ping => ping(links.get_mut(opened..).unwrap_or_default()).await?,
            Before::Message => {
                let accounts = accounts.get(opened..).unwrap_or_default();
                converse(&server, accounts, links.get_mut(opened..).unwrap_or_default()).await?;
            }
            Before::Reconnect => {
                links.clear();
                open(&server, accounts, &mut links).await?;
            }
        }
        tokio::time::sleep(Duration::from_secs(wait_seconds)).await;
        let kib = at_rest(&server).await?;
        println!("{goal:>6} idle connections: {kib:>7} KiB");
        readings.push((f64::from(goal), f64::from(u32::try_from(kib)?)));
    }
    let (Some(first), Some(last)) = (readings.first(), readings.last()) else {
        return Err("no readings".into());
    };
    let slope = (last.1 - first.1) * 1024.0 / (last.0 - first.0);
    println!("{slope:.0} bytes per idle connection, between {from} and {to}");
    Ok(())
}

/// Opens the connections of the accounts that have none yet.
async fn open(server: &Server, accounts: &[Account], links: &mut Vec<Link>) -> Result<(), Failure> {
    for account in accounts.iter().skip(links.len()) {
        links.push(Link::connect(server.address, &account.access_token).await?.0);
    }
    Ok(())
}

async fn ping(links: &mut [Link]) -> Result<(), Failure> {
    for link in links {
        link.send(&[ClientFrame::Ping { nonce: 1 }]).await?;
        until(link, |frame| matches!(frame, ServerFrame::Pong { .. })).await?;
    }
    Ok(())
}

/// Has each connection send a message to its neighbour and receive one.
async fn converse(
    server: &Server,
    accounts: &[Account],
    links: &mut [Link],
) -> Result<(), Failure> {
    for (accounts, links) in accounts.chunks_exact(2).zip(links.chunks_exact_mut(2)) {
        let ([one, other], [from, to]) = (accounts, links) else { continue };
        let conversation = server.direct(one, other)?;
        say(conversation, from, to).await?;
        say(conversation, to, from).await?;
    }
    Ok(())
}

/// Sends one message and sees it arrive.
async fn say(conversation: ConversationId, from: &mut Link, to: &mut Link) -> Result<(), Failure> {
    let client_message = ClientMessageId::from_random(getrandom::u64()?);
    let send = SendFrame {
        rid: 1,
        conversation,
        client_message: client_message.ok_or("drew a zero")?,
        floor: Sequence::FIRST,
        kind: 1,
        body: &[b'x'; 100],
        tlvs: Tlvs::EMPTY,
    };
    from.send(&[ClientFrame::Send(send)]).await?;
    until(from, |frame| matches!(frame, ServerFrame::Sent { .. })).await?;
    until(to, |frame| matches!(frame, ServerFrame::Entry(_))).await
}

/// Receives until a frame is the one that is waited for.
async fn until(
    link: &mut Link,
    is_awaited: impl Fn(&ServerFrame<'_>) -> bool,
) -> Result<(), Failure> {
    let mut found = false;
    while !found {
        link.receive(|frame| found |= is_awaited(&frame)).await?;
    }
    Ok(())
}

/// The server's memory once it no longer changes.
async fn at_rest(server: &Server) -> Result<u64, Failure> {
    const PATIENCE: Duration = Duration::from_secs(30);
    let began = Instant::now();
    let mut last = server.anonymous_kib()?;
    let mut same = 0;
    while same < 4 && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = server.anonymous_kib()?;
        same = if now.abs_diff(last) <= 16 { same + 1 } else { 0 };
        last = now;
    }
    Ok(last)
}
