//! What the project set itself, workload by workload.

/// A server in the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// Debian's slapd with nothing but the data.
    Slapd,
    /// The same with password policy, memberOf and a durable log of binds and writes.
    Audited,
    Bindery,
    /// No server: what the machine can do.
    Machine,
}

impl Server {
    /// As `--server` spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Server::Slapd => "slapd",
            Server::Audited => "audited",
            Server::Bindery => "bindery",
            Server::Machine => "machine",
        }
    }

    /// In the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Server::Slapd => "slapd",
            Server::Audited => "audited slapd",
            Server::Bindery => "Bindery",
            Server::Machine => "the machine",
        }
    }
}

/// What is to be reached, and what is aimed at. Zero: no goal, the figure is shown.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// Operations a second: so many times the other's.
    Rate(Server, f64, f64),
    /// Microseconds of the server's CPU time for an operation, at most, on a machine where plain slapd takes [`SLAPD_SEARCH`] for a search over TCP.
    Cpu(f64, f64),
    /// CPU time for an operation: that part of plain slapd's, at most.
    CpuShare(f64, f64),
    /// Operations a second: that part of what the machine's cores can hash, at least.
    OfLimit(f64, f64),
    /// p99 with wrong passwords coming in: so many times p99 without, at the same pace, at most.
    Slowdown(f64, f64),
    /// A figure of its own, at most.
    Most(&'static str, f64, f64),
}

/// One row of the table.
pub(crate) struct Row {
    pub(crate) title: &'static str,
    pub(crate) workload: &'static str,
    pub(crate) transport: &'static str,
    pub(crate) connections: u32,
    pub(crate) storm: u32,
    /// Operations a second that were asked for; 0: as many as there can be.
    pub(crate) pace: u32,
    pub(crate) goals: &'static [Goal],
}

/// Microseconds of CPU time that a uid search took plain slapd where the goals were set: machines differ, and so does one from hour to hour.
pub(crate) const SLAPD_SEARCH: f64 = 29.5;

use Goal::{Cpu, CpuShare, Most, OfLimit, Rate, Slowdown};
use Server::{Audited, Slapd};

const SEARCH: &[Goal] = &[Cpu(12.0, 8.0), Rate(Slapd, 1.6, 2.2)];
const HALF: &[Goal] = &[CpuShare(1.0 / 2.0, 1.0 / 3.0)];
const SCAN: &[Goal] = &[Rate(Slapd, 4.0, 8.0)];
const NONE: &[Goal] = &[Rate(Slapd, 0.0, 0.0)];

const fn row(title: &'static str, workload: &'static str, connections: u32, goals: &'static [Goal]) -> Row {
    Row { title, workload, transport: "tcp", connections, storm: 0, pace: 0, goals }
}

const fn tls(title: &'static str, workload: &'static str, connections: u32, goals: &'static [Goal]) -> Row {
    Row { transport: "tls", ..row(title, workload, connections, goals) }
}

/// In the order of the table. Rows that were not measured are left out of it.
pub(crate) const ROWS: &[Row] = &[
    row("uid search", "search", 8, SEARCH),
    row("uid search", "search", 64, SEARCH),
    tls("uid search, TLS", "search", 8, SEARCH),
    tls("uid search, TLS", "search", 64, SEARCH),
    row("and-filter", "and", 8, HALF),
    row("member search", "membersearch", 8, HALF),
    row("compare", "compare", 8, HALF),
    row("substring", "substring", 8, &[Rate(Slapd, 5.0, 10.0)]),
    row("substring of digits", "substringdigits", 8, &[Rate(Slapd, 5.0, 10.0)]),
    row("scan of 1,000 entries", "scan", 8, SCAN),
    row("the same in pages of 100", "scanpaged", 8, SCAN),
    row("durable modify", "modify", 8, &[Rate(Audited, 6.0, 10.0)]),
    row("durable modify", "modify", 64, &[Rate(Audited, 15.0, 30.0)]),
    row("durable add and delete", "adddelete", 64, &[Rate(Audited, 20.0, 50.0)]),
    row("member into and out of a group of 10,000", "joinsmall", 8, &[Rate(Audited, 100.0, 400.0)]),
    row("right bind, accounts seen before", "bind", 64, &[Rate(Audited, 8.0, 20.0), Rate(Slapd, 0.0, 0.0)]),
    row("wrong bind", "bindwrong", 64, &[OfLimit(0.9, 0.95)]),
    row("right bind, always cold; slapd {ARGON2}", "bindcold", 64, &[Rate(Slapd, 1.5, 1.7)]),
    Row { pace: 2000, ..row("2,000 uid searches a second", "search", 8, NONE) },
    Row {
        storm: 64,
        pace: 2000,
        ..row("the same while 64 connections send wrong passwords", "search", 8, &[Slowdown(5.0, 2.0)])
    },
    tls("TLS login", "login", 64, &[Rate(Audited, 2.0, 3.0), Rate(Slapd, 0.0, 1.5)]),
    row("import of the people", "import", 0, &[Rate(Slapd, 1.0, 2.0)]),
    row("start", "start", 0, &[Most("s", 3.0, 1.0)]),
    row("memory an entry", "memory", 0, &[Most("KB", 3.0, 2.0)]),
    row("compare of a member, group of 100,000", "comparemember", 8, NONE),
    row("member into and out of a group of 100,000", "joinlarge", 64, NONE),
    row("a group of 100,000 read whole", "readgroup", 1, NONE),
    row("everybody's superior renamed", "rename", 1, NONE),
];
