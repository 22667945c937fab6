//! What becomes of messages that were refused or never answered.

use super::*;

#[test]
fn a_refusal_holds_and_the_message_goes_out_again_as_it_was() {
    let mut script = Script::new(None);
    let (rid, cmid) = script.live();
    assert_eq!(script.hear(&[refused(rid, ErrorCode::Overloaded, error_flag::NOT_APPLIED)]), []);
    script.now += 2_000_000;
    script.with(Client::pump);
    let said = script.said();
    let [Said::Resume, Said::Send { cmid: again, floor: 1, number: 1, .. }] = said[..] else {
        panic!("{said:?}")
    };
    assert_eq!(again, cmid);
    assert_eq!((script.tally.counts.held, script.tally.counts.resent), (1, 1));
}

#[test]
fn an_impatient_writer_gives_up_what_was_not_applied_and_its_number_goes_on() {
    let mut script = Script::new(Some(1_000));
    let (rid, cmid) = script.live();
    script.hear(&[refused(rid, ErrorCode::Overloaded, error_flag::NOT_APPLIED)]);
    script.now += 2_000_000;
    script.with(Client::pump);
    let said = script.said();
    let [Said::Resume, Said::Send { cmid: other, number: 1, .. }] = said[..] else {
        panic!("{said:?}")
    };
    assert_ne!(other, cmid, "another message");
    assert_eq!(script.tally.refused["overloaded"], 1);
}

#[test]
fn an_impatient_writer_keeps_what_may_have_been_applied() {
    let mut script = Script::new(Some(1_000));
    let (rid, cmid) = script.live();
    script.hear(&[refused(rid, ErrorCode::OutcomeUnknown, error_flag::UNKNOWN)]);
    script.now += 2_000_000;
    script.with(Client::pump);
    let said = script.said();
    let [Said::Resume, Said::Send { cmid: again, rid, .. }] = said[..] else { panic!("{said:?}") };
    assert_eq!(again, cmid);
    // Refused and not applied now; but an earlier attempt may have been.
    script.hear(&[refused(rid, ErrorCode::Overloaded, error_flag::NOT_APPLIED)]);
    script.now += 2_000_000;
    script.with(Client::pump);
    assert!(matches!(script.said()[..], [Said::Resume, Said::Send { cmid: c, .. }] if c == cmid));
    assert!(script.tally.refused.is_empty());
}

#[test]
fn what_is_unanswered_when_the_connection_ends_is_settled_by_its_entry_or_sent_again() {
    for stored in [true, false] {
        let mut script = Script::new(None);
        let (_, cmid) = script.live();
        script.with(Client::disconnected);
        script.client.connected("host");
        let output = script.client.output().len();
        script.client.written(output);
        assert_eq!(script.hear_bytes(UPGRADED), [Said::Hello { epoch: true }, Said::Sync]);
        script.hear(&[welcome(9)]);
        let said = script.hear_bytes(&synced_at(1, u64::from(stored)));
        if stored {
            let [Said::Fetch { rid, from: 1 }] = said[..] else { panic!("{said:?}") };
            script.hear_bytes(&entry(1, 0, 1, Some(cmid)));
            let said = script.hear(&[fetched(rid, 1, 0)]);
            assert!(matches!(said[..], [Said::Send { number: 2, .. }]), "{said:?}");
            assert_eq!(script.tally.counts.acknowledged, 1);
        } else {
            let [Said::Send { cmid: again, floor: 1, number: 1, .. }] = said[..] else {
                panic!("{said:?}")
            };
            assert_eq!(again, cmid);
        }
    }
}

#[test]
fn a_floor_out_of_range_is_raised_after_catching_up() {
    let mut script = Script::new(None);
    let (rid, cmid) = script.live();
    let refusal = refused(rid, ErrorCode::FloorOutOfRange, error_flag::NOT_APPLIED);
    assert_eq!(script.hear(&[refusal]), [Said::Sync]);
    script.now += 2_000_000;
    let said = script.hear_bytes(&synced_at(2, 5_000));
    let [Said::Fetch { rid, from: 1 }] = said[..] else { panic!("{said:?}") };
    let said = script.hear(&[fetched(rid, 5_000, 0)]);
    let [Said::Resume, Said::Send { cmid: again, floor: 5_001, .. }] = said[..] else {
        panic!("{said:?}")
    };
    assert_eq!(again, cmid);
}
