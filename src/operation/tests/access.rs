//! Access rules held against a plain reading of them, on a directory of ten thousand entries: which entries a search gives, which
//! attributes of them, and what filters can tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::harness::{As, Server, request};
use crate::model::Scope;
use crate::operation::access::Access;
use crate::operation::delete::DeleteRequest;
use crate::operation::{Authority, ProposedOperation, default_rules};
use crate::policy::access::Right;

const SUFFIX: &str = "dc=mercy,dc=example";
const FOLDER: &str = "ou=access,ou=policies,dc=mercy,dc=example";
const PEOPLE: usize = 10_000;
/// Sets of rules that are tried.
const ROUNDS: usize = 4;

/// An entry as the plain reading knows it.
struct Plain {
    dn: String,
    attributes: BTreeMap<&'static str, Vec<String>>,
}

/// A rule as it is written.
#[derive(Clone, Debug)]
struct Written {
    subject: String,
    target: Option<String>,
    scope: &'static str,
    filter: Option<&'static str>,
    attributes: Vec<&'static str>,
    rights: Vec<&'static str>,
    effect: &'static str,
}

/// Numbers that are the same in each run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }
}

fn people() -> Vec<Plain> {
    let mut entries = Vec::new();
    for ward in 0..4 {
        let dn = format!("ou=ward{ward},ou=people,{SUFFIX}");
        let attributes = [("objectClass", vec!["organizationalUnit".to_owned()]), ("ou", vec![format!("ward{ward}")])];
        entries.push(Plain { dn, attributes: attributes.into() });
    }
    for number in 0..PEOPLE {
        let dn = format!("uid=u{number},ou=ward{},ou=people,{SUFFIX}", number % 4);
        let mut attributes: BTreeMap<&'static str, Vec<String>> = [
            ("objectClass", vec!["inetOrgPerson".to_owned()]),
            ("uid", vec![format!("u{number}")]),
            ("cn", vec![format!("Person {number}")]),
            ("sn", vec![format!("Name{}", number % 50)]),
            ("title", vec![["nurse", "surgeon"][number % 2].to_owned()]),
        ]
        .into();
        if number % 3 == 0 {
            attributes.insert("mail", vec![format!("u{number}@mercy.example")]);
        }
        if number % 5 == 0 {
            attributes.insert("manager", vec![format!("uid=anna,ou=people,{SUFFIX}")]);
        }
        entries.push(Plain { dn, attributes });
    }
    entries
}

fn ldif(entry: &Plain) -> String {
    let values = entry.attributes.iter().flat_map(|(name, values)| values.iter().map(move |value| format!("{name}: {value}\n")));
    format!("dn: {}\n{}\n", entry.dn, values.collect::<String>())
}

fn drawn(draw: &mut Draw) -> Written {
    let subjects = [
        "anyone".to_owned(),
        "authenticated".to_owned(),
        "authenticated".to_owned(),
        "self".to_owned(),
        "manager".to_owned(),
        format!("entry:uid=bert,ou=people,{SUFFIX}"),
        format!("group:cn=outer,ou=roles,{SUFFIX}"),
        format!("group:cn=inner,ou=roles,{SUFFIX}"),
    ];
    let targets = [
        None,
        Some(SUFFIX.to_owned()),
        Some(format!("ou=people,{SUFFIX}")),
        Some(format!("ou=ward1,ou=people,{SUFFIX}")),
        Some(format!("uid=u7,ou=ward3,ou=people,{SUFFIX}")),
    ];
    let filters =
        [None, None, Some("(objectClass=person)"), Some("(title=nurse)"), Some("(!(mail=*))"), Some("(|(sn=Name7)(sn=Name8))")];
    let lists: [&[&'static str]; 8] = [
        &[],
        &["*"],
        &["title"],
        &["cn", "sn", "objectClass"],
        &["@person"],
        &["mail", "uid", "objectClass"],
        &["!title"],
        &["*", "!cn"],
    ];
    let rights: [&[&'static str]; 5] =
        [&["search", "read"], &["search"], &["read", "replace", "set-password"], &["compare", "delete"], &["all"]];
    Written {
        subject: draw.of(&subjects),
        target: draw.of(&targets),
        scope: draw.of(&["sub", "sub", "one", "base", "children"]),
        filter: draw.of(&filters),
        attributes: draw.of(&lists).to_vec(),
        rights: draw.of(&rights).to_vec(),
        effect: draw.of(&["allow", "allow", "allow", "deny"]),
    }
}

impl Written {
    fn ldif(&self, number: usize) -> String {
        let mut text =
            format!("dn: cn=r{number},{FOLDER}\nobjectClass: accessRule\ncn: r{number}\naccessSubject: {}\n", self.subject);
        text.extend(self.target.iter().map(|target| format!("accessTarget: {target}\n")));
        text.push_str(&format!("accessScope: {}\naccessEffect: {}\n", self.scope, self.effect));
        text.extend(self.filter.iter().map(|filter| format!("accessFilter: {filter}\n")));
        text.extend(self.attributes.iter().map(|attribute| format!("accessAttribute: {attribute}\n")));
        text.extend(self.rights.iter().map(|right| format!("accessRight: {right}\n")));
        text + "\n"
    }

    fn is_for(&self, who: &str, entry: &Plain) -> bool {
        let own = format!("uid={who},ou=people,{SUFFIX}");
        match self.subject.as_str() {
            "anyone" => true,
            "authenticated" => !who.is_empty(),
            "self" => entry.dn == own,
            "manager" => entry.attributes.get("manager").is_some_and(|managers| managers.contains(&own)),
            // Anna is in the inner group, which is in the outer one; Bert is in the outer one.
            named if named.starts_with("group:cn=inner") => who == "anna",
            named if named.starts_with("group:cn=outer") => who == "anna" || who == "bert",
            named => named == format!("entry:{own}"),
        }
    }

    fn takes(&self, entry: &Plain) -> bool {
        let first = |name: &str| entry.attributes.get(name).map(|values| values[0].as_str());
        let matches = match self.filter {
            None => true,
            Some("(objectClass=person)") => first("objectClass") == Some("inetOrgPerson"),
            Some("(title=nurse)") => first("title") == Some("nurse"),
            Some("(!(mail=*))") => first("mail").is_none(),
            Some(_) => matches!(first("sn"), Some("Name7" | "Name8")),
        };
        let Some(target) = &self.target else { return matches };
        let below = entry.dn.ends_with(&format!(",{target}"));
        let directly = entry.dn.split_once(',').is_some_and(|(_, parent)| parent == target);
        matches
            && match self.scope {
                "sub" => below || entry.dn == *target,
                "one" => directly,
                "base" => entry.dn == *target,
                _ => below,
            }
    }

    fn bears_on(&self, attribute: &str) -> bool {
        let of_person = ["objectClass", "cn", "sn", "telephoneNumber", "seeAlso", "description"].contains(&attribute);
        let negated = |part: &&str| part.strip_prefix('!') == Some(attribute);
        if self.attributes.iter().any(negated) {
            return false;
        }
        let all_negated = self.attributes.iter().all(|part| part.starts_with('!'));
        all_negated || self.attributes.iter().any(|part| *part == "*" || *part == attribute || (*part == "@person" && of_person))
    }
}

fn allows(rules: &[Written], who: &str, right: &str, entry: &Plain, attribute: &str) -> bool {
    let bearing = |rule: &&Written| {
        rule.rights.iter().any(|it| *it == right || *it == "all")
            && rule.is_for(who, entry)
            && rule.takes(entry)
            && rule.bears_on(attribute)
    };
    let bearing: Vec<&Written> = rules.iter().filter(bearing).collect();
    bearing.iter().all(|rule| rule.effect == "allow") && !bearing.is_empty()
}

/// Whether anything of the entry may be read or searched, operational attributes included; `entryUUID` stands for those.
fn sees(rules: &[Written], who: &str, entry: &Plain) -> bool {
    let of_class = ["telephoneNumber", "description", "street", "entryUUID", "photo"];
    let all = ["objectClass", "uid", "cn", "sn", "title", "mail", "manager", "ou"].into_iter().chain(of_class);
    let operational = |rule: &Written| rule.attributes.is_empty() || rule.attributes == ["!title"];
    let only_operational = rules.iter().filter(|rule| !operational(rule)).cloned().map(|mut rule| {
        // Lists with a name in them say nothing of operational attributes.
        rule.rights.clear();
        rule
    });
    let of_operational: Vec<Written> = rules.iter().filter(|rule| operational(rule)).cloned().chain(only_operational).collect();
    ["read", "search", "compare"].iter().any(|right| {
        all.clone().any(|attribute| match attribute {
            "entryUUID" => allows(&of_operational, who, right, entry, attribute),
            _ => allows(rules, who, right, entry, attribute),
        })
    })
}

/// Three-valued truth of the filters that are tried.
fn truth(filter: &str, rules: &[Written], who: &str, entry: &Plain) -> Option<bool> {
    let first = |name: &str| entry.attributes.get(name).map(|values| values[0].clone());
    let asked = |name: &str, value: bool| allows(rules, who, "search", entry, name).then_some(value);
    match filter {
        "(objectClass=*)" => asked("objectClass", true),
        "(title=surgeon)" => asked("title", first("title").as_deref() == Some("surgeon")),
        "(!(title=surgeon))" => asked("title", first("title").as_deref() != Some("surgeon")),
        "(mail=*)" => asked("mail", first("mail").is_some()),
        "(|(mail=*)(sn=Name7))" => {
            let (one, other) = (asked("mail", first("mail").is_some()), asked("sn", first("sn").as_deref() == Some("Name7")));
            if one == Some(true) || other == Some(true) { Some(true) } else { one.and(other) }
        }
        _ => unreachable!(),
    }
}

#[test]
fn random_rules_let_through_what_a_plain_reading_of_them_does_and_nothing_more() {
    let mut server = Server::new();
    server.limits.size = 100_000;
    server.import(&format!(
        "dn: ou=policies,{SUFFIX}\nobjectClass: organizationalUnit\n\ndn: {FOLDER}\nobjectClass: organizationalUnit\n\n\
         dn: cn=inner,ou=roles,{SUFFIX}\nobjectClass: groupOfNames\nmember: uid=anna,ou=people,{SUFFIX}\n\n\
         dn: cn=outer,ou=roles,{SUFFIX}\nobjectClass: groupOfNames\nmember: cn=inner,ou=roles,{SUFFIX}\nmember: uid=bert,ou=people,{SUFFIX}\n\n"
    ));
    let entries = people();
    server.import(&entries.iter().map(ldif).collect::<String>());
    let base = Plain {
        dn: format!("ou=people,{SUFFIX}"),
        attributes: [("objectClass", vec!["organizationalUnit".to_owned()]), ("ou", vec!["people".to_owned()])].into(),
    };
    let mut draw = Draw(7);
    let mut found = 0;
    for round in 0..ROUNDS {
        let rules: Vec<Written> = (0..=draw.below(7) + 2).map(|_| drawn(&mut draw)).collect();
        server.import(&rules.iter().enumerate().map(|(number, rule)| rule.ldif(number)).collect::<String>());
        for (who, name) in [(As::Anonymous, ""), (As::Anna, "anna"), (As::Bert, "bert")] {
            server.who = who;
            let told = || format!("round {round} {name:?} {rules:#?}");
            let seen: Vec<Option<BTreeSet<String>>> =
                entries.iter().map(|entry| sees(&rules, name, entry).then(|| readable(&rules, name, entry))).collect();
            agree(&mut server, &rules, name, &entries, &told);
            for filter in ["(objectClass=*)", "(title=surgeon)", "(!(title=surgeon))", "(mail=*)", "(|(mail=*)(sn=Name7))"] {
                let (answer, code) = server.search_with(&request(&base.dn, Scope::Subtree, filter, &[]));
                let told = format!("round {round} {name:?} {filter} {rules:#?}");
                if !sees(&rules, name, &base) {
                    assert!(code.starts_with("32") && answer.is_empty(), "{code} {told}");
                    continue;
                }
                assert_eq!(code, "0", "{told}");
                let given = parsed(&answer);
                let known: BTreeSet<&str> = entries.iter().map(|entry| entry.dn.as_str()).collect();
                for (entry, seen) in entries.iter().zip(&seen) {
                    let expected = seen.as_ref().filter(|_| truth(filter, &rules, name, entry) == Some(true));
                    assert_eq!(given.get(&entry.dn), expected, "{} {told}", entry.dn);
                }
                found += given.keys().filter(|dn| known.contains(dn.as_str())).count();
            }
        }
        for number in 0..rules.len() {
            let name = bytes::Bytes::from(format!("cn=r{number},{FOLDER}"));
            let delete = ProposedOperation::Delete(DeleteRequest { name, controls: Vec::new() });
            assert_eq!(server.propose(delete, Authority::Installation), "0");
        }
    }
    assert!(found > 1_000, "the rules let something through: {found}");
}

/// What is put together, what is judged rule by rule, what `explain` weighs and the plain reading come to the same.
fn agree(server: &mut Server, rules: &[Written], name: &str, entries: &[Plain], told: &dyn Fn() -> String) {
    let context = server.context(Authority::Session);
    let directory = Arc::clone(&server.directory);
    let access = Access::new(&directory, &context);
    for entry in entries.iter().step_by(97) {
        let node = directory.node(server.find(&entry.dn).unwrap()).unwrap();
        let readable = access.readable(&directory, node);
        assert_eq!(readable.sees(), sees(rules, name, entry), "{} {}", entry.dn, told());
        for attribute in ["objectClass", "uid", "cn", "sn", "title", "mail", "manager"] {
            let id = directory.schema().attribute_type(attribute).map(|it| it.id);
            for right in Right::ALL {
                let judged = access.allows(&directory, right, node, id);
                let weighed = access.weigh(&directory, right, node, id);
                if right != Right::Replace {
                    // Nothing but looking is possible at what may not be known of.
                    let hidden = !weighed.allowed && weighed.because.is_some() && weighed.rules.is_empty();
                    assert!(weighed.allowed == judged || hidden, "{right:?} {attribute} {} {weighed:?} {}", entry.dn, told());
                    assert!(!weighed.allowed || judged, "{right:?} {attribute} {} {}", entry.dn, told());
                }
                if right.is_of_attributes() {
                    let plain = allows(rules, name, right.name(), entry, attribute);
                    assert_eq!(judged, plain, "{right:?} {attribute} {} {}", entry.dn, told());
                }
            }
            let (read, searched) = (readable.contains(id.unwrap()), readable.searches(id.unwrap()));
            assert_eq!(read, access.allows(&directory, Right::Read, node, id), "{attribute} {} {}", entry.dn, told());
            assert_eq!(searched, access.allows(&directory, Right::Search, node, id), "{attribute} {} {}", entry.dn, told());
        }
    }
}

fn readable(rules: &[Written], who: &str, entry: &Plain) -> BTreeSet<String> {
    let shown = entry.attributes.iter().filter(|(name, _)| allows(rules, who, "read", entry, name));
    shown.flat_map(|(name, values)| values.iter().map(move |value| format!("{name}: {value}"))).collect()
}

fn parsed(answer: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut entries = BTreeMap::new();
    let mut name = String::new();
    for line in answer.lines() {
        match line.strip_prefix("dn: ") {
            Some(dn) => {
                name = dn.to_owned();
                entries.insert(name.clone(), BTreeSet::new());
            }
            None => {
                entries.get_mut(&name).unwrap().insert(line.to_owned());
            }
        }
    }
    entries
}

#[test]
fn an_older_directory_gets_the_rules_of_a_new_one_once() {
    let before = Server::new().as_(As::Anna).read("uid=bert,ou=people,dc=mercy,dc=example", &["*"]);
    let mut server = Server::new();
    let missing = default_rules::missing(&server.directory);
    assert_eq!(missing.iter().filter(|it| default_rules::is_access_rule(it)).count(), missing.len() - 2, "folders beside them");
    for request in missing {
        assert_eq!(server.propose(ProposedOperation::Add(request), Authority::Installation), "0");
    }
    assert!(default_rules::missing(&server.directory).is_empty());
    assert_eq!(server.as_(As::Anna).read("uid=bert,ou=people,dc=mercy,dc=example", &["*"]), before, "they held before");
}
