//! What somebody may do with an entry and which rules say so, for `bindery explain`: the very rules that decide about real requests.
//!
//! ```text
//! requestValue:  Question as JSON
//! responseValue: Explanation as JSON
//! ```
//!
//! For who may read the access rules.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::access::{self, Access};
use super::refusal::{Refusal, parse_name};
use super::write::not_permitted;
use super::{Context, account, standing};
use crate::directory::{Directory, Lookup, Node};
use crate::model::{EntryBuilder, EntryId, ResultCode, Secret};
use crate::policy::access::Right;
use crate::protocol::{LdapResult, Reply, ResponseKind};

/// Who stands for nobody.
const ANONYMOUS: &str = "anonymous";

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Question {
    /// A name, a uid, or `anonymous`.
    pub who: String,
    /// As accessRight spells it.
    pub right: String,
    /// The entry's name. For `create`, it need not be there.
    pub target: String,
    /// An attribute's name.
    pub attribute: Option<String>,
    /// The address that who asks comes from; none: loopback.
    pub from: Option<String>,
    /// What was proven; none: a password.
    pub factors: Vec<String>,
}

/// What is answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Explanation {
    /// Yes or no.
    pub allowed: bool,
    /// The rules that decide.
    pub rules: Vec<String>,
    /// What decides beside them.
    pub because: Option<String>,
    /// Who asks, by the entry's name.
    pub who: String,
    /// What it is about, by the entry's name.
    pub target: String,
}

/// A question that has no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct QuestionError(pub String);

/// Answers the extended operation.
pub fn answer(directory: &Directory, context: &Context, value: Option<&Secret>) -> Reply {
    let (result, extended_value) = match asked(directory, context, value) {
        Ok(explanation) => (LdapResult::of(ResultCode::Success), Some(explanation)),
        Err(refusal) => (refusal.result, None),
    };
    Reply::Result {
        kind: ResponseKind::Extended,
        result,
        sasl_credentials: None,
        extended_name: None,
        extended_value,
        controls: Vec::new(),
    }
}

fn asked(directory: &Directory, context: &Context, value: Option<&Secret>) -> Result<Bytes, Refusal> {
    standing::check_restricted(directory, context)?;
    if !Access::published(directory, context).reads_rules(directory) {
        return Err(not_permitted());
    }
    let malformed = || Refusal::new(ResultCode::ProtocolError, "a question is expected");
    let question: Question = serde_json::from_slice(value.ok_or_else(malformed)?.expose()).map_err(|_| malformed())?;
    let explained =
        explain(directory, context, &question).map_err(|error| Refusal::new(ResultCode::UnwillingToPerform, error.0))?;
    let json = serde_json::to_vec(&explained).map_err(|_| Refusal::new(ResultCode::Other, "the answer cannot be written"))?;
    Ok(Bytes::from(json))
}

/// Answers a question.
pub fn explain(directory: &Directory, context: &Context, question: &Question) -> Result<Explanation, QuestionError> {
    let right = right(&question.right)?;
    let attribute = question.attribute.as_ref().map(|name| {
        let described = directory.schema().attribute_type(name);
        described.map(|it| it.id).ok_or_else(|| QuestionError(format!("{name:?} is no attribute")))
    });
    let attribute = attribute.transpose()?;
    let who = who(directory, &question.who)?;
    let from = question.from.as_ref().map_or(Ok(IpAddr::from([127, 0, 0, 1])), |text| text.parse());
    let from = from.map_err(|_| QuestionError("the address is none; write one like 10.1.2.3".to_owned()))?;
    let factors = factors(&question.factors)?;
    let access = Access::of(directory, who, Some(from), &factors, context.now);
    let weighed = if let Some(audited) = access::audited(directory, &question.target) {
        access.weigh_audit(audited, right)
    } else {
        let node = target(directory, &question.target, right)?;
        access.weigh(directory, right, &node, attribute)
    };
    Ok(Explanation {
        allowed: weighed.allowed,
        rules: weighed.rules,
        because: weighed.because.map(str::to_owned),
        who: who.map_or_else(|| ANONYMOUS.to_owned(), |id| directory.dn_text(id)),
        target: question.target.clone(),
    })
}

fn right(name: &str) -> Result<Right, QuestionError> {
    let found = Right::ALL.into_iter().find(|right| right.name().eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let names: Vec<&str> = Right::ALL.into_iter().map(Right::name).collect();
        QuestionError(format!("{name:?} is no right; write one of {}", names.join(", ")))
    })
}

fn who(directory: &Directory, name: &str) -> Result<Option<EntryId>, QuestionError> {
    if name.eq_ignore_ascii_case(ANONYMOUS) {
        return Ok(None);
    }
    let found = account::by_name(directory, name);
    found.map(Some).ok_or_else(|| QuestionError(format!("there is no entry {name:?}; write a name, a uid or {ANONYMOUS}")))
}

/// What a session may have proven; a password where nothing is said.
fn factors(names: &[String]) -> Result<Vec<&'static str>, QuestionError> {
    let known = ["password", "otp", "certificate", "ldapi"];
    if names.is_empty() {
        return Ok(vec!["password"]);
    }
    let found = |name: &String| known.into_iter().find(|known| known.eq_ignore_ascii_case(name));
    let unknown = |name: &String| QuestionError(format!("{name:?} is no factor; write one of {}", known.join(", ")));
    names.iter().map(|name| found(name).ok_or_else(|| unknown(name))).collect()
}

/// The entry; for what comes to a place, one without attributes where there is none yet.
fn target(directory: &Directory, name: &str, right: Right) -> Result<Arc<Node>, QuestionError> {
    let dn = parse_name(directory.schema(), name.as_bytes(), "").map_err(|_| QuestionError(format!("{name:?} is no name")))?;
    if let Lookup::Found(id) = directory.find(&dn)
        && let Some(node) = directory.node(id)
    {
        return Ok(Arc::clone(node));
    }
    let parent = dn.parent().map(|parent| directory.find(&parent));
    match (parent, dn.rdns.first()) {
        (Some(Lookup::Found(parent)), Some(rdn)) if matches!(right, Right::Create | Right::MoveIn) => Ok(Arc::new(Node {
            id: directory.next_entry_id(),
            parent: Some(parent),
            name: rdn.to_string(),
            rdn_key: directory.schema().rdn_key(rdn),
            entry: EntryBuilder::default().build(),
        })),
        _ => Err(QuestionError(format!("there is no entry {name:?}"))),
    }
}
