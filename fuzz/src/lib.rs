//! The pure parts of the server: those that need no socket, no clock and no store. Compiled apart
//! from the rest, they build in seconds.

#[path = "../../src/model/mod.rs"]
pub mod model;

#[path = "../../src/protocol/mod.rs"]
pub mod protocol;
#[path = "../../src/session/mod.rs"]
pub mod session;
