//! How files are named, laid out, declared and introduced.

use crate::source::{Source, Violation};
use std::collections::HashSet;

/// Names that say nothing about what is inside.
const BANNED: [&str; 6] = ["util", "utils", "common", "helper", "helpers", "misc"];

/// Finds files and folders with a name that says nothing.
pub(crate) fn check_names(sources: &[Source]) -> Vec<Violation> {
    let banned = |part: &&str| {
        let stem = part.trim_end_matches(".rs");
        BANNED.iter().any(|name| stem == *name || stem.ends_with(&format!("_{name}")))
    };
    let offender = |source: &Source| {
        let part = source.path.split('/').find(banned)?.to_owned();
        Some(source.violation(0, format!("{part} does not say what is inside")))
    };
    sources.iter().filter_map(offender).collect()
}

/// Finds `foo.rs` beside `foo/`.
pub(crate) fn check_layout(sources: &[Source]) -> Vec<Violation> {
    let folders: HashSet<&str> =
        sources.iter().filter_map(|source| Some(source.path.rsplit_once('/')?.0)).collect();
    let offender = |source: &&Source| folders.contains(source.path.trim_end_matches(".rs"));
    let violation = |source: &Source| source.violation(0, "belongs into its folder as mod.rs");
    sources.iter().filter(offender).map(violation).collect()
}

/// Finds files that no module declares, and modules put elsewhere by a `path` attribute.
pub(crate) fn check_declared(sources: &[Source]) -> Vec<Violation> {
    let mut declared: HashSet<Vec<String>> = HashSet::new();
    declared.insert(Vec::new());
    for source in sources {
        let module: Vec<String> = source.module().iter().map(ToString::to_string).collect();
        for (child, _) in &source.children {
            let mut path = module.clone();
            path.push(child.clone());
            declared.insert(path);
        }
    }
    let mut violations = Vec::new();
    for source in sources {
        let module: Vec<String> = source.module().iter().map(ToString::to_string).collect();
        if !declared.contains(&module) {
            violations.push(source.violation(0, "no module declares this file"));
        }
        for (index, token) in source.tokens.iter().enumerate() {
            if source.reads(index, &["#", "[", "path", "="]) {
                let what = "a module's file follows from its name";
                violations.push(source.violation(token.line, what));
            }
        }
    }
    violations
}

/// Finds files that do not begin by saying what they are.
pub(crate) fn check_introduced(sources: &[Source]) -> Vec<Violation> {
    let silent = |source: &&Source| !source.text.starts_with("//! ");
    let violation = |source: &Source| source.violation(1, "does not begin with a `//!` comment");
    sources.iter().filter(silent).map(violation).collect()
}

/// Finds characters outside ASCII: look-alikes and invisible ones have no place in source.
pub(crate) fn check_ascii(sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in sources {
        for (index, line) in source.text.lines().enumerate() {
            if let Some(character) = line.chars().find(|c| !c.is_ascii()) {
                let what = format!("{} is not ASCII", character.escape_unicode());
                violations.push(source.violation(index + 1, what));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)]) -> Vec<Source> {
        files.iter().map(|(path, text)| Source::new(path, text)).collect()
    }

    fn paths(violations: &[Violation]) -> Vec<&str> {
        violations.iter().map(|violation| violation.path.as_str()).collect()
    }

    #[test]
    fn a_name_that_says_nothing_is_found() {
        let files = [("src/chat/utils.rs", ""), ("src/helpers/a.rs", ""), ("src/chat/send.rs", "")];
        let files = sources(&[files[0], files[1], files[2], ("src/chat/send_helpers.rs", "")]);
        let expected = ["src/chat/utils.rs", "src/helpers/a.rs", "src/chat/send_helpers.rs"];
        assert_eq!(paths(&check_names(&files)), expected);
    }

    #[test]
    fn a_file_beside_its_folder_is_found() {
        let files = sources(&[("src/chat.rs", ""), ("src/chat/send.rs", ""), ("src/a/mod.rs", "")]);
        assert_eq!(paths(&check_layout(&files)), ["src/chat.rs"]);
    }

    #[test]
    fn a_file_that_nothing_declares_is_found() {
        let files = sources(&[
            ("src/lib.rs", "pub mod chat;"),
            ("src/chat/mod.rs", "mod send;\n#[cfg(test)]\nmod tests;"),
            ("src/chat/send.rs", ""),
            ("src/chat/tests.rs", ""),
            ("src/chat/orphan.rs", ""),
        ]);
        assert_eq!(paths(&check_declared(&files)), ["src/chat/orphan.rs"]);
        let elsewhere = sources(&[("src/lib.rs", "#[path = \"x.rs\"] mod chat;")]);
        assert_eq!(paths(&check_declared(&elsewhere)), ["src/lib.rs"]);
    }

    #[test]
    fn a_file_without_introduction_is_found() {
        let files = sources(&[("src/a.rs", "use x;"), ("src/b.rs", "//! Owns b.\n")]);
        assert_eq!(paths(&check_introduced(&files)), ["src/a.rs"]);
    }

    #[test]
    fn characters_outside_ascii_are_found() {
        let files = sources(&[("src/a.rs", "// fine\n// \u{e9}\n")]);
        assert_eq!(check_ascii(&files)[0].line, 2);
    }
}
