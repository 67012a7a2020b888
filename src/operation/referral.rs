//! Referral entries (RFC 3296): what they say to requests for names at or below them, and to searches that come across them.

use std::fmt::Write as _;

use super::refusal::Refusal;
use crate::directory::{Directory, Lookup};
use crate::model::{Dn, EntryId, ResultCode, Scope};
use crate::protocol::LdapResult;

/// 10 for a name at or below a referral entry. `scope`: of the search, which goes into the URIs.
pub(crate) fn check(directory: &Directory, dn: &Dn, scope: Option<Scope>) -> Result<(), Refusal> {
    if directory.referrals().is_empty() {
        return Ok(());
    }
    let nearest = match directory.find(dn) {
        Lookup::Found(id) => id,
        Lookup::Missing { matched } => matched,
        Lookup::Outside => return Ok(()),
    };
    match directory.referral_above(nearest) {
        Some(referral) => Err(refer(directory, referral, dn, scope)),
        None => Ok(()),
    }
}

/// The answer to a request for `dn`, which is that of the referral entry or lies below it.
fn refer(directory: &Directory, referral: EntryId, dn: &Dn, scope: Option<Scope>) -> Refusal {
    let mut result = LdapResult::of(ResultCode::Referral);
    result.matched = directory.dn_text(referral);
    result.referral = uris(directory, referral, dn, scope.map(of_search));
    Refusal::of_result(result)
}

/// The URIs of a continuation reference (RFC 4511 section 4.5.3) for a referral entry in the scope of a search.
pub(crate) fn continuation(directory: &Directory, referral: EntryId, scope: Scope) -> Vec<String> {
    let scope = if scope == Scope::One { "base" } else { "sub" };
    uris(directory, referral, &directory.dn(referral), Some(scope))
}

/// RFC 4516 section 2; `subordinate` is draft-sermersheim-ldap-subordinate-scope's.
fn of_search(scope: Scope) -> &'static str {
    match scope {
        Scope::Base => "base",
        Scope::One => "one",
        Scope::Subtree => "sub",
        Scope::Children => "subordinate",
    }
}

fn uris(directory: &Directory, referral: EntryId, dn: &Dn, scope: Option<&str>) -> Vec<String> {
    let schema = directory.schema();
    let depth = directory.dn(referral).rdns.len();
    let below = Dn { rdns: dn.rdns.iter().take(dn.rdns.len().saturating_sub(depth)).cloned().collect() };
    let values = schema.attribute_type("ref").zip(directory.node(referral));
    let values = values.into_iter().flat_map(|(attribute_type, node)| node.entry.values(attribute_type.id));
    values.map(|value| uri(&String::from_utf8_lossy(value), &below, dn, scope)).collect()
}

/// A value of `ref` for one request: its name is put behind what lies below the referral entry, the name asked for where it has none;
/// its scope stays. What is no LDAP URL stays as it is.
fn uri(value: &str, below: &Dn, dn: &Dn, scope: Option<&str>) -> String {
    // A label may follow (RFC 2079).
    let url = value.split([' ', '\t']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| is_ldap(scheme)) else { return url.to_owned() };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut parts = path.splitn(4, '?');
    let name = parts.next().unwrap_or_default();
    let attributes = parts.next().unwrap_or_default();
    let own_scope = parts.next().unwrap_or_default();
    let filter = parts.next().unwrap_or_default();
    let mut uri = format!("{scheme}://{host}/");
    match (name, below.is_empty()) {
        ("", _) => encode(&dn.to_string(), &mut uri),
        (name, true) => uri.push_str(name),
        (name, false) => {
            encode(&below.to_string(), &mut uri);
            uri.push(',');
            uri.push_str(name);
        }
    }
    let scope = if own_scope.is_empty() { scope.unwrap_or_default() } else { own_scope };
    let mut fields = vec![attributes, scope, filter];
    while fields.last().is_some_and(|field| field.is_empty()) {
        fields.pop();
    }
    fields.iter().for_each(|field| {
        uri.push('?');
        uri.push_str(field);
    });
    uri
}

fn is_ldap(scheme: &str) -> bool {
    ["ldap", "ldaps", "ldapi"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// Percent-encodes what may not stand in the name of an LDAP URL as it is (RFC 4516 section 2.1, RFC 3986 section 3.3).
fn encode(name: &str, uri: &mut String) {
    for octet in name.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&octet) {
            uri.push(char::from(octet));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(uri, "%{octet:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn for_request(value: &str, below: &str, scope: Option<&str>) -> String {
        let below = Dn::parse(below.as_bytes()).unwrap();
        let mut dn = below.clone();
        dn.rdns.extend(Dn::parse(b"ou=south,dc=mercy,dc=example").unwrap().rdns);
        uri(value, &below, &dn, scope)
    }

    #[test]
    fn names_are_completed_and_scopes_filled_in() {
        for (value, below, scope, expected) in [
            ("ldap://h", "", None, "ldap://h/ou=south,dc=mercy,dc=example"),
            ("ldap://h/", "cn=x", Some("one"), "ldap://h/cn=x,ou=south,dc=mercy,dc=example??one"),
            ("ldap://h:390/dc=other", "", Some("sub"), "ldap://h:390/dc=other??sub"),
            ("LDAPS://h/ou=a%20b,dc=other??sub", "cn=x y", Some("base"), "LDAPS://h/cn=x%20y,ou=a%20b,dc=other??sub"),
            ("ldap://h/dc=other?cn?one?(cn=*)?!x", "cn=x", Some("sub"), "ldap://h/cn=x,dc=other?cn?one?(cn=*)?!x"),
            ("ldap://h/dc=other???(cn=*)", "", Some("sub"), "ldap://h/dc=other??sub?(cn=*)"),
            ("ldap://h/dc=other a label", "", None, "ldap://h/dc=other"),
            ("https://h/x", "cn=x", Some("sub"), "https://h/x"),
            ("ldap://h", "cn=ä?#/\\2C", None, "ldap://h/cn=%C3%A4%3F%23%2F%5C2C,ou=south,dc=mercy,dc=example"),
            ("ldapi://%2Fvar%2Fldapi/dc=x", "", None, "ldapi://%2Fvar%2Fldapi/dc=x"),
            ("", "cn=x", None, ""),
        ] {
            assert_eq!(for_request(value, below, scope), expected, "{value}");
        }
    }
}
