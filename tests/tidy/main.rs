//! Rules of structure and style that no lint knows, checked on the source text.
//!
//! Each rule is a function from sources to violations, and each has a test of its own with planted
//! violations, so that a rule which has stopped finding anything is noticed. What a lint can say
//! stands in `Cargo.toml` and `clippy.toml` instead.
#![expect(clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]

mod files;
mod imports;
mod purity;
mod sizes;
mod source;

use source::{Source, Violation};

/// Every folder with Rust in it.
const FOLDERS: [&str; 8] =
    ["src", "tests", "examples", "benches", "gates", "loadtest", "fuzz/src", "fuzz/fuzz_targets"];

/// Fails with every violation on a line of its own.
fn assert_none(violations: &[Violation]) {
    let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}

#[test]
fn modules_import_only_what_the_architecture_allows() {
    assert_none(&imports::check(&Source::load("src")));
}

#[test]
fn pure_layers_have_no_async_no_sockets_no_runtime() {
    assert_none(&purity::check_layers(&Source::load("src")));
}

#[test]
fn one_module_reads_the_clock_and_one_the_environment() {
    assert_none(&purity::check_ambient(&Source::load("src")));
}

#[test]
fn files_and_functions_stay_small() {
    for folder in FOLDERS {
        assert_none(&sizes::check(&Source::load(folder)));
    }
}

#[test]
fn files_are_named_declared_and_introduced() {
    let sources = Source::load("src");
    assert_none(&files::check_layout(&sources));
    assert_none(&files::check_declared(&sources));
    for folder in FOLDERS {
        let sources = Source::load(folder);
        assert_none(&files::check_names(&sources));
        assert_none(&files::check_introduced(&sources));
        assert_none(&files::check_ascii(&sources));
    }
}
