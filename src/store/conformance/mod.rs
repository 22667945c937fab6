//! The one suite that every backend passes: what the contract of [`Store`] promises, case by case.
//!
//! A case is an async function over a store, or over a [`Harness`] where it has to open the store
//! again. Each is listed once in [`conformance`], which makes a test of it for a backend; a case
//! that is not listed is dead code and fails the build. Cases know nothing of a backend.

mod cursors;
mod directory;
mod effects;
mod log;
mod reopening;
pub(super) mod samples;

use super::Store;

pub(super) use cursors::*;
pub(super) use directory::*;
pub(super) use effects::*;
pub(super) use log::*;
pub(super) use reopening::*;

/// A backend under test.
pub(super) trait Harness: Sized {
    /// The backend.
    type Store: Store;

    /// Makes a new, empty store.
    async fn create() -> Self;

    /// A handle to it.
    fn store(&self) -> &Self::Store;

    /// Lets go of the store as a clean end does, and opens it again.
    async fn reopen(self) -> Self;
}

/// Makes one test of every case for a harness, with attributes of the backend's.
macro_rules! conformance {
    ($(#[$attribute:meta])* $harness:ty) => {
        $crate::store::conformance::cases! {
            [$(#[$attribute])*] $harness;
            over_a_store:
            an_account_is_found_by_id_and_by_name,
            a_name_belongs_to_the_first_account,
            an_id_belongs_to_the_first_account,
            of_many_accounts_with_one_name_one_is_stored,
            a_profile_is_replaced,
            a_profile_of_nobody_is_ignored,
            devices_are_listed_by_user,
            a_device_id_belongs_to_the_first,
            a_device_is_updated_from_the_version_it_was_read_at,
            of_many_updates_of_one_version_one_is_stored,
            a_claim_belongs_to_the_first,
            a_conversation_id_belongs_to_the_first_claim,
            claims_of_all_kinds_are_kept_apart,
            of_many_claims_one_creates,
            an_unknown_log_is_empty,
            an_entry_is_read_as_it_was_written,
            an_append_moves_the_head,
            an_append_on_another_head_is_stale_and_stores_nothing,
            of_many_appends_on_one_head_one_is_stored,
            a_reader_never_sees_part_of_an_append,
            heads_come_in_the_order_asked_for,
            logs_are_kept_apart,
            a_range_is_read_from_both_ends,
            a_range_stops_at_its_limits,
            erasing_takes_what_was_said_and_leaves_the_row,
            an_effect_is_readable_from_both_sides,
            an_effect_is_replaced_only_by_a_later_one,
            effects_of_one_call_may_concern_one_row,
            settings_come_with_the_conversation,
            contacts_are_listed_in_pages,
            a_mark_comes_with_the_append,
            a_stale_append_leaves_no_mark,
            settling_takes_the_mark_off,
            settling_leaves_later_effects_marked,
            a_cursor_never_goes_back,
            cursors_are_listed_by_user,
            device_cursors_never_go_back,
            time_never_goes_back,
            a_store_in_order_passes_the_check;
            over_a_harness:
            accounts_and_devices_survive,
            logs_survive,
            an_erasure_survives,
            effects_and_marks_survive,
            a_settled_mark_stays_away,
            cursors_survive_a_clean_end,
            the_epoch_stays,
            appending_goes_on_where_it_ended,
        }
    };
}

/// Emits the tests; the list is in [`conformance`].
macro_rules! cases {
    (
        $attributes:tt $harness:ty;
        over_a_store: $($case:ident),+; over_a_harness: $($whole:ident),+ $(,)?
    ) => {
        $($crate::store::conformance::case! {
            $attributes $case, {
                let harness = <$harness as $crate::store::conformance::Harness>::create().await;
                let store = $crate::store::conformance::Harness::store(&harness);
                $crate::store::conformance::$case(store).await;
            }
        })+
        $($crate::store::conformance::case! {
            $attributes $whole, {
                let harness = <$harness as $crate::store::conformance::Harness>::create().await;
                $crate::store::conformance::$whole(harness).await;
            }
        })+
    };
}

/// Emits one test.
macro_rules! case {
    ([$(#[$attribute:meta])*] $case:ident, $body:block) => {
        $(#[$attribute])*
        #[tokio::test]
        async fn $case() $body
    };
}

pub(super) use {case, cases, conformance};
