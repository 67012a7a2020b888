//! Compares that are recorded, and searches that are refused where everything is.

use super::AuditedRead;
use super::compile::{AuditRules, Reading};
use crate::directory::{Directory, Lookup};
use crate::journal::RecordKind;
use crate::model::{Dn, ResultCode};
use crate::operation::Context;
use crate::operation::compare::CompareRequest;
use crate::protocol::{Reply, SearchRequest};

/// What is recorded of a compare before it is answered with `reply`, if anything is: where it tested an audited attribute, and where all are
/// recorded.
pub fn compared(directory: &Directory, context: &Context, request: &CompareRequest, reply: &Reply) -> Option<AuditedRead> {
    let Reply::Result { result, .. } = reply else { return None };
    let is_tested = matches!(result.code, ResultCode::CompareTrue | ResultCode::CompareFalse | ResultCode::NoSuchAttribute);
    let rule = if is_tested { audited(directory, context, request) } else { None };
    if rule.is_none() && !context.settings.audits_all_reads {
        return None;
    }
    let described = directory.schema().describe(&request.attribute).ok();
    let attribute = described.map_or_else(|| "an unknown attribute".to_owned(), |it| it.spelled);
    let mut details = vec![("attribute", attribute.clone())];
    if rule.is_some() {
        details.push(("tested", attribute));
    }
    Some(AuditedRead {
        kind: RecordKind::Compare,
        name: request.name.clone(),
        code: result.code,
        reply: Some(reply.clone()),
        rule: rule.flatten(),
        details,
    })
}

/// Whether it is audited, and by which rule.
fn audited(directory: &Directory, context: &Context, request: &CompareRequest) -> Option<Option<String>> {
    let rules = directory.compiled::<AuditRules>();
    let described = directory.schema().describe_for_assertion(&request.attribute).ok()?;
    let found = Dn::parse(&request.name).ok().map(|dn| directory.find(&dn));
    let types = directory.schema().with_subtypes(described.attribute_type);
    for place in rules.applicable(directory, context, Reading::Compare) {
        let Some(rule) = rules.rule(place) else { continue };
        let is_there = match found {
            Some(Lookup::Found(id)) => rule.is_about(directory, id),
            _ => false,
        };
        if is_there && types.iter().any(|id| rule.takes(*id)) {
            return Some(Some(rule.name.clone()));
        }
    }
    types.iter().any(|id| rules.is_flagged(*id)).then_some(None)
}

/// What is recorded of a search that is answered at once with `reply`, if anything is: where all are recorded.
pub fn refused_search(context: &Context, request: &SearchRequest, reply: &Reply) -> Option<AuditedRead> {
    let Reply::Result { result, .. } = reply else { return None };
    context.settings.audits_all_reads.then(|| AuditedRead {
        kind: RecordKind::Search,
        name: request.base.clone(),
        code: result.code,
        reply: Some(reply.clone()),
        rule: None,
        details: Vec::new(),
    })
}
