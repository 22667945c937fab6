//! The schema: `schema.cql`, cut into versions and statements.

/// The file as it was when this was built.
const TEXT: &str = include_str!("../../../../schema.cql");
/// What the line begins with after which the statements of a version stand.
const VERSION_HEAD: &str = "-- version ";

/// A version of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// Its number; versions are numbered from 1 without gaps.
    pub(super) number: u32,
    /// What leads to it from the version before, in this order. Each may run again.
    pub(super) statements: Vec<String>,
}

/// All versions, lowest first.
pub(super) fn versions() -> Vec<Version> {
    parse(TEXT)
}

fn parse(text: &str) -> Vec<Version> {
    let mut versions: Vec<Version> = Vec::new();
    let mut statement = String::new();
    for line in text.lines() {
        if let Some(number) = line.strip_prefix(VERSION_HEAD).and_then(|n| n.trim().parse().ok()) {
            versions.push(Version { number, statements: Vec::new() });
        }
        let line = line.split("--").next().unwrap_or_default().trim_end();
        if line.is_empty() {
            continue;
        }
        if !statement.is_empty() {
            statement.push('\n');
        }
        statement.push_str(line);
        if statement.ends_with(';') {
            statement.pop();
            let whole = std::mem::take(&mut statement);
            versions.last_mut().into_iter().for_each(|v| v.statements.push(whole.clone()));
        }
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_cut_at_its_versions_and_statements() {
        let text = "-- about\n\n-- version 1\n-- a table\nCREATE TABLE a (\n    b int, -- why\n);\n\
            CREATE TABLE c (d int);\n-- version 2\nALTER TABLE a ADD e int;\n";
        let expected = [
            Version {
                number: 1,
                statements: vec![
                    "CREATE TABLE a (\n    b int,\n)".to_owned(),
                    "CREATE TABLE c (d int)".to_owned(),
                ],
            },
            Version { number: 2, statements: vec!["ALTER TABLE a ADD e int".to_owned()] },
        ];
        assert_eq!(parse(text), expected);
    }

    #[test]
    fn versions_are_numbered_without_gaps_and_their_statements_may_run_again() {
        let versions = versions();
        assert!(!versions.is_empty());
        for (number, version) in (1..).zip(&versions) {
            assert_eq!(version.number, number);
            assert!(!version.statements.is_empty());
            for statement in &version.statements {
                assert!(statement.contains("IF NOT EXISTS"), "{statement}");
            }
        }
    }
}
