//! Commands of an actor: each to the service that decides it.

use super::accounts::{append_to_journal, revoke, users_by_id};
use super::core::{Core, unauthenticated};
use super::receive;
use super::registry::Place;
use crate::chat::{Action, Bounds, CursorMoved, GroupChange, Request, View};
use crate::model::{
    Actor, ClientMessageId, Command, CommandError, ContactState, ConversationId, Outcome, Title,
    UserId,
};
use crate::store::Store;
use std::rc::Rc;

/// Performs a command of an actor; `from` is the connection it came over, if it did.
pub(super) async fn perform<S: Store>(
    core: Rc<Core<S>>,
    actor: Actor,
    command: Command,
    from: Option<Place>,
) -> Result<Outcome, CommandError> {
    match command {
        Command::Logout => revoke(&core, actor, actor.device).await,
        Command::RevokeDevice { device } => revoke(&core, actor, device).await,
        Command::RenameDevice { device, name } => {
            core.identity.rename_device(actor.user, device, name).await?;
            Ok(Outcome::Done)
        }
        Command::Devices => core.identity.devices(actor.user).await.map(Outcome::Devices),
        Command::Profile => core.identity.profile(actor.user).await.map(Outcome::User),
        Command::UpdateProfile(change) => {
            core.identity.update_profile(actor.user, change).await.map(Outcome::User)
        }
        Command::UserByName(name) => core.identity.user_by_name(&name).await.map(Outcome::User),
        Command::UsersById(users) => users_by_id(&core, &users).await,
        Command::Contacts { after, limit } => core.chat.contacts(actor, after, limit).await,
        Command::AddContact { user } => add_contact(&core, actor, user).await,
        Command::RemoveContact { user } => {
            set_contact(&core, actor, user, ContactState::None).await?;
            Ok(Outcome::Done)
        }
        Command::CreateDirect { user } => create_direct(&core, actor, user).await,
        Command::CreateGroup { title, members, client_id } => {
            create_group(&core, actor, (title, &members), client_id).await
        }
        Command::Chats { cursor, limit } => core.chat.chats(actor, cursor, limit).await,
        Command::Sync { token, limit } => {
            core.chat.sync(actor, core.clock.now(), &token, limit).await
        }
        Command::Receive { acks, wait, limit } => {
            receive::receive(&core, actor, &acks, wait, limit).await
        }
        Command::AddMembers { chat, users } => {
            core.chat.check_users(&users).await?;
            change_group(&core, chat, actor, GroupChange::Add(users)).await
        }
        Command::RemoveMember { chat, user } => {
            change_group(&core, chat, actor, GroupChange::Remove(user)).await
        }
        Command::RenameGroup { chat, title } => {
            change_group(&core, chat, actor, GroupChange::Rename(title)).await
        }
        Command::SetRole { chat, user, role } => {
            change_group(&core, chat, actor, GroupChange::SetRole(user, role)).await
        }
        Command::Chat { .. }
        | Command::Members { .. }
        | Command::Fetch { .. }
        | Command::History { .. }
        | Command::Ack(_)
        | Command::Read { .. }
        | Command::Ephemeral { .. } => read(&core, actor, command, from).await,
        Command::Send { .. }
        | Command::Register { .. }
        | Command::Login { .. }
        | Command::Refresh { .. }
        | Command::Authenticate { .. } => Err(unauthenticated()),
    }
}

/// Performs what reads one conversation, on its owner's shard.
#[expect(clippy::wildcard_enum_match_arm, reason = "the caller has sorted them out")]
async fn read<S: Store>(
    core: &Rc<Core<S>>,
    actor: Actor,
    command: Command,
    from: Option<Place>,
) -> Result<Outcome, CommandError> {
    let Some(conversation) = super::perform::conversation_of(&command) else {
        return Ok(Outcome::Done);
    };
    let view = view_for(core, conversation, actor, &command).await?;
    let now = core.clock.now();
    match command {
        Command::Chat { .. } => {
            let chat = Box::new(core.chat.chat(&view, actor).await?);
            Ok(Outcome::Chat { chat, created: false })
        }
        Command::Members { .. } => core.chat.members(&view, actor).await,
        Command::Fetch { from, to, .. } => core.chat.fetch(&view, actor, from, to).await,
        Command::History { before, after, limit, .. } => {
            core.chat.history(&view, actor, Bounds { before, after }, limit).await
        }
        Command::Read { read, .. } => {
            let moved = core.chat.read(&view, actor, now, read).await?;
            Ok(tell_cursor(core, moved, from))
        }
        Command::Ack(acks) => {
            for (_, delivered) in acks {
                let moved = core.chat.delivered(&view, actor, now, delivered).await?;
                tell_cursor(core, moved, from);
            }
            Ok(Outcome::Done)
        }
        Command::Ephemeral { kind, body, .. } => {
            let users = core.chat.hears_ephemeral(&view, actor)?;
            core.fanout.ephemeral(conversation, (actor.user, kind, &body), &users);
            Ok(Outcome::Done)
        }
        _ => Ok(Outcome::Done),
    }
}

/// What a command that reads a conversation is judged by.
#[expect(clippy::wildcard_enum_match_arm, reason = "all others tell what is stored")]
async fn view_for<S: Store>(
    core: &Core<S>,
    conversation: ConversationId,
    actor: Actor,
    command: &Command,
) -> Result<Rc<View>, CommandError> {
    let reached = match command {
        // Cursors come often, and mostly for entries that this server has told.
        Command::Read { read, .. } => *read,
        Command::Ack(acks) => acks.iter().map(|ack| ack.1).max().unwrap_or_default(),
        // Typing is lost for less.
        Command::Ephemeral { .. } => return core.owners.view(core, conversation).await,
        _ => return core.owners.current_view(core, conversation).await,
    };
    let known = core.owners.view(core, conversation).await?;
    if known.covers(actor, reached) {
        return Ok(known);
    }
    core.owners.current_view(core, conversation).await
}

fn tell_cursor<S: Store>(
    core: &Core<S>,
    moved: Option<CursorMoved>,
    from: Option<Place>,
) -> Outcome {
    if let Some(moved) = moved {
        core.fanout.cursor(&moved, from);
    }
    Outcome::Done
}

async fn change_group<S: Store>(
    core: &Core<S>,
    conversation: ConversationId,
    actor: Actor,
    change: GroupChange,
) -> Result<Outcome, CommandError> {
    let action = Action::Group(change);
    core.append(conversation, Request { actor, action, lane: None, ticket: () }).await
}

async fn set_contact<S: Store>(
    core: &Core<S>,
    actor: Actor,
    user: UserId,
    state: ContactState,
) -> Result<(), CommandError> {
    if let Some(content) = core.chat.contact_change(actor, user, state).await? {
        append_to_journal(core, actor, content).await?;
    }
    Ok(())
}

async fn add_contact<S: Store>(
    core: &Core<S>,
    actor: Actor,
    user: UserId,
) -> Result<Outcome, CommandError> {
    set_contact(core, actor, user, ContactState::Accepted).await?;
    let contact = core.chat.contact(actor, user).await?;
    contact.map(Outcome::Contact).ok_or_else(|| CommandError::not_found("no such contact"))
}

async fn create_direct<S: Store>(
    core: &Core<S>,
    actor: Actor,
    user: UserId,
) -> Result<Outcome, CommandError> {
    let (chat, created) = core.chat.direct(actor, user, core.clock.now()).await?;
    show(core, actor, chat, created).await
}

async fn create_group<S: Store>(
    core: &Core<S>,
    actor: Actor,
    (title, members): (Title, &[UserId]),
    client_id: ClientMessageId,
) -> Result<Outcome, CommandError> {
    let now = core.clock.now();
    let (chat, created, members) = core.chat.group(actor, members, client_id, now).await?;
    change_group(core, chat, actor, GroupChange::Begin { title, members }).await?;
    show(core, actor, chat, created).await
}

async fn show<S: Store>(
    core: &Core<S>,
    actor: Actor,
    chat: ConversationId,
    created: bool,
) -> Result<Outcome, CommandError> {
    let mut shown = core.call(chat, actor, Command::Chat { chat }).await?;
    if let Outcome::Chat { created: told, .. } = &mut shown {
        *told = created;
    }
    Ok(shown)
}
