//! Account usability (1.3.6.1.4.1.42.2.27.9.5.8, Sun's): whether an account can log in, beside its entry.
//!
//! ```text
//! response := [0] INTEGER                    usable: seconds until it no longer is, −1 for never
//!           | [1] SEQUENCE { inactive [0] BOOLEAN DEFAULT FALSE, reset [1] BOOLEAN DEFAULT FALSE, expired [2] BOOLEAN DEFAULT FALSE,
//!                            remainingGrace [3] INTEGER OPTIONAL, secondsBeforeUnlock [4] INTEGER OPTIONAL }
//! ```

use crate::protocol::ber::{self, Tag};
use crate::protocol::{Control, oid};

/// Whether an account can log in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Usability {
    /// It can, for so many seconds as far as is known.
    Usable {
        /// None: no end is known.
        seconds: Option<i64>,
    },
    /// It cannot, or its password must be changed first.
    Unusable {
        /// Disabled, locked, idle or not yet valid.
        inactive: bool,
        /// The password must be changed.
        reset: bool,
        /// The account or its password expired.
        expired: bool,
        /// A lock ends after so many seconds.
        seconds_before_unlock: Option<i64>,
    },
}

/// The control beside an entry.
pub(crate) fn account_usability_response(usability: Usability) -> Control {
    let value = ber::encode(|writer| match usability {
        Usability::Usable { seconds } => writer.integer_as(Tag::context(0), seconds.unwrap_or(-1)),
        Usability::Unusable { inactive, reset, expired, seconds_before_unlock } => {
            writer.constructed(Tag::context_constructed(1), |parts| {
                for (number, flag) in [(0, inactive), (1, reset), (2, expired)] {
                    if flag {
                        parts.boolean_as(Tag::context(number), true);
                    }
                }
                if let Some(seconds) = seconds_before_unlock {
                    parts.integer_as(Tag::context(4), seconds);
                }
            });
        }
    });
    Control { oid: oid::ACCOUNT_USABILITY.to_owned(), critical: false, value: Some(value) }
}
