//! A client for the REST door: one connection per request, JSON in and out.

use super::eventually::Deadline;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// One device's view of the REST door, or a stranger's.
#[derive(Clone, Debug)]
pub(crate) struct Rest {
    address: SocketAddr,
    token: Option<String>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: hyper::HeaderMap,
    /// The body; `Null` where it is empty.
    pub body: Value,
}

impl Answer {
    /// The body of a success.
    ///
    /// # Panics
    /// If the status is not a success.
    pub(crate) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.body);
        self.body
    }

    /// The name of the error in a problem document.
    ///
    /// # Panics
    /// If it is not a problem document whose `status` is that of the answer.
    pub(crate) fn problem(&self) -> String {
        let content_type = self.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        assert_eq!(content_type, Some("application/problem+json"), "{} {}", self.status, self.body);
        assert_eq!(self.body["status"], self.status.as_u16(), "{}", self.body);
        let kind = self.body["type"].as_str().expect("a problem has a type");
        kind.rsplit(['/', ':', '#']).next().unwrap_or_default().to_owned()
    }

    /// Asserts that it was refused with this status and error.
    pub(crate) fn assert_refused(&self, status: u16, problem: &str) {
        assert_eq!(
            (self.status.as_u16(), self.problem().as_str()),
            (status, problem),
            "{}",
            self.body
        );
    }
}

impl Rest {
    /// A stranger.
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self { address, token: None }
    }

    /// A device with an access token.
    pub(crate) fn with_token(address: SocketAddr, token: &str) -> Self {
        Self { address, token: Some(token.to_owned()) }
    }

    /// GET.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// POST with a body.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// PATCH with a body.
    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    /// DELETE.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// Any method.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let json = body.map(|body| Bytes::from(body.to_string()));
        let content_type = json.is_some().then_some("application/json");
        self.raw(method, path, content_type, json.unwrap_or_default()).await
    }

    /// A body that need not be JSON, under any content type.
    ///
    /// # Panics
    /// If there is no complete answer in time.
    pub(crate) async fn raw(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Bytes,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string());
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let request = request.body(Full::new(body)).expect("a valid request");
        Deadline::usual().wait("an answer", self.exchange(request)).await.expect("an answer")
    }

    /// Sends one request; an error if the connection breaks before the whole answer is there.
    pub(crate) async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let response = sender.send_request(request).await;
        let answer = match response {
            Ok(response) => {
                let (head, body) = response.into_parts();
                let body = body.collect().await?.to_bytes();
                let body = match serde_json::from_slice(&body) {
                    Ok(body) => body,
                    Err(_) if body.is_empty() => Value::Null,
                    Err(_) => Value::String(String::from_utf8_lossy(&body).into_owned()),
                };
                Ok(Answer { status: head.status, headers: head.headers, body })
            }
            Err(error) => Err(error.into()),
        };
        driver.abort();
        answer
    }
}
