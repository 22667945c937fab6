//! Access and refresh tokens: JWTs signed with Ed25519.
//!
//! ```text
//! access   typ at+jwt  iss chasqui  aud access   sub user  dev device  fam family  iat  exp
//! refresh  typ rt+jwt  iss chasqui  aud refresh  sub user  dev device  fam family  gen generation
//! ```
//!
//! A refresh token says nothing but its place in the device's history, and Ed25519 signatures are
//! deterministic, so signing it again yields the same token: an answer that got lost can be given
//! again without having been stored. Whether it is still alive is for the device's record to say.
//!
//! Nothing in a token chooses how it is checked: the algorithm is fixed, the key is one of ours or
//! none. There is no leeway on `exp`: the clock that set it is the one that checks it.

use super::keys::Keys;
use super::{internal, unauthenticated};
use crate::model::{Actor, CommandError, DeviceId, ErrorCode, Grant, Secret, Timestamp, UserId};
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::time::Duration;

const ISSUER: &str = "chasqui";
const ACCESS: Kind = Kind { typ: "at+jwt", audience: "access" };
const REFRESH: Kind = Kind { typ: "rt+jwt", audience: "refresh" };

/// Twice what a token of ours takes; longer ones are not looked at.
const TOKEN_BYTES_MAX: usize = 1024;

/// What keeps tokens of one purpose from being taken for another.
#[derive(Debug)]
struct Kind {
    typ: &'static str,
    audience: &'static str,
}

#[derive(Serialize, Deserialize)]
struct AccessClaims {
    iss: String,
    aud: String,
    sub: String,
    dev: u64,
    fam: u64,
    iat: u64,
    exp: u64,
}

#[derive(Serialize, Deserialize)]
struct RefreshClaims {
    iss: String,
    aud: String,
    sub: String,
    dev: u64,
    fam: u64,
    r#gen: u64,
}

/// A refresh token's place in the history of its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) actor: Actor,
    pub(super) family: u64,
    pub(super) generation: u64,
}

/// Issues and checks tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    keys: Keys,
    access: Validation,
    refresh: Validation,
}

impl Tokens {
    pub(super) fn new(keys: Keys) -> Self {
        Self { keys, access: validation(&ACCESS), refresh: validation(&REFRESH) }
    }

    pub(super) fn jwks(&self) -> &str {
        self.keys.jwks()
    }

    /// An access token, valid from `now` for `life`.
    pub(super) fn issue_access(
        &self,
        now: Timestamp,
        life: Duration,
        grant: Grant,
    ) -> Result<Secret, CommandError> {
        let claims = AccessClaims {
            iss: ISSUER.to_owned(),
            aud: ACCESS.audience.to_owned(),
            sub: grant.actor.user.to_string(),
            dev: grant.actor.device.get(),
            fam: grant.family,
            iat: seconds(now),
            exp: seconds(now.plus(life)),
        };
        self.sign(&ACCESS, &claims)
    }

    /// The refresh token of a place: the same one, however often, while the key stays the same.
    pub(super) fn issue_refresh(&self, place: Place) -> Result<Secret, CommandError> {
        let claims = RefreshClaims {
            iss: ISSUER.to_owned(),
            aud: REFRESH.audience.to_owned(),
            sub: place.actor.user.to_string(),
            dev: place.actor.device.get(),
            fam: place.family,
            r#gen: place.generation,
        };
        self.sign(&REFRESH, &claims)
    }

    /// What an access token grants. Refused as expired only if it was valid once.
    pub(super) fn check_access(
        &self,
        now: Timestamp,
        token: &Secret,
    ) -> Result<Grant, CommandError> {
        let claims: Option<AccessClaims> = self.check(&ACCESS, &self.access, token);
        let valid = claims.and_then(|claims| Some((actor(&claims.sub, claims.dev)?, claims)));
        let Some((actor, claims)) = valid else {
            return Err(unauthenticated("the access token is not valid"));
        };
        if claims.exp <= seconds(now) {
            return Err(CommandError::new(ErrorCode::Expired, "the access token has expired"));
        }
        Ok(Grant { actor, family: claims.fam })
    }

    /// Where a refresh token stands; `None` if it is none of ours.
    pub(super) fn check_refresh(&self, token: &Secret) -> Option<Place> {
        let claims: RefreshClaims = self.check(&REFRESH, &self.refresh, token)?;
        let actor = actor(&claims.sub, claims.dev)?;
        Some(Place { actor, family: claims.fam, generation: claims.r#gen })
    }

    fn sign<T: Serialize>(&self, kind: &Kind, claims: &T) -> Result<Secret, CommandError> {
        let key = self.keys.first().ok_or_else(|| internal("there is no signing key"))?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(kind.typ.to_owned());
        header.kid = Some(key.kid.clone());
        let signed = encode(&header, claims, &key.encoding);
        signed
            .map(|token| Secret::new(&token))
            .map_err(|_reason| internal("a token could not be signed"))
    }

    fn check<T: DeserializeOwned>(
        &self,
        kind: &Kind,
        validation: &Validation,
        token: &Secret,
    ) -> Option<T> {
        let token = token.as_str();
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let header = decode_header(token).ok()?;
        let key = self.keys.find(header.kid.as_deref()?)?;
        let checked = decode::<T>(token, &key.decoding, validation).ok()?;
        (checked.header.typ.as_deref() == Some(kind.typ)).then_some(checked.claims)
    }
}

/// Everything but `exp`, which is checked against the time given and not against the system's.
fn validation(kind: &Kind) -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.required_spec_claims =
        ["iss", "aud", "sub"].into_iter().map(str::to_owned).collect::<HashSet<_>>();
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[kind.audience]);
    validation.validate_exp = false;
    validation
}

fn actor(user: &str, device: u64) -> Option<Actor> {
    let user = UserId::new(user.parse().ok()?)?;
    Some(Actor { user, device: DeviceId::new(device)? })
}

const fn seconds(time: Timestamp) -> u64 {
    time.as_millis() / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::EncodingKey;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_999);
    const LIFE: Duration = Duration::from_mins(15);

    fn tokens() -> Tokens {
        Tokens::new(Keys::generate().expect("random numbers"))
    }

    fn grant() -> Grant {
        let user = UserId::new(crate::model::NUMBER_MAX).expect("the largest");
        let device = DeviceId::new(7).expect("not zero");
        Grant { actor: Actor { user, device }, family: 3 }
    }

    fn access_claims() -> serde_json::Value {
        json!({ "iss": "chasqui", "aud": "access", "sub": "5", "dev": 7, "fam": 3,
                "iat": 1_790_000_000, "exp": 1_790_000_900 })
    }

    /// Signs any claims under any header with the real key.
    fn signed(tokens: &Tokens, header: &Header, claims: &serde_json::Value) -> Secret {
        let key = tokens.keys.first().expect("one key");
        Secret::new(&encode(header, claims, &key.encoding).expect("signed"))
    }

    fn header(tokens: &Tokens, typ: &str) -> Header {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(typ.to_owned());
        header.kid = tokens.keys.first().map(|key| key.kid.clone());
        header
    }

    fn refused(tokens: &Tokens, token: &Secret) -> ErrorCode {
        tokens.check_access(NOW, token).expect_err("refused").code
    }

    #[test]
    fn an_access_token_says_who_until_its_last_second_has_begun() {
        let tokens = tokens();
        let token = tokens.issue_access(NOW, LIFE, grant()).expect("signed");
        assert_eq!(tokens.check_access(NOW, &token), Ok(grant()));
        let end = Timestamp::from_millis(1_790_000_900_000);
        let before = end.minus(Duration::from_millis(1));
        assert_eq!(tokens.check_access(before, &token), Ok(grant()));
        let expired = tokens.check_access(end, &token).expect_err("expired");
        assert_eq!(expired.code, ErrorCode::Expired);
    }

    #[test]
    fn a_refresh_token_of_one_place_is_always_the_same() {
        let tokens = tokens();
        let place = Place { actor: grant().actor, family: 3, generation: 9 };
        let token = tokens.issue_refresh(place).expect("signed");
        assert_eq!(tokens.issue_refresh(place).expect("signed"), token);
        assert_eq!(tokens.check_refresh(&token), Some(place));
        let next = tokens.issue_refresh(Place { generation: 10, ..place }).expect("signed");
        assert_ne!(next, token);
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let tokens = tokens();
        let token = tokens.issue_access(NOW, LIFE, grant()).expect("signed");
        for index in 0..token.as_str().len() {
            let mut bytes = token.as_str().as_bytes().to_vec();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let changed = Secret::new(std::str::from_utf8(&bytes).expect("ascii"));
            assert_eq!(refused(&tokens, &changed), ErrorCode::Unauthenticated, "byte {index}");
        }
    }

    #[test]
    fn only_the_type_issuer_and_audience_of_an_access_token_will_do() {
        let tokens = tokens();
        let right = header(&tokens, "at+jwt");
        let accepted = signed(&tokens, &right, &access_claims());
        assert!(tokens.check_access(NOW, &accepted).is_ok());
        for (claim, value) in [
            ("iss", json!("other")),
            ("iss", json!(null)),
            ("aud", json!("refresh")),
            ("aud", json!(null)),
            ("sub", json!("0")),
            ("sub", json!(5)),
            ("dev", json!("7")),
            ("exp", json!(null)),
        ] {
            let mut claims = access_claims();
            claims[claim] = value.clone();
            let token = signed(&tokens, &right, &claims);
            assert_eq!(refused(&tokens, &token), ErrorCode::Unauthenticated, "{claim} {value}");
        }
        let wrong_type = signed(&tokens, &header(&tokens, "rt+jwt"), &access_claims());
        assert_eq!(refused(&tokens, &wrong_type), ErrorCode::Unauthenticated);
    }

    #[test]
    fn the_token_chooses_neither_algorithm_nor_key() {
        let tokens = tokens();
        let mut unknown_key = header(&tokens, "at+jwt");
        unknown_key.kid = Some("other".to_owned());
        let mut no_key = header(&tokens, "at+jwt");
        no_key.kid = None;
        for header in [unknown_key, no_key] {
            let token = signed(&tokens, &header, &access_claims());
            assert_eq!(refused(&tokens, &token), ErrorCode::Unauthenticated);
        }

        // The public key as the secret of a symmetric signature, and no signature at all.
        let mut symmetric = header(&tokens, "at+jwt");
        symmetric.alg = Algorithm::HS256;
        let public = tokens.keys.jwks().to_owned();
        let forged =
            encode(&symmetric, &access_claims(), &EncodingKey::from_secret(public.as_bytes()));
        assert_eq!(
            refused(&tokens, &Secret::new(&forged.expect("signed"))),
            ErrorCode::Unauthenticated
        );
        let kid = tokens.keys.first().expect("one key").kid.clone();
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = part(&json!({ "alg": "none", "typ": "at+jwt", "kid": kid }));
        let unsigned = Secret::new(&format!("{head}.{}.", part(&access_claims())));
        assert_eq!(refused(&tokens, &unsigned), ErrorCode::Unauthenticated);
    }

    #[test]
    fn nonsense_is_refused() {
        let tokens = tokens();
        let long = "a".repeat(TOKEN_BYTES_MAX + 1);
        for nonsense in ["", ".", "..", "a.b.c", "\u{f1}.\u{f1}.\u{f1}", &long] {
            assert_eq!(refused(&tokens, &Secret::new(nonsense)), ErrorCode::Unauthenticated);
            assert_eq!(tokens.check_refresh(&Secret::new(nonsense)), None);
        }
    }

    #[test]
    fn the_longest_tokens_are_well_below_the_limit() {
        let tokens = tokens();
        let device = DeviceId::new(crate::model::NUMBER_MAX).expect("the largest");
        let actor = Actor { device, ..grant().actor };
        let access = tokens.issue_access(NOW, LIFE, Grant { actor, family: u64::MAX });
        let place = Place { actor, family: u64::MAX, generation: u64::MAX };
        for token in [access, tokens.issue_refresh(place)] {
            assert!(token.expect("signed").as_str().len() * 2 < TOKEN_BYTES_MAX);
        }
    }
}
