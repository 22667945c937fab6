//! Commands about accounts and devices: identity decides, and what happened to a device is noted in
//! its user's journal.

use super::core::{Core, unauthenticated};
use crate::chat::{Action, Request};
use crate::identity::{Registration, SignIn};
use crate::model::{
    Actor, Command, CommandError, Content, Device, DeviceChange, DeviceId, Outcome, Secret,
    SignedIn, UserId,
};
use crate::store::Store;
use std::rc::Rc;

/// The most users of one look-up.
const USERS_MAX: usize = 100;

/// Performs what needs no actor.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other command needs an actor")]
pub(super) async fn anonymous<S: Store>(
    core: Rc<Core<S>>,
    command: Command,
) -> Result<Outcome, CommandError> {
    let now = core.clock.now();
    match command {
        Command::Register { username, password, display_name, device_name } => {
            let registration = Registration { username, password, display_name, device_name };
            let (signed_in, device) = core.identity.register(now, registration).await?;
            Ok(welcome(&core, signed_in, &device).await)
        }
        Command::Login { username, password, device_name, device } => {
            let re_entered = device.is_some();
            let sign_in = SignIn { username, password, device_name, device };
            let (signed_in, device) = core.identity.login(now, sign_in).await?;
            if re_entered {
                // Its earlier tokens have ended, and so do the connections they opened.
                core.close_device(signed_in.actor);
            }
            Ok(welcome(&core, signed_in, &device).await)
        }
        Command::Refresh { token } => refresh(&core, &token).await,
        Command::Authenticate { token } => {
            let grant = core.identity.verify_access(now, &token)?;
            core.identity.check_device(&grant).await?;
            Ok(Outcome::Authenticated(grant))
        }
        _ => Err(unauthenticated()),
    }
}

async fn refresh<S: Store>(core: &Core<S>, token: &Secret) -> Result<Outcome, CommandError> {
    match core.identity.refresh(core.clock.now(), token).await {
        Ok(signed_in) => Ok(Outcome::SignedIn(signed_in)),
        Err(error) => {
            if let Some(actor) = error.revoked {
                core.close_device(actor);
            }
            Err(error.refused)
        }
    }
}

async fn welcome<S: Store>(core: &Core<S>, signed_in: SignedIn, device: &Device) -> Outcome {
    note(core, signed_in.actor, device, DeviceChange::Added).await;
    Outcome::SignedIn(signed_in)
}

/// Notes in the journal what happened to a device. The device's record is the truth, and it has
/// changed already: if the note cannot be stored now, the command stands all the same.
async fn note<S: Store>(core: &Core<S>, actor: Actor, device: &Device, change: DeviceChange) {
    let content = Content::Device { device: device.device, change, name: device.name.clone() };
    if let Err(error) = append_to_journal(core, actor, content).await {
        tracing::warn!(%error, user = %actor.user, "a device change is not in the journal");
    }
}

/// Appends an account event to the actor's journal.
pub(super) async fn append_to_journal<S: Store>(
    core: &Core<S>,
    actor: Actor,
    content: Content,
) -> Result<Outcome, CommandError> {
    let journal = core.chat.journal(actor.user, core.clock.now()).await?;
    let action = Action::Note(content);
    core.append(journal, Request { actor, action, lane: None, ticket: () }).await
}

/// Signs a device of the actor's out: its tokens first, then its connections.
pub(super) async fn revoke<S: Store>(
    core: &Core<S>,
    actor: Actor,
    device: DeviceId,
) -> Result<Outcome, CommandError> {
    let revoked = core.identity.revoke(core.clock.now(), actor.user, device).await?;
    if let Some(record) = revoked {
        core.close_device(Actor { user: actor.user, device });
        note(core, actor, &record, DeviceChange::Revoked).await;
    }
    Ok(Outcome::Done)
}

/// Users by id; those that do not exist are left out.
pub(super) async fn users_by_id<S: Store>(
    core: &Core<S>,
    users: &[UserId],
) -> Result<Outcome, CommandError> {
    if users.len() > USERS_MAX {
        let code = crate::model::ErrorCode::Invalid;
        return Err(CommandError::new(code, "ids: at most 100"));
    }
    core.identity.users_by_id(users).await.map(Outcome::Users)
}
