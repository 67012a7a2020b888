//! What only the journal knows: accounts used from many places within minutes, and what changed of policies, rules and roles.

use std::collections::{BTreeMap, VecDeque};

use super::{ReportKind, Table};
use crate::journal::query::{ReadChange, ReadRecord};
use crate::model::Timestamp;

/// So many addresses …
pub(super) const SHARED_PLACES: usize = 5;
/// … within so many microseconds are more than one person.
pub(super) const SHARED_WINDOW: i64 = 10 * 60 * 1_000_000;
/// Logins of one account that are looked at together.
const LOGINS_KEPT: usize = 256;
/// Addresses that a row names.
const NAMED: usize = 12;

/// Looks at logins, in order of time.
#[derive(Default)]
pub struct SharedUse {
    accounts: BTreeMap<String, Used>,
}

#[derive(Default)]
struct Used {
    recent: VecDeque<(i64, String)>,
    worst: Option<Worst>,
}

struct Worst {
    from: i64,
    until: i64,
    addresses: Vec<String>,
}

impl SharedUse {
    /// Takes a record; only logins that were good count.
    pub fn take(&mut self, record: &ReadRecord) {
        let (Some(actor), Some(address)) = (&record.actor, record.peer_address()) else { return };
        if record.kind != "bind" || record.result != 0 {
            return;
        }
        let used = self.accounts.entry(actor.dn.clone()).or_default();
        used.recent.push_back((record.time, address.to_owned()));
        while used.recent.len() > LOGINS_KEPT
            || used.recent.front().is_some_and(|(time, _)| record.time.saturating_sub(*time) > SHARED_WINDOW)
        {
            used.recent.pop_front();
        }
        let mut addresses: Vec<String> = used.recent.iter().map(|(_, address)| address.clone()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let more = used.worst.as_ref().is_none_or(|worst| addresses.len() > worst.addresses.len());
        if addresses.len() >= SHARED_PLACES && more {
            let from = used.recent.front().map_or(record.time, |(time, _)| *time);
            used.worst = Some(Worst { from, until: record.time, addresses });
        }
    }

    /// The accounts that were used from many places, each by its worst minutes.
    pub fn table(self) -> Table {
        let rows = self.accounts.into_iter().filter_map(|(who, used)| {
            let Worst { from, until, addresses } = used.worst?;
            let more = addresses.len().saturating_sub(NAMED);
            let mut named = addresses.iter().take(NAMED).cloned().collect::<Vec<_>>().join(" ");
            if more > 0 {
                named.push_str(&format!(" and {more} more"));
            }
            let times = [from, until].map(|time| Timestamp(time).to_rfc3339());
            let [from, until] = times;
            Some(vec![who, addresses.len().to_string(), from, until, named])
        });
        Table::new(ReportKind::Shared, rows.collect())
    }
}

/// Gathers changes of what decides about people.
pub struct Drift {
    folders: [String; 3],
    rows: Vec<Vec<String>>,
}

impl Drift {
    /// Types of records that may say of such a change.
    pub const KINDS: [&'static str; 10] =
        ["add", "modify", "delete", "modifyDn", "grant", "review", "expire", "configuration", "restore", "import"];

    /// Below this suffix.
    pub fn new(suffix: &str) -> Drift {
        let suffix = suffix.to_lowercase();
        Drift {
            folders: [format!("ou=policies,{suffix}"), format!("ou=roles,{suffix}"), "cn=subschema".to_owned()],
            rows: Vec::new(),
        }
    }

    /// Takes a record. What was refused changed nothing.
    pub fn take(&mut self, record: &ReadRecord) {
        let named = record.target.as_ref().map(|target| target.dn.clone()).unwrap_or_default();
        let decides = record.is_below(&self.folders);
        let of_machine = matches!(record.kind.as_str(), "configuration" | "restore" | "import");
        if record.is_failed() || !(decides || of_machine) {
            return;
        }
        let who = record.assumed.as_ref().or(record.actor.as_ref()).map(|actor| actor.dn.clone());
        let changed = |change: &ReadChange| match &change.dn {
            Some(dn) => format!("{} {} of {dn}", change.op, change.attr),
            None => format!("{} {}", change.op, change.attr),
        };
        let mut attributes: Vec<String> = record.changes.iter().chain(&record.effects).map(changed).collect();
        attributes.dedup();
        let dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        self.rows.push(vec![
            Timestamp(record.time).to_rfc3339(),
            record.sequence.to_string(),
            who.unwrap_or_else(|| "-".to_owned()),
            record.kind.clone(),
            dash(named),
            dash(attributes.join(", ")),
            record.peer_address().unwrap_or("-").to_owned(),
        ]);
    }

    /// All of them, in order of time.
    pub fn table(self) -> Table {
        Table::new(ReportKind::Drift, self.rows)
    }
}
