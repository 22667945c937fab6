//! Each layer over the last, what is refused with which place, and what is shown and documented.

use super::*;
use std::time::Duration;

fn file(layers: &mut Layers, text: &str) -> Result<(), ConfigError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("chasqui.toml");
    std::fs::write(&path, text).expect("written");
    layers.file(&path)
}

fn variable(name: &str, value: &str) -> [(String, String); 1] {
    [(name.to_owned(), value.to_owned())]
}

fn flag(name: &'static str, key: &'static str, value: &str) -> [Flag; 1] {
    [Flag { name, key, value: value.to_owned() }]
}

#[test]
fn the_defaults_are_valid_and_complete() {
    let layers = Layers::new(false);
    assert_eq!(layers.config().expect("valid"), Config::default());
    assert!(layers.settings.len() > 20);
    assert!(Layers::new(true).config().is_ok());
}

#[test]
fn each_layer_wins_over_those_before_it() {
    let mut layers = Layers::new(true);
    file(&mut layers, "[server]\nshards = 1\ngoaway_spread = \"2s\"\n[log]\nfilter = \"warn\"")
        .expect("valid");
    layers.variables(variable("CHASQUI_SERVER__SHARDS", "2")).expect("valid");
    let config = layers.config().expect("valid");
    assert_eq!((config.server.shards, config.log.filter.as_str()), (2, "warn"));
    assert_eq!(config.server.goaway_spread, Duration::from_secs(2));
    assert_eq!(config.server.drain_grace, Duration::from_secs(3), "of --dev");
    layers.flags(flag("--shards", "server.shards", "3")).expect("valid");
    assert_eq!(layers.config().expect("valid").server.shards, 3);
    assert_eq!(layers.origin("server.shards"), Some(&Origin::Flag("--shards")));
}

#[test]
fn text_is_read_as_the_type_of_its_key() {
    let mut layers = Layers::new(false);
    let origins = "https://a.example, http://localhost:3000";
    layers.variables(variable("CHASQUI_SERVER__ORIGINS", origins)).expect("valid");
    layers.variables(variable("CHASQUI_STORE__PATH", "123")).expect("valid");
    layers.variables(variable("CHASQUI_STORE__CACHE_BYTES", "1GiB")).expect("valid");
    let config = layers.config().expect("valid");
    assert_eq!(config.server.origins, ["https://a.example", "http://localhost:3000"]);
    assert_eq!(config.store.path, Path::new("123"));
    assert_eq!(config.store.cache_bytes, 1 << 30);
    let refused = layers.variables(variable("CHASQUI_SERVER__SHARDS", "many"));
    let refused = refused.expect_err("no number").to_string();
    assert!(refused.starts_with("server.shards (CHASQUI_SERVER__SHARDS): "), "{refused}");
}

#[test]
fn an_unknown_key_is_refused_with_the_one_that_was_meant() {
    let cases = [
        ("[server]\nlisten_on = \"x\"", "server.listen_on", Some("server.listen")),
        ("[server]\nlisen = \"x\"", "server.lisen", Some("server.listen")),
        (
            "[websocket]\nheader_timeout = \"1s\"",
            "websocket.header_timeout",
            Some("http.header_timeout"),
        ),
        ("[servers]\nshards = 1", "servers.shards", Some("server.shards")),
        ("[store]\nturbo_mode = true", "store.turbo_mode", None),
        ("listen = \"x\"", "listen", None),
        ("[server.listen]\nport = 1", "", None),
    ];
    for (text, expected, meant) in cases {
        let refused = file(&mut Layers::new(false), text).expect_err(text);
        if let ConfigError::Unknown { key, nearest, .. } = refused {
            assert_eq!((key.as_str(), nearest.as_deref()), (expected, meant), "{text}");
        } else {
            assert!(expected.is_empty(), "{text}: {refused}");
        }
    }
    let mut layers = Layers::new(false);
    assert!(layers.variables(variable("CHASQUI_SERVER__PORT", "1")).is_err());
    assert!(layers.variables(variable("CHASQUI_ROUNDS", "1")).is_ok(), "no setting");
}

#[test]
fn a_bad_value_is_refused_with_its_key_and_place() {
    for (text, key) in [
        ("[server]\nlisten = \"nowhere\"", "server.listen"),
        ("[server]\nshards = -1", "server.shards"),
        ("[server]\nshards = \"2\"", "server.shards"),
        ("[http]\nheader_timeout = 10", "http.header_timeout"),
        ("[http]\nbody_bytes_max = \"lots\"", "http.body_bytes_max"),
        ("[log]\nformat = \"xml\"", "log.format"),
    ] {
        let refused = file(&mut Layers::new(false), text).expect_err(text);
        assert!(
            matches!(&refused, ConfigError::Value { key: found, .. } if found == key),
            "{text}: {refused}"
        );
        assert!(refused.to_string().contains("chasqui.toml"), "{refused}");
    }
    let refused = file(&mut Layers::new(false), "[server\n").expect_err("no TOML");
    assert!(matches!(refused, ConfigError::Syntax { .. }));
}

#[test]
fn what_only_the_whole_tells_is_refused_too() {
    for (key, value) in [
        ("server.shards", "5000"),
        ("server.origins", "https://a.example/chat"),
        ("server.origins", "a.example"),
        ("http.connections_max", "0"),
        ("http.header_timeout", "0s"),
        ("http.body_bytes_max", "1KiB"),
        ("websocket.message_bytes_max", "2MiB"),
        ("websocket.body_bytes_max", "64KiB"),
        ("websocket.outbox_bytes_max", "64KiB"),
        ("websocket.sends_max", "0"),
        ("websocket.device_connections_max", "0"),
        ("websocket.ping_default", "1h"),
        ("store.path", ""),
        ("store.memtable_bytes", "1KiB"),
        ("store.sync_interval", "101ms"),
        ("scylla.keyspace", "1st"),
        ("identity.access_token_life", "0s"),
        ("log.filter", "chasqui=loud"),
    ] {
        let mut layers = Layers::new(false);
        layers.flags(flag("--test", key, value)).expect("each alone has the right type");
        let refused = layers.config().expect_err(key).to_string();
        assert!(refused.starts_with(&format!("{key} (--test): must be ")), "{refused}");
    }
}

#[test]
fn what_is_shown_can_be_read_back() {
    let mut layers = Layers::new(false);
    layers.flags(flag("--data", "store.path", "a \"b\" # c")).expect("valid");
    layers.variables(variable("CHASQUI_SERVER__ORIGINS", "https://a.example")).expect("valid");
    let shown = layers.to_string();
    assert!(shown.contains("# CHASQUI_SERVER__ORIGINS"), "{shown}");
    let mut read = Layers::new(false);
    file(&mut read, &shown).expect("TOML");
    assert_eq!(read.config().expect("valid"), layers.config().expect("valid"));
}

#[test]
fn the_documentation_names_every_key_with_its_default() {
    let documentation = include_str!("../../../docs/configuration.md");
    let rows: Vec<(&str, &str)> = documentation
        .lines()
        .filter_map(|line| {
            let (key, rest) = line.strip_prefix("| `")?.split_once("` | `")?;
            Some((key, rest.split_once("` |")?.0))
        })
        .collect();
    let keys = schema();
    for (key, value) in &keys {
        let value = value.to_string();
        assert!(rows.contains(&(key, &value)), "no row | `{key}` | `{value}` | ...");
    }
    for (key, _) in rows {
        assert!(keys.contains_key(key), "{key} is documented and does not exist");
    }
}
