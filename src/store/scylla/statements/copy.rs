//! The statements of copying a store: walking over its rows, in the order of their partitions' tokens,
//! and saying how far the copy has come.

use super::{Database, Kind, PrepareError, Statement, statements};

statements! {
    /// Statements that only copying the store needs.
    Copy {
        /// The first users, at most so many.
        first_users: Read = "SELECT user, whole, record FROM users LIMIT ?";
        /// The users from one on, at most so many. That one may not be the first of them: tokens are
        /// hashes, and partitions of one token follow each other in the order of their keys.
        users_from: Read = "SELECT user, whole, record FROM users \
            WHERE token(user) >= token(?) LIMIT ?";
        /// The first conversations, at most so many.
        first_conversations: Read = "SELECT conversation, whole, record FROM conversations LIMIT ?";
        /// The conversations from one on, as above.
        conversations_from: Read = "SELECT conversation, whole, record FROM conversations \
            WHERE token(conversation) >= token(?) LIMIT ?";
    }
}
