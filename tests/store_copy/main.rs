//! `chasqui store copy` as an operator meets it: killed again and again it ends with a copy that is
//! whole, and it refuses what is in use, absent or not its own. Beside it `chasqui store restored`.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test ends at the first thing that is not as it should be; the drill tells figures"
)]

mod cql;
mod seed;

use chasqui::store::Store;
use chasqui::store::embedded::{Embedded, Hooks, Options};
use seed::{Size, seed};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Enough that a copy takes longer than the shortest time after which it is killed.
const SIZE: Size = Size { conversations: 300, entries: 150 };

/// The command, with these arguments and nothing else from here.
fn chasqui(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chasqui"));
    command.args(arguments);
    command.env_clear().env("CHASQUI_STORE__RESERVE_BYTES", "0B").stdin(Stdio::null());
    command
}

fn embedded(folder: &Path) -> String {
    format!("embedded:{}", folder.display())
}

fn copy(from: &Path, to: &Path) -> Command {
    chasqui(&["store", "copy", "--from", &embedded(from), "--to", &embedded(to)])
}

fn restored(store: &str) -> Output {
    chasqui(&["store", "restored", store]).output().expect("the binary runs")
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
    seed(&from, SIZE);
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
    assert!(whole.contains(&SIZE.to_string()), "{whole}");
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

#[test]
fn a_restored_folder_has_another_epoch_and_all_it_had() {
    let folder = tempfile::tempdir().expect("a folder");
    let [absent, path, before, after] =
        ["absent", "data", "before", "after"].map(|name| folder.path().join(name));
    let refused = restored(&embedded(&absent));
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("there is no store in"), "{}", stderr(&refused));
    seed(&path, Size { conversations: 3, entries: 5 });
    let held = |to: &Path| inventory(&copy(&path, to).output().expect("the binary runs"));
    let whole = held(&before);
    let options = Options { reserve_bytes: 0, ..Options::new(&path) };
    let open = || Embedded::open(&options, Hooks::new(&options, |_| {})).expect("opens");
    let store = open();
    let refused = restored(&embedded(&path));
    assert!(stderr(&refused).contains("in use by another process"), "{}", stderr(&refused));
    let old = store.epoch();
    drop(store);
    let done = restored(&embedded(&path));
    assert!(done.status.success(), "{}", stderr(&done));
    let new = open().epoch();
    assert_ne!(new, old);
    assert!(text(&done.stdout).contains(&new.get().to_string()), "{}", text(&done.stdout));
    assert_eq!(held(&after), whole);
}
