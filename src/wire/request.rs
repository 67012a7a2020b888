//! One request from its octets. What is wrong with the envelope ends the connection; what is wrong inside becomes
//! [`Request::Malformed`] and is answered under its own message ID.
//!
//! ```text
//! LDAPMessage := SEQUENCE { messageID INTEGER (1 .. 2^31 − 1), protocolOp, controls [0] SEQUENCE OF Control OPTIONAL }
//! ```

use bytes::Bytes;

use super::WireError;
use super::frame::{self, Flaw};
use crate::model::{Attribute, DerefAliases, Modification, ModificationOperation, ResultCode, Scope, Secret, Value};
use crate::protocol::ber::{self, BerError, Reader, Tag};
use crate::protocol::filter::{self, FilterDecodeError};
use crate::protocol::{Authentication, BindRequest, Control, Message, MessageId, Request, ResponseKind, SearchRequest, oid};

/// What a tag in the place of the operation asks for.
#[derive(Clone, Copy)]
enum Operation {
    Unbind,
    Abandon,
    /// One that is answered, and with what.
    Answered(ResponseKind),
}

/// Why a request is answered with an error before anybody looked at what it asks for.
struct Refused {
    code: ResultCode,
    diagnostic: &'static str,
}

impl From<&'static str> for Refused {
    fn from(diagnostic: &'static str) -> Refused {
        Refused { code: ResultCode::ProtocolError, diagnostic }
    }
}

impl From<BerError> for Refused {
    fn from(_: BerError) -> Refused {
        Refused::from("decoding error")
    }
}

impl From<FilterDecodeError> for Refused {
    fn from(error: FilterDecodeError) -> Refused {
        Refused { code: error.code(), diagnostic: error.diagnostic() }
    }
}

/// Decodes the content of one LDAPMessage.
pub(super) fn decode(content: &[u8]) -> Result<Message, WireError> {
    let undecodable = |error: BerError| WireError::Undecodable(error.0);
    let mut envelope = Reader::new(content);
    let id = message_id(envelope.expect(Tag::INTEGER).map_err(undecodable)?).ok_or(WireError::Undecodable("bad message ID"))?;
    let (tag, body) = envelope.element().map_err(undecodable)?;
    let operation = operation(tag).ok_or(WireError::Undecodable("unknown operation"))?;
    let too_large = match frame::check(content) {
        Ok(()) => None,
        Err(Flaw::Structure(text)) => return Err(WireError::Undecodable(text)),
        Err(flaw) => Some(flaw),
    };
    let kind = match operation {
        Operation::Answered(kind) => kind,
        // Nothing answers these two, and nothing that stands beside them could change what they ask for.
        Operation::Unbind => return Ok(Message { id, request: Request::Unbind, controls: Vec::new() }),
        Operation::Abandon => {
            let abandoned = message_id(body).ok_or(WireError::Undecodable("bad message ID to abandon"))?;
            return Ok(Message { id, request: Request::Abandon(abandoned), controls: Vec::new() });
        }
    };
    let decoded = match too_large {
        None => request(kind, body).and_then(|request| Ok((request, controls(envelope)?))),
        Some(flaw) => Err(over_limits(kind, flaw)),
    };
    Ok(match decoded {
        Ok((request, controls)) => Message { id, request, controls },
        Err(Refused { code, diagnostic }) => {
            Message { id, request: Request::Malformed { kind, code, diagnostic }, controls: Vec::new() }
        }
    })
}

/// Whether the content of an LDAPMessage is that of an Abandon or a Cancel, judged by its first elements alone.
pub(super) fn ends_another(content: &[u8]) -> bool {
    let mut envelope = Reader::new(content);
    let operation = envelope.expect(Tag::INTEGER).and_then(|_| envelope.element());
    match operation {
        Ok((Tag(0x50), _)) => true,
        Ok((Tag(0x77), body)) => Reader::new(body).expect(Tag::context(0)).is_ok_and(|name| name == oid::CANCEL.as_bytes()),
        _ => false,
    }
}

/// A limit of ours is no fault in the protocol: adminLimitExceeded, and the connection goes on.
fn over_limits(kind: ResponseKind, flaw: Flaw) -> Refused {
    let diagnostic = match flaw {
        Flaw::TooMany => "too many elements in one request",
        _ if kind == ResponseKind::SearchDone => FilterDecodeError::TooDeep.diagnostic(),
        _ => "request nested too deeply",
    };
    Refused { code: ResultCode::AdminLimitExceeded, diagnostic }
}

fn operation(tag: Tag) -> Option<Operation> {
    Some(match tag.0 {
        0x60 => Operation::Answered(ResponseKind::Bind),
        0x42 => Operation::Unbind,
        0x63 => Operation::Answered(ResponseKind::SearchDone),
        0x66 => Operation::Answered(ResponseKind::Modify),
        0x68 => Operation::Answered(ResponseKind::Add),
        0x4a => Operation::Answered(ResponseKind::Delete),
        0x6c => Operation::Answered(ResponseKind::ModifyDn),
        0x6e => Operation::Answered(ResponseKind::Compare),
        0x50 => Operation::Abandon,
        0x77 => Operation::Answered(ResponseKind::Extended),
        _ => return None,
    })
}

fn message_id(content: &[u8]) -> Option<MessageId> {
    let id = ber::integer(content).ok().and_then(|id| i32::try_from(id).ok())?;
    (id > 0).then_some(MessageId(id))
}

fn request(kind: ResponseKind, body: &[u8]) -> Result<Request, Refused> {
    let parts = Reader::new(body);
    match kind {
        ResponseKind::Bind => bind(parts),
        ResponseKind::SearchDone => search(parts),
        ResponseKind::Modify => modify(parts),
        ResponseKind::Add => add(parts),
        ResponseKind::Delete => Ok(Request::Delete { name: Bytes::copy_from_slice(body) }),
        ResponseKind::ModifyDn => modify_dn(parts),
        ResponseKind::Compare => compare(parts),
        ResponseKind::Extended => extended(parts),
    }
}

/// `BindRequest := { version INTEGER (1 .. 127), name, [0] simple | [3] sasl { mechanism, credentials OPTIONAL } }`
fn bind(mut parts: Reader<'_>) -> Result<Request, Refused> {
    let version = u8::try_from(parts.integer()?).ok().filter(|version| (1..=127).contains(version));
    let version = version.ok_or("requested protocol version not supported")?;
    let name = octets(&mut parts)?;
    let (choice, content) = parts.element()?;
    parts.finish_extensible(4)?;
    let authentication = match choice {
        Tag(0x80) => Authentication::Simple(Secret::from(content)),
        Tag(0xa3) => {
            let mut sasl = Reader::new(content);
            let mechanism = text(sasl.octet_string()?, "SASL mechanism is not UTF-8")?;
            let credentials = sasl.optional(Tag::OCTET_STRING)?.map(Secret::from);
            sasl.finish_extensible(0)?;
            Authentication::Sasl { mechanism, credentials }
        }
        Tag(0xa0 | 0x83) => return Err(Refused::from("decoding error")),
        choice if choice.class() == ber::Class::Context => Authentication::Unknown,
        _ => return Err(Refused::from("decoding error")),
    };
    Ok(Request::Bind(BindRequest { version, name, authentication }))
}

/// `SearchRequest := { baseObject, scope, derefAliases, sizeLimit, timeLimit, typesOnly, filter, attributes }`
fn search(mut parts: Reader<'_>) -> Result<Request, Refused> {
    let base = octets(&mut parts)?;
    let scope = match parts.enumerated()? {
        0 => Scope::Base,
        1 => Scope::One,
        2 => Scope::Subtree,
        3 => Scope::Children,
        _ => return Err(Refused::from("invalid scope")),
    };
    let deref = match parts.enumerated()? {
        0 => DerefAliases::Never,
        1 => DerefAliases::InSearching,
        2 => DerefAliases::FindingBase,
        3 => DerefAliases::Always,
        _ => return Err(Refused::from("invalid deref")),
    };
    let size_limit = limit(parts.integer()?).ok_or("invalid size limit")?;
    let time_limit = limit(parts.integer()?).ok_or("invalid time limit")?;
    let types_only = parts.boolean()?;
    let filter = filter::decode(&mut parts)?;
    let mut selectors = parts.sequence()?;
    parts.finish_extensible(0)?;
    let mut attributes = Vec::new();
    while !selectors.is_empty() {
        attributes.push(text(selectors.octet_string()?, "attribute selector is not UTF-8")?);
    }
    Ok(Request::Search(SearchRequest { base, scope, deref, size_limit, time_limit, types_only, filter, attributes }))
}

/// `INTEGER (0 .. maxInt)`
fn limit(value: i64) -> Option<u32> {
    i32::try_from(value).ok().and_then(|value| u32::try_from(value).ok())
}

/// `ModifyRequest := { object, changes SEQUENCE OF { operation ENUMERATED, modification PartialAttribute } }`
fn modify(mut parts: Reader<'_>) -> Result<Request, Refused> {
    let name = octets(&mut parts)?;
    let mut list = parts.sequence()?;
    parts.finish_extensible(0)?;
    let mut changes = Vec::new();
    while !list.is_empty() {
        let mut change = list.sequence()?;
        let operation = match change.enumerated()? {
            0 => ModificationOperation::Add,
            1 => ModificationOperation::Delete,
            2 => ModificationOperation::Replace,
            3 => ModificationOperation::Increment,
            _ => return Err(Refused::from("unrecognized modify operation")),
        };
        let attribute = attribute(change.sequence()?)?;
        change.finish_extensible(0)?;
        changes.push(Modification { operation, attribute });
    }
    Ok(Request::Modify { name, changes })
}

/// `AddRequest := { entry, attributes SEQUENCE OF Attribute }`
fn add(mut parts: Reader<'_>) -> Result<Request, Refused> {
    let name = octets(&mut parts)?;
    let mut list = parts.sequence()?;
    parts.finish_extensible(0)?;
    let mut attributes = Vec::new();
    while !list.is_empty() {
        attributes.push(attribute(list.sequence()?)?);
    }
    Ok(Request::Add { name, attributes })
}

/// `PartialAttribute := { type AttributeDescription, vals SET OF OCTET STRING }`
fn attribute(mut parts: Reader<'_>) -> Result<Attribute, Refused> {
    let description = filter::attribute_description(parts.octet_string()?)?;
    let mut set = parts.set()?;
    parts.finish_extensible(0)?;
    let mut values: Vec<Value> = Vec::new();
    while !set.is_empty() {
        values.push(octets(&mut set)?);
    }
    Ok(Attribute { description, values })
}

/// `ModifyDNRequest := { entry, newrdn, deleteoldrdn BOOLEAN, newSuperior [0] OPTIONAL }`
fn modify_dn(mut parts: Reader<'_>) -> Result<Request, Refused> {
    let name = octets(&mut parts)?;
    let new_rdn = octets(&mut parts)?;
    let delete_old_rdn = parts.boolean()?;
    let new_superior = parts.optional(Tag::context(0))?.map(Bytes::copy_from_slice);
    parts.finish_extensible(1)?;
    Ok(Request::ModifyDn { name, new_rdn, delete_old_rdn, new_superior })
}

/// `CompareRequest := { entry, ava { attributeDesc, assertionValue } }`
fn compare(mut parts: Reader<'_>) -> Result<Request, Refused> {
    let name = octets(&mut parts)?;
    let mut assertion = parts.sequence()?;
    parts.finish_extensible(0)?;
    let attribute = filter::attribute_description(assertion.octet_string()?)?;
    let value = Secret::from(assertion.octet_string()?);
    assertion.finish_extensible(0)?;
    Ok(Request::Compare { name, attribute, value })
}

/// `ExtendedRequest := { requestName [0], requestValue [1] OPTIONAL }`
fn extended(mut parts: Reader<'_>) -> Result<Request, Refused> {
    let oid = text(parts.expect(Tag::context(0))?, "request name is not UTF-8")?;
    let value = parts.optional(Tag::context(1))?.map(Secret::from);
    parts.finish_extensible(2)?;
    Ok(Request::Extended { oid, value })
}

/// What follows the operation: `[0] SEQUENCE OF { controlType, criticality BOOLEAN DEFAULT FALSE, controlValue OPTIONAL }`
fn controls(mut envelope: Reader<'_>) -> Result<Vec<Control>, Refused> {
    let failed = |_: BerError| Refused::from("controls decoding error");
    let list = envelope.optional(Tag::context_constructed(0)).map_err(failed)?;
    envelope.finish_extensible(1).map_err(failed)?;
    let mut list = Reader::new(list.unwrap_or_default());
    let mut controls = Vec::new();
    while !list.is_empty() {
        let mut control = list.sequence().map_err(failed)?;
        let oid = text(control.octet_string().map_err(failed)?, "control type is not UTF-8")?;
        let critical =
            control.optional(Tag::BOOLEAN).and_then(|content| content.map(ber::boolean).transpose()).map_err(failed)?;
        let value = control.optional(Tag::OCTET_STRING).map_err(failed)?.map(Bytes::copy_from_slice);
        control.finish_extensible(0).map_err(failed)?;
        controls.push(Control { oid, critical: critical.unwrap_or(false), value });
    }
    Ok(controls)
}

fn octets(parts: &mut Reader<'_>) -> Result<Bytes, BerError> {
    parts.octet_string().map(Bytes::copy_from_slice)
}

fn text(octets: &[u8], otherwise: &'static str) -> Result<String, &'static str> {
    std::str::from_utf8(octets).map(str::to_owned).map_err(|_| otherwise)
}
