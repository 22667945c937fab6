//! Why a command failed, and the exit status that tells.

use super::{healthcheck, store, user};
use crate::config::ConfigError;
use crate::identity::KeysError;
use crate::store::copy::CopyError;
use crate::store::scylla::schema::SchemaError;
use crate::store::{OpenError, StoreError};
use crate::telemetry::TelemetryError;
use std::error::Error;
use std::process::ExitCode;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is no valid configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Accounts could not be created.
    #[error(transparent)]
    User(#[from] user::UserError),
    /// The tables of the database are not as they should be.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The server does not take work, or is not there.
    #[error(transparent)]
    Unhealthy(#[from] healthcheck::Unhealthy),
    /// The system refused something.
    #[error(transparent)]
    System(#[from] std::io::Error),
    /// The store does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store refused something.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store was not copied.
    #[error("not copied")]
    Copy(#[from] CopyError),
    /// The store did not begin a new life.
    #[error(transparent)]
    Restored(#[from] store::RestoredError),
    /// The signing keys could not be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Logging could not be set up.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// What was started has failed.
    #[error(transparent)]
    Other(Box<dyn Error + Send + Sync>),
}

impl Failure {
    /// The exit status: 78 (`EX_CONFIG`) for a wrong configuration, else 1.
    pub fn status(&self) -> ExitCode {
        match self {
            Self::Config(_) => ExitCode::from(78),
            Self::User(_)
            | Self::Schema(_)
            | Self::Unhealthy(_)
            | Self::System(_)
            | Self::Open(_)
            | Self::Store(_)
            | Self::Copy(_)
            | Self::Restored(_)
            | Self::Keys(_)
            | Self::Telemetry(_)
            | Self::Other(_) => ExitCode::FAILURE,
        }
    }
}
