//! Runs a scenario that sends messages: servers, chats, connections, stages, report.

use crate::Failure;
use crate::client::{Kind, Member};
use crate::clock::{self, MILLISECOND, SECOND};
use crate::figures::{self, Usage};
use crate::fleet::{CONNECTIONS_MAX, Fleet};
use crate::report::{Machine, Report, StageReport};
use crate::scenario::{Running, Scenario};
use crate::server::probe::{self, Kernel, Memory, Metrics};
use crate::server::{Account, Scratch, Server, rest};
use crate::tally::Tally;
use crate::worker::command::{Command, Cut, Plan, Stage};
use crate::worker::settles_by;
use std::time::Duration;

/// How many times what is measured with a window counts as what the server takes.
const CAPACITY_WINDOW: usize = 8;

/// How often memory is looked at.
const SAMPLE: u64 = SECOND / 2;

/// Until the first message of a stage: time for the order to arrive.
const LEAD: u64 = 300 * MILLISECOND;

/// A run under way.
pub(crate) struct Run {
    pub servers: Vec<Server>,
    pub fleet: Fleet,
    /// What the kernel held before there were connections.
    before: Kernel,
    connections: usize,
    /// Removed when all else has ended.
    _scratch: Scratch,
}

/// Runs a scenario.
pub(crate) fn run(scenario: &Scenario, running: &Running) -> Result<Report, Failure> {
    let mut run = Run::begin(scenario, running)?;
    let opened = run.open_all()?;
    let mut stages = Vec::new();
    if scenario.overload.is_empty() {
        let mut report = run.stage("run", scenario)?;
        figures::put_times("connect_to_ready", &opened.connect_to_ready, &mut report.figures);
        stages.push(report);
    } else {
        overload(&mut run, scenario, &mut stages)?;
    }
    if let Some(stage) = stages.last_mut() {
        run.end(stage)?;
    }
    Ok(Report {
        scenario: scenario.name.clone(),
        settings: serde_json::to_value(scenario)?,
        machine: Machine::here(),
        stages,
    })
}

/// Measures what the server takes, then offers it so many times as much.
fn overload(
    run: &mut Run,
    scenario: &Scenario,
    stages: &mut Vec<StageReport>,
) -> Result<(), Failure> {
    let window = Some(scenario.window.unwrap_or(CAPACITY_WINDOW));
    let closed = Scenario { window, patience_ms: None, ..scenario.clone() };
    let capacity = run.stage("capacity", &closed)?;
    let taken = |report: &StageReport| {
        report.figures.get("acknowledged_per_second").copied().unwrap_or_default()
    };
    let most = taken(&capacity);
    stages.push(capacity);
    for factor in &scenario.overload {
        let offered = Scenario { rate: most * factor, window: None, ..scenario.clone() };
        let mut report = run.stage(&format!("offered {factor}x"), &offered)?;
        if most > 0.0 {
            report.figures.insert("goodput".to_owned(), taken(&report) / most);
        }
        stages.push(report);
    }
    Ok(())
}

impl Run {
    /// Starts servers and workers and makes the chats; nobody is connected yet.
    pub(crate) fn begin(scenario: &Scenario, running: &Running) -> Result<Self, Failure> {
        let scratch = Scratch::new()?;
        let began = clock::now();
        let servers = Server::start_all(&scenario.setup(running), &scratch)?;
        let mut members = Vec::new();
        for (number, server) in servers.iter().enumerate() {
            let share = scenario.connections.div_ceil(servers.len());
            let share = share - share % scenario.members;
            let accounts = server.accounts.get(..share).unwrap_or(&server.accounts);
            members.extend(seat(scenario, number, server, accounts)?);
        }
        let took = clock::seconds(clock::now() - began);
        println!("{} accounts in chats on {} servers, {took:.1} s", members.len(), servers.len());
        let connections = members.len();
        let before = probe::kernel()?;
        let fleet = Fleet::start(&plan(scenario, &servers)?, deal(scenario, members), &scratch)?;
        Ok(Self { servers, fleet, before, connections, _scratch: scratch })
    }

    /// Opens every connection.
    fn open_all(&mut self) -> Result<Tally, Failure> {
        let began = clock::now();
        let opened = self.fleet.open(self.connections)?;
        let took = clock::seconds(clock::now() - began);
        println!("{} connections ready, {took:.1} s", opened.counts.ready);
        if usize::try_from(opened.counts.ready) != Ok(self.connections) {
            return Err(format!("{} of {} are ready", opened.counts.ready, self.connections).into());
        }
        Ok(opened)
    }

    /// Sends for a while and accounts for it.
    pub(crate) fn stage(
        &mut self,
        name: &str,
        scenario: &Scenario,
    ) -> Result<StageReport, Failure> {
        let stage = timetable(scenario, clock::now() + LEAD);
        let measured = stage.measured;
        self.fleet.order(&Command::Send(stage))?;
        clock::sleep_until(measured.0);
        let before = self.reading()?;
        let mut usage = Usage {
            seconds: clock::seconds(measured.1 - measured.0),
            connections: self.connections,
            servers: self.servers.len(),
            ..Usage::default()
        };
        self.watch(measured, scenario.drain, &mut usage)?;
        let after = self.reading()?;
        usage.generator_cpu = after.generator_cpu - before.generator_cpu;
        // A server that was started anew has counted from 0 again.
        if !scenario.drain {
            let spent = after.server_cpu.zip(before.server_cpu);
            usage.server_cpu = spent.map(|(after, before)| after - before);
            usage.metrics = before.metrics.zip(after.metrics);
        }
        usage.kernel = (self.before, probe::kernel()?);
        let tally = self.fleet.replies()?;
        let needed = if scenario.rate > 0.0 || scenario.window.is_some() {
            vec!["acknowledged".to_owned(), "delivered".to_owned()]
        } else {
            Vec::new()
        };
        let figures = figures::of_stage(&tally, &usage, scenario.kind);
        Ok(StageReport { name: name.to_owned(), figures, needed })
    }

    /// Looks at memory until the measured time is over; drains the server halfway if it is to be.
    fn watch(
        &mut self,
        measured: (u64, u64),
        drain: bool,
        usage: &mut Usage,
    ) -> Result<(), Failure> {
        let middle = measured.0.midpoint(measured.1);
        let mut draining = drain;
        loop {
            let now = clock::now();
            if now >= measured.1 {
                return Ok(());
            }
            if draining && now >= middle {
                draining = false;
                self.servers.iter_mut().try_for_each(Server::drain_and_restart)?;
            }
            if let Some(memory) = self.memory()? {
                usage.memory.push((clock::seconds(now - measured.0), memory));
            }
            clock::sleep_until((now + SAMPLE).min(measured.1));
        }
    }

    /// The memory of all servers together, where it is known.
    pub(crate) fn memory(&self) -> Result<Option<Memory>, Failure> {
        let mut sum = Memory::default();
        for server in &self.servers {
            let Some(pid) = server.pid else { return Ok(None) };
            let memory = probe::memory(pid)?;
            sum.resident_kib += memory.resident_kib;
            sum.anonymous_kib += memory.anonymous_kib;
        }
        Ok(Some(sum))
    }

    /// The processor time of all servers together, where it is known.
    pub(crate) fn server_cpu(&self) -> Result<Option<f64>, Failure> {
        let pids: Option<Vec<u32>> = self.servers.iter().map(|server| server.pid).collect();
        let Some(pids) = pids else { return Ok(None) };
        Ok(Some(pids.into_iter().map(probe::cpu_seconds).sum::<Result<f64, _>>()?))
    }

    fn reading(&self) -> Result<Reading, Failure> {
        let mut metrics = Some(Metrics::new());
        for server in &self.servers {
            let told = server.metrics.map(probe::metrics).transpose()?;
            metrics = metrics.zip(told).map(|(mut sum, told)| {
                for (name, value) in told {
                    *sum.entry(name).or_default() += value;
                }
                sum
            });
        }
        Ok(Reading {
            server_cpu: self.server_cpu()?,
            generator_cpu: self.fleet.cpu_seconds()?,
            metrics,
        })
    }

    /// Lets the servers end. Without metrics their last words tell how many messages went into a sync,
    /// over the whole run.
    fn end(&mut self, last: &mut StageReport) -> Result<(), Failure> {
        let (mut entries, mut syncs) = (0.0, 0.0);
        for server in &mut self.servers {
            if let Some(logged) = server.stop()? {
                (entries, syncs) = (entries + logged.0, syncs + logged.1);
            }
        }
        if syncs > 0.0 {
            let name = "messages_per_sync".to_owned();
            last.figures.entry(name).or_insert(entries / syncs);
        }
        Ok(())
    }
}

/// What was used up until a moment.
struct Reading {
    server_cpu: Option<f64>,
    generator_cpu: f64,
    metrics: Option<Metrics>,
}

/// Puts accounts into chats, as many as go into whole ones.
fn seat(
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
        let made = rest::make_chats(server.address, &groups)?;
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
fn deal(scenario: &Scenario, mut members: Vec<Member>) -> Vec<Vec<Member>> {
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
fn plan(scenario: &Scenario, servers: &[Server]) -> Result<Plan, Failure> {
    Ok(Plan {
        turn: (0, 1),
        run: getrandom::u32()?,
        servers: servers.iter().map(|server| server.address).collect(),
        members: Vec::new(),
        ping_seconds: scenario.ping_seconds,
        sync: scenario.rate > 0.0 || scenario.window.is_some(),
        ack_after: clock::from_seconds(scenario.ack),
        connecting_max: scenario.connecting,
    })
}

/// The moments of a stage that begins at `begin`.
fn timetable(scenario: &Scenario, begin: u64) -> Stage {
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
}
