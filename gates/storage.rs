//! Appends to an embedded store, asked as a server asks it, in groups that wait together, each to a log
//! of its own.
//!
//! What the store keeps in memory is filled first, to about half of what it takes: a full one is twice
//! as deep to search as an empty one.

use crate::chat::{Failure, id};
use crate::operation::entry;
use chasqui::model::{ConversationId, Entry, Sequence};
use chasqui::store::{Append, Appended, Backend, Log, Options, StoreError, embedded};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::task::JoinSet;

/// How many appends wait together.
pub(crate) const APPENDS: u64 = 64;

/// How many entries each log has before.
const BEFORE: u64 = 512;

/// The names by which a profiler finds what it is to count: the thread that runs a committer, and
/// [`poll_append`].
pub(crate) const COMMIT_THREAD: &str = "commit::Committer";
pub(crate) const CALLER: &str = "*poll_append*";

type Answer = Result<Appended, StoreError>;

/// Appends `count` groups.
pub(crate) async fn append(count: u64) -> Result<(), Failure> {
    let folder = Path::new("target/gates/store");
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)?;
    let options = embedded::Options { reserve_bytes: 0, ..embedded::Options::new(folder) };
    let store = Backend::open(&Options::Embedded(options), |_| (), |_| ()).await?;
    let before = (1..=BEFORE).map(entry).collect::<Result<Vec<_>, _>>()?;
    for log in 1..=APPENDS {
        let answer = store.append(to(log, 0, before.clone())?).await;
        check(&answer)?;
    }
    for number in 1..=count {
        let mut appends = JoinSet::new();
        for log in 1..=APPENDS {
            let end = BEFORE + number - 1;
            let append = to(log, end, vec![entry(end + 1)?])?;
            let store = store.clone();
            let mut asked = Box::pin(async move { store.append(append).await });
            appends.spawn(std::future::poll_fn(move |ctx| poll_append(asked.as_mut(), ctx)));
        }
        appends.join_all().await.iter().try_for_each(check)?;
    }
    Ok(())
}

/// Never inlined, so that a profiler can be told to count what is done in it.
#[inline(never)]
fn poll_append(
    asked: Pin<&mut (dyn Future<Output = Answer> + Send)>,
    ctx: &mut Context<'_>,
) -> Poll<Answer> {
    asked.poll(ctx)
}

fn to(log: u64, expected: u64, entries: Vec<Entry>) -> Result<Append<'static>, Failure> {
    let conversation = id(ConversationId::new, log)?;
    let expected = Sequence::new(expected).ok_or("no such sequence")?;
    Ok(Append { conversation, expected, entries: entries.into(), has_effects: false })
}

fn check(answer: &Answer) -> Result<(), Failure> {
    if *answer == Ok(Appended::Applied) { Ok(()) } else { Err(format!("{answer:?}").into()) }
}
