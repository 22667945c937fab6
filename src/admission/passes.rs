//! The passes of the connections that a shard has adopted, in less space than so many guards.
//!
//! A pass costs nothing where sources are not counted, else eight bytes of its slot. Invariant: a
//! table is given a pass for every slot that is released, or for none.

use super::{Admission, Pass, Source};

/// Passes by slot number.
#[derive(Debug, Default)]
pub struct Passes {
    /// Where they are given back; known from the first on.
    admission: Option<Admission>,
    kept: usize,
    /// As long as the highest slot whose source is counted.
    sources: Vec<Option<Source>>,
}

impl Passes {
    /// Keeps the pass of whoever has a slot now.
    pub fn keep(&mut self, slot: u32, mut pass: Pass) {
        let Some(admission) = pass.admission.take() else { return };
        if let Some(source) = pass.source {
            let at = index(slot);
            if self.sources.len() <= at {
                self.sources.resize(at + 1, None);
            }
            if let Some(place) = self.sources.get_mut(at) {
                *place = Some(source);
            }
        }
        self.admission = Some(admission);
        self.kept += 1;
    }

    /// Gives the pass of a slot back.
    pub fn release(&mut self, slot: u32) {
        if let Some(admission) = self.admission.as_ref().filter(|_| self.kept > 0) {
            admission.leave(self.sources.get_mut(index(slot)).and_then(Option::take));
            self.kept -= 1;
        }
    }
}

impl Drop for Passes {
    fn drop(&mut self) {
        let Some(admission) = &self.admission else { return };
        let sources = self.sources.iter().flatten().map(|source| Some(*source));
        for source in sources.chain(std::iter::repeat(None)).take(self.kept) {
            admission.leave(source);
        }
    }
}

fn index(slot: u32) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
}
