//! What clients ask for, in the model's words and as requests.

use bindery::model::{Attribute, DerefAliases, Filter, Modification, ModificationOperation, ResultCode, Scope, Secret};
use bindery::protocol::ber::{self, Tag};
use bindery::protocol::{Authentication, BindRequest, Control, Request, ResponseKind, SearchRequest, oid};
use bytes::Bytes;

/// One change of a modify.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    pub(crate) how: ModificationOperation,
    pub(crate) attribute: &'static str,
    pub(crate) values: Vec<String>,
}

/// What is wrong with an add beside its place, in the order in which it is seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flaw {
    /// 17
    UndefinedAttribute,
    /// 21
    BadSyntax,
    /// 65
    MissingAttribute,
}

/// An operation.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Bind {
        name: String,
        password: String,
    },
    Add {
        name: String,
        attributes: Vec<(&'static str, Vec<String>)>,
        password: Option<String>,
        flaw: Option<Flaw>,
    },
    Modify {
        name: String,
        edits: Vec<Edit>,
    },
    Delete {
        name: String,
        tree: bool,
    },
    Rename {
        name: String,
        rdn: String,
        delete_old: bool,
        superior: Option<String>,
    },
    SetPassword {
        name: Option<String>,
        old: Option<String>,
        new: String,
    },
    Compare {
        name: String,
        attribute: &'static str,
        value: String,
    },
    Search {
        base: String,
        scope: Scope,
    },
    Malformed(ResponseKind),
    StartTransaction,
    EndTransaction {
        commit: bool,
    },
    /// The server's own record of its start.
    Start,
}

impl Operation {
    /// The name in the journal, of those that are recorded.
    pub(crate) fn record(&self) -> &'static str {
        match self {
            Operation::Add { .. } => "add",
            Operation::Modify { .. } => "modify",
            Operation::Delete { .. } => "delete",
            Operation::Rename { .. } => "modifyDn",
            Operation::SetPassword { .. } => "passwordModify",
            Operation::Start => "start",
            _ => "bind",
        }
    }

    /// Whether it changes entries, so that it may be part of a transaction.
    pub(crate) fn is_change(&self) -> bool {
        matches!(self, Operation::Add { .. } | Operation::Modify { .. } | Operation::Delete { .. } | Operation::Rename { .. })
    }

    /// As it comes off the wire. `transaction`: the identifier of the client's transaction.
    pub(crate) fn request(&self, transaction: &str) -> Request {
        match self {
            Operation::Bind { name, password } => Request::Bind(BindRequest {
                version: 3,
                name: octets(name),
                authentication: Authentication::Simple(Secret::from(password.as_bytes())),
            }),
            Operation::Add { name, attributes, password, flaw } => {
                Request::Add { name: octets(name), attributes: add_attributes(attributes, password.as_deref(), *flaw) }
            }
            Operation::Modify { name, edits } => {
                let change =
                    |edit: &Edit| Modification { operation: edit.how, attribute: attribute(edit.attribute, &edit.values) };
                Request::Modify { name: octets(name), changes: edits.iter().map(change).collect() }
            }
            Operation::Delete { name, .. } => Request::Delete { name: octets(name) },
            Operation::Rename { name, rdn, delete_old, superior } => Request::ModifyDn {
                name: octets(name),
                new_rdn: octets(rdn),
                delete_old_rdn: *delete_old,
                new_superior: superior.as_deref().map(octets),
            },
            Operation::SetPassword { name, old, new } => set_password(name.as_deref(), old.as_deref(), new),
            Operation::Compare { name, attribute, value } => {
                Request::Compare { name: octets(name), attribute: (*attribute).to_owned(), value: Secret::from(value.as_bytes()) }
            }
            Operation::Search { base, scope } => Request::Search(SearchRequest {
                base: octets(base),
                scope: *scope,
                deref: DerefAliases::Never,
                size_limit: 0,
                time_limit: 0,
                types_only: false,
                filter: Filter::Present("objectClass".to_owned()),
                attributes: vec!["*".to_owned(), "memberOf".to_owned()],
            }),
            Operation::Malformed(kind) => {
                Request::Malformed { kind: *kind, code: ResultCode::ProtocolError, diagnostic: "data decoding error" }
            }
            Operation::StartTransaction => Request::Extended { oid: oid::START_TRANSACTION.to_owned(), value: None },
            Operation::EndTransaction { commit } => {
                let value = ber::encode(|writer| {
                    writer.sequence(|parts| {
                        parts.boolean(*commit);
                        parts.octet_string(transaction.as_bytes());
                    });
                });
                Request::Extended { oid: oid::END_TRANSACTION.to_owned(), value: Some(Secret::from(value.as_ref())) }
            }
            Operation::Start => Request::Unbind,
        }
    }

    /// The controls of its request.
    pub(crate) fn controls(&self, transaction: Option<&str>) -> Vec<Control> {
        let mut controls = Vec::new();
        if matches!(self, Operation::Delete { tree: true, .. }) {
            controls.push(Control { oid: oid::TREE_DELETE.to_owned(), critical: true, value: None });
        }
        controls.extend(transaction.map(|identifier| Control {
            oid: oid::TRANSACTION_SPECIFICATION.to_owned(),
            critical: true,
            value: Some(octets(identifier)),
        }));
        controls
    }
}

/// The attributes of an add, its flaw among them.
pub(crate) fn add_attributes(attributes: &[(&str, Vec<String>)], password: Option<&str>, flaw: Option<Flaw>) -> Vec<Attribute> {
    let mut all: Vec<Attribute> = attributes.iter().map(|(name, values)| attribute(name, values)).collect();
    match flaw {
        Some(Flaw::UndefinedAttribute) => all.push(attribute("zork", &["x".to_owned()])),
        Some(Flaw::BadSyntax) => all.push(attribute("manager", &["no name".to_owned()])),
        Some(Flaw::MissingAttribute) => {
            all.retain(|it| !["sn", "objectClass"].contains(&it.description.as_str()));
            // An auxiliary class is no class of its own.
            all.push(attribute("objectClass", &["simpleSecurityObject".to_owned()]));
        }
        None => {}
    }
    all.extend(password.map(|password| attribute("userPassword", &[password.to_owned()])));
    all
}

fn set_password(name: Option<&str>, old: Option<&str>, new: &str) -> Request {
    let value = ber::encode(|writer| {
        writer.sequence(|parts| {
            for (number, part) in [(0, name), (1, old), (2, Some(new))] {
                if let Some(part) = part {
                    parts.element(Tag::context(number), part.as_bytes());
                }
            }
        });
    });
    Request::Extended { oid: oid::PASSWORD_MODIFY.to_owned(), value: Some(Secret::from(value.as_ref())) }
}

fn attribute(name: &str, values: &[String]) -> Attribute {
    Attribute { description: name.to_owned(), values: values.iter().map(|value| octets(value)).collect() }
}

fn octets(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}
