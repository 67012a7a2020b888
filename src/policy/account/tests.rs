//! Every attribute, both sides of its boundary.

use super::*;
use crate::model::{AccountAttribute, Timestamp};
use crate::policy::password::policy::PasswordPolicy;

const NOW: Timestamp = Timestamp(1_795_000_000_000_000);
const DAY: i64 = 86_400_000_000;

fn facts(values: &[(AccountAttribute, &str)]) -> Facts {
    let mut facts = Facts::default();
    values.iter().for_each(|(attribute, value)| facts.note(*attribute, value.as_bytes()));
    facts
}

/// What bars it at a moment, as the names of attributes.
fn barred(facts: &Facts, rules: &PasswordPolicy, now: Timestamp) -> Vec<&'static str> {
    let all = barriers(facts, rules, now).chain(password_barrier(facts, rules, now));
    all.map(|barrier| barrier.ground.attribute()).collect()
}

fn micros(moment: i64) -> String {
    Timestamp(moment).to_generalized_time_micros()
}

/// Units of 100 ns since 1601.
fn file_time(moment: i64) -> String {
    (moment * 10 + 116_444_736_000_000_000).to_string()
}

#[test]
fn nothing_bars_an_account_that_says_nothing() {
    assert_eq!(
        barred(&Facts::default(), &PasswordPolicy { maximum_idle: 1, lockout_duration: 1, ..PasswordPolicy::default() }, NOW),
        Vec::<&str>::new()
    );
}

#[test]
fn what_disables_does_so_whenever() {
    for (attribute, bars, does_not) in [
        (AccountAttribute::Disabled, vec!["TRUE"], vec!["FALSE"]),
        (AccountAttribute::UserAccountControl, vec!["2", "514", "66050", "-1"], vec!["0", "512", "16", "65536"]),
        (AccountAttribute::NsAccountLock, vec!["true", "TRUE"], vec!["false", "FALSE"]),
        (AccountAttribute::AccountLockedTime, vec!["000001010000Z"], vec![]),
    ] {
        for value in bars {
            let facts = facts(&[(attribute, value)]);
            assert_eq!(barred(&facts, &PasswordPolicy::default(), Timestamp(0)), [attribute.name()], "{value}");
        }
        for value in does_not {
            assert!(barred(&facts(&[(attribute, value)]), &PasswordPolicy::default(), NOW).is_empty(), "{value}");
        }
    }
}

#[test]
fn ends_bar_from_their_microsecond_on() {
    let day = NOW.0.div_euclid(DAY);
    let rules = PasswordPolicy { maximum_idle: 90, ..PasswordPolicy::default() };
    let idle = Facts { last_login: Some(Timestamp(NOW.0 - 90_000_000)), ..Facts::default() };
    let shadow = [
        (AccountAttribute::ShadowLastChange, (day - 11).to_string()),
        (AccountAttribute::ShadowMax, "7".to_owned()),
        (AccountAttribute::ShadowInactive, "3".to_owned()),
    ];
    let shadow = shadow.iter().map(|(attribute, value)| (*attribute, value.as_str())).collect::<Vec<_>>();
    let days = (day, Timestamp(day * DAY));
    for (facts, end, name) in [
        (facts(&[(AccountAttribute::EndTime, &micros(NOW.0))]), NOW, "pwdEndTime"),
        (facts(&[(AccountAttribute::AccountExpires, &file_time(NOW.0))]), NOW, "accountExpires"),
        (facts(&[(AccountAttribute::KrbPrincipalExpiration, &micros(NOW.0))]), NOW, "krbPrincipalExpiration"),
        (facts(&[(AccountAttribute::PasswordExpirationTime, &micros(NOW.0))]), NOW, "pwdChangedTime"),
        (facts(&[(AccountAttribute::ShadowExpire, &days.0.to_string())]), days.1, "shadowExpire"),
        (facts(&shadow), days.1, "shadowInactive"),
        (idle, NOW, "lastLoginTime"),
    ] {
        assert!(barred(&facts, &rules, Timestamp(end.0 - 1)).is_empty(), "{name}");
        assert_eq!(barred(&facts, &rules, end), [name]);
        assert_eq!(barred(&facts, &rules, Timestamp(end.0 + 100 * DAY)), [name]);
        assert_eq!(
            next_end(&facts, &rules, Timestamp(end.0 - 1)).map(|(ground, at)| (ground.attribute(), at)),
            Some((name, end))
        );
        assert_eq!(next_end(&facts, &rules, end), None);
    }
}

#[test]
fn a_start_bars_until_its_microsecond() {
    let facts = facts(&[(AccountAttribute::StartTime, &micros(NOW.0))]);
    let before = Timestamp(NOW.0 - 1);
    let found = barriers(&facts, &PasswordPolicy::default(), before).next();
    assert_eq!(found, Some(Barrier { ground: Ground::StartTime, since: None, until: Some(NOW) }));
    assert!(barred(&facts, &PasswordPolicy::default(), NOW).is_empty());
}

#[test]
fn locks_last_as_long_as_the_policy_says() {
    for facts in [
        facts(&[(AccountAttribute::AccountLockedTime, &micros(NOW.0))]),
        facts(&[(AccountAttribute::LockoutTime, &file_time(NOW.0))]),
    ] {
        let timed = PasswordPolicy { lockout_duration: 60, ..PasswordPolicy::default() };
        let last = Timestamp(NOW.0 + 59_999_999);
        assert_eq!(barriers(&facts, &timed, last).next().and_then(|it| it.until), Some(Timestamp(NOW.0 + 60_000_000)));
        assert!(barred(&facts, &timed, Timestamp(NOW.0 + 60_000_000)).is_empty());
        let found = barriers(&facts, &PasswordPolicy::default(), Timestamp(NOW.0 + 9_999 * DAY)).next();
        assert_eq!(found.map(|it| (it.since, it.until)), Some((Some(NOW), None)));
    }
}

#[test]
fn a_lock_of_failures_bars_the_password_alone_until_an_administrator_says_otherwise() {
    let value = micros(NOW.0);
    let mut locked = facts(&[(AccountAttribute::AccountLockedTime, &value)]);
    locked.note_lock_of_failures(Some(NOW));
    let later = Timestamp(NOW.0 + 99 * DAY);
    let rules = PasswordPolicy { lockout_duration: 60, ..PasswordPolicy::default() };
    assert_eq!(barriers(&locked, &rules, later).next(), None);
    assert_eq!(password_barrier(&locked, &rules, later).map(|it| it.ground), Some(Ground::Failures));
    let timed = PasswordPolicy { lockout: true, maximum_failures: 3, ..rules.clone() };
    assert_eq!(password_barrier(&locked, &timed, Timestamp(NOW.0 + 60_000_000)), None);
    let mut for_good = facts(&[(AccountAttribute::AccountLockedTime, "000001010000Z")]);
    for_good.note_lock_of_failures(Some(NOW));
    assert_eq!(barriers(&for_good, &rules, later).next().map(|it| it.ground), Some(Ground::Locked));
    let mut unlocked = Facts::default();
    unlocked.note_lock_of_failures(Some(NOW));
    assert!(barred(&unlocked, &rules, NOW).is_empty());
}

#[test]
fn never_is_never() {
    for (attribute, value) in [
        (AccountAttribute::AccountExpires, "0"),
        (AccountAttribute::AccountExpires, "9223372036854775807"),
        (AccountAttribute::AccountExpires, "99999999999999999999999999"),
        (AccountAttribute::LockoutTime, "0"),
        (AccountAttribute::ShadowExpire, "-1"),
        (AccountAttribute::ShadowExpire, "0"),
    ] {
        let facts = facts(&[(attribute, value)]);
        assert!(barred(&facts, &PasswordPolicy::default(), Timestamp::LATEST).is_empty(), "{attribute:?} {value}");
    }
    let shadow = facts(&[(AccountAttribute::ShadowLastChange, "1"), (AccountAttribute::ShadowMax, "99999")]);
    assert!(barred(&shadow, &PasswordPolicy::default(), Timestamp::LATEST).is_empty(), "no end without shadowInactive");
    assert!(shadow.must_change(true, Timestamp::LATEST) && !shadow.must_change(true, NOW));
}

#[test]
fn units_between_two_microseconds_end_with_the_later_one() {
    let expires: i64 = file_time(NOW.0).parse::<i64>().unwrap() + 1;
    let facts = facts(&[(AccountAttribute::AccountExpires, &expires.to_string())]);
    assert!(barred(&facts, &PasswordPolicy::default(), NOW).is_empty());
    assert_eq!(barred(&facts, &PasswordPolicy::default(), Timestamp(NOW.0 + 1)), ["accountExpires"]);
}

#[test]
fn idle_begins_with_a_login_or_a_new_password_and_not_before() {
    let rules = PasswordPolicy { maximum_idle: 60, ..PasswordPolicy::default() };
    let mut facts = facts(&[(AccountAttribute::PwdChangedTime, &micros(NOW.0 - 30_000_000))]);
    assert!(barred(&facts, &rules, Timestamp(NOW.0 + DAY)).is_empty(), "nobody ever logged in");
    facts.last_login = Some(Timestamp(NOW.0 - 90_000_000));
    assert!(barred(&facts, &rules, NOW).is_empty(), "a new password");
    assert_eq!(barred(&facts, &rules, Timestamp(NOW.0 + 30_000_000)), ["lastLoginTime"]);
    facts.break_glass = true;
    assert!(barred(&facts, &rules, Timestamp(NOW.0 + 30_000_000)).is_empty());
}

#[test]
fn what_must_be_changed() {
    assert!(!Facts::default().must_change(true, NOW));
    for (attribute, value) in
        [(AccountAttribute::PwdReset, "TRUE"), (AccountAttribute::PwdLastSet, "0"), (AccountAttribute::ShadowLastChange, "0")]
    {
        assert!(facts(&[(attribute, value)]).must_change(true, NOW), "{attribute:?}");
    }
    let changed = micros(NOW.0);
    assert!(
        !facts(&[(AccountAttribute::ShadowLastChange, "0"), (AccountAttribute::PwdChangedTime, &changed)]).must_change(true, NOW),
        "changed here since"
    );
    for (kind, holds) in [("person", true), ("service", false), ("breakglass", false)] {
        let overdue =
            [(AccountAttribute::Kind, kind), (AccountAttribute::ShadowLastChange, "1"), (AccountAttribute::ShadowMax, "90")];
        let never = [(AccountAttribute::Kind, kind), (AccountAttribute::ShadowLastChange, "0")];
        for facts in [facts(&overdue), facts(&never)] {
            assert_eq!(facts.must_change(true, NOW), holds, "{kind}");
            assert!(!facts.must_change(false, NOW), "the policy does not ask for it: {kind}");
        }
    }
    assert!(!facts(&[(AccountAttribute::PwdReset, "TRUE")]).must_change(false, NOW));
    assert!(!facts(&[(AccountAttribute::PwdLastSet, "132000000000000000")]).must_change(true, NOW));
}

#[test]
fn all_that_bars_is_named() {
    let facts = facts(&[
        (AccountAttribute::Disabled, "TRUE"),
        (AccountAttribute::EndTime, "20200101000000Z"),
        (AccountAttribute::AccountLockedTime, "000001010000Z"),
    ]);
    let expected = ["accountDisabled", "pwdEndTime", "pwdAccountLockedTime"];
    assert_eq!(barred(&facts, &PasswordPolicy::default(), NOW), expected);
}

proptest::proptest! {
    #[test]
    fn no_value_panics(values in proptest::collection::vec((0usize..AccountAttribute::ALL.len(), "[-0-9TRUEZ.]{0,30}"), 0..8), now in proptest::num::i64::ANY, rules in (0u32.., 0u32..)) {
        let mut facts = Facts::default();
        for (which, value) in &values {
            facts.note(AccountAttribute::ALL[*which], value.as_bytes());
        }
        facts.last_login = Some(Timestamp(now));
        let rules = PasswordPolicy { maximum_idle: rules.0, lockout_duration: rules.1, maximum_age: rules.0, ..PasswordPolicy::default() };
        let _ = barred(&facts, &rules, Timestamp(now));
        let _ = (next_end(&facts, &rules, Timestamp(now)), facts.must_change(true, Timestamp(now)));
    }
}
