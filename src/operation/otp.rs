//! What an account's one-time codes are made with, by the OATH-LDAP schema: the account names its token, the token its parameters. All
//! three may be one entry.

use super::account;
use crate::directory::{Directory, Membership, MembershipAttribute, Node};
use crate::model::{EntryId, Secret, Timestamp, Value};
use crate::policy::otp::{Algorithm, Moving, Parameters, Token};

const MICROS_PER_SECOND: i64 = 1_000_000;
/// oathHOTPLookAhead, where the parameters do not say.
const LOOK_AHEAD: u64 = 3;

/// Of a token by time: how many time steps its clock was off on another server.
const DRIFT: &str = "oathTOTPTimeStepDrift";

/// A token that an account was given.
pub(crate) struct Enrolled {
    /// Its entry.
    pub(crate) entry: EntryId,
    /// What codes are checked against.
    pub(crate) token: Token,
    /// The time step or counter of the last code that was taken.
    pub(crate) last: Option<u64>,
}

/// One kind of token in the schema.
struct Kind {
    /// Of the account.
    token: &'static str,
    /// Of the token.
    parameters: &'static str,
    /// Of the token: where another server left off.
    last: &'static str,
    by_counter: bool,
}

const KINDS: [Kind; 2] = [
    Kind { token: "oathTOTPToken", parameters: "oathTOTPParams", last: "oathTOTPLastTimeStep", by_counter: false },
    Kind { token: "oathHOTPToken", parameters: "oathHOTPParams", last: "oathHOTPCounter", by_counter: true },
];

/// The token of an account; none where it has none, or one that makes no codes: without a secret, with parameters that mean nothing, or
/// whose secret is too old.
pub(crate) fn of_account(directory: &Directory, account: EntryId, now: Timestamp) -> Option<Enrolled> {
    KINDS.iter().find_map(|kind| of_kind(directory, account, now, kind))
}

fn of_kind(directory: &Directory, account: EntryId, now: Timestamp, kind: &Kind) -> Option<Enrolled> {
    let node = directory.node(reference(directory, account, kind.token)?)?;
    let said = reference(directory, node.id, kind.parameters).and_then(|id| directory.node(id));
    if let Some(said) = said
        && is_too_old(directory, node, said, now)
    {
        return None;
    }
    let parameters = parameters(directory, said.map(|said| &**said), kind.by_counter)?;
    let secret = Secret::from(first(directory, node, "oathSecret")?);
    let kept = directory.account_state(node.id);
    // What is kept by this server goes before where another one left off.
    let drift = match kept.one_time_step {
        Some(_) => kept.time_step_drift.map(i64::from),
        None => signed(directory, node, DRIFT),
    };
    Some(Enrolled {
        entry: node.id,
        token: Token::new(&secret, &parameters)?.drifting(drift.unwrap_or_default()),
        last: kept.one_time_step.max(number(directory, node, kind.last)),
    })
}

fn parameters(directory: &Directory, said: Option<&Node>, by_counter: bool) -> Option<Parameters> {
    let default = Parameters::default();
    let value = |name: &str| said.and_then(|node| first(directory, node, name));
    // A number that cannot be read is none that codes are made with.
    let number_or = |name: &str, default: u64| value(name).map_or(Some(default), read_number);
    let algorithm = value("oathHMACAlgorithm").map_or(Some(default.algorithm), Algorithm::from_oid)?;
    let digits = u8::try_from(number_or("oathOTPLength", u64::from(default.digits))?).ok()?;
    let moving = if by_counter {
        Moving::Counter { look_ahead: number_or("oathHOTPLookAhead", LOOK_AHEAD)? }
    } else {
        Moving::Time { period: number_or("oathTOTPTimeStepPeriod", 30)?, window: number_or("oathTOTPTimeStepWindow", 1)? }
    };
    Some(Parameters { digits, algorithm, moving })
}

/// oathSecretMaxAge, from oathSecretTime on.
fn is_too_old(directory: &Directory, token: &Node, said: &Node, now: Timestamp) -> bool {
    let Some(seconds) = number(directory, said, "oathSecretMaxAge").filter(|seconds| *seconds > 0) else { return false };
    let made = first(directory, token, "oathSecretTime").and_then(|time| Timestamp::from_generalized_time(time).ok());
    let micros = i64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(MICROS_PER_SECOND));
    made.zip(micros).is_some_and(|(made, micros)| now.0 >= made.0.saturating_add(micros))
}

/// The account with this uid or whole name, for who enrols codes: its name, its classes, and whether it names a token.
pub(crate) fn account(directory: &Directory, name: &str) -> Option<(String, Vec<String>, bool)> {
    let id = account::by_name(directory, name)?;
    let node = directory.node(id)?;
    let object_class = directory.schema().attribute_type("objectClass")?;
    let classes = node.entry.values(object_class.id).map(|class| String::from_utf8_lossy(class).into_owned()).collect();
    let has_token = KINDS.iter().any(|kind| reference(directory, id, kind.token).is_some());
    Some((directory.dn_text(id), classes, has_token))
}

/// A token as a report tells of it.
pub(crate) struct NamedToken {
    /// Its entry.
    pub(crate) entry: EntryId,
    /// HOTP, not TOTP.
    pub(crate) by_counter: bool,
    /// Whether it makes codes.
    pub(crate) usable: bool,
    /// Recovery codes that are left.
    pub(crate) recovery_codes: usize,
}

/// The tokens that an account names.
pub(crate) fn tokens(directory: &Directory, account: EntryId, now: Timestamp) -> Vec<NamedToken> {
    let recovery = directory.schema().attribute_type("otpRecoveryCode");
    let of_kind = |kind: &Kind| {
        let entry = reference(directory, account, kind.token)?;
        let codes = recovery.zip(directory.node(entry)).map(|(recovery, node)| node.entry.values(recovery.id).count());
        Some(NamedToken {
            entry,
            by_counter: kind.by_counter,
            usable: of_kind(directory, account, now, kind).is_some(),
            recovery_codes: codes.unwrap_or_default(),
        })
    };
    KINDS.iter().filter_map(of_kind).collect()
}

/// A recovery code of the token that is this one.
pub(crate) fn recovery_code(directory: &Directory, token: EntryId, code: &Secret) -> Option<Value> {
    let attribute = directory.schema().attribute_type("otpRecoveryCode")?;
    let codes = directory.node(token)?.entry.values(attribute.id);
    codes.filter(|stored| Secret::from(*stored) == *code).map(Value::copy_from_slice).next()
}

/// The entry that one attribute of another names.
fn reference(directory: &Directory, id: EntryId, name: &str) -> Option<EntryId> {
    let attribute = MembershipAttribute::of_type(directory.schema().attribute_type(name)?)?;
    directory.memberships(id, attribute).find_map(|membership| match membership {
        Membership::Entry(_, entry) => Some(entry),
        Membership::Outside { .. } => None,
    })
}

fn first<'n>(directory: &Directory, node: &'n Node, name: &str) -> Option<&'n [u8]> {
    node.entry.first(directory.schema().attribute_type(name)?.id)
}

fn number(directory: &Directory, node: &Node, name: &str) -> Option<u64> {
    read_number(first(directory, node, name)?)
}

fn signed(directory: &Directory, node: &Node, name: &str) -> Option<i64> {
    std::str::from_utf8(first(directory, node, name)?).ok()?.parse().ok()
}

fn read_number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}
