//! The pages come from the port of both doors, and disturb neither.

use crate::support::rest::Rest;
use crate::support::server::TestServer;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request};

/// What is committed below the project's folder.
fn committed(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("a file of text")
}

#[tokio::test]
async fn a_browser_is_shown_the_pages_and_what_belongs_to_them() {
    let server = TestServer::start().await;
    let stranger = Rest::new(server.address());
    for (path, file) in [("/", "ui/dist/chat.html"), ("/console", "ui/dist/console.html")] {
        check_document(&stranger, path, file).await;
    }
    assert_eq!(
        stranger.get("/docs/protocol.md").await.ok(),
        committed("docs/protocol.md").as_str()
    );
}

/// A document is what is committed, holds to the policy, and all it refers to is there.
async fn check_document(stranger: &Rest, path: &str, file: &str) {
    let page = stranger.get(path).await;
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    assert_eq!(page.headers["cache-control"], "no-cache");
    let policy = page.headers["content-security-policy"].to_str().expect("text").to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    let html = page.ok();
    let html = html.as_str().expect("text");
    assert_eq!(html, committed(file));

    let mut scripts = 0;
    for path in html.split('"').filter(|part| part.starts_with('/')) {
        let part = stranger.get(path).await;
        assert!(part.status.is_success(), "{path}");
        let kept = part.headers["cache-control"].to_str().expect("text").contains("immutable");
        assert_eq!(kept, path.starts_with("/assets/"), "{path}");
        scripts += usize::from(part.headers["content-type"] == "text/javascript; charset=utf-8");
    }
    assert!(scripts > 0, "{html}");
}

#[tokio::test]
async fn a_page_that_is_known_is_not_sent_again() {
    let server = TestServer::start().await;
    let stranger = Rest::new(server.address());
    let ask = async |method: Method, known: Option<&hyper::header::HeaderValue>| {
        let request = Request::builder().method(method).uri("/console").header("host", "chat");
        let request = request.header("accept-encoding", "gzip, br");
        let request = match known {
            Some(tag) => request.header("if-none-match", tag),
            None => request,
        };
        let request = request.body(Full::<Bytes>::default()).expect("a request");
        stranger.exchange(request).await.expect("an answer")
    };
    let page = ask(Method::GET, None).await;
    assert_eq!(
        (page.status.as_u16(), &page.headers["content-encoding"]),
        (200, &"br".parse().expect("a value"))
    );
    let again = ask(Method::GET, Some(&page.headers["etag"])).await;
    assert_eq!((again.status.as_u16(), again.body), (304, serde_json::Value::Null));
    let head = ask(Method::HEAD, None).await;
    assert_eq!(head.headers["content-length"], page.headers["content-length"]);
    assert_eq!((head.status.as_u16(), head.body), (200, serde_json::Value::Null));
}

#[tokio::test]
async fn what_is_no_page_is_a_problem_as_ever() {
    let server = TestServer::start().await;
    let stranger = Rest::new(server.address());
    for path in ["/consoles", "/assets/none.js", "/console/", "/console.html"] {
        stranger.get(path).await.assert_refused(404, "not-found");
    }
    stranger.post("/console", serde_json::json!({})).await.assert_refused(405, "unsupported");
    stranger.get("/ws").await.assert_refused(426, "unsupported");
}

#[tokio::test]
async fn the_demo_people_are_offered_by_a_demo_server_alone() {
    for (arguments, offered) in [(&["--dev"][..], true), (&[], false)] {
        let server = TestServer::with(arguments).await;
        let page = Rest::new(server.address()).get("/console").await.ok();
        let page = page.as_str().expect("text");
        assert_eq!(page.contains("<meta name=\"demo\" content=\"ana:"), offered, "{page}");
        let login = serde_json::json!({"username": "ana", "password": "chasqui-demo"});
        let answer = Rest::new(server.address()).post("/login", login).await;
        assert_eq!(answer.status.is_success(), offered);
        assert!(!offered || page.contains("ana:chasqui-demo ben:chasqui-demo"), "{page}");
    }
}
