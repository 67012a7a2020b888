//! Guessing of passwords, slowed down and stopped. By default failures count per account and source, so that who guesses from one place locks
//! nobody out who logs in from another; draft-behera's lockout of the whole account is taken where a policy asks for fewer failures than those
//! that lock any account.

use crate::model::{FailedLogins, FailingSource, Timestamp};
use crate::policy::password::policy::PasswordPolicy;

/// Failures of one account in a row, from wherever, that lock it until an administrator acts (NIST SP 800-63B-4 section 3.2.2).
pub const MAXIMUM_FAILURES: u32 = PasswordPolicy::MAXIMUM_FAILURES;
/// Failures in a row at which somebody is told.
pub const ALARMING_FAILURES: u32 = 50;
/// What it waits after [`FailedLogins::MAXIMUM_TIMES_OF_SOURCE`] failures within as long.
pub const LONG_WAIT: i64 = 15 * 60 * 1_000_000;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// Until when a login from a source is refused whatever the password; none: it is looked at.
pub fn waits_until(failed: &FailedLogins, policy: &PasswordPolicy, source: &str, now: Timestamp) -> Option<Timestamp> {
    let end = if policy.locks_account() {
        failed.pause_end
    } else {
        failed.sources.iter().find(|it| it.name == source).and_then(|it| source_waits_until(it, policy))
    };
    end.filter(|end| now < *end)
}

/// pwdMinDelay after the second failure, doubled by each further one up to pwdMaxDelay. The first costs nothing: people mistype.
fn source_waits_until(source: &FailingSource, policy: &PasswordPolicy) -> Option<Timestamp> {
    let last = *source.times.last()?;
    let counted = source.times.iter().filter(|time| last.0.saturating_sub(time.0) < LONG_WAIT).count();
    let wait = match counted {
        0 | 1 => 0,
        count if count >= FailedLogins::MAXIMUM_TIMES_OF_SOURCE => LONG_WAIT,
        count => doubled(policy, count - 2),
    };
    Some(later(last, wait))
}

/// The moment from which on a lock that failures made is over; none: an administrator ends it.
pub fn lock_ends(locked: Timestamp, policy: &PasswordPolicy) -> Option<Timestamp> {
    let timed = policy.locks_account() && policy.lockout_duration > 0;
    timed.then(|| later(locked, i64::from(policy.lockout_duration).saturating_mul(MICROS_PER_SECOND)))
}

/// What is kept after a login that was looked at failed. A lock that is over is forgotten with what made it.
pub fn after_failure(before: Option<&FailedLogins>, policy: &PasswordPolicy, source: &str, now: Timestamp) -> FailedLogins {
    let before = before.filter(|before| before.locked.is_none_or(|locked| lock_ends(locked, policy).is_none_or(|end| now < end)));
    let mut failed = before.cloned().unwrap_or_default();
    failed.in_a_row = failed.in_a_row.saturating_add(1);
    push(&mut failed.times, now, recorded(policy));
    if policy.locks_account() {
        count_for_account(&mut failed, policy, now);
    } else {
        count_for_source(&mut failed.sources, source, now);
        if failed.in_a_row >= MAXIMUM_FAILURES {
            failed.locked = Some(failed.locked.unwrap_or(now));
        }
    }
    failed
}

/// How many times of failures are kept: pwdMaxRecordedFailure, but never fewer than are counted.
fn recorded(policy: &PasswordPolicy) -> usize {
    let counted = if policy.locks_account() { policy.maximum_failures } else { 1 };
    match policy.maximum_recorded_failures {
        0 => FailedLogins::MAXIMUM_TIMES,
        most => (most.max(counted) as usize).min(FailedLogins::MAXIMUM_TIMES),
    }
}

/// draft-behera-ldap-password-policy-11 section 7.6.
fn count_for_account(failed: &mut FailedLogins, policy: &PasswordPolicy, now: Timestamp) {
    let interval = i64::from(policy.failure_interval).saturating_mul(MICROS_PER_SECOND);
    if interval > 0 {
        failed.times.retain(|time| now.0.saturating_sub(time.0) < interval);
        failed.in_a_row = u32::try_from(failed.times.len()).unwrap_or(u32::MAX);
    }
    if failed.in_a_row >= policy.maximum_failures {
        failed.locked = Some(failed.locked.unwrap_or(now));
    }
    let before = failed.in_a_row.saturating_sub(1) as usize;
    failed.pause_end = (policy.minimum_delay > 0).then(|| later(now, doubled(policy, before)));
}

/// Microseconds: pwdMinDelay, doubled so many times, at most pwdMaxDelay.
fn doubled(policy: &PasswordPolicy, times: usize) -> i64 {
    let first = i64::from(policy.minimum_delay).saturating_mul(1i64 << times.min(30));
    first.min(i64::from(policy.maximum_delay)).saturating_mul(MICROS_PER_SECOND)
}

fn count_for_source(sources: &mut Vec<FailingSource>, name: &str, now: Timestamp) {
    let mut source = match sources.iter().position(|it| it.name == name) {
        Some(place) => sources.remove(place),
        None => FailingSource { name: name.to_owned(), times: Vec::new() },
    };
    push(&mut source.times, now, FailedLogins::MAXIMUM_TIMES_OF_SOURCE);
    // The one that failed last stands last.
    sources.push(source);
    let surplus = sources.len().saturating_sub(FailedLogins::MAXIMUM_SOURCES);
    sources.drain(..surplus);
}

/// What is kept after a login succeeded: the failures of other sources, while they can make them wait, so that the logins of an account's owner give
/// nobody else fresh tries.
pub fn after_success(before: &FailedLogins, policy: &PasswordPolicy, source: &str, now: Timestamp) -> FailedLogins {
    // A lock that is over or was taken away is forgotten with what made it.
    if policy.locks_account() || before.locked.is_some() {
        return FailedLogins::default();
    }
    let is_recent = |last: &Timestamp| now.0.saturating_sub(last.0) < LONG_WAIT;
    let stays = |it: &&FailingSource| it.name != source && it.times.last().is_some_and(is_recent);
    let sources: Vec<FailingSource> = before.sources.iter().filter(stays).cloned().collect();
    let mut times: Vec<Timestamp> = sources.iter().flat_map(|it| it.times.iter().copied()).collect();
    times.sort_unstable();
    let in_a_row = u32::try_from(times.len()).unwrap_or(u32::MAX).min(before.in_a_row);
    times.drain(..times.len().saturating_sub(FailedLogins::MAXIMUM_TIMES));
    FailedLogins { in_a_row, times, sources, ..FailedLogins::default() }
}

fn push(times: &mut Vec<Timestamp>, now: Timestamp, most: usize) {
    times.push(now);
    let surplus = times.len().saturating_sub(most);
    times.drain(..surplus);
}

fn later(time: Timestamp, micros: i64) -> Timestamp {
    Timestamp(time.0.saturating_add(micros))
}

/// Whether the newest failure is the one at which somebody is told.
pub fn is_alarming(before: Option<&FailedLogins>, after: &FailedLogins) -> bool {
    after.in_a_row >= ALARMING_FAILURES && before.is_none_or(|before| before.in_a_row < ALARMING_FAILURES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000_000_000;
    const SECOND: i64 = 1_000_000;

    fn draft(maximum_failures: u32) -> PasswordPolicy {
        PasswordPolicy { lockout: true, maximum_failures, minimum_delay: 0, ..PasswordPolicy::default() }
    }

    /// A guesser who tries as soon as he may; the moments of his tries that were looked at.
    fn guess(policy: &PasswordPolicy, source: &str, tries: usize) -> (FailedLogins, Vec<i64>) {
        let (mut failed, mut now, mut at) = (FailedLogins::default(), Timestamp(NOW), Vec::new());
        for _ in 0..tries {
            now = waits_until(&failed, policy, source, now).unwrap_or(now);
            at.push((now.0 - NOW) / SECOND);
            failed = after_failure(Some(&failed), policy, source, now);
        }
        (failed, at)
    }

    #[test]
    fn a_source_waits_twice_as_long_each_time_and_then_a_quarter_of_an_hour() {
        let policy = PasswordPolicy::default();
        let (failed, at) = guess(&policy, "192.0.2.7", 10);
        assert_eq!(at, [0, 0, 1, 3, 7, 15, 31, 63, 127, 255]);
        let end = Timestamp(NOW + (255 + 900) * SECOND);
        assert_eq!(waits_until(&failed, &policy, "192.0.2.7", Timestamp(end.0 - 1)), Some(end));
        assert_eq!(waits_until(&failed, &policy, "192.0.2.7", end), None);
        assert_eq!(waits_until(&failed, &policy, "192.0.2.8", Timestamp(NOW + 255 * SECOND)), None, "another source");
    }

    #[test]
    fn no_more_times_are_kept_than_the_policy_says_and_none_that_counts_is_lost() {
        let kept = |policy: &PasswordPolicy| {
            let mut failed = FailedLogins::default();
            for number in 0..20 {
                failed = after_failure(Some(&failed), policy, "192.0.2.7", Timestamp(NOW + number));
            }
            (failed.times.len(), failed.times.last().map(|time| time.0 - NOW), failed.in_a_row)
        };
        let of = |most| PasswordPolicy { maximum_recorded_failures: most, ..PasswordPolicy::default() };
        assert_eq!(kept(&of(0)), (20, Some(19), 20));
        assert_eq!(kept(&of(3)), (3, Some(19), 20));
        let locking = PasswordPolicy { maximum_recorded_failures: 3, failure_interval: 60, ..draft(5) };
        assert_eq!(kept(&locking), (5, Some(19), 5));
        assert!(after_failure(None, &draft(1), "192.0.2.7", Timestamp(NOW)).locked.is_some());
    }

    #[test]
    fn a_hundred_failures_in_a_row_lock_wherever_they_come_from() {
        let policy = PasswordPolicy::default();
        let mut failed = FailedLogins::default();
        for number in 0..99 {
            failed = after_failure(Some(&failed), &policy, &format!("192.0.2.{number}"), Timestamp(NOW));
            assert_eq!(failed.locked, None);
            assert!(failed.sources.len() <= FailedLogins::MAXIMUM_SOURCES);
        }
        failed = after_failure(Some(&failed), &policy, "198.51.100.1", Timestamp(NOW + 5));
        assert_eq!((failed.locked, failed.times.len()), (Some(Timestamp(NOW + 5)), 100));
        assert_eq!(lock_ends(Timestamp(NOW), &PasswordPolicy { lockout_duration: 9, ..policy }), None, "an administrator acts");
    }

    #[test]
    fn somebody_is_told_once_on_the_way() {
        let policy = PasswordPolicy::default();
        let (mut failed, mut told) = (None, Vec::new());
        for number in 1..=100 {
            let after = after_failure(failed.as_ref(), &policy, "192.0.2.7", Timestamp(NOW));
            told.extend(is_alarming(failed.as_ref(), &after).then_some(number));
            failed = Some(after);
        }
        assert_eq!(told, [50]);
    }

    #[test]
    fn a_success_forgives_its_own_source_alone() {
        let policy = PasswordPolicy::default();
        let (mut failed, _) = guess(&policy, "192.0.2.7", 9);
        let now = *failed.times.last().unwrap();
        failed = after_failure(Some(&failed), &policy, "192.0.2.8", now);
        let after = after_success(&failed, &policy, "192.0.2.8", now);
        assert_eq!((after.in_a_row, after.times.len(), after.sources.len()), (9, 9, 1));
        assert!(waits_until(&after, &policy, "192.0.2.7", now).is_some());
        let after = after_success(&failed, &policy, "192.0.2.7", now);
        assert_eq!((after.in_a_row, after.times, after.sources.len()), (1, vec![now], 1));
        let over = Timestamp(now.0 + LONG_WAIT);
        assert!(!after_success(&failed, &policy, "198.51.100.9", Timestamp(over.0 - 1)).is_empty());
        assert!(after_success(&failed, &policy, "198.51.100.9", over).is_empty(), "what makes nobody wait is forgotten");
        let unlocked = FailedLogins { locked: Some(now), ..failed };
        assert!(after_success(&unlocked, &policy, "198.51.100.9", now).is_empty(), "a lock that somebody took away");
    }

    #[test]
    fn logins_from_elsewhere_give_a_guesser_no_more_tries() {
        let policy = PasswordPolicy::default();
        let (_, alone) = guess(&policy, "192.0.2.7", 25);
        let (mut failed, mut at) = (FailedLogins::default(), Vec::new());
        for second in 0..=*alone.last().unwrap() {
            let now = Timestamp(NOW + second * SECOND);
            while at.len() < alone.len() && waits_until(&failed, &policy, "192.0.2.7", now).is_none() {
                at.push(second);
                failed = after_failure(Some(&failed), &policy, "192.0.2.7", now);
            }
            failed = after_success(&failed, &policy, "198.51.100.9", now);
            assert_eq!(failed.locked, None);
        }
        assert_eq!(at, alone);
    }

    #[test]
    fn guesses_from_many_places_lock_though_the_owner_logs_in() {
        let policy = PasswordPolicy::default();
        let mut failed = FailedLogins::default();
        for number in 0..100 {
            assert_eq!(failed.locked, None);
            failed = after_success(&failed, &policy, "198.51.100.9", Timestamp(NOW));
            let source = format!("192.0.2.{}", number % FailedLogins::MAXIMUM_SOURCES);
            failed = after_failure(Some(&failed), &policy, &source, Timestamp(NOW));
        }
        assert_eq!(failed.locked, Some(Timestamp(NOW)));
    }

    #[test]
    fn the_drafts_lockout_counts_for_the_whole_account() {
        let policy = PasswordPolicy { lockout_duration: 60, failure_interval: 10, ..draft(3) };
        let mut failed = after_failure(None, &policy, "a", Timestamp(NOW));
        failed = after_failure(Some(&failed), &policy, "b", Timestamp(NOW + 1));
        // The first one counts no more.
        failed = after_failure(Some(&failed), &policy, "c", Timestamp(NOW + 10 * SECOND));
        assert_eq!(failed.locked, None);
        let locked = Timestamp(NOW + 10 * SECOND);
        failed = after_failure(Some(&failed), &policy, "d", locked);
        assert_eq!((failed.locked, failed.sources.len()), (Some(locked), 0));
        let end = Timestamp(locked.0 + 60 * SECOND);
        assert_eq!(lock_ends(locked, &policy), Some(end));
        let again = after_failure(Some(&failed), &policy, "d", end);
        assert_eq!((again.locked, again.in_a_row), (None, 1), "a lock that is over is forgotten");
        assert!(after_success(&failed, &policy, "d", end).is_empty());
    }

    #[test]
    fn the_drafts_delay_doubles_up_to_its_maximum() {
        let policy = PasswordPolicy { minimum_delay: 2, maximum_delay: 10, ..draft(99) };
        let (failed, at) = guess(&policy, "a", 6);
        assert_eq!(at, [0, 2, 6, 14, 24, 34]);
        assert!(waits_until(&failed, &policy, "b", Timestamp(NOW + 34 * SECOND)).is_some(), "wherever it comes from");
        assert_eq!(failed.locked, None);
    }
}
