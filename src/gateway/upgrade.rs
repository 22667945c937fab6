//! The WebSocket handshake: which requests become connections of the binary protocol.
//!
//! Answers the HTTP half only; moving the socket to its shard is the listener's part. It tolerates
//! what proxies do to headers (case, lists, several lines) and nothing that a browser page of a
//! foreign origin could use.

use super::rest::Problem;
use crate::model::ErrorCode;
use axum::body::Body;
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, HOST, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fastwebsockets::upgrade::{is_upgrade_request, upgrade};

/// The subprotocol that a client must offer, and the only one that is chosen.
pub const SUBPROTOCOL: &str = "chasqui.v1";

/// How many bytes a handshake's key stands for.
const KEY_BYTES: usize = 16;

/// What is answered where no upgrade was asked for: most often a proxy has taken it out.
const NO_UPGRADE: &str = "no WebSocket upgrade has reached the server: a proxy on the way may have \
    removed it; /message/receive works without";

/// Who may upgrade, and to what.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Origins (`https://host[:port]`) whose pages may connect besides those of this host.
    pub origins: Vec<String>,
    /// Whether `/echo` exists: a WebSocket that sends back what it gets, for conformance runs.
    pub echo: bool,
}

/// What a WebSocket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The binary protocol.
    Chat,
    /// Nothing: it sends back what it gets.
    Echo,
}

impl Settings {
    /// The door at a path, if it is one that upgrades.
    pub fn door(&self, path: &str) -> Option<Door> {
        match path {
            "/ws" => Some(Door::Chat),
            "/echo" if self.echo => Some(Door::Echo),
            _ => None,
        }
    }
}

/// Answers a handshake: 101, or why not.
pub fn answer<B>(
    request: &mut Request<B>,
    settings: &Settings,
    door: Door,
) -> Result<Response<Body>, Problem> {
    check_request(request)?;
    check_key(request.headers())?;
    check_origin(request.headers(), &settings.origins)?;
    if door == Door::Chat {
        check_subprotocol(request.headers())?;
    }
    // The future for the upgraded stream is dropped: the listener takes the socket itself.
    let Ok((response, _)) = upgrade(request) else {
        return Err(Problem::new(ErrorCode::Malformed, "the handshake cannot be read"));
    };
    let mut response = response.map(Body::new);
    if door == Door::Chat {
        let chosen = HeaderValue::from_static(SUBPROTOCOL);
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, chosen);
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn check_request<B>(request: &Request<B>) -> Result<(), Problem> {
    if request.method() != Method::GET {
        return Err(Problem::new(ErrorCode::Unsupported, "a WebSocket handshake is a GET")
            .with_status(StatusCode::METHOD_NOT_ALLOWED)
            .with_header(ALLOW, HeaderValue::from_static("GET")));
    }
    if request.version() != Version::HTTP_11 || !is_upgrade_request(request) {
        return Err(Problem::new(ErrorCode::Unsupported, NO_UPGRADE)
            .with_status(StatusCode::UPGRADE_REQUIRED)
            .with_header(CONNECTION, HeaderValue::from_static("upgrade"))
            .with_header(UPGRADE, HeaderValue::from_static("websocket")));
    }
    if only(request.headers(), SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(Problem::new(ErrorCode::Unsupported, "Sec-WebSocket-Version must be 13")
            .with_status(StatusCode::UPGRADE_REQUIRED)
            .with_header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")));
    }
    Ok(())
}

fn check_key(headers: &HeaderMap) -> Result<(), Problem> {
    let key = only(headers, SEC_WEBSOCKET_KEY).and_then(|key| STANDARD.decode(key).ok());
    if key.is_some_and(|key| key.len() == KEY_BYTES) {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::Malformed, "Sec-WebSocket-Key must be 16 bytes in base64"))
}

fn check_subprotocol(headers: &HeaderMap) -> Result<(), Problem> {
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL);
    let mut offers = offers.iter().filter_map(|line| line.to_str().ok());
    if offers.any(|line| line.split(',').any(|offer| offer.trim() == SUBPROTOCOL)) {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::Unsupported, "Sec-WebSocket-Protocol must offer chasqui.v1"))
}

/// A page may connect to the host it came from and where configuration lets it; whoever sends no
/// `Origin` is no browser and has no ambient rights to abuse.
fn check_origin(headers: &HeaderMap, origins: &[String]) -> Result<(), Problem> {
    if !headers.contains_key(ORIGIN) {
        return Ok(());
    }
    let allowed = only(headers, ORIGIN).is_some_and(|origin| {
        let same = |host: &str| authority(origin).is_some_and(|a| a.eq_ignore_ascii_case(host));
        only(headers, HOST).is_some_and(same)
            || origins.iter().any(|listed| listed.eq_ignore_ascii_case(origin))
    });
    if allowed {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::Forbidden, "pages of this origin may not connect"))
}

/// The host and port of an origin; none in `null`.
fn authority(origin: &str) -> Option<&str> {
    let (scheme, authority) = origin.split_once("://")?;
    matches!(scheme, "http" | "https").then_some(authority)
}

/// The value of a header that stands on exactly one line.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.to_str().ok()).flatten().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDSHAKE: [(&str, &str); 6] = [
        ("host", "chat.example:8080"),
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "chasqui.v1"),
    ];

    /// A good handshake in which one header is replaced, or left out if the value is empty.
    fn handshake(name: &str, value: &str) -> Request<()> {
        let mut builder = Request::get("/ws");
        for (known, good) in HANDSHAKE.into_iter().filter(|(known, _)| *known != name) {
            builder = builder.header(known, good);
        }
        if !value.is_empty() {
            builder = builder.header(name, value);
        }
        builder.body(()).expect("a request")
    }

    fn ask(mut request: Request<()>, door: Door) -> Result<HeaderMap, StatusCode> {
        use axum::response::IntoResponse;
        let settings = Settings { origins: vec!["https://app.example".to_owned()], echo: true };
        match answer(&mut request, &settings, door) {
            Ok(response) => {
                assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
                Ok(response.headers().clone())
            }
            Err(problem) => {
                let response = problem.into_response();
                let headers = response.headers();
                assert_eq!(headers.get(CACHE_CONTROL).expect("set"), "no-store");
                // One without the other would be a header for the next hop that leaks beyond it.
                assert_eq!(headers.contains_key(UPGRADE), headers.contains_key(CONNECTION));
                Err(response.status())
            }
        }
    }

    fn check(name: &str, value: &str) -> u16 {
        ask(handshake(name, value), Door::Chat).map_or_else(|status| status.as_u16(), |_| 101)
    }

    #[test]
    fn a_handshake_is_answered_as_the_standard_computes_it() {
        let headers = ask(handshake("", ""), Door::Chat).expect("accepted");
        assert_eq!(headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(headers["sec-websocket-protocol"], SUBPROTOCOL);
    }

    #[test]
    fn what_proxies_do_to_headers_is_tolerated() {
        assert_eq!(check("connection", "keep-alive, UPGRADE"), 101);
        assert_eq!(check("upgrade", "WebSocket"), 101);
        assert_eq!(check("sec-websocket-protocol", "chasqui.v2 , chasqui.v1"), 101);
        let mut split = handshake("sec-websocket-protocol", "other");
        split.headers_mut().append("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
        assert!(ask(split, Door::Chat).is_ok());
    }

    #[test]
    fn what_is_no_handshake_is_refused() {
        assert_eq!(check("connection", "keep-alive"), 426);
        assert_eq!(check("upgrade", "h2c"), 426);
        assert_eq!(check("sec-websocket-version", "8"), 426);
        assert_eq!(check("sec-websocket-version", ""), 426);
        for key in ["", "short", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZSE="] {
            assert_eq!(check("sec-websocket-key", key), 400, "{key}");
        }
        let mut post = handshake("", "");
        *post.method_mut() = Method::POST;
        assert_eq!(ask(post, Door::Chat), Err(StatusCode::METHOD_NOT_ALLOWED));
    }

    #[test]
    fn only_the_echo_door_does_without_the_subprotocol() {
        for offer in ["", "chat", "CHASQUI.V1", "chasqui.v10"] {
            assert_eq!(check("sec-websocket-protocol", offer), 400, "{offer}");
        }
        let headers = ask(handshake("sec-websocket-protocol", ""), Door::Echo).expect("accepted");
        assert!(!headers.contains_key("sec-websocket-protocol"));
    }

    #[test]
    fn pages_of_foreign_origins_are_refused() {
        for origin in
            ["http://chat.example:8080", "HTTPS://APP.example", "https://CHAT.example:8080"]
        {
            assert_eq!(check("origin", origin), 101, "{origin}");
        }
        let foreign =
            ["null", "https://chat.example", "https://app.example.evil", "chat.example:8080"];
        for origin in foreign {
            assert_eq!(check("origin", origin), 403, "{origin}");
        }
    }

    #[test]
    fn the_echo_door_exists_only_where_it_is_wanted() {
        let door = |echo| Settings { origins: Vec::new(), echo }.door("/echo");
        assert_eq!((door(true), door(false)), (Some(Door::Echo), None));
    }
}
