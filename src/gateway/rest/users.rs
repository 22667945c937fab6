//! People: the caller's own profile, and others by name or id.

use super::Gate;
use super::extract::{Caller, Id, Params, Valid, inner};
use super::field::{AboutField, Change, DisplayNameField, MediaField, UsernameField};
use super::page::Page;
use super::problem::{BodyRefusals, Missing, Problem, Refusals, Unauthenticated};
use crate::model::{
    Command, CommandError, ErrorCode, MediaId, Outcome, ProfileChange, UserId, UserView,
};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User, example = json!({
    "user": 4_503_599_627_370_497_u64, "username": "ana", "display_name": "Ana", "about": "",
    "avatar": null, "created_at": 1_790_000_000_000_u64
}))]
pub(super) struct Person {
    /// Their id.
    #[schema(minimum = 1)]
    user: u64,
    /// Their unique name.
    username: String,
    /// Their name for people.
    display_name: String,
    /// A few words about themselves.
    about: String,
    /// The media id of their picture.
    #[schema(required, minimum = 1)]
    avatar: Option<u64>,
    /// When they registered.
    created_at: u64,
}

impl From<UserView> for Person {
    fn from(view: UserView) -> Self {
        let UserView { user, username, profile, created_at } = view;
        Self {
            user: user.get(),
            username: username.as_str().to_owned(),
            display_name: profile.display_name.as_str().to_owned(),
            about: profile.about,
            avatar: profile.avatar.map(MediaId::get),
            created_at: created_at.as_millis(),
        }
    }
}

/// A change of a profile; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"display_name": "Ana B.", "about": "Away until Monday"}))]
pub(super) struct ProfileRequest {
    display_name: Option<DisplayNameField>,
    about: Option<AboutField>,
    /// Null takes the picture away.
    #[serde(default)]
    #[schema(value_type = Option<MediaField>)]
    avatar: Change<MediaField>,
}

/// The caller's profile
#[utoipa::path(get, path = "/user/profile", tag = "users", operation_id = "profile",
    security(("bearer" = [])),
    responses((status = 200, description = "The profile.", body = Person),
        Refusals, Unauthenticated))]
pub(super) async fn profile(
    State(gate): State<Gate>,
    Caller(actor): Caller,
) -> Result<Json<Person>, Problem> {
    let Outcome::User(user) = gate.ask(Some(actor), Command::Profile).await? else {
        return Err(Problem::wrong_outcome());
    };
    Ok(Json(user.into()))
}

async fn change(
    gate: &Gate,
    caller: Caller,
    request: ProfileRequest,
) -> Result<Json<Person>, Problem> {
    let ProfileRequest { display_name, about, avatar } = request;
    let change = ProfileChange {
        display_name: inner(display_name),
        about: inner(about).map(|about| about.0),
        avatar: match avatar {
            Change::Keep => None,
            Change::Clear => Some(None),
            Change::Set(media) => Some(Some(media.0)),
        },
    };
    let Outcome::User(user) = gate.ask(Some(caller.0), Command::UpdateProfile(change)).await?
    else {
        return Err(Problem::wrong_outcome());
    };
    Ok(Json(user.into()))
}

/// Change the caller's profile
#[utoipa::path(patch, path = "/user/profile", tag = "users", operation_id = "update_profile",
    security(("bearer" = [])), request_body = ProfileRequest,
    responses((status = 200, description = "The profile as it is now.", body = Person),
        Refusals, BodyRefusals, Unauthenticated))]
pub(super) async fn update_profile(
    State(gate): State<Gate>,
    caller: Caller,
    Valid(request): Valid<ProfileRequest>,
) -> Result<Json<Person>, Problem> {
    change(&gate, caller, request).await
}

/// Change the caller's profile
///
/// The same as PATCH: what is absent stays.
#[utoipa::path(put, path = "/user/profile", tag = "users", operation_id = "put_profile",
    security(("bearer" = [])), request_body = ProfileRequest,
    responses((status = 200, description = "The profile as it is now.", body = Person),
        Refusals, BodyRefusals, Unauthenticated))]
pub(super) async fn put_profile(
    State(gate): State<Gate>,
    caller: Caller,
    Valid(request): Valid<ProfileRequest>,
) -> Result<Json<Person>, Problem> {
    change(&gate, caller, request).await
}

/// Whom to find: exactly one of the two.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FindQuery {
    /// The exact user name.
    #[param(inline, nullable = false)]
    username: Option<UsernameField>,
    /// Up to 100 user ids, separated by commas; unknown ones are left out.
    #[param(nullable = false, pattern = "^[1-9][0-9]{0,14}(,[1-9][0-9]{0,14}){0,99}$")]
    ids: Option<String>,
}

/// The most users of one look-up.
const IDS_MAX: usize = 100;

fn ids(text: &str) -> Result<Vec<UserId>, Problem> {
    let ids: Option<Vec<UserId>> =
        text.split(',').map(|id| id.parse().ok().and_then(UserId::new)).collect();
    ids.filter(|ids| ids.len() <= IDS_MAX).ok_or_else(|| {
        Problem::new(ErrorCode::Invalid, "ids must be 1 to 100 user ids separated by commas")
            .with_field("ids")
    })
}

/// Find users
///
/// By exact name (an empty list where there is none) or by ids.
#[utoipa::path(get, path = "/users", tag = "users", operation_id = "find_users",
    security(("bearer" = [])), params(FindQuery),
    responses((status = 200, description = "Those found.", body = Page<Person>),
        Refusals, Unauthenticated))]
pub(super) async fn find(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    Params(query): Params<FindQuery>,
) -> Result<Json<Page<Person>>, Problem> {
    let command = match query {
        FindQuery { username: Some(name), ids: None } => Command::UserByName(name.0),
        FindQuery { username: None, ids: Some(text) } => Command::UsersById(ids(&text)?),
        FindQuery { .. } => {
            let detail = "exactly one of username and ids is needed";
            return Err(Problem::new(ErrorCode::Invalid, detail).with_field("username"));
        }
    };
    match gate.shard.execute(Some(actor), command).await {
        Ok(Outcome::User(user)) => Ok(Json(Page::whole([user.into()]))),
        Ok(Outcome::Users(users)) => Ok(Json(Page::whole(users.into_iter().map(Person::from)))),
        Err(CommandError { code: ErrorCode::NotFound, .. }) => Ok(Json(Page::whole([]))),
        Err(error) => Err(error.into()),
        Ok(_) => Err(Problem::wrong_outcome()),
    }
}

/// One user
#[utoipa::path(get, path = "/users/{user}", tag = "users", operation_id = "user",
    security(("bearer" = [])),
    params(("user" = inline(super::field::UserField), Path, description = "Whose.")),
    responses((status = 200, description = "The user.", body = Person),
        Refusals, Unauthenticated, Missing))]
pub(super) async fn get(
    State(gate): State<Gate>,
    Caller(actor): Caller,
    Id(user): Id<UserId>,
) -> Result<Json<Person>, Problem> {
    let command = Command::UsersById(vec![user]);
    let Outcome::Users(users) = gate.ask(Some(actor), command).await? else {
        return Err(Problem::wrong_outcome());
    };
    let user = users.into_iter().next();
    let user = user.ok_or_else(|| Problem::new(ErrorCode::NotFound, "no such user"))?;
    Ok(Json(user.into()))
}
