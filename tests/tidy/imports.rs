//! Which module may use which: the table of `ARCHITECTURE.md`.

use crate::source::{Source, Violation};

/// A module of the crate, what it may use besides itself, and what of that only in part.
struct Rule {
    module: &'static str,
    may_use: &'static [&'static str],
}

/// Modules that compose the others and may use all of them.
const COMPOSERS: [&str; 4] = ["server", "config", "cli", "main"];

const RULES: [Rule; 14] = [
    Rule { module: "model", may_use: &[] },
    Rule { module: "protocol", may_use: &["model"] },
    Rule { module: "session", may_use: &["protocol", "model"] },
    Rule { module: "store", may_use: &["model", "clock", "deferral", "telemetry"] },
    Rule { module: "identity", may_use: &["store", "model", "clock", "telemetry"] },
    Rule { module: "chat", may_use: &["store", "model", "clock", "telemetry"] },
    Rule { module: "backplane", may_use: &["protocol", "model", "clock", "telemetry"] },
    Rule { module: "admission", may_use: &[] },
    Rule {
        module: "shard",
        may_use: &[
            "admission",
            "identity",
            "chat",
            "store",
            "backplane",
            "protocol",
            "session",
            "model",
            "tls",
            "clock",
            "deferral",
            "telemetry",
        ],
    },
    Rule {
        module: "gateway",
        may_use: &["admission", "shard", "protocol", "model", "tls", "clock", "telemetry"],
    },
    Rule { module: "tls", may_use: &[] },
    Rule { module: "clock", may_use: &["model"] },
    Rule { module: "deferral", may_use: &[] },
    Rule { module: "telemetry", may_use: &["model", "clock"] },
];

/// What may be named of a module by all who are not its composers; everything where it is absent.
const FACES: [(&str, &str, &[&str]); 4] = [
    ("gateway", "shard", &["ShardHandle", "LocalShard"]),
    ("identity", "store", STORE_FACE),
    ("chat", "store", STORE_FACE),
    ("shard", "store", &["Store"]),
];

/// The parts of `store` that name a backend; all else is the trait and its types.
const BACKENDS: [&str; 3] = ["Backend", "embedded", "scylla"];

/// Stands for "everything but the backends".
const STORE_FACE: &[&str] = &["*"];

/// Finds uses that the table does not allow.
pub(crate) fn check(sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in sources {
        let module = source.module();
        let Some(&own) = module.first() else { continue };
        if COMPOSERS.contains(&own) {
            continue;
        }
        let Some(rule) = RULES.iter().find(|rule| rule.module == own) else {
            violations
                .push(source.violation(0, format!("module {own} is not in the import table")));
            continue;
        };
        for (path, line) in uses(source) {
            if let Some(what) = breach(rule, &path) {
                violations.push(source.violation(line, what));
            }
        }
    }
    violations
}

fn breach(rule: &Rule, path: &[String]) -> Option<String> {
    let used = path.first()?.as_str();
    let own = rule.module;
    if used == own {
        return None;
    }
    if !rule.may_use.contains(&used) {
        return Some(format!("{own} must not use {used}"));
    }
    let (_, _, face) = FACES.iter().find(|(by, of, _)| *by == own && *of == used)?;
    // `use crate::shard;` alone would open all of it under a name that is not followed here.
    let part = path.get(1).map_or("self", String::as_str);
    let allowed = face.contains(&part)
        || (*face == STORE_FACE && part != "self" && !BACKENDS.contains(&part));
    (!allowed).then(|| format!("{own} must not use {used}::{part}"))
}

/// The paths that start at the crate root, at most two names each, with their lines.
fn uses(source: &Source) -> Vec<(Vec<String>, usize)> {
    let depth = source.module().len();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(token) = source.tokens.get(at) {
        let is_path_start = at.checked_sub(1).is_none_or(|before| !source.reads(before, &["::"]));
        match token.text.as_str() {
            "crate" if source.reads(at + 1, &["::"]) => tree(source, at + 2, &[], &mut found),
            "super" if is_path_start => {
                let mut supers = 1;
                while source.reads(at + 2 * supers - 1, &["::", "super"]) {
                    supers += 1;
                }
                let next = at + 2 * supers;
                if supers == depth + token.inline_mods && source.reads(next - 1, &["::"]) {
                    tree(source, next, &[], &mut found);
                }
                at = next - 1;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads one use tree that begins at `at`; names deeper than two are of no interest.
fn tree(source: &Source, at: usize, prefix: &[String], found: &mut Vec<(Vec<String>, usize)>) {
    let Some(token) = source.tokens.get(at) else { return };
    if token.text == "{" {
        for branch in branches(source, at) {
            tree(source, branch, prefix, found);
        }
        return;
    }
    let mut path = prefix.to_vec();
    path.push(token.text.clone());
    if path.len() < 2 && source.reads(at + 1, &["::"]) {
        tree(source, at + 2, &path, found);
    } else {
        found.push((path, token.line));
    }
}

/// Where the comma-separated parts of the group that opens at `open` begin.
fn branches(source: &Source, open: usize) -> Vec<usize> {
    let mut begins = vec![open + 1];
    let mut depth = 0;
    for (index, token) in source.tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            "," if depth == 1 => begins.push(index + 1),
            _ => {}
        }
        if depth == 0 {
            begins.retain(|begin| *begin < index);
            break;
        }
    }
    begins
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(path: &str, text: &str) -> Vec<String> {
        check(&[Source::new(path, text)]).into_iter().map(|v| v.what).collect()
    }

    #[test]
    fn an_upward_use_is_found_however_it_is_written() {
        let expected = ["protocol must not use chat"];
        for text in [
            "use crate::chat::Chat;",
            "use crate::{model::UserId, chat};",
            "use crate::{model::{UserId, Entry}, chat::{Chat}};",
            "fn f() { crate::chat::g(); }",
            "fn f() { assert!(crate::chat::g()); }",
            "macro_rules! m { () => { $crate::chat::g() } }",
            "use super::super::chat::Chat;",
            "mod inner { use super::super::super::chat::Chat; }",
        ] {
            assert_eq!(breaches("src/protocol/varint.rs", text), expected, "{text}");
        }
        assert_eq!(breaches("src/protocol/mod.rs", "use super::chat::Chat;"), expected);
    }

    #[test]
    fn what_the_table_allows_is_not_found() {
        for text in [
            "use crate::model::UserId;",
            "use super::tlv::Tlv;",
            "mod inner { use super::super::Frame; }",
            "pub(in crate::protocol) fn f() {}",
            "#[cfg(test)]\nmod tests { use crate::chat::Chat; }",
            "use std::fmt;",
        ] {
            assert_eq!(breaches("src/protocol/varint.rs", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn only_the_face_of_a_module_may_be_used() {
        let door = |text| breaches("src/gateway/upgrade.rs", text);
        assert_eq!(door("use crate::shard::{ShardHandle, LocalShard};"), [""; 0]);
        assert_eq!(door("use crate::shard::owner::Owner;"), ["gateway must not use shard::owner"]);
        assert_eq!(door("use crate::shard;"), ["gateway must not use shard::self"]);
        let rules = |text| breaches("src/chat/send.rs", text);
        assert_eq!(rules("use crate::store::{Store, StoreError};"), [""; 0]);
        assert_eq!(
            rules("use crate::store::embedded::Embedded;"),
            ["chat must not use store::embedded"]
        );
    }

    #[test]
    fn a_module_outside_the_table_is_found() {
        assert_eq!(breaches("src/extras.rs", ""), ["module extras is not in the import table"]);
    }
}
