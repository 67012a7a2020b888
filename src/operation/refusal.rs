//! Why an operation is not done: what the client may learn, and what the journal says of it.

use crate::directory::Directory;
use crate::model::schema::{ContentViolation, DescriptionError, PlacementViolation, Schema};
use crate::model::{Dn, DnError, EntryId, ResultCode};
use crate::protocol::LdapResult;

/// A refused operation.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// All that a client may learn.
    pub(crate) result: LdapResult,
    /// For the journal, from the list in [`Refusal::of_result`].
    pub(crate) reason: &'static str,
}

impl Refusal {
    /// A code and the text BEHAVIOUR gives it.
    pub(crate) fn new(code: ResultCode, diagnostic: impl Into<String>) -> Refusal {
        Refusal::of_result(LdapResult::with(code, diagnostic))
    }

    /// 32 with the nearest entry that exists.
    pub(crate) fn no_such_object(directory: &Directory, matched: Option<EntryId>) -> Refusal {
        let mut result = LdapResult::of(ResultCode::NoSuchObject);
        result.matched = matched.map(|id| directory.dn_text(id)).unwrap_or_default();
        Refusal::of_result(result)
    }

    /// The reason follows from the code.
    pub(crate) fn of_result(result: LdapResult) -> Refusal {
        let reason = match result.code {
            ResultCode::ProtocolError => "malformed request",
            ResultCode::AdminLimitExceeded => "over a limit",
            ResultCode::UnavailableCriticalExtension => "unknown critical control",
            ResultCode::ConfidentialityRequired => "clear connection",
            ResultCode::StrongerAuthRequired => "not authenticated",
            ResultCode::InsufficientAccessRights => "not permitted",
            ResultCode::NoSuchObject => "no such entry",
            ResultCode::InvalidDnSyntax => "invalid name",
            ResultCode::UnwillingToPerform | ResultCode::AffectsMultipleDsas | ResultCode::Referral => "not served here",
            ResultCode::NotAllowedOnNonLeaf => "not a leaf",
            ResultCode::EntryAlreadyExists => "entry exists",
            ResultCode::AuthorizationDenied => "not authorized to assume identity",
            ResultCode::AssertionFailed => "assertion is false",
            ResultCode::Busy => "busy",
            ResultCode::NoSuchAttribute | ResultCode::AttributeOrValueExists => "value",
            _ => "schema",
        };
        Refusal { result, reason }
    }

    /// The same for another reason.
    pub(crate) fn because(self, reason: &'static str) -> Refusal {
        Refusal { reason, ..self }
    }
}

impl From<LdapResult> for Refusal {
    fn from(result: LdapResult) -> Refusal {
        Refusal::of_result(result)
    }
}

impl From<DescriptionError> for Refusal {
    fn from(error: DescriptionError) -> Refusal {
        Refusal::new(ResultCode::UndefinedAttributeType, error.to_string())
    }
}

impl From<ContentViolation> for Refusal {
    fn from(violation: ContentViolation) -> Refusal {
        let code = match violation {
            ContentViolation::UnknownClass(_) => ResultCode::InvalidAttributeSyntax,
            ContentViolation::NoStructuralClass
            | ContentViolation::TwoStructuralChains(..)
            | ContentViolation::AbstractInstantiated(_)
            | ContentViolation::Missing { .. }
            | ContentViolation::NotAllowed(_)
            | ContentViolation::RuleRequires { .. }
            | ContentViolation::RulePrecludes { .. }
            | ContentViolation::ClassNotInRule { .. }
            | ContentViolation::ObsoleteClass(_) => ResultCode::ObjectClassViolation,
        };
        Refusal::new(code, violation.to_string())
    }
}

impl From<PlacementViolation> for Refusal {
    fn from(violation: PlacementViolation) -> Refusal {
        Refusal::new(ResultCode::NamingViolation, violation.to_string())
    }
}

/// Reads a name whose attribute types are all defined and whose values are of their syntax, as slapd asks of every name in a request;
/// anything else is 34 with this text.
pub(crate) fn parse_name(schema: &Schema, name: &[u8], diagnostic: &str) -> Result<Dn, Refusal> {
    let dn = Dn::parse(name).map_err(|DnError| Refusal::new(ResultCode::InvalidDnSyntax, diagnostic))?;
    if dn.rdns.iter().all(|rdn| is_sound(schema, rdn)) {
        Ok(dn)
    } else {
        Err(Refusal::new(ResultCode::InvalidDnSyntax, diagnostic))
    }
}

/// Whether every pair of an RDN has a defined type, each once, and a value of its syntax.
pub(crate) fn is_sound(schema: &Schema, rdn: &crate::model::Rdn) -> bool {
    let mut seen = Vec::with_capacity(rdn.parts.len());
    rdn.parts.iter().all(|part| {
        schema.attribute_type(&part.attribute_type).is_some_and(|attribute_type| {
            let first = !seen.contains(&attribute_type.id);
            seen.push(attribute_type.id);
            first && !part.value.is_empty() && schema.check_syntax(attribute_type.id, &part.value).is_ok()
        })
    })
}
