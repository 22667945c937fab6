//! The codec as a whole: the examples of the specification, and round trips.

mod examples;
mod round_trip;
