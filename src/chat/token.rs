//! The token of SYNC: opaque to clients, 17 bytes at rest and 42 while pages follow.
//!
//! ```text
//! version u8 = 1 | epoch u64 | since u64 | [started u64 | flags u8 | time u64 | conversation u64]
//! ```

use crate::model::{ConversationId, Epoch, Timestamp};
use bytes::{Buf, BufMut, Bytes, BytesMut};

const VERSION: u8 = 1;
const FLAG_EVERYTHING: u8 = 1;
const FLAG_MOVED: u8 = 2;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SyncToken {
    /// The store it belongs to.
    pub(super) epoch: Epoch,
    /// Changes from this moment on are to be listed.
    pub(super) since: Timestamp,
    /// Set while pages follow.
    pub(super) walk: Option<Walk>,
}

/// Where a SYNC of several pages stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Walk {
    /// When its first page was evaluated.
    pub(super) started: Timestamp,
    /// Whether it lists everything.
    pub(super) everything: bool,
    /// What the last page ended with.
    pub(super) step: Step,
}

/// A SYNC goes through the conversations twice: newest first, then once more through those whose
/// last entry is younger than the SYNC, which may have moved ahead of the place reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Listed down to this one.
    Newest(Timestamp, ConversationId),
    /// All listed once; of those that moved, listed up to this one. `None`: none yet.
    Moved(Option<ConversationId>),
}

impl SyncToken {
    /// The bytes that a client hands back.
    pub(super) fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(42);
        bytes.put_u8(VERSION);
        bytes.put_u64(self.epoch.get());
        bytes.put_u64(self.since.as_millis());
        if let Some(walk) = &self.walk {
            let (moved, time, id) = match walk.step {
                Step::Newest(time, id) => (0, time, id.get()),
                Step::Moved(id) => (FLAG_MOVED, Timestamp::ZERO, id.map_or(0, ConversationId::get)),
            };
            bytes.put_u64(walk.started.as_millis());
            bytes.put_u8(moved | if walk.everything { FLAG_EVERYTHING } else { 0 });
            bytes.put_u64(time.as_millis());
            bytes.put_u64(id);
        }
        bytes.freeze()
    }

    /// Reads a token; `None` for anything that this version did not write.
    pub(super) fn decode(mut bytes: &[u8]) -> Option<Self> {
        if bytes.try_get_u8().ok()? != VERSION {
            return None;
        }
        let epoch = Epoch::new(bytes.try_get_u64().ok()?)?;
        let since = Timestamp::from_millis(bytes.try_get_u64().ok()?);
        if bytes.is_empty() {
            return Some(Self { epoch, since, walk: None });
        }
        let started = Timestamp::from_millis(bytes.try_get_u64().ok()?);
        let flags = bytes.try_get_u8().ok()?;
        let time = Timestamp::from_millis(bytes.try_get_u64().ok()?);
        let id = ConversationId::new(bytes.try_get_u64().ok()?);
        let step = if flags & FLAG_MOVED == 0 { Step::Newest(time, id?) } else { Step::Moved(id) };
        let walk = Walk { started, everything: flags & FLAG_EVERYTHING != 0, step };
        bytes.is_empty().then_some(Self { epoch, since, walk: Some(walk) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(walk: Option<Walk>) -> SyncToken {
        let epoch = Epoch::new(7).expect("not zero");
        SyncToken { epoch, since: Timestamp::from_millis(5), walk }
    }

    #[test]
    fn a_token_comes_back_as_it_was() {
        let id = ConversationId::new(3).expect("not zero");
        let started = Timestamp::from_millis(9);
        let steps = [Step::Newest(started, id), Step::Moved(None), Step::Moved(Some(id))];
        let walks = steps.map(|step| Some(Walk { started, everything: true, step }));
        for walk in walks.into_iter().chain([None]) {
            assert_eq!(SyncToken::decode(&token(walk).encode()), Some(token(walk)));
        }
    }

    #[test]
    fn anything_else_is_unknown() {
        let good = token(None).encode();
        assert_eq!(SyncToken::decode(&[]), None);
        assert_eq!(SyncToken::decode(good.get(..16).expect("17 bytes")), None);
        assert_eq!(SyncToken::decode(&[good.as_ref(), b"x"].concat()), None);
        assert_eq!(SyncToken::decode(&[2; 17]), None);
    }
}
