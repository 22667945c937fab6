//! The binary as an operator meets it: exit statuses, what is printed where, and the data folder
//! that only one process may hold.

#![expect(
    clippy::expect_used,
    reason = "a test ends at the first thing that is not as it should be"
)]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn chasqui(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chasqui"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> Output {
    command.output().expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn wrong_usage_ends_with_status_2() {
    for arguments in [&["dance"][..], &[], &["user", "create"], &["config", "show", "--shard"]] {
        assert_eq!(run(&mut chasqui(arguments)).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn every_setting_is_shown_with_where_it_came_from() {
    let folder = folder();
    let file = folder.path().join("chasqui.toml");
    std::fs::write(&file, "[http]\nbody_bytes_max = \"1MiB\"\n").expect("written");
    let mut command = chasqui(&["config", "show", "--shards", "3", "--config", text(&file)]);
    let shown = run(command.env("CHASQUI_LOG__FILTER", "warn"));
    assert!(shown.status.success(), "{}", stderr(&shown));
    let shown = stdout(&shown);
    let line = |key: &str| shown.lines().find(|line| line.starts_with(key)).expect("shown");
    assert!(line("shards = 3 ").ends_with("# --shards"));
    assert!(line("filter = \"warn\" ").ends_with("# CHASQUI_LOG__FILTER"));
    assert!(line("body_bytes_max = \"1MiB\" ").ends_with("chasqui.toml"));
    assert!(line("listen = \"127.0.0.1:8080\" ").ends_with("# default"));
}

#[test]
fn a_wrong_configuration_ends_with_status_78_and_names_the_key() {
    let mut command = chasqui(&["config", "check"]);
    let refused = run(command.env("CHASQUI_SERVER__LISTN", "127.0.0.1:1"));
    assert_eq!(refused.status.code(), Some(78));
    let told = stderr(&refused);
    assert!(told.contains("server.listn (CHASQUI_SERVER__LISTN)"), "{told}");
    assert!(told.contains("did you mean server.listen?"), "{told}");
    let absent = run(&mut chasqui(&["config", "check", "--config", "/nowhere/chasqui.toml"]));
    assert_eq!(absent.status.code(), Some(78));
    let valid = run(&mut chasqui(&["config", "check"]));
    assert_eq!((valid.status.code(), stdout(&valid).as_str()), (Some(0), ""));
}

#[test]
fn accounts_are_created_in_a_folder_that_nobody_holds() {
    let folder = folder();
    let data = folder.path().join("data");
    let create = |arguments: &[&str]| {
        let mut command = chasqui(&["user", "create", "--data", text(&data)]);
        command.args(arguments);
        command
    };
    let created = run(&mut create(&["ana"]));
    assert!(created.status.success(), "{}", stderr(&created));
    assert!(stdout(&created).starts_with("created ana (user "), "{}", stdout(&created));
    let mode = std::fs::metadata(data.join("keys.json")).expect("made").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let mut taken = create(&["ana", "--password-stdin"]);
    let mut child = taken.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    let mut input = child.stdin.take().expect("piped");
    input.write_all(b"correct horse\n").expect("read");
    drop(input);
    let refused = child.wait_with_output().expect("ended");
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("that user name is taken"), "{}", stderr(&refused));

    let tokens = folder.path().join("tokens.jsonl");
    let created = run(&mut create(&["--count", "40", "--tokens", text(&tokens)]));
    assert!(created.status.success(), "{}", stderr(&created));
    assert_eq!(std::fs::read_to_string(&tokens).expect("written").lines().count(), 40);
}

#[test]
fn a_folder_that_another_process_holds_is_refused() {
    let folder = folder();
    let data = folder.path().join("data");
    let arguments = ["user", "create", "--data", text(&data), "ana", "--password-stdin"];
    let mut holder = chasqui(&arguments);
    // It holds the folder while it waits for the password.
    let mut holder =
        holder.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the binary runs");
    let deadline = std::time::Duration::from_secs(30);
    let keys = data.join("keys.json");
    wait_for(deadline, || keys.exists());

    let refused = run(&mut chasqui(&["user", "create", "--data", text(&data), "ben"]));
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("in use by another process"), "{}", stderr(&refused));

    let mut input = holder.stdin.take().expect("piped");
    input.write_all(b"correct horse\n").expect("read");
    drop(input);
    assert!(holder.wait().expect("ended").success());
    assert!(run(&mut chasqui(&["user", "create", "--data", text(&data), "ben"])).status.success());
}

fn wait_for(deadline: std::time::Duration, happened: impl Fn() -> bool) {
    let pause = std::time::Duration::from_millis(5);
    let mut left = deadline;
    while !happened() {
        assert!(!left.is_zero(), "it did not happen within {deadline:?}");
        std::thread::sleep(pause);
        left = left.saturating_sub(pause);
    }
}
