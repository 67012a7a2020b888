//! Requests from their lines to octets.

use bindery::model::ldif::{LdifBody, LdifReader};
use bindery::model::{Attribute, Filter, ModificationOperation, Substrings};
use bindery::operation::app_password::{AppPasswordAction, AppPasswordRequest};
use bindery::protocol::ber::{self, Tag, Writer};
use bindery::protocol::{Control, oid};
use bytes::{Bytes, BytesMut};

use crate::usage;

/// What comes before the operation's content.
pub struct Operation {
    pub tag: Tag,
    pub content: Bytes,
}

/// A whole LDAPMessage.
pub fn message(id: i64, operation: &Operation, controls: &[Control]) -> BytesMut {
    usage::note(operation, controls);
    let mut output = BytesMut::new();
    Writer::new(&mut output).sequence(|message| {
        message.integer(id);
        message.element(operation.tag, &operation.content);
        if controls.is_empty() {
            return;
        }
        message.constructed(Tag::context_constructed(0), |list| {
            for control in controls {
                list.sequence(|parts| {
                    parts.octet_string(control.oid.as_bytes());
                    parts.boolean(control.critical);
                    if let Some(value) = &control.value {
                        parts.octet_string(value);
                    }
                });
            }
        });
    });
    output
}

fn operation(tag: u8, write: impl FnOnce(&mut Writer<'_>)) -> Operation {
    Operation { tag: Tag(tag), content: ber::encode(write) }
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// `bind [-P VERSION] DN PASSWORD`, `bind anonymous`
pub fn bind(arguments: &[String]) -> Operation {
    let (version, name, password) = match words(arguments)[..] {
        ["anonymous"] => (3, "", ""),
        ["-P", version, name, password] => (version.parse().unwrap(), name, password),
        [name, password] => (3, name, password),
        _ => panic!("bind [-P VERSION] DN PASSWORD"),
    };
    operation(0x60, |parts| {
        parts.integer(version);
        parts.octet_string(name.as_bytes());
        parts.element(Tag::context(0), password.as_bytes());
    })
}

/// `sasl MECHANISM`, `sasl EXTERNAL AUTHZID`, `sasl PLAIN NAME PASSWORD [AUTHZID]`
pub fn sasl(arguments: &[String]) -> Operation {
    let (mechanism, credentials) = match words(arguments)[..] {
        [mechanism] => (mechanism, None),
        [mechanism, identity] => (mechanism, Some(identity.to_owned())),
        [mechanism, name, password] => (mechanism, Some(format!("\0{name}\0{password}"))),
        [mechanism, name, password, identity] => (mechanism, Some(format!("{identity}\0{name}\0{password}"))),
        _ => panic!("sasl MECHANISM [NAME PASSWORD] [AUTHZID]"),
    };
    operation(0x60, |parts| {
        parts.integer(3);
        parts.octet_string(b"");
        parts.constructed(Tag::context_constructed(3), |sasl| {
            sasl.octet_string(mechanism.as_bytes());
            if let Some(credentials) = credentials {
                sasl.octet_string(credentials.as_bytes());
            }
        });
    })
}

/// `extended OID [HEX]`
pub fn extended(oid: &str, value: Option<&[u8]>) -> Operation {
    operation(0x77, |parts| {
        parts.element(Tag::context(0), oid.as_bytes());
        if let Some(value) = value {
            parts.element(Tag::context(1), value);
        }
    })
}

/// `app-password list UID`, `app-password add UID NAME RULE [UNTIL]`, `app-password revoke UID NAME`
pub fn app_password(arguments: &[String]) -> Operation {
    let (account, action) = match words(arguments)[..] {
        ["list", account] => (account, AppPasswordAction::List),
        ["add", account, name, rule] => {
            (account, AppPasswordAction::Add { name: name.to_owned(), rule: rule.to_owned(), until: None })
        }
        ["add", account, name, rule, until] => {
            (account, AppPasswordAction::Add { name: name.to_owned(), rule: rule.to_owned(), until: Some(until.to_owned()) })
        }
        ["revoke", account, name] => (account, AppPasswordAction::Revoke { name: name.to_owned() }),
        _ => panic!("app-password list|add|revoke UID …"),
    };
    let request = AppPasswordRequest { account: account.to_owned(), action };
    extended(oid::APP_PASSWORD, Some(&serde_json::to_vec(&request).unwrap()))
}

/// `cancel ID`
pub fn cancel(id: i64) -> Operation {
    let value = ber::encode(|writer| writer.sequence(|parts| parts.integer(id)));
    extended(oid::CANCEL, Some(&value))
}

/// `commit IDENTIFIER`, `rollback IDENTIFIER`
pub fn end_transaction(commit: bool, identifier: &str) -> Operation {
    let value = ber::encode(|writer| {
        writer.sequence(|parts| {
            if !commit {
                parts.boolean(false);
            }
            parts.octet_string(identifier.as_bytes());
        });
    });
    extended(oid::END_TRANSACTION, Some(&value))
}

/// `refresh DN SECONDS`
pub fn refresh(name: &str, seconds: i64) -> Operation {
    let number = ber::encode(|writer| writer.integer(seconds));
    let value = ber::encode(|writer| {
        writer.sequence(|parts| {
            parts.element(Tag::context(0), name.as_bytes());
            parts.element(Tag::context(1), &number[2..]);
        });
    });
    extended(oid::REFRESH, Some(&value))
}

/// `passwd [-a OLD] [-s NEW] [USER]`; without anything the request has no value.
pub fn password_modify(arguments: &[String]) -> Operation {
    let (mut user, mut old, mut new) = (None, None, None);
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-a" => old = rest.next(),
            "-s" => new = rest.next(),
            _ => user = Some(word),
        }
    }
    let value = ber::encode(|value| {
        value.sequence(|parts| {
            for (number, part) in [(0, user), (1, old), (2, new)] {
                if let Some(part) = part {
                    parts.element(Tag::context(number), part.as_bytes());
                }
            }
        });
    });
    extended(oid::PASSWORD_MODIFY, (!arguments.is_empty()).then_some(&value))
}

/// `compare DN ATTRIBUTE VALUE`
pub fn compare(arguments: &[String]) -> Operation {
    let [name, attribute, value] = arguments else { panic!("compare DN ATTRIBUTE VALUE") };
    operation(0x6e, |parts| {
        parts.octet_string(name.as_bytes());
        parts.sequence(|assertion| {
            assertion.octet_string(attribute.as_bytes());
            assertion.octet_string(value.as_bytes());
        });
    })
}

/// `abandon ID`
pub fn abandon(id: i64) -> Operation {
    let message = ber::encode(|writer| writer.integer(id));
    Operation { tag: Tag(0x50), content: message.slice(2..) }
}

/// `search [-b BASE] [-s SCOPE] [-a DEREF] [-z SIZE] [-l SECONDS] [-A] [FILTER] [ATTRIBUTE…]`; numbers may stand for scope and deref.
pub fn search(arguments: &[String]) -> Operation {
    let (mut base, mut scope, mut deref, mut size, mut time, mut types_only) =
        (crate::machine::SUFFIX.to_owned(), 2, 0, 0, 0, false);
    let mut filter = nested(1);
    let mut attributes = Vec::new();
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        let mut next = || rest.next().expect("the option has a value").as_str();
        match word.as_str() {
            "-b" => base = next().to_owned(),
            "-s" => scope = choice(next(), &["base", "one", "sub", "children"]),
            "-a" => deref = choice(next(), &["never", "search", "find", "always"]),
            "-z" => size = next().parse().unwrap(),
            "-l" => time = next().parse().unwrap(),
            "-A" => types_only = true,
            word if word.starts_with("nested:") => filter = nested(word["nested:".len()..].parse().unwrap()),
            word if word.starts_with('(') => filter = encoded(&Filter::parse(word.as_bytes()).unwrap()),
            word => attributes.push(word.to_owned()),
        }
    }
    operation(0x63, |parts| {
        parts.octet_string(base.as_bytes());
        parts.enumerated(scope);
        parts.enumerated(deref);
        parts.integer(size);
        parts.integer(time);
        parts.boolean(types_only);
        parts.raw(&filter);
        parts.sequence(|list| attributes.iter().for_each(|attribute| list.octet_string(attribute.as_bytes())));
    })
}

fn choice(word: &str, names: &[&str]) -> i64 {
    match names.iter().position(|name| *name == word) {
        Some(number) => number as i64,
        None => word.parse().unwrap(),
    }
}

/// `(!(!(…(objectClass=*)…)))`: this deep.
fn nested(depth: usize) -> Bytes {
    let innermost = encoded(&Filter::Present("objectClass".to_owned()));
    (1..depth).fold(innermost, |filter, _| ber::encode(|writer| writer.element(Tag::context_constructed(2), &filter)))
}

pub fn encoded(filter: &Filter) -> Bytes {
    ber::encode(|writer| write_filter(writer, filter))
}

fn write_filter(writer: &mut Writer<'_>, filter: &Filter) {
    let list = |writer: &mut Writer<'_>, number, filters: &[Filter]| {
        writer.constructed(Tag::context_constructed(number), |list| filters.iter().for_each(|filter| write_filter(list, filter)));
    };
    let assertion = |writer: &mut Writer<'_>, number, name: &str, value: &[u8]| {
        writer.constructed(Tag::context_constructed(number), |parts| {
            parts.octet_string(name.as_bytes());
            parts.octet_string(value);
        });
    };
    match filter {
        Filter::And(filters) => list(writer, 0, filters),
        Filter::Or(filters) => list(writer, 1, filters),
        Filter::Not(filter) => writer.constructed(Tag::context_constructed(2), |inner| write_filter(inner, filter)),
        Filter::Equality(name, value) => assertion(writer, 3, name, value),
        Filter::Substrings(name, substrings) => write_substrings(writer, name, substrings),
        Filter::GreaterOrEqual(name, value) => assertion(writer, 5, name, value),
        Filter::LessOrEqual(name, value) => assertion(writer, 6, name, value),
        Filter::Present(name) => writer.element(Tag::context(7), name.as_bytes()),
        Filter::Approximate(name, value) => assertion(writer, 8, name, value),
        Filter::Extensible(it) => writer.constructed(Tag::context_constructed(9), |parts| {
            for (number, part) in [(1, &it.matching_rule), (2, &it.attribute)] {
                if let Some(part) = part {
                    parts.element(Tag::context(number), part.as_bytes());
                }
            }
            parts.element(Tag::context(3), &it.value);
            if it.dn_attributes {
                parts.boolean_as(Tag::context(4), true);
            }
        }),
    }
}

fn write_substrings(writer: &mut Writer<'_>, name: &str, substrings: &Substrings) {
    writer.constructed(Tag::context_constructed(4), |parts| {
        parts.octet_string(name.as_bytes());
        parts.sequence(|list| {
            let initial = substrings.initial.iter().map(|part| (0, part));
            let any = substrings.any.iter().map(|part| (1, part));
            let last = substrings.last.iter().map(|part| (2, part));
            initial.chain(any).chain(last).for_each(|(number, part)| list.element(Tag::context(number), part));
        });
    });
}

/// A change record of LDIF, with its controls.
pub fn change(ldif: &str) -> Result<(Operation, Vec<Control>), String> {
    let mut reader = LdifReader::new(ldif.as_bytes());
    let record = reader.next().ok_or("no record")?.map_err(|error| error.to_string())?;
    let name = record.dn;
    let change = match record.body {
        LdifBody::Add(attributes) => operation(0x68, |parts| {
            parts.octet_string(&name);
            parts.sequence(|list| attributes.iter().for_each(|attribute| write_attribute(list, attribute)));
        }),
        LdifBody::Modify(changes) => operation(0x66, |parts| {
            parts.octet_string(&name);
            parts.sequence(|list| {
                for change in &changes {
                    list.sequence(|parts| {
                        parts.enumerated(match change.operation {
                            ModificationOperation::Add => 0,
                            ModificationOperation::Delete => 1,
                            ModificationOperation::Replace => 2,
                            ModificationOperation::Increment => 3,
                        });
                        write_attribute(parts, &change.attribute);
                    });
                }
            });
        }),
        LdifBody::Delete => Operation { tag: Tag(0x4a), content: Bytes::from(name) },
        LdifBody::Rename { new_rdn, delete_old_rdn, new_superior } => operation(0x6c, |parts| {
            parts.octet_string(&name);
            parts.octet_string(&new_rdn);
            parts.boolean(delete_old_rdn);
            if let Some(superior) = new_superior {
                parts.element(Tag::context(0), &superior);
            }
        }),
    };
    let control =
        |(oid, critical, value): (String, bool, Option<Vec<u8>>)| Control { oid, critical, value: value.map(Bytes::from) };
    Ok((change, record.controls.into_iter().map(control).collect()))
}

fn write_attribute(writer: &mut Writer<'_>, attribute: &Attribute) {
    writer.sequence(|parts| {
        parts.octet_string(attribute.description.as_bytes());
        parts.set(|values| attribute.values.iter().for_each(|value| values.octet_string(value)));
    });
}

/// `[!]NAME[=VALUE]` of a `with` line: `assert=FILTER`, `preread=A,B`, `postread=A,B`, `manageDSAit`, `treeDelete`, `permissiveModify`,
/// `noop`, `relax`, `proxy=AUTHZID`, `authzid`, `passwordpolicy`, `tracking=IP,NAME,FORMAT,IDENTIFIER`, or `OID[=HEX]`.
pub fn control(text: &str) -> Control {
    let critical = text.starts_with('!');
    let text = text.trim_start_matches('!');
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    let attributes = || {
        ber::encode(|writer| {
            let names = value.unwrap_or_default().split(',').filter(|name| !name.is_empty());
            writer.sequence(|list| names.for_each(|name| list.octet_string(name.as_bytes())));
        })
    };
    let (oid, value) = match name {
        "assert" => {
            let filter = Filter::parse(value.unwrap().as_bytes()).unwrap();
            (oid::ASSERTION, Some(encoded(&filter)))
        }
        "preread" => (oid::PRE_READ, Some(attributes())),
        "postread" => (oid::POST_READ, Some(attributes())),
        "manageDSAit" => (oid::MANAGE_DSA_IT, None),
        "treeDelete" => (oid::TREE_DELETE, None),
        "permissiveModify" => (oid::PERMISSIVE_MODIFY, None),
        "noop" => (oid::NO_OP, None),
        "relax" => (oid::RELAX_RULES, None),
        "proxy" => (oid::PROXIED_AUTHORIZATION, Some(Bytes::from(value.unwrap_or_default().to_owned()))),
        "authzid" => (oid::AUTHORIZATION_IDENTITY_REQUEST, None),
        "passwordpolicy" => (oid::PASSWORD_POLICY, None),
        "transaction" => (oid::TRANSACTION_SPECIFICATION, Some(Bytes::from(value.unwrap_or_default().to_owned()))),
        "tracking" => (oid::SESSION_TRACKING, Some(tracking(value.unwrap_or_default()))),
        oid => (oid, value.map(|value| Bytes::from(hex(value)))),
    };
    Control { oid: oid.to_owned(), critical, value }
}

/// `IP,NAME,FORMAT,IDENTIFIER`
fn tracking(texts: &str) -> Bytes {
    ber::encode(|writer| writer.sequence(|parts| texts.split(',').for_each(|text| parts.octet_string(text.as_bytes()))))
}

/// The paged results control.
pub fn paged(size: i64, cookie: &[u8]) -> Control {
    let value = ber::encode(|writer| {
        writer.sequence(|parts| {
            parts.integer(size);
            parts.octet_string(cookie);
        });
    });
    Control { oid: oid::PAGED_RESULTS.to_owned(), critical: true, value: Some(value) }
}

/// Hexadecimal octets, spaces between them allowed.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16).expect("hexadecimal")).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}
