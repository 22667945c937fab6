//! An exhaustive breadth-first search of the states of the model.

use crate::rules::Rules;
use crate::state::{CLIENTS, Progress, State};
use crate::steps::{self, Breach, Event, Step};
use std::fmt;
use std::hash::{Hash, Hasher};

/// What a search has found.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How many states were visited.
    pub states: usize,
    /// How many steps lead from one to another.
    pub steps: usize,
    /// The shortest way to a broken promise.
    pub way: Option<Way>,
}

/// How a promise comes to be broken.
#[derive(Debug)]
pub(crate) struct Way {
    pub events: Vec<Event>,
    pub breach: Breach,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.events.iter().try_for_each(|event| writeln!(f, "    {event:?}"))?;
        write!(f, "    so that {}", self.breach)
    }
}

/// Visits every state that can be reached, until a promise is broken. If none is, makes sure that from
/// every state, without any luck, every message being sent can still be acknowledged.
pub(crate) fn search(rules: &Rules) -> Outcome {
    let mut seen = Seen::default();
    seen.insert(State::default(), 0);
    // What follows each state without luck, one state after the other, and where each begins.
    let (mut followers, mut begins) = (Vec::new(), Vec::new());
    let mut steps = 0;
    let mut found: Vec<Step> = Vec::new();
    while let Some(state) = seen.states.get(begins.len()) {
        let at = begins.len();
        begins.push(followers.len());
        steps::find(rules, state, &mut found);
        steps += found.len();
        for step in &found {
            if let Some(breach) = step.breach {
                let way = Some(seen.way(rules, at, breach));
                return Outcome { states: seen.states.len(), steps, way };
            }
            let next = seen.insert(step.state.canonical(), number(at));
            if !step.is_luck {
                followers.push(next);
            }
        }
    }
    begins.push(followers.len());
    let stuck = first_stuck(&seen.states, &followers, &begins);
    let way = stuck.map(|at| seen.way(rules, at, "a message can never be acknowledged"));
    Outcome { states: seen.states.len(), steps, way }
}

/// The first state from which none can be reached in which no message is being sent.
fn first_stuck(states: &[State], followers: &[u32], begins: &[usize]) -> Option<usize> {
    // The same relation the other way round: what leads to each state, and where it begins.
    let mut leader_begins = vec![0; states.len() + 1];
    for next in followers {
        leader_begins[index(*next) + 1] += 1;
    }
    for at in 0..states.len() {
        leader_begins[at + 1] += leader_begins[at];
    }
    let mut free = leader_begins.clone();
    let mut leaders = vec![0; followers.len()];
    for (at, range) in begins.windows(2).enumerate() {
        for next in &followers[range[0]..range[1]] {
            leaders[free[index(*next)]] = number(at);
            free[index(*next)] += 1;
        }
    }
    let is_sending = |state: &State, message| state.client(message).progress == Progress::Sending;
    let is_at_rest = |state: &State| (0..CLIENTS).all(|message| !is_sending(state, message));
    let mut is_fine: Vec<bool> = states.iter().map(is_at_rest).collect();
    let mut open: Vec<usize> = (0..states.len()).filter(|at| is_fine[*at]).collect();
    while let Some(at) = open.pop() {
        for leader in &leaders[leader_begins[at]..leader_begins[at + 1]] {
            let leader = index(*leader);
            if !std::mem::replace(&mut is_fine[leader], true) {
                open.push(leader);
            }
        }
    }
    is_fine.iter().position(|is_fine| !is_fine)
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("fewer than four billion states")
}

fn index(number: u32) -> usize {
    usize::try_from(number).expect("an index has 32 bits")
}

/// The states seen so far, numbered in the order of their discovery.
#[derive(Debug, Default)]
struct Seen {
    states: Vec<State>,
    /// From which state each was discovered.
    parents: Vec<u32>,
    /// A hash table with open addressing: 1 + the number of a state, or 0.
    table: Vec<u32>,
}

impl Seen {
    /// The number of a state: a new one if it was not seen before.
    fn insert(&mut self, state: State, parent: u32) -> u32 {
        if self.states.len() * 2 >= self.table.len() {
            self.grow();
        }
        let slot = self.slot(&state);
        if let Some(known) = self.table[slot].checked_sub(1) {
            return known;
        }
        let new = number(self.states.len());
        self.table[slot] = new + 1;
        self.states.push(state);
        self.parents.push(parent);
        new
    }

    /// Where a state is in the table, or is to be put.
    fn slot(&self, state: &State) -> usize {
        let mut mixer = Mixer::default();
        state.hash(&mut mixer);
        let mask = self.table.len() - 1;
        let mut slot = usize::try_from(mixer.finish()).expect("an index has 64 bits") & mask;
        while let Some(known) = self.table[slot].checked_sub(1)
            && self.states[index(known)] != *state
        {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        self.table = vec![0; (self.table.len() * 2).max(1 << 10)];
        for (at, state) in self.states.iter().enumerate() {
            let slot = self.slot(state);
            self.table[slot] = number(at) + 1;
        }
    }

    /// How the state at `at` was reached, and what breaks a promise there or in the step after.
    fn way(&self, rules: &Rules, at: usize, breach: Breach) -> Way {
        let parent = |at: &usize| (*at != 0).then(|| index(self.parents[*at]));
        let mut places: Vec<usize> = std::iter::successors(Some(at), parent).collect();
        places.reverse();
        // The states on the way with their owners' names kept, which the canonical ones exchange.
        let mut state = State::default();
        let (mut events, mut found) = (Vec::new(), Vec::new());
        for at in &places[1..] {
            steps::find(rules, &state, &mut found);
            let step = found.iter().find(|step| step.state.canonical() == self.states[*at]);
            let step = step.expect("the step by which it was discovered");
            events.push(step.event);
            state = step.state;
        }
        steps::find(rules, &state, &mut found);
        events.extend(found.iter().find(|step| step.breach == Some(breach)).map(|step| step.event));
        Way { events, breach }
    }
}

/// A hasher of small numbers: quick, and good enough for a table that compares what it finds.
#[derive(Debug, Default)]
struct Mixer {
    hash: u64,
    /// Up to eight bytes not yet mixed in.
    word: u64,
    bytes: u32,
}

impl Mixer {
    fn mix(&mut self) {
        self.hash = (self.hash ^ self.word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.hash ^= self.hash >> 29;
        (self.word, self.bytes) = (0, 0);
    }
}

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        let Self { hash, word, .. } = self;
        let hash = (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash ^ hash >> 32
    }

    fn write_u8(&mut self, byte: u8) {
        self.word = self.word << 8 | u64::from(byte);
        self.bytes += 1;
        if self.bytes == 8 {
            self.mix();
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u8(*byte);
        }
    }

    /// The number of a variant.
    fn write_isize(&mut self, number: isize) {
        self.write_u8(u8::try_from(number).expect("few variants"));
    }

    /// The length of an array: always the same.
    fn write_usize(&mut self, _: usize) {}
}
