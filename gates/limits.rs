//! The table of limits, and the verdict on what was measured.
//!
//! Every figure has a limit and every limit a figure, so that neither can be forgotten.

use crate::Figure;
use crate::chat::Failure;
use std::collections::BTreeMap;
use std::process::ExitCode;

const TABLE: &str = include_str!("limits.toml");

/// Below this part of its limit a figure has become so good that the limit no longer guards it.
const LOOSE: f64 = 0.8;

/// Prints every figure beside its limit; fails if one is over.
pub(crate) fn check(figures: &[Figure]) -> Result<ExitCode, Failure> {
    let mut limits: BTreeMap<String, BTreeMap<String, f64>> = toml::from_str(TABLE)?;
    let (mut over, mut loose) = (0, 0);
    println!("{:<14}{:<24}{:>10}{:>10}", "unit", "figure", "measured", "limit");
    for Figure { unit, name, value } in figures {
        let limit = limits.get_mut(*unit).and_then(|table| table.remove(name));
        let verdict = match limit {
            None => "NO LIMIT",
            Some(limit) if *value > limit => "OVER",
            Some(limit) if *value < (limit - 0.5) * LOOSE => "loose",
            Some(_) => "",
        };
        over += usize::from(limit.is_none_or(|limit| *value > limit));
        loose += usize::from(verdict == "loose");
        let limit = limit.unwrap_or_default();
        println!("{unit:<14}{name:<24}{value:>10.2}{limit:>10.1}  {verdict}");
    }
    for (unit, name) in limits.iter().flat_map(|(unit, rest)| rest.keys().map(move |n| (unit, n))) {
        println!("{unit:<14}{name:<24}         -            NOT MEASURED");
        over += 1;
    }
    if loose > 0 {
        println!("{loose} limits are loose: lower them in gates/limits.toml");
    }
    if over > 0 {
        println!("FAILED: {over} of {} figures are not within their limit", figures.len());
        return Ok(ExitCode::FAILURE);
    }
    println!("all {} figures are within their limits", figures.len());
    Ok(ExitCode::SUCCESS)
}
