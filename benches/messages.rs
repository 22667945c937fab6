//! What a message costs without storage and without sockets: codec, session, owner, fan-out, and all
//! of it end to end. For comparing two versions on one quiet machine; the limits are in `gates`, which
//! counts what does not depend on the machine.

#[expect(dead_code, reason = "shared with the gates, which use all of it")]
#[path = "../gates/chat.rs"]
mod chat;

use chasqui::chat::{Action, Owner, Request};
use chasqui::model::{ClientMessageId, Content, Entry, Message, Ordinal, Outcome, Sent, Sequence};
use chasqui::protocol::{ClientFrame, EntryEncoder, ServerFrame, frames};
use chasqui::session::{Limits, Session};
use chat::{
    Done, Failure, NOW, Room, TEXT, Told, actor, conversation, granted, hello, id, masked, send,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

fn runtime() -> Result<LocalRuntime, Failure> {
    Ok(Builder::new_current_thread().build_local(LocalOptions::default())?)
}

fn said() -> Content {
    Content::Message(Message { text: TEXT.into(), ..Message::default() })
}

fn sent(number: u64) -> Result<Sent, Failure> {
    Ok(Sent {
        conversation: conversation()?,
        sequence: Sequence::new(number).ok_or("no such sequence")?,
        ordinal: Ordinal::new(number).ok_or("no such ordinal")?,
        sent_at: NOW,
        duplicate: false,
    })
}

fn codec(criterion: &mut Criterion) -> Result<(), Failure> {
    let message = send(1, 1)?;
    criterion.bench_function("codec/decode SEND", |bencher| {
        bencher.iter(|| {
            for frame in frames(black_box(&message)).flatten() {
                let _decoded = black_box(ClientFrame::decode(&frame).is_ok());
            }
        });
    });
    let Sent { sequence, ordinal, .. } = sent(12_345)?;
    let content = said();
    let entry = Entry {
        sequence,
        ordinal,
        sender: Some(actor(1)?.user),
        sent_at: NOW,
        client_message: Some(id(ClientMessageId::new, 1)?),
        fingerprint: content.fingerprint(),
        content,
        edited: None,
        erased: None,
    };
    let conversation = conversation()?;
    let mut frame = Vec::new();
    criterion.bench_function("codec/encode ENTRY", |bencher| {
        bencher.iter(|| {
            frame.clear();
            EntryEncoder::new(conversation, black_box(&entry)).encode(false, &mut frame);
        });
    });
    let Sent { sequence, ordinal, sent_at, duplicate, .. } = sent(12_345)?;
    let answer = ServerFrame::Sent { rid: 1, sequence, ordinal, sent_at, duplicate };
    criterion.bench_function("codec/encode SENT", |bencher| {
        bencher.iter(|| {
            frame.clear();
            black_box(&answer).encode(&mut frame);
        });
    });
    Ok(())
}

fn session(criterion: &mut Criterion) -> Result<(), Failure> {
    let (limits, mut effects) = (Limits::default(), Done::default());
    let mut session = Session::new(NOW);
    session.handle_message(NOW, &limits, &hello()?, &mut effects);
    session.handle_grant(NOW, &limits, Ok(granted(1)?), &mut effects);
    let message = send(1, 1)?;
    let outcome = Ok(Outcome::Sent(sent(1)?));
    criterion.bench_function("session/SEND to SENT", |bencher| {
        bencher.iter(|| {
            session.handle_message(NOW, &limits, black_box(&message), &mut effects);
            session.handle_outcome(1, &outcome, &mut effects);
        });
    });
    Ok(())
}

fn owner(criterion: &mut Criterion) -> Result<(), Failure> {
    let runtime = runtime()?;
    let chat = chat::service(chat::store(2)?);
    let owner = runtime.block_on(Owner::load(&chat, conversation()?))?;
    let mut owner = owner.ok_or("the conversation is unknown")?;
    let actor = actor(1)?;
    let (mut number, mut batch, mut told) = (0, Vec::new(), Told::default());
    criterion.bench_function("owner/commit", |bencher| {
        bencher.iter_batched(
            || {
                number += 1;
                let client_message = ClientMessageId::new(number);
                client_message.map(|client_message| {
                    let floor = Sequence::new(number);
                    let action = Action::Send { client_message, floor, content: said() };
                    Request { actor, action, lane: None, ticket: () }
                })
            },
            |request| {
                batch.extend(request);
                runtime.block_on(owner.commit(&chat, NOW, &mut batch, &mut told));
            },
            BatchSize::SmallInput,
        );
    });
    Ok(())
}

/// From the bytes of one read to the bytes of all writes, for so many receivers.
fn fanout(criterion: &mut Criterion) -> Result<(), Failure> {
    let mut group = criterion.benchmark_group("end to end");
    for receivers in [1, 100, 1_000] {
        let mut room = Room::new(1 + receivers)?;
        let mut number = 0;
        group.throughput(Throughput::Elements(receivers));
        group.bench_function(format!("{receivers} receivers"), |bencher| {
            bencher.iter_batched(
                || {
                    number += 1;
                    send(number, number).map(|frame| masked(&frame)).unwrap_or_default()
                },
                |mut read| room.exchange(&mut read),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
    Ok(())
}

#[expect(clippy::expect_used, reason = "a benchmark stops where it cannot go on")]
fn messages(criterion: &mut Criterion) {
    for bench in [codec, session, owner, fanout] {
        bench(criterion).expect("a benchmark");
    }
}

criterion_group!(benches, messages);
criterion_main!(benches);
