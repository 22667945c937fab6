//! The same to a database and back, on a real server: `make cql` and, in any size, `make copy-drill`.

use crate::seed::{Size, seed};
use crate::{chasqui, embedded, inventory, kill_after, restored, stderr, text};
use chasqui::model::Timestamp;
use chasqui::store::Store;
use chasqui::store::scylla::{self, Scylla};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

#[expect(clippy::disallowed_methods, reason = "a wish of whoever runs the test, not configuration")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// How much is copied: what the environment says, or little.
fn size() -> Size {
    let number = |name: &str, little| {
        variable(name).map_or(little, |number| number.parse().expect("a number"))
    };
    Size {
        conversations: number("CHASQUI_COPY_CONVERSATIONS", 20),
        entries: number("CHASQUI_COPY_ENTRIES", 250),
    }
}

fn server() -> String {
    variable("CHASQUI_CQL").expect("CHASQUI_CQL is not set: run `make cql`")
}

fn copy(from: &str, to: &str) -> Command {
    chasqui(&["store", "copy", "--from", from, "--to", to])
}

fn run(mut command: Command) -> Output {
    command.output().expect("the binary runs")
}

/// Makes the keyspace and its tables.
fn keyspace(name: &str) -> String {
    let server = server();
    let mut apply = chasqui(&["schema", "apply", "--replication", "simple=1"]);
    apply.env("CHASQUI_SCYLLA__CONTACT_POINTS", &server).env("CHASQUI_SCYLLA__KEYSPACE", name);
    let applied = run(apply);
    assert!(applied.status.success(), "{}", stderr(&applied));
    format!("scylla:{server}/{name}")
}

fn folders(folder: &Path) -> [String; 3] {
    ["from", "back", "again"].map(|name| embedded(&folder.join(name)))
}

#[test]
#[ignore = "needs a CQL server: make cql"]
fn a_store_goes_there_and_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let [from, back, _] = folders(folder.path());
    let (there, size) = (keyspace("drill"), size());
    seed(&folder.path().join("from"), size);
    let went = run(copy(&from, &there));
    let held = inventory(&went);
    assert!(held.contains(&size.to_string()), "{held}");
    let came = run(copy(&there, &back));
    assert_eq!(inventory(&came), held);
    let [went, came] = [went, came].map(|output| text(&output.stdout));
    println!("there: {went}and back: {came}");
}

#[test]
#[ignore = "needs a CQL server: make cql"]
fn a_copy_that_is_killed_again_and_again_ends_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let [from, back, again] = folders(folder.path());
    let there = keyspace("killed");
    seed(&folder.path().join("from"), Size { conversations: 150, entries: 150 });
    let mut killed = 0;
    for (from, to) in [(&from, &there), (&there, &back)] {
        for round in 1..=6 {
            let mut command = copy(from, to);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().expect("the binary runs");
            if !kill_after(&mut child, Duration::from_millis(300 * round)) {
                break;
            }
            killed += 1;
        }
        let ended = run(copy(from, to));
        let told = stderr(&ended);
        assert!(ended.status.success() || told.contains("holds a store already"), "{told}");
    }
    assert!(killed > 0, "it was never killed at work");
    // Whatever was copied in how many pieces, it is the same as what is copied at once.
    let whole = inventory(&run(copy(&from, &again)));
    let last = embedded(&folder.path().join("last"));
    assert_eq!(inventory(&run(copy(&back, &last))), whole);
}

#[test]
#[ignore = "needs a CQL server: make cql"]
fn a_restored_keyspace_has_another_epoch_unless_it_is_in_use() {
    let there = keyspace("restored");
    let refused = restored(&there);
    assert!(stderr(&refused).contains("there is no store in the keyspace"), "{}", stderr(&refused));
    let options = scylla::Options::new(server(), "restored");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let open = || runtime.block_on(Scylla::open(&options)).expect("opens");
    let store = open();
    // As a server does, only more often.
    let keeping = runtime.spawn({
        let store = store.clone();
        async move {
            for millis in 1.. {
                store.keep_time(Timestamp::from_millis(millis)).await.expect("the store works");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    });
    let refused = restored(&there);
    assert!(stderr(&refused).contains("in use"), "{}", stderr(&refused));
    keeping.abort();
    let mut epoch = store.epoch();
    for _ in 0..2 {
        let done = restored(&there);
        assert!(done.status.success(), "{}", stderr(&done));
        let next = open().epoch();
        assert_ne!(next, epoch);
        assert!(text(&done.stdout).contains(&next.get().to_string()), "{}", text(&done.stdout));
        epoch = next;
    }
}
