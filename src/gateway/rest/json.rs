//! Reading JSON as JSON Schema means it, where serde is laxer or stricter: an object is not also an
//! array of its fields, and `7.0` is the integer 7.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::marker::PhantomData;

/// What a value is in JSON before its rule is applied.
pub(super) trait Wire: Sized {
    /// Reads it.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

impl Wire for String {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

impl Wire for u64 {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Whole::deserialize(deserializer).map(|Whole(number)| number)
    }
}

impl Wire for Vec<u64> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let numbers = Vec::<Whole>::deserialize(deserializer)?;
        Ok(numbers.into_iter().map(|Whole(number)| number).collect())
    }
}

/// A whole number that is not negative, also where it is written with a fraction of zero.
struct Whole(u64);

/// Up to here every whole number has a decimal of its own, so that no id is taken for its neighbour.
/// It rests on a parser that rounds correctly: the feature `float_roundtrip` of `serde_json`.
const DECIMAL_END: f64 = 9_007_199_254_740_992.0;

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u64(WholeVisitor)
    }
}

struct WholeVisitor;

impl Visitor<'_> for WholeVisitor {
    type Value = Whole;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a whole number")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Whole, E> {
        Ok(Whole(number))
    }

    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number below 2^53"
    )]
    fn visit_f64<E: Error>(self, number: f64) -> Result<Whole, E> {
        if (0.0..DECIMAL_END).contains(&number) && number.fract() == 0.0 {
            Ok(Whole(number as u64))
        } else {
            Err(E::invalid_type(Unexpected::Float(number), &self))
        }
    }
}

/// A structure that is an object in JSON and nothing else.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_whole_however_it_is_written() {
        let read = |text: &str| serde_json::from_str::<Whole>(text).ok().map(|Whole(n)| n);
        assert_eq!(["7", "7.0", "7e0", "0.0", "-0.0"].map(read), [7, 7, 7, 0, 0].map(Some));
        assert_eq!(["-7", "7.5", "-7.0", "\"7\"", "null", "true"].map(read), [None; 6]);
    }

    #[test]
    fn no_number_is_taken_for_its_neighbour() {
        let read = |text: &str| serde_json::from_str::<Whole>(text).ok().map(|Whole(n)| n);
        for number in [(1 << 53) - 1, (1 << 53) - 2, (1 << 52) + 1, 1_805_658_397_478_823_u64] {
            for text in [format!("{number}"), format!("{number}.0"), format!("{number}0e-1")] {
                assert_eq!(read(&text), Some(number), "{text}");
            }
        }
        assert_eq!(["9007199254740992.0", "1e16", "1e300"].map(read), [None; 3]);
    }

    #[test]
    fn an_object_is_no_array_of_its_fields() {
        #[derive(Deserialize)]
        struct Fields {
            one: u64,
        }
        let read = |text: &str| {
            serde_json::from_str::<Object<Fields>>(text).ok().map(|Object(fields)| fields.one)
        };
        assert_eq!([read(r#"{"one": 1}"#), read("[1]"), read("1")], [Some(1), None, None]);
    }
}
