//! Where settings come from: defaults, then a file, the environment and flags, each over the last.
//!
//! The default configuration is the schema: its keys are the keys there are, and the type of a
//! default tells how a text from the environment or a flag is read. An unknown key or a bad value
//! is refused at once, with the place it came from.

use super::Config;
use crate::tls::LoadError;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The environment variable of `section.key` is this, `SECTION__KEY`.
const PREFIX: &str = "CHASQUI_";

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// `--dev` has another default.
    Dev,
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Dev => f.write_str("default of --dev"),
            Self::File(path) => path.display().fmt(f),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A flag that sets one key.
#[derive(Clone, Debug)]
pub struct Flag {
    /// Its name, dashes included.
    pub name: &'static str,
    /// The key it sets.
    pub key: &'static str,
    /// What was given.
    pub value: String,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{path} could not be read")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path}: {reason}")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// There is no such key.
    #[error("unknown key {key} ({origin}){}", suggest(.nearest.as_deref()))]
    Unknown {
        /// The key.
        key: String,
        /// Who set it.
        origin: Origin,
        /// The key that was probably meant.
        nearest: Option<String>,
    },
    /// The certificate or its key cannot be used.
    #[error("[tls]: {0}")]
    Certificate(#[from] LoadError),
    /// What connections to the database are to be encrypted with cannot be used.
    #[error("[scylla]")]
    DatabaseTls(#[source] LoadError),
    /// The key cannot have this value.
    #[error("{key} ({origin}): {reason}")]
    Value {
        /// The key.
        key: String,
        /// Who set it.
        origin: Origin,
        /// Why not.
        reason: String,
    },
}

fn suggest(nearest: Option<&str>) -> String {
    nearest.map(|key| format!("; did you mean {key}?")).unwrap_or_default()
}

/// Every key with its value and where that came from.
#[derive(Clone, Debug)]
pub struct Layers {
    settings: BTreeMap<String, (Value, Origin)>,
}

impl Layers {
    /// The defaults; with `dev` those for trying things out: a drain that keeps nobody waiting.
    pub fn new(dev: bool) -> Self {
        let mut settings: BTreeMap<_, _> =
            schema().into_iter().map(|(key, value)| (key, (value, Origin::Default))).collect();
        if dev {
            for (key, value) in [("server.goaway_spread", "1s"), ("server.drain_grace", "3s")] {
                settings.insert(key.to_owned(), (Value::String(value.to_owned()), Origin::Dev));
            }
        }
        Self { settings }
    }

    /// Puts a TOML file over what is there.
    pub fn file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.into(), source })?;
        let syntax = |reason: String| ConfigError::Syntax { path: path.into(), reason };
        let table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| syntax(error.to_string().trim_end().to_owned()))?;
        let origin = Origin::File(path.into());
        for (section, content) in table {
            let Value::Table(content) = content else {
                return Err(self.unknown(section, origin));
            };
            for (key, value) in content {
                self.set(&format!("{section}.{key}"), value, origin.clone())?;
            }
        }
        Ok(())
    }

    /// Puts the process's environment over what is there.
    pub fn environment(&mut self) -> Result<(), ConfigError> {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        self.variables(std::env::vars_os().map(|(name, value)| (text(name), text(value))))
    }

    /// Puts variables named like `CHASQUI_SERVER__LISTEN` over what is there, in any order; others
    /// are not settings.
    pub fn variables(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), ConfigError> {
        for (name, value) in variables {
            let path = name.strip_prefix(PREFIX).and_then(|path| path.split_once("__"));
            let Some((section, key)) = path else { continue };
            let key = format!("{section}.{key}").to_ascii_lowercase();
            self.set_text(&key, &value, Origin::Environment(name))?;
        }
        Ok(())
    }

    /// Puts flags over what is there.
    pub fn flags(&mut self, flags: impl IntoIterator<Item = Flag>) -> Result<(), ConfigError> {
        flags
            .into_iter()
            .try_for_each(|flag| self.set_text(flag.key, &flag.value, Origin::Flag(flag.name)))
    }

    /// Where the value of a key came from; `None` if there is no such key.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.settings.get(key).map(|(_, origin)| origin)
    }

    /// The configuration, checked as a whole.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let settings = self.settings.iter().map(|(key, (value, _))| (key.clone(), value.clone()));
        let config = read(settings).map_err(|reason| self.wrong("config", reason))?;
        config.check().map_err(|(key, rule)| self.wrong(key, format!("must be {rule}")))?;
        Ok(config)
    }

    fn wrong(&self, key: &str, reason: String) -> ConfigError {
        let origin = self.origin(key).cloned().unwrap_or(Origin::Default);
        ConfigError::Value { key: key.to_owned(), origin, reason }
    }

    fn set_text(&mut self, key: &str, text: &str, origin: Origin) -> Result<(), ConfigError> {
        let Some((default, _)) = self.settings.get(key) else {
            return Err(self.unknown(key.to_owned(), origin));
        };
        let value = match default {
            Value::Integer(_) => text.trim().parse().map(Value::Integer).ok(),
            Value::Boolean(_) => text.trim().parse().map(Value::Boolean).ok(),
            Value::Array(_) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Some(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
            }
            Value::String(_) | Value::Float(_) | Value::Datetime(_) | Value::Table(_) => None,
        };
        // A number that is none is told so by its type, as in a file.
        self.set(key, value.unwrap_or_else(|| Value::String(text.to_owned())), origin)
    }

    fn set(&mut self, key: &str, value: Value, origin: Origin) -> Result<(), ConfigError> {
        if !self.settings.contains_key(key) {
            return Err(self.unknown(key.to_owned(), origin));
        }
        // Read alone, so that what is wrong with it is not blamed on another key.
        if let Err(reason) = read([(key.to_owned(), value.clone())]) {
            return Err(ConfigError::Value { key: key.to_owned(), origin, reason });
        }
        self.settings.insert(key.to_owned(), (value, origin));
        Ok(())
    }

    fn unknown(&self, key: String, origin: Origin) -> ConfigError {
        let near = |known: &&String| distance(known, &key) <= 3 || same_name(known, &key);
        let nearest = self.settings.keys().filter(near).min_by_key(|known| distance(known, &key));
        ConfigError::Unknown { nearest: nearest.cloned(), key, origin }
    }
}

/// As TOML, each value with where it came from.
impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut current = "";
        for (path, (value, origin)) in &self.settings {
            let (section, key) = path.split_once('.').unwrap_or(("", path));
            if section != current {
                let gap = if current.is_empty() { "" } else { "\n" };
                writeln!(f, "{gap}[{section}]")?;
                current = section;
            }
            let mut line = String::new();
            write!(line, "{key} = {value}")?;
            writeln!(f, "{line:<48} # {origin}")?;
        }
        Ok(())
    }
}

/// Every key of the default configuration with its value.
fn schema() -> BTreeMap<String, Value> {
    let Ok(sections) = Table::try_from(Config::default()) else { return BTreeMap::new() };
    let mut keys = BTreeMap::new();
    for (section, content) in sections {
        let Value::Table(content) = content else { continue };
        keys.extend(content.into_iter().map(|(key, value)| (format!("{section}.{key}"), value)));
    }
    keys
}

/// The configuration with these settings over the defaults.
fn read(settings: impl IntoIterator<Item = (String, Value)>) -> Result<Config, String> {
    let mut table = Table::new();
    for (path, value) in settings {
        let (section, key) = path.split_once('.').unwrap_or((&path, ""));
        let content = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(content) = content {
            content.insert(key.to_owned(), value);
        }
    }
    table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())
}

/// Whether two keys differ in their section alone.
fn same_name(one: &str, other: &str) -> bool {
    let name = |key: &str| key.rsplit_once('.').map(|(_, name)| name.to_owned());
    name(one).is_some() && name(one) == name(other)
}

/// How many characters must be put in, taken out or replaced to make one text the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (index, a) in one.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        for (b, cell) in other.chars().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(a != b);
            diagonal = *cell;
            left = replaced.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests;
