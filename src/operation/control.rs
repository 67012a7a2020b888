//! Request controls: which are known, where they are allowed, and what they ask for (RFC 4511 section 4.1.11).

use bytes::Bytes;

use super::Limits;
use super::selection::Selection;
use crate::model::{Filter, ResultCode};
use crate::protocol::ber::{self, BerError, Reader};
use crate::protocol::{Control, LdapResult, ResponseKind, filter, oid};

/// What the controls of one request ask for.
#[derive(Clone, Debug, Default)]
pub struct Controls {
    /// Assertion (RFC 4528).
    pub assertion: Option<Filter>,
    /// Pre-read (RFC 4527): the attributes asked for.
    pub pre_read: Option<Vec<String>>,
    /// Post-read (RFC 4527): the attributes asked for.
    pub post_read: Option<Vec<String>>,
    /// Simple paged results (RFC 2696).
    pub paged: Option<PagedRequest>,
    /// ManageDsaIT (RFC 3296).
    pub manage_dsa_it: bool,
    /// Tree delete.
    pub tree_delete: bool,
}

/// The value of a paged results control (RFC 2696).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PagedRequest {
    /// Entries on this page.
    pub size: u32,
    /// Empty on the first page.
    pub cookie: Vec<u8>,
}

/// A control this server knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Known {
    Assertion,
    PreRead,
    PostRead,
    PagedResults,
    ManageDsaIt,
    TreeDelete,
}

/// The controls for the root DSE's supportedControl.
pub(crate) const SUPPORTED: [&str; 6] =
    [oid::ASSERTION, oid::PRE_READ, oid::POST_READ, oid::PAGED_RESULTS, oid::MANAGE_DSA_IT, oid::TREE_DELETE];

impl Known {
    fn of(oid: &str) -> Option<Known> {
        match oid {
            oid::ASSERTION => Some(Known::Assertion),
            oid::PRE_READ => Some(Known::PreRead),
            oid::POST_READ => Some(Known::PostRead),
            oid::PAGED_RESULTS => Some(Known::PagedResults),
            oid::MANAGE_DSA_IT => Some(Known::ManageDsaIt),
            oid::TREE_DELETE => Some(Known::TreeDelete),
            _ => None,
        }
    }

    /// As slapd's texts call it.
    fn name(self) -> &'static str {
        match self {
            Known::Assertion => "assert",
            Known::PreRead => "preread",
            Known::PostRead => "postread",
            Known::PagedResults => "paged results",
            Known::ManageDsaIt => "manageDSAit",
            Known::TreeDelete => "treeDelete",
        }
    }

    fn belongs_to(self, kind: ResponseKind) -> bool {
        use ResponseKind::{Add, Compare, Delete, Modify, ModifyDn, SearchDone};
        match self {
            Known::Assertion | Known::ManageDsaIt => matches!(kind, Add | Compare | Delete | Modify | ModifyDn | SearchDone),
            Known::PreRead => matches!(kind, Delete | Modify | ModifyDn),
            Known::PostRead => matches!(kind, Add | Modify | ModifyDn),
            Known::PagedResults => kind == SearchDone,
            Known::TreeDelete => kind == Delete,
        }
    }
}

/// Reads the controls of a request that `kind` answers. Refused: 12 for a critical control that is unknown or has no place here, 2 for
/// one that is there twice or whose value cannot be read, 11 for too many.
pub fn decode(kind: ResponseKind, controls: &[Control], limits: &Limits) -> Result<Controls, LdapResult> {
    if controls.len() > limits.controls {
        return Err(LdapResult::with(ResultCode::AdminLimitExceeded, "too many controls"));
    }
    let mut decoded = Controls::default();
    let mut seen = Vec::new();
    for control in controls {
        let Some(known) = Known::of(&control.oid) else {
            if control.critical {
                let text = "critical extension is not recognized";
                return Err(LdapResult::with(ResultCode::UnavailableCriticalExtension, text));
            }
            continue;
        };
        if seen.contains(&known) {
            return Err(protocol_error(known, "control specified multiple times"));
        }
        seen.push(known);
        if known.belongs_to(kind) {
            decode_one(known, control.value.as_ref(), &mut decoded)?;
        } else if control.critical {
            let text = "critical control unavailable in context";
            return Err(LdapResult::with(ResultCode::UnavailableCriticalExtension, text));
        }
    }
    Ok(decoded)
}

fn decode_one(known: Known, value: Option<&Bytes>, decoded: &mut Controls) -> Result<(), LdapResult> {
    let needed = || value.filter(|value| !value.is_empty()).ok_or_else(|| protocol_error(known, "control value is absent"));
    let undecodable = |_: BerError| protocol_error(known, "control could not be decoded");
    match known {
        Known::Assertion => decoded.assertion = Some(assertion(needed()?)?),
        Known::PreRead => decoded.pre_read = Some(attribute_selection(needed()?).map_err(undecodable)?),
        Known::PostRead => decoded.post_read = Some(attribute_selection(needed()?).map_err(undecodable)?),
        Known::PagedResults => decoded.paged = Some(paged(needed()?)?),
        Known::ManageDsaIt | Known::TreeDelete if value.is_some() => {
            return Err(protocol_error(known, "control value not absent"));
        }
        Known::ManageDsaIt => decoded.manage_dsa_it = true,
        Known::TreeDelete => decoded.tree_delete = true,
    }
    Ok(())
}

fn protocol_error(known: Known, problem: &str) -> LdapResult {
    LdapResult::with(ResultCode::ProtocolError, format!("{} {problem}", known.name()))
}

/// RFC 4528: a Filter.
fn assertion(value: &[u8]) -> Result<Filter, LdapResult> {
    let mut reader = Reader::new(value);
    let filter = filter::decode(&mut reader).map_err(|error| LdapResult::with(error.code(), error.diagnostic()))?;
    reader.finish().map_err(|_| protocol_error(Known::Assertion, "control could not be decoded"))?;
    Ok(filter)
}

/// RFC 4527: an AttributeSelection.
fn attribute_selection(value: &[u8]) -> Result<Vec<String>, BerError> {
    let mut outer = Reader::new(value);
    let mut list = outer.sequence()?;
    outer.finish()?;
    let mut attributes = Vec::new();
    while !list.is_empty() {
        if attributes.len() >= Selection::MAXIMUM {
            return Err(BerError("too many attributes asked for"));
        }
        let name = std::str::from_utf8(list.octet_string()?).map_err(|_| BerError("attribute is not UTF-8"))?;
        attributes.push(name.to_owned());
    }
    Ok(attributes)
}

/// RFC 2696: `SEQUENCE { size INTEGER, cookie OCTET STRING }`.
fn paged(value: &[u8]) -> Result<PagedRequest, LdapResult> {
    let read = || {
        let mut outer = Reader::new(value);
        let mut inner = outer.sequence()?;
        outer.finish()?;
        let parts = (inner.integer()?, inner.octet_string()?.to_vec());
        inner.finish()?;
        Ok(parts)
    };
    let (size, cookie) = read().map_err(|_: BerError| protocol_error(Known::PagedResults, "control could not be decoded"))?;
    let size = u32::try_from(size).ok().filter(|&size| size <= i32::MAX as u32);
    let size = size.ok_or_else(|| protocol_error(Known::PagedResults, "control size invalid"))?;
    Ok(PagedRequest { size, cookie })
}

/// The paged results control of a response. The size is no estimate: RFC 2696 lets a server that has none send 0.
pub(crate) fn paged_response(cookie: &[u8]) -> Control {
    let value = ber::encode(|writer| {
        writer.sequence(|writer| {
            writer.integer(0);
            writer.octet_string(cookie);
        });
    });
    Control { oid: oid::PAGED_RESULTS.to_owned(), critical: false, value: Some(value) }
}

/// The value of a pre- or post-read response: a SearchResultEntry, with its own tag `[APPLICATION 4]`.
pub(crate) fn read_response(oid: &str, name: &str, attributes: &[u8]) -> Control {
    let value = ber::encode(|writer| {
        writer.constructed_about(ber::Tag(0x64), name.len() + attributes.len() + 8, |writer| {
            writer.octet_string(name.as_bytes());
            writer.constructed_about(ber::Tag::SEQUENCE, attributes.len(), |writer| writer.raw(attributes));
        });
    });
    Control { oid: oid.to_owned(), critical: false, value: Some(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(oid: &str, critical: bool, value: Option<&'static [u8]>) -> Control {
        Control { oid: oid.to_owned(), critical, value: value.map(Bytes::from_static) }
    }

    fn refused(kind: ResponseKind, controls: &[Control]) -> (ResultCode, String) {
        let result = decode(kind, controls, &Limits::default()).unwrap_err();
        (result.code, result.diagnostic)
    }

    #[test]
    fn unknown_controls_are_refused_only_when_critical() {
        let (code, text) = refused(ResponseKind::Modify, &[control("1.2.3.4", true, None)]);
        assert_eq!((code, text.as_str()), (ResultCode::UnavailableCriticalExtension, "critical extension is not recognized"));
        assert!(decode(ResponseKind::Modify, &[control("1.2.3.4", false, None)], &Limits::default()).is_ok());
    }

    #[test]
    fn known_controls_out_of_place_are_refused_only_when_critical() {
        let paged = |critical| control(oid::PAGED_RESULTS, critical, Some(&[0x30, 5, 2, 1, 1, 4, 0]));
        assert_eq!(refused(ResponseKind::Add, &[paged(true)]).0, ResultCode::UnavailableCriticalExtension);
        let ignored = decode(ResponseKind::Add, &[paged(false)], &Limits::default()).unwrap();
        assert!(ignored.paged.is_none());
        let taken = decode(ResponseKind::SearchDone, &[paged(true)], &Limits::default()).unwrap();
        assert_eq!(taken.paged, Some(PagedRequest { size: 1, cookie: Vec::new() }));
    }

    #[test]
    fn twice_malformed_negative_and_too_many() {
        let manage = || control(oid::MANAGE_DSA_IT, false, None);
        let (code, text) = refused(ResponseKind::Delete, &[manage(), manage()]);
        assert_eq!((code, text.as_str()), (ResultCode::ProtocolError, "manageDSAit control specified multiple times"));
        let negative = control(oid::PAGED_RESULTS, true, Some(&[0x30, 5, 2, 1, 0xff, 4, 0]));
        assert_eq!(refused(ResponseKind::SearchDone, &[negative]).0, ResultCode::ProtocolError);
        for bad in [None, Some(&b""[..]), Some(&[0x30, 9][..]), Some(&[0x30, 5, 2, 1, 1, 4, 0, 0][..])] {
            assert_eq!(
                refused(ResponseKind::SearchDone, &[control(oid::PAGED_RESULTS, false, bad)]).0,
                ResultCode::ProtocolError
            );
        }
        let many: Vec<Control> = (0..11).map(|n| control(&format!("1.2.{n}"), false, None)).collect();
        assert_eq!(refused(ResponseKind::Delete, &many).0, ResultCode::AdminLimitExceeded);
    }
}
