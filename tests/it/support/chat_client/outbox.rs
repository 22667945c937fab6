//! Messages that have no final answer yet, in the order in which they were written.

use bytes::Bytes;
use chasqui::model::{ClientMessageId, ConversationId, Sequence};
use std::collections::VecDeque;

/// One message on its way.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Where it goes.
    pub conversation: ConversationId,
    /// Its id, the same on every attempt.
    pub client_message: ClientMessageId,
    /// Where an earlier copy can lie at the earliest: fixed before the first attempt.
    pub floor: Sequence,
    /// Its text.
    pub body: Bytes,
    /// The request that carries it on this connection.
    pub rid: Option<u64>,
    /// Whether some attempt may have been applied.
    pub is_uncertain: bool,
}

/// The outbox.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    rows: VecDeque<Row>,
}

impl Outbox {
    /// Adds a message at the end.
    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push_back(row);
    }

    /// The messages in order.
    pub(crate) fn rows_mut(&mut self) -> impl Iterator<Item = &mut Row> {
        self.rows.iter_mut()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many are unanswered on this connection.
    pub(crate) fn in_flight(&self) -> usize {
        self.rows.iter().filter(|row| row.rid.is_some()).count()
    }

    /// The message that a request carries.
    pub(crate) fn by_rid(&mut self, rid: u64) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.rid == Some(rid))
    }

    /// Takes the message that a request carries.
    pub(crate) fn take_rid(&mut self, rid: u64) -> Option<Row> {
        let index = self.rows.iter().position(|row| row.rid == Some(rid))?;
        self.rows.remove(index)
    }

    /// Takes a message by its id.
    pub(crate) fn take(
        &mut self,
        conversation: ConversationId,
        client_message: ClientMessageId,
    ) -> Option<Row> {
        let is_it =
            |row: &Row| row.conversation == conversation && row.client_message == client_message;
        let index = self.rows.iter().position(is_it)?;
        self.rows.remove(index)
    }

    /// The connection is gone: whatever was unanswered, which this tells, may have been applied.
    pub(crate) fn disconnected(&mut self) -> impl Iterator<Item = &Row> {
        self.rows.iter_mut().filter(|row| row.rid.is_some()).map(|row| {
            row.rid = None;
            row.is_uncertain = true;
            &*row
        })
    }
}
