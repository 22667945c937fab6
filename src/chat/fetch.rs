//! Reading ranges of a log: FETCH and the history pages of REST.

use super::{Chat, View};
use crate::model::{
    Actor, CommandError, Content, Entry, Fetched, Interval, Membership, Outcome, Sequence,
};
use crate::store::{Direction, Range, Store, StoreError};

/// The most entries read from the store at a time.
const READ_ENTRIES_MAX: usize = 512;

/// About what an entry adds to its body on the wire.
const ENTRY_OVERHEAD_BYTES: usize = 64;

/// The exclusive bounds of a history page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Only entries before this.
    pub before: Option<Sequence>,
    /// Only entries after this, oldest first.
    pub after: Option<Sequence>,
}

impl<S: Store> Chat<S> {
    /// The visible entries of `from..=to` (zero: the head), oldest first, cut to one page.
    pub async fn fetch(
        &self,
        view: &View,
        actor: Actor,
        from: Sequence,
        to: Sequence,
    ) -> Result<Outcome, CommandError> {
        let membership = view.membership(actor)?;
        let visible = view.visible_head(membership);
        let to = if to == Sequence::ZERO { visible } else { to.min(visible) };
        let from = from.max(Sequence::FIRST);
        let (entries, next) = self.read_page(view, membership, from, to).await?;
        let conversation = view.conversation.id;
        Ok(Outcome::Fetched(Fetched { conversation, entries, to, next }))
    }

    async fn read_page(
        &self,
        view: &View,
        membership: &Membership,
        from: Sequence,
        to: Sequence,
    ) -> Result<(Vec<Entry>, Sequence), CommandError> {
        let mut entries = Vec::new();
        let mut bytes_left = self.settings.page_bytes_max;
        for part in membership.visible(from, to) {
            let mut at = part.from;
            let end = part.to.unwrap_or(to);
            while at <= end {
                let direction = Direction::Ascending;
                let part = Interval { from: at, to: Some(end) };
                let read = self.read_part(view, part, direction, READ_ENTRIES_MAX);
                for entry in read.await? {
                    let bytes = wire_bytes(&entry);
                    if bytes > bytes_left && !entries.is_empty() {
                        return Ok((entries, entry.sequence));
                    }
                    bytes_left = bytes_left.saturating_sub(bytes);
                    at = entry.sequence.next();
                    entries.push(entry);
                }
            }
        }
        Ok((entries, Sequence::ZERO))
    }

    /// Some entries from one end of a part of the log that lies below the head: at least one.
    async fn read_part(
        &self,
        view: &View,
        part: Interval,
        direction: Direction,
        entries_max: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let range = Range {
            from: part.from,
            to: part.to.unwrap_or(view.head.sequence),
            direction,
            entries_max,
            bytes_max: self.settings.page_bytes_max,
        };
        let entries = self.store.entries(view.conversation.id, range).await?;
        if entries.is_empty() {
            // Sequences have no holes, so a range below the head is never empty.
            return Err(StoreError::Corrupt { what: "log" });
        }
        Ok(entries)
    }

    /// A page of history. Bounds are exclusive; newest first, unless `after` is given.
    pub async fn history(
        &self,
        view: &View,
        actor: Actor,
        bounds: Bounds,
        limit: usize,
    ) -> Result<Outcome, CommandError> {
        let Bounds { before, after } = bounds;
        let membership = view.membership(actor)?;
        let from = after.map_or(Sequence::FIRST, Sequence::next);
        let head = view.visible_head(membership);
        let to = before.map_or(head, |before| before.minus(1).min(head));
        let mut parts: Vec<Interval> = membership.visible(from, to).collect();
        let direction = if after.is_some() { Direction::Ascending } else { Direction::Descending };
        if direction == Direction::Descending {
            parts.reverse();
        }
        let mut entries = Vec::new();
        let mut parts = parts.into_iter();
        let mut part = parts.next();
        while let Some(now) = part {
            let wanted = limit.saturating_sub(entries.len()) + 1;
            let read = self.read_part(view, now, direction, wanted).await;
            for entry in read? {
                if entries.len() == limit {
                    return Ok(Outcome::History { entries, more: true });
                }
                part = rest(now, entry.sequence, direction);
                entries.push(entry);
            }
            part = part.or_else(|| parts.next());
        }
        Ok(Outcome::History { entries, more: false })
    }
}

/// What is left of a part after the entry at `done` was taken from its end.
fn rest(part: Interval, done: Sequence, direction: Direction) -> Option<Interval> {
    let rest = match direction {
        Direction::Ascending => Interval { from: done.next(), ..part },
        Direction::Descending => Interval { to: Some(done.minus(1)), ..part },
    };
    rest.to.is_some_and(|to| rest.from <= to).then_some(rest)
}

/// About how many bytes an entry takes on the wire.
pub(super) fn wire_bytes(entry: &Entry) -> usize {
    ENTRY_OVERHEAD_BYTES + body_bytes(&entry.content)
}

/// About how many bytes of an entry are what it says.
pub(super) fn body_bytes(content: &Content) -> usize {
    match content {
        Content::Message(message) => {
            let attached = |a: &crate::model::Attachment| {
                64 + a.media_type.len() + a.name.len() + a.preview.len()
            };
            message.text.as_bytes().len()
                + message.attachments.iter().map(attached).sum::<usize>()
                + message.mentions.len() * 8
        }
        Content::Edit { text, .. } | Content::Reaction { emoji: text, .. } => text.as_bytes().len(),
        Content::Member { users, .. } => users.len() * 8,
        Content::Settings { title, .. } => title.as_ref().map_or(0, |t| t.as_str().len()),
        Content::Device { name, .. } => name.as_str().len(),
        Content::Opaque { body, attributes, .. } => {
            body.len() + attributes.iter().map(|(_, value)| value.len() + 12).sum::<usize>()
        }
        Content::Unsend { .. } | Content::Pin { .. } | Content::Contact { .. } => 0,
    }
}
