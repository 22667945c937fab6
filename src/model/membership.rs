//! Who belongs to a conversation and from when to when; how users stand to each other.

use super::{ContactState, ConversationId, Sequence, Timestamp, UserId};

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads and writes.
    Member,
    /// Also adds and removes members and changes settings.
    Admin,
    /// Also names admins; the creator.
    Owner,
}

/// A stretch of a log that a member may see, both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The first visible sequence.
    pub from: Sequence,
    /// The last visible sequence; `None` while the membership lasts.
    pub to: Option<Sequence>,
}

/// One user's relation to one conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The conversation.
    pub conversation: ConversationId,
    /// The user.
    pub user: UserId,
    /// What they may do.
    pub role: Role,
    /// What they may see, in ascending order; only the last can be open.
    pub intervals: Vec<Interval>,
    /// The sequence of the entry that last changed this; of two copies the higher is right. Zero
    /// where it follows from the claim (journal, direct).
    pub set_by: Sequence,
    /// When that entry was sent.
    pub changed_at: Timestamp,
}

impl Membership {
    /// A membership that follows from the conversation's claim: everything, from the start.
    pub fn by_claim(conversation: ConversationId, user: UserId, changed_at: Timestamp) -> Self {
        let everything = Interval { from: Sequence::FIRST, to: None };
        Self {
            conversation,
            user,
            role: Role::Member,
            intervals: vec![everything],
            set_by: Sequence::ZERO,
            changed_at,
        }
    }

    /// Whether the user belongs to it now.
    pub fn is_current(&self) -> bool {
        self.intervals.last().is_some_and(|last| last.to.is_none())
    }

    /// Whether the user may see the entry at `sequence`.
    pub fn sees(&self, sequence: Sequence) -> bool {
        self.intervals.iter().any(|i| i.from <= sequence && i.to.is_none_or(|to| sequence <= to))
    }

    /// The last sequence that the user may see in a log that ends at `head`.
    pub fn visible_head(&self, head: Sequence) -> Sequence {
        let last = self.intervals.last();
        last.map_or(Sequence::ZERO, |i| i.to.map_or(head, |to| to.min(head)))
    }

    /// The first sequence that the user may ever see.
    pub fn first_visible(&self) -> Sequence {
        self.intervals.first().map_or(Sequence::FIRST, |i| i.from)
    }

    /// The visible parts of `from..=to`, ascending.
    pub fn visible(&self, from: Sequence, to: Sequence) -> impl Iterator<Item = Interval> + '_ {
        self.intervals.iter().filter_map(move |i| {
            let start = i.from.max(from);
            let end = i.to.map_or(to, |end| end.min(to));
            (start <= end).then_some(Interval { from: start, to: Some(end) })
        })
    }
}

/// How one user stands to another: one directional fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Whose contact list this is.
    pub owner: UserId,
    /// The other user.
    pub peer: UserId,
    /// How they stand.
    pub state: ContactState,
    /// The sequence in the owner's journal that set it; of two copies the higher is right.
    pub set_by: Sequence,
    /// When that entry was sent.
    pub changed_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: u64) -> Sequence {
        Sequence::new(number).expect("small")
    }

    fn rejoined() -> Membership {
        let (conversation, user) = (ConversationId::new(1), UserId::new(2));
        let mut membership = Membership::by_claim(
            conversation.expect("not zero"),
            user.expect("not zero"),
            Timestamp::ZERO,
        );
        membership.intervals =
            vec![Interval { from: at(3), to: Some(at(5)) }, Interval { from: at(8), to: None }];
        membership
    }

    #[test]
    fn both_ends_of_an_interval_are_visible() {
        let seen: Vec<u64> = (1..=10).filter(|n| rejoined().sees(at(*n))).collect();
        assert_eq!(seen, [3, 4, 5, 8, 9, 10]);
    }

    #[test]
    fn a_range_is_cut_to_what_is_visible() {
        let parts: Vec<_> = rejoined()
            .visible(at(4), at(9))
            .map(|i| (i.from.get(), i.to.map(Sequence::get)))
            .collect();
        assert_eq!(parts, [(4, Some(5)), (8, Some(9))]);
    }

    #[test]
    fn the_visible_head_of_a_former_member_is_where_they_left() {
        let mut left = rejoined();
        assert_eq!(left.visible_head(at(12)), at(12));
        left.intervals.pop();
        assert_eq!(left.visible_head(at(12)), at(5));
        assert!(!left.is_current());
    }
}
