//! The name of a connection on its shard.

/// Names one connection of a shard: its slot, and a generation that tells it from others that had
/// or will have the same slot. Copies may outlive the connection; they then name nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionKey {
    /// The slot in the shard's table.
    pub slot: u32,
    /// Which of the slot's occupants.
    pub generation: u32,
}

impl ConnectionKey {
    /// Both numbers in one, for a kernel that carries 64 bits.
    pub(super) fn to_token(self) -> u64 {
        (u64::from(self.generation) << 32) | u64::from(self.slot)
    }

    /// The reverse of [`Self::to_token`].
    pub(super) fn from_token(token: u64) -> Self {
        let [g0, g1, g2, g3, s0, s1, s2, s3] = token.to_be_bytes();
        Self {
            slot: u32::from_be_bytes([s0, s1, s2, s3]),
            generation: u32::from_be_bytes([g0, g1, g2, g3]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_gives_its_key_back() {
        for (slot, generation) in [(0, 0), (1, 2), (u32::MAX, 0), (0, u32::MAX), (7, u32::MAX)] {
            let key = ConnectionKey { slot, generation };
            assert_eq!(ConnectionKey::from_token(key.to_token()), key);
        }
    }
}
