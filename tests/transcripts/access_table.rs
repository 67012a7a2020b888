//! `access_table.md`: each form of subject with each form of target and each right. A cell names the entries on which a rule with this
//! subject, this target and this right alone gives it to who asks; that is found out by requests over the wire, as in a transcript.
//!
//! ```text
//! row: subject, who asks, target ─► one rule, its right replaced from column to column ─► one request for each entry ─► letters of a cell
//! ```
//! `ACCESS_TABLE=write cargo test --test transcripts access_table` writes the file anew; look at what changed before it is kept.

use std::fmt::Write as _;

use crate::player::Player;

const SUFFIX: &str = "dc=mercy,dc=example";
const FOLDER: &str = "ou=access,ou=policies,dc=mercy,dc=example";
/// Entries that are asked about: the target, one below it, one below that, and one beside it.
const PROBES: [(char, &str, &str); 4] = [
    ('T', "cn=target,ou=wards,dc=mercy,dc=example", "Nurse"),
    ('C', "cn=child,cn=target,ou=wards,dc=mercy,dc=example", "Surgeon"),
    ('G', "cn=grandchild,cn=child,cn=target,ou=wards,dc=mercy,dc=example", "Nurse"),
    ('O', "cn=other,ou=wards,dc=mercy,dc=example", "Surgeon"),
];
const RIGHTS: [&str; 14] = [
    "search",
    "compare",
    "read",
    "add-value",
    "delete-value",
    "replace",
    "create",
    "delete",
    "rename",
    "move-in",
    "move-out",
    "set-password",
    "proxy",
    "read-audit",
];
/// accessSubject, and who asks: first whom it means, then somebody else.
const SUBJECTS: [(&str, &str, &[&str]); 8] = [
    ("group:DN", "group:cn=inner,ou=roles,dc=mercy,dc=example", &["anna", "bert"]),
    ("group:DN, nested", "group:cn=outer,ou=roles,dc=mercy,dc=example", &["anna", "bert"]),
    ("entry:DN", "entry:uid=anna,ou=people,dc=mercy,dc=example", &["anna", "bert"]),
    ("self", "self", &["itself", "anna"]),
    ("manager", "manager", &["mona", "anna"]),
    ("owner", "owner", &["olaf", "mona"]),
    ("authenticated", "authenticated", &["anna", "nobody"]),
    ("anyone", "anyone", &["anna", "nobody"]),
];
/// The form of a target, and the lines that say so.
const TARGETS: [(&str, &str); 10] = [
    ("none", ""),
    ("base", "accessTarget: cn=target,ou=wards,dc=mercy,dc=example\naccessScope: base\n"),
    ("one", "accessTarget: cn=target,ou=wards,dc=mercy,dc=example\naccessScope: one\n"),
    ("sub", "accessTarget: cn=target,ou=wards,dc=mercy,dc=example\naccessScope: sub\n"),
    ("children", "accessTarget: cn=target,ou=wards,dc=mercy,dc=example\naccessScope: children\n"),
    (
        "two, base",
        "accessTarget: cn=target,ou=wards,dc=mercy,dc=example\naccessTarget: cn=other,ou=wards,dc=mercy,dc=example\naccessScope: base\n",
    ),
    ("filter", "accessFilter: (title=Nurse)\n"),
    ("sub, filter", "accessTarget: cn=target,ou=wards,dc=mercy,dc=example\naccessFilter: (title=Nurse)\n"),
    ("sub, filter Undefined", "accessTarget: cn=target,ou=wards,dc=mercy,dc=example\naccessFilter: (uidNumber=many)\n"),
    ("cn=monitor", "accessTarget: cn=monitor\n"),
];
/// The rows of whoever is not meant.
const FOR_OTHERS: &str = "sub";

struct Table {
    player: Player,
    /// There is a rule that is tried.
    is_tried: bool,
    lines: String,
}

#[test]
fn every_subject_target_and_right() {
    let mut table = Table { player: Player::new(""), is_tried: false, lines: HEAD.to_owned() };
    table.prepare();
    table.rights_alone();
    table.lines.push_str("\n## What a rule allows\n");
    table.heading(&["subject", "who asks", "target"]);
    for subject in SUBJECTS {
        for target in TARGETS {
            table.row(subject, subject.2[0], target, "allow");
        }
        let target = TARGETS.into_iter().find(|(name, _)| *name == FOR_OTHERS).unwrap();
        table.row(subject, subject.2[1], target, "allow");
    }
    table.lines.push_str("\n## What a rule leaves of everything, where it denies\n");
    table.heading(&["subject", "who asks", "target"]);
    table.done("dn: cn=everything,ou=access,ou=policies,dc=mercy,dc=example\nobjectClass: accessRule\naccessSubject: anyone\naccessRight: all\naccessEffect: allow\n");
    for (at, subject) in SUBJECTS.into_iter().enumerate() {
        // Each subject and each target once: the two meet in the rows above.
        for target in TARGETS.into_iter().filter(|(name, _)| *name == FOR_OTHERS || at == 2) {
            table.row(subject, subject.2[0], target, "deny");
        }
    }
    let path = crate::folder().join("access_table.md");
    if std::env::var("ACCESS_TABLE").is_ok_and(|wanted| wanted == "write") {
        std::fs::write(&path, &table.lines).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    for (number, (kept, found)) in kept.lines().zip(table.lines.lines()).enumerate() {
        assert_eq!(found, kept, "tests/transcripts/access_table.md:{}", number + 1);
    }
    assert_eq!(table.lines.lines().count(), kept.lines().count());
}

const HEAD: &str = "\
# Each form of an access rule's subject, with each form of its target, and each right

Made by `access_table.rs`, which plays each cell over the wire and compares. Entries: `T` the target, `C` below it, `G` below that, `O` beside it; T and
G have the title Nurse, which filters ask for, C and O are surgeons. Mona is manager and Olaf owner of all four; \"itself\" means that each asks about
itself; Anna is in the inner group, which is in the outer one; Bert is nobody, \"nobody\" is not logged in. Rights on attributes are
tried on title. In the columns create and move-in the letter is the entry below which something comes to stand, M stands for `cn=monitor`, and `-` for
none of them.
";

impl Table {
    fn prepare(&mut self) {
        self.player.answer_to(&format!("@admin ldapi as cn=admin,{SUFFIX}\nsasl EXTERNAL\n"));
        for (name, title) in [("mona", "Manager"), ("olaf", "Owner"), ("mover", "Nurse")] {
            let more = if name == "mover" { format!("manager: uid=mona,ou=people,{SUFFIX}\n") } else { String::new() };
            self.done(&format!(
                "dn: uid={name},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\ncn: {name}\nsn: {name}\ntitle: {title}\n{more}userPassword: {name} knows what others do not\n"
            ));
        }
        for (letter, dn, title) in PROBES {
            self.done(&format!(
                "dn: {dn}\nobjectClass: inetOrgPerson\nobjectClass: extensibleObject\nsn: {letter}\ntitle: {title}\n\
                 manager: uid=mona,ou=people,{SUFFIX}\nowner: uid=olaf,ou=people,{SUFFIX}\nuserPassword: {letter} knows what others do not\n"
            ));
            self.login(&letter.to_string(), dn, &format!("{letter} knows what others do not"));
        }
        self.done(&format!("dn: cn=inner,ou=roles,{SUFFIX}\nobjectClass: groupOfNames\nmember: uid=anna,ou=people,{SUFFIX}\n"));
        self.done(&format!("dn: cn=outer,ou=roles,{SUFFIX}\nobjectClass: groupOfNames\nmember: cn=inner,ou=roles,{SUFFIX}\n"));
        for (name, password) in [("anna", "anna knows it"), ("bert", "bert knows it")] {
            let answer = self.player.answer_to(&format!("@{name} ldaps\nbind uid={name},ou=people,{SUFFIX} \"{password}\"\n"));
            assert_eq!(answer, ["=> 0"], "{name}");
        }
        for name in ["mona", "olaf"] {
            self.login(name, &format!("uid={name},ou=people,{SUFFIX}"), &format!("{name} knows what others do not"));
        }
        // From here on those of a new installation do not hold.
        let folder = "objectClass: organizationalUnit\n";
        self.done(&format!("dn: ou=policies,{SUFFIX}\n{folder}"));
        self.done(&format!("dn: {FOLDER}\n{folder}"));
        let rule =
            |name: &str, rest: &str| format!("dn: cn={name},{FOLDER}\nobjectClass: accessRule\naccessEffect: allow\n{rest}");
        self.done(&rule(
            "administrators",
            &format!("accessSubject: group:cn=administrators,ou=roles,{SUFFIX}\naccessRight: all\n"),
        ));
        // Entries are there for everybody, and what is to be moved may leave, and come to, where it stands.
        self.done(&rule("seen", "accessSubject: anyone\naccessAttribute: objectClass\naccessRight: search\n"));
        let mover = format!("accessTarget: uid=mover,ou=people,{SUFFIX}\naccessScope: base\naccessRight: move-out\n");
        self.done(&rule("mover", &format!("accessSubject: anyone\n{mover}")));
        let people = format!("accessTarget: ou=people,{SUFFIX}\naccessScope: one\naccessRight: move-in\n");
        self.done(&rule("people", &format!("accessSubject: anyone\n{people}")));
        self.player.answer_to("@nobody ldaps\nwhoami\n");
    }

    /// Logs in with a password that must be changed, and changes it.
    fn login(&mut self, name: &str, dn: &str, password: &str) {
        self.player.answer_to(&format!("@{name} ldaps\nbind {dn} \"{password}\"\n"));
        let answer =
            self.player.answer_to(&format!("@{name}\npasswd -a \"{password}\" -s \"{name} knows it better than before\"\n"));
        assert_eq!(answer, ["=> 0"], "{name}");
    }

    fn done(&mut self, change: &str) {
        let answer = self.player.answer_to(&format!("@admin\n{change}"));
        assert_eq!(answer, ["=> 0"], "{change}");
    }

    fn heading(&mut self, first: &[&str]) {
        let names = first.iter().chain(&RIGHTS);
        let line = names.clone().map(|name| format!(" {name} |")).collect::<String>();
        let rule = names.map(|name| format!("{}|", "-".repeat(name.len() + 2))).collect::<String>();
        writeln!(self.lines, "\n|{line}\n|{rule}").unwrap();
    }

    /// A rule with one right gives that one and none of the others.
    fn rights_alone(&mut self) {
        self.lines.push_str("\n## What each right gives, on everything: itself and nothing else\n");
        self.heading(&["accessRight"]);
        for right in RIGHTS {
            self.put_rule(SUBJECTS[2].1, "", right, "allow");
            let cells = RIGHTS.map(|asked| self.cell("anna", asked));
            self.line(&[right], &cells);
        }
        self.drop_rule();
    }

    fn row(&mut self, (form, subject, _): (&str, &str, &[&str]), who: &str, (target, lines): (&str, &str), effect: &str) {
        let cells = RIGHTS.map(|right| {
            self.put_rule(subject, lines, right, effect);
            self.cell(who, right)
        });
        self.drop_rule();
        self.line(&[form, who, target], &cells);
    }

    /// The rule that is tried; where there is one, it gets another right.
    fn put_rule(&mut self, subject: &str, target: &str, right: &str, effect: &str) {
        // An entry is made of all it has.
        let attributes = if right == "create" { &["title", "objectClass", "cn", "sn"][..] } else { &["title"] };
        let attributes: String = attributes.iter().map(|name| format!("accessAttribute: {name}\n")).collect();
        let name = format!("dn: cn=tried,{FOLDER}\n");
        if std::mem::replace(&mut self.is_tried, true) {
            let rights = format!("replace: accessRight\naccessRight: {right}\n");
            return self.done(&format!("{name}changetype: modify\n{rights}-\nreplace: accessAttribute\n{attributes}"));
        }
        self.done(&format!(
            "{name}objectClass: accessRule\naccessSubject: {subject}\n{attributes}accessRight: {right}\naccessEffect: {effect}\n{target}"
        ));
    }

    fn drop_rule(&mut self) {
        self.is_tried = false;
        self.done(&format!("dn: cn=tried,{FOLDER}\nchangetype: delete\n"));
    }

    fn line(&mut self, first: &[&str], cells: &[String]) {
        let all = first.iter().map(|text| (*text).to_owned()).chain(cells.iter().cloned());
        let line = all.map(|cell| format!(" {cell} |")).collect::<String>();
        writeln!(self.lines, "|{line}").unwrap();
    }

    /// The letters of the entries on which who asks has a right.
    fn cell(&mut self, who: &str, right: &str) -> String {
        if right == "read-audit" {
            let who = if who == "itself" { "T" } else { who };
            let answer = self.player.answer_to(&format!("@{who}\nsearch -b cn=monitor -s base (objectClass=*) 1.1\n"));
            return if given(&answer, &["dn: cn=monitor", "=> 0"], &["=> 32"]) { "M".to_owned() } else { "-".to_owned() };
        }
        let has = |table: &mut Table, (letter, dn, title): (char, &str, &str)| {
            let who = if who == "itself" { letter.to_string() } else { who.to_owned() };
            table.has(&who, right, dn, title)
        };
        let letters: String = PROBES.into_iter().filter(|probe| has(self, *probe)).map(|(letter, ..)| letter).collect();
        if letters.is_empty() { "-".to_owned() } else { letters }
    }

    fn has(&mut self, who: &str, right: &str, dn: &str, title: &str) -> bool {
        let modify = |lines: &str| format!("with !noop\ndn: {dn}\nchangetype: modify\n{lines}\n");
        let request = match right {
            "search" => format!("search -b {dn} -s base (title={title}) 1.1"),
            "compare" => format!("compare {dn} title {title}"),
            "read" => format!("search -b {dn} -s base (objectClass=*) title"),
            "add-value" => modify("add: title\ntitle: Head"),
            "delete-value" => modify(&format!("delete: title\ntitle: {title}")),
            "replace" => modify("replace: title\ntitle: Head"),
            // Of its attributes title is the one that rules name.
            "create" => format!(
                "with !noop\ndn: title=Nurse,{dn}\nobjectClass: extensibleObject\nobjectClass: inetOrgPerson\ncn: new\nsn: new\n"
            ),
            "delete" => format!("with !noop\ndn: {dn}\nchangetype: delete\n"),
            "rename" => format!("with !noop\ndn: {dn}\nchangetype: modrdn\nnewrdn: cn=renamed\ndeleteoldrdn: 0\n"),
            "move-in" => format!(
                "with !noop\ndn: uid=mover,ou=people,{SUFFIX}\nchangetype: modrdn\nnewrdn: uid=mover\ndeleteoldrdn: 0\nnewsuperior: {dn}\n"
            ),
            "move-out" => {
                let rdn = dn.split_once(',').unwrap().0;
                format!(
                    "with !noop\ndn: {dn}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 0\nnewsuperior: ou=people,{SUFFIX}\n"
                )
            }
            "set-password" => modify("replace: userPassword\nuserPassword: what nobody ever guesses"),
            "proxy" => format!("with !proxy=dn:{dn}\nwhoami"),
            other => panic!("{other}"),
        };
        let answer = self.player.answer_to(&format!("@{who}\n{request}\n"));
        let (found, shown, assumed) = (format!("dn: {dn}"), format!("title: {title}"), format!("value: dn:{dn}"));
        match right {
            "search" => given(&answer, &[&found, "=> 0"], &["=> 0"]),
            "compare" => given(&answer, &["=> 6"], &["=> 50"]),
            "read" => given(&answer, &[&found, &shown, "=> 0"], &[&found, "=> 0"]),
            "proxy" => given(&answer, &["=> 0", &assumed], &["=> 123 not authorized to assume identity"]),
            // Who may delete an entry learns that others stand below it, and that a rule is about it.
            "delete" if answer[0].starts_with("=> 66") || answer[0].ends_with("; change that first") => true,
            _ if who == "nobody" => given(&answer, &["=> 16654"], &["=> 8 modifications require authentication"]),
            _ => given(&answer, &["=> 16654"], &["=> 50"]),
        }
    }
}

/// Whether an answer is the one that gives, and not the one that refuses; any third one is a fault.
fn given(answer: &[String], gives: &[&str], refuses: &[&str]) -> bool {
    let is_given = answer == gives;
    assert!(is_given || answer == refuses, "{answer:?} is neither {gives:?} nor {refuses:?}");
    is_given
}
