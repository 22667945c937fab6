//! What concerns connections by slot, or all of them.

use super::connections::Connections;
use super::outbox::ResyncReason;
use crate::protocol::CloseCode;

impl Connections {
    /// Tells whoever has this slot now to synchronise again.
    pub(crate) fn mark_slot_resync(&mut self, slot: u32, reason: ResyncReason) {
        if let Some(key) = self.slab.key_at(slot) {
            self.mark_resync(key, reason);
        }
    }

    /// Closes every connection.
    pub(crate) fn close_all(&mut self, code: CloseCode) {
        for slot in 0..self.slab.slots() {
            if let Some(key) = self.slab.key_at(slot) {
                self.close(key, code);
            }
        }
    }
}
