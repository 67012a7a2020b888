//! Account usability (1.3.6.1.4.1.42.2.27.9.5.8, Sun's): whether an account can log in, beside its entry.
//!
//! ```text
//! response := [0] INTEGER                    usable: seconds until the password expires, −1 for never
//!           | [1] SEQUENCE { inactive [0] BOOLEAN DEFAULT FALSE, … }    not usable
//! ```

use crate::protocol::ber::{self, Tag};
use crate::protocol::{Control, oid};

/// The control beside an entry. `usable`: whether an administrator has not locked the account; passwords do not expire.
pub(crate) fn account_usability_response(usable: bool) -> Control {
    let value = ber::encode(|writer| {
        if usable {
            writer.integer_as(Tag::context(0), -1);
        } else {
            writer.constructed(Tag::context_constructed(1), |parts| parts.boolean_as(Tag::context(0), true));
        }
    });
    Control { oid: oid::ACCOUNT_USABILITY.to_owned(), critical: false, value: Some(value) }
}
