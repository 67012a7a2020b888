//! `bindery explain` and `bindery access matrix` from outside: a matrix is what explain says of somebody who has one role alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::HashMap;

use common::{Installation, write};

const SUFFIX: &str = "dc=mercy,dc=example";

fn installation() -> Installation {
    let installation = Installation::new();
    let ldif = format!(
        "dn: uid=anna,{SUFFIX}\nobjectClass: inetOrgPerson\ncn: Anna\nsn: Moreau\n\n\
         dn: uid=bert,{SUFFIX}\nobjectClass: inetOrgPerson\ncn: Bert\nsn: Lind\nmanager: uid=anna,{SUFFIX}\n\n\
         dn: uid=carl,{SUFFIX}\nobjectClass: inetOrgPerson\ncn: Carl\nsn: Ott\n\n\
         dn: cn=clerks,ou=roles,{SUFFIX}\nobjectClass: groupOfNames\nmember: uid=carl,{SUFFIX}\n\n\
         dn: cn=clerks write titles,ou=access,ou=policies,{SUFFIX}\nobjectClass: accessRule\naccessSubject: group:cn=clerks,ou=roles,{SUFFIX}\n\
         accessRight: replace\naccessAttribute: title\naccessNetwork: 10.0.0.0/8\naccessEffect: allow\n\n\
         dn: cn=managers read rooms,ou=access,ou=policies,{SUFFIX}\nobjectClass: accessRule\naccessSubject: manager\n\
         accessRight: read\naccessAttribute: roomNumber\naccessEffect: allow\n"
    );
    installation.succeed(&["import", write(&installation, "people.ldif", &ldif).to_str().unwrap()]);
    installation
}

fn explain(installation: &Installation, who: &str, right: &str, target: &str, more: &[&str]) -> (i32, String) {
    let mut arguments = vec!["explain", "--who", who, "--right", right, "--target", target];
    arguments.extend_from_slice(more);
    let output = installation.run(&arguments);
    let said = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
    (output.status.code().unwrap(), String::from_utf8_lossy(said).into_owned())
}

#[test]
fn explain_says_yes_or_no_and_by_which_rules() {
    let installation = installation();
    let bert = format!("uid=bert,{SUFFIX}");
    let stopped = explain(&installation, "anna", "read", &bert, &["--attribute", "roomNumber"]);
    assert_eq!(stopped.0, 0, "{}", stopped.1);
    assert!(stopped.1.starts_with(&format!("yes: uid=anna,{SUFFIX}: read roomNumber of {bert}\n")), "{}", stopped.1);
    assert!(stopped.1.contains("  allowed by cn=managers read rooms,"), "{}", stopped.1);

    let server = installation.serve();
    assert_eq!(
        explain(&installation, "anna", "read", &bert, &["--attribute", "roomNumber"]),
        stopped,
        "the running server says the same"
    );
    let (code, said) = explain(&installation, "carl", "read", &bert, &["--attribute", "roomNumber"]);
    assert!(code == 1 && said.starts_with("no: ") && said.contains("no rule allows it"), "{said}");
    let (code, said) = explain(&installation, "anonymous", "read", &bert, &["--attribute", "cn"]);
    assert!(code == 1 && said.starts_with("no: anonymous: "), "{said}");
    let title = ["--attribute", "title"];
    assert_eq!(explain(&installation, "carl", "replace", &bert, &title).0, 1, "from another network");
    let (code, said) =
        explain(&installation, "carl", "replace", &bert, &[&title[..], &["--from", "10.1.2.3", "--format", "jsonl"]].concat());
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, json["allowed"].as_bool()), (0, Some(true)));
    assert!(json["rules"][0].as_str().unwrap().starts_with("cn=clerks write titles,"), "{said}");
    let (_, said) = explain(&installation, "carl", "replace", &bert, &[&title[..], &["--format", "csv"]].concat());
    assert!(said.starts_with("answer,who,right,attribute,target,rules,because\r\nno,"), "{said}");
    for (who, right, more) in [("nobody", "read", &[][..]), ("anna", "write", &[]), ("anna", "read", &["--factor", "hope"])] {
        assert_eq!(explain(&installation, who, right, &bert, more).0, 3);
    }
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn each_cell_of_the_matrix_is_what_explain_says_of_who_has_that_role_alone() {
    let installation = installation();
    let bert = format!("uid=bert,{SUFFIX}");
    let columns = ["--attribute", "title", "--attribute", "roomNumber", "--attribute", "telephoneNumber"];
    let matrix = |more: &[&str]| installation.succeed(&[&["access", "matrix", "--target", &bert], &columns[..], more].concat());
    let stopped = matrix(&["--from", "10.1.2.3", "--format", "jsonl"]);
    let server = installation.serve();
    let running = matrix(&["--from", "10.1.2.3", "--format", "jsonl"]);
    assert_eq!(running, stopped, "the running server says the same");
    let mut cells: HashMap<(String, String), Vec<String>> = HashMap::new();
    for line in running.lines() {
        let cell: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| cell[name].as_str().unwrap().to_owned();
        let rights = cell["rights"].as_array().unwrap().iter().map(|right| right.as_str().unwrap().to_owned()).collect();
        cells.insert((text("role"), text("attribute")), rights);
    }
    // Carl is a clerk and nothing else, Anna is nobody but Bert's manager.
    let people =
        [("cn=clerks", "carl"), ("manager (uid=anna)", "anna"), ("whoever is not", "anonymous"), ("self (uid=bert)", "bert")];
    for (role, who) in people {
        for attribute in ["title", "roomNumber", "telephoneNumber"] {
            let rights = &cells[&(role.to_owned(), attribute.to_owned())];
            for right in ["search", "compare", "read", "add-value", "delete-value", "replace"] {
                let (code, said) = explain(&installation, who, right, &bert, &["--attribute", attribute, "--from", "10.1.2.3"]);
                assert_eq!(code == 0, rights.contains(&right.to_owned()), "{role}: {right} {attribute}: {said}");
            }
        }
        for right in ["delete", "set-password"] {
            let allowed = cells[&(role.to_owned(), "(the entry)".to_owned())].contains(&right.to_owned());
            assert_eq!(explain(&installation, who, right, &bert, &["--from", "10.1.2.3"]).0 == 0, allowed, "{role}: {right}");
        }
    }
    assert!(cells[&("cn=clerks".to_owned(), "title".to_owned())].contains(&"replace".to_owned()));
    assert!(!installation.succeed(&["export"]).contains("matrix-"), "nothing is left of it");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_matrix_without_questions_has_what_the_rules_name() {
    let installation = installation();
    let table = installation.succeed(&["access", "matrix"]);
    let head = table.lines().next().unwrap();
    for role in ["cn=administrators", "cn=auditors", "cn=clerks", "self", "manager", "whoever is logged in", "whoever is not"] {
        assert!(head.contains(role), "{role}: {table}");
    }
    let row = |name: &str| {
        let found = table.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {table}"));
        found.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("roomNumber"), ["scradw", "scr", "-", "scr", "r", "-", "-"], "{table}");
    assert_eq!(row("title")[2], "scr", "not from loopback: {table}");
    assert!(
        table.contains("hold from some networks, with some factors or until some time only: cn=clerks write titles"),
        "{table}"
    );
    assert!(table.contains("stands for other user attributes"), "{table}");
    let csv = installation.succeed(&["access", "matrix", "--format", "csv"]);
    assert!(csv.starts_with("role,attribute,rights\r\n") && csv.contains("manager,roomNumber,read\r\n"), "{csv}");
    let page = installation.succeed(&["access", "matrix", "--format", "html"]);
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("<th>cn=clerks</th>") && !page.contains("<script"), "{page}");
    let group = installation.succeed(&["access", "matrix", "--target", &format!("cn=clerks,ou=roles,{SUFFIX}")]);
    assert!(group.lines().any(|line| line.starts_with("member ")), "{group}");
    assert!(
        !group.lines().any(|line| line.starts_with("mobile ") || line.starts_with("userPassword ")),
        "no group has those: {group}"
    );
    assert!(group.contains("Not shown: self (the entry is of no class that has a password)"), "{group}");
    let wrong = installation.run(&["access", "matrix", "--attribute", "nothing"]);
    assert_eq!(wrong.status.code(), Some(2));
    let nowhere = installation.run(&["access", "matrix", "--target", "uid=nobody,dc=mercy,dc=example"]);
    assert_eq!(nowhere.status.code(), Some(3), "{}", String::from_utf8_lossy(&nowhere.stderr));
}
