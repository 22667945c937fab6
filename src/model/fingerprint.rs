//! The fingerprint of a content, by which a reused client message id is told from a resend.
//!
//! Owns what is hashed and in which order. Fingerprints are stored with their entries, so both stay
//! as they are.

use super::{Attachment, Content, EntryKind, Message, Sequence};
use std::hash::Hasher;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Messages without more, up to so many bytes, are hashed in one go: most are such.
const SHORT_BYTES_MAX: usize = 232;

/// The three numbers in front of the text and behind it.
const SHORT_NUMBERS_BYTES: usize = 3 * 8;

impl Content {
    /// A hash of everything said, by which a reused client message id is told from a resend. It is
    /// kept with the entry, since a later edit or erasure changes the content itself.
    ///
    /// Only what a client can send is compared by it; kinds 6 to 9 hash their kind alone.
    pub fn fingerprint(&self) -> u64 {
        if let Self::Message(message) = self
            && let Some(hash) = message.short_fingerprint()
        {
            return hash;
        }
        let mut hash = Fields(Xxh3::new());
        hash.number(self.kind().get());
        match self {
            Self::Message(message) => hash.message(message),
            Self::Edit { target, text } | Self::Reaction { target, emoji: text } => {
                hash.number(target.get());
                hash.bytes(text.as_bytes());
            }
            Self::Unsend { target } => hash.number(target.get()),
            Self::Pin { target, pinned } => {
                hash.number(target.get());
                hash.number(u64::from(*pinned));
            }
            Self::Opaque { kind: _, body, attributes } => {
                hash.bytes(body);
                for (tag, value) in attributes {
                    hash.number(*tag);
                    hash.bytes(value);
                }
            }
            Self::Member { .. }
            | Self::Settings { .. }
            | Self::Contact { .. }
            | Self::Device { .. } => {}
        }
        hash.0.finish()
    }
}

impl Message {
    /// The fingerprint of a short text without anything else.
    fn short_fingerprint(&self) -> Option<u64> {
        let Self { text, attachments, reply_to, mentions } = self;
        let text = text.as_bytes();
        if text.len() > SHORT_BYTES_MAX || !attachments.is_empty() || !mentions.is_empty() {
            return None;
        }
        let mut bytes = [0; SHORT_BYTES_MAX + SHORT_NUMBERS_BYTES];
        let (before, after) = bytes.split_at_mut_checked(16)?;
        let (kind, len) = before.split_at_mut_checked(8)?;
        kind.copy_from_slice(&EntryKind::MESSAGE.get().to_be_bytes());
        len.copy_from_slice(&u64::try_from(text.len()).ok()?.to_be_bytes());
        let (place, after) = after.split_at_mut_checked(text.len())?;
        place.copy_from_slice(text);
        let answered = reply_to.map_or(0, Sequence::get).to_be_bytes();
        after.get_mut(..8)?.copy_from_slice(&answered);
        bytes.get(..SHORT_NUMBERS_BYTES + text.len()).map(xxh3_64)
    }
}

/// Feeds fields to a hash so that no two sequences of fields look alike: each carries its length.
struct Fields(Xxh3);

impl Fields {
    fn number(&mut self, number: u64) {
        self.0.update(&number.to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.0.update(bytes);
    }

    fn message(&mut self, message: &Message) {
        self.bytes(message.text.as_bytes());
        self.number(message.reply_to.map_or(0, Sequence::get));
        for user in &message.mentions {
            self.number(user.get());
        }
        for attachment in &message.attachments {
            let Attachment { media, size, media_type, name, width, height, duration_ms, preview } =
                attachment;
            for number in [media.get(), *size, *width, *height, *duration_ms] {
                self.number(number);
            }
            for bytes in [media_type.as_bytes(), name.as_bytes(), preview] {
                self.bytes(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Text;

    #[test]
    fn the_fingerprint_tells_apart_what_was_said() {
        let say = |text: &str, reply_to| {
            let message = Message { text: text.into(), reply_to, ..Message::default() };
            Content::Message(message).fingerprint()
        };
        assert_eq!(say("hi", None), say("hi", None));
        assert_ne!(say("hi", None), say("ho", None));
        assert_ne!(say("hi", None), say("hi", Some(Sequence::FIRST)));
    }

    #[test]
    fn a_short_text_has_the_fingerprint_that_its_fields_one_by_one_have() {
        for (len, reply_to) in [(0, None), (64, Some(Sequence::FIRST)), (SHORT_BYTES_MAX, None)] {
            let text = Text::from("x".repeat(len));
            let message = Message { text, reply_to, ..Message::default() };
            let mut hash = Fields(Xxh3::new());
            hash.number(EntryKind::MESSAGE.get());
            hash.message(&message);
            assert_eq!(Content::Message(message).fingerprint(), hash.0.finish(), "{len} bytes");
        }
    }
}
