//! Logins of an account that failed since the last one that succeeded, and from where.

use super::Timestamp;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FailedLogins {
    /// How many in a row, wherever they came from.
    pub in_a_row: u32,
    /// When the newest of them were (pwdFailureTime), the oldest first; at most [`FailedLogins::MAXIMUM_TIMES`].
    pub times: Vec<Timestamp>,
    /// Where they came from, and may go on though a login from elsewhere succeeded; at most [`FailedLogins::MAXIMUM_SOURCES`].
    pub sources: Vec<FailingSource>,
    /// When they locked the account.
    pub locked: Option<Timestamp>,
    /// Until when no login is looked at, wherever it comes from (pwdAccountTmpLockoutEnd).
    pub pause_end: Option<Timestamp>,
}

/// One place that logins failed from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FailingSource {
    /// An address as limits count it (IPv6: its first 64 bits), or a local user.
    pub name: String,
    /// When the newest were, the oldest first; at most [`FailedLogins::MAXIMUM_TIMES_OF_SOURCE`].
    pub times: Vec<Timestamp>,
}

impl FailedLogins {
    /// Most times that are kept: no account takes more failures in a row (NIST SP 800-63B-4 section 3.2.2).
    pub const MAXIMUM_TIMES: usize = 100;
    /// Most sources that are kept; beyond that the one that failed longest ago is forgotten. All together, times their own number, are more
    /// than what locks the account.
    pub const MAXIMUM_SOURCES: usize = 20;
    /// Most times kept of one source: as many make it wait.
    pub const MAXIMUM_TIMES_OF_SOURCE: usize = 10;

    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        *self == FailedLogins::default()
    }
}
