//! Accounts, profiles and devices.

use super::{DeviceId, MediaId, Timestamp, UserId};

/// A user name: 3 to 32 of `a-z 0-9 . _ -`, beginning with a letter or digit. Upper case is folded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Username(Box<str>);

impl Username {
    /// The fewest characters.
    pub const CHARACTERS_MIN: usize = 3;
    /// The most characters.
    pub const CHARACTERS_MAX: usize = 32;

    /// Folds and checks a name; `None` if it breaks the rule.
    pub fn new(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let fits = (Self::CHARACTERS_MIN..=Self::CHARACTERS_MAX).contains(&name.len());
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let begins = name.starts_with(plain);
        let allowed = name.chars().all(|c| plain(c) || matches!(c, '.' | '_' | '-'));
        (fits && begins && allowed).then(|| Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident, $min:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name(Box<str>);

        impl $name {
            /// The most characters.
            pub const CHARACTERS_MAX: usize = $max;

            /// Checks a text; `None` if its length is wrong or it holds control characters.
            pub fn new(text: &str) -> Option<Self> {
                let fits = ($min..=$max).contains(&text.chars().count());
                (fits && !text.chars().any(char::is_control)).then(|| Self(text.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

label! {
    /// A name for people: 1 to 64 characters, no control characters.
    DisplayName, 1, 64
}
label! {
    /// What a device calls itself: up to 64 characters, no control characters.
    DeviceName, 0, 64
}

/// An argon2id hash in PHC form. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Box<str>);

impl PasswordHash {
    /// Wraps a PHC string.
    pub fn new(phc: &str) -> Self {
        Self(phc.into())
    }

    /// The PHC string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// What others see of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The name for people.
    pub display_name: DisplayName,
    /// A few words about themselves, up to 500 characters.
    pub about: String,
    /// Their picture.
    pub avatar: Option<MediaId>,
}

/// A change of a profile; what is `None` stays. `avatar: Some(None)` takes the picture away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// The new name for people.
    pub display_name: Option<DisplayName>,
    /// The new words, at most [`Self::ABOUT_CHARACTERS_MAX`] characters.
    pub about: Option<String>,
    /// The new picture.
    pub avatar: Option<Option<MediaId>>,
}

impl ProfileChange {
    /// The most characters of `about`.
    pub const ABOUT_CHARACTERS_MAX: usize = 500;
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub user: UserId,
    /// Its unique name.
    pub username: Username,
    /// The hash of its password.
    pub password: PasswordHash,
    /// What others see.
    pub profile: Profile,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// One installation of an account and its refresh token's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub device: DeviceId,
    /// Whose it is.
    pub user: UserId,
    /// What it calls itself.
    pub name: DeviceName,
    /// When it was first signed in.
    pub created_at: Timestamp,
    /// Counts the sign-ins of this device: refresh tokens of an earlier family are dead.
    pub family: u64,
    /// The newest refresh token issued in this family; its predecessor still yields it again until
    /// it is first presented.
    pub generation: u64,
    /// Set when it was signed out or revoked; signing in again with it clears this.
    pub revoked_at: Option<Timestamp>,
    /// Counts the changes of this record; an update names the version it read.
    pub version: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_are_folded_and_checked() {
        assert_eq!(Username::new("Ana.B-1").as_ref().map(Username::as_str), Some("ana.b-1"));
        for wrong in ["ab", "-ana", "ana banana", "\u{f1}and\u{fa}", "", &"a".repeat(33)] {
            assert_eq!(Username::new(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_display_name_counts_characters_and_has_no_controls() {
        assert!(DisplayName::new(&"\u{f1}".repeat(64)).is_some());
        assert_eq!(DisplayName::new(&"\u{f1}".repeat(65)), None);
        assert_eq!(DisplayName::new("a\nb"), None);
        assert_eq!(DisplayName::new(""), None);
    }

    #[test]
    fn a_password_hash_is_never_shown() {
        assert_eq!(format!("{:?}", PasswordHash::new("$argon2id$..")), "PasswordHash(..)");
    }
}
