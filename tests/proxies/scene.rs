//! A server with two addresses, a proxy that chooses between them, and people behind it.

use crate::deployed::Kind;
use crate::process::{Proxy, nobodys_address};
use crate::support::chat_client::ChatClient;
use crate::support::eventually::Deadline;
use crate::support::history::Line;
use crate::support::people::{Person, direct};
use crate::support::rest::Rest;
use crate::support::server::TestServer;
use chasqui::model::ConversationId;
use std::net::SocketAddr;
use std::time::Duration;

/// A server behind a proxy; whatever is done goes through the proxy.
#[derive(Debug)]
pub(crate) struct Scene {
    /// The proxy.
    pub proxy: Proxy,
    /// The server.
    pub server: TestServer,
}

impl Scene {
    /// With the proxy's file as it is, apart from its places.
    pub(crate) async fn behind(kind: Kind) -> Self {
        Self::with(kind, &[], &[]).await
    }

    /// With settings of the server, and texts in the proxy's file that are replaced by others.
    pub(crate) async fn with(
        kind: Kind,
        settings: &[(&str, &str)],
        replaced: &[(&str, &str)],
    ) -> Self {
        let server = serving(kind, settings).await;
        let proxy = Proxy::start(kind, &server, replaced).await;
        Self { proxy, server }
    }

    /// Where clients connect to.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.proxy.address()
    }

    /// Two people with a chat, not connected.
    pub(crate) async fn pair(&self) -> Pair {
        Pair::meet(self.address()).await
    }
}

/// A server that is ready for connections of a kind of proxy.
pub(crate) async fn serving(kind: Kind, settings: &[(&str, &str)]) -> TestServer {
    let mut all = vec![("log.filter", "info,chasqui::gateway=debug")];
    if kind.tells_client() {
        all.push(("server.proxies", "127.0.0.1"));
    }
    all.extend(settings);
    // Its own, so that it has the same when it is started again.
    let listen = format!("{},{}", nobodys_address(), nobodys_address());
    TestServer::configured(&all).listening_on(&listen).started().await
}

/// Two people who write to each other.
#[derive(Debug)]
pub(crate) struct Pair {
    /// One of them.
    pub ana: ChatClient,
    /// The other.
    pub ben: ChatClient,
    /// The account of the other.
    pub ben_person: Person,
    /// Their chat.
    pub chat: ConversationId,
    written: u64,
}

impl Pair {
    /// Registers them at an address.
    pub(crate) async fn meet(address: SocketAddr) -> Self {
        let ana = Person::register(address, "ana").await;
        let ben = Person::register(address, "ben").await;
        let chat = direct(&Rest::with_token(address, &ana.token), &ben).await;
        let (client, other) =
            (ChatClient::new(ana.user, &ana.token), ChatClient::new(ben.user, &ben.token));
        Self { ana: client, ben: other, ben_person: ben, chat, written: 0 }
    }

    /// Connects whoever is not.
    pub(crate) async fn connect(&mut self, address: SocketAddr) {
        for client in [&mut self.ana, &mut self.ben] {
            if !client.is_connected() {
                client.connect(address).await.expect("the upgrade passes");
            }
        }
    }

    /// Ana writes so many messages: their numbers, counted through.
    pub(crate) fn ana_writes(&mut self, count: u64) {
        for _ in 0..count {
            self.written += 1;
            self.ana.write(self.chat, &self.written.to_string());
        }
    }

    /// Ben writes one.
    pub(crate) fn ben_writes(&mut self) {
        self.written += 1;
        self.ben.write(self.chat, &self.written.to_string());
    }

    /// Notes a message that was written by other means.
    pub(crate) const fn written_elsewhere(&mut self) -> u64 {
        self.written += 1;
        self.written
    }

    /// Lets both go on until both hold all that was written, in the order of writing.
    pub(crate) async fn catch_up(&mut self) {
        let deadline = Deadline::usual();
        let written = self.written;
        let is_there =
            |client: &ChatClient, chat| client.is_settled() && client.have(chat).get() == written;
        while !(is_there(&self.ana, self.chat) && is_there(&self.ben, self.chat)) {
            assert!(!deadline.has_passed(), "waited in vain: {:?} {:?}", self.ana, self.ben);
            for client in [&mut self.ana, &mut self.ben] {
                let step = client.step(Duration::from_millis(5)).await;
                step.expect("the connection holds");
            }
        }
        let expected: Vec<String> = (1..=written).map(|number| number.to_string()).collect();
        assert_eq!(texts(&self.ana.lines(self.chat)), expected);
        assert_eq!(texts(&self.ben.lines(self.chat)), expected);
    }
}

/// What lines say.
pub(crate) fn texts(lines: &[Line]) -> Vec<String> {
    lines.iter().map(|line| String::from_utf8_lossy(&line.body).into_owned()).collect()
}
