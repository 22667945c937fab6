//! The rules by which the CQL store appends, rolls from bucket to bucket and finds out what became of
//! lost statements, checked in every state that can be reached within given bounds: two owners of one
//! conversation in two server processes, clients that send again, third writers, lost requests and
//! answers, statements that take effect late, crashes.
//!
//! It must say the same as `Owner` in `src/chat` (`owner`) and the appends of the CQL store (`store`).
//! Every rule can be broken; a rule whose breach is not found is either not modelled or not needed.
//!
//! `make model` builds it with optimisation, by itself.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod owner;
mod rules;
mod search;
mod state;
mod steps;
mod store;

use rules::{Bounds, Rule, Rules};

fn assert_kept(bounds: Bounds) {
    let outcome = search::search(&Rules { bounds, broken: None });
    println!("model: {bounds:?}: {} states, {} steps", outcome.states, outcome.steps);
    if let Some(way) = outcome.way {
        panic!("\n{way}");
    }
}

#[test]
fn no_promise_is_broken_with_two_messages_and_a_foreign_entry() {
    assert_kept(Bounds { messages: 2, foreign: 1, rolls: 1 });
}

#[test]
fn no_promise_is_broken_over_three_buckets() {
    assert_kept(Bounds { messages: 2, foreign: 0, rolls: 2 });
    assert_kept(Bounds { messages: 1, foreign: 2, rolls: 2 });
}

#[test]
#[ignore = "takes minutes"]
fn no_promise_is_broken_with_two_messages_and_two_foreign_entries() {
    assert_kept(Bounds { messages: 2, foreign: 2, rolls: 1 });
}

#[test]
fn every_rule_is_needed() {
    let bounds = [(1, 0, 1), (1, 1, 1), (2, 0, 1), (1, 2, 1), (2, 1, 1)];
    for rule in Rule::ALL {
        let broken = bounds.iter().find_map(|(messages, foreign, rolls)| {
            let bounds = Bounds { messages: *messages, foreign: *foreign, rolls: *rolls };
            search::search(&Rules { bounds, broken: Some(rule) }).way
        });
        let Some(way) = broken else { panic!("{rule:?} can be broken") };
        println!("model: without {rule:?}, in {} steps {}", way.events.len(), way.breach);
    }
}
