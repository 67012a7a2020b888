//! The decision about a login as the specifications say it: draft-behera, RFC 2307, shadow(5), the tables of expiry attributes and reference
//! values, and the decision records. Plain and slow, and nothing of the program's own code in it.

use std::net::IpAddr;

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const DAY: i64 = 86_400 * SECOND;
const QUARTER: i64 = 900 * SECOND;
/// How long an emergency account is used.
const EMERGENCY: i64 = 4 * 3600 * SECOND;
/// 1601 to 1970, in units of 100 ns.
const UNITS_TO_1970: i128 = 116_444_736_000_000_000;

/// A pwdPolicy entry, in seconds.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) max_age: i64,
    pub(super) warning: i64,
    pub(super) grace: usize,
    pub(super) grace_expiry: i64,
    pub(super) lockout: bool,
    pub(super) max_failure: usize,
    pub(super) duration: i64,
    pub(super) interval: i64,
    pub(super) min_delay: i64,
    pub(super) max_delay: i64,
    pub(super) max_idle: i64,
    pub(super) must_change: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Person,
    Service,
    BreakGlass,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lock {
    ForGood,
    Since(i64),
    /// Failed logins made it.
    OfFailures(i64),
}

/// What an entry says. Times in microseconds, days since 1970, units of Active Directory as they are written.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) disabled: bool,
    pub(super) control: Option<i64>,
    pub(super) ns_lock: bool,
    pub(super) starts: Option<i64>,
    pub(super) ends: Option<i64>,
    pub(super) account_expires: Option<i64>,
    pub(super) principal_expires: Option<i64>,
    pub(super) shadow_expire: Option<i64>,
    pub(super) shadow_max: Option<i64>,
    pub(super) shadow_inactive: Option<i64>,
    pub(super) shadow_last_change: Option<i64>,
    pub(super) lock: Option<Lock>,
    pub(super) lockout_time: Option<i64>,
    pub(super) last_set: Option<i64>,
    pub(super) reset: bool,
    pub(super) changed: Option<i64>,
    pub(super) password_expires: Option<i64>,
}

#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) dn: String,
    pub(super) kind: Kind,
    pub(super) administrator: bool,
    pub(super) in_ward: bool,
    /// Octets in front, and how many bits of them count.
    pub(super) networks: Vec<(IpAddr, u8)>,
    pub(super) password: &'static str,
    pub(super) has_token: bool,
    pub(super) last_step: Option<i64>,
    /// By how many time steps the token's clock was off at the last login: its codes are looked for around that too.
    pub(super) drift: i64,
    pub(super) said: Said,
    pub(super) last_login: Option<i64>,
    /// Since when an emergency account is used.
    pub(super) used: Option<i64>,
    pub(super) grace: Vec<i64>,
    /// In a row, and when.
    pub(super) in_a_row: usize,
    pub(super) failures: Vec<i64>,
    /// By source; the one that failed last stands last.
    pub(super) sources: Vec<(String, Vec<i64>)>,
    pub(super) pause_end: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    Allow,
    Deny,
    Require,
}

#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) effect: Effect,
    pub(super) kind: Option<Kind>,
    pub(super) ward: bool,
    pub(super) account: Option<usize>,
    pub(super) network: Option<(IpAddr, u8)>,
    pub(super) listener: Option<&'static str>,
    pub(super) tls: Option<&'static str>,
    pub(super) not_after: Option<i64>,
}

#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) account: usize,
    pub(super) listener: &'static str,
    /// None: over the Unix socket.
    pub(super) from: Option<IpAddr>,
    pub(super) tls: Option<&'static str>,
    /// The local user stands for the account.
    pub(super) local: bool,
    /// None: SASL EXTERNAL.
    pub(super) given: Option<String>,
    /// The code that the last six characters are, if they are one of the token's: its time step.
    pub(super) step: Option<i64>,
    pub(super) now: i64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Answer {
    pub(super) code: u16,
    /// The password policy control, in hexadecimal, of a login with a password that succeeds.
    pub(super) control: Option<String>,
}

pub(super) fn within(network: &(IpAddr, u8), address: Option<IpAddr>) -> bool {
    let octets = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let is_in = |address: IpAddr| {
        let (ours, theirs) = (octets(network.0), octets(address));
        let bit = |octets: &[u8], index: usize| octets[index / 8] >> (7 - index % 8) & 1;
        ours.len() == theirs.len() && (0..usize::from(network.1)).all(|index| bit(&ours, index) == bit(&theirs, index))
    };
    match address {
        Some(address) => is_in(address),
        // The Unix socket is the machine itself.
        None => is_in("127.0.0.1".parse().unwrap()) || is_in("::1".parse().unwrap()),
    }
}

/// Where failures are counted: IPv6 by its first 64 bits.
fn source(from: Option<IpAddr>) -> String {
    match from {
        None => "ldapi".to_owned(),
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => format!("{:?}", &address.segments()[..4]),
    }
}

/// A moment of Active Directory; 0 and the greatest number are never. Between two microseconds it is the later one.
fn of_units(units: i64) -> Option<i64> {
    (units != 0 && units != i64::MAX).then(|| i64::try_from((i128::from(units) - UNITS_TO_1970 + 9).div_euclid(10)).unwrap())
}

pub(super) fn units(micros: i64, more: i64) -> i64 {
    i64::try_from(i128::from(micros) * 10 + UNITS_TO_1970).unwrap() + more
}

impl Policy {
    /// draft-behera's lockout of the whole account.
    fn locks_account(&self) -> bool {
        self.lockout && (1..100).contains(&self.max_failure)
    }

    fn delay(&self, doublings: usize) -> i64 {
        (0..doublings).fold(self.min_delay, |delay, _| (delay * 2).min(self.max_delay)).min(self.max_delay) * SECOND
    }
}

impl Account {
    /// One step around the present one, or around where the token's clock was seen.
    pub(super) fn is_near(&self, step: i64, present: i64) -> bool {
        (step - present).abs() <= 1 || (step - present - self.drift).abs() <= 1
    }

    fn holds(&self, since: i64, duration: i64, now: i64) -> bool {
        let _ = self;
        duration == 0 || now < since + duration * SECOND
    }

    pub(super) fn failure_lock(&self, policy: &Policy, now: i64) -> bool {
        match self.said.lock {
            Some(Lock::OfFailures(since)) if policy.locks_account() => self.holds(since, policy.duration, now),
            Some(Lock::OfFailures(_)) => true,
            _ => false,
        }
    }

    /// The moments at which something about it changes by time alone.
    pub(super) fn moments(&self, policy: &Policy) -> Vec<i64> {
        let said = &self.said;
        let mut moments: Vec<i64> =
            [said.starts, said.ends, said.principal_expires, self.password_end(policy)].into_iter().flatten().collect();
        moments.extend(said.account_expires.and_then(of_units));
        moments.extend(said.lockout_time.and_then(of_units).map(|since| since + policy.duration * SECOND));
        moments.extend(said.shadow_expire.map(|days| days * DAY));
        moments.extend(self.overdue());
        moments.extend(self.too_late());
        moments.extend(self.password_end(policy).map(|end| end + policy.grace_expiry * SECOND));
        moments.extend(self.password_end(policy).map(|end| end - policy.warning * SECOND));
        moments.extend(self.last_login.map(|last| last + policy.max_idle * SECOND));
        moments.extend(self.used.map(|since| since + EMERGENCY));
        if let Some(Lock::OfFailures(since) | Lock::Since(since)) = said.lock {
            moments.push(since + policy.duration * SECOND);
        }
        moments.push(self.pause_end);
        for (_, times) in &self.sources {
            moments.extend(waits_until(policy, times));
            moments.extend(times.last().map(|last| last + QUARTER));
        }
        moments.extend(self.failures.first().map(|first| first + policy.interval * SECOND));
        moments
    }

    fn password_end(&self, policy: &Policy) -> Option<i64> {
        let by_age = self.said.changed.filter(|_| policy.max_age > 0).map(|changed| changed + policy.max_age * SECOND);
        [by_age, self.said.password_expires].into_iter().flatten().min()
    }

    fn last_change(&self) -> Option<i64> {
        self.said.shadow_last_change.max(self.said.changed.map(|changed| changed.div_euclid(DAY)))
    }

    fn overdue(&self) -> Option<i64> {
        let max = self.said.shadow_max.filter(|days| *days >= 0)?;
        Some((self.last_change()? + max + 1) * DAY)
    }

    fn too_late(&self) -> Option<i64> {
        Some(self.overdue()? + self.said.shadow_inactive.filter(|days| *days >= 0)? * DAY)
    }

    /// Whether anything bars it whatever it proves. `idle`: whether idleness counts.
    fn is_barred(&self, policy: &Policy, now: i64, idle: bool) -> bool {
        let said = &self.said;
        let over = |end: Option<i64>| end.is_some_and(|end| now >= end);
        let locked = match said.lock {
            Some(Lock::ForGood) => true,
            Some(Lock::Since(since)) => self.holds(since, policy.duration, now),
            Some(Lock::OfFailures(_)) | None => false,
        };
        let last = self.last_login.map(|last| last.max(said.changed.unwrap_or(i64::MIN)));
        let is_idle = policy.max_idle > 0 && last.is_some_and(|last| now >= last + policy.max_idle * SECOND);
        said.disabled
            || said.control.is_some_and(|bits| bits & 2 != 0)
            || said.ns_lock
            || said.starts.is_some_and(|starts| now < starts)
            || over(said.ends)
            || over(said.account_expires.and_then(of_units))
            || over(said.principal_expires)
            || over(said.shadow_expire.filter(|days| *days > 0).map(|days| days * DAY))
            || locked
            || said.lockout_time.and_then(of_units).is_some_and(|since| self.holds(since, policy.duration, now))
            || idle && is_idle && self.kind != Kind::BreakGlass
            || over(self.used.map(|since| since + EMERGENCY))
    }

    /// None: the password is barred. Else whether this is a grace login, and the seconds until it ends where there is a warning.
    fn password_age(&self, policy: &Policy, now: i64) -> Option<(bool, Option<i64>)> {
        if self.kind != Kind::BreakGlass && self.failure_lock(policy, now) || self.too_late().is_some_and(|late| now >= late) {
            return None;
        }
        match self.password_end(policy) {
            None => Some((false, None)),
            Some(end) if now < end => {
                let left = end - now;
                Some((false, (left <= policy.warning * SECOND).then_some((left + SECOND - 1) / SECOND)))
            }
            Some(end) => {
                let in_time = policy.grace_expiry == 0 || now < end + policy.grace_expiry * SECOND;
                (in_time && self.grace.len() < policy.grace).then_some((true, None))
            }
        }
    }

    fn must_change(&self, policy: &Policy, now: i64) -> bool {
        let never = self.said.shadow_last_change == Some(0) && self.said.changed.is_none();
        let by_shadow = self.kind == Kind::Person && (never || self.overdue().is_some_and(|overdue| now >= overdue));
        self.said.last_set == Some(0) || policy.must_change && (self.said.reset || by_shadow)
    }

    fn waits(&self, policy: &Policy, source: &str, now: i64) -> bool {
        if policy.locks_account() {
            return now < self.pause_end;
        }
        let own = self.sources.iter().find(|(name, _)| name == source);
        own.and_then(|(_, times)| waits_until(policy, times)).is_some_and(|until| now < until)
    }

    fn fail(&mut self, policy: &Policy, source: String, now: i64, by_code: bool) {
        // Who tries codes knows the password.
        if self.kind == Kind::BreakGlass && !by_code || self.failure_lock(policy, now) {
            return;
        }
        // A lock that is over is forgotten with what made it.
        if matches!(self.said.lock, Some(Lock::OfFailures(_))) {
            self.forgive();
        }
        self.in_a_row += 1;
        self.failures.push(now);
        let surplus = self.failures.len().saturating_sub(100);
        self.failures.drain(..surplus);
        let locks = if policy.locks_account() {
            if policy.interval > 0 {
                self.failures.retain(|time| now - time < policy.interval * SECOND);
                self.in_a_row = self.failures.len();
            }
            if policy.min_delay > 0 {
                self.pause_end = now + policy.delay(self.in_a_row - 1);
            }
            self.in_a_row >= policy.max_failure
        } else {
            let before = self.sources.iter().position(|(name, _)| *name == source).map(|place| self.sources.remove(place).1);
            let mut times = before.unwrap_or_default();
            times.push(now);
            times.drain(..times.len().saturating_sub(10));
            self.sources.push((source, times));
            self.sources.drain(..self.sources.len().saturating_sub(20));
            self.in_a_row >= 100
        };
        // What an administrator locked stays as it is.
        let held = match self.said.lock {
            Some(Lock::ForGood) => true,
            Some(Lock::Since(since)) => self.holds(since, policy.duration, now),
            _ => false,
        };
        if locks && !held && self.kind != Kind::BreakGlass {
            self.said.lock = Some(Lock::OfFailures(now));
        }
    }

    /// Failures are forgotten, and the lock they made.
    pub(super) fn forgive(&mut self) {
        (self.in_a_row, self.pause_end) = (0, 0);
        self.failures.clear();
        self.sources.clear();
        if matches!(self.said.lock, Some(Lock::OfFailures(_))) {
            self.said.lock = None;
        }
    }

    fn log_in(&mut self, now: i64) {
        self.last_login = Some(now);
        if self.kind == Kind::BreakGlass {
            // In whole seconds, as it is stored.
            self.used.get_or_insert(now.div_euclid(SECOND) * SECOND);
        }
    }

    fn succeed_with_password(&mut self, policy: &Policy, source: &str, now: i64) {
        if policy.locks_account() || matches!(self.said.lock, Some(Lock::OfFailures(_))) {
            return self.forgive();
        }
        let before = self.in_a_row;
        self.sources.retain(|(name, times)| name != source && times.last().is_some_and(|last| now - last < QUARTER));
        self.failures = self.sources.iter().flat_map(|(_, times)| times.clone()).collect();
        self.failures.sort_unstable();
        self.in_a_row = self.failures.len().min(before);
        self.failures.drain(..self.failures.len().saturating_sub(100));
    }
}

/// The first failure costs nothing, the second pwdMinDelay, doubled by each further one; ten within a quarter of an hour cost as long.
fn waits_until(policy: &Policy, times: &[i64]) -> Option<i64> {
    let last = *times.last()?;
    let wait = match times.iter().filter(|time| last - **time < QUARTER).count() {
        0 | 1 => 0,
        count if count >= 10 => QUARTER,
        count => policy.delay(count - 2),
    };
    Some(last + wait)
}

pub(super) struct World {
    pub(super) policy: Policy,
    pub(super) accounts: Vec<Account>,
    pub(super) rules: Vec<Rule>,
}

/// None: nobody is let in.
fn rules_say(world: &World, attempt: &Attempt) -> Option<Effect> {
    let account = &world.accounts[attempt.account];
    let own_network = account.networks.iter().any(|network| within(network, attempt.from));
    let is_kept_in = account.kind == Kind::Service || account.kind == Kind::Person && !account.networks.is_empty();
    if is_kept_in && !own_network {
        return None;
    }
    // No network keeps an emergency account out, unless the rule is for such accounts.
    let spares = |rule: &Rule| {
        account.kind == Kind::BreakGlass && rule.effect == Effect::Deny && rule.network.is_some() && rule.kind.is_none()
    };
    let holds = |rule: &&Rule| {
        rule.kind.is_none_or(|kind| kind == account.kind)
            && (!rule.ward || account.in_ward)
            && rule.account.is_none_or(|account| account == attempt.account)
            && rule.network.is_none_or(|network| within(&network, attempt.from))
            && !spares(rule)
            && rule.listener.is_none_or(|listener| listener == attempt.listener)
            && rule.tls.is_none_or(|least| attempt.listener == "ldapi" || attempt.tls.is_some_and(|tls| tls >= least))
            && rule.not_after.is_none_or(|end| attempt.now < end)
    };
    let effects: Vec<Effect> = world.rules.iter().filter(holds).map(|rule| rule.effect).collect();
    let has = |effect| effects.contains(&effect);
    [Effect::Deny, Effect::Require, Effect::Allow]
        .into_iter()
        .find(|effect| has(*effect))
        .filter(|effect| *effect != Effect::Deny)
}

/// Decides a login, and remembers what it leaves behind.
pub(super) fn decide(world: &mut World, attempt: &Attempt) -> Answer {
    let refused = |code| Answer { code, control: None };
    let said = rules_say(world, attempt);
    let World { policy, accounts, .. } = world;
    let account = &mut accounts[attempt.account];
    let now = attempt.now;
    let Some(given) = &attempt.given else {
        let forgiven = account.administrator;
        if account.is_barred(policy, now, !forgiven) || said.is_none() && !forgiven {
            return refused(49);
        }
        account.log_in(now);
        return Answer { code: 0, control: None };
    };
    if attempt.listener == "ldap" && attempt.tls.is_none() {
        return refused(13);
    }
    let source = source(attempt.from);
    if account.waits(policy, &source, now) {
        return refused(49);
    }
    let asked = said == Some(Effect::Require) && !attempt.local && account.has_token;
    let front = given.len().checked_sub(6).filter(|front| *front > 0);
    let parts =
        front.map(|front| given.split_at(front)).filter(|(_, code)| asked && code.bytes().all(|octet| octet.is_ascii_digit()));
    let (password, code) = parts.map_or((given.as_str(), None), |(password, code)| (password, Some(code)));
    if password != account.password {
        account.fail(policy, source, now, false);
        return refused(49);
    }
    if asked {
        let present = now.div_euclid(30 * SECOND);
        let near = attempt.step.filter(|step| account.is_near(*step, present));
        match (code, near) {
            (None, _) => return refused(49),
            (Some(_), Some(step)) if account.last_step.is_none_or(|last| step > last) => {}
            (Some(_), Some(_)) => return refused(49),
            (Some(_), None) => {
                account.fail(policy, source, now, true);
                return refused(49);
            }
        }
    }
    let age = account.password_age(policy, now);
    let factor = asked || attempt.local;
    let Some((grace, left)) = age.filter(|_| !account.is_barred(policy, now, true)) else { return refused(49) };
    match said {
        None => return refused(49),
        Some(Effect::Require) if !factor => return refused(49),
        Some(_) => {}
    }
    account.log_in(now);
    account.succeed_with_password(policy, &source, now);
    if grace {
        account.grace.push(now);
    }
    if let Some(step) = attempt.step.filter(|_| asked) {
        account.last_step = Some(step);
        account.drift = (step - now.div_euclid(30 * SECOND)).clamp(-10, 10);
    }
    let control = match (account.must_change(policy, now), grace, left) {
        (true, _, _) => "3003810102".to_owned(),
        (false, true, _) => warning(0x81, (policy.grace - account.grace.len()) as u32),
        (false, false, Some(left)) => warning(0x80, left as u32),
        (false, false, None) => "3000".to_owned(),
    };
    Answer { code: 0, control: Some(control) }
}

fn warning(choice: u8, number: u32) -> String {
    let mut octets: Vec<u8> = number.to_be_bytes().to_vec();
    while octets.len() > 1 && octets[0] == 0 && octets[1] < 0x80 {
        octets.remove(0);
    }
    let length = octets.len() as u8;
    let octets: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("30{:02x}a0{:02x}{choice:02x}{length:02x}{octets}", length + 4, length + 2)
}
