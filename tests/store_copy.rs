//! `chasqui store copy` as an operator meets it: killed again and again it ends with a copy that is
//! whole, and it refuses what is in use, absent or not its own.

#![expect(
    clippy::expect_used,
    reason = "a test ends at the first thing that is not as it should be"
)]

use chasqui::model::{
    Claim, Content, Conversation, ConversationId, Entry, Message, Ordinal, Sequence, Timestamp,
    UserId,
};
use chasqui::store::embedded::{Embedded, Hooks, Options};
use chasqui::store::{Append, Log};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Enough that a copy takes longer than the shortest time after which it is killed.
const CONVERSATIONS: u64 = 300;
const ENTRIES: u64 = 150;

fn copy(from: &Path, to: &Path) -> Command {
    let location = |folder: &Path| format!("embedded:{}", folder.display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_chasqui"));
    command.args(["store", "copy", "--from", &location(from), "--to", &location(to)]);
    command.env_clear().env("CHASQUI_STORE__RESERVE_BYTES", "0B").stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    text(&output.stderr)
}

/// The first line of what it prints: what was copied, with the hash of it.
fn inventory(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    text(&output.stdout).lines().next().expect("a line").to_owned()
}

fn seed(folder: &Path) {
    let options = Options { reserve_bytes: 0, ..Options::new(folder) };
    let store = Embedded::open(&options, Hooks::new(&options, |_| {})).expect("opens");
    let runtime = tokio::runtime::Builder::new_multi_thread().build().expect("a runtime");
    runtime.block_on(async {
        let conversations = (1..=CONVERSATIONS).map(|id| fill(store.clone(), id));
        let tasks: tokio::task::JoinSet<()> = conversations.collect();
        tasks.join_all().await;
        store.close().await;
    });
}

async fn fill(store: Embedded, number: u64) {
    let id = ConversationId::new(number).expect("in range");
    let claim = Claim::Journal(UserId::new(number).expect("in range"));
    let conversation = Conversation { id, claim, created_at: Timestamp::from_millis(number) };
    store.claim(conversation).await.expect("the store works");
    let entries = (1..=ENTRIES).map(|sequence| entry(number, sequence));
    let (expected, entries) = (Sequence::ZERO, entries.collect());
    let append = Append { conversation: id, expected, entries, has_effects: false };
    store.append(append).await.expect("the store works");
}

fn entry(conversation: u64, sequence: u64) -> Entry {
    let text = format!("entry {sequence} of {conversation}").as_str().into();
    let content = Content::Message(Message { text, ..Message::default() });
    Entry {
        sequence: Sequence::new(sequence).expect("in range"),
        ordinal: Ordinal::new(sequence).expect("in range"),
        sender: UserId::new(conversation),
        sent_at: Timestamp::from_millis(sequence),
        client_message: None,
        fingerprint: content.fingerprint(),
        content,
        edited: None,
        erased: None,
    }
}

/// Kills it after a while, unless it has ended by itself.
fn kill_after(child: &mut Child, time: Duration) -> bool {
    std::thread::sleep(time);
    let running = child.try_wait().expect("a child").is_none();
    child.kill().expect("a child");
    child.wait().expect("a child");
    running
}

#[test]
fn a_copy_that_is_killed_again_and_again_ends_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let [from, to, at_once] = ["from", "to", "at-once"].map(|name| folder.path().join(name));
    seed(&from);
    let mut killed = 0;
    for round in 1..=20 {
        let quiet = Stdio::null;
        let mut child =
            copy(&from, &to).stdout(quiet()).stderr(quiet()).spawn().expect("the binary runs");
        if !kill_after(&mut child, Duration::from_millis(25 * round)) {
            break;
        }
        killed += 1;
    }
    assert!(killed > 0, "it was never killed at work");
    let whole = inventory(&copy(&from, &at_once).output().expect("the binary runs"));
    assert!(whole.contains(&format!("{CONVERSATIONS} conversations")), "{whole}");
    assert!(whole.contains(&format!("{} entries", CONVERSATIONS * ENTRIES)), "{whole}");
    let again = copy(&from, &to).output().expect("the binary runs");
    // The last kill may have come after the end.
    if !stderr(&again).contains("holds a store already") {
        assert_eq!(inventory(&again), whole);
    }
    // Read back from the copy, whoever ended it.
    let back = folder.path().join("back");
    assert_eq!(inventory(&copy(&to, &back).output().expect("the binary runs")), whole);
}

#[test]
fn what_cannot_be_copied_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let [absent, from, to] = ["absent", "from", "to"].map(|name| folder.path().join(name));
    let refused = copy(&absent, &to).output().expect("the binary runs");
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("there is no store in"), "{}", stderr(&refused));
    let options = Options { reserve_bytes: 0, ..Options::new(&from) };
    let store = Embedded::open(&options, Hooks::new(&options, |_| {})).expect("opens");
    let refused = copy(&from, &to).output().expect("the binary runs");
    assert!(stderr(&refused).contains("in use by another process"), "{}", stderr(&refused));
    assert!(!to.exists());
    drop(store);
    let copied = inventory(&copy(&from, &to).output().expect("the binary runs"));
    assert!(copied.contains("0 conversations"), "{copied}");
    let refused = copy(&from, &to).output().expect("the binary runs");
    assert!(stderr(&refused).contains("holds a store already"), "{}", stderr(&refused));
}
