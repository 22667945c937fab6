//! Identifiers: random 53-bit numbers, never 0, so that a JavaScript number always holds one.

use std::fmt;
use std::num::NonZeroU64;

/// The largest number the protocol carries: 2^53 - 1.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(NonZeroU64);

        impl $name {
            /// Wraps a number between 1 and [`NUMBER_MAX`]; `None` outside that range.
            pub const fn new(number: u64) -> Option<Self> {
                match NonZeroU64::new(number) {
                    Some(id) if number <= NUMBER_MAX => Some(Self(id)),
                    Some(_) | None => None,
                }
            }

            /// Derives an id from 64 random bits, of which it keeps 53; `None` for the one value in
            /// 2^53 that would be 0 (draw again).
            pub const fn from_random(bits: u64) -> Option<Self> {
                Self::new(bits & NUMBER_MAX)
            }

            /// The number, as it stands on the wire and in JSON.
            pub const fn get(self) -> u64 {
                self.0.get()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

id! {
    /// One account.
    UserId
}
id! {
    /// One installation of an account: what holds a token and, for long polls, cursors.
    DeviceId
}
id! {
    /// One ordered log and its members.
    ConversationId
}
id! {
    /// Chosen by the client, unique per sender and conversation: what makes a resend recognisable.
    ClientMessageId
}
id! {
    /// One stored file.
    MediaId
}
id! {
    /// Chosen anew whenever a store is created or restored from a backup; it never repeats.
    Epoch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_between_one_and_the_number_limit() {
        assert_eq!(UserId::new(0), None);
        assert_eq!(UserId::new(NUMBER_MAX + 1), None);
        assert_eq!(UserId::new(NUMBER_MAX).map(UserId::get), Some(NUMBER_MAX));
    }

    #[test]
    fn random_bits_above_the_limit_are_dropped() {
        assert_eq!(UserId::from_random(u64::MAX).map(UserId::get), Some(NUMBER_MAX));
        assert_eq!(UserId::from_random(1 << 53), None);
    }
}
