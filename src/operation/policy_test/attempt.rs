//! A login as the server would meet it: `bind::begin`, an answer in the hash pool's place, `bind::finish`.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    AccessTest, CertificateTest, LoginOutcome, LoginTest, MOST_CHANGES, MOST_LOGINS, Outcomes, PolicyTest, TestError,
    TestedFactor, Verdict,
};
use crate::directory::Directory;
use crate::model::ldif::{LdifBody, LdifReader, LdifRecord};
use crate::model::{Attribute, EntryId, ResultCode, Secret, Timestamp};
use crate::operation::add::AddRequest;
use crate::operation::bind::{self, Step, reason};
use crate::operation::delete::DeleteRequest;
use crate::operation::explain::{Explanation, Question, explain};
use crate::operation::grant::as_of;
use crate::operation::modify::ModifyRequest;
use crate::operation::modify_dn::ModifyDnRequest;
use crate::operation::{
    Attached, Authority, CertificateFacts, Context, Decision, Identity, ListenerKind, Peer, Proposal, ProposedOperation,
    TlsFacts, account, app_password, decide, otp, prepare,
};
use crate::policy::bind_rule::KeyUsage;
use crate::policy::password::{HashAnswer, HashJob};
use crate::protocol::{Authentication, BindRequest, Reply};

/// What a test's login gives for the right password. No digit is in it: a code behind it is parted from it, or not, as from any other.
const RIGHT: &str = "the right password";
const WRONG: &str = "a wrong password";
/// What the entries of a test have stored: nothing is verified with it.
const STORED: &[u8] = b"{SSHA}YW55IHBhc3N3b3JkIHdpbGwgZG8gYXMgd2VsbCBoZXJl";
const SUFFIX: &str = "{suffix}";
const MUST_CHANGE: &str = "password must be changed first";

type Outcome<T> = Result<T, TestError>;

/// Decides the logins of a test and its questions about access, each by itself. `context`: of who asks; only its settings and its time are
/// taken.
pub fn run(directory: &Directory, context: &Context, test: &PolicyTest) -> Outcome<Outcomes> {
    if test.logins.len().saturating_add(test.access.len()) > MOST_LOGINS {
        return Err(TestError(format!("more than {MOST_LOGINS} logins and questions about access at once")));
    }
    let made = test.at.as_deref().map_or(Ok(context.now), moment)?;
    let directory = as_of(&Arc::new(directory.clone()), made);
    let directory = Arc::new(with_entries(&directory, context, &test.entries, made)?);
    let logins: Outcome<_> = test.logins.iter().map(|login| try_login(&directory, context, login, made)).collect();
    let access: Outcome<_> = test.access.iter().map(|asked| weigh(&directory, context, asked, made)).collect();
    Ok(Outcomes { logins: logins?, access: access? })
}

fn weigh(directory: &Arc<Directory>, context: &Context, test: &AccessTest, made: Timestamp) -> Outcome<Explanation> {
    let now = test.at.as_deref().map_or(Ok(made), moment)?;
    let directory = as_of(directory, now);
    let suffix = directory.suffix().to_string();
    let AccessTest { question, .. } = test;
    let question = Question {
        who: question.who.replace(SUFFIX, &suffix),
        target: question.target.replace(SUFFIX, &suffix),
        ..question.clone()
    };
    explain(&directory, &Context { now, ..context.clone() }, &question).map_err(|error| TestError(error.0))
}

fn moment(text: &str) -> Outcome<Timestamp> {
    let read: Result<jiff::Timestamp, _> = text.parse();
    let read = read.map_err(|_| TestError(format!("{text:?} is no time; write one like 2027-01-04T08:00:00-06:00")))?;
    Ok(Timestamp(read.as_microsecond()))
}

/// A copy of the directory with what is there for the test alone.
fn with_entries(directory: &Directory, context: &Context, ldif: &str, made: Timestamp) -> Outcome<Directory> {
    let mut copy = directory.clone();
    let ldif = ldif.replace(SUFFIX, &directory.suffix().to_string());
    for (number, record) in (0_u64..).zip(LdifReader::new(ldif.as_bytes())) {
        let record = record.map_err(|error| TestError(format!("entries: {error}")))?;
        if number >= MOST_CHANGES as u64 {
            return Err(TestError(format!("entries: more than {MOST_CHANGES}")));
        }
        let line = record.line;
        let mut context = Context {
            now: Timestamp(made.0.saturating_add_unsigned(number)),
            authority: Authority::Installation,
            identity: Identity::default(),
            attached: Attached::default(),
            ..context.clone()
        };
        // Of the copy alone: no other entry has it.
        context.fresh.uuid = 0x6269_6e64_6572_7900_u128.wrapping_shl(64).wrapping_add(u128::from(number)).to_be_bytes();
        let proposal = Proposal { context, operation: operation(&copy, record) };
        let decision = decide(&copy, &proposal, 0);
        if let Reply::Result { result, .. } = &decision.reply
            && result.code != ResultCode::Success
        {
            return Err(TestError(format!("entries: line {line}: refused with {}: {}", result.code.number(), result.diagnostic)));
        }
        if decision.changes.iter().any(|change| copy.apply(change).is_err()) {
            return Err(TestError(format!("entries: line {line}: cannot be done")));
        }
    }
    Ok(copy)
}

fn operation(directory: &Directory, record: LdifRecord) -> ProposedOperation {
    let name = Bytes::from(record.dn);
    let store = |attribute: &mut Attribute| {
        if prepare::is_password_description(directory.schema(), &attribute.description) {
            attribute.values.iter_mut().for_each(|value| *value = Bytes::from_static(STORED));
        }
    };
    match record.body {
        LdifBody::Add(mut attributes) => {
            attributes.iter_mut().for_each(store);
            ProposedOperation::Add(AddRequest::new(name, attributes, Vec::new()))
        }
        LdifBody::Modify(mut changes) => {
            changes.iter_mut().for_each(|change| store(&mut change.attribute));
            ProposedOperation::Modify(ModifyRequest::new(name, changes, Vec::new()))
        }
        LdifBody::Delete => ProposedOperation::Delete(DeleteRequest { name, controls: Vec::new() }),
        LdifBody::Rename { new_rdn, delete_old_rdn, new_superior } => ProposedOperation::ModifyDn(ModifyDnRequest {
            name,
            new_rdn: Bytes::from(new_rdn),
            delete_old_rdn,
            new_superior: new_superior.map(Bytes::from),
            controls: Vec::new(),
        }),
    }
}

fn try_login(directory: &Arc<Directory>, context: &Context, login: &LoginTest, made: Timestamp) -> Outcome<LoginOutcome> {
    let now = login.at.as_deref().map_or(Ok(made), moment)?;
    let directory = &*as_of(directory, now);
    let who = login.who.replace(SUFFIX, &directory.suffix().to_string());
    let id = account::by_name(directory, &who)
        .ok_or_else(|| TestError(format!("{who}: there is no one account of that uid or name")))?;
    let (peer, tls) = connection(directory, login, id)?;
    let context = Context {
        now,
        peer: Arc::new(peer),
        tls: tls.map(Arc::new),
        identity: Identity::default(),
        authority: Authority::Session,
        attached: Attached::default(),
        ..context.clone()
    };
    let (with_one, password) = match app_password(directory, &context, login, id)? {
        Some((with_one, password)) => (Some(with_one), Some(password)),
        None => (None, None),
    };
    let directory = with_one.as_ref().unwrap_or(directory);
    let step = bind::begin(directory, &context, request(directory, login, id, now, password)?, &[]);
    let pending = match step {
        Step::Commit(pending) => pending,
        Step::Verify(job, pending) => pending.with_answers(vec![answered(*job)]),
    };
    let decision = bind::finish(directory, &context, &pending);
    let other = pending.account.filter(|account| *account != id);
    if let Some(other) = other {
        return Err(TestError(format!("{who}: the certificate stands for {}", directory.dn_text(other))));
    }
    Ok(outcome(decision))
}

/// What the hash pool would say.
fn answered(job: HashJob) -> HashAnswer {
    let matched = match job {
        HashJob::Verify { stored, given, .. } => stored.into_iter().next().filter(|_| given == Secret::from(RIGHT.as_bytes())),
        HashJob::Find { .. } | HashJob::Hash { .. } => None,
    };
    HashAnswer::Verified { matched, rehashed: None }
}

fn outcome(decision: Decision) -> LoginOutcome {
    let code = match &decision.reply {
        Reply::Result { result, .. } => result.code,
        Reply::Entry { .. } | Reply::Reference { .. } | Reply::Intermediate { .. } => ResultCode::Other,
    };
    let must_change = decision.identity.is_some_and(|identity| identity.must_change);
    let why = decision.record.reason.or(must_change.then_some(MUST_CHANGE));
    LoginOutcome {
        decision: match why {
            _ if code == ResultCode::Success => Verdict::Allow,
            Some(reason::NO_CODE | reason::NO_FACTOR) => Verdict::RequireFactor,
            _ => Verdict::Deny,
        },
        code: i64::from(code.number()),
        reason: why.map(str::to_owned),
        rule: decision.record.rule,
        factors: decision.record.factors.iter().map(|&factor| factor.to_owned()).collect(),
    }
}

/// The directory with the password of an application that the login comes with, and that password.
fn app_password(
    directory: &Directory,
    context: &Context,
    login: &LoginTest,
    id: EntryId,
) -> Outcome<Option<(Directory, Secret)>> {
    match (&login.app_rule, login.with.contains(&TestedFactor::AppPassword)) {
        (None, false) => Ok(None),
        (Some(rule), true) => {
            let rule = rule.replace(SUFFIX, &directory.suffix().to_string());
            let made = app_password::with_one(directory, context, id, &rule);
            made.map(Some).map_err(|refusal| TestError(format!("app-rule: {}", refusal.result.diagnostic)))
        }
        (None, true) => {
            Err(TestError("with: say which bind rule the application's password is bound to: app-rule = \"…\"".to_owned()))
        }
        (Some(_), false) => Err(TestError("app-rule: it goes with = [\"app-password\"]".to_owned())),
    }
}

fn request(
    directory: &Directory,
    login: &LoginTest,
    id: EntryId,
    now: Timestamp,
    app_password: Option<Secret>,
) -> Outcome<BindRequest> {
    let has = |factor| login.with.contains(&factor);
    if let Some(password) = app_password {
        if login.with.iter().any(|it| matches!(it, TestedFactor::Password | TestedFactor::WrongPassword | TestedFactor::Otp)) {
            return Err(TestError(
                "with: the password of an application comes without another one and without a code".to_owned(),
            ));
        }
        let (name, authentication) = (Bytes::from(directory.dn_text(id)), Authentication::Simple(password));
        return Ok(BindRequest { version: 3, name, authentication });
    }
    let password = match (has(TestedFactor::Password), has(TestedFactor::WrongPassword)) {
        (true, true) => return Err(TestError("a password is right or wrong".to_owned())),
        (true, false) => RIGHT,
        (false, true) => WRONG,
        (false, false) if has(TestedFactor::Certificate) || has(TestedFactor::Ldapi) => {
            let authentication = Authentication::Sasl { mechanism: "EXTERNAL".to_owned(), credentials: None };
            return Ok(BindRequest { version: 3, name: Bytes::new(), authentication });
        }
        (false, false) => return Err(TestError("with: name a password, a certificate or ldapi".to_owned())),
    };
    let mut given = password.as_bytes().to_vec();
    if has(TestedFactor::Otp) {
        let code = otp::of_account(directory, id, now).and_then(|enrolled| enrolled.token.code_for(enrolled.last, now));
        let none = || TestError(format!("{}: there is no token that makes a code then", directory.dn_text(id)));
        given.extend_from_slice(code.ok_or_else(none)?.expose());
    }
    let (name, authentication) = (Bytes::from(directory.dn_text(id)), Authentication::Simple(Secret::new(given)));
    Ok(BindRequest { version: 3, name, authentication })
}

fn connection(directory: &Directory, login: &LoginTest, id: EntryId) -> Outcome<(Peer, Option<TlsFacts>)> {
    let local = login.with.contains(&TestedFactor::Ldapi);
    let listener = match login.listener.as_deref() {
        Some("ldapi") => ListenerKind::Ldapi,
        None if local => ListenerKind::Ldapi,
        Some("ldap") => ListenerKind::Ldap,
        Some("ldaps") | None => ListenerKind::Ldaps,
        Some(other) => return Err(TestError(format!("listener: {other:?} is none; write ldap, ldaps or ldapi"))),
    };
    if login.with.contains(&TestedFactor::Certificate) && login.certificate.is_none() {
        return Err(TestError("with: a certificate is to be described by certificate = { subject = …, issuer = … }".to_owned()));
    }
    if listener == ListenerKind::Ldapi {
        if login.from.is_some() || login.tls.is_some() || login.certificate.is_some() {
            return Err(TestError("the Unix socket has neither address nor TLS".to_owned()));
        }
        let ldapi_identity = local.then(|| directory.dn_text(id));
        return Ok((Peer { text: "ldapi".to_owned(), address: None, listener, ldapi_identity }, None));
    }
    if local {
        return Err(TestError("with: ldapi comes over the listener ldapi".to_owned()));
    }
    let from = login.from.as_deref().unwrap_or("127.0.0.1");
    let address = from.parse().map_err(|_| TestError(format!("from: {from:?} is no address")))?;
    let version = match (login.tls.as_deref(), listener) {
        (None | Some("1.3"), _) => Some("TLSv1.3"),
        (Some("1.2"), _) => Some("TLSv1.2"),
        (Some("none"), ListenerKind::Ldap) => None,
        (Some("none"), _) => return Err(TestError("tls: over ldaps there is always some".to_owned())),
        (Some(other), _) => return Err(TestError(format!("tls: {other:?} is none; write 1.2, 1.3 or none"))),
    };
    let certificate = login.certificate.as_ref().map(certificate);
    if version.is_none() && certificate.is_some() {
        return Err(TestError("a certificate comes with TLS".to_owned()));
    }
    let tls = version.map(|version| TlsFacts { version: version.to_owned(), suite: "of a test".to_owned(), certificate });
    Ok((Peer { text: from.to_owned(), address: Some(address), listener, ldapi_identity: None }, tls))
}

fn certificate(test: &CertificateTest) -> CertificateFacts {
    let of_subject = |name: &str| {
        let dn = crate::model::Dn::parse(test.subject.as_bytes()).ok()?;
        let mut parts = dn.rdns.iter().flat_map(|rdn| &rdn.parts);
        let part = parts.find(|part| part.attribute_type.eq_ignore_ascii_case(name))?;
        String::from_utf8(part.value.to_vec()).ok()
    };
    CertificateFacts {
        sha256: String::new(),
        subject: test.subject.clone(),
        issuer: test.issuer.clone(),
        serial: String::new(),
        emails: test.emails.clone(),
        common_name: of_subject("cn"),
        uid: of_subject("uid"),
        usages: test.usages.iter().map(|usage| KeyUsage::read(usage).map_or_else(|_| usage.clone(), |usage| usage.0)).collect(),
    }
}
