//! Writing what follows from entries: memberships, settings, contacts.
//!
//! Each row is a register by the sequence that set it (`registers`), so nothing is read before it is
//! written, and rows may be written again, late and in any order, but for one thing: a membership is
//! written for its user before it is written for its conversation.

use super::conversations::settings_key;
use super::database::Statement;
use super::memberships::{contact_key, member_key, membership_key};
use super::row::bigint;
use super::{Inner, TOGETHER_MAX, outcome};
use crate::model::{Contact, ConversationId, Membership, Settings};
use crate::store::records::Encode;
use crate::store::{Effect, StoreError};
use scylla::value::CqlValue;

/// A row to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row<'a> {
    /// A membership in the list of its user.
    Membership(&'a Membership),
    /// A membership in the list of its conversation.
    Member(&'a Membership),
    Settings(ConversationId, &'a Settings),
    Contact(&'a Contact),
}

/// What has to be written: the rows of a step may be written at the same time, and only when all of
/// them are written is the next step begun.
fn steps(effects: &[Effect]) -> [Vec<Row<'_>>; 2] {
    let (mut first, mut then) = (Vec::new(), Vec::new());
    for effect in effects {
        match effect {
            Effect::Membership(membership) => {
                first.push(Row::Membership(membership));
                then.push(Row::Member(membership));
            }
            Effect::Settings(conversation, settings) => {
                first.push(Row::Settings(*conversation, settings));
            }
            Effect::Contact(contact) => first.push(Row::Contact(contact)),
        }
    }
    [first, then]
}

impl Row<'_> {
    /// The table and the partition in it.
    fn place(&self) -> (u8, u64) {
        match self {
            Self::Membership(row) => (0, row.user.get()),
            Self::Member(row) => (1, row.conversation.get()),
            Self::Settings(conversation, _) => (2, conversation.get()),
            Self::Contact(row) => (3, row.owner.get()),
        }
    }
}

/// The rows put together by their partitions.
fn by_partition<'r, 'e>(rows: &'r mut [Row<'e>]) -> impl Iterator<Item = &'r [Row<'e>]> {
    rows.sort_by_key(Row::place);
    rows.chunk_by(|one, other| one.place() == other.place())
        .flat_map(|rows| rows.chunks(TOGETHER_MAX))
}

impl Inner {
    pub(super) async fn apply_effects(&self, effects: Vec<Effect>) -> Result<(), StoreError> {
        let mut is_begun = false;
        for mut step in steps(&effects) {
            let writes: Vec<_> = by_partition(&mut step).map(|rows| self.write(rows)).collect();
            let written = outcome::of_all(writes).await;
            written.map_err(|error| if is_begun { StoreError::Unknown } else { error })?;
            is_begun = true;
        }
        Ok(())
    }

    /// Writes rows of one partition.
    async fn write(&self, rows: &[Row<'_>]) -> Result<(), StoreError> {
        let (statements, values): (Vec<_>, Vec<_>) =
            rows.iter().map(|row| self.change(row)).unzip();
        self.database.change_all(statements, values).await
    }

    /// The statement that writes a row, and its values: timestamp, record, key.
    fn change(&self, row: &Row<'_>) -> (&Statement, Vec<CqlValue>) {
        let all = &self.statements.rows;
        let (statement, set_by, record, key) = match row {
            Row::Membership(row) => {
                let (user, conversation) = (row.user.get(), row.conversation.get());
                let record = row.encode(&membership_key(user, conversation));
                (&all.set_membership, row.set_by, record, [Some(user), Some(conversation)])
            }
            Row::Member(row) => {
                let (conversation, user) = (row.conversation.get(), row.user.get());
                let record = row.encode(&member_key(conversation, user));
                (&all.set_member, row.set_by, record, [Some(conversation), Some(user)])
            }
            Row::Settings(conversation, row) => {
                let record = row.encode(&settings_key(*conversation));
                (&all.set_settings, row.set_by, record, [Some(conversation.get()), None])
            }
            Row::Contact(row) => {
                let (owner, peer) = (row.owner.get(), row.peer.get());
                let record = row.encode(&contact_key(owner, peer));
                (&all.set_contact, row.set_by, record, [Some(owner), Some(peer)])
            }
        };
        let timestamp = self.numbers.life.at(set_by);
        let key = key.into_iter().flatten().map(|id| CqlValue::BigInt(bigint(id)));
        let values = [CqlValue::BigInt(timestamp), CqlValue::Blob(record)];
        (statement, values.into_iter().chain(key).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ContactState, Sequence, Timestamp, UserId};

    fn conversation(number: u64) -> ConversationId {
        ConversationId::new(number).expect("in range")
    }

    fn user(number: u64) -> UserId {
        UserId::new(number).expect("in range")
    }

    fn membership(id: u64, member: u64) -> Membership {
        Membership::by_claim(conversation(id), user(member), Timestamp::ZERO)
    }

    fn contact(owner: u64, peer: u64) -> Contact {
        let (state, set_by) = (ContactState::Accepted, Sequence::FIRST);
        Contact { owner: user(owner), peer: user(peer), state, set_by, changed_at: Timestamp::ZERO }
    }

    #[test]
    fn a_user_has_a_membership_before_the_conversation_does() {
        let (one, other) = (membership(1, 7), membership(1, 8));
        let effects = [Effect::Membership(one.clone()), Effect::Membership(other.clone())];
        let [first, then] = steps(&effects);
        assert_eq!(first, [Row::Membership(&one), Row::Membership(&other)]);
        assert_eq!(then, [Row::Member(&one), Row::Member(&other)]);
    }

    #[test]
    fn rows_go_by_their_partitions() {
        let rows = [membership(1, 7), membership(2, 7), membership(1, 8)];
        let (contact, settings) = (contact(7, 8), Settings::default());
        let mut effects: Vec<Effect> = rows.iter().cloned().map(Effect::Membership).collect();
        effects.push(Effect::Settings(conversation(1), settings.clone()));
        effects.push(Effect::Contact(contact));
        let [mut first, mut then] = steps(&effects);
        let first: Vec<&[Row<'_>]> = by_partition(&mut first).collect();
        let of_seven = [Row::Membership(&rows[0]), Row::Membership(&rows[1])];
        let of_eight = [Row::Membership(&rows[2])];
        let set = [Row::Settings(conversation(1), &settings)];
        assert_eq!(first, [&of_seven[..], &of_eight, &set, &[Row::Contact(&contact)]]);
        let then: Vec<&[Row<'_>]> = by_partition(&mut then).collect();
        let of_first = [Row::Member(&rows[0]), Row::Member(&rows[2])];
        assert_eq!(then, [&of_first[..], &[Row::Member(&rows[1])]]);
    }

    #[test]
    fn a_large_partition_is_written_in_parts() {
        let effects: Vec<Effect> =
            (1..=250).map(|member| Effect::Membership(membership(1, member))).collect();
        let [_, mut then] = steps(&effects);
        let sizes: Vec<usize> = by_partition(&mut then).map(<[_]>::len).collect();
        assert_eq!(sizes, [100, 100, 50]);
    }
}
