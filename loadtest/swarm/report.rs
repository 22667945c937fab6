//! The report of a run, as JSON for machines and as a table for people, and whether the run holds.

use crate::Failure;
use crate::figures::{Better, Figures, better};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// The generator's own p99 delay above which its figures of latency are not the server's.
const LAG_P99_MAX_US: f64 = 5_000.0;

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The scenario.
    pub scenario: String,
    /// Its settings.
    pub settings: serde_json::Value,
    /// The machine.
    pub machine: Machine,
    /// One after the other.
    pub stages: Vec<StageReport>,
}

/// What came of one stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StageReport {
    /// Its name.
    pub name: String,
    /// Its figures.
    pub figures: Figures,
    /// Figures that must be above 0, or the stage has shown nothing.
    pub needed: Vec<String>,
}

/// The machine of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// Cores.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
    /// The processor's name.
    pub processor: String,
}

impl Machine {
    /// This machine.
    pub(crate) fn here() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model =
            cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            processor: model.map(|(_, name)| name.to_owned()).unwrap_or_default(),
        }
    }
}

impl Report {
    /// Why the run does not hold: figures that must be 0 and are not, or the reverse.
    pub(crate) fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for stage in &self.stages {
            for (name, value) in &stage.figures {
                if better(name) == Better::Zero && *value > 0.0 {
                    failures.push(format!("{}: {name} is {value}, not 0", stage.name));
                }
            }
            for name in &stage.needed {
                if stage.figures.get(name).copied().unwrap_or_default() <= 0.0 {
                    failures.push(format!("{}: {name} is 0: nothing was shown", stage.name));
                }
            }
        }
        failures
    }

    /// What to bear in mind when reading it.
    fn remarks(&self) -> impl Iterator<Item = String> {
        self.stages.iter().filter_map(|stage| {
            let lag = stage.figures.get("generator_lag_p99_us")?;
            (*lag > LAG_P99_MAX_US).then(|| {
                format!(
                    "{}: the generator fell behind (p99 {:.1} ms): latency is its own as well",
                    stage.name,
                    lag / 1e3
                )
            })
        })
    }

    /// Writes it as JSON.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        Ok(std::fs::write(path, serde_json::to_vec_pretty(self)?)?)
    }

    /// Reads one that was written.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(serde_json::from_slice(&bytes)?)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { cores, kernel, processor } = &self.machine;
        writeln!(f, "{} on {cores} cores ({processor}), Linux {kernel}", self.scenario)?;
        for stage in &self.stages {
            writeln!(f, "\n{}", stage.name)?;
            for (name, value) in &stage.figures {
                writeln!(f, "  {name:<36} {:>14}", shown(*value))?;
            }
        }
        for remark in self.remarks() {
            writeln!(f, "\nbeware: {remark}")?;
        }
        let failures = self.failures();
        if failures.is_empty() {
            return writeln!(f, "\nholds");
        }
        failures.iter().try_for_each(|failure| writeln!(f, "\nFAILED: {failure}"))
    }
}

/// A number with as many places as say something.
fn shown(value: f64) -> String {
    let places = if value.fract() == 0.0 || value.abs() >= 1_000.0 {
        0
    } else if value.abs() >= 10.0 {
        1
    } else {
        3
    };
    format!("{value:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(figures: &[(&str, f64)]) -> Report {
        let figures = figures.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let needed = vec!["delivered".to_owned()];
        Report {
            scenario: "pairs".to_owned(),
            settings: serde_json::json!({"rate": 2}),
            machine: Machine::here(),
            stages: vec![StageReport { name: "run".to_owned(), figures, needed }],
        }
    }

    #[test]
    fn a_report_comes_back_as_it_was_written() {
        let written = report(&[("lost", 0.0), ("due_to_sent_p50_us", 1.0 / 3.0)]);
        let json = serde_json::to_string(&written).expect("plain numbers");
        assert_eq!(serde_json::from_str::<Report>(&json).expect("the same back"), written);
    }

    #[test]
    fn what_is_lost_doubled_or_out_of_order_fails_and_so_does_silence() {
        assert_eq!(report(&[("lost", 0.0), ("delivered", 5.0)]).failures(), [""; 0]);
        for name in ["lost", "duplicated", "reordered", "unsettled", "faults"] {
            assert_eq!(report(&[(name, 1.0), ("delivered", 5.0)]).failures().len(), 1, "{name}");
        }
        assert_eq!(report(&[]).failures().len(), 1);
        assert_eq!(report(&[("delivered", 0.0)]).failures().len(), 1);
    }

    #[test]
    fn a_generator_that_fell_behind_is_told() {
        let late = report(&[("generator_lag_p99_us", 6_000.0), ("delivered", 1.0)]);
        assert!(late.to_string().contains("fell behind"));
        let fine = report(&[("generator_lag_p99_us", 100.0), ("delivered", 1.0)]);
        assert!(!fine.to_string().contains("fell behind") && fine.to_string().ends_with("holds\n"));
    }
}
