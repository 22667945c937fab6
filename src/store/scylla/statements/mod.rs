//! Every statement, by name, prepared once when the store is opened. What the tables hold is said in
//! `schema.cql`; each part of the store has its statements in a file of its own.

mod copy;
mod log;
mod rows;

use super::database::{Database, Kind, Statement};
use scylla::errors::PrepareError;

/// Makes a struct of prepared statements: `name: Kind = "CQL"`.
macro_rules! statements {
    ($(#[$doc:meta])* $set:ident { $($(#[$about:meta])* $name:ident: $kind:ident = $cql:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(in crate::store::scylla) struct $set {
            $($(#[$about])* pub(in crate::store::scylla) $name: Statement,)*
        }

        impl $set {
            /// Prepares all of them.
            pub(super) async fn prepare(database: &Database) -> Result<Self, PrepareError> {
                // Boxed, or the futures of all of them would stand side by side in this one.
                Ok(Self { $($name: Box::pin(database.prepare(Kind::$kind, $cql)).await?,)* })
            }
        }
    };
}

use statements;

/// All statements of the store. Boxed, since a store is moved on its way to being open.
#[derive(Debug)]
pub(super) struct Statements {
    /// Those of the logs.
    pub(super) log: Box<log::Log>,
    /// Those of everything else.
    pub(super) rows: Box<rows::Rows>,
    /// Those that only copying the store needs.
    pub(super) copy: Box<copy::Copy>,
}

impl Statements {
    /// Prepares all of them, which fails if the keyspace does not have the tables.
    pub(super) async fn prepare(database: &Database) -> Result<Self, PrepareError> {
        Ok(Self {
            log: Box::pin(log::Log::prepare(database)).await?.into(),
            rows: Box::pin(rows::Rows::prepare(database)).await?.into(),
            copy: Box::pin(copy::Copy::prepare(database)).await?.into(),
        })
    }
}
