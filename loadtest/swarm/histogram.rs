//! Times, as `HdrHistogram`s that travel between processes.
//!
//! Three significant digits from a microsecond to ten minutes; what lies outside counts as the nearest
//! end. On the way between processes a histogram is the list of its values and their counts.

use hdrhistogram::Histogram;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const LOWEST: u64 = 1_000;
const HIGHEST: u64 = 600 * crate::clock::SECOND;
const DIGITS: u8 = 3;

/// Times in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Times(Option<Box<Histogram<u64>>>);

/// What is said of times, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Quantiles {
    /// How many there are.
    pub count: u64,
    /// The median.
    pub p50_us: f64,
    /// What 99 of 100 stay below.
    pub p99_us: f64,
    /// What 999 of 1000 stay below.
    pub p999_us: f64,
    /// The longest.
    pub max_us: f64,
}

impl Times {
    /// Adds one time.
    pub(crate) fn record(&mut self, nanos: u64) {
        self.record_many(nanos, 1);
    }

    fn record_many(&mut self, nanos: u64, count: u64) {
        if self.0.is_none() {
            // Fails for bounds that make no sense only, and these do.
            self.0 = Histogram::new_with_bounds(LOWEST, HIGHEST, DIGITS).ok().map(Box::new);
        }
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record_n(nanos.clamp(LOWEST, HIGHEST), count);
        }
    }

    /// Adds the times of another.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (nanos, count) in other.pairs() {
            self.record_many(nanos, count);
        }
    }

    /// What is said of them.
    pub(crate) fn quantiles(&self) -> Quantiles {
        let Some(histogram) = &self.0 else { return Quantiles::default() };
        let micros = |nanos: u64| crate::clock::seconds(nanos) * 1e6;
        let quantile = |part: f64| micros(histogram.value_at_quantile(part));
        Quantiles {
            count: histogram.len(),
            p50_us: quantile(0.5),
            p99_us: quantile(0.99),
            p999_us: quantile(0.999),
            max_us: micros(histogram.max()),
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (u64, u64)> {
        let recorded = self.0.iter().flat_map(|histogram| histogram.iter_recorded());
        recorded.map(|value| (value.value_iterated_to(), value.count_at_value()))
    }
}

impl Serialize for Times {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.pairs())
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut times = Self::default();
        for (nanos, count) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            times.record_many(nanos, count);
        }
        Ok(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(nanos: impl IntoIterator<Item = u64>) -> Times {
        let mut times = Times::default();
        nanos.into_iter().for_each(|nanos| times.record(nanos));
        times
    }

    #[test]
    fn quantiles_are_within_a_thousandth() {
        let quantiles = times((1..=1000).map(|number| number * 10_000)).quantiles();
        assert_eq!(quantiles.count, 1000);
        for (is, should) in [
            (quantiles.p50_us, 5_000.0),
            (quantiles.p99_us, 9_900.0),
            (quantiles.p999_us, 9_990.0),
            (quantiles.max_us, 10_000.0),
        ] {
            assert!((is / should - 1.0_f64).abs() < 0.002, "{is} {should}");
        }
    }

    #[test]
    fn merging_workers_is_the_same_as_one_worker() {
        let values =
            |worker: u64| (0..500).map(move |number| 1_000 + number * 7_919 * (worker + 1));
        let mut merged = Times::default();
        for worker in 0..3 {
            // As they arrive: by way of JSON.
            let json = serde_json::to_string(&times(values(worker))).expect("plain numbers");
            merged.merge(&serde_json::from_str(&json).expect("the same back"));
        }
        assert_eq!(merged.quantiles(), times((0..3).flat_map(values)).quantiles());
    }

    #[test]
    fn nothing_recorded_has_no_quantiles() {
        assert_eq!(Times::default().quantiles(), Quantiles::default());
        let empty: Times = serde_json::from_str("[]").expect("an empty list");
        assert_eq!(empty, Times::default());
    }

    #[test]
    fn what_lies_outside_counts_as_the_end() {
        let quantiles = times([0, u64::MAX]).quantiles();
        assert_eq!(quantiles.count, 2);
        assert!(quantiles.p50_us <= 1.1 && quantiles.max_us >= 599e6);
    }
}
