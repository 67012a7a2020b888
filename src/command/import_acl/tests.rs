//! ACIs as administrators of 389 write them, and what they become.

use proptest::prelude::*;

use super::*;

fn schema() -> Schema {
    Schema::embedded().unwrap()
}

/// What becomes of ACIs of the suffix: each rule as `attribute=value` in order, the problems, and whether a denial was lost.
fn translated(values: &[&str]) -> (Vec<Vec<String>>, Vec<String>, bool) {
    let schema = schema();
    let mut translation = Translation::new(&schema);
    let lines: String = values.iter().map(|value| format!("aci: {value}\n")).collect();
    translation.read("acis.ldif", &format!("dn: dc=mercy,dc=example\n{lines}\n"));
    let shown = |rule: &Rule| {
        let values = rule.values.iter().filter(|(name, _)| *name != "description");
        values.map(|(name, value)| format!("{}={value}", name.trim_start_matches("access"))).collect()
    };
    (translation.rules.iter().map(shown).collect(), translation.problems, translation.lost_denial)
}

/// The one rule of one ACI.
fn one(value: &str) -> String {
    let (rules, problems, _) = translated(&[value]);
    assert!(problems.is_empty() && rules.len() == 1, "{rules:?} {problems:?}");
    rules.concat().join(" ")
}

/// Why there is no rule.
fn problem(value: &str) -> String {
    let (rules, problems, _) = translated(&[value]);
    assert!(rules.is_empty() && problems.len() == 1, "{rules:?} {problems:?}");
    problems.concat()
}

#[test]
fn each_permission_becomes_a_rule() {
    assert_eq!(
        one("(targetattr=\"*\")(version 3.0; acl \"all read\"; allow (read, search, compare) userdn=\"ldap:///all\";)"),
        "Subject=authenticated Target=dc=mercy,dc=example Scope=sub Attribute=* Right=read Right=search Right=compare Effect=allow"
    );
    assert_eq!(
        one("(targetattr = \"homePhone || mobile\") (target = \"ldap:///ou=people,dc=mercy,dc=example\") \
             (targetfilter = \"(objectClass=person)\") (version 3.0;acl \"numbers\";allow (write)(userdn = \"ldap:///self\");)"),
        "Subject=self Target=ou=people,dc=mercy,dc=example Scope=sub Filter=(objectClass=person) Attribute=homePhone Attribute=mobile \
         Right=add-value Right=delete-value Right=replace Effect=allow"
    );
    assert_eq!(
        one(
            "(target=\"ldap:///ou=people,dc=mercy,dc=example\")(targetscope=\"onelevel\")(version 3.0; acl \"hr\"; allow (add,delete) \
             groupdn=\"ldap:///cn=hr,ou=groups,dc=mercy,dc=example\" and ip=\"10.1.*\" and authmethod=\"ssl\";)"
        ),
        "Subject=group:cn=hr,ou=groups,dc=mercy,dc=example Target=ou=people,dc=mercy,dc=example Scope=one Right=create Right=delete \
         Network=10.1.0.0/16 Factor=certificate Effect=allow"
    );
    let (rules, problems, _) = translated(&[
        "(targetattr!=\"userPassword\")(version 3.0; acl \"no\"; deny (read) userattr=\"manager#USERDN\" or userdn=\"ldap:///anyone\";)",
    ]);
    let subjects: Vec<&str> = rules.iter().map(|rule| rule[0].as_str()).collect();
    assert_eq!((subjects, problems.len()), (vec!["Subject=manager", "Subject=anyone"], 0), "alternatives are rules of their own");
}

#[test]
fn what_is_uncertain_allows_less_and_denies_more() {
    assert!(
        one("(targetattr!=\"mail\")(version 3.0; acl \"a\"; allow (read) userdn=\"ldap:///all\";)")
            .contains("Attribute=* Attribute=!mail")
    );
    assert!(
        one("(targetattr=\"*\")(version 3.0; acl \"d\"; deny (read) userdn=\"ldap:///all\";)")
            .contains("Attribute=* Attribute=+")
    );
    assert!(
        one("(targetattr=\"userPassword\")(version 3.0; acl \"own\"; allow (write) userdn=\"ldap:///self\";)")
            .contains("set-password")
    );
    assert!(
        !one("(targetattr!=\"userPassword\")(version 3.0; acl \"own\"; allow (write) userdn=\"ldap:///self\";)")
            .contains("set-password")
    );
}

#[test]
fn what_has_no_rule_is_named_with_its_reason() {
    let of = |target: &str, permission: &str| problem(&format!("{target}(version 3.0; acl \"x\"; {permission})"));
    let star = "(targetattr=\"*\")";
    assert!(
        of(star, "allow (proxy) userdn=\"ldap:///all\";").contains("acis.ldif:2: aci 1 of dc=mercy,dc=example (\"x\"): proxy")
    );
    assert!(of(star, "allow (read) userdn!=\"ldap:///all\";").contains("everybody but some"));
    assert!(of(star, "allow (read) not userdn=\"ldap:///all\";").contains("everybody but some"));
    assert!(of(star, "allow (read) userdn=\"ldap:///uid=*,dc=mercy,dc=example\";").contains("patterns"));
    assert!(of(star, "allow (read) timeofday>\"1200\";").contains("no ="));
    assert!(of(star, "allow (read) roledn=\"ldap:///cn=a\";").contains("no such condition"));
    assert!(of(star, "allow (read) userdn=\"ldap:///all\" and userdn=\"ldap:///self\";").contains("two conditions on who asks"));
    assert!(of(star, "allow (search) userdn=\"ldap:///all\";").contains("search without read"));
    assert!(of("", "allow (read) userdn=\"ldap:///all\";").contains("targetattr"));
    assert!(of("(targetattr=\"noSuchThing\")", "allow (read) userdn=\"ldap:///all\";").contains("noSuchThing"));
    assert!(of("(targattrfilters=\"add=x\")", "allow (read) userdn=\"ldap:///all\";").contains("no such target"));
    assert!(of("(target=\"ldap:///dc=other\")", "allow (read) userdn=\"ldap:///all\";").contains("not below"));
    assert!(of("", "allow (add) userattr=\"owner#USERDN\";").contains("userattr"));
}

#[test]
fn a_denial_that_is_lost_is_told() {
    let lost = |value: &str| translated(&[value]).2;
    assert!(lost("(targetattr=\"*\")(version 3.0; acl \"x\"; deny (read) dns=\"*.example\";)"));
    assert!(lost(
        "(targetattr=\"*\")(version 3.0; acl \"x\"; allow (read) dns=\"*.example\"; deny (read) userdn=\"ldap:///all\";)"
    ));
    assert!(lost("(extop=\"1.2\")(version 3.0; acl \"x\"; deny (all) userdn=\"ldap:///all\";)"));
    assert!(!lost("(targetattr=\"*\")(version 3.0; acl \"x\"; allow (read) dns=\"*.example\";)"));
}

#[test]
fn folded_and_encoded_values_are_read() {
    let schema = schema();
    let mut translation = Translation::new(&schema);
    let plain = "(targetattr=\"mail\")(version 3.0; acl \"b\"; allow (read) userdn=\"ldap:///all\";)";
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, plain);
    let (start, rest) = plain.split_at(30);
    translation.read("f", &format!("# aci: none\ndn: dc=a\naci: {start}\n {rest}\n\ndn:: ZGM9Yg==\naci:: {encoded}\n"));
    assert_eq!((translation.read, translation.rules.len()), (2, 2), "{:?}", translation.problems);
    assert!(translation.rules[1].values.contains(&("accessTarget", "dc=b".to_owned())));
}

proptest! {
    #[test]
    fn nothing_that_is_read_panics(text in "\\PC{0,200}", pieces in proptest::collection::vec(0..PIECES.len(), 0..40)) {
        let schema = schema();
        let mixed: String = pieces.iter().map(|&at| PIECES[at]).collect();
        for value in [text, mixed] {
            let mut translation = Translation::new(&schema);
            translation.read("f", &format!("dn: dc=a\naci: {value}\n"));
            // Whatever is made of it the server can read.
            prop_assert!(translation.rules.iter().all(|rule| rule.check(&schema).is_ok()));
        }
    }
}

const PIECES: [&str; 30] = [
    "(",
    ")",
    "\"",
    ";",
    "=",
    "!=",
    "targetattr",
    "*",
    "mail || cn",
    "version 3.0",
    "acl ",
    "\"name\"",
    "allow ",
    "deny ",
    "(read)",
    "(all)",
    "(write, add)",
    "userdn",
    "groupdn",
    "\"ldap:///all\"",
    "\"ldap:///self\"",
    "\"ldap:///cn=a,dc=a\"",
    " and ",
    " or ",
    "not ",
    "ip",
    "\"10.*\"",
    "(version 3.0; acl \"n\";",
    "(targetattr=\"*\")",
    "\u{e9}",
];
