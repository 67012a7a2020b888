//! `[limits]`: what one client, one address, one account and all together may have.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;
use toml::Spanned;

use super::error::{ConfigurationError, Source};
use super::raw::{RawLimits, RawNetworkLimits};
use super::values::{narrow, number, wide};
use crate::model::Filter;
use crate::operation::Limits;
use crate::policy::share::{AddressLimits, CrowdLimits, NetworkLimits, Share};

/// Octets of the largest request that can be allowed.
const MAX_REQUEST: i64 = 256 * 1024 * 1024;
/// Octets of the smallest limit of a request that ordinary clients get along with.
const MIN_REQUEST: i64 = 4096;
/// Seconds of the longest wait.
const MAX_SECONDS: i64 = 3600;
/// Seconds of the longest life of a session.
const MAX_LIFETIME: i64 = 30 * 86_400;
/// Most of anything that is counted.
const MAX_COUNT: i64 = 1_000_000;
/// Octets of the most memory that can be allowed for one purpose.
const MAX_MEMORY: i64 = 64 * 1024 * 1024 * 1024;
/// Which part of memory and of the queue one account or one address without an account may have.
const PART_OF_ONE: usize = 4;

/// Limits of connections; defaults are BEHAVIOUR.md's. Those of operations are in [`Limits`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectionSettings {
    /// Open at once, overall and as one account.
    pub crowd: CrowdLimits,
    /// What one address may have.
    pub addresses: NetworkLimits,
    /// To finish a TLS handshake.
    pub handshake: Duration,
    /// From being connected to the first whole request.
    pub first_request: Duration,
    /// From the first octet of a request to the last.
    pub whole_request: Duration,
    /// How long a client may take next to nothing of what waits for it.
    pub write: Duration,
    /// Memory.
    pub memory: Memory,
    /// Operations under way: over all connections, and of one account or one address.
    pub operations: Share,
    /// Candidates that the searches of one account look at in a second; administrators' are not counted.
    pub scanned: u32,
    /// Searches that go on until they are abandoned: over all connections, and of one account.
    pub persistent: Share,
}

/// What may be held in memory for clients, in octets: overall, and for one account or one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// Requests of clients that are not logged in.
    pub unauthenticated: Share,
    /// Requests of clients that are, until they are answered; what sorting and transactions hold counts as well.
    pub requests: Share,
    /// Results that clients have not taken: beyond this each may hold only a small buffer.
    pub results: usize,
}

impl Default for ConnectionSettings {
    fn default() -> ConnectionSettings {
        ConnectionSettings {
            crowd: CrowdLimits::default(),
            addresses: NetworkLimits::default(),
            handshake: Duration::from_secs(10),
            first_request: Duration::from_secs(60),
            whole_request: Duration::from_secs(60),
            write: Duration::from_secs(60),
            memory: Memory {
                unauthenticated: part_of(64 * 1024 * 1024),
                requests: part_of(512 * 1024 * 1024),
                results: 256 * 1024 * 1024,
            },
            operations: Share { overall: 10_000, each: 1_000 },
            scanned: 1_000_000,
            persistent: Share { overall: 10_000, each: 64 },
        }
    }
}

fn part_of(overall: usize) -> Share {
    Share { overall, each: overall / PART_OF_ONE }
}

/// A number of `[limits]`.
struct Reader<'a> {
    source: &'a Source<'a>,
    table: &'a str,
}

impl Reader<'_> {
    fn number<T: TryFrom<i64> + Default>(
        &self,
        key: &str,
        written: &Option<Spanned<i64>>,
        range: (i64, i64),
        default: i64,
    ) -> Result<T, ConfigurationError> {
        number(self.source, &format!("{}.{key}", self.table), written, range, default).map(narrow)
    }

    fn seconds(
        &self,
        key: &str,
        written: &Option<Spanned<i64>>,
        most: i64,
        default: Duration,
    ) -> Result<Duration, ConfigurationError> {
        let default = i64::try_from(default.as_secs()).unwrap_or(most);
        self.number(key, written, (1, most), default).map(Duration::from_secs)
    }
}

/// Limits of operations.
pub(super) fn limits(source: &Source<'_>, written: &RawLimits) -> Result<Limits, ConfigurationError> {
    let (default, reader) = (Limits::default(), Reader { source, table: "limits" });
    let life = (1, MAX_LIFETIME);
    let limits = Limits {
        size: reader.number("size", &written.size, (1, 10_000_000), default.size.into())?,
        time: reader.number("time", &written.time, (1, MAX_SECONDS), default.time.into())?,
        sorted: reader.number("sorted", &written.sorted, (1, MAX_COUNT), wide(default.sorted))?,
        filter_depth: {
            let most = wide(Filter::MAXIMUM_DEPTH);
            reader.number("filter-depth", &written.filter_depth, (5, most), wide(default.filter_depth))?
        },
        controls: reader.number("controls", &written.controls, (1, 100), wide(default.controls))?,
        pending_operations: {
            let written = &written.pending_operations;
            reader.number("pending-operations", written, (1, 1000), wide(default.pending_operations))?
        },
        unauthenticated_request: {
            let (written, default) = (&written.unauthenticated_request, wide(default.unauthenticated_request));
            reader.number("unauthenticated-request", written, (MIN_REQUEST, MAX_REQUEST), default)?
        },
        request: reader.number("request", &written.request, (MIN_REQUEST, MAX_REQUEST), wide(default.request))?,
        idle: reader.number("idle", &written.idle, life, default.idle.into())?,
        idle_administrator: {
            reader.number("idle-administrator", &written.idle_administrator, life, default.idle_administrator.into())?
        },
        person_lifetime: { reader.number("person-lifetime", &written.person_lifetime, life, default.person_lifetime.into())? },
        service_lifetime: {
            reader.number("service-lifetime", &written.service_lifetime, life, default.service_lifetime.into())?
        },
    };
    match &written.unauthenticated_request {
        Some(value) if limits.unauthenticated_request > limits.request => Err(source.error(
            value.span(),
            "limits.unauthenticated-request",
            "is more than limits.request allows after authentication",
            "write a smaller number, or raise limits.request",
        )),
        _ => Ok(Limits { unauthenticated_request: limits.unauthenticated_request.min(limits.request), ..limits }),
    }
}

/// Limits of connections.
pub(super) fn connections(
    source: &Source<'_>,
    written: &RawLimits,
    limits: &Limits,
) -> Result<ConnectionSettings, ConfigurationError> {
    let (default, reader) = (ConnectionSettings::default(), Reader { source, table: "limits" });
    let count = |key: &str, written, default: usize| reader.number::<usize>(key, written, (1, MAX_COUNT), wide(default));
    let overall = count("connections", &written.connections, default.crowd.overall)?;
    let crowd = CrowdLimits {
        overall,
        per_person: count("connections-per-person", &written.connections_per_person, default.crowd.per_person)?,
        per_service: count("connections-per-service", &written.connections_per_service, default.crowd.per_service)?,
    };
    let own = RawNetworkLimits {
        connections_per_address: written.connections_per_address.clone(),
        unauthenticated_per_address: written.unauthenticated_per_address.clone(),
        handshakes_per_second: written.handshakes_per_second.clone(),
        failed_binds_per_second: written.failed_binds_per_second.clone(),
    };
    let others = address_limits(&reader, &own, AddressLimits::default(), overall)?;
    let networks = networks(source, &written.networks, others, overall)?;
    let each = count("operations-per-account", &written.operations_per_account, default.operations.each)?;
    let persistent = count("persistent-per-account", &written.persistent_per_account, default.persistent.each)?;
    Ok(ConnectionSettings {
        crowd,
        addresses: NetworkLimits { others, networks },
        handshake: reader.seconds("handshake", &written.handshake, MAX_SECONDS, default.handshake)?,
        first_request: reader.seconds("first-request", &written.first_request, MAX_SECONDS, default.first_request)?,
        whole_request: reader.seconds("whole-request", &written.whole_request, MAX_SECONDS, default.whole_request)?,
        write: reader.seconds("write", &written.write, MAX_SECONDS, default.write)?,
        memory: memory(source, &reader, written, limits)?,
        operations: Share { overall: count("operations", &written.operations, default.operations.overall)?, each },
        scanned: {
            let (key, written) = ("scanned-per-second", &written.scanned_per_second);
            reader.number(key, written, (1000, 1_000_000_000), default.scanned.into())?
        },
        persistent: Share { each: persistent, ..default.persistent },
    })
}

/// Each must hold the largest request there can be, or that request could never be read.
fn memory(source: &Source<'_>, reader: &Reader<'_>, written: &RawLimits, limits: &Limits) -> Result<Memory, ConfigurationError> {
    let default = ConnectionSettings::default().memory;
    let octets = |key: &str, written, default: usize| {
        reader.number::<usize>(key, written, (64 * 1024, MAX_MEMORY), wide(default)).map(part_of)
    };
    let memory = Memory {
        unauthenticated: octets("unauthenticated-memory", &written.unauthenticated_memory, default.unauthenticated.overall)?,
        requests: octets("request-memory", &written.request_memory, default.requests.overall)?,
        results: octets("result-memory", &written.result_memory, default.results)?.overall,
    };
    for (key, written, share, largest) in [
        ("unauthenticated-memory", &written.unauthenticated_memory, memory.unauthenticated, limits.unauthenticated_request),
        ("request-memory", &written.request_memory, memory.requests, limits.request),
    ] {
        if share.each < largest {
            let problem = format!("is less than {PART_OF_ONE} times the largest request ({largest} octets)");
            let remedy = format!("write {} or more, or a smaller request", largest.saturating_mul(PART_OF_ONE));
            let span = written.as_ref().map_or(0..0, Spanned::span);
            return Err(source.error(span, format!("limits.{key}"), problem, remedy));
        }
    }
    Ok(memory)
}

fn address_limits(
    reader: &Reader<'_>,
    written: &RawNetworkLimits,
    default: AddressLimits,
    overall: usize,
) -> Result<AddressLimits, ConfigurationError> {
    let count = |key: &str, written, default: i64| reader.number(key, written, (1, MAX_COUNT), default);
    let connections = default.connections.min(overall);
    let connections: usize =
        reader.number("connections-per-address", &written.connections_per_address, (1, MAX_COUNT), wide(connections))?;
    let unauthenticated = wide(default.unauthenticated.min(connections));
    Ok(AddressLimits {
        connections,
        unauthenticated: {
            reader.number("unauthenticated-per-address", &written.unauthenticated_per_address, (1, MAX_COUNT), unauthenticated)?
        },
        handshakes: count("handshakes-per-second", &written.handshakes_per_second, default.handshakes.into())?,
        failed_binds: count("failed-binds-per-second", &written.failed_binds_per_second, default.failed_binds.into())?,
    })
}

/// `[limits.networks."10.0.0.0/8"]`: what is not written there is as everywhere else.
fn networks(
    source: &Source<'_>,
    written: &BTreeMap<String, Spanned<RawNetworkLimits>>,
    others: AddressLimits,
    overall: usize,
) -> Result<Vec<(IpNet, AddressLimits)>, ConfigurationError> {
    let each = written.iter().map(|(network, limits)| {
        let table = format!("limits.networks.{network:?}");
        let read = network.parse::<IpNet>().map_err(|_| {
            let remedy = "write a network with its length: [limits.networks.\"10.1.0.0/16\"]";
            source.error(limits.span(), table.as_str(), format!("{network:?} is no network"), remedy)
        })?;
        let limits = address_limits(&Reader { source, table: &table }, limits.get_ref(), others, overall)?;
        Ok((read.trunc(), limits))
    });
    each.collect()
}
