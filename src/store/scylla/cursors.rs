//! How far users and devices have come: registers by what they count (`registers`).

use super::registers::at_time;
use super::row::{bigint, first, number, typed};
use super::{Inner, TOGETHER_MAX, outcome};
use crate::model::{
    ConversationId, Cursor, CursorAdvance, DeviceId, Ordinal, Sequence, Timestamp, UserId,
};
use crate::store::StoreError;
use std::ops::ControlFlow;

const CORRUPT: StoreError = StoreError::Corrupt { what: "cursor" };

/// The columns of a cursor: `delivered`, `read`, `read_ord`, `changed_at`. What never moved is null.
type Columns = (Option<i64>, Option<i64>, Option<i64>, Option<i64>);

impl Inner {
    pub(super) async fn advance_cursors(
        &self,
        mut advances: Vec<CursorAdvance>,
    ) -> Result<(), StoreError> {
        advances.sort_by_key(|advance| advance.user);
        // One advance is three statements at most.
        let together = advances.chunk_by(|one, other| one.user == other.user);
        let together = together.flat_map(|advances| advances.chunks(TOGETHER_MAX / 3));
        let writes: Vec<_> = together.map(|advances| self.advance(advances)).collect();
        outcome::of_all(writes).await
    }

    /// Advances cursors of one user.
    async fn advance(&self, advances: &[CursorAdvance]) -> Result<(), StoreError> {
        let rows = &self.statements.rows;
        let (mut statements, mut values) = (Vec::new(), Vec::new());
        for CursorAdvance { user, conversation, cursor } in advances {
            let Cursor { delivered, read, read_ordinal, changed_at } = *cursor;
            let key = [bigint(user.get()), bigint(conversation.get())];
            if delivered > Sequence::ZERO {
                let set = [self.numbers.life.at(delivered), bigint(delivered.get())];
                statements.push(&rows.set_delivered);
                values.push([&set[..], &key].concat());
            }
            if read > Sequence::ZERO {
                let (at, read) = (self.numbers.life.at(read), bigint(read.get()));
                statements.push(&rows.set_read);
                values.push([&[at, read, bigint(read_ordinal.get())][..], &key].concat());
            }
            if changed_at > Timestamp::ZERO {
                let set = [at_time(changed_at), bigint(changed_at.as_millis())];
                statements.push(&rows.set_changed);
                values.push([&set[..], &key].concat());
            }
        }
        if statements.is_empty() {
            return Ok(());
        }
        self.database.change_all(statements, values).await
    }

    pub(super) async fn cursor(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Cursor, StoreError> {
        let key = (bigint(user.get()), bigint(conversation.get()));
        let rows = self.database.read(&self.statements.rows.cursor, key).await?;
        let columns = first::<Columns>(&rows)?.unwrap_or_default();
        cursor(columns).ok_or(CORRUPT)
    }

    pub(super) async fn cursors(
        &self,
        user: UserId,
    ) -> Result<Vec<(ConversationId, Cursor)>, StoreError> {
        let mut list = Vec::new();
        let take = |page| {
            for row in typed(&page)? {
                let (id, delivered, read, read_ordinal, changed_at) = row?;
                let conversation = number(id).and_then(ConversationId::new).ok_or(CORRUPT)?;
                let cursor = cursor((delivered, read, read_ordinal, changed_at)).ok_or(CORRUPT)?;
                list.push((conversation, cursor));
            }
            Ok(ControlFlow::Continue(()))
        };
        let partition = (bigint(user.get()),);
        self.database.pages(&self.statements.rows.cursors, partition, take).await?;
        Ok(list)
    }

    pub(super) async fn advance_device_cursors(
        &self,
        device: DeviceId,
        cursors: Vec<(ConversationId, Sequence)>,
    ) -> Result<(), StoreError> {
        let mut written = Vec::new();
        for cursors in cursors.chunks(TOGETHER_MAX) {
            let set = |(conversation, sequence): &(ConversationId, Sequence)| {
                let key = [bigint(device.get()), bigint(conversation.get())];
                [&[self.numbers.life.at(*sequence), bigint(sequence.get())][..], &key].concat()
            };
            let values: Vec<_> = cursors.iter().map(set).collect();
            let statements = cursors.iter().map(|_| &self.statements.rows.set_device_cursor);
            written.push(self.database.change_all(statements, values).await);
        }
        outcome::of_many(written)
    }

    pub(super) async fn device_cursors(
        &self,
        device: DeviceId,
    ) -> Result<Vec<(ConversationId, Sequence)>, StoreError> {
        let mut list = Vec::new();
        let take = |page| {
            for row in typed::<(i64, i64)>(&page)? {
                let (id, sequence) = row?;
                let conversation = number(id).and_then(ConversationId::new).ok_or(CORRUPT)?;
                let sequence = number(sequence).and_then(Sequence::new).ok_or(CORRUPT)?;
                list.push((conversation, sequence));
            }
            Ok(ControlFlow::Continue(()))
        };
        let partition = (bigint(device.get()),);
        self.database.pages(&self.statements.rows.device_cursors, partition, take).await?;
        Ok(list)
    }
}

fn cursor((delivered, read, read_ordinal, changed_at): Columns) -> Option<Cursor> {
    let or_zero = |column: Option<i64>| number(column.unwrap_or_default());
    Some(Cursor {
        delivered: Sequence::new(or_zero(delivered)?)?,
        read: Sequence::new(or_zero(read)?)?,
        read_ordinal: Ordinal::new(or_zero(read_ordinal)?)?,
        changed_at: Timestamp::from_millis(or_zero(changed_at)?),
    })
}
