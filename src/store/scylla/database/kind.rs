//! The four ways in which a statement is sent.

use crate::store::scylla::Options;
use scylla::client::execution_profile::{ExecutionProfile, ExecutionProfileHandle};
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::policies::retry::{DefaultRetryPolicy, FallthroughRetryPolicy, RetryPolicy};
use scylla::policies::speculative_execution::{
    SimpleSpeculativeExecutionPolicy, SpeculativeExecutionPolicy,
};
use scylla::statement::{Consistency, SerialConsistency};
use std::sync::Arc;
use std::time::Duration;

/// After how long a read that was not answered is also sent to another node.
const SPECULATION_DELAY: Duration = Duration::from_millis(100);

/// How a statement is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::scylla) enum Kind {
    /// A read of a quorum: sees every change that was answered as made. Tried again, and sent to a
    /// second node when the first is slow.
    Read,
    /// A read that first finishes what conditional statements have begun in the partition. Tried
    /// once.
    SerialRead,
    /// A change without a condition, idempotent: tried again elsewhere when a node fails.
    Write,
    /// A change with a condition (LWT). Never sent twice: a second try could be answered `false`
    /// because the first was made.
    Conditional,
}

impl Kind {
    /// All of them, in the order of [`Kind::place`].
    pub(super) const ALL: [Self; 4] =
        [Self::Read, Self::SerialRead, Self::Write, Self::Conditional];

    /// Its place in an array.
    pub(super) const fn place(self) -> usize {
        match self {
            Self::Read => 0,
            Self::SerialRead => 1,
            Self::Write => 2,
            Self::Conditional => 3,
        }
    }

    /// Its name on the metrics page.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::SerialRead => "serial_read",
            Self::Write => "write",
            Self::Conditional => "conditional",
        }
    }

    /// Whether sending it twice is the same as sending it once.
    pub(super) const fn is_idempotent(self) -> bool {
        !matches!(self, Self::Conditional)
    }

    const fn consistency(self) -> Consistency {
        match self {
            Self::Read | Self::Write | Self::Conditional => Consistency::LocalQuorum,
            Self::SerialRead => Consistency::LocalSerial,
        }
    }

    fn retries(self) -> Arc<dyn RetryPolicy> {
        match self {
            Self::Read | Self::Write => Arc::new(DefaultRetryPolicy::new()),
            Self::SerialRead | Self::Conditional => Arc::new(FallthroughRetryPolicy::new()),
        }
    }

    fn speculation(self) -> Option<Arc<dyn SpeculativeExecutionPolicy>> {
        let policy = SimpleSpeculativeExecutionPolicy {
            max_retry_count: 1,
            retry_interval: SPECULATION_DELAY,
        };
        match self {
            Self::Read => Some(Arc::new(policy)),
            Self::SerialRead | Self::Write | Self::Conditional => None,
        }
    }
}

/// The driver's settings for each kind.
pub(super) struct Profiles([ExecutionProfileHandle; 4]);

impl Profiles {
    pub(super) fn new(options: &Options) -> Self {
        let mut nodes = DefaultPolicy::builder().token_aware(true);
        if let Some(datacenter) = &options.datacenter {
            // LOCAL_QUORUM means the coordinator's data centre, so another one is no way out.
            nodes = nodes.prefer_datacenter(datacenter.clone()).permit_dc_failover(false);
        }
        let nodes = nodes.build();
        Self(Kind::ALL.map(|kind| {
            let profile = ExecutionProfile::builder()
                .consistency(kind.consistency())
                .serial_consistency(Some(SerialConsistency::LocalSerial))
                .retry_policy(kind.retries())
                .speculative_execution_policy(kind.speculation())
                .load_balancing_policy(Arc::clone(&nodes))
                .request_timeout(Some(options.timeout));
            profile.build().into_handle()
        }))
    }

    pub(super) fn of(&self, kind: Kind) -> ExecutionProfileHandle {
        let [read, serial_read, write, conditional] = &self.0;
        match kind {
            Kind::Read => read,
            Kind::SerialRead => serial_read,
            Kind::Write => write,
            Kind::Conditional => conditional,
        }
        .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_place_of_its_own() {
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind.place(), place, "{kind:?}");
        }
    }
}
