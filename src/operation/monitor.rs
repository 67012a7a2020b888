//! `cn=monitor`: how the server is, made when it is read, for administrators.

use std::sync::Arc;

use super::access::{Access, Audited};
use super::context::is_administrator;
use super::root_dse::SpecialEntry;
use super::{Context, LiveSession};
use crate::directory::{Directory, Lookup, Node};
use crate::model::Dn;

/// The entry's name.
pub const MONITOR: &str = "cn=monitor";

/// How well the server does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum HealthLevel {
    /// All is well.
    Green,
    /// Nothing is refused, but somebody must look after it.
    Yellow,
    /// Binds and changes are answered with 52.
    Red,
}

impl HealthLevel {
    /// As it is written in the entry.
    pub fn name(self) -> &'static str {
        match self {
            HealthLevel::Green => "green",
            HealthLevel::Yellow => "yellow",
            HealthLevel::Red => "red",
        }
    }
}

/// What the entry says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MonitorReport {
    /// The gravest of all problems.
    pub health: HealthLevel,
    /// What is wrong, and what to do.
    pub problems: Vec<String>,
    /// Further attributes of the schema and their values.
    pub values: Vec<(&'static str, String)>,
}

/// Whoever knows how the server is.
pub trait Monitored: Send + Sync {
    /// How it is now; quick, and waits for nothing.
    fn report(&self) -> MonitorReport;
    /// Who is logged in, in order of numbers.
    fn sessions(&self) -> Vec<Arc<LiveSession>>;
    /// The session with this number.
    fn session(&self, number: u64) -> Option<Arc<LiveSession>>;
    /// A jump ahead of the clock that is not believed yet, in microseconds.
    fn clock_jump(&self) -> Option<i64>;
}

/// A way to ask; none where no server runs.
#[derive(Clone, Default)]
pub struct Monitor(Option<Arc<dyn Monitored>>);

impl Monitor {
    /// Of a server.
    pub fn new(monitored: Arc<dyn Monitored>) -> Monitor {
        Monitor(Some(monitored))
    }

    /// Whom to ask.
    pub(crate) fn monitored(&self) -> Option<&dyn Monitored> {
        self.0.as_deref()
    }

    /// Whether there is a server to ask.
    pub(crate) fn is_there(&self) -> bool {
        self.0.is_some()
    }
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_there() { "Monitor" } else { "no Monitor" })
    }
}

/// Whether a name is this entry's.
pub(crate) fn is_monitor(directory: &Directory, dn: &Dn) -> bool {
    dn.rdns.len() == 1
        && Dn::parse(MONITOR.as_bytes()).is_ok_and(|monitor| directory.schema().dn_key(&monitor) == directory.schema().dn_key(dn))
}

/// Whether the monitor may be read: by who may read what is for audits. Local users who could bind as one need not do so first: when the disk is full nobody
/// can bind, and that is when it is asked for.
pub(crate) fn may_read(directory: &Directory, context: &Context) -> bool {
    let is_local_administrator = || {
        let dn = context.peer.ldapi_identity.as_ref().and_then(|name| Dn::parse(name.as_bytes()).ok());
        dn.is_some_and(|dn| matches!(directory.find(&dn), Lookup::Found(id) if is_administrator(directory, id)))
    };
    Access::new(directory, context).reads_audit(Audited::Monitor) || is_local_administrator()
}

/// The entry, for who may read it.
pub(crate) fn monitor(directory: &Directory, context: &Context) -> Option<Node> {
    let monitored = context.settings.monitor.monitored()?;
    if !may_read(directory, context) {
        return None;
    }
    let report = monitored.report();
    let mut entry = SpecialEntry::new(directory.schema());
    entry.set("objectClass", ["top", "binderyMonitor"]);
    entry.set("structuralObjectClass", ["binderyMonitor"]);
    entry.set("cn", ["monitor"]);
    entry.set("entryDN", [MONITOR]);
    entry.set("monitorHealth", [report.health.name()]);
    if !report.problems.is_empty() {
        entry.set("monitorProblem", report.problems);
    }
    for (name, value) in report.values {
        entry.set(name, [value]);
    }
    Some(entry.into_node(MONITOR))
}
