//! The program from outside: start, stop, reload, refusals, and what is found on disk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::path::Path;

use common::client::{Client, values};
use common::{ADMIN, Installation, PASSWORD, SUFFIX};
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapCompareRequest, LdapDerefAliases, LdapExtendedRequest, LdapFilter, LdapModifyType, LdapMsg, LdapOp, LdapResultCode,
    LdapSearchRequest, LdapSearchScope,
};

const NOTICE: &str = "1.3.6.1.4.1.1466.20036";

fn administrator(address: &str) -> Client {
    let mut client = Client::connect(address).unwrap();
    assert_eq!(client.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    client
}

fn add_person(client: &mut Client, uid: &str, description: &str) {
    let dn = format!("uid={uid},{SUFFIX}");
    let attributes: &[(&str, &[&str])] =
        &[("objectClass", &["inetOrgPerson"]), ("cn", &[uid]), ("sn", &["Person"]), ("description", &[description])];
    assert_eq!(client.add(&dn, attributes).unwrap(), LdapResultCode::Success);
}

/// The code of a Notice of Disconnection, which must come next and be the last.
fn notice(client: &mut Client) -> LdapResultCode {
    let message = client.receive().unwrap();
    assert_eq!(message.msgid, 0);
    let LdapOp::ExtendedResponse(response) = message.op else { panic!("no notice: {:?}", message.op) };
    assert_eq!(response.name.as_deref(), Some(NOTICE));
    assert_eq!(client.receive().unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    response.res.code
}

#[test]
fn sigterm_says_goodbye_and_exits_with_0() {
    let installation = Installation::new();
    let server = installation.serve();
    let mut idle = Client::connect(&server.ldap()).unwrap();
    let mut bound = administrator(&server.ldap());
    add_person(&mut bound, "before", "stop");
    assert_eq!(server.stop(), Some(0));
    assert_eq!(notice(&mut idle), LdapResultCode::Unavailable);
    assert_eq!(notice(&mut bound), LdapResultCode::Unavailable);
    let server = installation.serve();
    let read = administrator(&server.ldap()).read(&format!("uid=before,{SUFFIX}"), &["description"]).unwrap();
    assert_eq!(values(&read.unwrap(), "description"), ["stop"]);
}

#[test]
fn what_is_no_ldap_ends_its_own_connection_and_no_other() {
    let installation = Installation::new();
    let server = installation.serve();
    let mut good = administrator(&server.ldap());
    for octets in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x30, 0x80, 0, 0], &[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff], &[0x30, 5, 2, 1, 0, 0x42, 0]]
    {
        let mut bad = Client::connect(&server.ldap()).unwrap();
        bad.send_octets(octets).unwrap();
        assert_eq!(notice(&mut bad), LdapResultCode::ProtocolError, "{octets:02x?}");
    }
    assert!(good.read(SUFFIX, &["1.1"]).unwrap().is_some());
}

/// Asks for a compare of the own password, which takes a run of Argon2: work that lasts.
fn compare_password(client: &mut Client) -> i32 {
    let compare = LdapCompareRequest { dn: ADMIN.to_owned(), atype: "userPassword".to_owned(), val: b"wrong".to_vec() };
    client.send(LdapOp::CompareRequest(compare)).unwrap()
}

/// More than a connection may have under way.
const MANY: i32 = 120;

#[test]
fn who_ends_the_sending_side_still_gets_all_replies() {
    let installation = Installation::new();
    let server = installation.serve();
    let mut client = administrator(&server.ldap());
    let asked: Vec<i32> = (0..MANY).map(|_| compare_password(&mut client)).collect();
    client.end_sending().unwrap();
    let mut answered: Vec<i32> = asked.iter().map(|_| client.receive().unwrap().msgid).collect();
    answered.sort_unstable();
    assert_eq!(answered, asked);
    assert_eq!(client.receive().unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    let mut nothing = Client::connect(&server.ldap()).unwrap();
    nothing.end_sending().unwrap();
    assert_eq!(nothing.receive().unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn cancel_and_abandon_are_seen_behind_more_requests_than_may_be_under_way() {
    let installation = Installation::new();
    let server = installation.serve();
    let mut client = administrator(&server.ldap());
    let asked: Vec<i32> = (0..MANY).map(|_| compare_password(&mut client)).collect();
    let (abandoned, cancelled) = (asked[98], asked[99]);
    client.send(LdapOp::AbandonRequest(abandoned)).unwrap();
    let value = [&[0x30, 4, 2, 2][..], &u16::try_from(cancelled).unwrap().to_be_bytes()].concat();
    let cancel = LdapExtendedRequest { name: "1.3.6.1.1.8".to_owned(), value: Some(value) };
    let cancel = client.send(LdapOp::ExtendedRequest(cancel)).unwrap();
    let answers: Vec<LdapMsg> = (0..MANY).map(|_| client.receive().unwrap()).collect();
    let place = |id: i32| answers.iter().position(|answer| answer.msgid == id);
    assert_eq!(place(abandoned), None);
    let LdapOp::CompareResult(result) = &answers[place(cancelled).unwrap()].op else { panic!("no compare") };
    assert_eq!(result.code, LdapResultCode::Canceled);
    let LdapOp::ExtendedResponse(response) = &answers[place(cancel).unwrap()].op else { panic!("no extended response") };
    assert_eq!(response.res.code, LdapResultCode::Success);
    assert!(place(cancel) < place(asked[97]), "before what stood in front of it, and long before the last: {:?}", place(cancel));
}

/// A persistent search for changes of persons, without notices.
fn watch(client: &mut Client) -> i32 {
    let oid = "2.16.840.1.113730.3.4.3".to_owned();
    let value = Some(vec![0x30, 9, 2, 1, 15, 1, 1, 0xff, 1, 1, 0]);
    let search = LdapSearchRequest {
        base: SUFFIX.to_owned(),
        scope: LdapSearchScope::Subtree,
        aliases: LdapDerefAliases::Never,
        sizelimit: 0,
        timelimit: 0,
        typesonly: false,
        filter: LdapFilter::Equality("objectClass".to_owned(), "person".to_owned()),
        attrs: vec!["uid".to_owned()],
    };
    client.send_with(LdapOp::SearchRequest(search), vec![LdapControl::Unknown { oid, criticality: true, value }]).unwrap()
}

/// The uid in the entry that comes next, and for which search.
fn heard(client: &mut Client) -> (i32, String) {
    let message = client.receive().unwrap();
    let LdapOp::SearchResultEntry(entry) = message.op else { panic!("no entry: {:?}", message.op) };
    (message.msgid, values(&entry, "uid").join(" "))
}

#[test]
fn who_follows_hears_of_every_change_beside_other_requests_and_of_the_end() {
    let installation = Installation::new();
    let server = installation.serve();
    let (mut writer, mut follower) = (administrator(&server.ldap()), administrator(&server.ldap()));
    let (first, second) = (watch(&mut follower), watch(&mut follower));
    // Requests are taken in order: the searches are under way once this one is answered.
    assert!(follower.read(SUFFIX, &["1.1"]).unwrap().is_some());
    for number in 0..30 {
        let uid = format!("followed{number}");
        add_person(&mut writer, &uid, "x");
        let mut came = [heard(&mut follower), heard(&mut follower)];
        came.sort();
        assert_eq!(came, [(first, uid.clone()), (second, uid)]);
        if number == 10 {
            assert!(follower.read(SUFFIX, &["1.1"]).unwrap().is_some());
        }
    }
    // Abandoned and not: only one is told of what follows.
    follower.send(LdapOp::AbandonRequest(first)).unwrap();
    assert!(follower.read(SUFFIX, &["1.1"]).unwrap().is_some());
    add_person(&mut writer, "last", "x");
    assert_eq!(heard(&mut follower), (second, "last".to_owned()));

    let newest = |client: &mut Client| values(&client.read(SUFFIX, &["contextCSN"]).unwrap().unwrap(), "contextCSN").join(" ");
    let before = newest(&mut writer);
    assert_eq!(server.stop(), Some(0));
    assert_eq!(notice(&mut follower), LdapResultCode::Unavailable);
    let server = installation.serve();
    assert_eq!(newest(&mut administrator(&server.ldap())), before, "contextCSN outlives a restart");
}

#[test]
fn sighup_reloads_and_a_bad_configuration_changes_nothing() {
    let installation = Installation::new();
    let good = fs::read_to_string(installation.configuration()).unwrap();
    let server = installation.serve();
    let mut client = administrator(&server.ldap());
    fs::write(installation.configuration(), format!("{good}\nnonsense = 1\n")).unwrap();
    server.signal("HUP");
    wait_for(&server, "nonsense");
    assert!(client.read(SUFFIX, &["1.1"]).unwrap().is_some());
    fs::write(installation.configuration(), good.replace("[limits]", "[limits]\nsize = 2")).unwrap();
    server.signal("HUP");
    wait_for(&server, "new configuration is in force");
    // The administrator has no limit; the connection went on.
    let filter = LdapFilter::Present("objectClass".to_owned());
    let (entries, code) = client.search(SUFFIX, LdapSearchScope::Subtree, filter, &["1.1"]).unwrap();
    assert!(entries.len() > 2);
    assert_eq!(code, LdapResultCode::Success);
}

/// Waits until the log says something: the signal is handled when it is handled.
fn wait_for(server: &common::Server, text: &str) {
    for _ in 0..200 {
        if server.log().contains(text) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the log never said {text}: {}", server.log());
}

#[test]
fn one_server_per_folder() {
    let installation = Installation::new();
    let _server = installation.serve();
    let second = installation.run(&["check"]);
    assert_eq!(second.status.code(), Some(3));
    let message = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(message.contains("in use by another bindery process"), "{message}");
}

#[test]
fn a_wrong_configuration_names_file_line_and_key() {
    let installation = Installation::new();
    let good = fs::read_to_string(installation.configuration()).unwrap();
    fs::write(installation.configuration(), format!("{good}\nsufix = \"dc=x\"\n")).unwrap();
    let line = good.lines().count() + 2;
    let output = installation.run(&["serve"]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.contains("bindery.toml") && message.contains(&line.to_string()) && message.contains("sufix"), "{message}");
}

#[test]
fn clear_text_without_a_waiver_is_refused_before_the_password_is_looked_at() {
    let installation = Installation::new();
    let text = fs::read_to_string(installation.configuration()).unwrap();
    assert!(text.contains("\"clear-text\""), "init wrote the waiver");
    let start = text.find("[[waiver]]").unwrap();
    fs::write(installation.configuration(), &text[..start]).unwrap();
    let server = installation.serve();
    let mut client = Client::connect(&server.ldap()).unwrap();
    for password in [PASSWORD, "wrong"] {
        assert_eq!(client.bind(ADMIN, password).unwrap(), LdapResultCode::ConfidentialityRequired);
    }
}

#[test]
fn a_damaged_or_missing_checkpoint_is_rebuilt_from_the_journal() {
    let installation = Installation::new();
    let server = installation.serve();
    let mut client = administrator(&server.ldap());
    for number in 0..50 {
        add_person(&mut client, &format!("person{number}"), "kept");
    }
    assert_eq!(server.stop(), Some(0));
    let sled = installation.path().join("data/sled");
    let damage: [&dyn Fn(); 3] = [&|| fs::remove_dir_all(&sled).unwrap(), &|| flip_a_byte(&sled.join("db")), &|| {
        fs::write(sled.join("db"), b"this is no sled file").unwrap()
    }];
    for damage in damage {
        damage();
        let server = installation.serve();
        let mut client = administrator(&server.ldap());
        let filter = LdapFilter::Equality("description".to_owned(), "kept".to_owned());
        let (entries, _) = client.search(SUFFIX, LdapSearchScope::Subtree, filter, &["1.1"]).unwrap();
        assert_eq!(entries.len(), 50);
        assert_eq!(server.stop(), Some(0));
    }
    let output = installation.run(&["check"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

fn flip_a_byte(path: &Path) {
    let mut octets = fs::read(path).unwrap();
    let middle = octets.iter().position(|&octet| octet != 0).unwrap() + 40;
    octets[middle] ^= 0x10;
    fs::write(path, octets).unwrap();
}

#[test]
fn a_flipped_byte_in_the_journal_is_found_and_named() {
    let installation = Installation::new();
    let server = installation.serve();
    let mut client = administrator(&server.ldap());
    add_person(&mut client, "first", "x");
    add_person(&mut client, "second", "x");
    assert_eq!(server.stop(), Some(0));
    let folder = installation.path().join("data/journal");
    let mut segments: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    let mut octets = fs::read(&segments[0]).unwrap();
    octets[600] ^= 1;
    fs::write(&segments[0], octets).unwrap();
    let output = installation.run(&["check"]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert_ne!(output.status.code(), Some(0), "{message}");
    assert!(message.contains(segments[0].file_name().unwrap().to_str().unwrap()), "{message}");
}

#[test]
fn a_flipped_byte_in_a_segment_that_no_start_reads_any_more_is_found_by_check() {
    let installation = Installation::new();
    for _ in 0..2 {
        assert_eq!(installation.serve().stop(), Some(0));
    }
    let folder = installation.path().join("data/journal");
    let oldest = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).min().unwrap();
    let mut octets = fs::read(&oldest).unwrap();
    octets[4096 + 600] ^= 1;
    fs::write(&oldest, octets).unwrap();
    let output = installation.run(&["check"]);
    let message = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains(oldest.file_name().unwrap().to_str().unwrap()), "{message}");
}

#[test]
fn an_imported_password_may_follow_its_entry_at_once() {
    let installation = Installation::new();
    let file = installation.path().join("people.ldif");
    let add = format!("dn: uid=ada,{SUFFIX}\nobjectClass: inetOrgPerson\ncn: Ada\nsn: L\n");
    let modify = format!("dn: uid=ada,{SUFFIX}\nchangetype: modify\nadd: userPassword\nuserPassword: {PASSWORD}\n");
    fs::write(&file, format!("{add}\n{modify}")).unwrap();
    installation.succeed(&["import", file.to_str().unwrap()]);
    let server = installation.serve();
    let mut client = Client::connect(&server.ldap()).unwrap();
    assert_eq!(client.bind(&format!("uid=ada,{SUFFIX}"), PASSWORD).unwrap(), LdapResultCode::Success);
}

#[test]
fn export_and_import_give_the_same_directory() {
    let first = Installation::new();
    let server = first.serve();
    let mut client = administrator(&server.ldap());
    add_person(&mut client, "zoë", " leading space, and ünïcode");
    let group: &[(&str, &[&str])] = &[("objectClass", &["groupOfNames"]), ("member", &["uid=zoë,dc=mercy,dc=example"])];
    assert_eq!(client.add(&format!("cn=readers,{SUFFIX}"), group).unwrap(), LdapResultCode::Success);
    let password: &[(LdapModifyType, &str, &[&str])] = &[(LdapModifyType::Add, "userPassword", &["a rather long pass phrase"])];
    assert_eq!(client.modify(&format!("uid=zoë,{SUFFIX}"), password).unwrap(), LdapResultCode::Success);
    let beside = first.succeed(&["export"]);
    assert_eq!(server.stop(), Some(0));
    assert_eq!(sorted(&first.succeed(&["export"])), sorted(&beside), "running or not, an export is the same");
    let whole = first.succeed(&["export", "--secrets"]);
    let file = common::write(&first, "export.ldif", &whole);

    let second = Installation::new();
    let output = second.run(&["import", "--continue", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "what init wrote is there already: {}", String::from_utf8_lossy(&output.stderr));
    let server = second.serve();
    let mut person = Client::connect(&server.ldap()).unwrap();
    assert_eq!(person.bind(&format!("uid=zoë,{SUFFIX}"), "a rather long pass phrase").unwrap(), LdapResultCode::Success);
    drop(server);
    let again = second.succeed(&["export", "--secrets"]);
    for dn in ["uid=zoë", "cn=readers"] {
        assert_eq!(record(&again, dn), record(&whole, dn));
    }
}

fn sorted(ldif: &str) -> Vec<String> {
    let mut records: Vec<String> = ldif.split("\n\n").map(str::to_owned).collect();
    records.sort();
    records
}

fn record(ldif: &str, dn: &str) -> String {
    use base64::Engine as _;
    let plain = format!("dn: {dn},{SUFFIX}");
    let coded = format!("dn:: {}", base64::engine::general_purpose::STANDARD.encode(format!("{dn},{SUFFIX}")));
    ldif.split("\n\n").find(|record| record.contains(&plain) || record.replace("\n ", "").contains(&coded)).unwrap().to_owned()
}

#[test]
fn nothing_personal_is_in_clear_in_the_data_folder_or_the_log() {
    let installation = Installation::new();
    let server = installation.serve();
    let mut client = administrator(&server.ldap());
    add_person(&mut client, "canary-uid", "canary-description");
    let password: &[(LdapModifyType, &str, &[&str])] = &[(LdapModifyType::Add, "userPassword", &["canary-password"])];
    assert_eq!(client.modify(&format!("uid=canary-uid,{SUFFIX}"), password).unwrap(), LdapResultCode::Success);
    let mut person = Client::connect(&server.ldap()).unwrap();
    assert_eq!(person.bind(&format!("uid=canary-uid,{SUFFIX}"), "canary-password").unwrap(), LdapResultCode::Success);
    assert_eq!(person.bind("canary-typed-into-the-name", "canary-wrong").unwrap(), LdapResultCode::InvalidDNSyntax);
    assert_eq!(person.bind("cn=canary-typed-into-the-name", "canary-wrong").unwrap(), LdapResultCode::InvalidCredentials);
    let log = server.log();
    assert_eq!(server.stop(), Some(0));
    assert!(!log.contains("canary-password") && !log.contains("canary-wrong"), "{log}");
    let journal = installation.succeed(&["journal", "export"]);
    assert!(journal.contains("canary-description"), "the journal tells what was added");
    for secret in ["canary-password", "canary-wrong", "canary-typed-into-the-name", "{ARGON2}"] {
        assert!(!journal.contains(secret), "the journal tells {secret}");
    }
    let mut files = 0;
    for_each_file(&installation.path().join("data"), &mut |path| {
        files += 1;
        let octets = fs::read(path).unwrap();
        assert!(!octets.windows(6).any(|window| window == b"canary"), "{} holds a canary", path.display());
    });
    assert!(files > 2);
}

fn for_each_file(folder: &Path, each: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { for_each_file(&path, each) } else { each(&path) }
    }
}
