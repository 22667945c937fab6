//! Counts the system calls of a shard's loop, by its own counters, over loopback sockets.
//!
//! Shard and clients share one thread: the clients write, then the loop runs until they have everything.
//! So what one read or one write brings is the same on any machine. Storage and other threads are left
//! out, and with them the wakes that they cost.

use crate::chat::{Failure, batch_of, granted, hello, masked, pair, pairs, services, settings};
use crate::{Figure, ratio};
use chasqui::shard::{Counts, SocketShard};
use chasqui::store::null::NullStore;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

/// How many clients write at once.
const WRITERS: u64 = 16;

/// How many SENDs a client may have unanswered: as many as one read brings of a client that waits for
/// nothing else.
const WINDOW: u64 = 64;

/// How many batches every writer sends before counting begins, and while it lasts.
const WARM: u64 = 4;
const COUNTED: u64 = 16;

type Shard = SocketShard<NullStore>;

/// One way to use the server.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    writers: u64,
    batch: u64,
    echo: bool,
}

const LOADS: [Load; 5] = [
    Load { name: "message", writers: 1, batch: 1, echo: false },
    Load { name: "message_batch", writers: WRITERS, batch: 16, echo: false },
    Load { name: "message_window", writers: WRITERS, batch: WINDOW, echo: false },
    Load { name: "echo", writers: 1, batch: 1, echo: true },
    Load { name: "echo_batch", writers: WRITERS, batch: 16, echo: true },
];

/// The system calls for each message that is delivered, or sent back.
pub(crate) fn measure() -> Result<Vec<Figure>, Failure> {
    let figure = |load: &Load| {
        let value = ratio(load.count()?, load.writers * load.batch * COUNTED);
        Ok(Figure { unit: "system_calls", name: load.name.to_owned(), value })
    };
    LOADS.iter().map(figure).collect()
}

impl Load {
    /// The system calls of the batches that count.
    fn count(self) -> Result<u64, Failure> {
        let options = tokio::runtime::LocalOptions::default();
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build_local(options)?.block_on(async {
            let (shard, running) = SocketShard::start(services(pairs(self.writers)?)?, settings())?;
            let running = tokio::task::spawn_local(running);
            let mut clients = self.connect(&shard)?;
            let mut before = 0;
            for batch in 0..WARM + COUNTED {
                if batch == WARM {
                    before = system_calls(&shard.counts());
                }
                self.exchange(&mut clients, batch).await?;
            }
            running.abort();
            Ok(system_calls(&shard.counts()) - before)
        })
    }

    /// The clients of each chat, or those who want an echo.
    fn connect(self, shard: &Shard) -> Result<Vec<Client>, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut clients = Vec::new();
        for number in 0..self.writers {
            if self.echo {
                let (client, ours) = sockets(&listener)?;
                shard.connect_echo(ours)?;
                clients.push(Client::new(client));
                continue;
            }
            for user in [2 * number + 1, 2 * number + 2] {
                let (client, ours) = sockets(&listener)?;
                shard.connect(ours, granted(user)?, &mut masked(&hello()?))?;
                // Its WELCOME comes first.
                clients.push(Client { missing: 1, ..Client::new(client) });
            }
        }
        Ok(clients)
    }

    /// Has every writer send one batch, and waits until everybody has what follows.
    async fn exchange(self, clients: &mut [Client], batch: u64) -> Result<(), Failure> {
        for (number, chat) in (0..).zip(clients.chunks_mut(if self.echo { 1 } else { 2 })) {
            let first = 1 + batch * self.batch;
            let bytes = batch_of(pair(number)?.0, first, self.batch)?;
            for client in chat.iter_mut() {
                client.missing += usize::try_from(self.batch)?;
            }
            if let Some(writer) = chat.first_mut() {
                writer.socket.write_all(&bytes)?;
            }
        }
        while clients.iter().any(|client| client.missing > 0) {
            tokio::task::yield_now().await;
            for client in clients.iter_mut() {
                client.receive()?;
            }
        }
        Ok(())
    }
}

/// An upper bound: the runtime waits for sockets and wakes at most once a round.
fn system_calls(counts: &Counts) -> u64 {
    counts.rounds + counts.epoll_waits + counts.reads + counts.writes
}

/// A client that counts what it gets.
struct Client {
    socket: TcpStream,
    bytes: Vec<u8>,
    /// How many messages have not come.
    missing: usize,
}

impl Client {
    fn new(socket: TcpStream) -> Self {
        Self { socket, bytes: Vec::new(), missing: 0 }
    }

    fn receive(&mut self) -> Result<(), Failure> {
        let mut buffer = [0; 16 << 10];
        match self.socket.read(&mut buffer) {
            Ok(0) => return Err("the server has closed a connection".into()),
            Ok(count) => self.bytes.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        // Every message here is shorter than 126 bytes, so that its head takes two.
        while let [_, length, rest @ ..] = self.bytes.as_slice()
            && rest.len() >= usize::from(*length)
        {
            self.bytes.drain(..2 + usize::from(*length));
            self.missing = self.missing.checked_sub(1).ok_or("a message nobody sent")?;
        }
        Ok(())
    }
}

fn sockets(listener: &TcpListener) -> Result<(TcpStream, TcpStream), Failure> {
    let client = TcpStream::connect(listener.local_addr()?)?;
    client.set_nodelay(true)?;
    client.set_nonblocking(true)?;
    Ok((client, listener.accept()?.0))
}
