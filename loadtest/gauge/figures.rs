//! What is said of many readings of one thing.

use std::collections::BTreeMap;
use std::fmt;

/// What a scenario found, by name.
pub(crate) type Figures = BTreeMap<String, f64>;

/// The middle reading and the ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    /// Of some readings; zero of none.
    pub(crate) fn of(readings: &[f64]) -> Self {
        let mut sorted = readings.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
        let last = sorted.len().saturating_sub(1);
        Self {
            median: f64::midpoint(at(last / 2), at(last.div_ceil(2))),
            least: at(0),
            most: at(last),
        }
    }
}

impl Spread {
    /// The middle one.
    pub(crate) fn median(&self) -> f64 {
        self.median
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = f.precision().unwrap_or(2);
        let Self { median, least, most } = self;
        write!(f, "{median:.places$} ({least:.places$} to {most:.places$})")
    }
}

/// One by another, as whole numbers divide in readings.
pub(crate) fn ratio(one: u64, other: u64) -> f64 {
    as_f64(one) / as_f64(other.max(1))
}

/// A count as a number to calculate with: exact up to 2^53.
pub(crate) fn as_f64(number: u64) -> f64 {
    let (high, low) = (number >> 32, number & 0xffff_ffff);
    let part = |half: u64| f64::from(u32::try_from(half).unwrap_or(u32::MAX));
    part(high) * 4_294_967_296.0 + part(low)
}
