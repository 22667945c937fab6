//! What some files must never name: I/O and runtimes in the pure layers, the clock and the
//! environment anywhere but in the one module that reads each.

use crate::source::{Source, Violation};

const PURE: [&str; 3] = ["model", "protocol", "session"];

/// Crates that do I/O or run tasks.
const IMPURE_CRATES: [&str; 12] = [
    "tokio",
    "futures",
    "hyper",
    "hyper_util",
    "axum",
    "tower",
    "fastwebsockets",
    "rustix",
    "mio",
    "socket2",
    "fjall",
    "tracing",
];

/// Parts of `std` that do I/O, run threads or read the machine.
const IMPURE_STD: [&str; 8] = ["net", "fs", "io", "os", "thread", "process", "env", "sync"];

/// Finds async code, I/O and runtimes in the pure layers.
pub(crate) fn check_layers(sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in sources {
        let module = source.module();
        let Some(layer) = module.first().filter(|first| PURE.contains(first)) else { continue };
        for (index, token) in source.tokens.iter().enumerate() {
            let name = token.text.as_str();
            let follows_path = index.checked_sub(1).is_some_and(|i| source.reads(i, &["::"]));
            let is_crate =
                IMPURE_CRATES.contains(&name) && !follows_path && source.reads(index + 1, &["::"]);
            let std_part =
                (name == "std" || name == "core").then(|| impure_part(source, index)).flatten();
            if matches!(name, "async" | "await" | "Instant" | "SystemTime") || is_crate {
                violations
                    .push(source.violation(token.line, format!("{layer} must not use {name}")));
            } else if let Some(part) = std_part {
                let what = format!("{layer} must not use {name}::{part}");
                violations.push(source.violation(token.line, what));
            }
        }
    }
    violations
}

/// The forbidden part that a path or use tree which begins at `at` names first.
fn impure_part(source: &Source, at: usize) -> Option<&'static str> {
    let part_at = |i: usize| IMPURE_STD.into_iter().find(|part| source.reads(i, &[part]));
    if !source.reads(at + 1, &["::", "{"]) {
        return source.reads(at + 1, &["::"]).then(|| part_at(at + 2)).flatten();
    }
    let rest = source.tokens.iter().enumerate().skip(at + 3);
    let tree = rest.take_while(|(_, token)| token.text != ";");
    let mut begins =
        tree.filter(|(i, _)| source.reads(i - 1, &["{"]) || source.reads(i - 1, &[","]));
    begins.find_map(|(i, _)| part_at(i))
}

/// What reads something ambient, and the one module that may.
const AMBIENT: [(&[&str], &str); 6] = [
    (&["Instant", "::", "now"], "clock"),
    (&["SystemTime", "::", "now"], "clock"),
    (&["env", "::", "var"], "config"),
    (&["env", "::", "var_os"], "config"),
    (&["env", "::", "vars"], "config"),
    (&["env", "::", "vars_os"], "config"),
];

/// Finds reads of the clock or the environment outside the one module for each.
pub(crate) fn check_ambient(sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in sources {
        let module = source.module();
        let own = module.first().copied().unwrap_or_default();
        for (index, token) in source.tokens.iter().enumerate() {
            for (texts, home) in AMBIENT {
                if own != home && source.reads(index, texts) {
                    let what = format!("only {home} may call {}", texts.concat());
                    violations.push(source.violation(token.line, what));
                }
            }
            let renamed = source.reads(index + 1, &["as"]) && own != "clock";
            if renamed && matches!(token.text.as_str(), "Instant" | "SystemTime") {
                let what = format!("{} must keep its name", token.text);
                violations.push(source.violation(token.line, what));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(violations: Vec<Violation>) -> Vec<String> {
        violations.into_iter().map(|v| v.what).collect()
    }

    #[test]
    fn io_in_a_pure_layer_is_found() {
        for (text, expected) in [
            ("async fn f() {}", "session must not use async"),
            ("use tokio::net::TcpStream;", "session must not use tokio"),
            ("use std::net::SocketAddr;", "session must not use std::net"),
            ("use std::{fmt, net::SocketAddr};", "session must not use std::net"),
            ("fn f(at: std::time::Instant) {}", "session must not use Instant"),
        ] {
            let source = Source::new("src/session/mod.rs", text);
            assert_eq!(whats(check_layers(&[source])), [expected], "{text}");
        }
    }

    #[test]
    fn io_elsewhere_and_pure_code_are_not_found() {
        for (path, text) in [
            ("src/shard/mod.rs", "async fn f() { tokio::spawn(g()); }"),
            ("src/session/mod.rs", "use std::{fmt, time::Duration};"),
            ("src/session/mod.rs", "#[cfg(test)]\nmod tests { use std::net::SocketAddr; }"),
        ] {
            assert_eq!(whats(check_layers(&[Source::new(path, text)])), [""; 0], "{text}");
        }
    }

    #[test]
    fn ambient_reads_are_found_outside_their_module() {
        let text = "fn f() { let t = std::time::Instant::now(); let e = std::env::var(\"X\"); }";
        assert_eq!(
            whats(check_ambient(&[Source::new("src/chat/mod.rs", text)])),
            ["only clock may call Instant::now", "only config may call env::var"]
        );
        assert_eq!(
            whats(check_ambient(&[Source::new("src/clock.rs", text)])),
            ["only config may call env::var"]
        );
        let renamed = Source::new("src/chat/mod.rs", "use std::time::Instant as Moment;");
        assert_eq!(whats(check_ambient(&[renamed])), ["Instant must keep its name"]);
    }
}
