//! Bytes to frames and back.
//!
//! Owns the grammar of `chasqui.v1`: integers, tagged values, every frame of both directions, entry
//! content, limits, error and close codes. Decoding borrows from the input and allocates nothing;
//! [`content`] makes owned [`crate::model`] values where they must outlive the socket's buffer. It
//! deliberately keeps no state between messages (that is `session`), knows no rule of the messenger
//! and touches no socket or clock.
//!
//! ```text
//! message = frame+          frame = type u8 | length varint | body
//! body    = fixed fields, tagged value*        tagged value = tag varint | length varint | value
//! ```
//!
//! Invariants: `decode(encode(x)) = x`; an accepted varint is in its shortest form; no input panics
//! or takes more than linear time.

pub mod constants;
pub mod content;

mod client_frame;
mod entry_frame;
mod error;
mod frames;
mod lists;
mod reader;
mod record;
mod refusal;
mod server_frame;
mod tlv;
mod varint;
mod writer;

pub use client_frame::{ClientFrame, Hello, SendFrame};
pub use constants::{CloseCode, Side};
pub use entry_frame::{EntryEncoder, EntryFrame};
pub use error::{Fault, ProtocolError};
pub use frames::{Frame, Frames, frames};
pub use lists::{Pairs, Users};
pub use record::{Record, Records, encode_synced, record_len};
pub use refusal::Refusal;
pub use server_frame::{CursorFrame, EphemeralFrame, Goaway, ServerFrame, Welcome};
pub use tlv::{Tlv, Tlvs};

#[cfg(test)]
mod tests;
