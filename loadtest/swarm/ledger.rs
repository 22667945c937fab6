//! What a receiver has of one writer's stream: which numbers came, which came twice, which late.
//!
//! Numbers of a stream are 1, 2, 3, ... and only what the server took keeps its number (a refused
//! message gives it back to the next), so what is missing below the last number acknowledged is lost,
//! and a refusal that was not true shows as a number that comes twice.

/// What a message was to its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The next one, or the first behind a gap.
    New,
    /// One that later ones have overtaken.
    Reordered,
    /// One that had come already.
    Duplicated,
}

/// The numbers of one stream that have come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Track {
    /// The highest.
    highest: u32,
    /// What is missing below it: first and last, ascending. Empty as long as all is well.
    missing: Vec<(u32, u32)>,
}

impl Track {
    /// Takes a number in.
    pub(crate) fn take(&mut self, number: u32) -> Verdict {
        if number > self.highest {
            if number > self.highest + 1 {
                self.missing.push((self.highest + 1, number - 1));
            }
            self.highest = number;
            return Verdict::New;
        }
        let within = |(first, last): &(u32, u32)| (*first..=*last).contains(&number);
        let Some(at) = self.missing.iter().position(within) else { return Verdict::Duplicated };
        let (first, last) = self.missing.remove(at);
        let parts = [(first, number - 1), (number + 1, last)];
        let left = parts.into_iter().filter(|(first, last)| first <= last);
        self.missing.splice(at..at, left);
        Verdict::Reordered
    }

    /// How many of the numbers up to `acknowledged` have not come.
    pub(crate) fn lacks(&self, acknowledged: u32) -> u64 {
        let behind = u64::from(acknowledged.saturating_sub(self.highest));
        let span = |(first, last): &(u32, u32)| {
            u64::from((*last).min(acknowledged).saturating_add(1).saturating_sub(*first))
        };
        behind + self.missing.iter().map(span).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take_all(numbers: &[u32]) -> (Track, u64, u64) {
        let mut track = Track::default();
        let (mut duplicated, mut reordered) = (0, 0);
        for number in numbers {
            match track.take(*number) {
                Verdict::New => {}
                Verdict::Duplicated => duplicated += 1,
                Verdict::Reordered => reordered += 1,
            }
        }
        (track, duplicated, reordered)
    }

    #[test]
    fn a_stream_in_order_is_flawless() {
        let (track, duplicated, reordered) = take_all(&[1, 2, 3, 4]);
        assert_eq!((track.lacks(4), duplicated, reordered), (0, 0, 0));
        assert_eq!(track.lacks(6), 2, "acknowledged and not here yet");
        assert_eq!(track.lacks(3), 0, "here before it was acknowledged");
    }

    #[test]
    fn a_planted_loss_is_found() {
        let (track, duplicated, reordered) = take_all(&[1, 2, 5, 7]);
        assert_eq!((track.lacks(7), duplicated, reordered), (3, 0, 0));
        assert_eq!(track.lacks(4), 2, "what was not acknowledged is not lost");
        let (track, ..) = take_all(&[2]);
        assert_eq!(track.lacks(2), 1, "the first is missed too");
    }

    #[test]
    fn a_planted_duplicate_is_found() {
        let (track, duplicated, reordered) = take_all(&[1, 2, 2, 3, 1]);
        assert_eq!((track.lacks(3), duplicated, reordered), (0, 2, 0));
    }

    #[test]
    fn a_planted_reordering_is_found_and_is_no_loss() {
        let (track, duplicated, reordered) = take_all(&[1, 5, 3, 2, 4, 4]);
        assert_eq!((track.lacks(5), duplicated, reordered), (0, 1, 3));
    }
}
