//! How far a copy has come.

use super::Unit;
use crate::model::{ConversationId, NUMBER_MAX, UserId};

/// What has been copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The units up to and including this one; `None` for nothing yet.
    Through(Option<Unit>),
    /// Everything; it is still to be compared.
    Whole,
}

/// The bits of an id.
const ID_BITS: u32 = NUMBER_MAX.count_ones();

impl Progress {
    /// As one number of at most 55 bits.
    pub fn to_number(self) -> u64 {
        match self {
            Self::Through(None) => 0,
            Self::Through(Some(Unit::Conversation(id))) => 1 << ID_BITS | id.get(),
            Self::Through(Some(Unit::Account(user))) => 2 << ID_BITS | user.get(),
            Self::Whole => 3 << ID_BITS,
        }
    }

    /// From such a number; `None` from any other.
    pub fn from_number(number: u64) -> Option<Self> {
        let id = number & NUMBER_MAX;
        let through = |unit| Self::Through(Some(unit));
        match (number >> ID_BITS, id) {
            (0, 0) => Some(Self::Through(None)),
            (1, _) => ConversationId::new(id).map(Unit::Conversation).map(through),
            (2, _) => UserId::new(id).map(Unit::Account).map(through),
            (3, 0) => Some(Self::Whole),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_progress_has_a_number_of_its_own() {
        let conversation = |id| ConversationId::new(id).map(Unit::Conversation);
        let all = [
            Progress::Through(None),
            Progress::Through(conversation(1)),
            Progress::Through(conversation(NUMBER_MAX)),
            Progress::Through(UserId::new(1).map(Unit::Account)),
            Progress::Through(UserId::new(NUMBER_MAX).map(Unit::Account)),
            Progress::Whole,
        ];
        let numbers = all.map(Progress::to_number);
        assert!(numbers.is_sorted_by(|a, b| a < b) && numbers.iter().all(|n| *n < 1 << 55));
        assert_eq!(numbers.map(Progress::from_number), all.map(Some));
        for wrong in [1, 1 << 53, 2 << 53, 3 << 53 | 1, 4 << 53, u64::MAX] {
            assert_eq!(Progress::from_number(wrong), None, "{wrong}");
        }
    }
}
