//! Plans of small files against small directories.

use std::collections::HashMap;

use super::file::HrFile;
use super::mapping::Mapping;
use super::plan::{Action, Person, Plan, plan};
use super::*;
use crate::model::Timestamp;
use crate::model::schema::Schema;

const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

fn mapping() -> Mapping {
    Mapping::read(SAMPLE, "dc=mercy,dc=example", &Schema::embedded().unwrap()).unwrap()
}

fn person(dn: &str, attributes: &[(&str, &str)]) -> Person {
    let mut all: HashMap<String, Vec<String>> = HashMap::new();
    for (name, value) in attributes {
        all.entry(name.to_ascii_lowercase()).or_default().push((*value).to_owned());
    }
    Person { dn: dn.to_owned(), attributes: all }
}

const HEAD: &str = "Employee ID,First,Last,Login,Mail,Department,Title,Manager ID,Status,Last day\n";

fn planned(rows: &str, people: &[Person]) -> Plan {
    let mapping = mapping();
    let file = HrFile::read(format!("{HEAD}{rows}").as_bytes(), ',', mapping.columns()).unwrap();
    plan(&mapping, &file, people, &|value| format!("uid={value},ou=people,dc=mercy,dc=example"), NOW)
}

fn anna() -> Person {
    let same = [("employeeNumber", "1001"), ("cn", "Anna Moreau"), ("givenName", "Anna"), ("sn", "Moreau")];
    let more = [("displayName", "Anna Moreau"), ("departmentNumber", "ICU"), ("objectClass", "inetOrgPerson")];
    person("uid=anna,ou=people,dc=mercy,dc=example", &[&same[..], &more[..]].concat())
}

fn change<'a>(plan: &'a Plan, attribute: &str) -> Option<(&'a [String], &'a [String])> {
    let changes = plan.steps.iter().flat_map(|step| &step.changes);
    changes.filter(|it| it.attribute == attribute).map(|it| (&it.before[..], &it.after[..])).next()
}

#[test]
fn who_is_as_the_file_says_is_left_alone() {
    let plan = planned("1001,Anna,Moreau,anna,,ICU,,,active,\n", &[anna()]);
    assert!(plan.steps.is_empty() && plan.problems.is_empty(), "{plan:?}");
    assert_eq!(plan.accounts, 1);
}

#[test]
fn what_the_file_says_otherwise_moves_and_what_it_does_not_say_goes() {
    let mut before = anna();
    before.attributes.insert("title".to_owned(), vec!["Nurse".to_owned()]);
    let plan = planned("1001,Anna,Moreau,anna,,ER,,1002,active,2027-01-31\n1002,Bo,Li,BO,,,,,active,\n", &[before]);
    assert_eq!(plan.count(Action::Move), 1);
    assert_eq!(change(&plan, "title"), Some((&["Nurse".to_owned()][..], &[][..])));
    let moved = plan.steps.iter().find(|step| step.action == Action::Move).unwrap();
    let after = |name: &str| moved.changes.iter().find(|it| it.attribute == name).map(|it| it.after.concat()).unwrap();
    assert_eq!(after("departmentNumber"), "ER");
    assert_eq!(after("manager"), "uid=bo,ou=people,dc=mercy,dc=example", "who joins with the same file can be referred to");
    assert_eq!(after("pwdEndTime"), "20270201000000Z", "the last day counts to its end");
}

#[test]
fn absence_and_a_word_in_the_file_end_an_account_once() {
    let people = [anna(), person("uid=bo,ou=people,dc=mercy,dc=example", &[("employeeNumber", "1002")])];
    let plan = planned("1002,Bo,Li,bo,,,,,Terminated,\n", &people);
    let left: Vec<(Option<u64>, &str)> = plan.steps.iter().map(|step| (step.line, step.dn.as_str())).collect();
    assert_eq!(left, [(None, &*people[0].dn), (Some(2), &*people[1].dn)]);
    assert_eq!(change(&plan, "accountDisabled"), Some((&[][..], &["TRUE".to_owned()][..])));
    assert!(plan.ends_too_many(99) && !plan.ends_too_many(100));
    let mut gone = people;
    gone.iter_mut().for_each(|it| drop(it.attributes.insert("accountdisabled".to_owned(), vec!["TRUE".to_owned()])));
    let again = planned("1002,Bo,Li,bo,,,,,terminated,\n", &gone);
    assert!(again.steps.is_empty() && again.problems.is_empty(), "{again:?}");
    // Who comes back is somebody's decision.
    let back = planned("1001,Anna,Moreau,anna,,ER,,,active,\n", &gone);
    assert!(back.steps.is_empty() && back.problems.len() == 1, "{back:?}");
}

#[test]
fn whose_last_day_is_over_leaves_and_counts_among_those_who_may() {
    let plan = planned("1001,Anna,Moreau,anna,,ICU,,,active,2026-12-31\n", &[anna()]);
    assert_eq!((plan.count(Action::Leave), plan.count(Action::Move)), (1, 0), "{plan:?}");
    assert_eq!(change(&plan, "pwdEndTime"), Some((&[][..], &["20270101000000Z".to_owned()][..])));
    assert!(plan.ends_too_many(99));
    let mut ended = anna();
    ended.attributes.insert("pwdendtime".to_owned(), vec!["20270101000000Z".to_owned()]);
    let again = planned("1001,Anna,Moreau,anna,,ICU,,,active,2026-12-31\n", &[ended]);
    assert!(again.steps.is_empty() && again.problems.is_empty(), "{again:?}");
}

#[test]
fn who_is_absent_by_two_keys_leaves_once() {
    let mut both = anna();
    both.attributes.insert("employeenumber".to_owned(), vec!["1001".to_owned(), "1009".to_owned()]);
    let gone = planned("", &[both.clone()]);
    assert_eq!((gone.count(Action::Leave), gone.steps.len()), (1, 1), "{gone:?}");
    let there = planned("1009,Anna,Moreau,anna,,ICU,,,active,\n", &[both]);
    assert_eq!(there.count(Action::Leave), 0, "{there:?}");
}

#[test]
fn a_name_that_is_taken_or_that_two_would_get_is_nobody_s_manager() {
    let manager = |rows: &str, people: &[Person]| {
        let plan = planned(rows, people);
        let moved = plan
            .steps
            .iter()
            .find(|step| step.key == "1001")
            .and_then(|step| step.changes.iter().find(|it| it.attribute == "manager"));
        (moved.map(|it| it.after.concat()), plan.problems.len())
    };
    let anna_s = "1001,Anna,Moreau,anna,,ICU,,1002,active,\n";
    let one = manager(&format!("{anna_s}1002,Bo,Li,bo,,,,,active,\n"), &[anna()]);
    assert_eq!(one, (Some("uid=bo,ou=people,dc=mercy,dc=example".to_owned()), 0));
    // Somebody else is called that already: the joiner is to be looked at, and so is who refers to him.
    let bo = person("uid=bo,ou=people,dc=mercy,dc=example", &[("employeeNumber", "7")]);
    let with_seven = "7,B,O,bo,,,,,active,\n";
    let taken = manager(&format!("{anna_s}1002,Bo,Li,bo,,,,,active,\n{with_seven}"), &[anna(), bo]);
    assert_eq!(taken, (None, 2));
    let (claimed, problems) = manager(&format!("{anna_s}1002,Bo,Li,bo,,,,,active,\n1003,Bob,Lin,bo,,,,,active,\n"), &[anna()]);
    assert!(claimed.is_none() && problems >= 1);
}

#[test]
fn doubt_ends_nobody() {
    let people = [anna(), person("uid=svc,ou=people,dc=mercy,dc=example", &[("cn", "no key")])];
    let nameless = planned(",Anna,Moreau,anna,,ICU,,,active,\n", &people);
    assert!(nameless.steps.is_empty() && nameless.problems.len() == 1, "{nameless:?}");
    let twice = planned("1001,A,B,anna,,,,,active,\n1001,C,D,anna,,,,,terminated,\n", &people);
    assert!(twice.steps.is_empty() && twice.problems.len() == 1, "{twice:?}");
    let known = planned("1001,Anna,Moreau,anna,,ICU,,9999,active,\n7,S,V,svc,,,,,active,\n", &people);
    assert!(known.steps.is_empty() && known.problems.len() == 2, "{known:?}");
}

#[test]
fn a_torn_file_is_no_file() {
    let mapping = mapping();
    let problem = |text: &str| HrFile::read(text.as_bytes(), ',', mapping.columns()).err().unwrap();
    assert!(problem(&format!("{HEAD}1001,Anna\n")).contains("line: 2"), "{}", problem(&format!("{HEAD}1001,Anna\n")));
    assert!(problem("Employee ID,First\n").contains("no column Last"), "{}", problem("Employee ID,First\n"));
    assert!(HrFile::read(b"\xff", ',', mapping.columns()).err().unwrap().contains("UTF-8"));
    assert!(HrFile::read(format!("\u{feff}{HEAD}").as_bytes(), ',', mapping.columns()).is_ok());
}

#[test]
fn secrets_and_doubles_have_no_place_in_a_mapping() {
    let problem = |line: &str| {
        let text = SAMPLE.replace("cn = \"{First} {Last}\"", line);
        Mapping::read(&text, "dc=mercy,dc=example", &Schema::embedded().unwrap()).unwrap_err()
    };
    assert!(problem("userPassword = \"{First}\"").contains("secrets"));
    assert!(problem("Manager = \"{First}\"").contains("twice"));
    let text = SAMPLE.replace("# time-zone = \"America/Chicago\"", "time-zone = \"Springvale\"");
    assert!(Mapping::read(&text, "dc=mercy,dc=example", &Schema::embedded().unwrap()).unwrap_err().contains("time-zone"));
}
