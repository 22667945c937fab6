//! Who is connected: the live connections and long polls of each user, for the whole process.
//!
//! A lock-sharded map. Invariant: no guard of it leaves this file, so none is held across an await
//! or a second look-up; callers get copies.

use super::ConnectionKey;
use crate::model::{Actor, DeviceId, UserId};
use dashmap::DashMap;
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// The locks of the map: enough that two shards seldom meet.
const LOCKS: usize = 64;

/// Where a connection lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of its shard.
    pub(crate) shard: u16,
    /// Its name there.
    pub(crate) key: ConnectionKey,
}

/// A long poll that waits.
#[derive(Debug, Default)]
pub(crate) struct Poll {
    wake: Notify,
    ended: AtomicBool,
}

impl Poll {
    /// Waits until there may be something to receive, or another poll of the device ends this one.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Whether another poll of the same device has taken its place.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

#[derive(Debug)]
enum Live {
    Connection { device: DeviceId, place: Place },
    Poll { device: DeviceId, poll: Arc<Poll> },
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Registry {
    users: DashMap<UserId, SmallVec<[Live; 1]>, FxBuildHasher>,
    connections_per_device_max: usize,
}

impl Registry {
    /// An empty registry that admits so many connections of one device.
    pub(crate) fn new(connections_per_device_max: usize) -> Self {
        let users = DashMap::with_hasher_and_shard_amount(FxBuildHasher, LOCKS);
        Self { users, connections_per_device_max }
    }

    /// Enters a connection. Where its device has as many as it may, the oldest of them is taken out and
    /// returned: it is to be closed.
    pub(crate) fn attach(&self, actor: Actor, place: Place) -> Option<Place> {
        let mut live = self.users.entry(actor.user).or_default();
        let mut of_device = live.iter().enumerate().filter_map(|(at, live)| match live {
            Live::Connection { device, place } if *device == actor.device => Some((at, *place)),
            Live::Connection { .. } | Live::Poll { .. } => None,
        });
        // They stand in the order in which they came.
        let oldest = of_device.next();
        let is_full = oldest.is_some() && 1 + of_device.count() >= self.connections_per_device_max;
        let displaced = oldest.filter(|_| is_full);
        if let Some((at, _)) = displaced {
            live.remove(at);
        }
        live.push(Live::Connection { device: actor.device, place });
        displaced.map(|(_, place)| place)
    }

    /// Takes a connection out.
    pub(crate) fn detach(&self, user: UserId, place: Place) {
        self.remove(user, |live| matches!(live, Live::Connection { place: p, .. } if *p == place));
    }

    /// Enters a long poll and ends the one that the device had.
    pub(crate) fn begin_poll(&self, actor: Actor) -> Arc<Poll> {
        let mut live = self.users.entry(actor.user).or_default();
        live.retain(|live| match live {
            Live::Poll { device, poll } if *device == actor.device => {
                poll.ended.store(true, Ordering::Release);
                poll.wake.notify_one();
                false
            }
            Live::Poll { .. } | Live::Connection { .. } => true,
        });
        let poll = Arc::<Poll>::default();
        live.push(Live::Poll { device: actor.device, poll: Arc::clone(&poll) });
        poll
    }

    /// Takes a long poll out.
    pub(crate) fn end_poll(&self, user: UserId, ended: &Arc<Poll>) {
        let same =
            |live: &Live| matches!(live, Live::Poll { poll, .. } if Arc::ptr_eq(poll, ended));
        self.remove(user, same);
    }

    /// Calls `each` with every connection of a user, and wakes their long polls.
    pub(crate) fn reach(&self, user: UserId, mut each: impl FnMut(Place)) {
        let Some(live) = self.users.get(&user) else { return };
        for live in live.iter() {
            match live {
                Live::Connection { place, .. } => each(*place),
                Live::Poll { poll, .. } => poll.wake.notify_one(),
            }
        }
    }

    /// The connections of one device.
    pub(crate) fn of_device(&self, actor: Actor) -> Vec<Place> {
        let Some(live) = self.users.get(&actor.user) else { return Vec::new() };
        let places = live.iter().filter_map(|live| match live {
            Live::Connection { device, place } if *device == actor.device => Some(*place),
            Live::Connection { .. } | Live::Poll { .. } => None,
        });
        places.collect()
    }

    fn remove(&self, user: UserId, gone: impl Fn(&Live) -> bool) {
        if let Some(mut live) = self.users.get_mut(&user) {
            live.retain(|live| !gone(live));
        }
        self.users.remove_if(&user, |_, live| live.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(device: u64) -> Actor {
        Actor {
            user: UserId::new(1).expect("not zero"),
            device: DeviceId::new(device).expect("not zero"),
        }
    }

    fn place(slot: u32) -> Place {
        Place { shard: 0, key: ConnectionKey { slot, generation: 1 } }
    }

    fn reached(registry: &Registry) -> Vec<Place> {
        let mut places = Vec::new();
        registry.reach(actor(1).user, |place| places.push(place));
        places
    }

    #[test]
    fn the_oldest_connection_of_a_device_makes_room() {
        let registry = Registry::new(2);
        let attach = |device, slot| registry.attach(actor(device), place(slot));
        let poll = registry.begin_poll(actor(1));
        assert_eq!([attach(1, 1), attach(2, 2), attach(1, 3), attach(2, 4)], [None; 4]);
        assert_eq!(attach(1, 5), Some(place(1)));
        registry.detach(actor(1).user, place(1));
        assert_eq!(registry.of_device(actor(1)), [place(3), place(5)]);
        registry.detach(actor(1).user, place(3));
        assert_eq!([attach(1, 6), attach(1, 7)], [None, Some(place(5))]);
        assert_eq!(reached(&registry), [2, 4, 6, 7].map(place));
        assert!(!poll.is_ended());
    }

    #[test]
    fn nothing_is_kept_of_a_user_who_is_gone() {
        let registry = Registry::new(2);
        registry.attach(actor(1), place(1));
        registry.detach(actor(1).user, place(1));
        assert_eq!((reached(&registry), registry.users.len()), (vec![], 0));
    }

    #[tokio::test]
    async fn a_second_poll_of_a_device_ends_the_first_and_leaves_others() {
        let registry = Registry::new(2);
        let first = registry.begin_poll(actor(1));
        let other = registry.begin_poll(actor(2));
        let second = registry.begin_poll(actor(1));
        first.woken().await;
        assert!(first.is_ended() && !other.is_ended() && !second.is_ended());
        registry.end_poll(actor(1).user, &first);
        registry.reach(actor(1).user, |_| {});
        second.woken().await;
        assert!(!second.is_ended());
    }
}
