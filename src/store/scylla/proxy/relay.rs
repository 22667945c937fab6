//! One connection through the proxy.

use super::frames::{BATCH, EXECUTE, Frame, PREPARE, QUERY};
use super::{Fault, Shared, lock};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

type Stream = [u8; 2];

/// See the module.
pub(super) struct Relay {
    shared: Arc<Shared>,
    streams: Arc<Mutex<Streams>>,
}

/// What is known of requests under way.
#[derive(Default)]
struct Streams {
    /// The statements that are being prepared.
    preparing: HashMap<Stream, String>,
    /// What becomes of their answers.
    doomed: HashMap<Stream, Fault>,
}

impl Relay {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, streams: Arc::default() }
    }

    /// Passes frames both ways until one side ends or a fault breaks the connection.
    pub(super) async fn run(self, client: TcpStream, server: TcpStream) {
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let (requests, requested) = mpsc::unbounded_channel();
        let (answers, answered) = mpsc::unbounded_channel();
        tokio::select! {
            () = write(requested, to_server) => {}
            () = write(answered, to_client) => {}
            () = self.requests(from_client, requests, answers.clone()) => {}
            () = self.answers(from_server, answers) => {}
        }
    }

    async fn requests(
        &self,
        mut client: OwnedReadHalf,
        server: UnboundedSender<Frame>,
        answers: UnboundedSender<Frame>,
    ) {
        while let Some(frame) = Frame::read(&mut client).await {
            let stream = frame.stream();
            match self.fault(&frame) {
                None => drop(server.send(frame)),
                Some(Fault::DropRequest) => {}
                Some(Fault::BreakBefore) => return,
                Some(Fault::Forge(answer)) => drop(answers.send(answer.on(stream))),
                Some(Fault::Hold) => {
                    let (shared, server) = (Arc::clone(&self.shared), server.clone());
                    tokio::spawn(async move {
                        shared.released.notified().await;
                        drop(server.send(frame));
                    });
                }
                Some(late @ (Fault::DropAnswer | Fault::BreakAfter | Fault::ForgeAfter(_))) => {
                    lock(&self.streams).doomed.insert(stream, late);
                    drop(server.send(frame));
                }
            }
        }
    }

    async fn answers(&self, mut server: OwnedReadHalf, client: UnboundedSender<Frame>) {
        while let Some(frame) = Frame::read(&mut server).await {
            let mut streams = lock(&self.streams);
            let text = streams.preparing.remove(&frame.stream());
            if let (Some(text), Some(id)) = (text, frame.prepared()) {
                lock(&self.shared.statements).push((id.to_vec(), text));
            }
            match streams.doomed.remove(&frame.stream()) {
                Some(Fault::DropAnswer) => {}
                Some(Fault::BreakAfter) => return,
                Some(Fault::ForgeAfter(answer)) => drop(client.send(answer.on(frame.stream()))),
                Some(_) | None => drop(client.send(frame)),
            }
        }
    }

    /// What shall become of a request.
    fn fault(&self, frame: &Frame) -> Option<Fault> {
        let text = match frame.opcode() {
            QUERY => frame.text()?,
            PREPARE => {
                lock(&self.streams).preparing.insert(frame.stream(), frame.text()?);
                return None;
            }
            EXECUTE | BATCH => {
                let id = frame.statement()?;
                let statements = lock(&self.shared.statements);
                statements.iter().find(|(known, _)| known == id)?.1.clone()
            }
            _ => return None,
        };
        lock(&self.shared.rule)(&text)
    }
}

async fn write(mut frames: UnboundedReceiver<Frame>, mut to: OwnedWriteHalf) {
    while let Some(frame) = frames.recv().await {
        if to.write_all(&frame.bytes()).await.is_err() {
            return;
        }
    }
}
