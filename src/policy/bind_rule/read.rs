//! Reading a bind rule from the values of its entry.

use std::str::FromStr;

use ipnet::IpNet;

use super::{AccountKind, BindRule, Effect, KeyUsage, Listener, TimeWindow, TlsVersion};
use crate::model::{Timestamp, Value};

/// Extended key usages by the names that OpenSSL and certificate tools print.
const KEY_USAGES: [(&str, &str); 9] = [
    ("serverAuth", "1.3.6.1.5.5.7.3.1"),
    ("clientAuth", "1.3.6.1.5.5.7.3.2"),
    ("codeSigning", "1.3.6.1.5.5.7.3.3"),
    ("emailProtection", "1.3.6.1.5.5.7.3.4"),
    ("timeStamping", "1.3.6.1.5.5.7.3.8"),
    ("OCSPSigning", "1.3.6.1.5.5.7.3.9"),
    ("anyExtendedKeyUsage", "2.5.29.37.0"),
    ("smartcardLogon", "1.3.6.1.4.1.311.20.2.2"),
    ("pkinitClientAuth", "1.3.6.1.5.2.3.4"),
];

/// Whether a rule is for passwords of applications.
const APP_PASSWORD: &str = "bindAppPassword";

/// A value that means nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{attribute}: value #{index} {problem}")]
pub struct RuleError {
    /// Of which attribute.
    pub attribute: &'static str,
    /// The how manieth, from 0.
    pub index: usize,
    /// What is wrong, and what to write.
    pub problem: String,
}

impl BindRule {
    /// Reads all but the parts that name entries; `values` gives the values of an attribute.
    pub fn read(name: String, values: &dyn Fn(&str) -> Vec<Value>) -> Result<BindRule, RuleError> {
        let effect = each(values, "bindEffect", read_effect)?.into_iter().next();
        let missing = RuleError { attribute: "bindEffect", index: 0, problem: "is missing".to_owned() };
        Ok(BindRule {
            kinds: each(values, "bindAccountKind", AccountKind::read)?,
            networks: each(values, "bindNetwork", read_network)?,
            listeners: each(values, "bindListener", read_listener)?,
            tls_minimum: each(values, "bindTlsMinimum", read_version)?.into_iter().max(),
            usages: each(values, "bindCertificateUsage", KeyUsage::read)?,
            times: each(values, "bindTime", TimeWindow::read)?,
            not_after: each(values, "ruleNotAfter", read_time)?.into_iter().min(),
            app_password: each(values, APP_PASSWORD, read_boolean)?.contains(&true),
            ..BindRule::new(name, effect.ok_or(missing)?)
        })
    }

    /// What is left of a rule with a value that means nothing: one that denies or asks for a factor does so for everybody, one that allows is
    /// none.
    pub fn unreadable(name: String, values: &dyn Fn(&str) -> Vec<Value>) -> Option<BindRule> {
        let effect = each(values, "bindEffect", read_effect).ok().and_then(|effects| effects.into_iter().next());
        // One for passwords of applications that asks for a factor would be asked of nobody else: it is none.
        if effect != Some(Effect::Deny) && each(values, APP_PASSWORD, read_boolean).is_ok_and(|read| read.contains(&true)) {
            return None;
        }
        match effect {
            Some(Effect::Allow) => None,
            Some(effect) => Some(BindRule::new(name, effect)),
            None => Some(BindRule::new(name, Effect::Deny)),
        }
    }
}

fn each<T>(
    values: &dyn Fn(&str) -> Vec<Value>,
    attribute: &'static str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, RuleError> {
    let values = values(attribute);
    let read = values.iter().enumerate().map(|(index, value)| {
        let text = std::str::from_utf8(value).map_err(|_| "is no text".to_owned());
        text.and_then(|text| read(text.trim())).map_err(|problem| RuleError { attribute, index, problem })
    });
    read.collect()
}

fn read_effect(text: &str) -> Result<Effect, String> {
    match text.to_ascii_lowercase().as_str() {
        "allow" => Ok(Effect::Allow),
        "deny" => Ok(Effect::Deny),
        "require-factor" => Ok(Effect::RequireFactor),
        _ => Err(format!("{text:?} is no effect; write allow, deny or require-factor")),
    }
}

impl AccountKind {
    /// Reads an accountKind.
    pub fn read(text: &str) -> Result<AccountKind, String> {
        match text.to_ascii_lowercase().as_str() {
            "person" => Ok(AccountKind::Person),
            "service" => Ok(AccountKind::Service),
            "breakglass" => Ok(AccountKind::BreakGlass),
            _ => Err(format!("{text:?} is no kind of account; write person, service or breakglass")),
        }
    }
}

/// Reads a network: bits behind its length would be taken for an address in it.
fn read_network(text: &str) -> Result<IpNet, String> {
    let network = IpNet::from_str(text).map_err(|_| format!("{text:?} is no network; write one like 10.1.0.0/16"))?;
    if network.trunc() != network {
        return Err(format!("{text:?} has bits behind its length; write {}", network.trunc()));
    }
    Ok(network)
}

fn read_listener(text: &str) -> Result<Listener, String> {
    match text.to_ascii_lowercase().as_str() {
        "ldap" => Ok(Listener::Ldap),
        "ldaps" => Ok(Listener::Ldaps),
        "ldapi" => Ok(Listener::Ldapi),
        _ => Err(format!("{text:?} is no listener; write ldap, ldaps or ldapi")),
    }
}

fn read_boolean(text: &str) -> Result<bool, String> {
    match text {
        "TRUE" => Ok(true),
        "FALSE" => Ok(false),
        _ => Err(format!("{text:?} is neither TRUE nor FALSE")),
    }
}

fn read_version(text: &str) -> Result<TlsVersion, String> {
    TlsVersion::read(text).ok_or_else(|| format!("{text:?} is no version of TLS; write 1.2 or 1.3"))
}

impl KeyUsage {
    /// A name such as clientAuth, or a dotted number.
    pub fn read(text: &str) -> Result<KeyUsage, String> {
        if let Some((_, number)) = KEY_USAGES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return Ok(KeyUsage((*number).to_owned()));
        }
        let is_arc = |arc: &str| !arc.is_empty() && arc.bytes().all(|octet| octet.is_ascii_digit());
        match text.contains('.') && text.split('.').all(is_arc) {
            true => Ok(KeyUsage(text.to_owned())),
            false => Err(format!("{text:?} is no extended key usage; write clientAuth, smartcardLogon or a dotted number")),
        }
    }
}

impl TlsVersion {
    /// `1.2`, or `TLSv1.2` as a handshake tells it.
    pub fn read(text: &str) -> Option<TlsVersion> {
        match text.trim_start_matches("TLSv") {
            "1.2" => Some(TlsVersion::V12),
            "1.3" => Some(TlsVersion::V13),
            _ => None,
        }
    }
}

fn read_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::from_generalized_time(text.as_bytes()).map_err(|error| format!("{text:?}: {error}"))
}
