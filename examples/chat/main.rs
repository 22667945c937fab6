//! A chat in the terminal, as small as a client can be.
//!
//! Without a chat it lists one's own. With one it shows what is said and sends what is typed, one line
//! a message. It keeps nothing: it starts at the last page, and when the connection ends, so does it. A
//! client that survives that is described in `docs/protocol.md`.
//!
//! ```text
//! cargo run --example chat -- http://127.0.0.1:8080 TOKEN [CHAT]
//! ```
#![expect(clippy::print_stdout, reason = "it is for a terminal")]

mod link;

use chasqui::model::{ClientMessageId, ConversationId, Sequence, UserId};
use chasqui::protocol::constants::{conversation_kind, entry_kind};
use chasqui::protocol::{ClientFrame, EntryFrame, Record, SendFrame, ServerFrame, Tlvs};
use link::Link;
use std::io::BufRead;
use tokio::sync::mpsc;

/// Whatever ends it.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How many entries are shown of what was said before.
const PAGE: u64 = 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: chat http://HOST:PORT TOKEN [CHAT]";
    let (url, token) = arguments.next().zip(arguments.next()).ok_or(usage)?;
    let address = url.strip_prefix("http://").unwrap_or(&url).trim_end_matches('/').parse()?;
    let (mut link, welcome) = Link::connect(address, &token).await?;
    let chats = sync(&mut link).await?;
    let Some(wanted) = arguments.next() else {
        println!("you are {}", welcome.user);
        for chat in chats {
            println!("{}  {}, {} entries", chat.id, chat.name, chat.head);
        }
        return Ok(());
    };
    let wanted = ConversationId::new(wanted.parse()?);
    let chat = chats.into_iter().find(|chat| Some(chat.id) == wanted).ok_or("no such chat")?;
    talk(link, welcome.user, chat).await
}

/// A chat of one's own.
struct Chat {
    id: ConversationId,
    name: String,
    head: Sequence,
}

impl From<Record<'_>> for Chat {
    fn from(record: Record<'_>) -> Self {
        let name = match (record.kind, record.title, record.peer) {
            (conversation_kind::JOURNAL, ..) => "notes to yourself".to_owned(),
            (_, Some(title), _) => title.to_owned(),
            (_, None, Some(peer)) => format!("with {peer}"),
            (_, None, None) => "without a name".to_owned(),
        };
        Self { id: record.conversation, name, head: record.last_sequence }
    }
}

/// Asks for all chats.
async fn sync(link: &mut Link) -> Result<Vec<Chat>, Failure> {
    let (mut chats, mut token, mut more) = (Vec::new(), Vec::new(), true);
    while more {
        link.send(&[ClientFrame::Sync { rid: 1, limit: 0, token: &token }]).await?;
        let mut answered = false;
        while !answered {
            link.receive(|frame| {
                if let ServerFrame::Synced { flags, token: next, records, .. } = frame {
                    chats.extend(records.iter().map(Chat::from));
                    next.clone_into(&mut token);
                    more = flags & 1 != 0;
                    answered = true;
                }
            })
            .await?;
        }
    }
    Ok(chats)
}

/// Shows and sends until one of the two sides ends it.
async fn talk(mut link: Link, user: UserId, chat: Chat) -> Result<(), Failure> {
    let (conversation, mut head, mut rid) = (chat.id, chat.head, 1);
    println!("--- {}", chat.name);
    let from = head.next().minus(PAGE).max(Sequence::FIRST);
    link.send(&[ClientFrame::Fetch { rid, conversation, from, to: head }]).await?;
    let mut lines = typed();
    loop {
        tokio::select! {
            received = link.receive(|frame| {
                if let ServerFrame::Entry(entry) = frame && entry.conversation == conversation {
                    head = head.max(entry.sequence);
                    show(&entry, user);
                } else if let ServerFrame::Sent { sequence, .. } = frame {
                    head = head.max(sequence);
                    println!("    stored as {sequence}");
                }
            }) => received?,
            line = lines.recv() => {
                let Some(line) = line else { return Ok(()) };
                rid += 1;
                let client_message = ClientMessageId::from_random(getrandom::u64()?);
                let send = SendFrame {
                    rid,
                    conversation,
                    client_message: client_message.ok_or("drew a zero")?,
                    floor: head.next(),
                    kind: entry_kind::MESSAGE,
                    body: line.as_bytes(),
                    tlvs: Tlvs::EMPTY,
                };
                link.send(&[ClientFrame::Send(send)]).await?;
            }
        }
    }
}

/// The lines that are typed, read on a thread of their own since a terminal cannot be awaited.
fn typed() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if !line.is_empty() && sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn show(entry: &EntryFrame<'_>, user: UserId) {
    let sequence = entry.sequence;
    let who = match entry.sender {
        Some(sender) if sender == user => "you".to_owned(),
        Some(sender) => sender.to_string(),
        None => "server".to_owned(),
    };
    if entry.kind == entry_kind::MESSAGE {
        println!("{sequence:>5} {who}: {}", String::from_utf8_lossy(entry.body));
    } else {
        println!("{sequence:>5} {who} (entry of kind {})", entry.kind);
    }
}
