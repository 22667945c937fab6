//! The two people of `serve --dev`, ready to chat.

use crate::model::{
    Command, CommandError, DeviceName, DisplayName, ErrorCode, Outcome, Password, SignedIn,
    Username,
};
use crate::shard::ShardHandle;

/// User name and name for people.
const PEOPLE: [(&str, &str); 2] = [("ana", "Ana"), ("ben", "Ben")];

/// Their password: no secret, since `--dev` is for trying things out.
const PASSWORD: &str = "chasqui-demo";

/// Them as the pages are told: `name:password`, apart by spaces.
pub(super) fn offer() -> String {
    PEOPLE.map(|(name, _)| format!("{name}:{PASSWORD}")).join(" ")
}

/// Registers or signs them in and opens their chat; a line for each with user name, password and access
/// token, and one with the page of each at `origin`.
pub(super) async fn accounts(handle: &ShardHandle, origin: &str) -> Result<String, CommandError> {
    let mut lines = Vec::new();
    let mut actors = Vec::new();
    for (name, display_name) in PEOPLE {
        let SignedIn { actor, access_token, .. } = sign_in(handle, name, display_name).await?;
        let token = access_token.as_str();
        lines.push(format!("demo user {name} password {PASSWORD} token {token}\n"));
        actors.push(actor);
    }
    if let [one, other] = actors[..] {
        handle.execute(Some(one), Command::CreateDirect { user: other.user }).await?;
    }
    let pages = PEOPLE.map(|(name, _)| format!("{origin}/?as={name}"));
    lines.push(format!("they chat at {}\n", pages.join(" and ")));
    Ok(lines.concat())
}

async fn sign_in(
    handle: &ShardHandle,
    name: &str,
    display_name: &str,
) -> Result<SignedIn, CommandError> {
    let invalid = || CommandError::new(ErrorCode::Internal, "a demo account is not valid");
    let username = Username::new(name).ok_or_else(invalid)?;
    let password = Password::new(PASSWORD).ok_or_else(invalid)?;
    let device_name = DeviceName::new("demo").ok_or_else(invalid)?;
    let register = Command::Register {
        username: username.clone(),
        password: password.clone(),
        display_name: DisplayName::new(display_name),
        device_name: device_name.clone(),
    };
    let outcome = match handle.execute(None, register).await {
        Err(error) if error.code == ErrorCode::Conflict => {
            let login = Command::Login { username, password, device_name, device: None };
            handle.execute(None, login).await?
        }
        registered => registered?,
    };
    let Outcome::SignedIn(signed_in) = outcome else { return Err(invalid()) };
    Ok(signed_in)
}
