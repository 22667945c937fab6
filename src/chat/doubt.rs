//! Entries of other writers, earlier copies of sends, and appends whose outcome is not known.
//!
//! After [`StoreError::Unknown`] on head n, an absent entry proves nothing until a head above n has
//! been read: the lost append may still take effect. Until then the same append is tried again, and
//! whoever sends is told that the outcome is unknown.

use super::Chat;
use super::admit::effective_floor;
use super::draft::Draft;
use super::emits::Emits;
use super::owner::{Action, Lane, Owner, Request, ascending, unapplied};
use super::recent::FLOOR_SPAN_MAX;
use crate::model::{CommandError, Sequence, Timestamp};
use crate::store::{Appended, Direction, Range, Store, StoreError};
use std::time::Duration;

/// How often an append of unknown outcome is tried again before its senders are told.
const ATTEMPTS_MAX: u32 = 3;

/// The wait before the first of those attempts; it doubles.
const BACKOFF: Duration = Duration::from_millis(20);

/// How long a refusal holds back what a connection had sent behind it. Far longer than anything
/// stays queued between a connection and an owner.
const HOLD: Duration = Duration::from_mins(2);

impl<T> Owner<T> {
    /// Reads what other writers have appended, up to the store's head, and tells it.
    pub async fn catch_up<S: Store>(
        &mut self,
        chat: &Chat<S>,
        emits: &mut impl Emits<T>,
    ) -> Result<(), CommandError> {
        self.read_on(chat, None, emits).await.map_err(|error| unapplied(&error))
    }

    /// Takes the entries from its own head up to the store's, each page folded and what follows from
    /// it written before any of it is told. Where one of them is an entry of `draft` after all, it
    /// answers its request.
    async fn read_on<S: Store>(
        &mut self,
        chat: &Chat<S>,
        mut draft: Option<&mut Draft<T>>,
        emits: &mut impl Emits<T>,
    ) -> Result<(), StoreError> {
        let id = self.conversation.id;
        let head = chat.store.head(id).await?;
        while self.head.sequence < head.sequence {
            let range = ascending(self.head.sequence.next(), head.sequence);
            let entries = chat.store.entries(id, range).await?;
            if entries.is_empty() {
                return Err(StoreError::Unavailable);
            }
            let mut audiences = Vec::with_capacity(entries.len());
            for entry in &entries {
                self.fold(chat, entry);
                audiences.push(self.members.audience(entry));
            }
            self.write_effects(chat).await;
            emits.moved(self);
            for (entry, audience) in entries.iter().zip(&audiences) {
                let answer = draft.as_mut().and_then(|draft| draft.answer_of(entry));
                emits.entry(entry, audience, answer);
            }
        }
        Ok(())
    }

    /// Tries to learn what became of an append of unknown outcome. The requests that were surely
    /// not applied come back, to be decided anew; if it stays unknown, their senders are told so.
    pub(super) async fn resolve<S: Store>(
        &mut self,
        chat: &Chat<S>,
        emits: &mut impl Emits<T>,
    ) -> Vec<Request<T>> {
        let Some(mut draft) = self.doubt.take() else { return Vec::new() };
        for attempt in 0..ATTEMPTS_MAX {
            match chat.store.append(self.append_of(&draft)).await {
                Ok(Appended::Applied) => {
                    self.applied(chat, draft, emits).await;
                    return Vec::new();
                }
                Ok(Appended::Stale(_)) => {
                    let read = self.read_on(chat, Some(&mut draft), emits).await;
                    if read.is_ok() && self.head.sequence > draft.expected {
                        return draft.take_unanswered();
                    }
                }
                Err(_) => tokio::time::sleep(BACKOFF * 2_u32.pow(attempt)).await,
            }
        }
        let accepted_at = draft.accepted_at;
        let unanswered = draft.take_unanswered();
        self.refuse(unanswered, &CommandError::outcome_unknown(), accepted_at, emits);
        self.doubt = Some(draft);
        Vec::new()
    }

    /// Whether every copy of a send among `requests` is in the ring, so that nothing has to be read.
    pub(super) fn needs_no_look_back(&self, requests: &[Request<T>]) -> bool {
        let head = self.head.sequence;
        let remembered = self.recent.complete_from()..=head.next();
        self.floors(requests).all(|floor| remembered.contains(&effective_floor(floor, head)))
    }

    /// Reads what the look-ups of `requests` need: the entries between the lowest floor and the ring.
    pub(super) async fn look_back<S: Store>(
        &mut self,
        chat: &Chat<S>,
        requests: &[Request<T>],
    ) -> Result<(), StoreError> {
        let head = self.head.sequence;
        let floors = self.floors(requests).map(|floor| effective_floor(floor, head));
        let lowest = floors.filter(|floor| head.next().since(*floor) <= FLOOR_SPAN_MAX).min();
        match lowest {
            Some(lowest) => self.extend_recent(chat, lowest).await,
            None => Ok(()),
        }
    }

    /// The floors of all sends by those who may have sent before.
    fn floors<'a>(
        &'a self,
        requests: &'a [Request<T>],
    ) -> impl Iterator<Item = Option<Sequence>> + 'a {
        requests.iter().filter_map(|request| match request.action {
            Action::Send { floor, .. } => self.members.get(request.actor.user).map(|_| floor),
            Action::Group(_) | Action::Note(_) => None,
        })
    }

    /// Completes the ring down to `lowest`, in pages from its lower end.
    async fn extend_recent<S: Store>(
        &mut self,
        chat: &Chat<S>,
        lowest: Sequence,
    ) -> Result<(), StoreError> {
        while lowest < self.recent.complete_from() {
            let range = Range {
                direction: Direction::Descending,
                ..ascending(lowest, self.recent.complete_from().minus(1))
            };
            let mut entries = chat.store.entries(self.conversation.id, range).await?;
            entries.reverse();
            if entries.is_empty() {
                return Err(StoreError::Corrupt { what: "log" });
            }
            self.recent.extend_back(&entries);
        }
        Ok(())
    }

    /// Answers `requests` with a refusal. One that may pass later holds back everything that the
    /// same connection has sent since, so that a refusal cannot reorder.
    pub(super) fn refuse(
        &mut self,
        requests: impl IntoIterator<Item = Request<T>>,
        error: &CommandError,
        now: Timestamp,
        emits: &mut impl Emits<T>,
    ) {
        for request in requests {
            if error.retry.is_some()
                && let Some(lane) = request.lane
            {
                self.hold(lane, now);
            }
            emits.reply(request.ticket, Err(error.clone()));
        }
    }

    pub(super) fn hold(&mut self, lane: Lane, now: Timestamp) {
        self.holds.retain(|(held, _)| held.connection != lane.connection);
        self.holds.push((lane, now));
    }

    pub(super) fn is_held(&self, lane: Lane) -> bool {
        self.holds.iter().any(|(held, _)| *held == lane)
    }

    pub(super) fn forget_holds(&mut self, now: Timestamp) {
        self.holds.retain(|(_, since)| now.since(*since) < HOLD);
    }
}
