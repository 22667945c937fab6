//! Which call fails, and how: written out, or drawn from a seed.

use super::draws::Draws;
use std::collections::BTreeMap;

/// What goes wrong with a call. A read has no change or answer to lose: it is refused instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is refused as unavailable and surely not applied.
    Refuse,
    /// It is applied, but answered as unknown.
    LoseAnswer,
    /// It is not applied and answered as unknown.
    LoseChange,
    /// It is answered as unknown at once and applied before the call that comes this many calls
    /// later; by [`FaultyStore::land`](super::FaultyStore::land) at any rate.
    Late(usize),
    /// It waits until it is released, and then goes its way.
    Stall,
}

/// Which calls fail. Calls are counted from 1; those of other methods than the chosen ones neither
/// fail nor count.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    methods: Option<&'static [&'static str]>,
    written: BTreeMap<u64, Fault>,
    drawn: Option<Drawn>,
    counted: u64,
}

#[derive(Clone, Debug)]
struct Drawn {
    draws: Draws,
    one_in: u64,
}

impl Plan {
    /// Nothing fails.
    pub fn healthy() -> Self {
        Self::default()
    }

    /// One call fails.
    pub fn at(call: u64, fault: Fault) -> Self {
        Self::healthy().and_at(call, fault)
    }

    /// Another call fails, too.
    #[must_use]
    pub fn and_at(mut self, call: u64, fault: Fault) -> Self {
        self.written.insert(call, fault);
        self
    }

    /// One call in `one_in` fails, in every way but stalling; the same seed fails the same calls in
    /// the same ways.
    pub fn seeded(seed: u64, one_in: u64) -> Self {
        let drawn = Drawn { draws: Draws::new(seed), one_in: one_in.max(1) };
        Self { drawn: Some(drawn), ..Self::default() }
    }

    /// Only calls of these methods count.
    #[must_use]
    pub fn only(mut self, methods: &'static [&'static str]) -> Self {
        self.methods = Some(methods);
        self
    }

    /// Counts a call and tells what shall go wrong with it.
    pub(super) fn next(&mut self, method: &'static str) -> Option<Fault> {
        if self.methods.is_some_and(|methods| !methods.contains(&method)) {
            return None;
        }
        self.counted += 1;
        let written = self.written.get(&self.counted).copied();
        let drawn = self.drawn.as_mut().and_then(Drawn::next);
        written.or(drawn)
    }
}

impl Drawn {
    /// Always draws the same number of times, so that one call's fault moves no other's.
    fn next(&mut self) -> Option<Fault> {
        let draws = &mut self.draws;
        let (fails, kind, calls) = (draws.draw(), draws.draw(), draws.draw());
        if !fails.is_multiple_of(self.one_in) {
            return None;
        }
        Some(match kind % 4 {
            0 => Fault::Refuse,
            1 => Fault::LoseAnswer,
            2 => Fault::LoseChange,
            _ => Fault::Late(usize::try_from(1 + calls % 8).unwrap_or(1)),
        })
    }
}
