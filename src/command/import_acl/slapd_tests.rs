//! Access directives as administrators of slapd write them, and what they become.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

const SUFFIX: &str = "dc=mercy,dc=example";

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::embedded().unwrap());

fn translated(lines: &[&str]) -> (Vec<Rule>, Vec<String>, Vec<String>) {
    let text: String = lines.iter().enumerate().map(|(number, line)| format!("olcAccess: {{{number}}}{line}\n")).collect();
    of_file(&format!("dn: olcDatabase={{1}}mdb,cn=config\nolcDatabase: {{1}}mdb\nolcSuffix: {SUFFIX}\n{text}\n"))
}

fn of_file(text: &str) -> (Vec<Rule>, Vec<String>, Vec<String>) {
    let suffix = Dn::parse(SUFFIX.as_bytes()).unwrap();
    let mut found = slapd::Found::default();
    found.read(&SCHEMA, &suffix, "f", text);
    let mut translation = Translation::new(&SCHEMA);
    take_directives(&found, &SCHEMA, &suffix, true, &mut translation);
    (translation.rules, translation.problems, translation.notes)
}

/// A rule in a line: `subject | target scope | filter | attributes | rights networks`; of rules that write without what guards them.
fn shown(rule: &Rule) -> String {
    let of = |name: &str| {
        let found = rule.values.iter().filter(|(attribute, _)| *attribute == name);
        found.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" ")
    };
    let short = |text: String| text.replace(",dc=mercy,dc=example", "").replace("dc=mercy,dc=example", "all");
    let filter = of("accessFilter");
    let guard =
        ["(!(memberOf=cn=administrators", "(!(|(objectClass=accessRule)"].iter().filter_map(|guard| filter.find(guard)).min();
    let filter = guard.map_or(filter.as_str(), |at| filter[..at].trim_end_matches("(&"));
    let rights = [of("accessRight"), of("accessNetwork")].join(" ");
    let parts = [
        of("accessSubject"),
        format!("{} {}", of("accessTarget"), of("accessScope")),
        filter.to_owned(),
        of("accessAttribute"),
        rights,
    ];
    parts.map(|part| short(part).trim().to_owned()).join(" | ")
}

fn rules(lines: &[&str]) -> Vec<String> {
    let (rules, problems, _) = translated(lines);
    assert!(problems.is_empty(), "{problems:#?} {rules:#?}");
    rules.iter().map(shown).collect()
}

/// The same without those about comparing passwords.
fn looks(lines: &[&str]) -> Vec<String> {
    rules(lines).into_iter().filter(|rule| !rule.ends_with("userPassword | compare")).collect()
}

/// The rules of directives that are not all translated, and why not.
fn partly(lines: &[&str]) -> (Vec<String>, String) {
    let (rules, problems, _) = translated(lines);
    assert!(!problems.is_empty(), "{rules:#?}");
    (rules.iter().map(shown).collect(), problems.join("\n"))
}

#[test]
fn what_debian_installs_is_translated_whole() {
    let lines = [
        "to attrs=userPassword by self write by anonymous auth by * none",
        "to attrs=shadowLastChange by self write by * read",
        "to * by * read",
    ];
    assert_eq!(
        rules(&lines),
        [
            "self | all sub |  | userPassword | compare",
            "self | all sub |  |  | set-password",
            "self | all sub |  | shadowLastChange | read search compare",
            "self | all sub |  | shadowLastChange | add-value delete-value replace",
            "anyone | all sub |  | shadowLastChange | read search compare",
            "anyone | all sub |  | * !shadowLastChange + | read search compare",
        ]
    );
    let schema = Schema::embedded().unwrap();
    assert!(
        first_match::DECIDING.iter().all(|class| schema.object_class(class).is_some()),
        "a filter with another one is Undefined"
    );
    let (rules, ..) = translated(&lines);
    let guarded =
        rules.iter().filter(|rule| rule.values.iter().any(|(_, value)| value.contains("(objectClass=accessRule)"))).count();
    assert_eq!(guarded, 2, "what writes leaves alone what decides about people here");
}

#[test]
fn the_first_match_wins() {
    // The clause before has it all.
    assert_eq!(
        looks(&["to attrs=mail by self read", "to * by self read"])[1],
        "self | all sub |  | * !mail + | read search compare"
    );
    let both = looks(&["to * by users read", "to attrs=mail by self write"]);
    assert!(both.len() == 1, "nothing is left for the second one: {both:?}");
    // Levels that fall, and people who are not the same.
    assert_eq!(
        looks(&["to * by dn=\"uid=a,dc=mercy,dc=example\" =rc by dn=\"uid=b,dc=mercy,dc=example\" =rs by * =r"]),
        [
            "entry:uid=a | all sub |  | * + | read compare",
            "entry:uid=b | all sub |  | * + | read search",
            "anyone | all sub |  | * + | read",
        ]
    );
    // A base can be told apart, and a filter.
    assert_eq!(
        looks(&["to dn.base=\"ou=x,dc=mercy,dc=example\" attrs=mail by * none", "to * by users read"]),
        [
            "authenticated | all sub |  | * !mail + | read search compare",
            "authenticated | all sub | (!(entryDN=ou=x)) | mail | read search compare",
        ]
    );
    assert_eq!(
        looks(&["to filter=(title=Nurse) attrs=mail by users none", "to * by users read"])[1],
        "authenticated | all sub | (!(title=Nurse)) | mail | read search compare"
    );
    // Who goes on has what the next one gives, and no more than who stayed.
    assert_eq!(
        looks(&["to attrs=mail,entry by self write by * break", "to * by users read"])[2..],
        ["authenticated | all sub |  | * + | read search compare"]
    );
}

#[test]
fn whoever_writes_entry_and_children_of_a_subtree_makes_entries_there() {
    let mut rules =
        rules(&["to dn.subtree=\"ou=people,dc=mercy,dc=example\" by group=\"cn=hr,dc=mercy,dc=example\" write by users read"]);
    let writes = rules.remove(2);
    assert!(
        writes.starts_with("group:cn=hr | ou=people sub |  | * !") && writes.ends_with("| add-value delete-value replace"),
        "{writes}"
    );
    assert!(writes.contains("!accountKind") && !writes.contains('+'), "{writes}");
    assert_eq!(
        rules,
        [
            "group:cn=hr | ou=people sub |  | * + | read search compare",
            "group:cn=hr | ou=people sub |  | userPassword | compare",
            "group:cn=hr | ou=people sub |  |  | set-password",
            "group:cn=hr | ou=people children |  |  | create delete rename move-in move-out",
            "authenticated | ou=people sub |  | * + | read search compare",
            "authenticated | ou=people sub |  | userPassword | compare",
        ]
    );
}

#[test]
fn nothing_becomes_wider() {
    // A subtree inside another one, of which less is to be seen: rules have no exceptions.
    let (rules, why) = partly(&["to dn.subtree=\"ou=secret,dc=mercy,dc=example\" by self read by * none", "to * by users read"]);
    assert_eq!(
        rules,
        ["self | ou=secret sub |  | * + | read search compare", "self | ou=secret sub |  | userPassword | compare"]
    );
    assert!(why.contains("rules have no exceptions"), "{why}");
    // Who is in both groups has what the first one gives.
    let groups = "by group=\"cn=a,dc=mercy,dc=example\" =rc by group=\"cn=b,dc=mercy,dc=example\" =rs";
    let (rules, why) = partly(&[&format!("to * {groups}")]);
    assert_eq!(rules.last().unwrap(), "group:cn=b | all sub |  | * + | read");
    assert!(why.contains("no more than that there"), "{why}");
    // Entries that are not read are not shown by name, nor is anything of them.
    let (rules, why) = partly(&["to * by users search"]);
    assert!(!rules.concat().contains("search") && why.contains("(entry) may be read"), "{rules:?} {why}");
    // What cannot be read stands before all behind it.
    for first in [
        "to dn.regex=\"^uid=.*\" by * none",
        "to * by * =cs continue by users +r",
        "to * by * =cs break",
        "to attrs=zork,mail by",
    ] {
        let (rules, _) = partly(&[first, "to attrs=mail by users read"]);
        assert!(!rules.concat().contains("mail"), "{first}: {rules:?}");
    }
    for first in ["to attrs=description;lang-de by * none", "to attrs=* by * none"] {
        let (rules, _) = partly(&[first, "to * by self read"]);
        assert!(!rules.concat().contains("description") || rules[0].contains("!description"), "{first}: {rules:?}");
    }
    let (rules, _) = partly(&["to attrs=mail val=\"x\" by * none", "to * by users read"]);
    assert_eq!(rules[0], "authenticated | all sub |  | * !mail + | read search compare");
}

#[test]
fn what_has_no_rule_is_named_with_its_reason() {
    let why = |line: &str| partly(&[line]).1;
    assert!(
        why("to * by dn.regex=\"^uid=.*\" read")
            .contains("f:4: olcAccess {0}: by dn.regex=^uid=.* read: dn.regex=^uid=.*: rules have no such subject")
    );
    for subject in [
        "set=\"user\"",
        "domain=x.example",
        "ssf=128",
        "dnattr=secretary",
        "self.level{1}",
        "dn.subtree=\"dc=mercy,dc=example\"",
        "realself",
    ] {
        assert!(why(&format!("to * by {subject} read")).contains("no such subject"), "{subject}");
    }
    assert!(why("to * by anonymous read").contains("not logged in"));
    assert!(why("to attrs=member by users selfwrite").contains("values of one attribute"));
    assert!(why("to * by peername.ip=127.0.0.1 read").contains("no such network"), "a Unix socket counts as loopback here");
    assert!(why("to attrs=userPassword by self =a").contains("as a whole"));
    assert!(why("to dn.children=\"ou=people,dc=mercy,dc=example\" by users write").contains("adding, deleting and renaming"));
    assert!(why("to attrs=zork by * read").contains("\"zork\" is no attribute or class here"));
    assert!(why("to * by \"users read").contains("quote"));
}

#[test]
fn networks_and_other_databases() {
    assert_eq!(
        rules(&["to * by users peername.ip=10.1.0.0%255.255.0.0 read"])[0],
        "authenticated | all sub |  | * + | read search compare 10.1.0.0/16"
    );
    let (rules, problems, notes) = of_file(
        "include x\naccess to attrs=mail by * none\ndatabase config\naccess to * by * write\ndatabase mdb\nsuffix \"dc=other\"\n\
         access to * by * write\ndatabase mdb\nsuffix \"DC=Mercy, dc=example\"\n# comment\naccess to dn.base=\"\" by * read\n\
         access to attrs=cn,entry\n  by users\tread\n",
    );
    assert_eq!(rules.iter().map(shown).collect::<Vec<_>>(), ["authenticated | all sub |  | cn | read search compare"]);
    assert_eq!((problems.len(), notes.len()), (0, 2), "{problems:?} {notes:?}");
    let (rules, ..) = of_file(&format!(
        "dn: olcDatabase={{-1}}frontend,cn=config\nolcDatabase: {{-1}}frontend\nolcAccess: {{0}}to * by users read\n\n\
         dn: olcDatabase={{1}}mdb,cn=config\nolcDatabase: {{1}}mdb\nolcSuffix: {SUFFIX}\nolcAccess: {{1}}to attrs=cn by users read\n\
         olcAccess: {{0}}to attrs=cn by self read\n"
    ));
    let lines: Vec<String> = rules.iter().map(shown).collect();
    assert_eq!(lines[0], "self | all sub |  | cn | read search compare", "in the order of their numbers");
    assert!(lines[1].starts_with("authenticated | all sub |  | * !cn + |"), "those of all databases come last: {lines:?}");
}

proptest! {
    #[test]
    fn nothing_that_is_read_panics(text in "\\PC{0,200}", pieces in proptest::collection::vec(0..PIECES.len(), 0..30)) {
        let mixed: String = pieces.iter().map(|&at| PIECES[at]).collect::<Vec<_>>().join(" ");
        for text in [text, mixed] {
            let (rules, ..) = translated(&[&text, "to * by * read"]);
            // Whatever is made of it the server can read.
            prop_assert!(rules.iter().all(|rule| rule.check(&SCHEMA).is_ok()));
        }
    }
}

const PIECES: [&str; 30] = [
    "to",
    "by",
    "*",
    "self",
    "users",
    "anonymous",
    "read",
    "write",
    "=rs",
    "+w",
    "none",
    "break",
    "continue",
    "stop",
    "dn.base=\"ou=a,dc=mercy,dc=example\"",
    "dn.subtree=ou=a,dc=mercy,dc=example",
    "dn.regex=.*",
    "dn=",
    "attrs=mail,cn",
    "attrs=@person",
    "attrs=!person",
    "attrs=entry,children",
    "filter=(cn=a)",
    "filter=((",
    "group=cn=a,dc=x",
    "dnattr=manager",
    "peername.ip=10.0.0.0%255.0.0.0",
    "val=x",
    "\"",
    "\\",
];
