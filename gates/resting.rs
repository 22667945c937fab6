//! Counts the bytes that connections and conversations hold while nothing happens.
//!
//! It counts what is asked of the allocator, so pages that are partly used are not in it, nor is the
//! kernel's part of a socket. Tables that double are: what one connection takes is measured at a number
//! of them that makes it an average. Some connections do everything before the first reading, so that
//! what is kept once for all is in none of the figures.

use crate::Figure;
use crate::allocations::held;
use crate::chat::{
    Failure, NOW, actor, encoded, granted, hello, id, masked, send_to, services, settings,
};
use chasqui::chat::Chat;
use chasqui::model::{Claim, Conversation, ConversationId, Epoch, Sequence, Timestamp};
use chasqui::protocol::{ClientFrame, Pairs};
use chasqui::shard::{ConnectionKey, MemoryShard};
use chasqui::store::null::NullStore;

/// How many connections are measured: whole pages of the table that holds them.
const CONNECTIONS: u64 = 768;

/// How many warm up what is kept once for all.
const WARM: u64 = 256;

/// When everything at rest has long been forgotten, whatever the clock says.
const DISTANT: Timestamp = Timestamp::from_millis(1 << 52);

/// Tables are seeded at random, and now and then one doubles that need not have: of so many rounds the
/// least counts.
const ROUNDS: usize = 8;

const NAMES: [&str; 6] = [
    "connection",
    "conversation_in_use",
    "conversation_parked",
    "left_by_exchange",
    "left_by_reconnect",
    "left_by_both",
];

pub(crate) fn measure() -> Result<Vec<Figure>, Failure> {
    let options = tokio::runtime::LocalOptions::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build_local(options)?;
    let mut least = [f64::INFINITY; NAMES.len()];
    for _ in 0..ROUNDS {
        let round = runtime.block_on(round())?;
        for (least, value) in least.iter_mut().zip(round) {
            *least = least.min(value);
        }
    }
    let figure =
        |(name, value): (&str, f64)| Figure { unit: "resting_bytes", name: name.to_owned(), value };
    Ok(NAMES.into_iter().zip(least).map(figure).collect())
}

async fn round() -> Result<[f64; NAMES.len()], Failure> {
    let mut house = House::new()?;
    let (mut warm, mut keys) = (Vec::new(), Vec::with_capacity(usize::try_from(CONNECTIONS)?));
    house.connect(1..=WARM, &mut warm)?;
    house.converse(1, &warm).await?;
    house.rest().await?;
    house.rest().await?;

    let empty = held();
    house.connect(WARM + 1..=WARM + CONNECTIONS, &mut keys)?;
    let idle = held();
    house.converse(WARM + 1, &keys).await?;
    let in_use = held();
    house.rest().await?;
    let parked = held();
    house.rest().await?;
    let forgotten = held();
    for key in keys.drain(..) {
        house.shard.disconnect(key);
    }
    house.connect(WARM + 1..=WARM + CONNECTIONS, &mut keys)?;
    house.rest().await?;
    let reconnected = held();
    house.converse(WARM + 1, &keys).await?;
    house.rest().await?;
    house.rest().await?;

    Ok([
        each(empty, idle, CONNECTIONS)?,
        each(idle, in_use, CONNECTIONS / 2)?,
        each(idle, parked, CONNECTIONS / 2)?,
        each(idle, forgotten, CONNECTIONS)?,
        each(idle, reconnected, CONNECTIONS)?,
        each(idle, held(), CONNECTIONS)?,
    ])
}

/// By how much each of `count` has added to what is held.
fn each(before: usize, after: usize, count: u64) -> Result<f64, Failure> {
    let added = f64::from(i32::try_from(after)?) - f64::from(i32::try_from(before)?);
    Ok(added / f64::from(u32::try_from(count)?))
}

/// Users who are numbered from 1, and a direct chat of each odd one with the next.
struct House {
    shard: MemoryShard<NullStore>,
    chat: Chat<NullStore>,
}

impl House {
    fn new() -> Result<Self, Failure> {
        let conversation = |number| -> Result<Conversation, Failure> {
            let claim = Claim::Direct(actor(number)?.user, actor(number + 1)?.user);
            Ok(Conversation { id: between(number)?, claim, created_at: NOW })
        };
        let odd = (1..=WARM + CONNECTIONS).step_by(2);
        let known = odd.map(|number| Ok((conversation(number)?, Vec::new())));
        let known = known.collect::<Result<Vec<_>, Failure>>()?;
        let store = NullStore::new(id(Epoch::new, 0)?, known);
        let services = services(store)?;
        let chat = services.chat.clone();
        Ok(Self { shard: MemoryShard::new(services, settings())?, chat })
    }

    fn connect(
        &mut self,
        numbers: impl Iterator<Item = u64>,
        keys: &mut Vec<ConnectionKey>,
    ) -> Result<(), Failure> {
        let hello = masked(&hello()?);
        for number in numbers {
            keys.push(self.shard.connect(granted(number)?, &mut hello.clone())?);
            self.shard.write(&mut |_, _| {});
        }
        Ok(())
    }

    /// Each pair says something to each other, acknowledges and reads it, and asks for a PONG.
    async fn converse(&mut self, first: u64, keys: &[ConnectionKey]) -> Result<(), Failure> {
        for (number, pair) in (first..).step_by(2).zip(keys.chunks_exact(2)) {
            let conversation = between(number)?;
            for (read, key) in (1..).zip(pair) {
                let read = Sequence::new(read).ok_or("no such sequence")?;
                let said = send_to(conversation, read.get(), read.get())?;
                let acknowledged = [(conversation, read)];
                let heard = [
                    encoded(&ClientFrame::Ack(Pairs::from(&acknowledged[..]))),
                    encoded(&ClientFrame::Read { conversation, read }),
                    encoded(&ClientFrame::Ping { nonce: 1 }),
                ];
                for message in [said, heard.concat()] {
                    self.shard.receive(*key, &mut masked(&message));
                    self.shard.settle().await;
                    let mut written = 0;
                    self.shard.write(&mut |_, bytes| written += bytes.len());
                    if written == 0 {
                        return Err("nothing came of a message".into());
                    }
                }
            }
        }
        Ok(())
    }

    /// Lets so much time pass that whatever is in use is parked, and whatever is parked is forgotten.
    async fn rest(&mut self) -> Result<(), Failure> {
        self.chat.flush_cursors().await?;
        self.shard.sweep(DISTANT);
        // The runtime lets a bounded number of tasks run each time.
        for _ in 0..CONNECTIONS / 8 {
            self.shard.settle().await;
        }
        Ok(())
    }
}

/// The direct chat of the user with an odd number and the next.
fn between(number: u64) -> Result<ConversationId, Failure> {
    id(ConversationId::new, number)
}
