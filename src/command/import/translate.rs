//! Turns a record of another server's export into one this server takes, and keeps account of every difference.

use std::sync::Arc;

use super::report::Report;
use super::vendor::{Treatment, Vendor};
use crate::model::ldif::{LdifBody, LdifRecord};
use crate::model::schema::Schema;
use crate::model::{Attribute, Timestamp, Value};
use crate::policy::password;

/// The pwdAccountLockedTime of an account that only an administrator can unlock.
const LOCKED_FOR_GOOD: &[u8] = b"000001010000Z";

/// Schemes of other servers that nobody here can verify.
const FOREIGN_SCHEMES: [&str; 14] = [
    "3DES",
    "AES",
    "BASE64",
    "BLOWFISH",
    "CLEAR",
    "GOST_YESCRYPT",
    "KERBEROS",
    "NS-MTA-MD5",
    "NTLM",
    "PKCS5S2",
    "RC4",
    "SASL",
    "SCRAM-SHA-256",
    "UNIX",
];

/// Translates the records of one import.
pub(super) struct Translator {
    vendor: Vendor,
    schema: Arc<Schema>,
    /// What was found on the way.
    pub(super) report: Report,
}

/// One record while it is translated.
struct Draft {
    attributes: Vec<Attribute>,
    dn: String,
    line: u64,
    /// The record brings an entryUUID of its own.
    has_uuid: bool,
}

impl Translator {
    pub(super) fn new(vendor: Vendor, schema: Arc<Schema>) -> Translator {
        Translator { vendor, schema, report: Report::default() }
    }

    /// The record as this server takes it; none where nothing is to be taken. Change records are taken as they are.
    pub(super) fn translate(&mut self, record: LdifRecord) -> Option<LdifRecord> {
        let LdifBody::Add(attributes) = record.body else { return Some(record) };
        if self.is_remains(&attributes) {
            self.report.remains += 1;
            return None;
        }
        let dn = String::from_utf8_lossy(&record.dn).into_owned();
        let has_uuid = attributes.iter().any(|it| it.description.eq_ignore_ascii_case("entryUUID"));
        let mut draft = Draft { attributes: Vec::with_capacity(attributes.len()), dn, line: record.line, has_uuid };
        attributes.into_iter().for_each(|attribute| self.attribute(attribute, &mut draft));
        Some(LdifRecord { body: LdifBody::Add(draft.attributes), ..record })
    }

    fn is_remains(&self, attributes: &[Attribute]) -> bool {
        let classes = attributes.iter().filter(|it| it.description.eq_ignore_ascii_case("objectClass"));
        classes.flat_map(|it| &it.values).any(|class| self.vendor.is_remains(class))
    }

    fn attribute(&mut self, mut attribute: Attribute, draft: &mut Draft) {
        let mut parts = attribute.description.split(';');
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        if parts.clone().any(|option| self.vendor.is_deleted_value(option)) {
            return self.report.internal.add(&name, &attribute, draft.line);
        }
        if parts.clone().any(|option| self.vendor.is_internal_option(option)) {
            let kept = attribute.description.split(';').filter(|part| !self.vendor.is_internal_option(part));
            attribute.description = kept.collect::<Vec<_>>().join(";");
        }
        match self.vendor.treatment(&name) {
            Treatment::WorkedOut => self.report.worked_out.add(&name, &attribute, draft.line),
            Treatment::Internal => self.report.internal.add(&name, &attribute, draft.line),
            Treatment::AccessRules => self.report.access_rules.add(&name, &attribute, draft.line),
            Treatment::UniqueId => self.unique_id(&attribute, draft),
            Treatment::Lock => self.lock(&name, &attribute, draft),
            Treatment::LastLogin => self.last_login(&name, &attribute, draft),
            Treatment::Take => self.take(&name, attribute, draft),
        }
    }

    /// Takes what has a definition.
    fn take(&mut self, name: &str, mut attribute: Attribute, draft: &mut Draft) {
        let Some(definition) = self.schema.attribute_type(name) else {
            return self.report.undefined.add(name, &attribute, draft.line);
        };
        match definition.name() {
            "objectClass" => self.known_classes(&mut attribute, draft),
            "userPassword" => self.usable_passwords(&mut attribute, draft),
            "pwdAccountLockedTime" if attribute.values.iter().any(|value| value.as_ref() == LOCKED_FOR_GOOD) => {
                self.report.locked.add(&draft.dn);
                draft.attributes.retain(|it| it.description != "pwdAccountLockedTime");
            }
            _ => {}
        }
        if !attribute.values.is_empty() {
            draft.put(attribute);
        }
    }

    fn known_classes(&mut self, attribute: &mut Attribute, draft: &Draft) {
        let schema = Arc::clone(&self.schema);
        let is_known = |value: &Value| std::str::from_utf8(value).is_ok_and(|name| schema.object_class(name).is_some());
        let (known, unknown): (Vec<Value>, Vec<Value>) = attribute.values.drain(..).partition(is_known);
        for class in unknown {
            self.report.undefined_classes.count(&String::from_utf8_lossy(&class), 1, draft.line);
        }
        attribute.values = known;
    }

    /// Leaves out values of schemes that nobody here can verify: as clear text they would become passwords themselves.
    fn usable_passwords(&mut self, attribute: &mut Attribute, draft: &Draft) {
        let before = attribute.values.len();
        attribute.values.retain(|value| match password::scheme_of(value) {
            Some((scheme, usable)) => {
                let tally = if usable { &mut self.report.schemes } else { &mut self.report.unusable_schemes };
                let scheme = scheme.to_ascii_uppercase();
                // What stands in braces may be part of a password in clear: only names of schemes are told.
                let is_told = usable || FOREIGN_SCHEMES.contains(&scheme.as_str());
                tally.count(if is_told { &scheme } else { "a scheme of another name" }, 1, draft.line);
                usable
            }
            None => {
                self.report.clear_passwords += 1;
                true
            }
        });
        if before > 0 && attribute.values.is_empty() {
            self.report.without_password.add(&draft.dn);
        }
    }

    /// `66446001-1dd211b2-66225011-2ee211db` is a UUID with its hyphens elsewhere.
    fn unique_id(&mut self, attribute: &Attribute, draft: &mut Draft) {
        let digits: Vec<u8> =
            attribute.values.first().map(|it| it.iter().copied().filter(|it| *it != b'-').collect()).unwrap_or_default();
        match std::str::from_utf8(&digits).ok().and_then(|digits| uuid::Uuid::try_parse(digits).ok()) {
            Some(_) if draft.has_uuid => self.report.internal.add("nsuniqueid", attribute, draft.line),
            Some(uuid) => {
                self.report.unique_ids += 1;
                draft.put_one("entryUUID", uuid.to_string().into_bytes());
            }
            None => self.report.internal.add("nsuniqueid", attribute, draft.line),
        }
    }

    fn lock(&mut self, name: &str, attribute: &Attribute, draft: &mut Draft) {
        if attribute.values.iter().any(|value| value.eq_ignore_ascii_case(b"true")) {
            self.report.locked.add(&draft.dn);
            if !draft.has("pwdAccountLockedTime") {
                draft.put_one("pwdAccountLockedTime", LOCKED_FOR_GOOD.to_vec());
            }
        } else {
            self.report.internal.add(name, attribute, draft.line);
        }
    }

    fn last_login(&mut self, name: &str, attribute: &Attribute, draft: &mut Draft) {
        let time = attribute.values.first().filter(|value| Timestamp::from_generalized_time(value).is_ok());
        match time {
            Some(time) if !draft.has("lastLoginTime") => {
                self.report.last_logins += 1;
                draft.put_one("lastLoginTime", time.to_vec());
            }
            _ => self.report.internal.add(name, attribute, draft.line),
        }
    }
}

impl Draft {
    fn has(&self, description: &str) -> bool {
        self.attributes.iter().any(|it| it.description.eq_ignore_ascii_case(description))
    }

    fn put_one(&mut self, description: &str, value: Vec<u8>) {
        self.attributes.push(Attribute { description: description.to_owned(), values: vec![value.into()] });
    }

    /// Two descriptions that differed in replication state alone are one.
    fn put(&mut self, attribute: Attribute) {
        match self.attributes.iter_mut().find(|it| it.description.eq_ignore_ascii_case(&attribute.description)) {
            Some(there) => {
                let new: Vec<Value> = attribute.values.into_iter().filter(|value| !there.values.contains(value)).collect();
                there.values.extend(new);
            }
            None => self.attributes.push(attribute),
        }
    }
}
