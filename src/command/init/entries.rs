//! The entries of a new installation (CONTRACT: names that everything else relies on).

use bytes::Bytes;

use crate::model::{Attribute, Dn, Secret};
use crate::operation::add::AddRequest;
use crate::operation::default_rules;

/// What the administrator is called below the suffix.
pub(super) const ADMINISTRATOR: &str = "cn=admin";

/// The classes of a suffix entry, by its RDN's type: what it is made of beside that attribute.
pub(super) fn suffix_class(suffix: &Dn) -> Option<&'static [&'static str]> {
    let rdn = suffix.rdns.first()?;
    let [part] = rdn.parts.as_slice() else { return None };
    match part.attribute_type.to_ascii_lowercase().as_str() {
        "dc" => Some(&["top", "organization", "dcObject"]),
        "o" => Some(&["top", "organization"]),
        "ou" => Some(&["top", "organizationalUnit"]),
        "l" => Some(&["top", "locality"]),
        "c" => Some(&["top", "country"]),
        _ => None,
    }
}

/// All of them, each after the one above it. `password`: of the administrator, clear text, hashed on its way to the committer.
pub(super) fn all(suffix: &Dn, password: &Secret) -> Vec<AddRequest> {
    let mut entries = Entries { suffix: suffix.to_string(), requests: Vec::new() };
    entries.suffix(suffix);
    let administrator = format!("{ADMINISTRATOR},{}", entries.suffix);
    entries.add_with_password(
        ADMINISTRATOR,
        &[
            ("objectClass", &["top", "organizationalRole", "simpleSecurityObject"]),
            ("cn", &["admin"]),
            ("description", &["Administrator of this directory"]),
        ],
        password,
    );
    entries.unit("ou=roles", "roles", "Groups that give rights");
    entries.group("cn=administrators,ou=roles", "administrators", "May do everything", &administrator);
    entries.group("cn=auditors,ou=roles", "auditors", "May read everything but secrets, and the journal", &administrator);
    entries.unit("ou=policies", "policies", "What decides about people");
    entries.unit("ou=passwords,ou=policies", "passwords", "Password policies");
    entries.unit("ou=binds,ou=policies", "binds", "Who may log in from where");
    entries.unit("ou=access,ou=policies", "access", "Who may read and change what");
    entries.unit("ou=audits,ou=policies", "audits", "What is recorded beyond binds and changes");
    entries.password_policy();
    entries.requests.extend(default_rules::entries(&entries.suffix));
    entries.requests.extend(default_rules::access_entries(&entries.suffix));
    entries.requests
}

struct Entries {
    suffix: String,
    requests: Vec<AddRequest>,
}

impl Entries {
    fn suffix(&mut self, suffix: &Dn) {
        let Some((classes, part)) = suffix_class(suffix).zip(suffix.rdns.first().and_then(|rdn| rdn.parts.first())) else {
            return;
        };
        let mut attributes = vec![attribute("objectClass", classes)];
        let value = |name: &str| Attribute { description: name.to_owned(), values: vec![part.value.clone()] };
        attributes.push(value(&part.attribute_type));
        if part.attribute_type.eq_ignore_ascii_case("dc") {
            attributes.push(value("o"));
        }
        self.requests.push(AddRequest::new(Bytes::from(self.suffix.clone()), attributes, Vec::new()));
    }

    fn add(&mut self, name: &str, attributes: &[(&str, &[&str])]) {
        self.add_all(name, attributes.iter().map(|(name, values)| attribute(name, values)).collect());
    }

    fn add_with_password(&mut self, name: &str, attributes: &[(&str, &[&str])], password: &Secret) {
        let mut attributes: Vec<Attribute> = attributes.iter().map(|(name, values)| attribute(name, values)).collect();
        let password = vec![Bytes::copy_from_slice(password.expose())];
        attributes.push(Attribute { description: "userPassword".to_owned(), values: password });
        self.add_all(name, attributes);
    }

    fn add_all(&mut self, name: &str, attributes: Vec<Attribute>) {
        let name = Bytes::from(format!("{name},{}", self.suffix));
        self.requests.push(AddRequest::new(name, attributes, Vec::new()));
    }

    fn unit(&mut self, name: &str, ou: &str, description: &str) {
        self.add(name, &[("objectClass", &["top", "organizationalUnit"]), ("ou", &[ou]), ("description", &[description])]);
    }

    fn group(&mut self, name: &str, cn: &str, description: &str, member: &str) {
        let classes: &[&str] = &["top", "groupOfMembers"];
        self.add(name, &[("objectClass", classes), ("cn", &[cn]), ("description", &[description]), ("member", &[member])]);
    }

    /// NIST SP 800-63B-4: 15 characters as the only factor, 8 beside a second one, no composition rules, no periodic change, at most 100 failures in a row; guessing
    /// is slowed down from the first failure on.
    fn password_policy(&mut self) {
        self.add(
            "cn=default,ou=passwords,ou=policies",
            &[
                ("objectClass", &["top", "device", "pwdPolicy", "accountPolicy"]),
                ("cn", &["default"]),
                ("description", &["Holds where no other policy is named"]),
                ("pwdAttribute", &["userPassword"]),
                ("pwdMinLength", &["15"]),
                ("passwordMinLengthWithFactor", &["8"]),
                ("pwdMaxLength", &["256"]),
                ("pwdCheckQuality", &["2"]),
                ("pwdMaxAge", &["0"]),
                ("pwdMustChange", &["TRUE"]),
                ("pwdAllowUserChange", &["TRUE"]),
                ("pwdLockout", &["TRUE"]),
                ("pwdMaxFailure", &["100"]),
                ("pwdLockoutDuration", &["0"]),
                ("pwdMinDelay", &["1"]),
                ("pwdMaxDelay", &["900"]),
            ],
        );
    }
}

fn attribute(name: &str, values: &[&str]) -> Attribute {
    Attribute {
        description: name.to_owned(),
        values: values.iter().map(|value| Bytes::copy_from_slice(value.as_bytes())).collect(),
    }
}
