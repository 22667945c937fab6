//! Entries as they come: in order or not, again, and acknowledged.

use super::*;

#[test]
fn an_entry_ahead_of_others_is_kept_and_the_hole_fetched() {
    let mut script = Script::new(None);
    let (rid, _) = script.live();
    script.hear(&[sent(rid, 1)]);
    let said = script.hear_bytes(&entry(3, 1, 2, None));
    let [Said::Fetch { rid, from: 2 }] = said[..] else { panic!("{said:?}") };
    assert_eq!((script.tally.counts.delivered, script.tally.counts.gaps), (0, 1));
    script.hear_bytes(&entry(2, 1, 1, None));
    script.hear(&[fetched(rid, 3, 0)]);
    let counts = script.tally.counts;
    assert_eq!((counts.delivered, counts.reordered, counts.duplicated), (2, 0, 0));
}

#[test]
fn what_comes_twice_at_its_place_is_a_repeat_and_elsewhere_a_duplicate() {
    let mut script = Script::new(None);
    script.live();
    script.hear_bytes(&entry(1, 1, 1, None));
    script.hear_bytes(&entry(1, 1, 1, None));
    assert_eq!((script.tally.counts.delivered, script.tally.counts.duplicated), (1, 0));
    script.hear_bytes(&entry(2, 1, 1, None));
    assert_eq!((script.tally.counts.delivered, script.tally.counts.duplicated), (1, 1));
}

#[test]
fn what_came_is_acknowledged_once_a_while() {
    let mut script = Script::new(None);
    script.live();
    script.hear_bytes(&[entry(1, 1, 1, None), entry(2, 1, 2, None)].concat());
    assert_eq!(script.timers.pop(script.now + 1_000), Some((0, Alarm::Ack)));
    assert_eq!(script.timers.pop(script.now + 1_000), None);
    script.with(|client, ctx| client.acknowledge(ctx));
    assert_eq!(script.said(), [Said::Ack { sequence: 2 }]);
}
