//! Waiting with a deadline, instead of sleeping for luck.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up on it. Generous, since it costs nothing unless
/// something is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// A moment after which a test fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// The usual patience, from now.
    pub(crate) fn usual() -> Self {
        Self::after(PATIENCE)
    }

    /// A patience of one's own, from now.
    pub(crate) fn after(patience: Duration) -> Self {
        Self(Instant::now() + patience)
    }

    /// Whether it has passed.
    pub(crate) fn has_passed(self) -> bool {
        Instant::now() >= self.0
    }

    /// Awaits a future, at most until the deadline.
    ///
    /// # Panics
    /// If it passes; the message says what was awaited.
    pub(crate) async fn wait<F: Future>(self, what: &str, future: F) -> F::Output {
        let result = tokio::time::timeout_at(self.0.into(), future).await;
        result.unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }
}

/// Tries until there is an answer.
///
/// # Panics
/// If there is none within the usual patience.
pub(crate) async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Deadline::usual();
    loop {
        if let Some(answer) = attempt().await {
            return answer;
        }
        assert!(!deadline.has_passed(), "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
