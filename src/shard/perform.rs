//! Commands to the service that knows the answer. What concerns one conversation is done by the
//! shard that owns it; everything else where it arrives.

use super::core::{Core, overloaded, spawn, spawn_while_asked};
use super::mailbox::{Origin, ShardMessage};
use super::{accounts, chats};
use crate::chat::{Action, Lane, Request};
use crate::model::{Actor, Command, ConversationId, Sequence};
use crate::store::Store;
use std::rc::Rc;

/// Performs a command that arrived at this shard.
#[expect(clippy::wildcard_enum_match_arm, reason = "all others are done alike")]
pub(super) fn perform<S: Store>(
    core: &Rc<Core<S>>,
    origin: Origin,
    actor: Option<Actor>,
    command: Command,
    lane: Option<Lane>,
) {
    // Only sends are held back: the lane of anything else is of no use.
    let lane = lane.filter(|_| matches!(command, Command::Send { .. }));
    if core.is_refused(lane) {
        return core.refuse(origin, lane, overloaded());
    }
    if let Some(conversation) = conversation_of(&command) {
        let owner = core.owner_of(conversation);
        if owner != core.index {
            let message = ShardMessage::Perform { origin, actor, command, lane };
            forward(core, owner, message);
            return;
        }
    }
    let Some(actor) = actor else {
        let task = accounts::anonymous(Rc::clone(core), command);
        return spawn(core, origin, task);
    };
    match command {
        Command::Send { conversation, client_message, floor, content } => {
            let action = Action::Send { client_message, floor, content };
            let request = Request { actor, action, lane, ticket: origin };
            core.owners.submit(core, conversation, request);
        }
        Command::Ack(acks) if acks.len() > 1 => acknowledge(core, &origin, actor, acks),
        command @ Command::Receive { .. } => {
            let task = chats::perform(Rc::clone(core), actor, command, None);
            spawn_while_asked(core, origin, task);
        }
        command => {
            let from = origin.place();
            spawn(core, origin, chats::perform(Rc::clone(core), actor, command, from));
        }
    }
}

fn forward<S: Store>(core: &Rc<Core<S>>, shard: u16, message: ShardMessage) {
    let refused = core.mailboxes.command(shard, message);
    if let Err(ShardMessage::Perform { origin, lane, .. }) = refused {
        core.refuse(origin, lane, overloaded());
    }
}

/// Hands each acknowledgement to the owner of its conversation. An ACK has no answer.
fn acknowledge<S: Store>(
    core: &Rc<Core<S>>,
    origin: &Origin,
    actor: Actor,
    acks: Vec<(ConversationId, Sequence)>,
) {
    for ack in acks {
        let command = Command::Ack(vec![ack]);
        perform(core, origin.unanswered(), Some(actor), command, None);
    }
}

/// The conversation whose owner performs a command.
#[expect(clippy::wildcard_enum_match_arm, reason = "most commands concern no conversation")]
pub(super) fn conversation_of(command: &Command) -> Option<ConversationId> {
    match command {
        Command::Send { conversation, .. }
        | Command::Fetch { conversation, .. }
        | Command::Read { conversation, .. }
        | Command::Ephemeral { conversation, .. } => Some(*conversation),
        Command::Chat { chat }
        | Command::Members { chat }
        | Command::AddMembers { chat, .. }
        | Command::RenameGroup { chat, .. }
        | Command::SetRole { chat, .. }
        | Command::RemoveMember { chat, .. }
        | Command::History { chat, .. } => Some(*chat),
        Command::Ack(acks) => match acks.as_slice() {
            [(conversation, _)] => Some(*conversation),
            _ => None,
        },
        _ => None,
    }
}
