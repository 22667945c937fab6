//! The command line: what can be asked for, and how it ends.
//!
//! Owns arguments, output and exit statuses. What a command does is elsewhere: `config` for
//! settings, [`mod@user`] for accounts, [`mod@healthcheck`] for asking a server how it is,
//! [`mod@store`] for copying and restoring, [`schema`] for the tables of a database, and serving is handed to
//! [`serve`].

mod failure;
pub mod healthcheck;
pub mod output;
pub mod schema;
pub mod store;
pub mod user;

pub use failure::Failure;

use crate::clock::Clock;
use crate::config::{Config, ConfigError, Flag, Layers, Origin, Scratch, parse_duration};
use crate::identity::{Identity, Keys};
use crate::store::{Backend, OpenError, Options, Store};
use crate::telemetry;
use clap::{Args, Parser, Subcommand};
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use store::StoreCommand;

/// A self-hosted messenger server.
#[derive(Debug, Parser)]
#[command(
    name = "chasqui",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Exit status: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration."
)]
pub struct Cli {
    /// What is asked for.
    #[command(subcommand)]
    pub command: Command,
}

/// What is asked for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve.
    Serve(Settings),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Manage accounts, on a data folder that no server holds.
    #[command(subcommand)]
    User(UserCommand),
    /// Look after stores that no server holds.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Look after the tables of a database that speaks CQL.
    #[command(subcommand)]
    Schema(schema::SchemaCommand),
    /// Ask a running server whether it takes work: status 0 if it does.
    #[command(after_help = HEALTHCHECK_NOTE)]
    Healthcheck(Healthcheck),
}

/// Looking at the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every setting with where it came from, as a TOML file.
    Show(Settings),
    /// Only check it; says nothing if it is valid.
    Check(Settings),
}

/// Managing accounts.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Create an account, or many for a load test.
    #[command(after_help = CREATE_EXAMPLES)]
    Create(CreateUser),
}

const CREATE_EXAMPLES: &str = "Examples:
  chasqui user create ana --data /var/lib/chasqui
  chasqui user create --count 1000 --prefix load --tokens tokens.jsonl --expires-in 12h

A tokens file holds one JSON object a line: username, user, device, access_token, refresh_token.
Accounts made with --tokens have no password: their tokens are the only way in.";

const HEALTHCHECK_NOTE: &str = "It asks /readyz of the first address in server.listen, this machine's \
own where that is every address; with tls.certificate set through TLS, whoever the certificate is for. \
Give it the configuration of the server: the same file and environment.";

/// Asking a running server.
#[derive(Debug, Args)]
pub struct Healthcheck {
    /// A TOML file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Ask here and not at the first address in server.listen.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub address: Option<SocketAddr>,
    /// How long the answer may take.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = parse_duration)]
    pub timeout: Duration,
}

/// Where settings come from, and the flags that set one.
#[derive(Debug, Default, Args)]
pub struct Settings {
    /// A TOML file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// For trying things out: demo accounts, and a temporary data folder unless one is set.
    #[arg(long)]
    pub dev: bool,
    /// Where to listen, several by commas; port 0 takes any free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// The data folder.
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<String>,
    /// How many shards; 0 for one per core.
    #[arg(long, value_name = "COUNT")]
    pub shards: Option<String>,
}

/// One account by name, or many.
#[derive(Debug, Args)]
pub struct CreateUser {
    /// The user name.
    #[arg(required_unless_present = "count", conflicts_with = "count")]
    pub username: Option<String>,
    /// The name for people; the user name where absent.
    #[arg(long, value_name = "NAME", conflicts_with = "count")]
    pub display_name: Option<String>,
    /// Read the password from the first line of standard input instead of making one up.
    #[arg(long, conflicts_with = "count")]
    pub password_stdin: bool,
    /// How many accounts to create, called PREFIX1, PREFIX2, ...
    #[arg(long, conflicts_with = "username", requires = "tokens", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub count: Option<u32>,
    /// What their names begin with.
    #[arg(long, default_value = "load", requires = "count", conflicts_with = "username")]
    pub prefix: String,
    /// The file, not there yet, that takes their tokens, readable by its owner alone.
    #[arg(long, value_name = "FILE", requires = "count", conflicts_with = "username")]
    pub tokens: Option<PathBuf>,
    /// How long their access tokens are valid.
    #[arg(long, value_name = "DURATION", default_value = "15m", requires = "count",
        conflicts_with = "username", value_parser = parse_duration)]
    pub expires_in: Duration,
    /// A TOML file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data folder.
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<String>,
}

impl Settings {
    /// Every setting with where it came from.
    pub fn layers(self) -> Result<Layers, ConfigError> {
        let Self { config, dev, listen, data, shards } = self;
        let mut layers = Layers::new(dev);
        if let Some(path) = config {
            layers.file(&path)?;
        }
        layers.environment()?;
        let flags = [
            ("--listen", "server.listen", listen),
            ("--data", "store.path", data),
            ("--shards", "server.shards", shards),
        ];
        let given = flags
            .into_iter()
            .filter_map(|(name, key, value)| Some(Flag { name, key, value: value? }));
        layers.flags(given)?;
        Ok(layers)
    }

    /// The configuration, and whether its data is to be kept: with `--dev` and no data folder set,
    /// it is not.
    pub fn load(self) -> Result<(Config, bool), ConfigError> {
        let dev = self.dev;
        let layers = self.layers()?;
        let kept = !dev || layers.origin("store.path") != Some(&Origin::Default);
        Ok((layers.config()?, kept))
    }
}

/// Performs `serve`: sets logging up and runs `run` with the configuration and whether `--dev` was
/// given. A data folder that is not to be kept is made before and removed after it.
pub fn serve<E>(
    settings: Settings,
    run: impl FnOnce(Config, bool) -> Result<(), E>,
) -> Result<(), Failure>
where
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let dev = settings.dev;
    let (config, kept) = settings.load()?;
    config.check_files()?;
    telemetry::start(&config.telemetry_settings())?;
    let scratch = if kept { None } else { Some(Scratch::create()?) };
    let config = match &scratch {
        Some(scratch) => config.with_data(scratch.path()),
        None => config,
    };
    run(config, dev).map_err(|error| Failure::Other(error.into()))
}

/// Performs `user`.
pub fn user(command: UserCommand) -> Result<(), Failure> {
    let UserCommand::Create(request) = command;
    let settings = Settings {
        config: request.config.clone(),
        data: request.data.clone(),
        ..Settings::default()
    };
    perform(settings, async |config| {
        let store = open_store(&config.store_options()?).await?;
        let keys = Keys::open(&config.key_file())?;
        let clock = Clock::new(store.latest_time().await?);
        let identity = Identity::new(store.clone(), keys, config.identity_settings());
        let created = user::create(&identity, clock.now(), &request, std::io::stdin().lock()).await;
        store.close().await;
        Ok(created?)
    })
}

/// Does work over what is configured, and prints what it tells.
fn perform(
    settings: Settings,
    work: impl AsyncFnOnce(&Config) -> Result<String, Failure>,
) -> Result<(), Failure> {
    let (config, _) = settings.load()?;
    telemetry::start(&config.telemetry_settings())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let told = runtime.block_on(work(&config))?;
    Ok(output::print(&told)?)
}

/// Opens a store for a command, which waits for a database that is not there.
async fn open_store(options: &Options) -> Result<Backend, OpenError> {
    let waiting = |error: &dyn Error| {
        tracing::warn!(why = output::chain(error), "waiting for the store");
    };
    let fatal = |failure: &_| tracing::error!(%failure, "store failed");
    Backend::open(options, waiting, fatal).await
}

/// Performs `store`.
pub fn store(command: StoreCommand) -> Result<(), Failure> {
    let settings = Settings { config: command.config(), ..Settings::default() };
    perform(settings, async |config| store::perform(config, command).await)
}

/// Performs `healthcheck`.
pub fn healthcheck(request: Healthcheck) -> Result<(), Failure> {
    let settings = Settings { config: request.config, ..Settings::default() };
    let (config, _) = settings.load()?;
    Ok(healthcheck::check(&config, request.address, request.timeout)?)
}

/// Performs `config`.
pub fn config(command: ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Show(settings) => {
            let layers = settings.layers()?;
            layers.config()?;
            output::print(&layers.to_string())?;
        }
        ConfigCommand::Check(settings) => {
            settings.layers()?.config()?.check_files()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definition_holds_together() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_set_their_keys() {
        let line = "chasqui config show --dev --listen 127.0.0.1:0 --data here --shards 3";
        let Command::Config(ConfigCommand::Show(settings)) = parse(line).expect("valid").command
        else {
            panic!("another command")
        };
        let (config, kept) = settings.load().expect("valid");
        assert_eq!((config.server.listen.all()[0].port(), config.server.shards), (0, 3));
        assert_eq!(config.store.path, PathBuf::from("here"));
        assert!(kept);
    }

    #[test]
    fn only_a_trial_without_a_data_folder_keeps_nothing() {
        let load = |dev, data: Option<&str>| {
            let data = data.map(str::to_owned);
            Settings { dev, data, ..Settings::default() }.load().expect("valid").1
        };
        assert!(!load(true, None));
        assert!(load(true, Some("here")) && load(false, None) && load(false, Some("here")));
    }

    #[test]
    fn one_account_or_many_but_not_both() {
        for good in ["ana", "ana --password-stdin --data d", "--count 5 --tokens t --expires-in 2h"]
        {
            assert!(parse(&format!("chasqui user create {good}")).is_ok(), "{good}");
        }
        for wrong in [
            "",
            "ana --count 5 --tokens t",
            "--count 5",
            "--count 0 --tokens t",
            "--tokens t",
            "ana --tokens t",
            "--count 5 --tokens t --password-stdin",
            "--count 5 --tokens t --expires-in soon",
        ] {
            assert!(parse(&format!("chasqui user create {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_trial_runs_on_a_folder_that_is_gone_afterwards() {
        let settings = Settings { dev: true, ..Settings::default() };
        let mut used = PathBuf::new();
        let served = serve(settings, |config, dev| {
            assert!(dev && config.store.path.is_dir());
            used = config.store.path;
            Err::<(), _>("stopped")
        });
        assert_eq!(served.expect_err("stopped").to_string(), "stopped");
        assert!(used.is_absolute() && !used.exists());
    }
}
