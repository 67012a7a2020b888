//! The text of a new `bindery.toml`: everything that matters written out, the rest as remarks with its default.

use std::fmt::Write;

use super::plan::{Plan, PlannedWaiver};

/// The whole file.
pub(super) fn text(plan: &Plan) -> String {
    let (certificate, key) = match &plan.certificate {
        Some((certificate, key)) => (certificate.to_string_lossy().into_owned(), key.to_string_lossy().into_owned()),
        None => ("tls/server.pem".to_owned(), "tls/server.key".to_owned()),
    };
    let seal = plan.keys.as_ref().map_or("keys/seal.key".to_owned(), |keys| keys.join("seal.key").to_string_lossy().into_owned());
    let ldapi = plan.ldapi.as_ref().map_or("ldapi".to_owned(), |path| path.to_string_lossy().into_owned());
    let mut text = format!(
        r#"# What belongs to this machine. What decides about people (policies, rules, grants) is data in the directory.
# Relative paths start at this file's folder. `bindery check` says what is wrong; SIGHUP makes the server read it again.

# Everything is below this name. It cannot be changed later: export, init anew, import.
suffix = {suffix}
data = "data"

[keys]
# Opens the data folder. Keep a copy of the file apart from the backups; without it nobody can read them.
seal = {seal}
# Or from the environment: seal-environment = "BINDERY_SEAL_KEY"
# Signs checkpoints of the journal; beside the seal key unless said otherwise: journal = "keys/journal.key"

# Every search and compare is recorded; without this those that the schema flags (X-AUDIT-READ) and audit rules name.
# [journal]
# reads = "all"

# How long records are to be kept: six years. Less needs a waiver named "journal-retention".
# retention-days = 2192

# Where the journal goes on when its disk fails, once somebody says so (bindery journal emergency begin): on another disk, and
# beside a [[journal.stream]].
# emergency-folder = "/mnt/second/bindery"

# Checkpoints of the journal, written as new files where nobody on this machine can change them: what is anchored cannot be rewritten unseen.
# [journal.anchors]
# folder = "/mnt/worm/bindery"
# interval = 600                                 # seconds

[listen]
# StartTLS; a login in clear is refused unless a waiver below allows it.
ldap = [{ldap}]
# TLS from the first octet.
ldaps = [{ldaps}]
# Unix socket: root and the server's own user are cn=admin.
ldapi = {ldapi}

[tls]
# PEM, leaf first; the key without a passphrase, mode 0600.
certificate = {certificate}
key = {key}
# Clients may prove who they are with certificates of these authorities (SASL EXTERNAL):
# client-authorities = "tls/client-authorities.pem"
# revocation-lists = ["tls/clients.crl"]         # one of each authority, PEM or DER, read anew with SIGHUP
# [[tls.certificate-mapping]]                    # the first that finds exactly one entry wins
# match = "subject"                              # the subject is the entry's name; or "email", "common-name", "uid"
# [[tls.certificate-mapping]]
# match = "email"
# attribute = "mail"

[ldapi.users]
# Local users who are somebody over the Unix socket:
# backup = {backup}

[indexes]
# Beside those that every installation has (objectClass, uid, cn, sn, givenName, displayName, mail, employeeNumber and some more):
# roomNumber = ["eq"]                            # "eq", "pres", "ord", "sub"; [] takes one away

[unique]
# attributes = ["uid", "uidNumber", "mail", "employeeNumber"]      # no two entries share a value
# kept-after-deletion = ["uid", "uidNumber", "employeeNumber"]     # given to nobody else until an administrator releases it

[numbers]
# Who adds the value "-1" gets the next number (ask = "next" and digits = 7 would ask otherwise, and put zeros in front):
# uidNumber = {{ first = 10000, last = 59999 }}

[limits]
# size = 1000                                    # entries a search returns to others than administrators
# time = 60                                      # seconds a search may take
# sorted = 100000                                # entries that one search sorts
# filter-depth = 100                             # filters within each other
# controls = 10                                  # on one request
# pending-operations = 100                       # on one connection
# operations = 10000                             # over all connections
# operations-per-account = 1000
# scanned-per-second = 1000000                   # entries that searches of one account look at; administrators are free
# persistent-per-account = 64                    # searches that go on until they are abandoned
# unauthenticated-request = 262144               # octets
# request = 16777216                             # octets, once logged in
# unauthenticated-memory = 67108864              # octets for all requests of clients that are not logged in
# request-memory = 536870912                     # octets for all requests of others, sorting and transactions
# result-memory = 268435456                      # octets for all results that clients have not taken
# connections = 10000
# connections-per-person = 100
# connections-per-service = 2000
# handshake = 10                                 # seconds to finish TLS
# first-request = 60                             # seconds
# whole-request = 60                             # seconds from a request's first octet to its last
# write = 60                                     # seconds in which a client must take some of its results
# idle = 900                                     # seconds a session of a person may do nothing
# idle-administrator = 600                       # seconds an administrator's may
# disk-reserve = 268435456                       # octets of the disk left free: below them binds and changes are answered with 52
# person-lifetime = 43200                        # seconds after which a person must log in anew
# service-lifetime = 86400                       # seconds after which a service must log in anew
# What one address may have. Behind the address of a gateway there may be a whole hospital: say so below.
# connections-per-address = 500
# unauthenticated-per-address = 200              # of these, those on which nobody is logged in
# handshakes-per-second = 200
# failed-binds-per-second = 20                   # beyond that further binds from there wait
# [limits.networks."192.0.2.10/32"]              # the smallest network that fits counts; what is not said is as above
#   connections-per-address = 5000
#   failed-binds-per-second = 200

[snapshots]
# The whole content in one sealed file, the last two kept: what a start rebuilds from, and what backups are made of.
# journal = 268435456                            # octets of journal after which one is taken
# interval = 21600                               # seconds after which one is taken, if anything happened

[password]
# The same password for the same account, unchanged, costs no Argon2id run for so long after one that verified it; 0: every login costs one.
# remember-logins = 300                          # seconds
# Passwords that may not be chosen, beside those everybody knows: written by `bindery blocklist build FILE`.
# blocklist = "passwords.filter"

[password.argon2id]
# What OWASP recommends; less needs a waiver named "password-hash".
# memory = 19456                                 # KiB
# passes = 2
# lanes = 1

[log]
# format = "text"                                # or "json"
# level = "info"

# Something unsafe is allowed only by a waiver: with a reason, an owner and an end, after which it is refused again.
"#,
        suffix = quoted(&plan.suffix.to_string()),
        seal = quoted(&seal),
        ldap = quoted(&plan.ldap.to_string()),
        ldaps = quoted(&plan.ldaps.to_string()),
        ldapi = quoted(&ldapi),
        certificate = quoted(&certificate),
        key = quoted(&key),
        backup = quoted(&format!("uid=backup,{}", plan.suffix)),
    );
    for planned in &plan.waivers {
        waiver(&mut text, planned);
    }
    text
}

fn waiver(text: &mut String, waiver: &PlannedWaiver) {
    let networks = match waiver.networks.as_slice() {
        [] => "\"127.0.0.0/8\", \"::1/128\"".to_owned(),
        networks => networks.iter().map(|network| quoted(&network.to_string())).collect::<Vec<_>>().join(", "),
    };
    // Writing to a String does not fail.
    let _ = write!(
        text,
        "\n[[waiver]]\nname = {}\nreason = {}\nowner = {}\nuntil = {}\nnetworks = [{networks}]\n",
        quoted(waiver.name.as_str()),
        quoted(&waiver.reason),
        quoted(&waiver.owner),
        waiver.until,
    );
}

/// A TOML string of one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
