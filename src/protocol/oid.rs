//! Object identifiers of controls, extended operations and features.

/// Notice of Disconnection (RFC 4511 section 4.4.1).
pub const NOTICE_OF_DISCONNECTION: &str = "1.3.6.1.4.1.1466.20036";
/// StartTLS (RFC 4511 section 4.14).
pub const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
/// Who am I? (RFC 4532)
pub const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
/// Password Modify (RFC 3062)
pub const PASSWORD_MODIFY: &str = "1.3.6.1.4.1.4203.1.11.1";
/// Simple paged results (RFC 2696)
pub const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
/// Server-side sorting (RFC 2891): request
pub const SORT: &str = "1.2.840.113556.1.4.473";
/// Server-side sorting (RFC 2891): response
pub const SORT_RESPONSE: &str = "1.2.840.113556.1.4.474";
/// Virtual list view (draft-ietf-ldapext-ldapv3-vlv-09): request
pub const VIEW: &str = "2.16.840.1.113730.3.4.9";
/// Virtual list view (draft-ietf-ldapext-ldapv3-vlv-09): response
pub const VIEW_RESPONSE: &str = "2.16.840.1.113730.3.4.10";
/// Matched values (RFC 3876)
pub const MATCHED_VALUES: &str = "1.2.826.0.1.3344810.2.3";
/// Dereference (draft-masarati-ldap-deref)
pub const DEREFERENCE: &str = "1.3.6.1.4.1.4203.666.5.16";
/// Account usability (Sun)
pub const ACCOUNT_USABILITY: &str = "1.3.6.1.4.1.42.2.27.9.5.8";
/// Get Effective Rights (Sun)
pub const EFFECTIVE_RIGHTS: &str = "1.3.6.1.4.1.42.2.27.9.5.2";
/// Subentries (RFC 3672)
pub const SUBENTRIES: &str = "1.3.6.1.4.1.4203.1.10.1";
/// Don't use copy (RFC 6171)
pub const DO_NOT_USE_COPY: &str = "1.3.6.1.1.22";
/// ManageDsaIT (RFC 3296)
pub const MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2";
/// Pre-read (RFC 4527)
pub const PRE_READ: &str = "1.3.6.1.1.13.1";
/// Post-read (RFC 4527)
pub const POST_READ: &str = "1.3.6.1.1.13.2";
/// Assertion (RFC 4528)
pub const ASSERTION: &str = "1.3.6.1.1.12";
/// Tree delete (draft-armijo-ldap-treedelete)
pub const TREE_DELETE: &str = "1.2.840.113556.1.4.805";
/// Permissive modify
pub const PERMISSIVE_MODIFY: &str = "1.2.840.113556.1.4.1413";
/// No-op (draft-zeilenga-ldap-noop)
pub const NO_OP: &str = "1.3.6.1.4.1.4203.666.5.2";
/// Relax rules (draft-zeilenga-ldap-relax)
pub const RELAX_RULES: &str = "1.3.6.1.4.1.4203.666.5.12";
/// Session tracking (draft-wahl-ldap-session)
pub const SESSION_TRACKING: &str = "1.3.6.1.4.1.21008.108.63.1";
/// Proxied authorization (RFC 4370)
pub const PROXIED_AUTHORIZATION: &str = "2.16.840.1.113730.3.4.18";
/// Authorization identity request (RFC 3829)
pub const AUTHORIZATION_IDENTITY_REQUEST: &str = "2.16.840.1.113730.3.4.16";
/// Authorization identity response (RFC 3829)
pub const AUTHORIZATION_IDENTITY_RESPONSE: &str = "2.16.840.1.113730.3.4.15";
/// Cancel (RFC 3909)
pub const CANCEL: &str = "1.3.6.1.1.8";
/// Refresh of a dynamic entry (RFC 2589)
pub const REFRESH: &str = "1.3.6.1.4.1.1466.101.119.1";
/// Start of a transaction (RFC 5805)
pub const START_TRANSACTION: &str = "1.3.6.1.1.21.1";
/// Transaction specification (RFC 5805)
pub const TRANSACTION_SPECIFICATION: &str = "1.3.6.1.1.21.2";
/// End of a transaction (RFC 5805)
pub const END_TRANSACTION: &str = "1.3.6.1.1.21.3";
/// Aborted transaction notice (RFC 5805)
pub const ABORTED_TRANSACTION: &str = "1.3.6.1.1.21.4";
/// Sync Request (RFC 4533)
pub const SYNC_REQUEST: &str = "1.3.6.1.4.1.4203.1.9.1.1";
/// Sync State (RFC 4533)
pub const SYNC_STATE: &str = "1.3.6.1.4.1.4203.1.9.1.2";
/// Sync Done (RFC 4533)
pub const SYNC_DONE: &str = "1.3.6.1.4.1.4203.1.9.1.3";
/// Sync Info (RFC 4533)
pub const SYNC_INFO: &str = "1.3.6.1.4.1.4203.1.9.1.4";
/// Persistent search (draft-ietf-ldapext-psearch)
pub const PERSISTENT_SEARCH: &str = "2.16.840.1.113730.3.4.3";
/// Entry change notice (draft-ietf-ldapext-psearch)
pub const ENTRY_CHANGE_NOTICE: &str = "2.16.840.1.113730.3.4.7";
/// Backup: takes a snapshot and names it. Of our own, see schema/README.md.
pub const BACKUP: &str = "2.25.324025825757959154607929932436791156374.3.1";
/// Key rotation: begins one. Of our own, see schema/README.md.
pub const KEY_ROTATION: &str = "2.25.324025825757959154607929932436791156374.3.2";
/// Account report: how an account stands. Of our own, see schema/README.md.
pub const ACCOUNT_REPORT: &str = "2.25.324025825757959154607929932436791156374.3.3";
/// Policy test: what would be decided about logins that nobody tries. Of our own, see schema/README.md.
pub const POLICY_TEST: &str = "2.25.324025825757959154607929932436791156374.3.4";
/// Explain: whether somebody has a right, and by which rules. Of our own, see schema/README.md.
pub const EXPLAIN: &str = "2.25.324025825757959154607929932436791156374.3.30";
/// Journal read: records that the journal is about to be read. Of our own, see schema/README.md.
pub const JOURNAL_READ: &str = "2.25.324025825757959154607929932436791156374.3.5";
/// Format of a session identifier (session tracking) that names a file and a line of it. Of our own, see schema/README.md.
pub const RECONCILED_FILE: &str = "2.25.324025825757959154607929932436791156374.4.1";
/// Clock confirmation: a jump of the clock is right. Of our own, see schema/README.md.
pub const CLOCK_CONFIRMATION: &str = "2.25.324025825757959154607929932436791156374.3.7";
/// Enrolment of one-time codes by the person
pub const OTP_ENROLMENT: &str = "2.25.324025825757959154607929932436791156374.3.21";
/// Passwords of applications: given, listed, taken away
pub const APP_PASSWORD: &str = "2.25.324025825757959154607929932436791156374.3.20";
/// Password policy (draft-behera-ldap-password-policy)
pub const PASSWORD_POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";
/// Modify-Increment feature (RFC 4525)
pub const MODIFY_INCREMENT: &str = "1.3.6.1.1.14";
/// All operational attributes (RFC 3673)
pub const ALL_OPERATIONAL: &str = "1.3.6.1.4.1.4203.1.5.1";
/// Requesting attributes by object class (RFC 4529)
pub const OBJECT_CLASS_ATTRIBUTES: &str = "1.3.6.1.4.1.4203.1.5.2";
/// Absolute true and false filters (RFC 4526)
pub const TRUE_FALSE_FILTERS: &str = "1.3.6.1.4.1.4203.1.5.3";
/// Language tag options (RFC 3866)
pub const LANGUAGE_TAGS: &str = "1.3.6.1.4.1.4203.1.5.4";
/// Language range options (RFC 3866)
pub const LANGUAGE_RANGES: &str = "1.3.6.1.4.1.4203.1.5.5";
