//! Keys of names: equal keys mean equal names (RFC 4517 section 4.2.15).
//!
//! ```text
//! dn_key  := (length of rdn_key as 4 octets, big-endian ‖ rdn_key)*       most general RDN first: a subtree is a prefix
//! rdn_key := part                                                          one type=value
//!          | 0x00 ‖ (length of part as 4 octets ‖ part)*                   several, sorted
//! part    := lower-case canonical name ‖ '=' ‖ equality key               the type's rule took the value
//!          | lower-case name ‖ '#' ‖ octets of the value                  no rule, or a value that the rule refuses
//! ```

use super::{MatchingRule, RdnKey, Schema, matching_rule};
use crate::model::{AttributeTypeAndValue, Dn, Rdn};

/// Values inside names can be names themselves; deeper than this they are compared octet by octet, so that no name can
/// make the server recurse or work without bound.
const DEEPEST_NESTED_NAME: u8 = 3;

impl Schema {
    /// The key of one RDN. An undefined type is compared by its lower-case name and caseIgnoreMatch; a value its rule refuses, octet by octet.
    pub fn rdn_key(&self, rdn: &Rdn) -> RdnKey {
        RdnKey(self.nested_rdn_key(rdn, 0).into_boxed_slice())
    }

    /// The key of a whole name (the RDN keys, length-prefixed, most general first, so that a subtree is a prefix).
    pub fn dn_key(&self, dn: &Dn) -> Box<[u8]> {
        self.nested_dn_key(dn, 0).into_boxed_slice()
    }

    fn nested_dn_key(&self, dn: &Dn, depth: u8) -> Vec<u8> {
        let mut key = Vec::new();
        for rdn in dn.rdns.iter().rev() {
            push_prefixed(&mut key, &self.nested_rdn_key(rdn, depth));
        }
        key
    }

    fn nested_rdn_key(&self, rdn: &Rdn, depth: u8) -> Vec<u8> {
        if let [part] = rdn.parts.as_slice() {
            return self.part_key(part, depth);
        }
        let mut parts: Vec<Vec<u8>> = rdn.parts.iter().map(|part| self.part_key(part, depth)).collect();
        parts.sort_unstable();
        parts.dedup();
        let mut key = vec![0];
        for part in &parts {
            push_prefixed(&mut key, part);
        }
        key
    }

    fn part_key(&self, part: &AttributeTypeAndValue, depth: u8) -> Vec<u8> {
        // RFC 2253 section 3 lets clients write OID.2.5.4.3.
        let spelled = part.attribute_type.as_str();
        let base = match spelled.get(..4) {
            Some(prefix) if prefix.eq_ignore_ascii_case("oid.") => spelled.get(4..).unwrap_or_default(),
            _ => spelled,
        };
        let definition = self.attribute_type(base);
        let mut key = Vec::with_capacity(base.len() + part.value.len() + 1);
        match definition.and_then(|definition| self.key_names.get(definition.id.0 as usize)) {
            Some(name) => key.extend_from_slice(name.as_bytes()),
            None => key.extend(base.bytes().map(|octet| octet.to_ascii_lowercase())),
        }
        let value_key = match definition {
            Some(definition) => definition.equality.and_then(|rule| self.nested_value_key(rule, &part.value, depth)),
            None => (matching_rule::undefined_type_rule().prepare)(self, &part.value).ok().map(|key| key.0),
        };
        match value_key {
            Some(value_key) => {
                key.push(b'=');
                key.extend_from_slice(&value_key);
            }
            None => {
                key.push(b'#');
                key.extend_from_slice(&part.value);
            }
        }
        key
    }

    fn nested_value_key(&self, rule: &MatchingRule, value: &[u8], depth: u8) -> Option<Box<[u8]>> {
        if !rule.compares_names() {
            return (rule.prepare)(self, value).ok().map(|key| key.0);
        }
        if depth >= DEEPEST_NESTED_NAME {
            return None;
        }
        self.name_and_uid_key(value, rule.takes_uid(), depth + 1)
    }

    /// The key of a DN value, or of a DN with an optional unique identifier (`cn=x#'01'B`, RFC 4517 section 3.3.21).
    pub(super) fn name_and_uid_key(&self, value: &[u8], with_uid: bool, depth: u8) -> Option<Box<[u8]>> {
        let (name, uid) = if with_uid { super::syntax::split_uid(value) } else { (value, None) };
        let mut key = self.nested_dn_key(&Dn::parse(name).ok()?, depth);
        if let Some(bits) = uid {
            // No RDN key is that long, so this cannot be mistaken for one more RDN.
            key.extend_from_slice(&[0xff; 4]);
            key.extend_from_slice(bits);
        }
        Some(key.into_boxed_slice())
    }
}

fn push_prefixed(key: &mut Vec<u8>, part: &[u8]) {
    key.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX - 1).to_be_bytes());
    key.extend_from_slice(part);
}
