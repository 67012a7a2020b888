//! The value of a control on its way to being read, with slapd's texts for what can be wrong with it.

use bytes::Bytes;

use crate::model::ResultCode;
use crate::operation::selection::Selection;
use crate::protocol::ber::{BerError, Reader};
use crate::protocol::{Control, LdapResult};

/// The controlValue of one control.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    name: &'static str,
    octets: Option<&'a Bytes>,
    critical: bool,
}

impl<'a> Value<'a> {
    pub(super) fn new(name: &'static str, control: &'a Control) -> Value<'a> {
        Value { name, octets: control.value.as_ref(), critical: control.critical }
    }

    /// The octets; 2 where there are none.
    pub(super) fn octets(&self) -> Result<&'a [u8], LdapResult> {
        let octets = self.octets.filter(|octets| !octets.is_empty());
        octets.map(|octets| octets.as_ref()).ok_or_else(|| self.error("control value is absent"))
    }

    /// The octets, which may be none at all; 2 without a value.
    pub(super) fn given(&self) -> Result<&'a [u8], LdapResult> {
        self.octets.map(|octets| octets.as_ref()).ok_or_else(|| self.error("control value is absent"))
    }

    /// Whether the request depends on it.
    pub(super) fn is_critical(&self) -> bool {
        self.critical
    }

    /// 2 where there is a value.
    pub(super) fn absent(&self) -> Result<(), LdapResult> {
        if self.octets.is_some() { Err(self.error("control value not absent")) } else { Ok(()) }
    }

    /// What `read` makes of the elements of the SEQUENCE that the value must be; it must read all of them.
    pub(super) fn sequence<T>(&self, read: impl FnOnce(&mut Reader<'a>) -> Result<T, BerError>) -> Result<T, LdapResult> {
        let octets = self.octets()?;
        let read = || {
            let mut outer = Reader::new(octets);
            let mut inner = outer.sequence()?;
            outer.finish()?;
            let read = read(&mut inner)?;
            inner.finish()?;
            Ok(read)
        };
        read().map_err(|_: BerError| self.undecodable())
    }

    /// A BOOLEAN.
    pub(super) fn boolean(&self) -> Result<bool, LdapResult> {
        let bogus = || self.error("control value encoding is bogus");
        let mut reader = Reader::new(self.octets.ok_or_else(bogus)?);
        let value = reader.boolean().map_err(|_| bogus())?;
        reader.finish().map_err(|_| bogus())?;
        Ok(value)
    }

    /// RFC 4527: an AttributeSelection.
    pub(super) fn attribute_selection(&self) -> Result<Vec<String>, LdapResult> {
        self.sequence(attribute_names)
    }

    /// 2 with what is wrong.
    pub(super) fn error(&self, problem: &str) -> LdapResult {
        LdapResult::with(ResultCode::ProtocolError, format!("{} {problem}", self.name))
    }

    pub(super) fn undecodable(&self) -> LdapResult {
        self.error("control could not be decoded")
    }
}

/// Attribute descriptions to the end of `list`.
pub(super) fn attribute_names(list: &mut Reader<'_>) -> Result<Vec<String>, BerError> {
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
