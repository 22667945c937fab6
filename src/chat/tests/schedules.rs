//! Many seeded schedules of faults and restarts, beside another server: a client that resends until it
//! knows is told the truth about every message, whatever happened in between.

use super::{NOW, Ticket, World, answers, in_lane, send};
use crate::chat::Owner;
use crate::model::{Applied, ClientMessageId, Outcome};
use crate::store::faulty::Plan;
use std::collections::HashMap;

/// How many messages a schedule sends.
const MESSAGES: u64 = 24;

/// How many schedules are run; the seeds are their numbers.
const SCHEDULES: u64 = 150;

/// From here on, messages are those of another server's clients.
const FOREIGN: u64 = 1_000;

/// A ticket of nobody's: what it is for is refused.
const REFUSED: Ticket = 999;

struct Client {
    /// Told as stored: id and place.
    stored: HashMap<u64, u64>,
    /// The place that each message first knew as its floor.
    floors: HashMap<u64, u64>,
    highest: u64,
    resumes: u32,
}

impl Client {
    fn request(&mut self, id: u64) -> super::Request<Ticket> {
        let floor = *self.floors.entry(id).or_insert(self.highest + 1);
        let ticket = Ticket::try_from(id).expect("small");
        in_lane(send(ticket, id, floor, &format!("message {id}")), self.resumes)
    }

    fn take(&mut self, seed: u64, ticket: Ticket, outcome: &Outcome) {
        let Outcome::Sent(sent) = outcome else { panic!("{outcome:?}") };
        let place = sent.sequence.get();
        let known = self.stored.insert(u64::from(ticket), place);
        assert!(known.is_none_or(|known| known == place), "seed {seed}: told two places");
        self.highest = self.highest.max(place);
    }
}

/// Loads the owner, as often as that fails.
async fn load(world: &World) -> Owner<Ticket> {
    for _ in 0..100 {
        if let Ok(Some(owner)) = Owner::load(&world.chat, world.id).await {
            return owner;
        }
    }
    panic!("never loaded");
}

async fn run(seed: u64) {
    let world = World::new().await;
    world.store().follow(Plan::seeded(seed, 4));
    let (mut owner, mut other) = (load(&world).await, load(&world).await);
    let mut client =
        Client { stored: HashMap::new(), floors: HashMap::new(), highest: 0, resumes: 0 };
    for turn in 0.. {
        assert!(turn < 500, "seed {seed}: never done");
        let unknown = (1..=MESSAGES).filter(|id| !client.stored.contains_key(id));
        let batch: Vec<u64> = unknown.take(5).collect();
        if batch.is_empty() {
            break;
        }
        if (seed + turn) % 7 == 3 {
            owner = load(&world).await;
        }
        if (seed + turn) % 5 == 2 {
            let foreign = send(REFUSED, FOREIGN + turn, 1, "from elsewhere");
            other.tell_all(&world.chat, NOW, vec![foreign]).await;
        }
        let mut requests: Vec<_> = batch.iter().map(|id| client.request(*id)).collect();
        // Somebody's that leads to nothing, in any place.
        let place = usize::try_from(seed + turn).expect("small") % (requests.len() + 1);
        requests.insert(place, send(REFUSED, FOREIGN - 1, u64::from(u32::MAX), "beyond the head"));
        let asked = requests.len();
        let told = answers(owner.tell_all(&world.chat, NOW, requests).await);
        assert_eq!(told.len(), asked, "seed {seed}: each request is answered once");
        for (ticket, result) in told {
            match result {
                result if ticket == REFUSED => assert!(result.is_err(), "seed {seed}"),
                Ok(outcome) => client.take(seed, ticket, &outcome),
                Err(error) if error.retry.is_some() => {}
                Err(error) => panic!("seed {seed}: {error:?}"),
            }
        }
        client.resumes += 1;
    }
    world.store().land().await;
    check(seed, &world, &client).await;
}

async fn check(seed: u64, world: &World, client: &Client) {
    let log = world.log().await;
    let places = log.iter().map(|entry| entry.sequence.get());
    assert!(places.eq(1..=log.len().try_into().expect("small")), "seed {seed}: no hole");
    let ids = log.iter().map(|entry| entry.client_message.map_or(0, ClientMessageId::get));
    let own: Vec<u64> = ids.filter(|id| *id < FOREIGN).collect();
    assert_eq!(own, (1..=MESSAGES).collect::<Vec<_>>(), "seed {seed}: once, in the order sent");
    for entry in &log {
        let id = entry.client_message.map_or(0, ClientMessageId::get);
        if id < FOREIGN {
            assert_eq!(client.stored.get(&id), Some(&entry.sequence.get()), "seed {seed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_resends_learns_the_truth_under_every_schedule() {
    for seed in 0..SCHEDULES {
        run(seed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_told_as_surely_not_applied_is_not_there() {
    for seed in 0..40 {
        let world = World::new().await;
        world.store().follow(Plan::seeded(seed, 2));
        let mut owner = load(&world).await;
        let mut refused = Vec::new();
        for id in 1..=12 {
            let floor = 1;
            let ticket = Ticket::try_from(id).expect("small");
            let emits = owner.tell_all(&world.chat, NOW, vec![send(ticket, id, floor, "hi")]).await;
            for (ticket, result) in answers(emits) {
                if matches!(result, Err(error) if error.applied == Applied::No) {
                    refused.push(u64::from(ticket));
                }
            }
        }
        world.store().land().await;
        for entry in world.log().await {
            let id = entry.client_message.map_or(0, ClientMessageId::get);
            assert!(!refused.contains(&id), "seed {seed}: message {id} is there after all");
        }
    }
}
