//! Logging: human on a terminal, JSON otherwise, always on standard error.
//!
//! What is logged is decided where it happens; no event carries a body, a password or a token, and
//! the types of secrets show nothing when printed.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Human on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// What can be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What is logged, as `level` or `target=level`, separated by commas.
    pub filter: String,
    /// How it looks.
    pub format: Format,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter has a part that means nothing.
    #[error("the log filter is not valid: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// It has been set up before.
    #[error("logging has been set up before")]
    Again,
}

/// Sets logging up for the whole process.
pub fn start(settings: &Settings) -> Result<(), TelemetryError> {
    let terminal = std::io::stderr().is_terminal();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter(&settings.filter)?)
        .with_writer(std::io::stderr)
        .with_ansi(terminal);
    let human = match settings.format {
        Format::Auto => terminal,
        Format::Human => true,
        Format::Json => false,
    };
    let started = if human {
        subscriber.with_target(false).try_init()
    } else {
        subscriber.json().flatten_event(true).try_init()
    };
    started.map_err(|_set| TelemetryError::Again)
}

/// Whether a filter is valid.
pub fn check(text: &str) -> Result<(), TelemetryError> {
    filter(text).map(|_| ())
}

/// What the driver of the CQL store may log unless a filter names it: of its connections it tells much
/// that asks for nothing to be done.
const DRIVER: &str = "scylla=warn,scylla::network=error";

fn filter(text: &str) -> Result<EnvFilter, TelemetryError> {
    Ok(EnvFilter::builder().parse(format!("{DRIVER},{text}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("not poisoned").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_filter_names_levels_and_targets() {
        for good in ["info", "warn,chasqui=debug", "chasqui::shard=trace,error", ""] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["chasqui=loud", "a=b=c"] {
            assert!(matches!(check(bad), Err(TelemetryError::Filter(_))), "{bad}");
        }
    }

    #[test]
    fn the_driver_is_quiet_unless_it_is_named() {
        let logs = |text: &str, is_warning| {
            let lines = Lines::default();
            let writer = lines.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_env_filter(filter(text).expect("a filter"))
                .with_writer(move || writer.clone())
                .finish();
            tracing::subscriber::with_default(subscriber, || {
                if is_warning {
                    tracing::warn!(target: "scylla::cluster", "told");
                } else {
                    tracing::info!(target: "scylla::cluster", "told");
                }
            });
            !lines.0.lock().expect("not poisoned").is_empty()
        };
        assert!(logs("info", true));
        assert!(!logs("info", false));
        assert!(logs("info,scylla=info", false));
        assert!(logs("scylla::cluster=info", false));
    }

    #[test]
    fn secrets_in_an_event_show_nothing() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_env_filter(filter("trace").expect("a level"))
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let command = crate::model::Command::Register {
                username: crate::model::Username::new("ana").expect("a name"),
                password: crate::model::Password::new("correct horse").expect("long enough"),
                display_name: None,
                device_name: crate::model::DeviceName::default(),
            };
            let token = crate::model::Secret::new("eyJhbGciOi");
            tracing::info!(?command, ?token, "secrets");
        });
        let logged = String::from_utf8(lines.0.lock().expect("not poisoned").clone());
        let logged = logged.expect("JSON");
        assert!(logged.contains("Register") && logged.contains("ana"), "{logged}");
        assert!(!logged.contains("correct horse") && !logged.contains("eyJ"), "{logged}");
    }
}
