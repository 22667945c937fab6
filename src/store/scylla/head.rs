//! Where a log ends: the walk along its chain of buckets, from as near to the end as is known.

use super::roll::{Bucket, Link, Tail};
use super::row::{bigint, first, number};
use super::{Inner, STATEMENTS_MAX};
use crate::model::{ConversationId, Head, Ordinal, Sequence, Timestamp};
use crate::store::StoreError;
use futures_util::{StreamExt, TryStreamExt, stream};

/// The columns of a bucket beside its entries, in the order of the statement: `last_sequence`,
/// `last_ord`, `last_at`, `first_sequence`, `opened_at`, `bytes`, `next_bucket`.
type Columns =
    (Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<i64>);

/// A bucket as it was read.
struct Seen {
    tail: Tail,
    next: Option<Bucket>,
}

impl Inner {
    pub(super) async fn head(&self, conversation: ConversationId) -> Result<Head, StoreError> {
        self.end(conversation).await.map(|tail| tail.head)
    }

    pub(super) async fn heads(
        &self,
        conversations: Vec<ConversationId>,
    ) -> Result<Vec<Head>, StoreError> {
        let ends = stream::iter(conversations)
            .map(|conversation| self.end(conversation))
            .buffered(STATEMENTS_MAX);
        ends.map_ok(|tail| tail.head).try_collect().await
    }

    /// The end of a log.
    pub(super) async fn end(&self, conversation: ConversationId) -> Result<Tail, StoreError> {
        let link = match self.tails.get(conversation) {
            Some(tail) => tail.link(),
            None => self.last_link(conversation).await?,
        };
        self.walk(conversation, link).await
    }

    /// An end of a log that lies at a sequence or beyond, if the log goes that far: remembered or read.
    pub(super) async fn end_beyond(
        &self,
        conversation: ConversationId,
        sequence: Sequence,
    ) -> Result<Tail, StoreError> {
        match self.tails.get(conversation) {
            Some(tail) if sequence <= tail.head.sequence => Ok(tail),
            Some(_) | None => self.end(conversation).await,
        }
    }

    /// The end of a log, found from one of its buckets on. Notes what the index lacks on the way: it
    /// knows every bucket before the ones it lacks, since each was noted before it was sealed.
    pub(super) async fn walk(
        &self,
        conversation: ConversationId,
        mut link: Link,
    ) -> Result<Tail, StoreError> {
        let mut before = None;
        loop {
            let Some(Seen { mut tail, next }) = self.look(conversation, link).await? else {
                let tail = match before {
                    Some(head) => Tail::unopened(link.bucket, head),
                    None if link == Link::FIRST => Tail::of_empty_log(),
                    None => {
                        // A hint that leads nowhere.
                        self.tails.forget(conversation);
                        link = Link::FIRST;
                        continue;
                    }
                };
                self.tails.saw(conversation, tail);
                return Ok(tail);
            };
            if !tail.indexed {
                tail.indexed = self.note(conversation, &tail).await.is_ok();
            }
            match next {
                None => {
                    self.tails.saw(conversation, tail);
                    return Ok(tail);
                }
                Some(next) if next > link.bucket => {
                    before = Some(tail.head);
                    link = Link { bucket: next, indexed: false };
                }
                Some(_) => return Err(corrupt(conversation, "a bucket names an earlier one")),
            }
        }
    }

    /// Reads a bucket; `None` if there is none of this name.
    async fn look(
        &self,
        conversation: ConversationId,
        link: Link,
    ) -> Result<Option<Seen>, StoreError> {
        let values = (bigint(conversation.get()), bigint(link.bucket.0));
        let rows = self.database.read(&self.statements.log.bucket, values).await?;
        let Some(columns) = first::<Columns>(&rows)? else { return Ok(None) };
        let seen = Seen::new(link, columns);
        seen.map(Some).ok_or_else(|| corrupt(conversation, "a bucket lacks a column"))
    }
}

impl Seen {
    fn new(link: Link, columns: Columns) -> Option<Self> {
        let (last, last_ord, last_at, first, opened_at, bytes, next) = columns;
        let head = Head {
            sequence: Sequence::new(number(last?)?)?,
            ordinal: Ordinal::new(number(last_ord?)?)?,
            sent_at: Timestamp::from_millis(number(last_at?)?),
        };
        let Link { bucket, indexed } = link;
        let tail = Tail {
            bucket,
            first: Sequence::new(number(first?)?)?,
            opened_at: Timestamp::from_millis(number(opened_at?)?),
            head,
            bytes: number(bytes?)?,
            indexed,
        };
        let next = match next {
            Some(next) => Some(Bucket(number(next)?)),
            None => None,
        };
        Some(Self { tail, next })
    }
}

/// Reports a log that contradicts itself.
pub(super) fn corrupt(conversation: ConversationId, why: &'static str) -> StoreError {
    tracing::error!(%conversation, why, "a log is corrupt");
    StoreError::Corrupt { what: "log" }
}
