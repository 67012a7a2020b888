//! What is refused before anything is written, what is written, and that a failure leaves nothing behind.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::config::{Configuration, WaiverName};

const NOW: Timestamp = Timestamp(1_795_000_000_000_000); // 2026-11-18

fn arguments(folder: &Path) -> Arguments {
    Arguments { folder: folder.to_path_buf(), suffix: "dc=hospital,dc=example".to_owned(), ..Arguments::default() }
}

fn refusal(change: impl FnOnce(&mut Arguments)) -> String {
    let mut arguments = arguments(Path::new("/tmp/nowhere"));
    change(&mut arguments);
    match Plan::new(&arguments, NOW) {
        Err(CommandError::Usage(text)) => text,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("not refused"),
    }
}

#[test]
fn wrong_arguments_say_what_to_write() {
    assert!(refusal(|it| it.suffix = "hospital".into()).contains("is no DN; write one like dc=hospital,dc=example"));
    assert!(refusal(|it| it.suffix = "cn=hospital".into()).contains("must begin with dc=, o=, ou=, l= or c="));
    assert!(refusal(|it| it.suffix = String::new()).contains("must begin with"));
    assert!(refusal(|it| it.ldap = Some("localhost".into())).contains("--ldap localhost: is no address"));
    assert!(refusal(|it| it.ldaps = Some("1.2.3.4".into())).contains("--ldaps 1.2.3.4: is no address"));
    assert!(refusal(|it| it.keys = Some("/tmp/nowhere/data/keys".into())).contains("--keys lies in the data folder"));
    assert!(refusal(|it| it.waivers = vec!["clear-text".into()]).contains("add --waiver-reason TEXT"));
    assert!(refusal(|it| it.waiver_reason = Some("r".into())).contains("add --waive NAME"));
    let waived = |name: &str, change: fn(&mut Arguments)| {
        refusal(|it| {
            it.waivers = vec![name.to_owned()];
            it.waiver_reason = Some("a reason".into());
            change(it);
        })
    };
    assert!(waived("everything", |_| {}).contains("--waive everything: cannot be waived; write clear-text or second-factor"));
    assert!(waived("clear-text", |it| it.waiver_until = Some("soon".into())).contains("write one like 2027-02-28"));
    assert!(waived("clear-text", |it| it.waiver_until = Some("2026-11-18".into())).contains("write a later date"));
    assert!(waived("clear-text", |it| it.waiver_networks = vec!["10.0.0.1".into()]).contains("is no network"));
    assert!(waived("clear-text", |it| it.waiver_owner = Some(" ".into())).contains("name who answers"));
}

#[test]
fn what_is_written_is_read_back() {
    let mut arguments = arguments(Path::new("/srv/bindery"));
    arguments.suffix = "o=St. Mary's \\\"Hospital\\\"\\, Inc.".to_owned();
    arguments.ldap = Some("127.0.0.1:0".to_owned());
    arguments.keys = Some("/etc/keys".into());
    arguments.waivers = vec!["clear-text".into(), "second-factor".into(), "clear-text".into()];
    arguments.waiver_reason = Some("line one\nline \"two\" \\".into());
    let plan = Plan::new(&arguments, NOW).unwrap();
    let text = configuration::text(&plan);
    let read =
        Configuration::from_text(Path::new("/srv/bindery/bindery.toml"), &text, NOW).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(read.suffix, plan.suffix);
    assert_eq!(read.listeners.ldap, ["127.0.0.1:0".parse().unwrap()]);
    assert_eq!(read.listeners.ldaps, ["127.0.0.1:636".parse().unwrap()]);
    assert_eq!(read.listeners.ldapi, Path::new("/srv/bindery/ldapi"));
    assert_eq!(read.data, Path::new("/srv/bindery/data"));
    let names: Vec<WaiverName> = read.waivers.iter().map(|waiver| waiver.name).collect();
    assert_eq!(names, [WaiverName::ClearText, WaiverName::SecondFactor]);
    assert_eq!(read.waivers[0].reason, "line one\nline \"two\" \\");
    assert_eq!(read.waivers[0].until, Timestamp::from_generalized_time(b"20270216000000Z").unwrap(), "90 days ahead");
    assert_eq!(read.waivers[0].networks.len(), 2);
    assert!(!read.waivers[0].owner.is_empty());
}

#[test]
fn every_remark_in_the_file_is_a_valid_setting_with_its_default() {
    let plain = configuration::text(&Plan::new(&arguments(Path::new("/srv/bindery")), NOW).unwrap());
    let folder = Path::new("/srv/bindery/bindery.toml");
    let mut tried = 0;
    let remarks = [
        "attributes",
        "kept-after-deletion",
        "size",
        "time",
        "sorted",
        "filter",
        "controls",
        "pending",
        "operations",
        "scanned",
        "persistent",
        "unauth",
        "request",
        "result",
        "connections",
        "handshake",
        "first",
        "whole",
        "write",
        "idle",
        "service",
        "failed",
        "memory",
        "passes",
        "lanes",
        "format",
        "level",
    ];
    let opened: String = plain
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if remarks.iter().any(|name| setting.starts_with(name)) && setting.contains(" = ") => {
                tried += 1;
                format!("{setting}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    assert_eq!(tried, 36);
    let default = Configuration::from_text(folder, &plain, NOW).unwrap();
    let written = Configuration::from_text(folder, &opened, NOW).unwrap_or_else(|error| panic!("{error}\n{opened}"));
    assert_eq!(written.identifiers, default.identifiers);
    assert_eq!(written.limits, default.limits);
    assert_eq!(written.connections, default.connections);
    assert_eq!(written.password, default.password);
    assert_eq!((written.log_format, written.log_level), (default.log_format, default.log_level));
}

#[test]
fn an_installation_is_made_once_and_has_its_modes() {
    let folder = TempDir::new().unwrap();
    let target = folder.path().join("deep/hospital");
    let password = Secret::from(b"a rather long pass phrase".as_slice());
    let file = make(&arguments(&target), &password).unwrap();
    assert_eq!(file, target.join("bindery.toml"));
    for (path, mode) in [
        ("", 0o755),
        ("bindery.toml", 0o644),
        ("keys", 0o700),
        ("keys/journal.key", 0o600),
        ("keys/journal.pub", 0o644),
        ("keys/seal.key", 0o600),
        ("tls", 0o755),
        ("tls/server.pem", 0o644),
        ("tls/server.key", 0o600),
        ("data", 0o700),
    ] {
        let found = std::fs::metadata(target.join(path)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(found, mode, "{path}: {found:o}");
    }
    let again = make(&arguments(&target), &password).unwrap_err().to_string();
    assert!(again.contains("the folder is not empty"), "{again}");
    assert!(file.exists(), "what was there before is not touched");

    let installation = Installation::load(&file).unwrap();
    let offline = OfflineInstallation::without_indexes(installation);
    let mut offline = offline.unwrap_or_else(|error| panic!("{error}"));
    let directory = offline.committer().head().clone();
    assert_eq!(directory.entry_count(), 23);
    let password_type = directory.schema().attribute_type("userPassword").unwrap().id;
    let crate::directory::Lookup::Found(admin) =
        directory.find(&crate::model::Dn::parse(b"cn=admin,dc=hospital,dc=example").unwrap())
    else {
        panic!("no administrator");
    };
    let stored = directory.node(admin).unwrap().entry.first(password_type).unwrap().to_vec();
    assert!(stored.starts_with(b"{ARGON2}$argon2id$v=19$m=19456,t=2,p=1$"));
    assert_eq!(directory.groups_of(admin).count(), 2);
    offline.close();
}

#[test]
fn a_failure_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let target = folder.path().join("deep/hospital");
    let mut arguments = arguments(&target);
    arguments.certificate = Some(folder.path().join("absent.pem"));
    arguments.certificate_key = Some(folder.path().join("absent.key"));
    let error = make(&arguments, &Secret::from(b"password".as_slice())).unwrap_err().to_string();
    assert!(error.contains("absent.pem"), "{error}");
    assert!(!folder.path().join("deep").exists());

    std::fs::create_dir_all(&target).unwrap();
    make(&arguments, &Secret::from(b"password".as_slice())).unwrap_err();
    assert_eq!(std::fs::read_dir(&target).unwrap().count(), 0, "an empty folder that was there stays, empty");
}

#[test]
fn a_refused_entry_takes_everything_back_the_store_included() {
    let folder = TempDir::new().unwrap();
    let keys = folder.path().join("keys");
    std::fs::create_dir(&keys).unwrap();
    std::fs::write(keys.join("another.key"), "not ours").unwrap();
    let mut arguments = arguments(&folder.path().join("hospital"));
    arguments.suffix = "c=Atlantis".to_owned();
    arguments.keys = Some(keys.clone());
    let error = make(&arguments, &Secret::from(b"password".as_slice())).unwrap_err().to_string();
    assert!(error.starts_with("c=Atlantis: refused: "), "{error}");
    assert!(!folder.path().join("hospital").exists());
    let left: Vec<_> = std::fs::read_dir(&keys).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["another.key"], "what was there before stays");
}
