//! Page cursors: where a list was left, as text that clients hand back unread.
//!
//! They hold positions, never rights: whoever makes one up sees what they may see anyway. So every
//! text of the right length is one, and none needs a signature.

use super::field::{Checked, Field};
use crate::model::{ConversationId, NUMBER_MAX, Sequence, Timestamp, UserId};
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// Where a list of contacts was left: the last user of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ContactCursor(pub(super) Option<UserId>);

/// Where a list of chats was left: the last chat of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChatCursor(pub(super) Option<(Timestamp, ConversationId)>);

/// Where a stretch of history was left, and in which direction it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HistoryCursor {
    /// Towards older entries.
    Before(Sequence),
    /// Towards newer entries.
    After(Sequence),
}

impl ContactCursor {
    /// As text.
    pub(super) fn after(user: UserId) -> String {
        encode([user.get()])
    }
}

impl ChatCursor {
    /// As text.
    pub(super) fn after((sent_at, chat): (Timestamp, ConversationId)) -> String {
        encode([sent_at.as_millis(), chat.get()])
    }
}

impl HistoryCursor {
    /// As text.
    pub(super) fn render(self) -> String {
        match self {
            Self::Before(sequence) => encode([0, sequence.get()]),
            Self::After(sequence) => encode([1, sequence.get()]),
        }
    }
}

fn encode<const N: usize>(numbers: [u64; N]) -> String {
    BASE64.encode(numbers.map(u64::to_be_bytes).as_flattened())
}

fn decode<const N: usize>(text: &str) -> Option<[u64; N]> {
    let bytes = BASE64.decode(text).ok()?;
    let (numbers, []) = bytes.as_chunks::<8>() else { return None };
    let numbers: Vec<u64> = numbers.iter().copied().map(u64::from_be_bytes).collect();
    numbers.try_into().ok()
}

/// A position, whatever bits were handed in.
fn sequence(bits: u64) -> Sequence {
    Sequence::new(bits & NUMBER_MAX).unwrap_or_default()
}

macro_rules! cursor {
    ($($alias:ident = $type:ty, $name:literal, $pattern:literal, $check:expr;)*) => {
        $(
            impl Checked for $type {
                type Wire = String;
                const NAME: &'static str = $name;
                const RULE: &'static str = "the next_cursor of an earlier page of this list";

                fn check(text: String) -> Option<Self> {
                    decode(&text).map($check)
                }

                fn schema(description: String) -> RefOr<Schema> {
                    ObjectBuilder::new()
                        .schema_type(Type::String)
                        .pattern(Some($pattern))
                        .description(Some(description))
                        .into()
                }
            }

            pub(super) type $alias = Field<$type>;
        )*
    };
}

cursor! {
    ContactCursorField = ContactCursor, "ContactCursor", "^[A-Za-z0-9_-]{11}$",
        |[user]| Self(UserId::from_random(user));
    ChatCursorField = ChatCursor, "ChatCursor", "^[A-Za-z0-9_-]{22}$",
        |[sent_at, chat]| {
            let chat = ConversationId::from_random(chat);
            Self(chat.map(|chat| (Timestamp::from_millis(sent_at), chat)))
        };
    HistoryCursorField = HistoryCursor, "HistoryCursor", "^[A-Za-z0-9_-]{22}$",
        |[direction, bits]| {
            if direction == 1 { Self::After(sequence(bits)) } else { Self::Before(sequence(bits)) }
        };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_way_through_a_client() {
        let user = UserId::new(NUMBER_MAX).expect("largest");
        let text = ContactCursor::after(user);
        assert_eq!(ContactCursor::check(text), Some(ContactCursor(Some(user))));
        let last = (Timestamp::from_millis(1_790_000_000_000), ConversationId::new(7).expect("7"));
        assert_eq!(ChatCursor::check(ChatCursor::after(last)), Some(ChatCursor(Some(last))));
        for cursor in [HistoryCursor::Before(sequence(9)), HistoryCursor::After(sequence(9))] {
            assert_eq!(HistoryCursor::check(cursor.render()), Some(cursor));
        }
    }

    #[test]
    fn any_text_of_the_right_length_is_a_cursor_and_no_other_is() {
        for text in ["AAAAAAAAAAA", "___________", "zzzzzzzzzzz"] {
            assert!(ContactCursor::check(text.to_owned()).is_some(), "{text}");
        }
        for text in ["", "A", "AAAAAAAAAA", "AAAAAAAAAAA=", "AAAAAAAAAA+", "AAAAAAAAAAAA"] {
            assert_eq!(ContactCursor::check(text.to_owned()), None, "{text}");
        }
    }
}
