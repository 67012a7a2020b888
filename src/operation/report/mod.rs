//! Reports that auditors and managers ask for, as tables of one moment's directory. Pure: whoever asks brings the directory, the moment and
//! what the journal says.

mod access;
mod accounts;
mod ends;
mod grants;
mod history;
mod overview;
mod powers;
mod reviews;

pub use history::{Drift, SharedUse};
pub use overview::{Overview, overview};

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use super::managed_account::AccountKind;
use crate::directory::{Directory, Membership, MembershipAttribute, Node};
use crate::model::{EntryId, Timestamp};
use crate::policy::account::{Facts, barriers, password_barrier};
use crate::policy::password::policy::PasswordPolicy;

/// Microseconds of a day.
pub const DAY: i64 = 86_400 * 1_000_000;

/// What can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ReportKind {
    /// Who is in which group, since when, by whose hand, last login, until when.
    Access,
    /// What ends soon.
    Expiring,
    /// Accounts that nobody logged in to for long.
    Dormant,
    /// Accounts that nobody ever logged in to.
    Never,
    /// People without a manager, or whom the personnel department does not know.
    Orphaned,
    /// Accounts used from many places at once.
    Shared,
    /// Who has powers.
    Privileged,
    /// Accounts of applications and of emergencies, and who answers for them.
    Service,
    /// What is allowed against the rules, and until when.
    Waivers,
    /// Memberships under review, and what nobody reviewed in time.
    Reviews,
    /// What changed of that which decides about people.
    Drift,
}

impl ReportKind {
    /// All of them, in the order of a page.
    pub const ALL: [ReportKind; 11] = [
        ReportKind::Access,
        ReportKind::Expiring,
        ReportKind::Dormant,
        ReportKind::Never,
        ReportKind::Orphaned,
        ReportKind::Shared,
        ReportKind::Privileged,
        ReportKind::Service,
        ReportKind::Waivers,
        ReportKind::Reviews,
        ReportKind::Drift,
    ];

    /// As it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            ReportKind::Access => "access",
            ReportKind::Expiring => "expiring",
            ReportKind::Dormant => "dormant",
            ReportKind::Never => "never",
            ReportKind::Orphaned => "orphaned",
            ReportKind::Shared => "shared",
            ReportKind::Privileged => "privileged",
            ReportKind::Service => "service",
            ReportKind::Waivers => "waivers",
            ReportKind::Reviews => "reviews",
            ReportKind::Drift => "drift",
        }
    }

    /// What its rows are.
    pub fn title(self) -> &'static str {
        match self {
            ReportKind::Access => "Who has access to what",
            ReportKind::Expiring => "What ends soon",
            ReportKind::Dormant => "Accounts that nobody used for long",
            ReportKind::Never => "Accounts that nobody ever logged in to",
            ReportKind::Orphaned => "People nobody answers for",
            ReportKind::Shared => "Accounts used from many places",
            ReportKind::Privileged => "Who has powers",
            ReportKind::Service => "Accounts of applications and of emergencies",
            ReportKind::Waivers => "Waivers and exemptions",
            ReportKind::Reviews => "Memberships under review",
            ReportKind::Drift => "Changes of policies, rules and roles",
        }
    }

    /// The columns of its rows.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            ReportKind::Access => &["who", "access", "through", "since", "grantedBy", "lastLogin", "expires"],
            ReportKind::Expiring => &["what", "of", "ends", "by", "answers"],
            ReportKind::Dormant => &["who", "kind", "lastLogin", "from", "days", "state"],
            ReportKind::Never => &["who", "kind", "created", "password", "state"],
            ReportKind::Orphaned => &["who", "reason", "manager", "lastLogin"],
            ReportKind::Shared => &["who", "places", "from", "until", "addresses"],
            ReportKind::Privileged => &["who", "power", "through", "since", "grantedBy", "lastLogin", "secondFactor"],
            ReportKind::Service => &["who", "kind", "owner", "ownerState", "networks", "lastLogin", "state"],
            ReportKind::Waivers => &["what", "state", "ends", "owner", "reason"],
            ReportKind::Reviews => &["campaign", "item", "who", "access", "reviewer", "decision", "due", "state"],
            ReportKind::Drift => &["time", "record", "who", "change", "target", "attributes", "peer"],
        }
    }

    /// Whether a row is something that somebody should look at. The other kinds list what there is.
    pub fn finds(self) -> bool {
        match self {
            ReportKind::Access | ReportKind::Privileged => false,
            ReportKind::Service | ReportKind::Waivers | ReportKind::Reviews => false,
            ReportKind::Expiring | ReportKind::Dormant | ReportKind::Never => true,
            ReportKind::Orphaned | ReportKind::Shared | ReportKind::Drift => true,
        }
    }
}

/// Something that the configuration allows against the rules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaiverFact {
    /// What.
    pub name: String,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// From then on it is off.
    pub until: Timestamp,
    /// Where it holds.
    pub networks: Vec<String>,
}

/// Whom the personnel department knows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HrFile {
    /// The attribute that its people are known by.
    pub attribute: String,
    /// Their values, in lower case.
    pub known: HashSet<String>,
}

/// What a report is made from.
pub struct Reporting<'a> {
    /// As it was at the moment.
    pub directory: &'a Directory,
    /// The moment.
    pub at: Timestamp,
    /// Days after which an account is dormant.
    pub dormant_days: u32,
    /// Days ahead that an end is soon.
    pub soon_days: u32,
    /// Of the configuration; none at past moments.
    pub waivers: Option<&'a [WaiverFact]>,
    /// Whom the personnel department knows.
    pub hr: Option<&'a HrFile>,
    /// Only who is in this group, by whatever way.
    pub group: Option<EntryId>,
    /// Only this account.
    pub person: Option<EntryId>,
}

/// Rows of one kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Table {
    /// Of which kind.
    pub kind: ReportKind,
    /// As many cells as the kind has columns.
    pub rows: Vec<Vec<String>>,
    /// Something that somebody should look at is among them.
    pub found: bool,
}

impl Table {
    /// Rows in order.
    pub fn new(kind: ReportKind, mut rows: Vec<Vec<String>>) -> Table {
        rows.sort_unstable_by(|row, other| in_order(row, other));
        let found = kind.finds() && !rows.is_empty();
        Table { kind, rows, found }
    }
}

/// Cell by cell; numbers by what they count, and before text.
fn in_order(row: &[String], other: &[String]) -> Ordering {
    let of_cells = |(cell, other): (&String, &String)| match (cell.parse::<u64>(), other.parse::<u64>()) {
        (Ok(number), Ok(another)) => number.cmp(&another).then_with(|| cell.cmp(other)),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => cell.cmp(other),
    };
    row.iter().zip(other).map(of_cells).find(|order| order.is_ne()).unwrap_or(row.len().cmp(&other.len()))
}

/// Makes the table of a kind that the directory can answer; none for those that the journal answers ([`SharedUse`], [`Drift`]).
pub fn table(kind: ReportKind, reporting: &Reporting<'_>) -> Option<Table> {
    match kind {
        ReportKind::Access => Some(access::table(reporting)),
        ReportKind::Expiring => Some(ends::expiring(reporting)),
        ReportKind::Dormant => Some(accounts::dormant(reporting)),
        ReportKind::Never => Some(accounts::never(reporting)),
        ReportKind::Orphaned => Some(accounts::orphaned(reporting)),
        ReportKind::Privileged => Some(powers::table(reporting)),
        ReportKind::Service => Some(accounts::service(reporting)),
        ReportKind::Waivers => Some(ends::waivers(reporting)),
        ReportKind::Reviews => Some(reviews::table(reporting)),
        ReportKind::Shared | ReportKind::Drift => None,
    }
}

/// Classes whose entries are accounts.
const CLASSES: [&str; 5] = ["person", "account", "managedAccount", "simpleSecurityObject", "posixAccount"];

/// An account, with what reports say of any.
pub(super) struct Account<'a> {
    pub(super) node: &'a Node,
    pub(super) dn: String,
    pub(super) kind: AccountKind,
    pub(super) facts: Facts,
    policy: Arc<PasswordPolicy>,
}

impl<'a> Account<'a> {
    /// None: the entry is no account.
    pub(super) fn of(directory: &'a Directory, id: EntryId) -> Option<Account<'a>> {
        let node = directory.node(id)?;
        has_class(directory, node, &CLASSES).then(|| Account {
            node,
            dn: directory.dn_text(id),
            kind: AccountKind::of(directory, node),
            facts: super::standing::facts(directory, id),
            policy: super::policies::password_policy(directory, Some(id)),
        })
    }

    /// In order of numbers.
    pub(super) fn all(directory: &'a Directory) -> impl Iterator<Item = Account<'a>> {
        directory.nodes().filter_map(|node| Account::of(directory, node.id))
    }

    /// Somebody said that nobody logs in to it.
    pub(super) fn is_disabled(&self) -> bool {
        self.facts.is_disabled()
    }

    /// An emergency account that was used: somebody must look at what was done with it, and set its password anew.
    pub(super) fn is_used(&self) -> bool {
        self.facts.break_glass && self.facts.used.is_some()
    }

    /// When the account, not its password, ends.
    pub(super) fn end(&self) -> Option<(Timestamp, &'static str)> {
        let Facts { ends, account_expires, principal_expires, shadow_expires, .. } = &self.facts;
        let named = [
            (*ends, "pwdEndTime"),
            (*account_expires, "accountExpires"),
            (*principal_expires, "krbPrincipalExpiration"),
            (*shadow_expires, "shadowExpire"),
        ];
        named.into_iter().filter_map(|(end, attribute)| Some((end?, attribute))).min()
    }

    /// Whether it is good at this moment, in a word.
    pub(super) fn state(&self, at: Timestamp) -> &'static str {
        let ended = self.end().is_some_and(|(end, _)| at >= end);
        // As a login would find it: a lock may be over, or not be one under the policy in force.
        let is_locked = || {
            let of_password = password_barrier(&self.facts, &self.policy, at);
            barriers(&self.facts, &self.policy, at).chain(of_password).any(|barrier| barrier.ground.is_lock())
        };
        if self.is_disabled() {
            "disabled"
        } else if ended {
            "ended"
        } else if is_locked() {
            "locked"
        } else if self.is_used() {
            "used"
        } else {
            "open"
        }
    }

    /// What somebody who left, or never came, does not have to be asked about.
    pub(super) fn is_over(&self, at: Timestamp) -> bool {
        matches!(self.state(at), "disabled" | "ended")
    }

    pub(super) fn kind_name(&self) -> &'static str {
        match self.kind {
            AccountKind::Person => "person",
            AccountKind::Service => "service",
            AccountKind::BreakGlass => "breakglass",
        }
    }
}

/// A moment, or a dash.
pub(super) fn moment(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "-".to_owned(), Timestamp::to_rfc3339)
}

/// The first value of an attribute as text.
pub(super) fn text(directory: &Directory, node: &Node, name: &str) -> Option<String> {
    texts(directory, node, name).into_iter().next()
}

/// All values of an attribute as text, wherever the directory keeps them.
pub(in crate::operation) fn texts(directory: &Directory, node: &Node, name: &str) -> Vec<String> {
    let Some(attribute) = directory.schema().attribute_type(name) else { return Vec::new() };
    let lossy = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    match MembershipAttribute::of_type(attribute) {
        Some(reference) => directory.member_values(node.id, reference).iter().map(|value| lossy(value)).collect(),
        None => node.entry.values(attribute.id).map(lossy).collect(),
    }
}

/// The entries that a reference names, and the names of those that are gone.
pub(super) fn references(directory: &Directory, node: &Node, name: &str) -> Vec<Result<EntryId, String>> {
    let attribute = directory.schema().attribute_type(name);
    let Some(reference) = attribute.and_then(MembershipAttribute::of_type) else {
        let named = texts(directory, node, name).into_iter();
        return named.map(|text| find(directory, &text).ok_or(text)).collect();
    };
    let elements = directory.memberships(node.id, reference);
    let named = elements.map(|membership| match &membership {
        Membership::Entry(_, id) => Ok(*id),
        Membership::Outside { value, .. } => Err(String::from_utf8_lossy(value).into_owned()),
    });
    named.collect()
}

/// The entry of this name.
pub fn find(directory: &Directory, dn: &str) -> Option<EntryId> {
    match directory.find(&crate::model::Dn::parse(dn.as_bytes()).ok()?) {
        crate::directory::Lookup::Found(id) => Some(id),
        _ => None,
    }
}

/// A moment that an attribute holds.
pub(in crate::operation) fn time(directory: &Directory, node: &Node, name: &str) -> Option<Timestamp> {
    Timestamp::from_generalized_time(text(directory, node, name)?.as_bytes()).ok()
}

/// Whether an entry is of one of these classes, or of one below them.
pub(super) fn has_class(directory: &Directory, node: &Node, classes: &[&str]) -> bool {
    let schema = directory.schema();
    let Some(attribute) = schema.attribute_type("objectClass") else { return false };
    let is_wanted = |name: &str| classes.iter().any(|class| name.eq_ignore_ascii_case(class));
    node.entry.values(attribute.id).filter_map(|value| std::str::from_utf8(value).ok()).any(|name| {
        let superiors = schema.class_with_superiors(name).iter();
        is_wanted(name) || superiors.filter_map(|place| schema.object_classes().get(*place)).any(|class| is_wanted(class.name()))
    })
}
