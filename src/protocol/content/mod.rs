//! What an entry says, between [`Content`] and its kind, body and tagged values.
//!
//! What a client may send and what the server may emit are two questions: [`from_client`] refuses
//! kinds and tags that only the server makes, [`from_server`] keeps what it does not know as a
//! placeholder. Owns the layout of content; whether a target exists or a member may speak is not
//! asked here.

mod decode;
mod encode;

pub use decode::{Served, from_client, from_server};

use super::constants::limit;
use super::tlv::Tlvs;
use crate::model::{Content, Entry};

/// Content laid out for the wire; the body stays where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout<'a> {
    /// The entry kind.
    pub kind: u64,
    /// The body.
    pub body: &'a [u8],
    tlvs: Vec<u8>,
}

impl Layout<'_> {
    /// The tagged values.
    pub fn tlvs(&self) -> Tlvs<'_> {
        Tlvs::trusted(&self.tlvs)
    }

    /// Makes a preview of it: the body cut, at a character where it is text, and the tagged values
    /// left out where they are many. So a record has a bound whatever its last entry carries.
    pub(crate) fn cut(&mut self) {
        if self.body.len() > limit::PREVIEW_BYTES_MAX {
            let end = std::str::from_utf8(self.body).map_or(limit::PREVIEW_BYTES_MAX, |text| {
                text.floor_char_boundary(limit::PREVIEW_BYTES_MAX)
            });
            self.body = self.body.get(..end).unwrap_or_default();
        }
        if self.tlvs.len() > limit::PREVIEW_TAGS_BYTES_MAX {
            self.tlvs.clear();
        }
    }
}

/// Lays out content as a client sends it.
pub fn encode(content: &Content) -> Layout<'_> {
    encode::layout(content, None, None)
}

/// Lays out the content of an entry with what the server has since set on it.
pub fn encode_entry(entry: &Entry) -> Layout<'_> {
    encode::layout(&entry.content, entry.edited, entry.erased)
}
