//! Questions about records: what is asked for, whether a record is an answer, and the terms by which an index finds those that may be.
//!
//! A term is a hash of a fact (this type, this person as the actor, …). An index lists for each term where it occurs; what it finds is
//! read and judged by [`Query::matches`], so a term that stands for two facts costs time and nothing else.

mod name;
mod read;
mod show;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use ipnet::IpNet;

pub use name::standard_type;
use name::{keys_of, plain_name};
pub use read::{ReadChange, ReadName, ReadRecord, ReadShortened, ReadTexts, ReadTls, ReadUnknownName, ReadValue};
pub use show::{COLUMNS, CSV_COLUMNS};

use super::Leaf;
use crate::model::Timestamp;

/// What is asked for: records for which all of this is so.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Query {
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before this.
    pub until: Option<Timestamp>,
    /// Who did it: a DN, an entryUUID, or the value that names the entry (`jdoe` of `uid=jdoe,ou=people,…`); empty: nobody (anonymous).
    pub actor: Option<String>,
    /// What it was done to, in the same ways; what changed there in consequence of something else counts.
    pub target: Option<String>,
    /// Either of both.
    pub about: Option<String>,
    /// One of these types; none: any.
    pub kinds: Vec<String>,
    /// Its result.
    pub result: Option<WantedResult>,
    /// Why it was refused, as the record says.
    pub reason: Option<String>,
    /// Where it came from.
    pub peer: Option<WantedPeer>,
}

/// Which results are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WantedResult {
    /// Whatever was refused or failed.
    Failed,
    /// Whatever was not.
    Done,
    /// This code.
    Code(u32),
}

/// Which peers are asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WantedPeer {
    /// Of this network.
    Network(IpNet),
    /// As the record says, without the port: `ldapi uid=0`.
    Text(String),
}

impl WantedPeer {
    /// An address, a network (CIDR), or a local peer as records spell it.
    pub fn parse(text: &str) -> WantedPeer {
        if let Ok(address) = text.parse::<IpAddr>() {
            return WantedPeer::Network(IpNet::from(address));
        }
        text.parse().map_or_else(|_| WantedPeer::Text(text.to_owned()), WantedPeer::Network)
    }

    fn matches(&self, address: &str) -> bool {
        match self {
            WantedPeer::Network(network) => address.parse::<IpAddr>().is_ok_and(|address| network.contains(&address)),
            WantedPeer::Text(text) => address.eq_ignore_ascii_case(text),
        }
    }
}

/// A question, and how much of the answer is wanted.
#[derive(Clone, Debug)]
pub struct LookupRequest {
    /// What is asked for.
    pub query: Query,
    /// Newest first.
    pub backwards: bool,
    /// Goes on behind (backwards: before) this sequence; none: begins.
    pub from: Option<u64>,
    /// Stops when so many were found.
    pub most_found: usize,
    /// Stops when so many were read.
    pub most_read: u64,
}

/// A record found.
#[derive(Clone, PartialEq, Debug)]
pub struct FoundRecord {
    /// The record.
    pub record: ReadRecord,
    /// Its line.
    pub line: String,
}

impl FoundRecord {
    /// The leaf of the whole record's line.
    pub fn leaf(&self) -> Leaf {
        let of_whole = self.record.shortened.as_ref().and_then(|whole| Leaf::from_hex(&whole.leaf));
        of_whole.unwrap_or_else(|| Leaf::of_line(&self.line))
    }
}

/// A hash of a fact.
pub type Term = u64;

/// What a term is about.
#[derive(Clone, Copy)]
enum Fact {
    Kind = 1,
    Result = 2,
    Failed = 3,
    Reason = 4,
    Peer = 5,
    Actor = 6,
    Target = 7,
    Unread = 8,
    Gap = 9,
}

/// What every group has that does not open: whether an answer is in it nobody can say.
pub fn unread_term() -> Term {
    term(Fact::Unread, "")
}

/// What every group has before which records are missing; of a segment's end the group that would be next.
pub fn gap_term() -> Term {
    term(Fact::Gap, "")
}

fn term(fact: Fact, text: &str) -> Term {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[fact as u8]).update(text.as_bytes());
    let [a, b, c, d, e, f, g, h, ..] = *hasher.finalize().as_bytes();
    Term::from_le_bytes([a, b, c, d, e, f, g, h])
}

fn actor_keys(record: &ReadRecord) -> Vec<String> {
    let named = record.actor.iter().chain(&record.assumed);
    let mut keys: Vec<String> = named.flat_map(|name| keys_of(&name.dn, name.uuid.as_deref())).collect();
    if record.actor.is_none() {
        keys.push(String::new());
    }
    keys
}

fn target_keys(record: &ReadRecord) -> Vec<String> {
    let target = record.target.iter().map(|name| (name.dn.as_str(), name.uuid.as_deref()));
    let effects = record.effects.iter().filter_map(|effect| Some((effect.dn.as_deref()?, effect.uuid.as_deref())));
    target.chain(effects).flat_map(|(dn, uuid)| keys_of(dn, uuid)).collect()
}

/// The terms of a record, without repetitions.
pub fn terms_of(record: &ReadRecord) -> Vec<Term> {
    let mut terms = vec![term(Fact::Kind, &record.kind.to_lowercase()), term(Fact::Result, &record.result.to_string())];
    if record.is_failed() {
        terms.push(term(Fact::Failed, ""));
    }
    terms.extend(record.reason.iter().map(|reason| term(Fact::Reason, &reason.to_lowercase())));
    terms.extend(record.peer_address().map(|address| term(Fact::Peer, &address.to_lowercase())));
    terms.extend(actor_keys(record).iter().map(|key| term(Fact::Actor, key)));
    terms.extend(target_keys(record).iter().map(|key| term(Fact::Target, key)));
    terms.sort_unstable();
    terms.dedup();
    terms
}

impl Query {
    /// Whether a record is an answer.
    pub fn matches(&self, record: &ReadRecord) -> bool {
        self.since.is_none_or(|since| record.time >= since.0)
            && self.until.is_none_or(|until| record.time < until.0)
            && (self.kinds.is_empty() || self.kinds.iter().any(|kind| kind.eq_ignore_ascii_case(&record.kind)))
            && self.result.is_none_or(|wanted| match wanted {
                WantedResult::Failed => record.is_failed(),
                WantedResult::Done => !record.is_failed(),
                WantedResult::Code(code) => record.result == code,
            })
            && self
                .reason
                .as_ref()
                .is_none_or(|wanted| record.reason.as_ref().is_some_and(|reason| reason.to_lowercase() == wanted.to_lowercase()))
            && self.peer.as_ref().is_none_or(|wanted| record.peer_address().is_some_and(|address| wanted.matches(address)))
            && self.actor.as_ref().is_none_or(|actor| actor_keys(record).contains(&plain_name(actor)))
            && self.target.as_ref().is_none_or(|target| target_keys(record).contains(&plain_name(target)))
            && self.about.as_ref().is_none_or(|about| {
                let key = plain_name(about);
                actor_keys(record).contains(&key) || target_keys(record).contains(&key)
            })
    }

    /// What every answer has: of each list at least one term.
    pub fn terms(&self) -> Vec<Vec<Term>> {
        let mut wanted = Vec::new();
        if !self.kinds.is_empty() {
            wanted.push(self.kinds.iter().map(|kind| term(Fact::Kind, &kind.to_lowercase())).collect());
        }
        match self.result {
            Some(WantedResult::Failed) => wanted.push(vec![term(Fact::Failed, "")]),
            Some(WantedResult::Code(code)) => wanted.push(vec![term(Fact::Result, &code.to_string())]),
            Some(WantedResult::Done) | None => {}
        }
        wanted.extend(self.reason.iter().map(|reason| vec![term(Fact::Reason, &reason.to_lowercase())]));
        match &self.peer {
            // A network is more than an index could list.
            Some(WantedPeer::Network(network)) if network.prefix_len() == network.max_prefix_len() => {
                wanted.push(vec![term(Fact::Peer, &network.addr().to_string())]);
            }
            Some(WantedPeer::Text(text)) => wanted.push(vec![term(Fact::Peer, &text.to_lowercase())]),
            Some(WantedPeer::Network(_)) | None => {}
        }
        wanted.extend(self.actor.iter().map(|actor| vec![term(Fact::Actor, &plain_name(actor))]));
        wanted.extend(self.target.iter().map(|target| vec![term(Fact::Target, &plain_name(target))]));
        wanted.extend(self.about.iter().map(|about| {
            let key = plain_name(about);
            vec![term(Fact::Actor, &key), term(Fact::Target, &key)]
        }));
        wanted
    }
}
