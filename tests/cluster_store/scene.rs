//! A load of clients over one or two servers that store in the same database, and what became of it.

use crate::cassandra::Cassandra;
use crate::checker::{self, Report};
use crate::load::{Load, PEOPLE};
use crate::support::server::TestServer;
use std::net::SocketAddr;
use std::time::Instant;

/// A load under way.
pub(crate) struct Scene {
    name: &'static str,
    began: Instant,
    servers: Vec<TestServer>,
    load: Load,
}

impl Scene {
    /// Starts servers over the keyspace `chasqui`, and a load whose clients are dealt out to them.
    pub(crate) async fn begin(name: &'static str, cassandra: &Cassandra, servers: usize) -> Self {
        let first = serving(cassandra).started().await;
        let mut servers_up = vec![first];
        while servers_up.len() < servers {
            let mut next = serving(cassandra);
            // Both know each other's tokens.
            let keys = servers_up[0].data().join("keys.json");
            let keys = keys.to_str().expect("plain").to_owned();
            next.add_environment([("CHASQUI_IDENTITY__KEY_FILE".to_owned(), keys)]);
            servers_up.push(next.started().await);
        }
        let load = Load::start(servers_up[0].address(), PEOPLE).await;
        let scene = Self { name, began: Instant::now(), servers: servers_up, load };
        scene.load.servers_moved(&scene.addresses());
        scene.load.expect_progress().await;
        scene.load.longest_stall();
        scene
    }

    /// Waits until clients are told of further sends.
    pub(crate) async fn expect_progress(&self) {
        self.load.expect_progress().await;
    }

    /// How many sends the clients were told of.
    pub(crate) fn acknowledged(&self) -> usize {
        self.load.acknowledged()
    }

    /// Kills the first server and starts it again.
    pub(crate) async fn restart_server(&mut self) {
        self.servers[0].kill().await;
        self.servers[0].restart().await;
        self.load.servers_moved(&self.addresses());
    }

    /// Lets the load come to rest, each client where it is; reads everything back, through a server that
    /// was started anew and those that were not, and judges.
    pub(crate) async fn end(mut self) -> Report {
        let stall = self.load.longest_stall();
        let seconds = self.began.elapsed().as_secs();
        self.load.rest().await;
        self.restart_server().await;
        let addresses = self.addresses();
        let (histories, logs) = self.load.finish(&addresses).await;
        let report = checker::check(&histories, &logs);
        let name = self.name;
        println!("{name}: {seconds} s, longest stall {} ms: {report}", stall.as_millis());
        let breaches = report.breaches();
        assert!(breaches.is_empty(), "{name}:\n{}", breaches.join("\n"));
        assert!(report.acknowledged > 0, "{name}: there was no load");
        assert_eq!(report.unknown, 0, "{name}: clients resend until they know");
        report
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(TestServer::address).collect()
    }
}

/// A server that is not running yet.
pub(crate) fn serving(cassandra: &Cassandra) -> TestServer {
    TestServer::on_cql(&cassandra.contact_points(), "chasqui")
}
