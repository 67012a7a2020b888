//! A search that is looked at while it goes on: what it returns of audited attributes waits until the record that counts it is durable.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::AuditedRead;
use super::compile::{AuditRules, Reading};
use super::told::{tested, told};
use crate::directory::{Directory, Lookup};
use crate::journal::RecordKind;
use crate::model::{AttributeTypeId, DerefAliases, Dn, Filter, ResultCode, Scope};
use crate::operation::control::Controls;
use crate::operation::{Context, Proposal, ProposedOperation};
use crate::protocol::ber::Reader;
use crate::protocol::{LdapResult, Reply, SearchRequest};

/// Replies that are held for one record, at most …
const MOST_HELD: usize = 256;
/// … and their octets.
const MOST_OCTETS: usize = 64 * 1024;
/// Names of attributes that were asked for which a record has at most.
const MOST_NAMES: usize = 64;
/// What a record says of attributes that entries beside those found have.
const DEREFERENCED: &str = "dereferenced";

/// See the module.
pub(crate) struct SearchAudit {
    context: Box<Context>,
    rules: Arc<AuditRules>,
    /// Places of those that are for this asker and may meet this search.
    applicable: Vec<usize>,
    request: Asked,
    /// Audited attributes that are tested.
    tests: BTreeSet<String>,
    /// A record has said so.
    told_tests: bool,
    /// Whether every search is recorded.
    records_all: bool,
    /// Whether audited attributes of other entries may be read beside those found.
    dereferences: bool,
    counts: Counts,
    held: Vec<Reply>,
    octets: usize,
    /// The end, once it has come.
    end: Option<(Reply, ResultCode)>,
    /// Recorded, and to be sent.
    ready: VecDeque<Reply>,
    /// How many records there are by now.
    parts: u32,
    failed: Option<ResultCode>,
}

/// What of the request every record says.
struct Asked {
    name: bytes::Bytes,
    details: Vec<(&'static str, String)>,
}

/// What was sent since the last record.
#[derive(Default)]
struct Counts {
    entries: u64,
    audited: u64,
    /// How many entries had it.
    attributes: BTreeMap<String, u64>,
    rule: Option<String>,
}

/// What is to be done with a reply.
pub(crate) enum Next {
    /// Send it now.
    Send(Reply),
    /// It is held: go on.
    Held,
    /// Have this recorded first.
    Record(Box<Proposal>),
}

impl SearchAudit {
    /// Of a search of the directory's entries; none where nothing of it can have to be recorded.
    pub(crate) fn begin(
        directory: &Directory,
        context: &Context,
        request: &SearchRequest,
        controls: &Controls,
    ) -> Option<Box<SearchAudit>> {
        let records_all = context.settings.audits_all_reads;
        let rules = directory.compiled::<AuditRules>();
        if !records_all && !rules.meets_searches() {
            return None;
        }
        let applicable = rules.applicable(directory, context, Reading::Search);
        let base = Dn::parse(&request.base).ok().map(|dn| directory.find(&dn));
        let meets = |place: &usize| match base {
            // Where aliases are followed it may end up anywhere.
            Some(Lookup::Found(base)) if request.deref == DerefAliases::Never => {
                rules.rule(*place).is_some_and(|rule| rule.meets(directory, base))
            }
            _ => true,
        };
        let applicable: Vec<usize> = applicable.into_iter().filter(meets).collect();
        let is_audited = |id: AttributeTypeId| {
            (rules.is_flagged(id) || applicable.iter().any(|place| rules.rule(*place).is_some_and(|rule| rule.takes(id))))
                && !directory.schema().attribute_type_by_id(id).secret
        };
        let tests = tests(directory, request, controls, &is_audited);
        let names = |names: &[String]| names.iter().any(|name| asks_for(directory, name, &is_audited));
        let dereferences = controls.dereference.iter().flatten().any(|asked| names(&asked.attributes));
        if !records_all && tests.is_empty() && !dereferences && !returns(directory, request, &is_audited) {
            return None;
        }
        let asked = Asked { name: request.base.clone(), details: details(directory, request, &is_audited) };
        Some(Box::new(SearchAudit {
            context: Box::new(context.clone()),
            rules,
            applicable,
            request: asked,
            tests,
            told_tests: false,
            records_all,
            dereferences,
            counts: Counts::default(),
            held: Vec::new(),
            octets: 0,
            end: None,
            ready: VecDeque::new(),
            parts: 0,
            failed: None,
        }))
    }

    /// What was recorded meanwhile and goes out next.
    pub(crate) fn ready(&mut self) -> Option<Reply> {
        self.ready.pop_front()
    }

    /// The end, if it has come and everything before it is out; 52 and the like where something could not be recorded.
    pub(crate) fn ended(&mut self) -> Option<Result<Reply, LdapResult>> {
        if let Some(code) = self.failed {
            return Some(Err(LdapResult::with(code, "the search could not be recorded")));
        }
        self.end.take().map(|(reply, _)| Ok(reply))
    }

    /// Takes a reply that is not the last one.
    pub(crate) fn take(&mut self, directory: &Directory, reply: Reply) -> Next {
        let is_audited = self.count(directory, &reply);
        if !is_audited && self.held.is_empty() {
            return Next::Send(reply);
        }
        self.octets = self.octets.saturating_add(octets(&reply));
        self.held.push(reply);
        if self.held.len() >= MOST_HELD || self.octets >= MOST_OCTETS {
            return self.record(ResultCode::Success, true);
        }
        Next::Held
    }

    /// Nothing comes for a while: what is held must go, and what was tested be told.
    pub(crate) fn rests(&mut self) -> Option<Next> {
        let is_due = !self.held.is_empty() || (self.parts == 0 && (self.records_all || !self.tests.is_empty()));
        is_due.then(|| self.record(ResultCode::Success, true))
    }

    /// Takes the last reply.
    pub(crate) fn end(&mut self, reply: Reply) -> Next {
        let code = match &reply {
            Reply::Result { result, .. } => result.code,
            _ => ResultCode::Success,
        };
        let is_tested = !self.tests.is_empty() && !self.told_tests;
        if self.held.is_empty() && !is_tested && !self.records_all {
            return Next::Send(reply);
        }
        self.end = Some((reply, code));
        self.record(code, false)
    }

    /// The record is durable, or cannot be written.
    pub(crate) fn recorded(&mut self, recorded: Result<(), ResultCode>) {
        match recorded {
            Ok(()) => self.ready.extend(std::mem::take(&mut self.held)),
            Err(code) => {
                self.held.clear();
                self.failed = Some(code);
            }
        }
        self.octets = 0;
    }

    /// Counts an entry. Whether it has audited attributes.
    fn count(&mut self, directory: &Directory, reply: &Reply) -> bool {
        let Reply::Entry { name, attributes, controls } = reply else { return false };
        self.counts.entries = self.counts.entries.saturating_add(1);
        let mut id = None;
        let mut found = BTreeSet::new();
        let mut reader = Reader::new(attributes);
        while !reader.is_empty() {
            let Ok(description) = reader.sequence().and_then(|mut part| part.octet_string()) else { break };
            let description = String::from_utf8_lossy(description);
            // A range is no option of the schema's.
            let base = description.split(';').next().unwrap_or_default();
            let described = directory.schema().describe(&description).or_else(|_| directory.schema().describe(base));
            let Ok(described) = described else { continue };
            let is_audited = self.rules.is_flagged(described.attribute_type) || {
                let id = *id.get_or_insert_with(|| Dn::parse(name.as_bytes()).ok().map(|dn| directory.find(&dn)));
                self.rule_for(directory, described.attribute_type, id)
            };
            if is_audited {
                found.insert(directory.schema().attribute_type_by_id(described.attribute_type).name().to_owned());
            }
        }
        if self.dereferences && !controls.is_empty() {
            found.insert(DEREFERENCED.to_owned());
        }
        let is_audited = !found.is_empty();
        self.counts.audited = self.counts.audited.saturating_add(u64::from(is_audited));
        for name in found {
            let count = self.counts.attributes.entry(name).or_default();
            *count = count.saturating_add(1);
        }
        is_audited
    }

    /// Whether a rule audits this attribute there; the first one is named. An entry that cannot be found counts as being anywhere.
    fn rule_for(&mut self, directory: &Directory, attribute_type: AttributeTypeId, found: Option<Lookup>) -> bool {
        let is_for = |place: &&usize| {
            self.rules.rule(**place).is_some_and(|rule| {
                rule.takes(attribute_type)
                    && match found {
                        Some(Lookup::Found(id)) => rule.is_about(directory, id),
                        _ => true,
                    }
            })
        };
        let Some(place) = self.applicable.iter().find(is_for) else { return false };
        if self.counts.rule.is_none() {
            self.counts.rule = self.rules.rule(*place).map(|rule| rule.name.clone());
        }
        true
    }

    fn record(&mut self, code: ResultCode, goes_on: bool) -> Next {
        let Counts { entries, audited, attributes, rule } = std::mem::take(&mut self.counts);
        self.parts = self.parts.saturating_add(1);
        let mut details = self.request.details.clone();
        details.push(("entries", entries.to_string()));
        details.push(("auditedEntries", audited.to_string()));
        details.extend(attributes.iter().map(|(name, count)| ("returned", format!("{name} {count}"))));
        details.extend(self.tests.iter().map(|name| ("tested", name.clone())));
        self.told_tests = true;
        if goes_on || self.parts > 1 {
            details.push(("part", self.parts.to_string()));
            details.push(("goesOn", goes_on.to_string()));
        }
        let (kind, name) = (RecordKind::Search, self.request.name.clone());
        let read = AuditedRead { kind, name, code, reply: None, rule, details };
        let operation = ProposedOperation::AuditedRead(Box::new(read));
        Next::Record(Box::new(Proposal { context: (*self.context).clone(), operation }))
    }
}

fn octets(reply: &Reply) -> usize {
    match reply {
        Reply::Entry { name, attributes, .. } => name.len().saturating_add(attributes.len()),
        _ => 0,
    }
}

/// The audited attributes that the search tests: by its filter, and by what it asks for in controls.
fn tests(
    directory: &Directory,
    request: &SearchRequest,
    controls: &Controls,
    is_audited: &dyn Fn(AttributeTypeId) -> bool,
) -> BTreeSet<String> {
    let schema = directory.schema();
    let mut found = BTreeSet::new();
    tested(schema, &request.filter, &mut found);
    controls.assertion.iter().for_each(|filter| tested(schema, filter, &mut found));
    controls.matched_values.iter().flatten().for_each(|filter: &Filter| tested(schema, filter, &mut found));
    let sorted = controls.sort.iter().flat_map(|sort| &sort.keys);
    found.extend(sorted.filter_map(|key| schema.describe(&key.attribute).ok()).map(|it| Some(it.attribute_type)));
    let any = found.contains(&None) && schema.attribute_types().iter().any(|it| is_audited(it.id));
    let named = found.into_iter().flatten().filter(|id| is_audited(*id));
    let named = named.map(|id| schema.attribute_type_by_id(id).name().to_owned());
    named.chain(any.then(|| "any".to_owned())).collect()
}

/// Whether audited attributes are asked for.
fn returns(directory: &Directory, request: &SearchRequest, is_audited: &dyn Fn(AttributeTypeId) -> bool) -> bool {
    let mut names = request.attributes.iter();
    request.attributes.is_empty() || names.any(|name| asks_for(directory, name, is_audited))
}

fn asks_for(directory: &Directory, name: &str, is_audited: &dyn Fn(AttributeTypeId) -> bool) -> bool {
    let schema = directory.schema();
    match name {
        "1.1" => false,
        "*" | "+" => true,
        name if name.starts_with('@') => true,
        name => {
            let described = schema.describe(name.split(';').next().unwrap_or_default()).ok();
            described.is_some_and(|it| schema.with_subtypes(it.attribute_type).iter().any(|id| is_audited(*id)))
        }
    }
}

/// What of the request every record says.
fn details(
    directory: &Directory,
    request: &SearchRequest,
    is_audited: &dyn Fn(AttributeTypeId) -> bool,
) -> Vec<(&'static str, String)> {
    let scope = match request.scope {
        Scope::Base => "base",
        Scope::One => "one",
        Scope::Subtree => "sub",
        Scope::Children => "subord",
    };
    let aliases = match request.deref {
        DerefAliases::Never => "never",
        DerefAliases::InSearching => "searching",
        DerefAliases::FindingBase => "finding",
        DerefAliases::Always => "always",
    };
    let mut details = vec![
        ("scope", scope.to_owned()),
        ("aliases", aliases.to_owned()),
        ("typesOnly", request.types_only.to_string()),
        ("filter", told(directory, &request.filter, is_audited)),
    ];
    let known = request.attributes.iter().filter(|name| {
        let base = name.split(';').next().unwrap_or_default();
        ["*", "+", "1.1"].contains(&base) || base.starts_with('@') || directory.schema().describe(base).is_ok()
    });
    details.extend(known.take(MOST_NAMES).map(|name| ("attribute", name.chars().take(MOST_NAMES).collect())));
    details
}
