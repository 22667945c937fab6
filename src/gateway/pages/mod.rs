//! The pages that the server carries, for browsers.
//!
//! Owns which path shows which file, in which encoding it leaves, and how long a browser may keep it. The
//! files are made from `ui` and committed compressed (`ui/dist`), so that a server is one binary and needs
//! nothing of the pages' tools. It knows nothing of what is in them: they use the doors as anyone does.

mod files;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, REFERRER_POLICY, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use axum::routing::get;
use std::future::ready;
use xxhash_rust::xxh3::xxh3_64;

/// A file as it is embedded.
#[derive(Debug)]
struct File {
    /// Where it lies below `ui/dist`.
    path: &'static str,
    plain: &'static [u8],
    /// The same compressed, by the names of the content codings, the better one first.
    encoded: &'static [(&'static str, &'static [u8])],
}

/// Embeds the files at these paths below `ui/dist`, with what they are compressed to.
macro_rules! embed {
    ($($path:literal;)*) => {
        pub(super) const FILES: &[super::File] = &[$(super::File {
            path: $path,
            plain: include_bytes!(concat!("../../../ui/dist/", $path)),
            encoded: &[
                ("br", include_bytes!(concat!("../../../ui/dist/", $path, ".br"))),
                ("gzip", include_bytes!(concat!("../../../ui/dist/", $path, ".gz"))),
            ],
        }),*];
    };
}
use embed;

/// What the console refers to; where the project has it, so that it is never stale.
const PROTOCOL: File = File {
    path: "docs/protocol.md",
    plain: include_bytes!("../../../docs/protocol.md"),
    encoded: &[],
};

/// The pages run their own scripts, talk to their own server and do nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data: blob:; manifest-src 'self'; worker-src 'self'; form-action 'none'; \
    base-uri 'none'; frame-ancestors 'none'";

/// The media type of a document.
const HTML: &str = "text/html; charset=utf-8";

/// Every page and what belongs to it. `demo` names people with their passwords, for the documents to
/// offer; without, they know of nobody.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(demo: Option<&str>) -> Router<S> {
    let files = files::FILES.iter().chain([&PROTOCOL]);
    files.fold(Router::new(), |router, file| {
        let page = match demo {
            Some(people) if media_type(file.path) == HTML => Page::offering(file, people),
            _ => Page::new(file),
        };
        router.route(&place(file.path), get(move |request: HeaderMap| ready(page.show(&request))))
    })
}

/// A file as it is shown.
#[derive(Clone, Debug)]
struct Page {
    path: &'static str,
    plain: Bytes,
    encoded: &'static [(&'static str, &'static [u8])],
    hash: u64,
}

impl Page {
    fn new(file: &File) -> Self {
        let &File { path, plain, encoded } = file;
        Self { path, plain: Bytes::from_static(plain), encoded, hash: xxh3_64(plain) }
    }

    /// A document that names people who may be tried out. It is not worth compressing.
    fn offering(file: &File, people: &str) -> Self {
        let offer = format!("<meta name=\"demo\" content=\"{people}\">\n</head>");
        let plain = String::from_utf8_lossy(file.plain).replace("</head>", &offer);
        let hash = xxh3_64(plain.as_bytes());
        Self { path: file.path, plain: plain.into(), encoded: &[], hash }
    }

    fn show(&self, request: &HeaderMap) -> Response<Body> {
        let encoded = self.encoded.iter().find(|(coding, _)| accepts(request, coding));
        let (coding, bytes) = match encoded {
            Some((coding, bytes)) => (Some(*coding), Bytes::from_static(bytes)),
            None => (None, self.plain.clone()),
        };
        let tag = format!("\"{:016x}-{}\"", self.hash, coding.unwrap_or("plain"));
        let known = knows(request, &tag);
        let mut response = Response::new(if known { Body::empty() } else { bytes.into() });
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: &'static str| {
            headers.insert(name, HeaderValue::from_static(value));
        };
        set(CACHE_CONTROL, freshness(self.path));
        set(VARY, "accept-encoding");
        set(CONTENT_TYPE, media_type(self.path));
        set(CONTENT_SECURITY_POLICY, POLICY);
        set(REFERRER_POLICY, "no-referrer");
        if let Some(coding) = coding {
            set(CONTENT_ENCODING, coding);
        }
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(ETAG, tag);
        }
        response
    }
}

/// Where a file is shown: a document under its name alone, and the chat before all.
fn place(path: &str) -> String {
    match path.strip_suffix(".html") {
        Some("chat") => "/".to_owned(),
        name => format!("/{}", name.unwrap_or(path)),
    }
}

/// Whether the client takes this content coding: it names it, and not with a weight of 0.
fn accepts(request: &HeaderMap, coding: &str) -> bool {
    elements(request, ACCEPT_ENCODING).any(|element| {
        let (name, weight) = element.split_once(';').unwrap_or((element, "q=1"));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32));
        name.trim().eq_ignore_ascii_case(coding) && !refused
    })
}

/// Whether the client has what is tagged so.
fn knows(request: &HeaderMap, tag: &str) -> bool {
    let mut tags = elements(request, IF_NONE_MATCH);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// The elements of a list in a header.
fn elements(request: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = request.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// The name of an asset changes with what is in it; of all else the newest is asked for.
fn freshness(path: &str) -> &'static str {
    if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" }
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => HTML,
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("webmanifest") => "application/manifest+json",
        Some("md") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
