//! The index of buckets: which holds a sequence, which is the last.
//!
//! A hint: the chain of buckets is the truth. It has no holes, because a bucket is noted before it is
//! sealed and opened only once its predecessor is sealed. So only the last bucket can be missing.

use super::Inner;
use super::head::corrupt;
use super::roll::{Bucket, Link, Tail};
use super::row::{bigint, first, number};
use crate::model::{ConversationId, Sequence};
use crate::store::StoreError;

impl Inner {
    /// The last bucket that was noted.
    pub(super) async fn last_link(&self, conversation: ConversationId) -> Result<Link, StoreError> {
        self.link_of(conversation, Sequence::MAX).await
    }

    /// The bucket that holds a sequence, as far as buckets were noted.
    pub(super) async fn link_of(
        &self,
        conversation: ConversationId,
        sequence: Sequence,
    ) -> Result<Link, StoreError> {
        let values = (bigint(conversation.get()), bigint(sequence.get()));
        let rows = self.database.read(&self.statements.log.bucket_of, values).await?;
        let Some((name,)) = first::<(i64,)>(&rows)? else { return Ok(Link::FIRST) };
        let bucket = number(name).map(Bucket);
        let bucket = bucket.ok_or_else(|| corrupt(conversation, "a bucket below zero"))?;
        Ok(Link { bucket, indexed: true })
    }

    /// Notes where a bucket begins.
    pub(super) async fn note(
        &self,
        conversation: ConversationId,
        tail: &Tail,
    ) -> Result<(), StoreError> {
        let values = (
            bigint(conversation.get()),
            bigint(tail.first.get()),
            bigint(tail.bucket.0),
            bigint(tail.opened_at.as_millis()),
        );
        self.database.change(&self.statements.log.note_bucket, values).await
    }
}
