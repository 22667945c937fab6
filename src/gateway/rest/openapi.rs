//! What the API document says besides the paths: title, tags, the bearer scheme; and its one
//! rendering, served and committed alike.

use super::problem::{AppliedName, ProblemDocument, responses};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, License, OpenApi, OpenApiBuilder, Tag};

/// The name by which handlers refer to the security scheme.
const BEARER: &str = "bearer";

const DESCRIPTION: &str = "The JSON door of chasqui, a self-hosted messenger server.

Ids and sequences are numbers up to 2^53-1, times are milliseconds since 1970 in fields ending in \
`_at`. Lists are `{items, next_cursor}`: read on by repeating the request with `?cursor=`. Unknown \
fields of a request are ignored. Every refusal is a problem document (RFC 9457) with a stable \
`code`.

`GET /ws` with the WebSocket subprotocol `chasqui.v1` upgrades to the binary protocol.";

const TAGS: [(&str, &str); 7] = [
    ("auth", "Accounts and tokens."),
    ("users", "People and their profiles."),
    ("contacts", "The caller's contact list."),
    ("chats", "Direct chats, groups and their members."),
    ("messages", "Sending, history, and receiving without a WebSocket."),
    ("devices", "The caller's installations."),
    ("health", "What machines ask."),
];

/// The document without its paths.
pub(super) fn base() -> OpenApi {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The `access_token` of `/register`, `/login` or `/token/refresh`."));
    // Every answer may be a problem; they refer to its schema by name.
    let components = ComponentsBuilder::new()
        .security_scheme(BEARER, SecurityScheme::Http(bearer.build()))
        .schema_from::<ProblemDocument<'_>>()
        .schema_from::<AppliedName>()
        .responses_from_iter(responses());
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    let info = InfoBuilder::new()
        .title("chasqui")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(license));
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components.build()))
        .tags(Some(TAGS.map(tag)))
        .build()
}

fn tag((name, description): (&str, &str)) -> Tag {
    TagBuilder::new().name(name).description(Some(description)).build()
}

/// The document as text.
pub(super) fn render(document: &OpenApi) -> String {
    // A document of strings, numbers and maps with text keys always has a JSON form.
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
