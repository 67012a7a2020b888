//! The bind rules of a directory: read once from their entries, judged at every bind, looked at when they are written.

use std::cell::OnceCell;
use std::net::IpAddr;

use ipnet::IpNet;

use super::bind::{self, reason};
use super::context::{ListenerKind, WaivedNetwork, is_administrator};
use super::draft::Draft;
use super::managed_account;
use super::refusal::Refusal;
use super::standing::Standing;
use super::write::Write;
use super::{Authority, Context, LiveSession, Peer, TlsFacts, account};
use crate::directory::{Compiled, Directory, IdSet, Membership, MembershipAttribute, Node, RuleKind};
use crate::model::{AttributeTypeId, Dn, EntryId, Rdn, ResultCode, Timestamp, Value};
use crate::policy::access::Subject;
use crate::policy::app_password::{AppPassword, is_second_factor};
use crate::policy::bind_rule::{self, AccountKind, BindRule, Certificate, Listener, Login, TlsVersion, Verdict};

const GROUP: &str = "bindGroup";
const APPLICATION: &str = "bindApplication";
/// Where the rules stand, from the leaf up to the suffix. Where there is such an entry and no rule, nobody is let in; where there is none
/// either, the directory has no rules, and everybody is.
const FOLDER: [&str; 2] = ["ou=binds", "ou=policies"];

/// The rules of a directory, read.
struct BindRules {
    /// Their entries, in the same order.
    entries: Vec<EntryId>,
    rules: Vec<BindRule>,
    network: Option<AttributeTypeId>,
    ask_for_certificate: bool,
    ask_for_application: bool,
}

impl Compiled for BindRules {
    const KIND: RuleKind = RuleKind::BindRule;

    fn compile(directory: &Directory, entries: &IdSet) -> BindRules {
        let nodes = entries.iter().filter_map(|id| directory.node(id));
        let (entries, rules): (Vec<EntryId>, Vec<BindRule>) =
            nodes.filter_map(|node| Some((node.id, read(directory, node)?))).unzip();
        BindRules {
            entries,
            ask_for_certificate: rules.iter().any(BindRule::asks_for_certificate),
            ask_for_application: rules.iter().any(|rule| rule.applications.is_some()),
            rules,
            network: directory.schema().attribute_type("accountNetwork").map(|attribute_type| attribute_type.id),
        }
    }
}

fn read(directory: &Directory, node: &Node) -> Option<BindRule> {
    let values = |name: &str| match directory.schema().attribute_type(name) {
        Some(attribute_type) => node.entry.values(attribute_type.id).map(Value::copy_from_slice).collect(),
        None => Vec::new(),
    };
    let name = directory.dn_text(node.id);
    let Ok(mut rule) = BindRule::read(name.clone(), &values) else { return BindRule::unreadable(name, &values) };
    rule.groups = references(directory, node.id, GROUP);
    rule.applications = references(directory, node.id, APPLICATION);
    let keys = |name: &str| values(name).iter().map(|name| name_key(directory, name)).collect();
    rule.identifier = values("entryUUID").first().map(|uuid| uuid.to_vec()).unwrap_or_default();
    rule.issuers = keys("bindCertificateIssuer");
    rule.subjects = keys("bindCertificateSubject");
    Some(rule)
}

/// What is no name is the name of nobody.
fn name_key(directory: &Directory, name: &[u8]) -> Box<[u8]> {
    Dn::parse(name).map(|dn| directory.schema().dn_key(&dn)).unwrap_or_default()
}

/// The entries that a rule names; none where it names none at all.
fn references(directory: &Directory, rule: EntryId, name: &str) -> Option<Vec<EntryId>> {
    let attribute = MembershipAttribute::of_type(directory.schema().attribute_type(name)?)?;
    let mut named = directory.memberships(rule, attribute).peekable();
    named.peek()?;
    let entries = named.filter_map(|membership| match membership {
        Membership::Entry(_, entry) => Some(entry),
        Membership::Outside { .. } => None,
    });
    Some(entries.collect())
}

/// What the rules of a directory come to for a login.
pub(crate) struct Ruling {
    /// Let in, kept out or asked for more.
    pub(crate) outcome: Outcome,
    /// The rule that decided, if one did.
    pub(crate) rule: Option<String>,
}

/// See [`Ruling`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// Let in.
    Allowed,
    /// Let in without the second factor that the rule asks for.
    Waived,
    /// Let in with a second factor.
    NeedsFactor,
    /// Kept out, for this reason.
    Refused(&'static str),
}

/// The groups that an account is in at any depth, found out once where a rule asks for them.
struct NestedGroups<'a> {
    directory: &'a Directory,
    account: EntryId,
    found: OnceCell<Option<IdSet>>,
}

impl<'a> NestedGroups<'a> {
    fn new(directory: &'a Directory, account: EntryId) -> NestedGroups<'a> {
        NestedGroups { directory, account, found: OnceCell::new() }
    }

    /// None: that takes too long to find out.
    fn is_member(&self, group: EntryId) -> Option<bool> {
        if self.directory.is_member(group, self.account) {
            return Some(true);
        }
        let groups = self.found.get_or_init(|| self.directory.nested_groups_of(self.account).ok());
        groups.as_ref().map(|groups| groups.contains(group))
    }
}

/// How a login came.
struct Way<'a> {
    peer: &'a Peer,
    tls: Option<&'a TlsFacts>,
    now: Timestamp,
    /// Whether the waiver `second-factor` holds for it.
    waives: bool,
    /// The password of an application that it is by.
    app: Option<&'a AppPassword>,
    /// The applications on whose connection it comes; asked for where a rule names any.
    through: &'a dyn Fn() -> Vec<EntryId>,
}

/// Judges a login, whatever proves it.
pub(crate) fn judge(directory: &Directory, context: &Context, account: EntryId) -> Ruling {
    let (peer, tls, through) = (&*context.peer, context.tls.as_deref(), || applications(directory, context));
    let waives = waives_second_factor(context);
    judge_way(directory, account, &Way { peer, tls, now: context.now, waives, app: None, through: &through })
}

/// Judges one with the password of an application.
pub(crate) fn judge_app_password(directory: &Directory, context: &Context, account: EntryId, app: &AppPassword) -> Ruling {
    let (peer, tls, through) = (&*context.peer, context.tls.as_deref(), || applications(directory, context));
    judge_way(directory, account, &Way { peer, tls, now: context.now, waives: false, app: Some(app), through: &through })
}

/// The applications on whose connection something comes: the service that logged in there last, and the one that the client certificate or
/// the local user stands for.
pub(crate) fn applications(directory: &Directory, context: &Context) -> Vec<EntryId> {
    let certificate = context.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
    let of_certificate = certificate.and_then(|certificate| bind::by_certificate(directory, context, certificate));
    let of_user = context.peer.ldapi_identity.as_ref();
    let of_user = of_user.and_then(|name| account::by_dn(directory, name.as_bytes()).ok().flatten());
    let proven = [of_certificate, of_user].into_iter().flatten().filter_map(|id| application_of(directory, id));
    let mut all: Vec<EntryId> = context.identity.application.into_iter().chain(proven).collect();
    all.dedup();
    all
}

/// The account of an application, if it is one.
pub(crate) fn application_of(directory: &Directory, account: EntryId) -> Option<EntryId> {
    let kind = managed_account::AccountKind::of(directory, directory.node(account)?);
    (kind == managed_account::AccountKind::Service).then_some(account)
}

/// Why the rules as they are now would not have let a session in, at the time of its login and with what it proved then; none: they would.
/// Administrators without a second factor stay: what they change is refused, and a waiver may have let them in.
pub(crate) fn refuses_session(directory: &Directory, live: &LiveSession) -> Option<&'static str> {
    if live.factors.first() == Some(&"ldapi") && is_always_let_in(directory, live.account) {
        return None;
    }
    let (peer, tls, through) = (&*live.peer, live.tls.as_deref(), || live.applications.clone());
    let way = Way { peer, tls, now: live.since, waives: true, app: live.app_password.as_ref(), through: &through };
    match judge_way(directory, live.account, &way).outcome {
        Outcome::Allowed | Outcome::Waived => None,
        Outcome::NeedsFactor if live.factors.iter().any(|factor| is_second_factor(factor)) => None,
        Outcome::NeedsFactor => Some(reason::NO_FACTOR),
        Outcome::Refused(reason) => Some(reason),
    }
}

fn judge_way(directory: &Directory, account: EntryId, way: &Way<'_>) -> Ruling {
    let compiled = directory.compiled::<BindRules>();
    let unruled = |outcome| Ruling { outcome, rule: None };
    let Some(node) = directory.node(account) else { return unruled(Outcome::Refused(reason::NO_RULE)) };
    let kind = kind(directory, node);
    if !is_in_own_networks(&compiled, node, kind, way.peer.address) {
        return unruled(Outcome::Refused(reason::OUTSIDE_NETWORKS));
    }
    if compiled.rules.is_empty() && folder(directory).is_none() && way.app.is_none() {
        return unruled(Outcome::Allowed);
    }
    let through = if compiled.ask_for_application { (way.through)() } else { Vec::new() };
    // One that may not log in itself any more lets nobody in.
    let stands = |id: &EntryId| Standing::of(directory, *id).barrier(way.now, false).is_none();
    let through: Vec<EntryId> = through.into_iter().filter(|id| directory.node(*id).is_some() && stands(id)).collect();
    let certificate = way.tls.and_then(|tls| tls.certificate.as_ref()).filter(|_| compiled.ask_for_certificate);
    let nested = NestedGroups::new(directory, account);
    let login = Login {
        account,
        kind,
        is_member: &|group| nested.is_member(group),
        address: way.peer.address,
        listener: match way.peer.listener {
            ListenerKind::Ldap => Listener::Ldap,
            ListenerKind::Ldaps => Listener::Ldaps,
            ListenerKind::Ldapi => Listener::Ldapi,
        },
        tls: way.tls.and_then(|tls| TlsVersion::read(&tls.version)),
        certificate: certificate.map(|certificate| Certificate {
            issuer: name_key(directory, certificate.issuer.as_bytes()),
            subject: name_key(directory, certificate.subject.as_bytes()),
            usages: &certificate.usages,
        }),
        now: way.now,
        through: &through,
    };
    let verdict = match way.app {
        None => bind_rule::judge(&compiled.rules, &login),
        Some(app) => bind_rule::judge_app_password(&compiled.rules, app.rule.as_bytes(), &login),
    };
    let (outcome, rule) = match verdict {
        Verdict::Allow(rule) => (Outcome::Allowed, Some(rule)),
        Verdict::Deny(Some(rule)) => (Outcome::Refused(reason::DENIED_BY_RULE), Some(rule)),
        Verdict::Deny(None) if way.app.is_some() => (Outcome::Refused(reason::OUTSIDE_APP_RULE), None),
        Verdict::Deny(None) => (Outcome::Refused(reason::NO_RULE), None),
        Verdict::RequireFactor(rule) if is_administrator(directory, account) && way.waives => (Outcome::Waived, Some(rule)),
        Verdict::RequireFactor(rule) => (Outcome::NeedsFactor, Some(rule)),
    };
    Ruling { outcome, rule: rule.map(|rule| rule.name.clone()) }
}

/// The rules that can decide about an account, from wherever it comes; none where the directory has none.
pub(crate) fn bearing_on(directory: &Directory, account: EntryId, now: Timestamp) -> Vec<EntryId> {
    let Some(node) = directory.node(account) else { return Vec::new() };
    let compiled = directory.compiled::<BindRules>();
    let nested = NestedGroups::new(directory, account);
    let login = Login {
        account,
        kind: kind(directory, node),
        is_member: &|group| nested.is_member(group),
        address: None,
        listener: Listener::Ldapi,
        tls: None,
        certificate: None,
        now,
        through: &[],
    };
    let rules = compiled.entries.iter().zip(&compiled.rules).filter(|(_, rule)| rule.concerns(&login));
    rules.map(|(entry, _)| *entry).collect()
}

/// Whether no login of this account with a password goes without a second factor, wherever it comes from: a rule says so that knows no
/// condition but who it is, and nothing waives it.
pub(crate) fn always_needs_factor(directory: &Directory, context: &Context, account: EntryId) -> bool {
    let concerning = bearing_on(directory, account, context.now);
    let compiled = directory.compiled::<BindRules>();
    let mut all = compiled.entries.iter().zip(&compiled.rules);
    let is_waived = || context.settings.second_factor.iter().any(|waived| context.now < waived.until);
    all.any(|(entry, rule)| rule.always_requires_factor() && concerning.contains(entry))
        && !(is_administrator(directory, account) && is_waived())
}

/// accountNetwork of an entry, as written.
pub(crate) fn own_networks(directory: &Directory, node: &Node) -> Vec<String> {
    let network = directory.schema().attribute_type("accountNetwork");
    let values = network.map(|network| node.entry.values(network.id)).into_iter().flatten();
    values.map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

fn kind(directory: &Directory, node: &Node) -> AccountKind {
    match managed_account::AccountKind::of(directory, node) {
        managed_account::AccountKind::Person => AccountKind::Person,
        managed_account::AccountKind::Service => AccountKind::Service,
        managed_account::AccountKind::BreakGlass => AccountKind::BreakGlass,
    }
}

/// accountNetwork binds whatever the rules say, but in an emergency. A service without any is used from nowhere.
fn is_in_own_networks(rules: &BindRules, node: &Node, kind: AccountKind, address: Option<IpAddr>) -> bool {
    let written = rules.network.map(|network| node.entry.values(network)).into_iter().flatten();
    let mut written = written.map(|value| std::str::from_utf8(value).ok().and_then(|text| text.parse::<IpNet>().ok())).peekable();
    match kind {
        AccountKind::BreakGlass => true,
        AccountKind::Person if written.peek().is_none() => true,
        AccountKind::Person | AccountKind::Service => {
            written.any(|network| network.is_some_and(|network| bind_rule::is_within(&[network], address)))
        }
    }
}

/// The entry below which the rules stand.
pub(crate) fn folder(directory: &Directory) -> Option<EntryId> {
    let below = |parent: EntryId, name: &&str| directory.child(parent, &Rdn::parse(name.as_bytes()).ok()?);
    FOLDER.iter().rev().try_fold(directory.suffix_entry()?, below)
}

/// Whether the directory has rules, be there none of them left.
pub(crate) fn are_in_force(directory: &Directory) -> bool {
    !directory.rule_entries(RuleKind::BindRule).is_empty() || folder(directory).is_some()
}

/// Whether the waiver `second-factor` holds for this connection at this moment.
fn waives_second_factor(context: &Context) -> bool {
    let address = context.peer.address;
    let holds = |waived: &WaivedNetwork| context.now < waived.until && bind_rule::is_within(&[waived.network], address);
    context.settings.second_factor.iter().any(holds)
}

/// The factor beside a password that the connection itself proves: a client certificate that stands for the account, or a local user who
/// does.
pub(crate) fn factor_of_connection(directory: &Directory, context: &Context, account: EntryId) -> Option<&'static str> {
    let certificate = context.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
    if certificate.is_some_and(|certificate| bind::by_certificate(directory, context, certificate) == Some(account)) {
        return Some("certificate");
    }
    let local = context.peer.ldapi_identity.as_ref();
    let local = local.and_then(|name| account::by_dn(directory, name.as_bytes()).ok().flatten());
    (local == Some(account)).then_some("ldapi")
}

/// Whether a local user who stands for this account is let in whatever the rules say: an administrator who can use the machine's own
/// socket can put wrong rules right.
pub(crate) fn is_always_let_in(directory: &Directory, account: EntryId) -> bool {
    is_administrator(directory, account)
}

/// 8 for what an administrator changes in a session that was begun with a password alone.
pub(crate) fn check_writer(directory: &Directory, context: &Context, subject: Subject) -> Result<(), Refusal> {
    let may = context.authority == Authority::Installation
        || !subject.administrator
        || context.identity.has_second_factor()
        || !are_in_force(directory)
        || waives_second_factor(context);
    if may {
        return Ok(());
    }
    Err(Refusal::new(ResultCode::StrongerAuthRequired, "a second factor is required").because("no second factor"))
}

/// 21 for a rule with a value that means nothing, 19 for one that names an entry which is not there: it would be for nobody.
pub(crate) fn check(write: &Write<'_>, draft: &Draft<'_>) -> Result<(), Refusal> {
    if !draft.object_classes()?.iter().any(|class| class.eq_ignore_ascii_case(RuleKind::BindRule.class())) {
        return Ok(());
    }
    let values = |name: &str| {
        let attribute_type = draft.schema.attribute_type(name);
        let found = attribute_type.and_then(|it| draft.entry.get(it.id, it.name()));
        found.map(|attribute| attribute.values.clone()).unwrap_or_default()
    };
    BindRule::read(String::new(), &values)
        .map_err(|error| Refusal::new(ResultCode::InvalidAttributeSyntax, error.to_string()))?;
    if write.context.authority == Authority::Installation {
        // A file may hold the group behind the rule.
        return Ok(());
    }
    for name in [GROUP, APPLICATION] {
        let attribute = draft.schema.attribute_type(name).and_then(MembershipAttribute::of_type);
        if let Some(outside) = attribute.and_then(|attribute| draft.members.first_outside(attribute)) {
            let text = format!("{name}: there is no entry {}", String::from_utf8_lossy(outside));
            return Err(Refusal::new(ResultCode::ConstraintViolation, text));
        }
    }
    Ok(())
}

/// 53 for the removal of entries that a rule names: without them it would be for everybody.
pub(crate) fn check_unnamed(directory: &Directory, removed: &[EntryId]) -> Result<(), Refusal> {
    let compiled = directory.compiled::<BindRules>();
    for (entry, rule) in compiled.entries.iter().zip(&compiled.rules) {
        let mut named = rule.groups.iter().chain(&rule.applications).flatten();
        if let Some(found) = named.find(|named| removed.contains(named))
            && !removed.contains(entry)
        {
            let text = format!("{} is named by the bind rule {}; change that first", directory.dn_text(*found), rule.name);
            return Err(Refusal::new(ResultCode::UnwillingToPerform, text).because("named by a bind rule"));
        }
    }
    Ok(())
}
