//! What identity promises, over a store in memory.

use super::memory::Memory;
use super::*;
use crate::model::{
    Actor, Device, DeviceId, DeviceName, DisplayName, Grant, Password, ProfileChange, Secret,
    SignedIn, Timestamp, UserId, Username,
};
use std::sync::atomic::Ordering;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn identity() -> (Identity<Memory>, Memory) {
    let store = Memory::default();
    let keys = Keys::generate().expect("random numbers");
    (Identity::new(store.clone(), keys, Settings::default()), store)
}

fn name(name: &str) -> Username {
    Username::new(name).expect("a user name")
}

fn password(text: &str) -> Password {
    Password::new(text).expect("long enough")
}

fn device_name() -> DeviceName {
    DeviceName::new("phone").expect("short")
}

fn registration(username: &str) -> Registration {
    Registration {
        username: name(username),
        password: password("correct horse"),
        display_name: None,
        device_name: device_name(),
    }
}

fn sign_in(username: &str, typed: &str) -> SignIn {
    SignIn {
        username: name(username),
        password: password(typed),
        device_name: device_name(),
        device: None,
    }
}

/// An account without a password, since most cases are not about one.
async fn enrolled(identity: &Identity<Memory>) -> (SignedIn, Device) {
    let life = Duration::from_mins(15);
    identity.enrol(NOW, name("ana"), device_name(), life).await.expect("the name is free")
}

fn code<T: std::fmt::Debug>(result: Result<T, CommandError>) -> ErrorCode {
    result.expect_err("refused").code
}

mod signing_in {
    use super::*;

    #[tokio::test]
    async fn a_registered_user_can_log_in_and_gets_another_device() {
        let (identity, _store) = identity();
        let (first, device) = identity.register(NOW, registration("ana")).await.expect("free");
        assert_eq!(first.actor, Actor { user: device.user, device: device.device });
        let (second, _) =
            identity.login(NOW, sign_in("ana", "correct horse")).await.expect("the password");
        assert_eq!(second.actor.user, first.actor.user);
        assert_ne!(second.actor.device, first.actor.device);
        assert_eq!(identity.devices(first.actor.user).await.expect("stored").len(), 2);
    }

    #[tokio::test]
    async fn a_taken_name_is_a_conflict_and_costs_no_hash() {
        let (identity, _store) = identity();
        identity.register(NOW, registration("ana")).await.expect("free");
        let before = identity.hashes_computed();
        assert_eq!(code(identity.register(NOW, registration("ana")).await), ErrorCode::Conflict);
        assert_eq!(identity.hashes_computed(), before);
    }

    #[tokio::test]
    async fn an_account_whose_answer_was_lost_is_found_by_its_id() {
        let (identity, store) = identity();
        store.loses_answers.store(2, Ordering::Relaxed);
        let (signed_in, _) = enrolled(&identity).await;
        let stored = store.account_by_name(&name("ana")).await.expect("in memory");
        assert_eq!(stored.map(|account| account.user), Some(signed_in.actor.user));
    }

    #[tokio::test]
    async fn a_name_that_somebody_else_has_is_taken_even_after_a_lost_answer() {
        let (identity, store) = identity();
        enrolled(&identity).await;
        store.loses_answers.store(1, Ordering::Relaxed);
        let life = Duration::from_mins(15);
        let again = identity.enrol(NOW, name("ana"), device_name(), life).await;
        assert_eq!(code(again), ErrorCode::Conflict);
    }

    #[tokio::test]
    async fn an_account_that_stays_in_doubt_is_told_so() {
        let (identity, store) = identity();
        store.loses_answers.store(usize::MAX, Ordering::Relaxed);
        let life = Duration::from_mins(15);
        let lost = identity.enrol(NOW, name("ana"), device_name(), life).await;
        assert_eq!(code(lost), ErrorCode::OutcomeUnknown);
    }

    #[tokio::test]
    async fn an_unknown_user_a_wrong_password_and_no_password_look_and_cost_the_same() {
        let (identity, _store) = identity();
        identity.register(NOW, registration("ana")).await.expect("free");
        let life = Duration::from_mins(15);
        identity.enrol(NOW, name("robot"), device_name(), life).await.expect("free");
        let mut answers = Vec::new();
        for (who, typed) in
            [("ana", "wrong horse"), ("nobody", "wrong horse"), ("robot", "!!!!!!!!")]
        {
            let before = identity.hashes_computed();
            answers.push(identity.login(NOW, sign_in(who, typed)).await.expect_err("refused"));
            assert_eq!(identity.hashes_computed() - before, 1, "{who}");
        }
        assert_eq!(answers[0].code, ErrorCode::Unauthenticated);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }

    #[tokio::test]
    async fn a_device_can_be_entered_again_and_its_earlier_tokens_end() {
        let (identity, _store) = identity();
        let (first, device) = identity.register(NOW, registration("ana")).await.expect("free");
        identity.revoke(NOW, device.user, device.device).await.expect("stored").expect("current");
        let again = SignIn { device: Some(device.device), ..sign_in("ana", "correct horse") };
        let (second, record) = identity.login(NOW, again).await.expect("own device");
        assert_eq!((record.device, record.family, record.revoked_at), (device.device, 2, None));
        let old = identity.verify_access(NOW, &first.access_token).expect("not expired");
        let new = identity.verify_access(NOW, &second.access_token).expect("not expired");
        assert_eq!(identity.device_status(&old).await, Ok(DeviceCheck::Revoked));
        assert_eq!(identity.device_status(&new).await, Ok(DeviceCheck::Valid));
        let refreshed = identity.refresh(NOW, &first.refresh_token).await;
        assert_eq!(refreshed.expect_err("an earlier family").revoked, None);
        identity.refresh(NOW, &second.refresh_token).await.expect("the current family");
    }

    #[tokio::test]
    async fn another_users_device_cannot_be_entered() {
        let (identity, _store) = identity();
        let (_, device) = enrolled(&identity).await;
        identity.register(NOW, registration("ben")).await.expect("free");
        let unknown = DeviceId::new(1).expect("not zero");
        for device in [device.device, unknown] {
            let foreign = SignIn { device: Some(device), ..sign_in("ben", "correct horse") };
            assert_eq!(code(identity.login(NOW, foreign).await), ErrorCode::NotFound);
        }
    }
}

mod refreshing {
    use super::*;

    async fn refresh(identity: &Identity<Memory>, token: &Secret) -> SignedIn {
        identity.refresh(NOW, token).await.expect("alive")
    }

    #[tokio::test]
    async fn the_predecessor_yields_the_same_successor_until_that_is_presented() {
        let (identity, _store) = identity();
        let (first, _) = enrolled(&identity).await;
        let second = refresh(&identity, &first.refresh_token).await;
        assert_ne!(second.refresh_token, first.refresh_token);
        for _ in 0..3 {
            let again = refresh(&identity, &first.refresh_token).await;
            assert_eq!(again.refresh_token, second.refresh_token);
        }
        let third = refresh(&identity, &second.refresh_token).await;
        assert_ne!(third.refresh_token, second.refresh_token);
    }

    #[tokio::test]
    async fn a_replaced_token_revokes_the_device_once() {
        let (identity, _store) = identity();
        let (first, device) = enrolled(&identity).await;
        let second = refresh(&identity, &first.refresh_token).await;
        let third = refresh(&identity, &second.refresh_token).await;

        let reuse = identity.refresh(NOW, &first.refresh_token).await.expect_err("replaced");
        assert_eq!(reuse.refused.code, ErrorCode::Unauthenticated);
        assert_eq!(reuse.revoked, Some(Actor { user: device.user, device: device.device }));

        let newest = identity.refresh(NOW, &third.refresh_token).await.expect_err("revoked");
        assert_eq!((newest.refused.code, newest.revoked), (ErrorCode::Unauthenticated, None));
        let grant = identity.verify_access(NOW, &third.access_token).expect("not expired");
        assert_eq!(code(identity.check_device(&grant).await), ErrorCode::Unauthenticated);
    }

    #[tokio::test]
    async fn two_exchanges_at_the_same_time_yield_the_same_successor() {
        let (identity, _store) = identity();
        let (first, device) = enrolled(&identity).await;
        let (one, other) = tokio::join!(
            refresh(&identity, &first.refresh_token),
            refresh(&identity, &first.refresh_token)
        );
        assert_eq!(one.refresh_token, other.refresh_token);
        let record = identity.devices(device.user).await.expect("stored").pop().expect("current");
        assert_eq!((record.generation, record.version), (2, 1), "one of them stored it");
    }

    #[tokio::test]
    async fn an_exchange_that_meets_a_revocation_is_refused() {
        let (identity, _store) = identity();
        let (first, device) = enrolled(&identity).await;
        let (revoked, refreshed) = tokio::join!(
            identity.revoke(NOW, device.user, device.device),
            identity.refresh(NOW, &first.refresh_token)
        );
        assert!(revoked.expect("stored").is_some());
        let refused = refreshed.expect_err("the revocation was stored first");
        assert_eq!((refused.refused.code, refused.revoked), (ErrorCode::Unauthenticated, None));
    }

    #[tokio::test]
    async fn of_two_replaced_tokens_at_the_same_time_one_reports_the_revocation() {
        let (identity, _store) = identity();
        let (first, _) = enrolled(&identity).await;
        let second = refresh(&identity, &first.refresh_token).await;
        refresh(&identity, &second.refresh_token).await;
        let reuse = || identity.refresh(NOW, &first.refresh_token);
        let (one, other) = tokio::join!(reuse(), reuse());
        let reported = [one, other].map(|answer| answer.expect_err("replaced").revoked.is_some());
        assert!(reported.contains(&true) && reported.contains(&false), "{reported:?}");
    }

    #[tokio::test]
    async fn a_revocation_whose_answer_is_lost_is_reported_too() {
        let (identity, store) = identity();
        let (first, device) = enrolled(&identity).await;
        let second = refresh(&identity, &first.refresh_token).await;
        refresh(&identity, &second.refresh_token).await;
        store.loses_answers.store(1, Ordering::Relaxed);
        let lost = identity.refresh(NOW, &first.refresh_token).await.expect_err("unknown");
        assert_eq!(lost.refused.code, ErrorCode::OutcomeUnknown);
        assert_eq!(lost.revoked, Some(Actor { user: device.user, device: device.device }));
    }

    #[tokio::test]
    async fn an_answer_lost_by_the_store_can_be_asked_for_again() {
        let (identity, store) = identity();
        let (first, device) = enrolled(&identity).await;
        store.loses_answers.store(1, Ordering::Relaxed);
        let lost = identity.refresh(NOW, &first.refresh_token).await.expect_err("unknown");
        assert_eq!(lost.refused.code, ErrorCode::OutcomeUnknown);
        refresh(&identity, &first.refresh_token).await;
        let record = identity.devices(device.user).await.expect("stored").pop().expect("current");
        assert_eq!(record.generation, 2);
    }

    #[tokio::test]
    async fn a_store_restored_to_an_earlier_state_accepts_the_newest_token() {
        let (identity, store) = identity();
        let (first, device) = enrolled(&identity).await;
        let second = refresh(&identity, &first.refresh_token).await;
        let third = refresh(&identity, &second.refresh_token).await;
        let restored = Device { generation: 1, version: 2, ..device };
        assert_eq!(store.update_device(restored).await, Ok(true));
        let fourth = refresh(&identity, &third.refresh_token).await;
        let reuse = identity.refresh(NOW, &second.refresh_token).await.expect_err("replaced");
        assert!(reuse.revoked.is_some());
        assert!(identity.refresh(NOW, &fourth.refresh_token).await.is_err());
    }

    #[tokio::test]
    async fn an_access_token_is_no_refresh_token_and_the_other_way_round() {
        let (identity, _store) = identity();
        let (tokens, _) = enrolled(&identity).await;
        let refused = identity.refresh(NOW, &tokens.access_token).await.expect_err("wrong kind");
        assert_eq!((refused.refused.code, refused.revoked), (ErrorCode::Unauthenticated, None));
        let checked = identity.verify_access(NOW, &tokens.refresh_token);
        assert_eq!(code(checked), ErrorCode::Unauthenticated);
    }

    #[tokio::test]
    async fn a_token_signed_with_other_keys_is_refused() {
        let (identity, store) = identity();
        let (tokens, _) = enrolled(&identity).await;
        let foreign = Keys::generate().expect("random numbers");
        let other = Identity::new(store, foreign, Settings::default());
        assert!(other.refresh(NOW, &tokens.refresh_token).await.is_err());
        assert_eq!(
            code(other.verify_access(NOW, &tokens.access_token)),
            ErrorCode::Unauthenticated
        );
    }
}

mod devices {
    use super::*;

    #[tokio::test]
    async fn a_device_is_revoked_once_and_listed_no_more() {
        let (identity, _store) = identity();
        let (tokens, device) = enrolled(&identity).await;
        let later = NOW.plus(Duration::from_secs(9));
        let revoked = identity.revoke(later, device.user, device.device).await.expect("stored");
        assert_eq!(revoked.and_then(|record| record.revoked_at), Some(later));
        assert_eq!(identity.revoke(later, device.user, device.device).await, Ok(None));
        assert_eq!(identity.devices(device.user).await, Ok(Vec::new()));
        let grant = identity.verify_access(NOW, &tokens.access_token).expect("not expired");
        assert_eq!(identity.device_status(&grant).await, Ok(DeviceCheck::Revoked));
    }

    #[tokio::test]
    async fn of_two_revocations_at_the_same_time_one_returns_the_device() {
        let (identity, _store) = identity();
        let (_, device) = enrolled(&identity).await;
        let revoke = || identity.revoke(NOW, device.user, device.device);
        let (one, other) = tokio::join!(revoke(), revoke());
        let returned = [one, other].map(|result| result.expect("stored").is_some());
        assert!(returned.contains(&true) && returned.contains(&false), "{returned:?}");
    }

    #[tokio::test]
    async fn another_users_device_is_not_found() {
        let (identity, _store) = identity();
        let (_, device) = enrolled(&identity).await;
        let stranger = UserId::new(1).expect("not zero");
        assert_eq!(code(identity.revoke(NOW, stranger, device.device).await), ErrorCode::NotFound);
        let renamed = identity.rename_device(stranger, device.device, device_name()).await;
        assert_eq!(code(renamed), ErrorCode::NotFound);
        let actor = Actor { user: stranger, device: device.device };
        let forged = Grant { actor, family: device.family };
        assert_eq!(identity.device_status(&forged).await, Ok(DeviceCheck::Revoked));
    }

    #[tokio::test]
    async fn renaming_signs_nobody_out() {
        let (identity, _store) = identity();
        let (tokens, device) = enrolled(&identity).await;
        let laptop = DeviceName::new("laptop").expect("short");
        let renamed = identity.rename_device(device.user, device.device, laptop.clone()).await;
        assert_eq!(renamed, Ok(()));
        identity.refresh(NOW, &tokens.refresh_token).await.expect("alive");
        let record = identity.devices(device.user).await.expect("stored").pop().expect("current");
        assert_eq!(record.name, laptop);
        identity.revoke(NOW, device.user, device.device).await.expect("stored");
        let renamed = identity.rename_device(device.user, device.device, laptop).await;
        assert_eq!(code(renamed), ErrorCode::NotFound);
    }
}

mod profiles {
    use super::*;

    #[tokio::test]
    async fn a_change_leaves_alone_what_it_does_not_name() {
        let (identity, _store) = identity();
        let (tokens, _) = enrolled(&identity).await;
        let user = tokens.actor.user;
        let about = ProfileChange { about: Some("hello".into()), ..ProfileChange::default() };
        identity.update_profile(user, about).await.expect("stored");
        let display_name = DisplayName::new("Ana B.");
        let named = ProfileChange { display_name, ..ProfileChange::default() };
        let answered = identity.update_profile(user, named).await.expect("stored");
        assert_eq!(identity.user_by_name(&name("ana")).await, Ok(answered.clone()));
        assert_eq!(answered.profile.display_name.as_str(), "Ana B.");
        assert_eq!(answered.profile.about, "hello");
    }

    #[tokio::test]
    async fn too_long_a_text_changes_nothing() {
        let (identity, _store) = identity();
        let (tokens, _) = enrolled(&identity).await;
        let about = Some("\u{f1}".repeat(501));
        let change = ProfileChange { about, ..ProfileChange::default() };
        let answered = identity.update_profile(tokens.actor.user, change).await;
        assert_eq!(code(answered), ErrorCode::Invalid);
        let view = identity.profile(tokens.actor.user).await.expect("stored");
        assert_eq!(view.profile.about, "");
        assert_eq!(view.profile.display_name.as_str(), "ana", "the user name stands in");
    }

    #[tokio::test]
    async fn unknown_users_are_left_out_or_not_found() {
        let (identity, _store) = identity();
        let (tokens, _) = enrolled(&identity).await;
        let stranger = UserId::new(1).expect("not zero");
        let found = identity.users_by_id(&[stranger, tokens.actor.user]).await.expect("few");
        assert_eq!(found.iter().map(|view| view.user).collect::<Vec<_>>(), [tokens.actor.user]);
        assert_eq!(code(identity.profile(stranger).await), ErrorCode::NotFound);
        assert_eq!(code(identity.user_by_name(&name("nobody")).await), ErrorCode::NotFound);
        assert_eq!(code(identity.users_by_id(&[stranger; 101]).await), ErrorCode::Invalid);
    }
}
