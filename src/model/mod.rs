//! The vocabulary of X.500 and LDAP as values: names, filters, entries, times, result codes, LDIF. No I/O, no clock.

mod account_attribute;
mod attribute;
mod change_stamp;
mod dn;
mod entry;
mod failed_logins;
mod filter;
mod grant;
mod id;
pub mod ldif;
mod modification;
mod name;
mod result_code;
mod review;
pub mod schema;
mod search;
mod secret;
mod time;

pub use account_attribute::AccountAttribute;
pub use attribute::{Attribute, Value};
pub use change_stamp::ChangeStamp;
pub use dn::{AttributeTypeAndValue, Dn, DnError, Rdn};
pub use entry::{AttributeView, BuilderAttribute, Entry, EntryBuilder, EntryError, Section, Values};
pub use failed_logins::{FailedLogins, FailingSource};
pub use filter::{Filter, FilterError, MatchingRuleAssertion, Substrings};
pub use grant::{GrantState, GrantWindow};
pub use id::{AttributeTypeId, EntryId};
pub use modification::{Modification, ModificationOperation};
pub use result_code::ResultCode;
pub use review::{CampaignState, CampaignTimes};
pub use search::{DerefAliases, Scope};
pub use secret::Secret;
pub use time::{GeneralizedTimeError, Timestamp};
