//! What may become of a group, and by whom.
//!
//! Members may leave. Admins and the owner also add, remove members below them and rename; an owner
//! also gives roles. A group whose last owner leaves goes to the member of longest standing.

use super::admit::{Verdict, check_writes};
use super::draft::{Contents, Draft};
use super::owner::{GroupChange, Owner};
use super::view::unknown_chat;
use super::{Settings, draw_client_message};
use crate::model::{
    CommandError, Content, ConversationKind, ErrorCode, MemberChange, Membership, Outcome, Role,
    Sequence, Title, UserId,
};

impl<T> Owner<T> {
    /// Judges a change that `user` wants.
    pub(super) fn change_group(
        &self,
        settings: &Settings,
        draft: &Draft<T>,
        user: UserId,
        change: &GroupChange,
    ) -> Result<Verdict, CommandError> {
        if let GroupChange::Begin { title, members } = change {
            return begin(draft, title, members);
        }
        let actor = draft.members.get(user).ok_or_else(unknown_chat)?;
        self.check_group()?;
        match change {
            GroupChange::Begin { .. } => Ok(Verdict::Answer(Outcome::Done)),
            GroupChange::Add(users) => add(draft, actor, users, settings),
            GroupChange::Remove(target) => remove(draft, actor, *target),
            GroupChange::Rename(title) => self.rename(actor, title),
            GroupChange::SetRole(target, role) => set_role(draft, actor, *target, *role),
        }
    }

    fn rename(&self, actor: &Membership, title: &Title) -> Result<Verdict, CommandError> {
        check_manages(actor)?;
        if self.settings.title.as_ref() == Some(title) {
            return Ok(Verdict::Answer(Outcome::Done));
        }
        append(Content::Settings { title: Some(title.clone()), picture: None })
    }

    fn check_group(&self) -> Result<(), CommandError> {
        match self.conversation.kind() {
            ConversationKind::Group => Ok(()),
            ConversationKind::Journal | ConversationKind::Direct => {
                Err(CommandError::new(ErrorCode::Forbidden, "only a group's members change"))
            }
        }
    }
}

fn check_manages(membership: &Membership) -> Result<(), CommandError> {
    check_writes(membership)?;
    if membership.role >= Role::Admin {
        return Ok(());
    }
    Err(CommandError::new(ErrorCode::Forbidden, "only the owner and admins of a group do this"))
}

fn append(content: Content) -> Result<Verdict, CommandError> {
    Ok(Verdict::Append(vec![(draw_client_message()?, content)]))
}

fn begin<T>(draft: &Draft<T>, title: &Title, members: &[UserId]) -> Result<Verdict, CommandError> {
    if draft.head.sequence > Sequence::ZERO {
        return Ok(Verdict::Answer(Outcome::Done));
    }
    let settings = Content::Settings { title: Some(title.clone()), picture: None };
    let everyone =
        Content::Member { users: members.to_vec(), change: MemberChange::Added, role: None };
    Ok(Verdict::Append(vec![
        (draw_client_message()?, settings),
        (draw_client_message()?, everyone),
    ]))
}

fn add<T>(
    draft: &Draft<T>,
    actor: &Membership,
    users: &[UserId],
    settings: &Settings,
) -> Result<Verdict, CommandError> {
    check_manages(actor)?;
    let mut users: Vec<_> =
        users.iter().copied().filter(|user| !draft.members.is_current(*user)).collect();
    users.sort_unstable();
    users.dedup();
    if users.is_empty() {
        return Ok(Verdict::Answer(Outcome::Done));
    }
    if draft.members.current().len() + users.len() > settings.members_max {
        return Err(CommandError::new(ErrorCode::TooLarge, "the group has too many members"));
    }
    append(Content::Member { users, change: MemberChange::Added, role: None })
}

fn remove<T>(
    draft: &Draft<T>,
    actor: &Membership,
    target: UserId,
) -> Result<Verdict, CommandError> {
    let leaves = actor.user == target;
    if leaves && !actor.is_current() {
        return Ok(Verdict::Answer(Outcome::Done));
    }
    if !leaves {
        check_manages(actor)?;
    }
    let Some(row) = draft.members.get(target).filter(|row| row.is_current()) else {
        return Ok(Verdict::Answer(Outcome::Done));
    };
    if !leaves && row.role >= actor.role {
        return Err(CommandError::new(ErrorCode::Forbidden, "their role is not below yours"));
    }
    let change = if leaves { MemberChange::Left } else { MemberChange::Removed };
    let gone = Content::Member { users: vec![target], change, role: None };
    let mut contents: Contents = vec![(draw_client_message()?, gone)];
    if let Some(heir) = draft.members.successor(target) {
        let role = Some(Role::Owner);
        let heir = Content::Member { users: vec![heir], change: MemberChange::Role, role };
        contents.push((draw_client_message()?, heir));
    }
    Ok(Verdict::Append(contents))
}

fn set_role<T>(
    draft: &Draft<T>,
    actor: &Membership,
    target: UserId,
    role: Role,
) -> Result<Verdict, CommandError> {
    let forbidden = |detail| Err(CommandError::new(ErrorCode::Forbidden, detail));
    check_writes(actor)?;
    if actor.role != Role::Owner {
        return forbidden("only an owner gives roles");
    }
    let row = draft.members.get(target).filter(|row| row.is_current());
    let row = row.ok_or_else(|| CommandError::not_found("no such member"))?;
    if row.role == role {
        return Ok(Verdict::Answer(Outcome::Done));
    }
    // Nobody above an owner could undo it, so owners stand down by themselves alone.
    if row.role == Role::Owner && target != actor.user {
        return forbidden("an owner stands down by themselves");
    }
    if draft.members.is_last_owner(target) {
        return forbidden("a group keeps an owner: name another one first");
    }
    append(Content::Member { users: vec![target], change: MemberChange::Role, role: Some(role) })
}
