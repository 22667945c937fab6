//! Appending to a log.

use super::commit::{Change, Draft};
use super::keys;
use crate::model::{ConversationId, Entry, Head, Sequence};
use crate::store::records::{Encode, Marked};
use crate::store::{Append, Appended, StoreError};
use fjall::{UserKey, UserValue};
use smallvec::SmallVec;

/// An append with its rows ready: encoding them is the caller's share of the work, so that the one
/// commit thread has less to do.
pub(super) struct AppendRows {
    conversation: ConversationId,
    expected: Sequence,
    rows: SmallVec<[(UserKey, UserValue); 1]>,
    head: Head,
    has_effects: bool,
}

impl AppendRows {
    /// Encodes the entries.
    ///
    /// # Panics
    ///
    /// If there are no entries or their numbers do not follow on `expected`: a hole in a log could
    /// never be mended.
    pub(super) fn new(append: &Append<'_>) -> Self {
        let Append { conversation, expected, entries, has_effects } = append;
        let mut head = Head { sequence: *expected, ..Head::default() };
        let mut rows = SmallVec::with_capacity(entries.len());
        for entry in entries.iter() {
            assert!(entry.sequence.since(head.sequence) == 1, "entries are numbered without holes");
            head = Head::from(entry);
            rows.push(row(*conversation, entry));
        }
        assert!(!rows.is_empty(), "an append has entries");
        let (conversation, expected, has_effects) = (*conversation, *expected, *has_effects);
        Self { conversation, expected, rows, head, has_effects }
    }

    /// The mark that covers these entries beside those that were marked before.
    fn mark(&self, before: Option<Marked>) -> Marked {
        let from = before.map_or(self.expected.next(), |mark| mark.from);
        Marked { from, to: self.head.sequence }
    }
}

fn row(conversation: ConversationId, entry: &Entry) -> (UserKey, UserValue) {
    let key = keys::entry(conversation, entry.sequence);
    (UserKey::new(&key), entry.encode(&key))
}

impl Change for AppendRows {
    type Outcome = Appended;
    const DURABLE: bool = true;

    fn bytes(&self) -> usize {
        let rows = self.rows.iter().map(|(key, value)| key.len() + value.len());
        size_of_val(self) + rows.sum::<usize>()
    }

    /// Clients hold what they are refused and send it again in order. What has effects comes from
    /// commands that would have to be given again, and there is little of it.
    fn gives_way(&self) -> bool {
        !self.has_effects
    }

    fn stage(self, draft: &mut Draft<'_>) -> Result<Appended, StoreError> {
        let head = draft.head(self.conversation)?;
        if head.sequence != self.expected {
            return Ok(Appended::Stale(head));
        }
        if self.has_effects {
            let key = keys::pending(self.conversation);
            let mark = self.mark(draft.get(&key)?);
            draft.put(key, &mark);
        }
        draft.extend(self.conversation, self.head, self.rows.into_iter());
        Ok(Appended::Applied)
    }
}
