//! Get Effective Rights (1.3.6.1.4.1.42.2.27.9.5.2): what somebody may do with the entries that are found. The value names who that is, in the
//! forms that clients of other servers send.
//!
//! ```text
//! value := authzId                                                    ldapsearch -E, 389
//!        | OCTET STRING authzId
//!        | SEQUENCE { authzId OCTET STRING, SEQUENCE OF AttributeType OPTIONAL }   OpenDJ
//! ```

use super::value::attribute_names;
use super::{Controls, Value};
use crate::protocol::LdapResult;
use crate::protocol::ber::{BerError, Reader};

/// What a client asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EffectiveRightsRequest {
    /// `dn:` and a name, or `u:` and a user name; none: the session itself.
    pub identity: Option<Vec<u8>>,
    /// Attributes beside those that the search asks for.
    pub attributes: Vec<String>,
}

pub(super) fn read(value: Value<'_>, controls: &mut Controls) -> Result<(), LdapResult> {
    let octets = value.given().unwrap_or_default();
    let request = if octets.is_empty() {
        EffectiveRightsRequest::default()
    } else if octets.starts_with(b"dn:") || octets.starts_with(b"u:") {
        EffectiveRightsRequest { identity: Some(octets.to_vec()), attributes: Vec::new() }
    } else {
        encoded(octets).map_err(|_: BerError| value.undecodable())?
    };
    controls.effective_rights = Some(request);
    Ok(())
}

fn encoded(octets: &[u8]) -> Result<EffectiveRightsRequest, BerError> {
    let mut reader = Reader::new(octets);
    if let Ok(identity) = Reader::new(octets).octet_string() {
        reader.octet_string()?;
        reader.finish()?;
        return Ok(EffectiveRightsRequest { identity: given(identity), attributes: Vec::new() });
    }
    let mut parts = reader.sequence()?;
    reader.finish()?;
    let identity = given(parts.octet_string()?);
    let mut attributes = Vec::new();
    if !parts.is_empty() {
        attributes = attribute_names(&mut parts.sequence()?)?;
    }
    parts.finish()?;
    Ok(EffectiveRightsRequest { identity, attributes })
}

/// `dn:` alone is nobody; no octets at all are the session itself.
fn given(identity: &[u8]) -> Option<Vec<u8>> {
    (!identity.is_empty()).then(|| identity.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_forms_say_the_same() {
        let identity = Some(b"dn:uid=a".to_vec());
        assert_eq!(encoded(b"\x04\x08dn:uid=a").unwrap().identity, identity);
        let request = encoded(b"\x30\x10\x04\x08dn:uid=a\x30\x04\x04\x02cn").unwrap();
        assert_eq!(request, EffectiveRightsRequest { identity: identity.clone(), attributes: vec!["cn".to_owned()] });
        assert_eq!(encoded(b"\x30\x0a\x04\x08dn:uid=a").unwrap().identity, identity);
        assert_eq!(encoded(b"\x04\x00").unwrap(), EffectiveRightsRequest::default());
        for bad in [&b"\x30\x0a\x04\x08dn:uid="[..], b"\x04\x08dn:uid=ab", b"uid=a", b"\x30\x00"] {
            assert!(encoded(bad).is_err(), "{bad:?}");
        }
    }
}
