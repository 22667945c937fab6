//! Numbers in the text format of Prometheus, version 0.0.4.
//!
//! Owns the form: which lines, in which order, and what is escaped. What the numbers are is said by
//! whoever writes the page.

use super::count::Histogram;
use std::fmt::{Display, Write};

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, until the process ends.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// A page under construction.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// The media type of a page.
    pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// Adds a number without labels.
    pub fn number(&mut self, kind: Kind, (name, help): (&str, &str), value: impl Display) {
        self.head(kind.name(), (name, help));
        self.sample(name, "", value);
    }

    /// Adds one number for each value of a label.
    pub fn labelled<L: Display, V: Display>(
        &mut self,
        kind: Kind,
        (name, help): (&str, &str),
        label: &str,
        values: impl IntoIterator<Item = (L, V)>,
    ) {
        self.head(kind.name(), (name, help));
        for (value, number) in values {
            self.sample(name, &labels(label, &value), number);
        }
    }

    /// Adds a histogram of seconds.
    pub fn histogram(&mut self, (name, help): (&str, &str), histogram: &Histogram) {
        self.head("histogram", (name, help));
        let bucket = format!("{name}_bucket");
        let count = histogram.count();
        for (bound, number) in histogram.cumulative() {
            self.sample(&bucket, &labels("le", &bound.as_secs_f64()), number);
        }
        self.sample(&bucket, &labels("le", &"+Inf"), count);
        self.sample(&format!("{name}_sum"), "", histogram.sum().as_secs_f64());
        self.sample(&format!("{name}_count"), "", count);
    }

    /// The finished page.
    pub fn into_text(self) -> String {
        self.0
    }

    fn head(&mut self, kind: &str, (name, help): (&str, &str)) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        self.line(format_args!("{name}{labels} {value}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _written = writeln!(self.0, "{line}");
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

fn labels(name: &str, value: &impl Display) -> String {
    let value = value.to_string().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{{{name}=\"{value}\"}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_family_is_introduced_before_its_samples() {
        let mut page = Page::default();
        page.number(Kind::Gauge, ("rooms", "Rooms.\nOpen \\ ones."), 3);
        page.labelled(Kind::Counter, ("calls_total", "Calls."), "call", [("a\"b", 1), ("c", 2)]);
        let expected = "# HELP rooms Rooms.\\nOpen \\\\ ones.\n# TYPE rooms gauge\nrooms 3\n\
            # HELP calls_total Calls.\n# TYPE calls_total counter\n\
            calls_total{call=\"a\\\"b\"} 1\ncalls_total{call=\"c\"} 2\n";
        assert_eq!(page.into_text(), expected);
    }

    #[test]
    fn a_histogram_ends_in_a_bucket_that_holds_everything() {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_micros(200));
        histogram.observe(Duration::from_secs(1));
        let mut page = Page::default();
        page.histogram(("t_seconds", "T."), &histogram);
        let text = page.into_text();
        let samples: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(samples[0], "t_seconds_bucket{le=\"0.000125\"} 0");
        assert_eq!(samples[1], "t_seconds_bucket{le=\"0.00025\"} 1");
        let end = ["t_seconds_bucket{le=\"+Inf\"} 2", "t_seconds_sum 1.0002", "t_seconds_count 2"];
        assert_eq!(samples[samples.len() - 3..], end);
    }
}
