//! What a request of a client costs in statements where the store is a CQL database, counted by the
//! server's own metrics. `docs/storage.md` has the same figures.

use super::metrics::{metrics_of, scrape};
use crate::support::peer::{Peer, Seen, sequence};
use crate::support::people::{Person, direct};
use crate::support::server::TestServer;
use chasqui::model::ConversationId;
use chasqui::protocol::ClientFrame;
use std::net::SocketAddr;

/// How many chats Ana has besides her journal.
const CHATS: u64 = 5;

/// How many entries she has put into the first of them.
const ENTRIES: u64 = 60;

/// Statements that answer a request: reads, and conditional ones. Writes are left out: the server
/// has its clock and the cursors that moved written behind every request's back.
type Statements = (u64, u64);

async fn sent(metrics: SocketAddr) -> Statements {
    let samples = scrape(metrics).await;
    let of = |kind: &str| {
        let count = samples[&format!("chasqui_store_statements_total{{kind=\"{kind}\"}}")];
        format!("{count}").parse().expect("a whole number")
    };
    assert_eq!(of("serial_read"), 0, "nothing reads serially");
    (of("read"), of("conditional"))
}

/// A server on a database, Ana, who has chats, and Ben, who shares the first of them with her.
struct Scene {
    _server: TestServer,
    metrics: SocketAddr,
    ana: Peer,
    ben: Peer,
    chat: ConversationId,
}

impl Scene {
    async fn set() -> Self {
        let server = TestServer::configured(&[("server.metrics", "127.0.0.1:0")]).started().await;
        let metrics = metrics_of(&server).expect("announced");
        let ana = Person::register(server.address(), "ana").await;
        let ben = Person::register(server.address(), "ben").await;
        let chat = direct(&ana.rest(&server), &ben).await;
        let mut connected = Peer::connect(server.address(), &ana.token).await;
        for number in 1..CHATS {
            let other = Person::register(server.address(), &format!("other{number}")).await;
            let chat = direct(&ana.rest(&server), &other).await;
            say(&mut connected, chat, 1).await;
        }
        for floor in 1..=ENTRIES {
            say(&mut connected, chat, floor).await;
        }
        let ben = Peer::connect(server.address(), &ben.token).await;
        Self { _server: server, metrics, ana: connected, ben, chat }
    }

    /// What a request costs until it is answered.
    async fn cost(&mut self, request: impl AsyncFnOnce(&mut Self)) -> Statements {
        let before = sent(self.metrics).await;
        request(self).await;
        let after = sent(self.metrics).await;
        (after.0 - before.0, after.1 - before.1)
    }
}

async fn say(peer: &mut Peer, chat: ConversationId, floor: u64) {
    let (rid, _) = peer.say(chat, floor, "hello there").await;
    assert_eq!(peer.sent(rid).await, Ok((sequence(floor), false)));
}

async fn fetch_a_page(scene: &mut Scene) {
    let lines = scene.ana.fetch(scene.chat, ENTRIES - 49, ENTRIES).await.expect("her own chat");
    assert_eq!(lines.len(), 50);
}

async fn sync_everything(scene: &mut Scene) {
    let (listed, _, everything) = scene.ana.sync(&[]).await;
    assert!(everything);
    assert_eq!(u64::try_from(listed.len()), Ok(CHATS + 1), "her chats and her journal");
}

/// Ben is told once it is done.
async fn read_what_ben_said(scene: &mut Scene, head: u64) {
    let (conversation, read) = (scene.chat, sequence(head));
    scene.ana.send(&ClientFrame::Read { conversation, read }).await;
    let is_it = |seen: &Seen| matches!(seen, Seen::Cursor(cursor) if cursor.read == read);
    scene.ben.expect(|seen| is_it(seen).then_some(())).await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn requests_cost_the_statements_that_the_documentation_says() {
    assert!(std::env::var_os("CHASQUI_CQL").is_some(), "it counts what goes to a database");
    let mut scene = Scene::set().await;
    assert_eq!(scene.cost(fetch_a_page).await, (2, 0), "FETCH of 50 entries");
    assert_eq!(scene.cost(sync_everything).await, (4 + 5 * (CHATS + 1), 0), "SYNC of everything");
    for head in ENTRIES + 1..ENTRIES + 4 {
        let send = scene.cost(async |scene| say(&mut scene.ben, scene.chat, head).await).await;
        assert_eq!(send, (0, 1), "SEND");
        let read = scene.cost(async |scene| read_what_ben_said(scene, head).await).await;
        assert_eq!(read, (u64::from(head == ENTRIES + 1), 0), "READ");
    }
}
