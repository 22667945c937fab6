//! Durations and sizes as they stand in a configuration: a whole number and its unit.

use std::time::Duration;

const DURATIONS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// Reads `250ms`, `15s`, `5m`, `12h` or `30d`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    parse(text, &DURATIONS).map(Duration::from_millis)
}

/// Reads `512B`, `64KiB`, `16MiB` or `2GiB`.
pub fn parse_size(text: &str) -> Result<u64, String> {
    parse(text, &SIZES)
}

fn parse(text: &str, units: &[(&str, u64)]) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = units.iter().find(|(name, _)| *name == unit.trim_start());
    let value = number.parse::<u64>().ok().zip(factor);
    value.and_then(|(number, (_, factor))| number.checked_mul(*factor)).ok_or_else(|| {
        let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
        format!("{text:?} is not a whole number with one of the units {}", names.join(", "))
    })
}

/// Writes with the largest unit that leaves a whole number.
fn show(value: u64, units: &[(&str, u64)]) -> String {
    let fitting =
        units.iter().rev().find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor));
    let (name, factor) = fitting.or(units.first()).copied().unwrap_or(("", 1));
    format!("{}{name}", value / factor)
}

/// Durations in serde's terms.
pub(super) mod duration {
    use super::{DURATIONS, parse_duration, show};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::time::Duration;

    pub(crate) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        let millis = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
        to.serialize_str(&show(millis, &DURATIONS))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        parse_duration(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// Sizes in serde's terms.
pub(super) mod size {
    use super::{SIZES, parse_size, show};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde calls")]
    pub(crate) fn serialize<S: Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&show(*value, &SIZES))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        parse_size(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_its_unit_are_read() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("15 m"), Ok(Duration::from_mins(15)));
        assert_eq!(parse_duration("0s"), Ok(Duration::ZERO));
        assert_eq!(parse_size("64KiB"), Ok(65_536));
        for wrong in ["", "s", "15", "1.5s", "-1s", "1s ", "15 minutes", "99999999999999999999s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
        for wrong in ["64", "64kb", "64K", "99999999999GiB"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_shown_reads_the_same() {
        for millis in [0, 1, 1_000, 1_500, 60_000, 90_000, 86_400_000] {
            let shown = show(millis, &DURATIONS);
            assert_eq!(parse_duration(&shown), Ok(Duration::from_millis(millis)), "{shown}");
        }
        assert_eq!(show(90_000, &DURATIONS), "90s");
        assert_eq!(show(0, &SIZES), "0B");
        assert_eq!(show(262_144, &SIZES), "256KiB");
    }
}
