//! What one connection holds while it speaks HTTP.
//!
//! ```text
//! Arriving (a handshake) --request--> Staying (a slot) --upgrade--> Arriving --> the shard
//!     '--------------------- upgrade -------------------------------------------^
//! ```
//!
//! The pass is held throughout, and goes to the shard with the handshake.

use super::Front;
use super::refusal::{self, refused};
use crate::admission::{Admitted, Handshake, Pass, Refusal, Source};
use crate::gateway::rest::Problem;
use crate::gateway::upgrade::Door;
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// See the module.
pub(super) struct Visit {
    client: SocketAddr,
    pass: Cell<Option<Pass>>,
    stage: Cell<Option<Stage>>,
    /// Where it goes, once its upgrade is granted.
    door: Cell<Option<Door>>,
}

enum Stage {
    Arriving(Handshake),
    Staying { _slot: OwnedSemaphorePermit },
}

impl Visit {
    /// A connection whose first request is awaited.
    pub(super) fn new(client: SocketAddr, pass: Pass, handshake: Handshake) -> Self {
        let stage = Cell::new(Some(Stage::Arriving(handshake)));
        Self { client, pass: Cell::new(Some(pass)), stage, door: Cell::new(None) }
    }

    /// A request has come that is no upgrade: takes one of the slots for these, if it has none yet.
    pub(super) fn stay(&self, front: &Rc<Front>) -> Result<(), Problem> {
        let (stage, result) = match self.stage.take() {
            stage @ Some(Stage::Staying { .. }) => (stage, Ok(())),
            stage => match Arc::clone(&front.slots).try_acquire_owned() {
                Ok(slot) => (Some(Stage::Staying { _slot: slot }), Ok(())),
                Err(_none_left) => (stage, Err(self.refuse(front, Refusal::Http))),
            },
        };
        self.stage.set(stage);
        result
    }

    /// An upgrade is asked for: takes a handshake, if there is none any more.
    pub(super) fn arrive(&self, front: &Rc<Front>) -> Result<(), Problem> {
        let (stage, result) = match self.stage.take() {
            stage @ Some(Stage::Staying { .. }) => {
                match front.handshakes.begin(Source::of(self.client.ip())) {
                    Ok(handshake) => (Some(Stage::Arriving(handshake)), Ok(())),
                    Err(_crowded) => (stage, Err(self.refuse(front, Refusal::Handshakes))),
                }
            }
            stage => (stage, Ok(())),
        };
        self.stage.set(stage);
        result
    }

    /// The upgrade is granted.
    pub(super) fn upgrade(&self, door: Door) {
        self.door.set(Some(door));
    }

    /// Where the connection goes and with what; `None` if it ends here.
    pub(super) fn leave(&self) -> Option<(Door, Admitted)> {
        let door = self.door.take()?;
        let pass = self.pass.take()?;
        match self.stage.take()? {
            Stage::Arriving(handshake) => Some((door, Admitted { pass, handshake })),
            Stage::Staying { .. } => None,
        }
    }

    fn refuse(&self, front: &Rc<Front>, refusal: Refusal) -> Problem {
        refusal::note(front, self.client, refusal);
        refused(refusal)
    }
}
