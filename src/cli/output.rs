//! What a command prints, and what went wrong.
//!
//! Standard output is for what was asked for, standard error for the rest. A reader that has gone
//! away (`| head`) is no failure.

use std::error::Error;
use std::io::{ErrorKind, Write};

/// Prints a text as it is and hands it on at once.
pub fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Says why a command failed.
pub fn report(error: &dyn Error) {
    let line = format!("chasqui: {}\n", chain(error));
    // There is nowhere left to say that this failed.
    drop(std::io::stderr().lock().write_all(line.as_bytes()));
}

/// An error and its causes, each after its effect.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_follow_their_effects() {
        let source = std::io::Error::other("no such thing");
        let error = crate::config::ConfigError::Unreadable { path: "a.toml".into(), source };
        assert_eq!(chain(&error), "a.toml could not be read: no such thing");
    }
}
