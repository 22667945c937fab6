//! Positions in a log and in time.

use super::NUMBER_MAX;
use std::num::NonZeroU64;

/// What stands for [`NUMBER_MAX`].
const MAX: NonZeroU64 = NonZeroU64::MIN.saturating_add(NUMBER_MAX);

macro_rules! position {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Held as one more than the number, so that an `Option` of it takes no more room.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(NonZeroU64);

        impl $name {
            /// Before the first.
            pub const ZERO: Self = Self(NonZeroU64::MIN);
            /// The first.
            pub const FIRST: Self = Self::ZERO.next();
            /// The largest that the protocol carries.
            pub const MAX: Self = Self(MAX);

            /// Wraps a number up to [`NUMBER_MAX`]; `None` above it.
            pub const fn new(number: u64) -> Option<Self> {
                if number > NUMBER_MAX {
                    return None;
                }
                Some(Self(NonZeroU64::MIN.saturating_add(number)))
            }

            /// The number.
            pub const fn get(self) -> u64 {
                self.0.get() - 1
            }

            /// The position `count` further on, at most [`Self::MAX`].
            #[must_use]
            pub const fn plus(self, count: u64) -> Self {
                let sum = self.0.saturating_add(count);
                if sum.get() > NUMBER_MAX { Self(MAX) } else { Self(sum) }
            }

            /// The position `count` earlier, at least [`Self::ZERO`].
            #[must_use]
            pub const fn minus(self, count: u64) -> Self {
                match NonZeroU64::new(self.0.get().saturating_sub(count)) {
                    Some(less) => Self(less),
                    None => Self::ZERO,
                }
            }

            /// The next position, at most [`Self::MAX`].
            #[must_use]
            pub const fn next(self) -> Self {
                self.plus(1)
            }

            /// How many positions lie after `earlier`, up to and including this one.
            pub const fn since(self, earlier: Self) -> u64 {
                self.0.get().saturating_sub(earlier.0.get())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::ZERO
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.get().fmt(f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.get())
            }
        }
    };
}

position! {
    /// A position in a conversation's log: entries are numbered 1, 2, 3, ... without holes, and 0
    /// stands before the first.
    Sequence
}
position! {
    /// The number of entries up to a position that count as unread; 0 before the first.
    Ordinal
}

const _: () = assert!(size_of::<Option<Sequence>>() == 8, "an absent position takes no room");

/// A moment: milliseconds since 1970, below 2^48 so that it fits its six bytes on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// 1970.
    pub const ZERO: Self = Self(0);

    /// Wraps milliseconds since 1970, capped to 48 bits (the year 10889).
    pub const fn from_millis(millis: u64) -> Self {
        const MAX: u64 = (1 << 48) - 1;
        if millis > MAX { Self(MAX) } else { Self(millis) }
    }

    /// Milliseconds since 1970.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The moment `duration` later.
    #[must_use]
    pub fn plus(self, duration: std::time::Duration) -> Self {
        Self::from_millis(self.0.saturating_add(millis(duration)))
    }

    /// The moment `duration` earlier, at least 1970.
    #[must_use]
    pub fn minus(self, duration: std::time::Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// The time from `earlier` to this moment; zero if it lies in the future.
    pub const fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000).saturating_add(duration.subsec_millis().into())
}
