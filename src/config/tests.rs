//! What a configuration means, and that errors name file, line and key, and what to write instead.

use super::*;
use crate::policy::share::{AddressLimits, CrowdLimits};

const NOW: Timestamp = Timestamp(1_795_000_000_000_000); // 2026-11-18
const SUFFIX: &str = "suffix = \"dc=hospital,dc=example\"\n";

fn read(text: &str) -> Result<Configuration, ConfigurationError> {
    Configuration::from_text(Path::new("/etc/bindery/bindery.toml"), text, NOW)
}

/// Reads the suffix and `text` below it; line 2 is the first of `text`.
fn below_suffix(text: &str) -> Configuration {
    read(&format!("{SUFFIX}{text}")).unwrap_or_else(|error| panic!("{error}"))
}

/// `expected`: what follows the file's name.
#[track_caller]
fn refuses(text: &str, expected: &str) {
    let error = read(text).map(|_| ()).unwrap_err().to_string();
    assert_eq!(error.strip_prefix("/etc/bindery/bindery.toml").unwrap(), expected);
}

#[track_caller]
fn refuses_below_suffix(text: &str, expected: &str) {
    refuses(&format!("{SUFFIX}{text}"), expected);
}

#[test]
fn a_suffix_is_enough() {
    let configuration = below_suffix("");
    assert_eq!(configuration.suffix.to_string(), "dc=hospital,dc=example");
    assert_eq!(configuration.data, Path::new("/etc/bindery/data"));
    assert_eq!(configuration.seal_key, SealKeySource::File("/etc/bindery/keys/seal.key".into()));
    assert_eq!(configuration.listeners.ldapi, Path::new("/etc/bindery/ldapi"));
    assert!(configuration.listeners.ldap.is_empty() && configuration.listeners.ldaps.is_empty());
    assert_eq!(configuration.tls, None);
    assert_eq!(configuration.limits, Limits::default());
    assert_eq!(configuration.connections, ConnectionSettings::default());
    assert_eq!(configuration.password, Argon2Parameters::default());
    assert_eq!(configuration.digest.len(), 64);
    let settings = configuration.settings(&Secret::new(vec![1; 32]), &Secret::new(vec![2; 32]));
    assert!(settings.clear_text.is_empty() && !settings.start_tls && settings.certificate_rules.is_empty());
    assert_eq!(settings.hash_key.len(), 32);
    let uid = configuration.indexes.iter().find(|index| index.attribute == "uid").unwrap();
    assert!(uid.equality && uid.substring && !uid.ordering && !uid.presence);
}

#[test]
fn a_file_in_the_working_folder_has_absolute_paths_too() {
    let here = std::env::current_dir().unwrap();
    let configuration = Configuration::from_text(Path::new("bindery.toml"), SUFFIX, NOW).unwrap();
    assert_eq!(configuration.listeners.ldapi, here.join("ldapi"));
    assert_eq!(configuration.data, here.join("data"));
}

#[test]
fn what_a_refused_bind_tells() {
    let told = |text: &str| {
        let Disclosure { control, texts } = below_suffix(text).discloses;
        (control, texts)
    };
    assert_eq!(told(""), (false, false));
    assert_eq!(told("disclose = \"legacy\""), (true, true));
    assert_eq!(told("disclose-control = true"), (true, false));
    assert_eq!(told("disclose-texts = true"), (false, true));
    assert_eq!(told("disclose = \"legacy\"\ndisclose-texts = false"), (true, false));
    assert!(read(&format!("{SUFFIX}disclose = \"all\"")).is_err());
}

#[test]
fn everything_can_be_written() {
    let configuration = below_suffix(
        r#"
data = "/var/lib/bindery"
[keys]
seal-environment = "BINDERY_SEAL_KEY"
[listen]
ldap = ["0.0.0.0:389", "[::]:389"]
ldaps = ["127.0.0.1:636"]
ldapi = "/run/bindery/ldapi"
[tls]
certificate = "tls/server.pem"
key = "/etc/ssl/private/server.key"
client-authorities = "tls/clients.pem"
[[tls.certificate-mapping]]
match = "email"
[[tls.certificate-mapping]]
match = "common-name"
attribute = "cn"
[ldapi.users]
root = "cn=admin,dc=hospital,dc=example"
1001 = "uid=backup,dc=hospital,dc=example"
[indexes]
UID = ["eq"]
cn = []
roomNumber = ["eq", "pres", "ord", "sub"]
[limits]
size = 5
request = 8192
connections = 10
handshake = 3
[password.argon2id]
memory = 65536
passes = 3
lanes = 4
[log]
format = "json"
level = "debug"
[[waiver]]
name = "clear-text"
reason = "old ventilators"
owner = "security officer"
until = 2027-02-28
networks = ["10.1.2.3/16", "::1/128"]
[[waiver]]
name = "second-factor"
reason = "tokens arrive in March"
owner = "security officer"
until = 2027-04-01T06:00:00+02:00
"#,
    );
    assert_eq!(configuration.data, Path::new("/var/lib/bindery"));
    assert_eq!(configuration.seal_key, SealKeySource::Environment("BINDERY_SEAL_KEY".to_owned()));
    assert_eq!(configuration.listeners.ldap.len(), 2);
    let tls = configuration.tls.as_ref().unwrap();
    assert_eq!(tls.certificate, Path::new("/etc/bindery/tls/server.pem"));
    assert_eq!(tls.key, Path::new("/etc/ssl/private/server.key"));
    assert_eq!(
        configuration.certificate_rules,
        [CertificateRule::Email { attribute: "mail".to_owned() }, CertificateRule::CommonName { attribute: "cn".to_owned() }]
    );
    let users: Vec<u32> = configuration.ldapi_users.keys().copied().collect();
    assert_eq!(users, [0, 1001]);
    let indexed = |name: &str| configuration.indexes.iter().filter(|index| index.attribute.eq_ignore_ascii_case(name)).count();
    assert_eq!((indexed("uid"), indexed("cn"), indexed("roomnumber"), indexed("sn")), (1, 0, 1, 1));
    assert_eq!((configuration.limits.size, configuration.limits.request), (5, 8192));
    assert_eq!(configuration.limits.unauthenticated_request, 8192, "never more than after authentication");
    assert_eq!(configuration.connections.crowd.overall, 10);
    assert_eq!(configuration.connections.addresses.others.connections, 10, "never more than overall");
    assert_eq!(configuration.connections.handshake, std::time::Duration::from_secs(3));
    assert_eq!(configuration.password, Argon2Parameters { memory: 65_536, passes: 3, lanes: 4 });
    assert_eq!((configuration.log_format, configuration.log_level), (LogFormat::Json, LogLevel::Debug));
    let settings = configuration.settings(&Secret::new(vec![1; 32]), &Secret::new(vec![2; 32]));
    let until = Timestamp::from_generalized_time(b"20270228000000Z").unwrap();
    let network = |text: &str| WaivedNetwork { network: text.parse().unwrap(), until };
    assert_eq!(settings.clear_text, [network("10.1.0.0/16"), network("::1/128")]);
    assert!(settings.start_tls);
    let second = &configuration.waivers[1];
    assert_eq!(second.name, WaiverName::SecondFactor);
    assert_eq!(second.until, Timestamp::from_generalized_time(b"20270401040000Z").unwrap());
    assert_eq!(second.networks.len(), 2, "loopback unless written");
}

#[test]
fn the_subject_maps_a_certificate_unless_more_is_written() {
    let configuration = below_suffix("[tls]\ncertificate = \"a\"\nkey = \"b\"\nclient-authorities = \"c\"\n");
    assert_eq!(configuration.certificate_rules, [CertificateRule::SubjectDn]);
}

#[test]
fn what_is_missing_is_named() {
    refuses("", ": suffix: is missing; write the name that everything is below: suffix = \"dc=hospital,dc=example\"");
    refuses_below_suffix(
        "[tls]\nkey = \"k\"\n",
        ":2: tls.certificate: is missing; write the path: certificate = \"tls/server.pem\"",
    );
    refuses_below_suffix(
        "[[waiver]]\nname = \"clear-text\"\nowner = \"me\"\nuntil = 2027-01-01\n",
        ":2: waiver.reason: is missing; write why it is needed: reason = \"old ventilators speak no TLS\"",
    );
    refuses_below_suffix(
        "[[waiver]]\nname = \"clear-text\"\nowner = \" \"\nuntil = 2027-01-01\nreason = \"r\"\n",
        ":4: waiver.owner: is empty; write who answers for it: owner = \"security officer\"",
    );
}

#[test]
fn what_toml_refuses_has_its_place() {
    refuses_below_suffix(
        "[log]\nformats = 3\n",
        ":3: log.formats: unknown field `formats`, expected `format` or `level`; correct its spelling or remove it",
    );
    refuses_below_suffix(
        "\n[limits]\nsize = \"many\"\n",
        ":4: limits.size: invalid type: string \"many\", expected a whole number; write a value of that kind",
    );
    let broken = read("suffix = dc=hospital\n").unwrap_err();
    assert_eq!((broken.line, broken.key.as_deref()), (Some(1), Some("suffix")));
    let twice = read(&format!("{SUFFIX}{SUFFIX}")).unwrap_err();
    assert_eq!(twice.line, Some(2));
}

#[test]
fn wrong_values_are_named_with_what_to_write() {
    refuses(
        "\nsuffix = \"hospital\"\n",
        ":2: suffix: \"hospital\" is no name that a directory can be below; \
         write the name that everything is below: suffix = \"dc=hospital,dc=example\"",
    );
    refuses_below_suffix(
        "[listen]\nldap = [\"127.0.0.1:389\",\n \"localhost\"]\n",
        ":4: listen.ldap: \"localhost\" is no address; write an address and a port: [\"127.0.0.1:389\"], [\"[::1]:389\"], \
         or [\"0.0.0.0:389\"] for all",
    );
    refuses_below_suffix(
        "[listen]\nldaps = [\"127.0.0.1:636\"]\n",
        ":3: listen.ldaps: needs a certificate and there is none; add a [tls] table with certificate and key, or remove the address",
    );
    refuses_below_suffix("[limits]\nsize = 0\n", ":3: limits.size: 0 is out of range; write a number from 1 to 10000000");
    refuses_below_suffix(
        "[indexes]\nuid = [\"equality\"]\n",
        ":3: indexes.uid: \"equality\" is no kind of index; write \"eq\", \"pres\", \"ord\" or \"sub\"",
    );
    refuses_below_suffix(
        "[ldapi.users]\nno-such-user-here = \"cn=x\"\n",
        ":3: ldapi.users.no-such-user-here: is no user of /etc/passwd; \
         write the user's number as the key: \"1001\" = \"uid=backup,ou=services,…\"",
    );
    refuses_below_suffix("[log]\nformat = \"xml\"\n", ":3: log.format: \"xml\" is no format; write \"text\" or \"json\"");
    refuses_below_suffix(
        "[[waiver]]\nname = \"everything\"\n",
        ":3: waiver.name: \"everything\" cannot be waived; write one of \"clear-text\", \"second-factor\", \"password-hash\", \
         \"journal-retention\"",
    );
    refuses_below_suffix(
        "[[waiver]]\nname = \"clear-text\"\nuntil = 07:30:00\n",
        ":4: waiver.until: is not a day; write a date: until = 2027-02-28",
    );
    refuses_below_suffix(
        "[[waiver]]\nname = \"clear-text\"\nreason = \"r\"\nowner = \"o\"\nuntil = 2027-01-01\nnetworks = [\"10.0.0.1/40\"]\n",
        ":7: waiver.networks: \"10.0.0.1/40\" is no network; write networks with their length: networks = [\"10.1.0.0/16\"]",
    );
}

#[test]
fn a_key_beside_the_data_is_refused() {
    refuses_below_suffix(
        "[keys]\nseal = \"data/seal.key\"\n",
        ":3: keys.seal: lies in the data folder, so whoever gets the data gets the key with it; \
         keep the key elsewhere: seal = \"keys/seal.key\"",
    );
    refuses_below_suffix(
        "[keys]\nseal = \"a\"\nseal-environment = \"B\"\n",
        ":4: keys.seal-environment: stands beside keys.seal, so it is not clear which key holds; remove one of the two",
    );
}

const WEAK: &str = "[password.argon2id]\nmemory = 1024\n";

#[test]
fn cheap_password_hashes_need_a_waiver() {
    refuses_below_suffix(
        WEAK,
        ":3: password.argon2id.memory: memory = 1024, passes = 2 is weaker than OWASP's floor; \
         write memory = 19456 and passes = 2 or more, or add a [[waiver]] named \"password-hash\" with a reason, an owner and an end",
    );
    refuses_below_suffix(
        "[password.argon2id]\npasses = 1\nmemory = 19456\n",
        ":3: password.argon2id.passes: memory = 19456, passes = 1 is weaker than OWASP's floor; \
         write memory = 19456 and passes = 2 or more, or add a [[waiver]] named \"password-hash\" with a reason, an owner and an end",
    );
    let waived = |until: &str| {
        below_suffix(&format!("{WEAK}[[waiver]]\nname = \"password-hash\"\nreason = \"test\"\nowner = \"me\"\nuntil = {until}\n"))
    };
    let valid = waived("2027-01-01");
    assert_eq!(valid.password.memory, 1024);
    assert!(valid.warnings.is_empty());
    let expired = waived("2026-01-01");
    assert_eq!(expired.password, Argon2Parameters::FLOOR, "the server starts, and is safe");
    assert_eq!(expired.warnings.len(), 2);
    refuses_below_suffix(
        "[password.argon2id]\nmemory = 262144\npasses = 1000\n",
        ":3: password.argon2id.memory: memory must be at least 8 KiB for each lane, and memory times passes at most 1048576; \
         write OWASP's values: memory = 19456, passes = 2, lanes = 1",
    );
}

#[test]
fn a_journal_is_kept_six_years_unless_somebody_answers_for_less() {
    assert_eq!(below_suffix("").retention_days, 2192);
    assert_eq!(below_suffix("[journal]\nretention-days = 3653\n").retention_days, 3653);
    refuses_below_suffix(
        "[journal]\nretention-days = 1826\n",
        ":3: journal.retention-days: 1826 days are less than six years; write 2192 or more, or add a [[waiver]] named \
         \"journal-retention\" with a reason, an owner and an end",
    );
    let waived = |until: &str| {
        below_suffix(&format!(
            "[journal]\nretention-days = 30\n[[waiver]]\nname = \"journal-retention\"\nreason = \"a test system\"\nowner = \"me\"\n\
             until = {until}\n"
        ))
    };
    assert_eq!(waived("2027-01-01").retention_days, 30);
    let expired = waived("2026-01-01");
    assert_eq!((expired.retention_days, expired.warnings.len()), (2192, 2), "the server starts, and keeps what there is");
    let other =
        "[journal]\nretention-days = 30\n[[waiver]]\nname = \"clear-text\"\nreason = \"r\"\nowner = \"o\"\nuntil = 2027-01-01\n";
    refuses_below_suffix(
        other,
        ":3: journal.retention-days: 30 days are less than six years; write 2192 or more, or add a [[waiver]] named \
         \"journal-retention\" with a reason, an owner and an end",
    );
}

#[test]
fn a_waiver_that_ran_out_is_off_with_a_warning() {
    let text = "[[waiver]]\nname = \"clear-text\"\nreason = \"r\"\nowner = \"the chief\"\nuntil = 2026-11-01\n";
    let configuration = below_suffix(text);
    assert!(configuration.settings(&Secret::new(vec![1; 32]), &Secret::new(vec![2; 32])).clear_text.is_empty());
    assert!(configuration.waivers.is_empty());
    let warning = &configuration.warnings[0];
    assert!(
        warning.starts_with("/etc/bindery/bindery.toml:2: the waiver clear-text ran out and is off; the chief answers"),
        "{warning}"
    );
}

#[test]
fn an_absent_file_says_how_to_get_one() {
    let error = Configuration::load(Path::new("/nonexistent/bindery.toml"), NOW).unwrap_err().to_string();
    assert!(error.starts_with("/nonexistent/bindery.toml: No such file or directory"), "{error}");
    assert!(
        error.ends_with("name the configuration with --config FILE, or make an installation with: bindery init DIR"),
        "{error}"
    );
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in "(suffix|\\[limits\\]|\\[\\[waiver\\]\\]|size|=|\"|\\n|[a-z0-9.\\-]|ä| ){0,60}") {
        let _ = read(&text);
    }
}

#[test]
fn unique_values_and_numbers() {
    let read = |text: &str| Configuration::from_text(Path::new("/srv/bindery.toml"), &format!("suffix = \"dc=a\"\n{text}"), NOW);
    let default = read("").unwrap().identifiers;
    assert_eq!(default.unique, ["uid", "uidNumber", "mail", "employeeNumber"]);
    assert_eq!(default.kept, ["uid", "uidNumber", "employeeNumber"]);
    let fewer = read("[unique]\nattributes = [\"UID\", \"cn\"]").unwrap().identifiers;
    assert_eq!((fewer.unique, fewer.kept), (vec!["UID".to_owned(), "cn".to_owned()], vec!["uid".to_owned()]));
    let numbers = read(
        "[numbers.uidNumber]\nfirst = 10\nlast = 20\n[numbers]\ngidNumber = { first = 1, last = 9, ask = \"x\", digits = 3 }",
    );
    let numbers = numbers.unwrap().identifiers.numbers;
    assert_eq!(
        numbers.iter().map(|range| (range.first, range.last, range.ask.as_str(), range.digits)).collect::<Vec<_>>(),
        [(1, 9, "x", 3), (10, 20, "-1", 0)]
    );
    for (wrong, problem) in [
        ("[unique]\nattributes = [\"uid\"]\nkept-after-deletion = [\"mail\"]", "mail is not in unique.attributes"),
        ("[numbers.uidNumber]\nfirst = 10", "is missing"),
        ("[numbers.uidNumber]\nfirst = 10\nlast = 9", "9 is out of range"),
        ("[numbers.uidNumber]\nfirst = -1\nlast = 9", "-1 is out of range"),
        ("[numbers.uidNumber]\nfirst = 1\nlast = 9\nask = \"5\"", "is empty or one of the numbers to give"),
        ("[numbers.uidNumber]\nfirst = 1\nlast = 9\ndigits = 19", "19 is out of range"),
    ] {
        assert_eq!(read(wrong).unwrap_err().problem, problem, "{wrong}");
    }
}

#[test]
fn the_document_on_posix_accounts_is_chosen() {
    let read = |line: &str| {
        let text = format!("suffix = \"dc=mercy,dc=example\"\n{line}\n");
        Configuration::from_text(std::path::Path::new("/x/bindery.toml"), &text, crate::model::Timestamp(0))
    };
    assert_eq!(read("").unwrap().posix, crate::model::schema::PosixSchema::Rfc2307);
    assert_eq!(read("posix = \"rfc2307bis\"").unwrap().posix, crate::model::schema::PosixSchema::Rfc2307bis);
    let error = read("posix = \"nis\"").unwrap_err().to_string();
    assert!(error.contains("posix") && error.contains("rfc2307bis"), "{error}");
}

#[test]
fn the_defaults_are_those_of_the_limits() {
    let configuration = below_suffix("");
    let connections = &configuration.connections;
    assert_eq!(*connections, ConnectionSettings::default());
    let AddressLimits { connections: per_address, unauthenticated, handshakes, failed_binds } = connections.addresses.others;
    assert_eq!((per_address, unauthenticated, handshakes, failed_binds), (500, 200, 200, 20));
    let CrowdLimits { overall, per_person, per_service } = connections.crowd;
    assert_eq!((overall, per_person, per_service), (10_000, 100, 2_000));
    assert_eq!((connections.handshake.as_secs(), connections.first_request.as_secs()), (10, 60));
    assert_eq!(connections.memory.unauthenticated.overall, 64 * 1024 * 1024);
    let limits = configuration.limits;
    assert_eq!((limits.size, limits.time, limits.filter_depth, limits.controls), (1000, 60, 100, 10));
    assert_eq!((limits.unauthenticated_request, limits.request, limits.pending_operations), (256 * 1024, 16 * 1024 * 1024, 100));
    assert_eq!((limits.idle, limits.idle_administrator), (900, 600));
    assert_eq!((limits.person_lifetime, limits.service_lifetime), (43_200, 86_400));
}

#[test]
fn limits_of_networks_stand_on_those_of_all() {
    let configuration = below_suffix(
        "[limits]\nfailed-binds-per-second = 7\nidle = 60\nservice-lifetime = 600\nconnections-per-service = 3\n\
         [limits.networks.\"10.1.2.3/16\"]\nconnections-per-address = 5000\n\
         [limits.networks.\"2001:db8::/32\"]\nfailed-binds-per-second = 1000\nhandshakes-per-second = 9\n",
    );
    let at = |address: &str| configuration.connections.addresses.at(address.parse().unwrap());
    let others = AddressLimits { failed_binds: 7, ..AddressLimits::default() };
    assert_eq!(at("192.0.2.1"), others);
    assert_eq!(at("10.1.9.9"), AddressLimits { connections: 5000, ..others });
    assert_eq!(at("2001:db8::5"), AddressLimits { failed_binds: 1000, handshakes: 9, ..others });
    assert_eq!((configuration.limits.idle, configuration.limits.service_lifetime), (60, 600));
    assert_eq!(configuration.connections.crowd.per_service, 3);
    refuses_below_suffix(
        "[limits.networks.\"10.0.0.1\"]\nhandshakes-per-second = 9\n",
        ":2: limits.networks.\"10.0.0.1\": \"10.0.0.1\" is no network; \
         write a network with its length: [limits.networks.\"10.1.0.0/16\"]",
    );
    refuses_below_suffix(
        "[limits.networks.\"10.0.0.0/8\"]\nhandshakes-per-second = 0\n",
        ":3: limits.networks.\"10.0.0.0/8\".handshakes-per-second: 0 is out of range; write a number from 1 to 1000000",
    );
}

#[test]
fn memory_must_hold_the_largest_request() {
    refuses_below_suffix(
        "[limits]\nrequest-memory = 1000000\n",
        ":3: limits.request-memory: is less than 4 times the largest request (16777216 octets); \
         write 67108864 or more, or a smaller request",
    );
    let both = below_suffix("[limits]\nrequest-memory = 1000000\nrequest = 100000\n");
    assert_eq!(both.connections.memory.requests.each, 250_000);
}

#[test]
fn streams_say_whom_they_go_to_and_by_what_it_is_known() {
    let configuration = below_suffix(
        "[[journal.stream]]\nname = \"siem\"\naddress = \"collector.example\"\nauthorities = \"tls/c.pem\"\n\
         [[journal.stream]]\nname = \"b\"\naddress = \"[::1]:7000\"\nauthorities = \"c\"\nserver-name = \"x\"\nformat = \"rfc5424\"\n\
         certificate = \"a.pem\"\nkey = \"a.key\"\nbegin = \"now\"\nconfirm = \"end\"\nbehind = 60\nenterprise = 7\nlargest-message = 2048\n",
    );
    let [first, second] = &configuration.streams[..] else { panic!("{:?}", configuration.streams) };
    assert_eq!(
        (first.peer.host.as_str(), first.peer.port, first.peer.server_name.as_str()),
        ("collector.example", 6514, "collector.example")
    );
    assert_eq!((first.format, first.from_beginning, first.needs_close_notify), (StreamFormat::Json, true, true));
    assert_eq!((first.behind.as_secs(), first.enterprise, &first.peer.identity), (300, 32_473, &None));
    assert_eq!((second.peer.host.as_str(), second.peer.port, second.peer.server_name.as_str()), ("::1", 7000, "x"));
    assert_eq!((second.format, second.from_beginning, second.needs_close_notify), (StreamFormat::Rfc5424, false, false));
    assert_eq!(second.peer.identity, Some(("/etc/bindery/a.pem".into(), "/etc/bindery/a.key".into())));
    assert_eq!((first.largest_message, second.largest_message), (8192, 2048));
    let begun = "[[journal.stream]]\nname = \"siem\"\naddress = \"c:1\"\n";
    refuses_below_suffix(
        begun,
        ":2: journal.stream.authorities: is missing; write whose certificates are believed: authorities = \"tls/collectors.pem\"",
    );
    refuses_below_suffix(
        &begun.replace("siem", "../x"),
        ":3: journal.stream.name: \"../x\" cannot be the name of a file; write letters, digits, '-' and '_': name = \"siem\"",
    );
    refuses_below_suffix(
        &begun.replace("c:1", "c:0"),
        ":4: journal.stream.address: \"c:0\" is no address; write the collector and its port: address = \"collector.hospital.example:6514\"",
    );
    let whole = format!("{begun}authorities = \"c\"\n");
    refuses_below_suffix(
        &format!("{whole}format = \"xml\"\n"),
        ":6: journal.stream.format: \"xml\" is none; write one of json, cef, rfc5424, dicom",
    );
    refuses_below_suffix(
        &format!("{whole}{whole}"),
        ":7: journal.stream.name: \"siem\" is the name of another stream; give each stream a name of its own",
    );
}

#[test]
fn every_read_is_recorded_where_that_is_written() {
    assert!(!below_suffix("").audits_all_reads && !below_suffix("[journal]\nreads = \"audited\"\n").audits_all_reads);
    assert!(below_suffix("[journal]\nreads = \"all\"\n").audits_all_reads);
    let refused =
        ":3: journal.reads: \"none\" is none; write \"audited\": what the schema flags and audit rules name, or \"all\"";
    refuses_below_suffix("[journal]\nreads = \"none\"\n", refused);
}

#[test]
fn an_emergency_folder_fails_neither_with_the_data_nor_alone() {
    let stream = "[[journal.stream]]\nname = \"siem\"\naddress = \"c\"\nauthorities = \"c\"\n";
    let named = |folder: &str| format!("[journal]\nemergency-folder = \"{folder}\"\n");
    let configuration = below_suffix(&format!("{}{stream}", named("/mnt/second")));
    assert_eq!(configuration.emergency_folder, Some("/mnt/second".into()));
    let with_data = ":3: journal.emergency-folder: lies with the data folder, so it fails with it; name a folder on another disk";
    for folder in ["data/emergency", "."] {
        refuses_below_suffix(&format!("{}{stream}", named(folder)), with_data);
    }
    refuses_below_suffix(
        &named("/mnt/second"),
        ":3: journal.emergency-folder: needs a collector that has what is recorded there, too; add a [[journal.stream]]",
    );
}

#[test]
fn anchors_are_of_four_kinds_and_strict_mode_needs_one() {
    let configuration = below_suffix(
        "[journal]\nstrict = true\n[journal.anchors]\ninterval = 60\n[[journal.anchors.syslog]]\naddress = \"c\"\nauthorities = \"c.pem\"\n\
         [[journal.anchors.witness]]\nurl = \"http://w.example/w\"\nkey = \"k\"\n\
         [[journal.anchors.time-stamp]]\nurl = \"https://t.example\"\nauthorities = \"t.pem\"\ntls-authorities = \"x.pem\"\n",
    );
    let anchors = configuration.anchors.unwrap();
    assert_eq!((anchors.interval.as_secs(), &anchors.folder, anchors.syslog.len()), (60, &None, 1));
    assert_eq!((anchors.witnesses[0].key.as_str(), &anchors.witnesses[0].tls_authorities), ("k", &None));
    assert_eq!(anchors.time_stamps[0].authorities, Path::new("/etc/bindery/t.pem"));
    refuses_below_suffix(
        "[journal]\nstrict = true\n",
        ":3: journal.strict: needs an anchor and there is none; add [journal.anchors] with a folder, [[journal.anchors.syslog]], \
         [[journal.anchors.witness]] or [[journal.anchors.time-stamp]]",
    );
    refuses_below_suffix(
        "[journal.anchors]\ninterval = 60\n",
        ":2: journal.anchors.folder: is missing; name a folder on a write-once volume of another machine: folder = \"/mnt/worm/bindery\"",
    );
    refuses_below_suffix(
        "[journal.anchors]\n[[journal.anchors.witness]]\nurl = \"https://w.example\"\nkey = \"k\"\n",
        ":3: journal.anchors.witness.tls-authorities: is missing; write whose certificates are believed there: tls-authorities = \
         \"/etc/ssl/certs/ca-certificates.crt\"",
    );
    refuses_below_suffix(
        "[journal.anchors]\n[[journal.anchors.time-stamp]]\nurl = \"ftp://w\"\nauthorities = \"k\"\n",
        ":4: journal.anchors.time-stamp.url: \"ftp://w\" is no URL of HTTP; write it whole: url = \"https://witness.example/\"",
    );
}
