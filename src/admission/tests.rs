//! Admission under every way of coming and going.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

fn source(last: u8) -> Source {
    Source::of([192, 0, 2, last].into())
}

fn admission(connections_max: usize, address_connections_max: usize) -> Admission {
    Admission::new(Limits { connections_max, address_connections_max })
}

#[test]
fn no_more_are_admitted_than_may_be() {
    let admission = admission(2, 0);
    let first = admission.enter().expect("room");
    let _second = admission.enter().expect("room");
    assert_eq!(admission.enter().expect_err("full"), Refusal::Total);
    drop(first);
    assert!(admission.enter().is_ok());
}

#[test]
fn a_source_at_its_limit_shuts_no_other_out() {
    let admission = admission(0, 1);
    let mut first = admission.enter().expect("room");
    assert_eq!(first.attribute(source(1)), Ok(()));
    let mut second = admission.enter().expect("room");
    assert_eq!(second.attribute(source(1)), Err(Refusal::Address));
    assert_eq!(second.attribute(source(2)), Ok(()));
    drop(first);
    assert_eq!(admission.enter().expect("room").attribute(source(1)), Ok(()));
}

#[test]
fn refusals_are_counted_by_reason() {
    let admission = admission(0, 0);
    for (times, refusal) in
        [(1, Refusal::Total), (2, Refusal::Address), (3, Refusal::Handshakes), (4, Refusal::Http)]
    {
        (0..times).for_each(|_| admission.refuse(refusal));
    }
    let counts = admission.counts();
    assert_eq!(counts.connections, 0);
    let refused = [("total", 1), ("address", 2), ("handshakes", 3), ("http", 4)];
    assert_eq!(counts.refused(), refused);
}

#[test]
fn threads_that_come_and_go_at_once_leave_nothing_behind() {
    let admission = admission(3, 2);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let admission = &admission;
            scope.spawn(move || {
                for round in 0..2_000_u32 {
                    let Ok(mut pass) = admission.enter() else { continue };
                    assert!(admission.counts().connections <= 3);
                    let last = if round.is_multiple_of(3) { thread } else { 9 };
                    pass.attribute(source(last)).ok();
                }
            });
        }
    });
    assert_eq!((admission.counts().connections, admission.0.sources.len()), (0, 0));
}

/// What may happen to passes.
#[derive(Clone, Debug)]
enum Step {
    Enter { from: Option<u8> },
    Drop(prop::sample::Index),
    Keep(prop::sample::Index),
    Release(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    use any as of;
    prop_oneof![
        4 => proptest::option::of(0..4_u8).prop_map(|from| Step::Enter { from }),
        1 => of::<prop::sample::Index>().prop_map(Step::Drop),
        2 => of::<prop::sample::Index>().prop_map(Step::Keep),
        2 => of::<prop::sample::Index>().prop_map(Step::Release),
    ]
}

/// Takes one out, if there is one.
fn pick<T>(from: &mut Vec<T>, index: prop::sample::Index) -> Option<T> {
    (!from.is_empty()).then(|| from.swap_remove(index.index(from.len())))
}

/// Everyone who is in, by the source that they count for.
#[derive(Default)]
struct Model {
    held: Vec<(Pass, Option<u8>)>,
    kept: Vec<(u32, Option<u8>)>,
    free: Vec<u32>,
    slots: u32,
}

impl Model {
    fn sources(&self, counted: bool) -> HashMap<Source, usize> {
        let held = self.held.iter().map(|(_, from)| *from);
        let mut counts = HashMap::new();
        for last in held.chain(self.kept.iter().map(|(_, from)| *from)).flatten() {
            *counts.entry(source(last)).or_default() += usize::from(counted);
        }
        counts.retain(|_, count| *count > 0);
        counts
    }
}

proptest! {
    #[test]
    fn counts_are_those_of_the_passes_however_they_come_and_go(
        steps in proptest::collection::vec(step(), 1..200),
        connections_max in 0..9_usize,
        address_connections_max in 0..4_usize,
    ) {
        let admission = admission(connections_max, address_connections_max);
        let counted = address_connections_max > 0;
        let mut passes = Passes::default();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Enter { from } => {
                    let inside = model.held.len() + model.kept.len();
                    let entered = admission.enter();
                    prop_assert_eq!(
                        entered.is_ok(), connections_max == 0 || inside < connections_max
                    );
                    let Ok(mut pass) = entered else { continue };
                    if let Some(last) = from {
                        let before = model.sources(counted).get(&source(last)).copied();
                        let fits = !counted || before.unwrap_or(0) < address_connections_max;
                        prop_assert_eq!(pass.attribute(source(last)).is_ok(), fits);
                        if !fits {
                            continue;
                        }
                    }
                    model.held.push((pass, from));
                }
                Step::Drop(index) => drop(pick(&mut model.held, index)),
                Step::Keep(index) => {
                    let Some((pass, from)) = pick(&mut model.held, index) else { continue };
                    let slot = model.free.pop().unwrap_or(model.slots);
                    model.slots = model.slots.max(slot + 1);
                    passes.keep(slot, pass);
                    model.kept.push((slot, from));
                }
                Step::Release(index) => {
                    let Some((slot, _)) = pick(&mut model.kept, index) else { continue };
                    passes.release(slot);
                    model.free.push(slot);
                }
            }
            let inside = u64::try_from(model.held.len() + model.kept.len()).expect("few");
            prop_assert_eq!(admission.counts().connections, inside);
            let told: HashMap<Source, usize> =
                admission.0.sources.iter().map(|entry| (*entry.key(), *entry.value())).collect();
            prop_assert_eq!(told, model.sources(counted));
        }
        drop((model, passes));
        prop_assert_eq!((admission.counts().connections, admission.0.sources.len()), (0, 0));
    }
}
