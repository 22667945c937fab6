//! The members of one conversation, folded from its log.
//!
//! Invariants: a row is changed only by an entry above the sequence that set it, so that folding an
//! entry again, as recovery does, changes nothing. Rows are in the order of their users, one for each:
//! most conversations have two, and a table would take three times as much.

use crate::model::{
    Claim, Content, Conversation, Entry, Interval, MemberChange, Membership, Role, Sequence, UserId,
};
use std::rc::Rc;

/// A group begins with one append: its settings, and at this sequence everyone.
const BEGINNING: Sequence = Sequence::FIRST.next();

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Members {
    conversation: Conversation,
    rows: Vec<Membership>,
    current: Rc<[UserId]>,
}

impl Members {
    /// The members as stored; those of a journal or a direct chat follow from its claim.
    pub(super) fn new(conversation: Conversation, rows: Vec<Membership>) -> Self {
        let mut rows = match conversation.claim {
            Claim::Group(..) => rows,
            Claim::Journal(user) => vec![by_claim(&conversation, user)],
            Claim::Direct(one, other) => {
                vec![by_claim(&conversation, one), by_claim(&conversation, other)]
            }
        };
        rows.sort_by_key(|row| row.user);
        rows.dedup_by_key(|row| row.user);
        let mut members = Self { conversation, rows, current: Rc::new([]) };
        members.collect_current();
        members
    }

    /// The relation of a user to the conversation, if they ever had one.
    pub(super) fn get(&self, user: UserId) -> Option<&Membership> {
        self.rows.get(self.position(user).ok()?)
    }

    /// Where the row of a user is, or would be.
    fn position(&self, user: UserId) -> Result<usize, usize> {
        self.rows.binary_search_by_key(&user, |row| row.user)
    }

    /// Whether a user belongs to it now.
    pub(super) fn is_current(&self, user: UserId) -> bool {
        self.get(user).is_some_and(Membership::is_current)
    }

    /// Those who belong to it now, ascending.
    pub(super) fn current(&self) -> &Rc<[UserId]> {
        &self.current
    }

    /// Who may see an entry that was just folded: the members, and whom it took away.
    pub(super) fn audience(&self, entry: &Entry) -> Rc<[UserId]> {
        let Content::Member { users, change: MemberChange::Left | MemberChange::Removed, .. } =
            &entry.content
        else {
            return Rc::clone(&self.current);
        };
        let gone = users.iter().filter(|user| {
            !self.is_current(**user) && self.get(**user).is_some_and(|row| row.sees(entry.sequence))
        });
        self.current.iter().chain(gone).copied().collect()
    }

    /// Whether a user is the only owner.
    pub(super) fn is_last_owner(&self, user: UserId) -> bool {
        let mut owners = self.rows.iter().filter(|row| row.is_current() && row.role == Role::Owner);
        owners.next().is_some_and(|row| row.user == user) && owners.next().is_none()
    }

    /// Who becomes owner when `leaving` goes: nobody while another owner stays, else the member of
    /// longest standing.
    pub(super) fn successor(&self, leaving: UserId) -> Option<UserId> {
        if !self.is_last_owner(leaving) {
            return None;
        }
        let staying = || self.rows.iter().filter(|row| row.user != leaving && row.is_current());
        let joined = |row: &&Membership| (row.intervals.last().map(|i| i.from), row.user);
        staying().min_by_key(|row| (joined(row).0, joined(row).1)).map(|row| row.user)
    }

    /// Takes what a member entry says; the rows that it changed, empty for any other entry.
    pub(super) fn fold(&mut self, entry: &Entry) -> Vec<Membership> {
        let Content::Member { users, change, role } = &entry.content else { return Vec::new() };
        let mut users = users.clone();
        users.sort_unstable();
        users.dedup();
        let row = |user| self.change(entry, user, *change, *role);
        let changed: Vec<Membership> = users.into_iter().filter_map(row).collect();
        if !changed.is_empty() {
            self.take(&changed);
            self.collect_current();
        }
        changed
    }

    /// Takes changed rows. New ones are sorted in together: one by one each would move all behind it.
    fn take(&mut self, changed: &[Membership]) {
        let mut added = Vec::new();
        for row in changed {
            match self.position(row.user).ok().and_then(|index| self.rows.get_mut(index)) {
                Some(known) => known.clone_from(row),
                None => added.push(row.clone()),
            }
        }
        self.rows.extend(added);
        self.rows.sort_by_key(|row| row.user);
    }

    /// The row of a user after an entry; `None` if it stays as it is.
    fn change(
        &self,
        entry: &Entry,
        user: UserId,
        change: MemberChange,
        role: Option<Role>,
    ) -> Option<Membership> {
        let known = self.get(user);
        if known.is_some_and(|row| row.set_by >= entry.sequence) {
            return None;
        }
        let before = known.cloned();
        let row = match change {
            MemberChange::Added => {
                let mut row = before.unwrap_or_else(|| self.stranger(user));
                if !row.is_current() {
                    let from = first_seen_by_joining(entry.sequence);
                    row.intervals.push(Interval { from, to: None });
                }
                row.role = role.unwrap_or_else(|| self.role_at_start(entry.sequence, user));
                row
            }
            MemberChange::Left | MemberChange::Removed => {
                let mut row = before?;
                if let Some(last) = row.intervals.last_mut() {
                    last.to = last.to.or(Some(entry.sequence));
                }
                row.role = Role::Member;
                row
            }
            MemberChange::Role => {
                let mut row = before?;
                row.role = role.unwrap_or(row.role);
                row
            }
        };
        Some(Membership { set_by: entry.sequence, changed_at: entry.sent_at, ..row })
    }

    fn stranger(&self, user: UserId) -> Membership {
        let claimed =
            Membership::by_claim(self.conversation.id, user, self.conversation.created_at);
        Membership { intervals: Vec::new(), ..claimed }
    }

    /// The creator owns the group that begins.
    fn role_at_start(&self, sequence: Sequence, user: UserId) -> Role {
        match self.conversation.claim {
            Claim::Group(creator, _) if creator == user && sequence == BEGINNING => Role::Owner,
            Claim::Group(..) | Claim::Journal(_) | Claim::Direct(..) => Role::Member,
        }
    }

    fn collect_current(&mut self) {
        let current = self.rows.iter().filter(|row| row.is_current());
        self.current = current.map(|row| row.user).collect();
    }
}

/// Whoever joins sees the log from their joining on; those of the beginning see all of it.
fn first_seen_by_joining(sequence: Sequence) -> Sequence {
    if sequence == BEGINNING { Sequence::FIRST } else { sequence }
}

fn by_claim(conversation: &Conversation, user: UserId) -> Membership {
    Membership::by_claim(conversation.id, user, conversation.created_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClientMessageId, ConversationId, Ordinal, Timestamp};

    fn user(number: u64) -> UserId {
        UserId::new(number).expect("not zero")
    }

    fn group() -> Members {
        let claim = Claim::Group(user(1), ClientMessageId::new(9).expect("not zero"));
        let id = ConversationId::new(5).expect("not zero");
        Members::new(Conversation { id, claim, created_at: Timestamp::ZERO }, Vec::new())
    }

    fn entry(sequence: u64, change: MemberChange, users: &[u64]) -> Entry {
        let users = users.iter().map(|n| user(*n)).collect();
        Entry {
            sequence: Sequence::new(sequence).expect("small"),
            ordinal: Ordinal::ZERO,
            sender: Some(user(1)),
            sent_at: Timestamp::ZERO,
            client_message: None,
            fingerprint: 0,
            content: Content::Member { users, change, role: None },
            edited: None,
            erased: None,
        }
    }

    #[test]
    fn the_creator_owns_the_group_and_everyone_sees_their_own_joining() {
        let mut members = group();
        members.fold(&entry(2, MemberChange::Added, &[1, 2]));
        assert_eq!(members.get(user(1)).map(|m| m.role), Some(Role::Owner));
        assert_eq!(members.get(user(2)).map(|m| m.role), Some(Role::Member));
        assert!(members.get(user(2)).is_some_and(|m| m.sees(Sequence::FIRST)));
        members.fold(&entry(3, MemberChange::Added, &[3]));
        assert_eq!(members.get(user(3)).map(Membership::first_visible), Sequence::new(3));
        assert_eq!(members.current().len(), 3);
    }

    #[test]
    fn whoever_is_removed_sees_the_entry_that_removes_them() {
        let mut members = group();
        members.fold(&entry(2, MemberChange::Added, &[1, 2]));
        let removal = entry(3, MemberChange::Removed, &[2]);
        members.fold(&removal);
        assert_eq!(&*members.audience(&removal), [user(1), user(2)]);
        assert!(!members.is_current(user(2)));
        assert_eq!(&**members.current(), [user(1)]);
    }

    #[test]
    fn folding_an_entry_again_changes_nothing() {
        let mut members = group();
        let added = entry(2, MemberChange::Added, &[1, 2]);
        assert_eq!(members.fold(&added).len(), 2);
        members.fold(&entry(3, MemberChange::Left, &[2]));
        assert_eq!(members.fold(&added), []);
        assert!(!members.is_current(user(2)));
    }

    #[test]
    fn a_group_whose_owner_leaves_goes_to_the_member_of_longest_standing() {
        let mut members = group();
        members.fold(&entry(2, MemberChange::Added, &[1, 4]));
        members.fold(&entry(3, MemberChange::Added, &[3]));
        assert_eq!(members.successor(user(1)), Some(user(4)));
        assert_eq!(members.successor(user(4)), None);
    }
}
