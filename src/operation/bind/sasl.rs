//! SASL mechanisms (RFC 4422): EXTERNAL, proven by a client certificate or a local user, and PLAIN (RFC 4616) over what cannot be read
//! on the way.

use super::{Method, PendingBind, Step, reason};
use crate::directory::Directory;
use crate::model::{EntryId, ResultCode, Secret};
use crate::operation::{CertificateFacts, CertificateRule, Context, account};
use crate::protocol::LdapResult;

/// Looks at a SASL bind. The name of the bind request has no meaning here (RFC 4513 section 5.2.1.2).
pub(super) fn begin(directory: &Directory, context: &Context, mechanism: &str, credentials: Option<Secret>) -> Step {
    if mechanism.eq_ignore_ascii_case("EXTERNAL") {
        external(directory, context, credentials)
    } else if mechanism.eq_ignore_ascii_case("PLAIN") {
        plain(directory, context, credentials)
    } else {
        let text = if mechanism.is_empty() { "no SASL mechanism provided" } else { "SASL mechanism not supported" };
        let refusal = LdapResult::with(ResultCode::AuthMethodNotSupported, text);
        PendingBind::new(Method::Unknown).refuse(refusal, reason::BAD_METHOD)
    }
}

/// EXTERNAL (RFC 4422 appendix A, RFC 4513 section 5.2.3). Credentials left out mean the same as empty ones: many clients leave them out.
fn external(directory: &Directory, context: &Context, credentials: Option<Secret>) -> Step {
    let certificate = context.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
    let (factor, account) = match (certificate, &context.peer.ldapi_identity) {
        (Some(certificate), _) => ("certificate", by_certificate(directory, context, certificate)),
        (None, Some(name)) => ("ldapi", account::by_dn(directory, name.as_bytes()).ok().flatten()),
        (None, None) => {
            let refusal = LdapResult::of(ResultCode::InappropriateAuthentication);
            return PendingBind::new(Method::External("certificate")).refuse(refusal, reason::NO_EXTERNAL_IDENTITY);
        }
    };
    let mut pending = PendingBind::new(Method::External(factor));
    pending.account = account;
    let refusal = LdapResult::of(ResultCode::InvalidCredentials);
    if account.is_none() {
        return pending.refuse(refusal, reason::UNMAPPED_EXTERNAL_IDENTITY);
    }
    let assumed = credentials.as_ref().map(Secret::expose).unwrap_or_default();
    if !assumed.is_empty() && account::by_authorization_identity(directory, assumed) != account {
        return pending.refuse(refusal, reason::OTHER_IDENTITY);
    }
    Step::Commit(pending)
}

/// The entry a certificate stands for: the first configured rule that finds exactly one.
pub(crate) fn by_certificate(directory: &Directory, context: &Context, certificate: &CertificateFacts) -> Option<EntryId> {
    context.settings.certificate_rules.iter().find_map(|rule| match rule {
        CertificateRule::SubjectDn => account::by_dn(directory, certificate.subject.as_bytes()).ok().flatten(),
        CertificateRule::Email { attribute } => by_emails(directory, attribute, &certificate.emails),
        CertificateRule::CommonName { attribute } => {
            account::by_attribute(directory, attribute, certificate.common_name.as_ref()?.as_bytes())
        }
        CertificateRule::Uid { attribute } => account::by_attribute(directory, attribute, certificate.uid.as_ref()?.as_bytes()),
    })
}

/// The one entry that all the addresses which are known here belong to.
fn by_emails(directory: &Directory, attribute: &str, emails: &[String]) -> Option<EntryId> {
    let mut found = emails.iter().filter_map(|email| account::by_attribute(directory, attribute, email.as_bytes()));
    let first = found.next()?;
    found.all(|other| other == first).then_some(first)
}

/// PLAIN (RFC 4616).
fn plain(directory: &Directory, context: &Context, credentials: Option<Secret>) -> Step {
    let mut pending = PendingBind::new(Method::Plain);
    // A waiver for clear text covers simple binds alone: who can speak SASL can speak TLS.
    if !context.is_confidential() {
        let message = credentials.as_ref().and_then(|credentials| PlainMessage::read(credentials.expose()));
        pending.account = message.as_ref().and_then(|message| message.account(directory));
        let given = message.map(|message| Secret::from(message.password)).unwrap_or_else(|| Secret::new(Vec::new()));
        return pending.refuse_clear_channel(directory, context, given);
    }
    let Some(credentials) = credentials else {
        return pending.refuse(LdapResult::of(ResultCode::SaslBindInProgress), reason::CHALLENGED);
    };
    let Some(message) = PlainMessage::read(credentials.expose()) else {
        return pending.refuse(LdapResult::of(ResultCode::InvalidCredentials), reason::BAD_CREDENTIALS);
    };
    pending.account = message.account(directory);
    if pending.account.is_none() {
        pending.unknown_name = Some(account::unknown_name(context, message.authentication_identity));
    } else if !message.authorization_identity.is_empty() && message.authorized(directory) != pending.account {
        // The password is verified all the same: this answer must cost what every other costs.
        pending.refusal = Some(LdapResult::of(ResultCode::InvalidCredentials));
        pending.reason = Some(reason::OTHER_IDENTITY);
    }
    pending.verify(directory, context, Secret::from(message.password))
}

/// `[authzid] NUL authcid NUL passwd` (RFC 4616 section 2).
struct PlainMessage<'a> {
    authorization_identity: &'a [u8],
    authentication_identity: &'a [u8],
    password: &'a [u8],
}

impl PlainMessage<'_> {
    fn read(message: &[u8]) -> Option<PlainMessage<'_>> {
        let mut parts = message.split(|&octet| octet == 0);
        let read = PlainMessage {
            authorization_identity: parts.next()?,
            authentication_identity: parts.next()?,
            password: parts.next()?,
        };
        let whole = parts.next().is_none() && !read.authentication_identity.is_empty() && !read.password.is_empty();
        (whole && std::str::from_utf8(message).is_ok()).then_some(read)
    }

    /// A user name alone, or either form of an authorization identity.
    fn account(&self, directory: &Directory) -> Option<EntryId> {
        by_user(directory, self.authentication_identity)
    }

    fn authorized(&self, directory: &Directory) -> Option<EntryId> {
        by_user(directory, self.authorization_identity)
    }
}

fn by_user(directory: &Directory, identity: &[u8]) -> Option<EntryId> {
    if identity.starts_with(b"dn:") || identity.starts_with(b"u:") {
        account::by_authorization_identity(directory, identity)
    } else {
        account::by_user_name(directory, identity)
    }
}
