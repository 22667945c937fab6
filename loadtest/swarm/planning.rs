//! What a scenario means for those who carry it out: who is in which chat and writes, which worker has
//! whom, and the moments of a stage.

use crate::Failure;
use crate::client::{Kind, Member, Storm};
use crate::clock::{self, MILLISECOND, SECOND};
use crate::fleet::CONNECTIONS_MAX;
use crate::scenario::Scenario;
use crate::server::{Account, Server};
use crate::worker::command::{Cut, Plan, Stage};
use crate::worker::settles_by;
use std::time::Duration;

/// A cut of that part of the connections, but not of all, is a storm for the rest.
const STORM_SHARE: f64 = 0.5;

/// From when to when after the cut it is looked at: at first the cutting keeps the generator itself busy.
const STORM: (u64, u64) = (SECOND / 2, 5 * SECOND);

/// Puts accounts into chats, as many as go into whole ones.
pub(crate) fn seat(
    scenario: &Scenario,
    number: usize,
    server: &Server,
    accounts: &[Account],
) -> Result<Vec<Member>, Failure> {
    let groups: Vec<&[Account]> = accounts.chunks_exact(scenario.members).collect();
    let silent = scenario.rate <= 0.0 && scenario.window.is_none();
    let chats = if silent {
        vec![None; groups.len()]
    } else {
        let made = server.make_chats(&groups)?;
        made.into_iter().map(Some).collect()
    };
    let slow_first = scenario.members - scenario.slow_members();
    let mut members = Vec::with_capacity(accounts.len());
    for (group, conversation) in groups.iter().zip(chats) {
        for (place, account) in group.iter().enumerate() {
            let stream = u16::try_from(place).ok();
            members.push(Member {
                token: account.access_token.clone(),
                server: number,
                conversation,
                stream: stream.filter(|_| place < scenario.writers && conversation.is_some()),
                slow: place >= slow_first,
            });
        }
    }
    Ok(members)
}

/// Shares members among workers, conversations kept together.
pub(crate) fn deal(scenario: &Scenario, mut members: Vec<Member>) -> Vec<Vec<Member>> {
    let workers = members.len().div_ceil(CONNECTIONS_MAX).max(scenario.workers).max(1);
    let each = members.len().div_ceil(workers).next_multiple_of(scenario.members);
    let mut shares = Vec::new();
    while members.len() > each {
        let rest = members.split_off(each);
        shares.push(std::mem::replace(&mut members, rest));
    }
    shares.push(members);
    shares
}

/// What all workers are told alike.
pub(crate) fn plan(scenario: &Scenario, servers: &[Server]) -> Result<Plan, Failure> {
    Ok(Plan {
        turn: (0, 1),
        run: getrandom::u32()?,
        servers: servers.iter().map(|server| server.address).collect(),
        certificate: servers.first().and_then(|server| server.certificate.clone()),
        members: Vec::new(),
        ping_seconds: scenario.ping_seconds,
        sync: scenario.rate > 0.0 || scenario.window.is_some(),
        ack_after: clock::from_seconds(scenario.ack),
        connecting_max: scenario.connecting,
    })
}

/// The moments of a stage that begins at `begin`.
pub(crate) fn timetable(scenario: &Scenario, begin: u64) -> Stage {
    let from = begin + clock::from_seconds(scenario.warm_up);
    let seconds = clock::from_seconds(scenario.seconds);
    let until = from + seconds;
    let mut cuts = Vec::new();
    for plan in &scenario.cuts {
        let first = from + clock::from_seconds(scenario.seconds * plan.first + plan.every);
        let step = clock::from_seconds(plan.every);
        let mut at = first;
        while at < until {
            cuts.push(Cut { at, share: plan.share, how: plan.how });
            if step == 0 {
                break;
            }
            at += step;
        }
    }
    cuts.sort_unstable_by_key(|cut| cut.at);
    let storm = cuts.iter().find(|cut| (STORM_SHARE..1.0).contains(&cut.share));
    let storm =
        storm.map(|cut| Storm { cut_at: cut.at, from: cut.at + STORM.0, to: cut.at + STORM.1 });
    let settle = Duration::try_from_secs_f64(scenario.settle).unwrap_or_default();
    Stage {
        begin,
        end: until,
        measured: (from, until),
        settled_by: settles_by(until, settle, scenario.kind == Kind::Ephemeral),
        rate: scenario.rate,
        window: scenario.window,
        kind: scenario.kind,
        bytes: scenario.bytes,
        patience: scenario.patience_ms.map(|millis| millis.saturating_mul(MILLISECOND)),
        cuts,
        storm,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{CutPlan, Name};
    use crate::worker::command::How;

    fn members(count: usize) -> Vec<Member> {
        let member = Member {
            token: String::new(),
            server: 0,
            conversation: None,
            stream: None,
            slow: false,
        };
        vec![member; count]
    }

    #[test]
    fn conversations_stay_with_one_worker() {
        let scenario = Scenario { members: 10, workers: 3, ..Scenario::named(Name::Group) };
        let sizes: Vec<usize> = deal(&scenario, members(100)).iter().map(Vec::len).collect();
        assert_eq!(sizes, [40, 40, 20]);
        let sizes: Vec<usize> =
            deal(&Scenario::named(Name::Pairs), members(38_002)).iter().map(Vec::len).collect();
        assert!(sizes.len() == 3 && sizes.iter().all(|size| *size <= CONNECTIONS_MAX));
    }

    #[test]
    fn cuts_fall_into_the_measured_time_in_order() {
        let cut = |first, every| CutPlan { first, every, share: 1.0, how: How::Reset };
        let scenario = Scenario {
            warm_up: 1.0,
            seconds: 10.0,
            cuts: vec![cut(0.5, 0.0), cut(0.0, 3.0)],
            ..Scenario::named(Name::Pairs)
        };
        let stage = timetable(&scenario, 0);
        let at: Vec<u64> = stage.cuts.iter().map(|cut| cut.at / SECOND).collect();
        assert_eq!(at, [4, 6, 7, 10]);
        assert_eq!(stage.measured, (SECOND, 11 * SECOND));
    }

    #[test]
    fn a_cut_of_many_but_not_of_all_is_a_storm_for_the_rest() {
        let storm = |share| {
            let mut scenario =
                Scenario { seconds: 20.0, warm_up: 0.0, ..Scenario::named(Name::Storm) };
            scenario.cuts[0].share = share;
            timetable(&scenario, 0).storm
        };
        let moments = storm(0.9).map(|storm| (storm.cut_at, storm.to));
        assert_eq!(moments, Some((10 * SECOND, 15 * SECOND)));
        assert_eq!((storm(1.0), storm(0.1)), (None, None));
    }
}
