//! What may be appended: the rules of sending. What may become of a group is in `groups`.
//!
//! Each request is judged with what is committed and with what stands before it in the same draft.

use super::draft::{Contents, Draft};
use super::emits::Emits;
use super::owner::{Action, Lane, Owner, Request};
use super::recent::{Copy, FLOOR_SPAN_MAX};
use super::view::unknown_chat;
use super::{Settings, draw_client_message};
use crate::model::{
    CommandError, Content, ErrorCode, Membership, Outcome, Sent, Sequence, Timestamp,
};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// The floor of a send that names none: so far back that the span is just kept.
pub(super) fn effective_floor(floor: Option<Sequence>, head: Sequence) -> Sequence {
    floor.unwrap_or_else(|| head.next().minus(FLOOR_SPAN_MAX).max(Sequence::FIRST))
}

/// What a request leads to.
pub(super) enum Verdict {
    /// What it sends is to be appended, or these where it is no send.
    Append(Contents),
    /// As things stand, nothing is to be appended; this is the answer.
    Answer(Outcome),
    /// It is stored already; this is the answer, whatever else may have been stored since.
    Stored(Outcome),
    /// The same send stands earlier in the draft, at this index.
    Twin(usize),
}

impl<T> Owner<T> {
    /// Judges requests in order; what is refused or known already is answered at once. Unless what is
    /// known is `current`, it stops at the first that nothing would be appended for: an append fails
    /// if the log has grown by others' entries, but an answer would be given all the same.
    pub(super) fn admit(
        &mut self,
        settings: &Settings,
        (now, current): (Timestamp, bool),
        requests: &mut VecDeque<Request<T>>,
        emits: &mut impl Emits<T>,
    ) -> Box<Draft<T>> {
        let mut draft = self.blank(now);
        while let Some(request) = requests.pop_front() {
            match self.judge(settings, &draft, &request) {
                Ok(Verdict::Append(contents)) => draft.push(request, contents),
                Ok(Verdict::Twin(index)) => draft.attach(index, request),
                Ok(Verdict::Answer(_)) | Err(_) if !current => {
                    requests.push_front(request);
                    break;
                }
                Ok(Verdict::Stored(outcome) | Verdict::Answer(outcome)) => {
                    emits.reply(request.ticket, Ok(outcome));
                }
                Err(error) => self.refuse([request], &error, now, emits),
            }
        }
        draft
    }

    /// An empty draft: the last one, if it was told.
    fn blank(&mut self, now: Timestamp) -> Box<Draft<T>> {
        match self.blank.take() {
            Some(mut draft) => {
                draft.renew(self.head, &self.members, now);
                draft
            }
            None => Box::new(Draft::new(self.head, Rc::clone(&self.members), now)),
        }
    }

    fn judge(
        &mut self,
        settings: &Settings,
        draft: &Draft<T>,
        request: &Request<T>,
    ) -> Result<Verdict, CommandError> {
        let user = request.actor.user;
        match &request.action {
            Action::Send { client_message, floor, content } => {
                self.check_lane(request.lane)?;
                let membership = draft.members.get(user).ok_or_else(unknown_chat)?;
                self.check_floor(*floor)?;
                let floor = effective_floor(*floor, self.head.sequence);
                if let Some(copy) = self.recent.find(user, *client_message, floor) {
                    return self.answer_copy(copy, content).map(Verdict::Stored);
                }
                if let Some(index) = draft.twin(user, *client_message, content)? {
                    return Ok(Verdict::Twin(index));
                }
                check_writes(membership)?;
                check_content(content, settings, membership, draft.head.sequence)?;
                Ok(Verdict::Append(Contents::new()))
            }
            Action::Group(change) => self.change_group(settings, draft, user, change),
            Action::Note(content) => {
                Ok(Verdict::Append(vec![(draw_client_message()?, content.clone())]))
            }
        }
    }

    fn check_lane(&self, lane: Option<Lane>) -> Result<(), CommandError> {
        match lane {
            Some(lane) if self.is_held(lane) => Err(CommandError::overloaded(
                "held: an earlier send was refused and no RESUME has followed",
            )),
            Some(_) | None => Ok(()),
        }
    }

    fn check_floor(&self, floor: Option<Sequence>) -> Result<(), CommandError> {
        let head = self.head.sequence;
        let Some(floor) = floor else { return Ok(()) };
        let far = |detail: &'static str| {
            let retry = Duration::from_secs(1);
            Err(CommandError::retryable(ErrorCode::FloorOutOfRange, detail, retry))
        };
        if floor == Sequence::ZERO {
            return Err(CommandError::new(ErrorCode::Invalid, "floor: counts from 1"));
        }
        if floor > head.next() {
            return far("the floor lies above the head");
        }
        if head.next().since(floor) > FLOOR_SPAN_MAX {
            return far("the floor lies too far below the head");
        }
        Ok(())
    }

    fn answer_copy(&self, copy: Copy, content: &Content) -> Result<Outcome, CommandError> {
        if copy.fingerprint != content.fingerprint() {
            return Err(CommandError::reused_client_id());
        }
        Ok(Outcome::Sent(Sent {
            conversation: self.conversation.id,
            sequence: copy.sequence,
            ordinal: copy.ordinal,
            sent_at: copy.sent_at,
            duplicate: true,
        }))
    }
}

/// Refuses whoever no longer belongs to the conversation.
pub(super) fn check_writes(membership: &Membership) -> Result<(), CommandError> {
    if membership.is_current() {
        return Ok(());
    }
    Err(CommandError::new(ErrorCode::Forbidden, "you no longer belong to this chat"))
}

fn check_content(
    content: &Content,
    settings: &Settings,
    membership: &Membership,
    head: Sequence,
) -> Result<(), CommandError> {
    let invalid = |detail| Err(CommandError::new(ErrorCode::Invalid, detail));
    let body_bytes = match content {
        Content::Message(message) => {
            if !message.attachments.is_empty() {
                return Err(CommandError::not_found("attachments: no such media"));
            }
            if message.text.is_empty() {
                return invalid("text: empty, and nothing is attached");
            }
            if message.mentions.len() > settings.mentions_max {
                return invalid("mentions: too many");
            }
            let visible = |target: Sequence| target <= head && membership.sees(target);
            if message.reply_to.is_some_and(|target| !visible(target)) {
                return invalid("reply_to: no such entry");
            }
            message.text.as_bytes().len()
        }
        Content::Opaque { body, attributes, .. } => {
            body.len() + attributes.iter().map(|(_, value)| value.len()).sum::<usize>()
        }
        Content::Edit { .. }
        | Content::Unsend { .. }
        | Content::Reaction { .. }
        | Content::Pin { .. } => {
            return Err(CommandError::new(
                ErrorCode::Unsupported,
                "this server does not take entries of this kind yet",
            ));
        }
        Content::Member { .. }
        | Content::Settings { .. }
        | Content::Contact { .. }
        | Content::Device { .. } => return invalid("kind: not for clients to send"),
    };
    if body_bytes > settings.body_bytes_max {
        return Err(CommandError::new(ErrorCode::TooLarge, "the body is too large"));
    }
    Ok(())
}
