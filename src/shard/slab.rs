//! A table of connections with stable slots and stale-proof keys.
//!
//! Owns the slots and the generations; what happens on a connection is no matter to it.
//!
//! Invariants: a key finds what it was given for, or nothing, however often its slot has been used
//! again; generations repeat only after 2^32 insertions. The table grows page by page and never
//! moves a record, so growing costs the same at the first connection and at the millionth. Pages
//! are kept for reuse.

use super::ConnectionKey;
use super::connection::Connection;

/// Records per page, and how many low bits of a slot number count inside one.
const PAGE_BITS: u32 = 8;
const PAGE_LEN: u32 = 1 << PAGE_BITS;

/// Ends the list of vacant slots.
const NO_SLOT: u32 = u32::MAX;

/// The compiler finds the vacant state in bits that no record uses, so a slot is not larger.
#[derive(Debug)]
enum Slot {
    Occupied(Connection),
    Vacant { next: u32 },
}

/// A slab of records.
#[derive(Debug)]
pub(super) struct Slab {
    pages: Vec<Box<[Slot]>>,
    vacant: u32,
    occupied: usize,
    generation: u32,
}

impl Slab {
    /// An empty table; takes no memory.
    pub(super) const fn new() -> Self {
        Self { pages: Vec::new(), vacant: NO_SLOT, occupied: 0, generation: 0 }
    }

    /// How many records there are.
    pub(super) const fn len(&self) -> usize {
        self.occupied
    }

    /// How many slots there are, occupied or not; the first free slot number.
    pub(super) fn slots(&self) -> u32 {
        u32::try_from(self.pages.len()).unwrap_or(NO_SLOT).saturating_mul(PAGE_LEN)
    }

    /// Stores what `make` returns for the generation it is given; `None` once all slots are taken.
    pub(super) fn insert(&mut self, make: impl FnOnce(u32) -> Connection) -> Option<ConnectionKey> {
        if self.vacant == NO_SLOT {
            self.grow()?;
        }
        let slot = self.vacant;
        let generation = self.generation.wrapping_add(1);
        let entry = self.entry_mut(slot)?;
        let Slot::Vacant { next } = *entry else { return None };
        let key = ConnectionKey { slot, generation };
        *entry = Slot::Occupied(make(generation));
        self.vacant = next;
        self.generation = generation;
        self.occupied += 1;
        Some(key)
    }

    /// The record of a key, unless it is gone.
    pub(super) fn get(&self, key: ConnectionKey) -> Option<&Connection> {
        match self.entry(key.slot)? {
            Slot::Occupied(record) if record.generation == key.generation => Some(record),
            Slot::Occupied(_) | Slot::Vacant { .. } => None,
        }
    }

    /// The record of a key, unless it is gone.
    pub(super) fn get_mut(&mut self, key: ConnectionKey) -> Option<&mut Connection> {
        match self.entry_mut(key.slot)? {
            Slot::Occupied(record) if record.generation == key.generation => Some(record),
            Slot::Occupied(_) | Slot::Vacant { .. } => None,
        }
    }

    /// Takes the record of a key out, unless it is gone.
    pub(super) fn remove(&mut self, key: ConnectionKey) -> Option<Connection> {
        self.get_mut(key)?;
        let next = self.vacant;
        let entry = self.entry_mut(key.slot)?;
        let Slot::Occupied(record) = std::mem::replace(entry, Slot::Vacant { next }) else {
            return None;
        };
        self.vacant = key.slot;
        self.occupied -= 1;
        Some(record)
    }

    /// The key of what occupies a slot now.
    pub(super) fn key_at(&self, slot: u32) -> Option<ConnectionKey> {
        match self.entry(slot)? {
            Slot::Occupied(record) => Some(ConnectionKey { slot, generation: record.generation }),
            Slot::Vacant { .. } => None,
        }
    }

    fn grow(&mut self) -> Option<()> {
        let first = u32::try_from(self.pages.len()).ok()?.checked_mul(PAGE_LEN)?;
        let after = first.checked_add(PAGE_LEN)?;
        let page = (first..after)
            .map(|slot| Slot::Vacant { next: if slot + 1 == after { NO_SLOT } else { slot + 1 } });
        self.pages.push(page.collect());
        self.vacant = first;
        Some(())
    }

    fn entry(&self, slot: u32) -> Option<&Slot> {
        let (page, offset) = place(slot)?;
        self.pages.get(page)?.get(offset)
    }

    fn entry_mut(&mut self, slot: u32) -> Option<&mut Slot> {
        let (page, offset) = place(slot)?;
        self.pages.get_mut(page)?.get_mut(offset)
    }
}

fn place(slot: u32) -> Option<(usize, usize)> {
    let page = usize::try_from(slot >> PAGE_BITS).ok()?;
    let offset = usize::try_from(slot & (PAGE_LEN - 1)).ok()?;
    Some((page, offset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::connection::Role;
    use std::collections::HashMap;
    use std::net::TcpStream;
    use std::os::fd::OwnedFd;

    /// A connection recognised by the number put into it.
    fn insert(slab: &mut Slab, name: u16) -> ConnectionKey {
        let null = std::fs::File::open("/dev/null").expect("a device");
        let socket = TcpStream::from(OwnedFd::from(null));
        let named = |generation| {
            let mut connection = Connection::new(socket, generation, Role::Echo);
            connection.executing = name;
            connection
        };
        slab.insert(named).expect("room")
    }

    fn name(slab: &mut Slab, key: ConnectionKey) -> Option<u16> {
        slab.get_mut(key).map(|connection| connection.executing)
    }

    #[test]
    fn a_key_of_a_former_occupant_finds_nothing() {
        let mut slab = Slab::new();
        let old = insert(&mut slab, 1);
        assert_eq!(slab.remove(old).map(|c| c.executing), Some(1));
        let new = insert(&mut slab, 2);
        assert_eq!(new.slot, old.slot, "the slot is used again");
        assert!(slab.get_mut(old).is_none());
        assert!(slab.remove(old).is_none(), "a stale key removes nothing");
        assert_eq!(name(&mut slab, new), Some(2));
        assert_eq!(slab.key_at(new.slot), Some(new));
    }

    #[test]
    fn a_slot_that_never_was_finds_nothing() {
        let mut slab = Slab::new();
        assert!(slab.get_mut(ConnectionKey { slot: 0, generation: 0 }).is_none());
        insert(&mut slab, 1);
        for slot in [1, PAGE_LEN, u32::MAX] {
            assert!(slab.get_mut(ConnectionKey { slot, generation: 1 }).is_none());
            assert_eq!(slab.key_at(slot), None);
        }
    }

    #[test]
    fn under_churn_every_live_key_finds_its_own_and_every_dead_one_nothing() {
        let mut slab = Slab::new();
        let mut live: HashMap<ConnectionKey, u16> = HashMap::new();
        let mut dead = Vec::new();
        let mut seed = 1_u64;
        for number in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if seed >> 62 == 0
                && let Some(key) = live.keys().next().copied()
            {
                live.remove(&key);
                assert!(slab.remove(key).is_some());
                dead.push(key);
            } else if live.len() < 700 {
                live.insert(insert(&mut slab, number), number);
            }
        }
        assert!(dead.len() > 1_000 && slab.slots() >= 700);
        assert_eq!(slab.len(), live.len());
        for (key, number) in &live {
            assert_eq!(name(&mut slab, *key), Some(*number));
        }
        assert!(dead.iter().all(|key| slab.get_mut(*key).is_none()));
        assert_eq!((0..slab.slots()).filter_map(|s| slab.key_at(s)).count(), live.len());
    }
}
