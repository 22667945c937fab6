//! What a browser is given, and when it is given nothing.

use super::files::FILES;
use super::{HTML, PROTOCOL, media_type, place, routes};
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

/// The status, the headers and the body of an answer.
async fn ask(line: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
    let (method, path) = line.split_once(' ').expect("a method and a path");
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    let response = routes::<()>(None).oneshot(request).await.expect("never fails");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("in memory").to_bytes();
    (parts.status, parts.headers, body.to_vec())
}

/// A header that is there.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers[name].to_str().expect("text")
}

#[tokio::test]
async fn each_file_is_shown_in_every_encoding() {
    for file in FILES.iter().chain([&PROTOCOL]) {
        let line = format!("GET {}", place(file.path));
        let (status, headers, body) = ask(&line, &[]).await;
        assert_eq!((status, &body[..]), (StatusCode::OK, file.plain), "{line}");
        assert_eq!(headers.get("content-encoding"), None, "{line}");
        assert_ne!(headers["content-type"], "application/octet-stream", "{line}");
        for (coding, bytes) in file.encoded {
            let (_, headers, body) = ask(&line, &[("accept-encoding", coding)]).await;
            assert_eq!(
                (text(&headers, "content-encoding"), &body[..]),
                (*coding, *bytes),
                "{line}"
            );
            assert!(bytes.len() < file.plain.len(), "{line} is no smaller in {coding}");
        }
    }
}

#[tokio::test]
async fn the_best_encoding_that_is_accepted_is_taken() {
    for (accepted, taken) in [
        ("gzip, deflate, br, zstd", Some("br")),
        ("gzip, deflate", Some("gzip")),
        ("BR;q=0.5", Some("br")),
        ("br;q=0, gzip", Some("gzip")),
        ("br; q=0.000, gzip ; q=0", None),
        ("deflate", None),
        ("brx", None),
        ("", None),
    ] {
        let (_, headers, _) = ask("GET /console", &[("accept-encoding", accepted)]).await;
        let coding = headers.get("content-encoding").map(|value| value.to_str().expect("text"));
        assert_eq!(coding, taken, "{accepted}");
        assert_eq!(headers["vary"], "accept-encoding");
    }
}

#[tokio::test]
async fn what_is_there_already_is_not_sent_again() {
    let (_, headers, _) = ask("GET /console", &[("accept-encoding", "br")]).await;
    let tag = text(&headers, "etag").to_owned();
    let list = format!("\"other\", W/{tag}");
    for known in [tag.as_str(), &list, "*"] {
        let asked = [("accept-encoding", "br"), ("if-none-match", known)];
        let (status, headers, body) = ask("GET /console", &asked).await;
        assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
        assert_eq!((text(&headers, "etag"), text(&headers, "cache-control")), (&*tag, "no-cache"));
    }
    let (status, headers, _) = ask("GET /console", &[("if-none-match", &tag)]).await;
    assert_eq!(status, StatusCode::OK, "another encoding is another body");
    assert_ne!(headers["etag"], tag);
}

#[tokio::test]
async fn names_that_change_with_their_content_are_kept_for_good() {
    for file in FILES {
        let (_, headers, _) = ask(&format!("GET {}", place(file.path)), &[]).await;
        let kept = text(&headers, "cache-control").contains("immutable");
        let hashed = file.path.strip_prefix("assets/").is_some();
        assert_eq!(kept, hashed, "{}", file.path);
        if hashed {
            let stem = file.path.rsplit_once('.').expect("an ending").0;
            let hash = stem.rsplit('-').next().expect("a hash");
            assert!(hash.len() == 8 && hash.chars().all(|c| c.is_ascii_alphanumeric()), "{stem}");
        }
    }
}

#[tokio::test]
async fn a_head_is_answered_without_a_body() {
    let (status, headers, body) = ask("HEAD /console", &[("accept-encoding", "gzip")]).await;
    let (_, full, whole) = ask("GET /console", &[("accept-encoding", "gzip")]).await;
    assert_eq!((status, body.len()), (StatusCode::OK, 0));
    assert_eq!(headers["content-length"], whole.len().to_string().as_str());
    assert_eq!(headers["etag"], full["etag"]);
}

#[tokio::test]
async fn documents_hold_to_the_policy() {
    for file in FILES.iter().filter(|file| media_type(file.path) == HTML) {
        let (_, headers, body) = ask(&format!("GET {}", place(file.path)), &[]).await;
        let policy = text(&headers, "content-security-policy");
        for rule in ["default-src 'none'", "script-src 'self';", "frame-ancestors 'none'"] {
            assert!(policy.contains(rule), "{rule}");
        }
        assert!(!policy.contains("unsafe"));
        assert_eq!(headers["referrer-policy"], "no-referrer");
        let page = String::from_utf8(body).expect("text");
        for inline in ["<style", "style=", "onclick", "javascript:", "//"] {
            assert!(!page.contains(inline), "{} has {inline}", file.path);
        }
        let scripts = page.matches("<script").count();
        assert_eq!(scripts, page.matches("<script type=\"module\" src=\"/assets/").count());
        assert!(scripts > 0);
    }
}

#[tokio::test]
async fn people_to_try_out_are_named_where_there_are_any() {
    let shown = async |demo| {
        let request = Request::get("/console").header("accept-encoding", "br");
        let request = request.body(Body::empty()).expect("a request");
        let response = routes::<()>(demo).oneshot(request).await.expect("never fails");
        response.into_body().collect().await.expect("in memory").to_bytes()
    };
    let page = shown(Some("ana:secret ben:secret")).await;
    let page = String::from_utf8(page.to_vec()).expect("text");
    assert!(page.contains(r#"<meta name="demo" content="ana:secret ben:secret">"#), "{page}");
    let file = FILES.iter().find(|file| file.path == "console.html").expect("the console");
    assert!(!file.plain.windows(6).any(|window| window == b"\"demo\""), "nobody is named unasked");
    assert_eq!(shown(None).await, file.encoded[0].1);
}

#[tokio::test]
async fn nothing_else_is_shown() {
    for line in ["GET /console.html", "GET /assets", "GET /assets/", "GET /ui/dist/console.html"] {
        assert_eq!(ask(line, &[]).await.0, StatusCode::NOT_FOUND, "{line}");
    }
    assert_eq!(ask("POST /console", &[]).await.0, StatusCode::METHOD_NOT_ALLOWED);
}
