//! `[scylla]`: a database that speaks CQL.

use super::{Config, ConfigError, quantity};
use crate::store::scylla;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// `[scylla]`: a database that speaks CQL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scylla {
    /// Where the database is found, `host:port` each.
    pub contact_points: Vec<String>,
    /// The keyspace of everything stored.
    pub keyspace: String,
    /// Who logs in; empty for nobody.
    pub user: String,
    /// The file whose first line is their password.
    pub password_file: PathBuf,
    /// The data centre whose nodes are used; empty where there is but one.
    pub datacenter: String,
    /// How long one statement may take.
    #[serde(with = "quantity::duration")]
    pub timeout: Duration,
    /// The authorities that the nodes' certificates are from; with it connections are encrypted.
    pub tls_authorities: PathBuf,
    /// The certificate that is shown to nodes that ask for one.
    pub tls_certificate: PathBuf,
    /// The private key of that.
    pub tls_key: PathBuf,
}

impl Default for Scylla {
    fn default() -> Self {
        let scylla::Options { contact_points, keyspace, timeout, .. } =
            scylla::Options::new("127.0.0.1:9042", "chasqui");
        Self {
            contact_points,
            keyspace,
            user: String::new(),
            password_file: PathBuf::new(),
            datacenter: String::new(),
            timeout,
            tls_authorities: PathBuf::new(),
            tls_certificate: PathBuf::new(),
            tls_key: PathBuf::new(),
        }
    }
}

impl Config {
    /// What the CQL store is told; reads the files that are named.
    pub fn scylla_options(&self) -> Result<scylla::Options, ConfigError> {
        let section = &self.scylla;
        let datacenter = Some(section.datacenter.clone()).filter(|name| !name.is_empty());
        Ok(scylla::Options {
            contact_points: section.contact_points.clone(),
            user: section.user.clone(),
            password: section.password()?,
            datacenter,
            timeout: section.timeout,
            #[cfg(feature = "cql-tls")]
            tls: section.tls()?,
            ..scylla::Options::new("", &section.keyspace)
        })
    }
}

impl Scylla {
    /// What the types alone do not rule out: whether it holds, the key and what it must be.
    pub(super) fn rules(&self) -> [(bool, &'static str, &'static str); 8] {
        let set = |path: &PathBuf| !path.as_os_str().is_empty();
        let Self { contact_points, keyspace, user, timeout, .. } = self;
        [
            (!contact_points.is_empty(), "scylla.contact_points", "at least one"),
            (
                contact_points.iter().all(|point| is_contact_point(point)),
                "scylla.contact_points",
                "each host:port",
            ),
            (
                is_keyspace(keyspace),
                "scylla.keyspace",
                "a letter, then at most 47 letters, digits and underscores, all lower case",
            ),
            (
                user.is_empty() != set(&self.password_file),
                "scylla.password_file",
                "set if and only if scylla.user is",
            ),
            (
                (TIMEOUT_MIN..=TIMEOUT_MAX).contains(timeout),
                "scylla.timeout",
                "between 1s and 20s: the server's own limits are below it, those of requests above",
            ),
            (
                cfg!(feature = "cql-tls") || !set(&self.tls_authorities),
                "scylla.tls_authorities",
                "empty in a chasqui that was built without the feature cql-tls",
            ),
            (
                set(&self.tls_authorities) || !set(&self.tls_certificate),
                "scylla.tls_certificate",
                "empty unless scylla.tls_authorities is set",
            ),
            (
                set(&self.tls_certificate) == set(&self.tls_key),
                "scylla.tls_key",
                "set if and only if scylla.tls_certificate is",
            ),
        ]
    }

    /// The first line of the password file.
    fn password(&self) -> Result<String, ConfigError> {
        let path = &self.password_file;
        if path.as_os_str().is_empty() {
            return Ok(String::new());
        }
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    /// What connections are encrypted with, if they are.
    #[cfg(feature = "cql-tls")]
    fn tls(&self) -> Result<Option<std::sync::Arc<crate::tls::ClientConfig>>, ConfigError> {
        let Self { tls_authorities, tls_certificate, tls_key, .. } = self.clone();
        if tls_authorities.as_os_str().is_empty() {
            return Ok(None);
        }
        let own = Some((tls_certificate, tls_key)).filter(|(path, _)| !path.as_os_str().is_empty());
        let files = crate::tls::ClientFiles { authorities: tls_authorities, own };
        files.load().map(Some).map_err(ConfigError::DatabaseTls)
    }
}

const TIMEOUT_MIN: Duration = Duration::from_secs(1);
const TIMEOUT_MAX: Duration = Duration::from_secs(20);

/// Whether a text can be a keyspace without quotes.
/// Whether a text can name a keyspace.
pub fn is_keyspace(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.len() <= 48
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(plain)
}

/// Whether a text is `host:port`.
pub fn is_contact_point(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_is_told_is_what_is_set() {
        let folder = tempfile::tempdir().expect("a folder");
        let password_file = folder.path().join("password");
        std::fs::write(&password_file, "secret word\nnot this\n").expect("written");
        let scylla = Scylla {
            contact_points: vec!["a:1".to_owned(), "b:2".to_owned()],
            keyspace: "messages".to_owned(),
            user: "ana".to_owned(),
            password_file,
            datacenter: "east".to_owned(),
            ..Scylla::default()
        };
        let told = Config { scylla, ..Config::default() }.scylla_options().expect("readable");
        assert_eq!(told.contact_points, ["a:1", "b:2"]);
        assert_eq!((told.keyspace.as_str(), told.user.as_str()), ("messages", "ana"));
        assert_eq!(told.password, "secret word");
        assert_eq!(told.datacenter.as_deref(), Some("east"));
    }

    #[test]
    fn without_a_login_there_is_no_password() {
        let told = Config::default().scylla_options().expect("no files");
        assert_eq!((told.user.as_str(), told.password.as_str()), ("", ""));
        assert_eq!(told.datacenter, None);
    }

    #[test]
    fn a_password_file_that_is_not_there_is_named() {
        let scylla = Scylla { password_file: "/nowhere/word".into(), ..Scylla::default() };
        let refused = Config { scylla, ..Config::default() }.scylla_options().expect_err("absent");
        assert!(refused.to_string().contains("/nowhere/word"), "{refused}");
    }

    #[test]
    fn each_rule_is_broken_by_something() {
        let base = Scylla::default();
        assert!(base.rules().iter().all(|(holds, _, _)| *holds));
        let point = |text: &str| Scylla { contact_points: vec![text.to_owned()], ..base.clone() };
        let keyspace = |name: &str| Scylla { keyspace: name.to_owned(), ..base.clone() };
        let wrong = [
            ("scylla.contact_points", Scylla { contact_points: Vec::new(), ..base.clone() }),
            ("scylla.contact_points", point("localhost")),
            ("scylla.contact_points", point("localhost:0")),
            ("scylla.keyspace", keyspace("")),
            ("scylla.keyspace", keyspace("1st")),
            ("scylla.keyspace", keyspace("Chasqui")),
            ("scylla.keyspace", keyspace(&"k".repeat(49))),
            ("scylla.password_file", Scylla { user: "ana".to_owned(), ..base.clone() }),
            ("scylla.timeout", Scylla { timeout: Duration::from_secs(30), ..base.clone() }),
            (
                "scylla.tls_certificate",
                Scylla { tls_certificate: "c".into(), tls_key: "k".into(), ..base.clone() },
            ),
            ("scylla.tls_key", Scylla { tls_key: "k".into(), ..base.clone() }),
        ];
        for (key, section) in wrong {
            let broken = section.rules().into_iter().find(|(holds, _, _)| !holds);
            assert_eq!(broken.map(|(_, key, _)| key), Some(key), "{section:?}");
        }
    }
}
