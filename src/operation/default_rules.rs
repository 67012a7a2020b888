//! The bind rules and access rules of a new directory, and what a directory of an older program lacks of them.

use bytes::Bytes;

use super::add::AddRequest;
use super::context::administrators;
use super::{bind_rules, otp};
use crate::directory::{Directory, Lookup, RuleKind};
use crate::model::{Attribute, Dn, EntryId, Timestamp};

/// Loopback, RFC 1918, unique local addresses (RFC 4193) and link-local ones (RFC 3927, RFC 4291).
const OWN_NETWORKS: [&str; 8] =
    ["127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"];

/// The rules, below `ou=binds,ou=policies` of this suffix.
pub fn entries(suffix: &str) -> Vec<AddRequest> {
    let administrators = format!("cn=administrators,ou=roles,{suffix}");
    let rule = |cn: &str, description: &str, effect: &str, parts: &[(&str, &[&str])]| {
        let mut attributes = vec![
            attribute("objectClass", &["top", "bindRule"]),
            attribute("cn", &[cn]),
            attribute("description", &[description]),
            attribute("bindEffect", &[effect]),
        ];
        attributes.extend(parts.iter().map(|(name, values)| attribute(name, values)));
        AddRequest::new(Bytes::from(format!("cn={cn},ou=binds,ou=policies,{suffix}")), attributes, Vec::new())
    };
    vec![
        rule(
            "administrators",
            "Administrators log in with a second factor, from anywhere",
            "require-factor",
            &[("bindGroup", &[administrators.as_str()])],
        ),
        rule(
            "people",
            "People log in from this machine and from private networks; write your own networks here",
            "allow",
            &[("bindAccountKind", &["person"]), ("bindNetwork", &OWN_NETWORKS)],
        ),
        rule(
            "services",
            "Services log in from the networks of their accountNetwork",
            "allow",
            &[("bindAccountKind", &["service"])],
        ),
        rule(
            "break-glass",
            "Accounts for emergencies log in with a second factor, from anywhere",
            "require-factor",
            &[("bindAccountKind", &["breakglass"])],
        ),
    ]
}

/// The access rules, below `ou=access,ou=policies` of this suffix.
pub fn access_entries(suffix: &str) -> Vec<AddRequest> {
    let role = |name: &str| format!("group:cn={name},ou=roles,{suffix}");
    let rule = |cn: &str, description: &str, subject: &str, rights: &[&str], parts: &[(&str, &[&str])]| {
        let mut attributes = vec![
            attribute("objectClass", &["top", "accessRule"]),
            attribute("cn", &[cn]),
            attribute("description", &[description]),
            attribute("accessSubject", &[subject]),
            attribute("accessRight", rights),
            attribute("accessEffect", &["allow"]),
        ];
        attributes.extend(parts.iter().map(|(name, values)| attribute(name, values)));
        AddRequest::new(Bytes::from(format!("cn={cn},ou=access,ou=policies,{suffix}")), attributes, Vec::new())
    };
    let with_frame = |names: &[&'static str]| [names, &FRAME].concat();
    let (pages, folders, groups) = (with_frame(&WHITE_PAGES), with_frame(&FOLDER_NAMES), with_frame(&MEMBERS));
    vec![
        rule("administrators", "Administrators may do everything", &role("administrators"), &["all"], &[]),
        rule(
            "auditors",
            "Auditors read the journal, how the server is, and everything but secrets",
            &role("auditors"),
            &["search", "compare", "read", "read-audit"],
            &[("accessAttribute", &["*", "+"])],
        ),
        rule(
            "own entry",
            "People read their own entries, without secrets",
            "self",
            &LOOKING,
            &[("accessAttribute", &["*", "+"])],
        ),
        rule(
            "own password",
            "People change their own passwords",
            "self",
            &["compare", "set-password"],
            &[("accessAttribute", &["userPassword"])],
        ),
        rule(
            "own numbers",
            "People keep their own telephone numbers and photo right",
            "self",
            &["add-value", "delete-value", "replace"],
            &[("accessAttribute", &OWN)],
        ),
        rule(
            "white pages",
            "Who is logged in looks people up",
            "authenticated",
            &LOOKING,
            &[("accessFilter", &["(|(objectClass=person)(objectClass=account))"]), ("accessAttribute", &pages)],
        ),
        rule(
            "folders",
            "Who is logged in finds the way through the tree",
            "authenticated",
            &LOOKING,
            &[("accessFilter", &[FOLDERS]), ("accessAttribute", &folders)],
        ),
        rule(
            "groups",
            "Who is logged in looks up who is in which group",
            "authenticated",
            &LOOKING,
            &[("accessFilter", &[GROUPS]), ("accessAttribute", &groups)],
        ),
    ]
}

const LOOKING: [&str; 3] = ["search", "compare", "read"];
/// What people change of their own entries.
const OWN: [&str; 7] = ["telephoneNumber", "homePhone", "mobile", "pager", "facsimileTelephoneNumber", "jpegPhoto", "photo"];
/// What the white pages show of people.
const WHITE_PAGES: [&str; 10] =
    ["cn", "sn", "givenName", "displayName", "mail", "telephoneNumber", "title", "ou", "uid", "memberOf"];
/// What is shown of folders: their names.
const FOLDER_NAMES: [&str; 5] = ["dc", "o", "ou", "l", "c"];
/// What is shown of groups.
const MEMBERS: [&str; 5] = ["cn", "member", "uniqueMember", "memberUid", "memberOf"];
/// What a client needs to look at an entry at all.
const FRAME: [&str; 6] = ["objectClass", "entryDN", "entryUUID", "hasSubordinates", "structuralObjectClass", "subschemaSubentry"];
const FOLDERS: &str = "(|(objectClass=organization)(objectClass=organizationalUnit)(objectClass=dcObject)\
                       (objectClass=locality)(objectClass=country))";
const GROUPS: &str = "(|(objectClass=groupOfNames)(objectClass=groupOfMembers)(objectClass=groupOfUniqueNames)\
                      (objectClass=posixGroup)(objectClass=groupOfURLs))";

fn attribute(name: &str, values: &[&str]) -> Attribute {
    Attribute {
        description: name.to_owned(),
        values: values.iter().map(|value| Bytes::copy_from_slice(value.as_bytes())).collect(),
    }
}

/// What a directory that has a place for rules and none of them lacks: it would let nobody in, or nobody do anything.
pub fn missing(directory: &Directory) -> Vec<AddRequest> {
    let lacks = |kind, folder: Option<EntryId>| folder.is_some() && directory.rule_entries(kind).is_empty();
    let suffix = directory.suffix().to_string();
    let mut missing = Vec::new();
    if lacks(RuleKind::BindRule, bind_rules::folder(directory)) {
        missing.extend(entries(&suffix));
    }
    if directory.suffix_entry().is_some() && directory.rule_entries(RuleKind::AccessRule).is_empty() {
        missing.extend(access_folders(directory, &suffix));
        missing.extend(access_entries(&suffix));
    }
    missing
}

/// Whether one of [`missing`] is an access rule.
pub fn is_access_rule(request: &AddRequest) -> bool {
    let classes = request.attributes.iter().filter(|it| it.description == "objectClass").flat_map(|it| &it.values);
    classes.into_iter().any(|class| class.as_ref() == b"accessRule")
}

/// What access rules stand below, as far as it is not there: who could read everything before must be able to see why not any more.
fn access_folders(directory: &Directory, suffix: &str) -> Vec<AddRequest> {
    let mut missing = Vec::new();
    for (name, ou, description) in [
        ("ou=policies", "policies", "What decides about people"),
        ("ou=access,ou=policies", "access", "Who may read and change what"),
    ] {
        let name = format!("{name},{suffix}");
        let is_there = Dn::parse(name.as_bytes()).is_ok_and(|dn| matches!(directory.find(&dn), Lookup::Found(_)));
        if !is_there {
            let attributes = vec![
                attribute("objectClass", &["top", "organizationalUnit"]),
                attribute("ou", &[ou]),
                attribute("description", &[description]),
            ];
            missing.push(AddRequest::new(Bytes::from(name), attributes, Vec::new()));
        }
    }
    missing
}

/// The administrators who could log in over the network with a password, but for the second factor that the rules ask for and that they do
/// not have.
pub fn administrators_without_factor(directory: &Directory, now: Timestamp) -> Vec<String> {
    if !bind_rules::are_in_force(directory) {
        return Vec::new();
    }
    let without = |id: &EntryId| otp::of_account(directory, *id, now).is_none();
    administrators(directory).filter(without).map(|id| directory.dn_text(id)).collect()
}
