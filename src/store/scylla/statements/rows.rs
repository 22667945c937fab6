//! The statements of accounts, conversations, memberships, contacts, cursors and single numbers.

use super::{Database, Kind, PrepareError, Statement, statements};

statements! {
    /// Statements over everything but the logs.
    Rows {
        /// Gives a user an id.
        insert_user: Conditional = "INSERT INTO users (user, whole, record) VALUES (?, false, ?) \
            IF NOT EXISTS";
        /// Says that the name of a user is claimed.
        complete_user: Conditional = "UPDATE users SET whole = true WHERE user = ? IF whole = false";
        /// Replaces the record of a user, if it is still what was read.
        replace_user: Conditional = "UPDATE users SET record = ? WHERE user = ? IF record = ?";
        /// Takes back a user whose name another one has.
        remove_user: Conditional = "DELETE FROM users WHERE user = ? IF whole = false";
        /// A user.
        user: Read = "SELECT whole, record FROM users WHERE user = ?";
        /// Claims a user name.
        claim_username: Conditional = "INSERT INTO usernames (username, user) VALUES (?, ?) \
            IF NOT EXISTS";
        /// Who has a user name.
        username: Read = "SELECT user FROM usernames WHERE username = ?";
        /// Gives a device an id.
        insert_device: Conditional = "INSERT INTO devices (device, version, record) \
            VALUES (?, ?, ?) IF NOT EXISTS";
        /// Replaces a device, if it is still the version that was read.
        replace_device: Conditional = "UPDATE devices SET version = ?, record = ? \
            WHERE device = ? IF version = ?";
        /// A device.
        device: Read = "SELECT record FROM devices WHERE device = ?";
        /// Lists a device with its user.
        list_device: Write = "INSERT INTO devices_by_user (user, device) VALUES (?, ?)";
        /// The devices of a user.
        devices: Read = "SELECT device FROM devices_by_user WHERE user = ?";
        /// Makes a claim.
        claim: Conditional = "INSERT INTO claims (kind, first, second, conversation) \
            VALUES (?, ?, ?, ?) IF NOT EXISTS";
        /// Who made a claim.
        claimed: Read = "SELECT conversation FROM claims WHERE kind = ? AND first = ? AND second = ?";
        /// Gives a conversation an id.
        insert_conversation: Conditional = "INSERT INTO conversations (conversation, whole, record) \
            VALUES (?, false, ?) IF NOT EXISTS";
        /// Says that the claim of a conversation is made.
        complete_conversation: Conditional = "UPDATE conversations SET whole = true \
            WHERE conversation = ? IF whole = false";
        /// Takes back a conversation whose claim another one made.
        remove_conversation: Conditional = "DELETE FROM conversations WHERE conversation = ? \
            IF whole = false";
        /// A conversation.
        conversation: Read = "SELECT whole, record FROM conversations WHERE conversation = ?";
        /// Sets the settings of a conversation. The first value is the register's timestamp.
        set_settings: Write = "UPDATE settings USING TIMESTAMP ? SET record = ? \
            WHERE conversation = ?";
        /// The settings of a conversation.
        settings: Read = "SELECT record FROM settings WHERE conversation = ?";
        /// Sets a membership in the list of its user.
        set_membership: Write = "UPDATE memberships USING TIMESTAMP ? SET record = ? \
            WHERE user = ? AND conversation = ?";
        /// Sets the same membership in the list of its conversation.
        set_member: Write = "UPDATE members USING TIMESTAMP ? SET record = ? \
            WHERE conversation = ? AND user = ?";
        /// A membership.
        membership: Read = "SELECT record FROM memberships WHERE user = ? AND conversation = ?";
        /// The memberships of a user.
        memberships: Read = "SELECT conversation, record FROM memberships WHERE user = ?";
        /// The memberships of a conversation.
        members: Read = "SELECT user, record FROM members WHERE conversation = ?";
        /// Sets a contact.
        set_contact: Write = "UPDATE contacts USING TIMESTAMP ? SET record = ? \
            WHERE owner = ? AND peer = ?";
        /// A contact.
        contact: Read = "SELECT record FROM contacts WHERE owner = ? AND peer = ?";
        /// The contacts of a user after a peer, at most so many.
        contacts: Read = "SELECT peer, record FROM contacts WHERE owner = ? AND peer > ? LIMIT ?";
        /// Advances what was delivered to a user. The first value is the register's timestamp.
        set_delivered: Write = "UPDATE cursors USING TIMESTAMP ? SET delivered = ? \
            WHERE user = ? AND conversation = ?";
        /// Advances what a user has read.
        set_read: Write = "UPDATE cursors USING TIMESTAMP ? SET read = ?, read_ord = ? \
            WHERE user = ? AND conversation = ?";
        /// Advances when a cursor last moved.
        set_changed: Write = "UPDATE cursors USING TIMESTAMP ? SET changed_at = ? \
            WHERE user = ? AND conversation = ?";
        /// A cursor.
        cursor: Read = "SELECT delivered, read, read_ord, changed_at FROM cursors \
            WHERE user = ? AND conversation = ?";
        /// The cursors of a user.
        cursors: Read = "SELECT conversation, delivered, read, read_ord, changed_at FROM cursors \
            WHERE user = ?";
        /// Advances the cursor of a device.
        set_device_cursor: Write = "UPDATE device_cursors USING TIMESTAMP ? SET sequence = ? \
            WHERE device = ? AND conversation = ?";
        /// The cursors of a device.
        device_cursors: Read = "SELECT conversation, sequence FROM device_cursors WHERE device = ?";
        /// Sets a number that is not there yet.
        insert_number: Conditional = "INSERT INTO numbers (name, number) VALUES (?, ?) IF NOT EXISTS";
        /// Replaces a number, if it is still what was read.
        replace_number: Conditional = "UPDATE numbers SET number = ? WHERE name = ? IF number = ?";
        /// Sets a number that is a register. The first value is its timestamp.
        set_number: Write = "UPDATE numbers USING TIMESTAMP ? SET number = ? WHERE name = ?";
        /// A number.
        number: Read = "SELECT number FROM numbers WHERE name = ?";
    }
}
