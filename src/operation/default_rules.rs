//! The bind rules of a new directory, and what a directory of an older program lacks of them.

use bytes::Bytes;

use super::add::AddRequest;
use super::context::administrators;
use super::{bind_rules, otp};
use crate::directory::{Directory, RuleKind};
use crate::model::{Attribute, Timestamp};

/// Loopback, RFC 1918, unique local addresses (RFC 4193) and link-local ones (RFC 3927, RFC 4291).
const OWN_NETWORKS: [&str; 8] =
    ["127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"];

/// The rules, below `ou=binds,ou=policies` of this suffix.
pub fn entries(suffix: &str) -> Vec<AddRequest> {
    let administrators = format!("cn=administrators,ou=roles,{suffix}");
    let rule = |cn: &str, description: &str, effect: &str, parts: &[(&str, &[&str])]| {
        let mut attributes = vec![
            attribute("objectClass", &["top", "bindRule"]),
            attribute("cn", &[cn]),
            attribute("description", &[description]),
            attribute("bindEffect", &[effect]),
        ];
        attributes.extend(parts.iter().map(|(name, values)| attribute(name, values)));
        AddRequest::new(Bytes::from(format!("cn={cn},ou=binds,ou=policies,{suffix}")), attributes, Vec::new())
    };
    vec![
        rule(
            "administrators",
            "Administrators log in with a second factor, from anywhere",
            "require-factor",
            &[("bindGroup", &[administrators.as_str()])],
        ),
        rule(
            "people",
            "People log in from this machine and from private networks; write your own networks here",
            "allow",
            &[("bindAccountKind", &["person"]), ("bindNetwork", &OWN_NETWORKS)],
        ),
        rule(
            "services",
            "Services log in from the networks of their accountNetwork",
            "allow",
            &[("bindAccountKind", &["service"])],
        ),
        rule(
            "break-glass",
            "Accounts for emergencies log in with a second factor, from anywhere",
            "require-factor",
            &[("bindAccountKind", &["breakglass"])],
        ),
    ]
}

fn attribute(name: &str, values: &[&str]) -> Attribute {
    Attribute {
        description: name.to_owned(),
        values: values.iter().map(|value| Bytes::copy_from_slice(value.as_bytes())).collect(),
    }
}

/// What a directory that has a place for rules and none of them lacks: it would let nobody in.
pub fn missing(directory: &Directory) -> Vec<AddRequest> {
    let lacks = directory.rule_entries(RuleKind::BindRule).is_empty();
    match bind_rules::folder(directory) {
        Some(_) if lacks => entries(&directory.suffix().to_string()),
        _ => Vec::new(),
    }
}

/// The administrators who could log in over the network with a password, but for the second factor that the rules ask for and that they do
/// not have.
pub fn administrators_without_factor(directory: &Directory, now: Timestamp) -> Vec<String> {
    if !bind_rules::are_in_force(directory) {
        return Vec::new();
    }
    let without = |id: &crate::model::EntryId| otp::of_account(directory, *id, now).is_none();
    administrators(directory).filter(without).map(|id| directory.dn_text(id)).collect()
}
