//! Our messages as `ldap3_proto`'s, to hold the two decoders against each other. Used by the tests and by the fuzz target.
//!
//! The parent module brings `model` and `protocol` of this program into scope.

use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapAddRequest, LdapBindCred, LdapBindRequest, LdapCompareRequest, LdapDerefAliases, LdapExtendedRequest, LdapFilter,
    LdapMatchingRuleAssertion, LdapModify, LdapModifyDNRequest, LdapModifyRequest, LdapModifyType, LdapOp, LdapPartialAttribute,
    LdapSearchRequest, LdapSearchScope, LdapSubstringFilter, SaslCredentials,
};

use super::model::{Attribute, DerefAliases, Filter, ModificationOperation, Scope};
use super::protocol::{Authentication, Control, Request};

/// The operation in `ldap3_proto`'s types; `None` where those cannot hold it.
pub(crate) fn operation(request: &Request) -> Option<LdapOp> {
    Some(match request {
        Request::Bind(bind) => LdapOp::BindRequest(LdapBindRequest {
            version: i64::from(bind.version),
            dn: text(&bind.name)?,
            cred: match &bind.authentication {
                Authentication::Simple(password) => LdapBindCred::Simple(text(password.expose())?),
                Authentication::Sasl { mechanism, credentials } => LdapBindCred::SASL(SaslCredentials {
                    mechanism: mechanism.clone(),
                    credentials: credentials.as_ref().map(|credentials| credentials.expose().to_vec()).unwrap_or_default(),
                }),
                Authentication::Unknown => LdapBindCred::Unsupported,
            },
        }),
        Request::Unbind => LdapOp::UnbindRequest,
        Request::Search(search) => LdapOp::SearchRequest(LdapSearchRequest {
            base: text(&search.base)?,
            scope: match search.scope {
                Scope::Base => LdapSearchScope::Base,
                Scope::One => LdapSearchScope::OneLevel,
                Scope::Subtree => LdapSearchScope::Subtree,
                Scope::Children => LdapSearchScope::Children,
            },
            aliases: match search.deref {
                DerefAliases::Never => LdapDerefAliases::Never,
                DerefAliases::InSearching => LdapDerefAliases::InSearching,
                DerefAliases::FindingBase => LdapDerefAliases::FindingBaseObj,
                DerefAliases::Always => LdapDerefAliases::Always,
            },
            sizelimit: search.size_limit as i32,
            timelimit: search.time_limit as i32,
            typesonly: search.types_only,
            filter: filter(&search.filter)?,
            attrs: search.attributes.clone(),
        }),
        Request::Modify { name, changes } => LdapOp::ModifyRequest(LdapModifyRequest {
            dn: text(name)?,
            changes: changes
                .iter()
                .map(|change| LdapModify {
                    operation: match change.operation {
                        ModificationOperation::Add => LdapModifyType::Add,
                        ModificationOperation::Delete => LdapModifyType::Delete,
                        ModificationOperation::Replace => LdapModifyType::Replace,
                        ModificationOperation::Increment => LdapModifyType::Increment,
                    },
                    modification: attribute(&change.attribute),
                })
                .collect(),
        }),
        Request::Add { name, attributes } => {
            LdapOp::AddRequest(LdapAddRequest { dn: text(name)?, attributes: attributes.iter().map(attribute).collect() })
        }
        Request::Delete { name } => LdapOp::DelRequest(text(name)?),
        Request::ModifyDn { name, new_rdn, delete_old_rdn, new_superior } => LdapOp::ModifyDNRequest(LdapModifyDNRequest {
            dn: text(name)?,
            newrdn: text(new_rdn)?,
            deleteoldrdn: *delete_old_rdn,
            new_superior: match new_superior {
                Some(superior) => Some(text(superior)?),
                None => None,
            },
        }),
        Request::Compare { name, attribute, value } => {
            LdapOp::CompareRequest(LdapCompareRequest { dn: text(name)?, atype: attribute.clone(), val: value.expose().to_vec() })
        }
        Request::Abandon(id) => LdapOp::AbandonRequest(id.0),
        Request::Extended { oid, value } => LdapOp::ExtendedRequest(LdapExtendedRequest {
            name: oid.clone(),
            value: value.as_ref().map(|value| value.expose().to_vec()),
        }),
        Request::Malformed { .. } => return None,
    })
}

/// Whether a control is the same as `ldap3_proto` has it. Those it knows it has taken apart: they can't be compared in full.
pub(crate) fn same_control(ours: &Control, theirs: &LdapControl) -> bool {
    match theirs {
        LdapControl::Unknown { oid, criticality, value } => {
            (&ours.oid, ours.critical, ours.value.as_deref()) == (oid, *criticality, value.as_deref())
        }
        LdapControl::ManageDsaIT { criticality } => {
            (ours.oid.as_str(), ours.critical) == ("2.16.840.1.113730.3.4.2", *criticality)
        }
        LdapControl::SimplePagedResults { .. } => ours.oid == "1.2.840.113556.1.4.319",
        _ => true,
    }
}

fn attribute(ours: &Attribute) -> LdapPartialAttribute {
    LdapPartialAttribute { atype: ours.description.clone(), vals: ours.values.iter().map(|value| value.to_vec()).collect() }
}

fn filter(ours: &Filter) -> Option<LdapFilter> {
    Some(match ours {
        Filter::And(filters) => LdapFilter::And(filters.iter().map(filter).collect::<Option<_>>()?),
        Filter::Or(filters) => LdapFilter::Or(filters.iter().map(filter).collect::<Option<_>>()?),
        Filter::Not(negated) => LdapFilter::Not(Box::new(filter(negated)?)),
        Filter::Equality(attribute, value) => LdapFilter::Equality(attribute.clone(), text(value)?),
        Filter::Substrings(attribute, parts) => {
            let piece = |piece: &Option<bytes::Bytes>| match piece {
                Some(piece) => text(piece).map(Some),
                None => Some(None),
            };
            LdapFilter::Substring(
                attribute.clone(),
                LdapSubstringFilter {
                    initial: piece(&parts.initial)?,
                    any: parts.any.iter().map(|any| text(any)).collect::<Option<_>>()?,
                    final_: piece(&parts.last)?,
                },
            )
        }
        Filter::GreaterOrEqual(attribute, value) => LdapFilter::GreaterOrEqual(attribute.clone(), text(value)?),
        Filter::LessOrEqual(attribute, value) => LdapFilter::LessOrEqual(attribute.clone(), text(value)?),
        Filter::Present(attribute) => LdapFilter::Present(attribute.clone()),
        Filter::Approximate(attribute, value) => LdapFilter::Approx(attribute.clone(), text(value)?),
        Filter::Extensible(assertion) => LdapFilter::Extensible(LdapMatchingRuleAssertion {
            matching_rule: assertion.matching_rule.clone(),
            type_: assertion.attribute.clone(),
            match_value: text(&assertion.value)?,
            dn_attributes: assertion.dn_attributes,
        }),
    })
}

fn text(octets: &[u8]) -> Option<String> {
    std::str::from_utf8(octets).ok().map(str::to_owned)
}
