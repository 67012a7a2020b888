//! Passwords of an application of its own, kept in the entry of the person: given, listed and taken away by an extended operation, known at a
//! login.
//!
//! ```text
//! requestValue:  AppPasswordRequest as JSON
//! responseValue: AppPasswordAnswer as JSON
//! ```
//!
//! For administrators, and for people about their own, who need a second factor to make one. The password is told in the one answer and kept
//! nowhere. A change is recorded whatever comes of it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::context::is_administrator;
use super::refusal::Refusal;
use super::write::not_permitted;
use super::{AccountKind, Authority, Context, Decision, account, bind_rules, record, stamp, standing};
use crate::directory::{Change, Directory, Node, RuleKind};
use crate::journal::{Record, RecordKind, RecordedChange, RecordedValue};
use crate::model::{EntryBuilder, EntryId, ModificationOperation, ResultCode, Secret, Timestamp, Value};
use crate::policy::app_password::{self, AppPassword, FACTOR};
use crate::protocol::{LdapResult, Reply, ResponseKind};

/// Operational: name, times and rule of each.
const KNOWN: &str = "appPassword";
/// Secret: name and digest of each.
const DIGEST: &str = "appPasswordDigest";

/// Octets of a request, at most: two names and a time.
const LARGEST_REQUEST: usize = 16 * 1024;

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AppPasswordRequest {
    /// Whose: a uid or a whole name.
    pub account: String,
    /// What to do.
    pub action: AppPasswordAction,
}

/// See [`AppPasswordRequest`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppPasswordAction {
    /// Tell which there are.
    List,
    /// Make one.
    Add {
        /// What it is called.
        name: String,
        /// The bind rule it is bound to: its cn or its whole name.
        rule: String,
        /// Until when it is good (RFC 3339); none: until it is revoked.
        until: Option<String>,
    },
    /// Take one away.
    Revoke {
        /// Which.
        name: String,
    },
}

/// What there is afterwards.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AppPasswordAnswer {
    /// The account's name.
    pub account: String,
    /// A password that was made, told this once.
    pub password: Option<String>,
    /// All of the account.
    pub all: Vec<AppPasswordReport>,
}

/// One of them, as reports tell of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AppPasswordReport {
    /// What it is called.
    pub name: String,
    /// When it was made (RFC 3339).
    pub made: String,
    /// Until when it is good.
    pub until: Option<String>,
    /// The name of its rule; none: the rule is gone, and nobody logs in with it.
    pub rule: Option<String>,
}

/// Reads a request.
pub fn read(value: Option<&Secret>) -> Result<AppPasswordRequest, LdapResult> {
    let value = value.filter(|value| value.len() <= LARGEST_REQUEST);
    let read = value.and_then(|value| serde_json::from_slice(value.expose()).ok());
    read.ok_or_else(|| LdapResult::with(ResultCode::ProtocolError, "a request about passwords of applications is expected"))
}

/// Answers a request that changes nothing; none for one that does, which the committer decides.
pub fn answer(directory: &Directory, context: &Context, request: &AppPasswordRequest) -> Option<Reply> {
    if request.action != AppPasswordAction::List {
        return None;
    }
    let answered = target(directory, context, request).and_then(|node| answer_value(directory, node.id, None));
    Some(match answered {
        Ok(value) => reply(LdapResult::of(ResultCode::Success), Some(value)),
        Err(refusal) => reply(refusal.result, None),
    })
}

/// Decides a request on the newest value. Called by [`super::decide`].
pub(crate) fn finish(head: &Directory, context: &Context, request: &AppPasswordRequest, csn_count: u32) -> Decision {
    let mut record = record::of_context(head, context, RecordKind::AppPassword);
    record.details.push(match &request.action {
        AppPasswordAction::List => ("action", "list".to_owned()),
        AppPasswordAction::Add { .. } => ("action", "add".to_owned()),
        AppPasswordAction::Revoke { .. } => ("action", "revoke".to_owned()),
    });
    let (result, value, changes) = match decide(head, context, request, csn_count, &mut record) {
        Ok((value, changes)) => (LdapResult::of(ResultCode::Success), Some(value), changes),
        Err(refusal) => {
            record.reason = Some(refusal.reason);
            (refusal.result, None, Vec::new())
        }
    };
    record.result = result.code;
    Decision { reply: reply(result, value), changes, record, preceding: Vec::new(), identity: None }
}

fn decide(
    head: &Directory,
    context: &Context,
    request: &AppPasswordRequest,
    csn_count: u32,
    record: &mut Record,
) -> Result<(Bytes, Vec<Change>), Refusal> {
    let node = target(head, context, request)?;
    record.target = record::named(head, node.id);
    let mut entry = node.entry.to_builder();
    let mut password = None;
    match &request.action {
        AppPasswordAction::List => return Ok((answer_value(head, node.id, None)?, Vec::new())),
        AppPasswordAction::Add { name, rule, until } => {
            let made = making(head, context, node, name, rule, until.as_deref())?;
            record.details.extend([("appPassword", made.name.clone()), ("rule", rule_name(head, &made).unwrap_or_default())]);
            password = Some(put(head, context, node, &mut entry, &made, record)?);
        }
        AppPasswordAction::Revoke { name } => {
            record.details.push(("appPassword", name.chars().take(64).collect()));
            remove(head, node, &mut entry, name, record)?;
        }
    }
    stamp::modified(head, context, csn_count, &mut entry);
    let block = entry.build().block().clone();
    let put = Change::PutEntry { id: node.id, parent: node.parent, name: node.name.clone(), block };
    let mut changes = vec![put.clone()];
    let mut after = head.clone();
    after.apply(&put).map_err(|_| Refusal::new(ResultCode::Other, "internal error").because("change cannot be applied"))?;
    let value = answer_value(&after, node.id, password)?;
    stamp::finished(head, context, csn_count, &mut changes);
    Ok((value, changes))
}

/// The account, for who may ask this about it.
fn target<'d>(directory: &'d Directory, context: &Context, request: &AppPasswordRequest) -> Result<&'d Node, Refusal> {
    standing::check_restricted(directory, context)?;
    if context.authority == Authority::Session && !context.may_send_credentials() {
        return Err(Refusal::new(ResultCode::ConfidentialityRequired, "confidentiality required"));
    }
    check_main(context)?;
    let subject = context.subject(directory);
    let found = account::by_name(directory, &request.account).and_then(|id| directory.node(id));
    if subject.administrator {
        if request.action != AppPasswordAction::List {
            bind_rules::check_writer(directory, context, subject)?;
        }
        return found.map(|node| &**node).ok_or_else(|| Refusal::no_such_object(directory, None));
    }
    let own = found.filter(|node| subject.identity == Some(node.id)).ok_or_else(not_permitted)?;
    if matches!(request.action, AppPasswordAction::Add { .. }) && !context.identity.has_second_factor() {
        return Err(Refusal::new(ResultCode::StrongerAuthRequired, "a second factor is required").because("no second factor"));
    }
    Ok(own)
}

/// 50 for a session that was begun with the password of an application: it is for the work of that application, and not for the account.
pub(crate) fn check_main(context: &Context) -> Result<(), Refusal> {
    if context.identity.factors.contains(&FACTOR) {
        let text = "not with the password of an application";
        return Err(Refusal::new(ResultCode::InsufficientAccessRights, text).because(text));
    }
    Ok(())
}

/// What is to be made, if it may be.
fn making(
    head: &Directory,
    context: &Context,
    node: &Node,
    name: &str,
    rule: &str,
    until: Option<&str>,
) -> Result<AppPassword, Refusal> {
    let unwilling = |text: &str| Refusal::new(ResultCode::UnwillingToPerform, text);
    check_kind(head, node.id).map_err(unwilling)?;
    let all = of_account(head, node.id);
    if all.len() >= app_password::MOST {
        return Err(Refusal::new(
            ResultCode::AdminLimitExceeded,
            "the account has 20 passwords of applications: revoke one first",
        ));
    }
    if all.iter().any(|one| one.name == name) {
        return Err(Refusal::new(ResultCode::EntryAlreadyExists, "the account has one of that name"));
    }
    let until = until.map(moment).transpose()?;
    if until.is_some_and(|until| until <= context.now) {
        return Err(unwilling("that moment is over"));
    }
    let rule = rule_named(head, rule)?;
    AppPassword::new(name, context.now, until, rule)
        .map_err(|error| Refusal::new(ResultCode::ConstraintViolation, error.to_string()))
}

/// Why an account has none.
fn check_kind(directory: &Directory, account: EntryId) -> Result<(), &'static str> {
    let kind = directory.node(account).map(|node| AccountKind::of(directory, node));
    match kind {
        Some(AccountKind::Person) if is_administrator(directory, account) => {
            Err("administrators have no passwords of applications")
        }
        Some(AccountKind::Person) => Ok(()),
        _ => Err("only people have passwords of applications"),
    }
}

fn moment(text: &str) -> Result<Timestamp, Refusal> {
    let read: Result<jiff::Timestamp, _> = text.parse();
    let wrong = |_| {
        let text = format!("{text:?} is no time; write one like 2027-01-04T08:00:00Z");
        Refusal::new(ResultCode::ConstraintViolation, text)
    };
    read.map(|read| Timestamp(read.as_microsecond())).map_err(wrong)
}

/// entryUUID of the rule with this cn or whole name.
fn rule_named(head: &Directory, name: &str) -> Result<String, Refusal> {
    let cn = head.schema().attribute_type("cn").map(|it| it.id);
    let by_name = name.contains('=').then(|| account::by_dn(head, name.as_bytes()).ok().flatten());
    let is_it = |node: &&Node| match by_name {
        Some(found) => found == Some(node.id),
        None => cn.is_some_and(|cn| node.entry.values(cn).any(|value| value.eq_ignore_ascii_case(name.as_bytes()))),
    };
    let rules = head.rule_entries(RuleKind::BindRule).iter().filter_map(|id| head.node(id)).map(|node| &**node);
    let mut found = rules.filter(is_it);
    let no_such = |text: &str| Refusal::new(ResultCode::UnwillingToPerform, format!("{name}: {text}"));
    let node = found.next().ok_or_else(|| no_such("there is no bind rule of that name"))?;
    if found.next().is_some() {
        return Err(no_such("there are several bind rules of that name: give the whole name"));
    }
    let is_for_them = head.schema().attribute_type("bindAppPassword").and_then(|it| node.entry.first(it.id)) == Some(b"TRUE");
    match uuid(head, node).filter(|_| is_for_them) {
        Some(uuid) => Ok(String::from_utf8_lossy(uuid).into_owned()),
        None => Err(no_such("the rule is not for passwords of applications: it needs bindAppPassword: TRUE")),
    }
}

fn put(
    head: &Directory,
    context: &Context,
    node: &Node,
    entry: &mut EntryBuilder,
    made: &AppPassword,
    record: &mut Record,
) -> Result<Secret, Refusal> {
    let mut random = [0; 32];
    // The salt is for a hash that is not made here.
    random.iter_mut().zip(context.fresh.password.iter().chain(&context.fresh.salt)).for_each(|(to, from)| *to = *from);
    let password = app_password::generate(&random);
    let digest = uuid(head, node).and_then(|uuid| app_password::digest(uuid, &password));
    let digest = digest.ok_or_else(|| Refusal::new(ResultCode::Other, "internal error").because("no digest of a password"))?;
    let known = Value::from(made.to_value());
    let digest = Value::copy_from_slice(app_password::stored(&made.name, &digest).expose());
    let add = |entry: &mut EntryBuilder, name: &str, value: Value| {
        let mut values = values(head, entry, name);
        values.push(value);
        set(head, entry, name, values);
    };
    note(record, KNOWN, ModificationOperation::Add, RecordedValue::Shown(vec![known.clone()]));
    note(record, DIGEST, ModificationOperation::Add, RecordedValue::Redacted(1));
    add(entry, KNOWN, known);
    add(entry, DIGEST, digest);
    Ok(password)
}

fn remove(head: &Directory, node: &Node, entry: &mut EntryBuilder, name: &str, record: &mut Record) -> Result<(), Refusal> {
    if !of_account(head, node.id).iter().any(|one| one.name == name) {
        return Err(Refusal::new(ResultCode::NoSuchAttribute, "the account has none of that name"));
    }
    let (gone, left): (Vec<Value>, Vec<Value>) =
        values(head, entry, KNOWN).into_iter().partition(|value| AppPassword::read(value).is_some_and(|one| one.name == name));
    note(record, KNOWN, ModificationOperation::Delete, RecordedValue::Shown(gone));
    note(record, DIGEST, ModificationOperation::Delete, RecordedValue::Redacted(1));
    set(head, entry, KNOWN, left);
    let prefix = format!("{name}:");
    let kept = values(head, entry, DIGEST).into_iter().filter(|value| !value.starts_with(prefix.as_bytes()));
    let kept = kept.collect();
    set(head, entry, DIGEST, kept);
    Ok(())
}

fn note(record: &mut Record, attribute: &str, operation: ModificationOperation, values: RecordedValue) {
    record.changes.push(RecordedChange { attribute: attribute.to_owned(), operation, values });
}

fn values(head: &Directory, entry: &EntryBuilder, name: &str) -> Vec<Value> {
    let attribute_type = head.schema().attribute_type(name);
    let found = attribute_type.and_then(|it| entry.get(it.id, it.name()));
    found.map(|attribute| attribute.values.clone()).unwrap_or_default()
}

fn set(head: &Directory, entry: &mut EntryBuilder, name: &str, values: Vec<Value>) {
    if let Some(attribute_type) = head.schema().attribute_type(name) {
        entry.set(attribute_type.id, attribute_type.name(), attribute_type.section(), values);
    }
}

fn uuid<'n>(directory: &Directory, node: &'n Node) -> Option<&'n [u8]> {
    node.entry.first(directory.schema().attribute_type("entryUUID")?.id)
}

/// Those of an account.
pub(crate) fn of_account(directory: &Directory, account: EntryId) -> Vec<AppPassword> {
    let known = directory.schema().attribute_type(KNOWN).zip(directory.node(account));
    known.map(|(known, node)| node.entry.values(known.id).filter_map(AppPassword::read).collect()).unwrap_or_default()
}

/// The one that this is the password of.
pub(crate) fn find(directory: &Directory, account: EntryId, given: &Secret) -> Option<AppPassword> {
    let node = directory.node(account)?;
    let digest = app_password::digest(uuid(directory, node)?, given)?;
    let stored = directory.schema().attribute_type(DIGEST)?;
    let name = app_password::matching(node.entry.values(stored.id), &digest)?;
    of_account(directory, account).into_iter().find(|one| one.name == name)
}

/// The directory with one more of an account, bound to this rule and good from now on, and what it is: for `policy test`.
pub(crate) fn with_one(
    directory: &Directory,
    context: &Context,
    account: EntryId,
    rule: &str,
) -> Result<(Directory, Secret), Refusal> {
    let node = directory.node(account).ok_or_else(|| Refusal::no_such_object(directory, None))?;
    let made = making(directory, context, node, "policy-test", rule, None)?;
    let mut entry = node.entry.to_builder();
    let mut record = record::of_context(directory, context, RecordKind::AppPassword);
    let password = put(directory, context, node, &mut entry, &made, &mut record)?;
    let block = entry.build().block().clone();
    let put = Change::PutEntry { id: node.id, parent: node.parent, name: node.name.clone(), block };
    let mut with = directory.clone();
    with.apply(&put).map_err(|_| Refusal::new(ResultCode::Other, "internal error").because("change cannot be applied"))?;
    Ok((with, password))
}

/// Why a login with this one is refused, which was right a moment ago, whatever the rules say.
pub(crate) fn check(head: &Directory, account: EntryId, one: &AppPassword, now: Timestamp) -> Result<(), &'static str> {
    use super::bind::reason;
    if !of_account(head, account).contains(one) {
        return Err(reason::CHANGED_MEANWHILE);
    }
    if one.is_over(now) {
        return Err(reason::APP_PASSWORD_OVER);
    }
    check_kind(head, account).map_err(|_| reason::NO_APP_PASSWORD)
}

/// Those of an account, for a report.
pub(crate) fn report(directory: &Directory, account: EntryId) -> Vec<AppPasswordReport> {
    let of_account = of_account(directory, account).into_iter();
    let report = |one: AppPassword| AppPasswordReport {
        rule: rule_name(directory, &one),
        made: one.made.to_rfc3339(),
        until: one.until.map(Timestamp::to_rfc3339),
        name: one.name,
    };
    of_account.map(report).collect()
}

fn rule_name(directory: &Directory, one: &AppPassword) -> Option<String> {
    let rules = directory.rule_entries(RuleKind::BindRule).iter().filter_map(|id| directory.node(id));
    let mut own = rules.filter(|node| uuid(directory, node) == Some(one.rule.as_bytes()));
    own.next().map(|node| directory.dn_text(node.id))
}

fn answer_value(directory: &Directory, account: EntryId, password: Option<Secret>) -> Result<Bytes, Refusal> {
    let answer = AppPasswordAnswer {
        account: directory.dn_text(account),
        password: password.map(|password| String::from_utf8_lossy(password.expose()).into_owned()),
        all: report(directory, account),
    };
    let json = serde_json::to_vec(&answer).map_err(|_| Refusal::new(ResultCode::Other, "the answer cannot be written"))?;
    Ok(Bytes::from(json))
}

fn reply(result: LdapResult, extended_value: Option<Bytes>) -> Reply {
    Reply::Result {
        kind: ResponseKind::Extended,
        result,
        sasl_credentials: None,
        extended_name: None,
        extended_value,
        controls: Vec::new(),
    }
}
