//! Runs a scenario that sends messages: servers, chats, connections, stages, report.

use crate::Failure;
use crate::clock::{self, MILLISECOND, SECOND};
use crate::figures::{self, Usage};
use crate::fleet::Fleet;
use crate::planning::{deal, plan, seat, timetable};
use crate::report::{Machine, Report, StageReport};
use crate::scenario::{Running, Scenario};
use crate::server::probe::{self, Kernel, Memory, Metrics};
use crate::server::{Scratch, Server};
use crate::tally::Tally;
use crate::worker::command::Command;

/// How many each writer keeps unanswered while it is measured what the server takes. With many writers
/// one is enough, and more would only make each sync longer.
const CAPACITY_WINDOW: usize = 1;

/// How often memory is looked at.
const SAMPLE: u64 = SECOND / 2;

/// How many looks a report tells of.
const SAMPLES_MAX: usize = 200;

/// How often a long run says that it goes on.
const SIGN_OF_LIFE: u64 = 60 * SECOND;

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
    let taken =
        |report: &StageReport| report.figures.get("taken_per_second").copied().unwrap_or_default();
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
        let (begin, measured) = (stage.begin, stage.measured);
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
            let written = after.device_bytes.zip(before.device_bytes);
            usage.device_bytes = written.map(|(after, before)| after - before);
            usage.metrics = before.metrics.zip(after.metrics);
        }
        usage.kernel = (self.before, probe::kernel()?);
        let tally = self.fleet.replies()?;
        let needed = if scenario.rate > 0.0 || scenario.window.is_some() {
            vec!["acknowledged".to_owned(), "delivered".to_owned()]
        } else {
            Vec::new()
        };
        let mut figures = figures::of_stage(&tally, &usage, scenario.kind);
        if tally.last_acknowledged > begin {
            // All that was taken in the end, by the time until it was: a slow disk takes in bursts.
            let took = clock::seconds(tally.last_acknowledged - begin);
            let all = f64::from(u32::try_from(tally.counts.acknowledged)?);
            figures.insert("taken_per_second".to_owned(), all / took);
        }
        if scenario.name == "hold" {
            let spoke = tally.counts.writers.min(tally.counts.receivers);
            let silent = self.connections.saturating_sub(usize::try_from(spoke)?);
            figures.insert("silent".to_owned(), f64::from(u32::try_from(silent)?));
        }
        let each = usage.memory.len().div_ceil(SAMPLES_MAX).max(1);
        let sampled = usage.memory.iter().step_by(each);
        let memory = sampled.map(|(at, memory)| (*at, memory.resident_kib)).collect();
        Ok(StageReport { name: name.to_owned(), figures, needed, memory })
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
        let mut said = measured.0;
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
                if now >= said + SIGN_OF_LIFE {
                    said = now;
                    let at = clock::seconds(now - measured.0);
                    println!("{at:>6.0} s: servers have {} KiB", memory.resident_kib);
                }
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

    /// What all servers together have had written to devices, where it is known.
    fn device_bytes(&self) -> Option<f64> {
        self.servers.iter().map(|server| probe::device_bytes(server.pid?)).sum()
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
            device_bytes: self.device_bytes(),
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
    device_bytes: Option<f64>,
    generator_cpu: f64,
    metrics: Option<Metrics>,
}
