//! Two reports side by side: which figures have become worse.

use crate::figures::{Better, better};
use crate::report::Report;
use std::fmt;

/// One figure in both.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    /// The stage and the figure.
    pub name: String,
    /// What it was; `None` if it was not told.
    pub before: Option<f64>,
    /// What it is.
    pub after: f64,
    /// What that means.
    pub verdict: Verdict,
}

/// What a difference means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Same,
    /// Better by more than the tolerance.
    Better,
    /// Worse by more than the tolerance, or not 0 where it must be.
    Worse,
}

/// Compares what `after` tells with what `before` told; differences up to the part `tolerance` are
/// noise. A stage or figure that is gone is worse.
pub(crate) fn compare(before: &Report, after: &Report, tolerance: f64) -> Vec<Line> {
    let mut lines = Vec::new();
    for stage in &after.stages {
        let old = before.stages.iter().find(|old| old.name == stage.name);
        for (name, value) in &stage.figures {
            let was = old.and_then(|old| old.figures.get(name)).copied();
            lines.push(Line {
                name: format!("{}.{name}", stage.name),
                before: was,
                after: *value,
                verdict: judge(better(name), was, *value, tolerance),
            });
        }
    }
    for stage in &before.stages {
        let new = after.stages.iter().find(|new| new.name == stage.name);
        let gone = |name: &String| !new.is_some_and(|new| new.figures.contains_key(name));
        let figures = stage.figures.iter();
        for (name, value) in
            figures.filter(|(name, _)| gone(name) && better(name) != Better::Neither)
        {
            let name = format!("{}.{name}", stage.name);
            let after = f64::NAN;
            lines.push(Line { name, before: Some(*value), after, verdict: Verdict::Worse });
        }
    }
    lines
}

fn judge(better: Better, before: Option<f64>, after: f64, tolerance: f64) -> Verdict {
    let by = match (better, before) {
        (Better::Zero, _) if after > 0.0 => return Verdict::Worse,
        (Better::Zero | Better::Neither, _) | (_, None) => return Verdict::Same,
        (Better::Less(noise), Some(before)) => {
            let margin = (before.abs() * tolerance).max(noise);
            if after - before > margin {
                return Verdict::Worse;
            }
            before - after > margin
        }
        (Better::More, Some(before)) => {
            let margin = before.abs() * tolerance;
            if before - after > margin {
                return Verdict::Worse;
            }
            after - before > margin
        }
    };
    if by { Verdict::Better } else { Verdict::Same }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Same => ' ',
            Verdict::Better => '+',
            Verdict::Worse => '!',
        };
        let before = self.before.map_or("-".to_owned(), |before| format!("{before:.1}"));
        write!(f, "{mark} {:<48} {before:>14} {:>14.1}", self.name, self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Machine, StageReport};

    fn report(figures: &[(&str, f64)]) -> Report {
        let figures = figures.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let stage = StageReport { name: "run".to_owned(), figures, needed: Vec::new() };
        let settings = serde_json::Value::Null;
        let machine = Machine::default();
        Report { scenario: "pairs".to_owned(), settings, machine, stages: vec![stage] }
    }

    fn verdict(name: &str, before: f64, after: f64) -> Verdict {
        let (before, after) = (report(&[(name, before)]), report(&[(name, after)]));
        compare(&before, &after, 0.1)[0].verdict
    }

    #[test]
    fn each_figure_is_judged_in_its_own_direction() {
        assert_eq!(verdict("due_to_sent_p99_us", 20_000.0, 23_000.0), Verdict::Worse);
        assert_eq!(verdict("due_to_sent_p99_us", 20_000.0, 17_000.0), Verdict::Better);
        assert_eq!(verdict("due_to_sent_p99_us", 20_000.0, 21_000.0), Verdict::Same);
        assert_eq!(verdict("acknowledged_per_second", 100.0, 80.0), Verdict::Worse);
        assert_eq!(verdict("acknowledged_per_second", 100.0, 120.0), Verdict::Better);
        assert_eq!(verdict("offered_per_second", 100.0, 10.0), Verdict::Same);
    }

    #[test]
    fn small_times_are_noise() {
        assert_eq!(verdict("due_to_sent_p50_us", 100.0, 190.0), Verdict::Same);
        assert_eq!(verdict("due_to_sent_p50_us", 100.0, 210.0), Verdict::Worse);
    }

    #[test]
    fn what_must_be_zero_is_worse_however_little_and_however_bad_it_was() {
        assert_eq!(verdict("lost", 5.0, 1.0), Verdict::Worse);
        assert_eq!(verdict("lost", 5.0, 0.0), Verdict::Same);
        let lines = compare(&report(&[]), &report(&[("duplicated", 1.0)]), 0.1);
        assert_eq!(lines[0].verdict, Verdict::Worse);
    }

    #[test]
    fn a_figure_that_is_gone_is_worse_unless_it_says_nothing() {
        let gone = |name| compare(&report(&[(name, 1.0)]), &report(&[]), 0.1);
        assert_eq!(gone("due_to_sent_p99_us")[0].verdict, Verdict::Worse);
        assert!(gone("cut").is_empty());
    }
}
