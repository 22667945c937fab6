//! What the server tells of itself: log lines, and numbers in the text format of Prometheus.
//!
//! Owns the forms only. What is logged or counted is decided where it happens; who may read the
//! numbers, and where, is decided by `server`.

mod count;
mod log;
mod page;

pub use count::{Count, Histogram, Refusals, Tally};
pub use log::{Format, Settings, TelemetryError, check, start};
pub use page::{Kind, Page};
