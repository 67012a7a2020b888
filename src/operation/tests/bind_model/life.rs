//! What happens in a life, drawn from its seed.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::SECRET;
use super::reference::{Account, Attempt, DAY, Effect, Kind, Lock, Policy, Rule, SECOND, Said, World, units};
use crate::model::Timestamp;

const SUFFIX: &str = "dc=mercy,dc=example";
const STEPS: u32 = 50;
const LONG: u32 = 450;
/// A moment in November 2026.
const START: i64 = 1_795_000_000 * SECOND;
const ADDRESSES: [&str; 5] = ["10.1.2.3", "10.1.2.4", "192.0.2.7", "2001:db8:7::1", "2001:db8:7::2"];
const NETWORKS: [(&str, u8); 5] = [("10.0.0.0", 8), ("10.1.2.3", 32), ("127.0.0.0", 8), ("2001:db8:7::", 48), ("0.0.0.0", 0)];

/// xorshift64*
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random((seed ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9) | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % limit
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn choose<T: Clone>(&mut self, items: &[T]) -> T {
        items[usize::try_from(self.below(items.len() as u64)).unwrap()].clone()
    }
}

#[derive(Debug)]
pub(super) enum Step {
    Login(Attempt),
    /// An administrator changes an account.
    Change(usize, String),
}

pub(super) struct Life<'c> {
    random: Random,
    pub(super) world: World,
    pub(super) start: i64,
    pub(super) now: i64,
    left: u32,
    /// Sieges last: as many failures come together as lock any account.
    long: bool,
    /// Who is attacked for a while, from where: else no lock would ever come.
    siege: Option<(usize, IpAddr)>,
    code_of: &'c dyn Fn(i64) -> String,
}

impl<'c> Life<'c> {
    pub(super) fn new(seed: u64, code_of: &'c dyn Fn(i64) -> String) -> Life<'c> {
        let mut random = Random::new(seed);
        let long = seed.is_multiple_of(40);
        let mut policy = policy(&mut random);
        if long {
            policy.lockout = false;
        }
        let accounts = accounts(&mut random);
        let rules = rules(&mut random, accounts.len());
        let world = World { policy, accounts, rules };
        Life { random, world, start: START, now: START, left: if long { LONG } else { STEPS }, long, siege: None, code_of }
    }

    /// The next step; the clock has moved.
    pub(super) fn next(&mut self) -> Option<Step> {
        self.left = self.left.checked_sub(1)?;
        self.move_clock();
        if self.siege.is_none() && self.random.one_in(5) {
            return Some(self.change());
        }
        Some(Step::Login(self.attempt()))
    }

    fn move_clock(&mut self) {
        let account =
            self.siege.map_or_else(|| self.random.below(self.world.accounts.len() as u64) as usize, |(account, _)| account);
        let account = &self.world.accounts[account];
        let mut moments = account.moments(&self.world.policy);
        moments.extend(self.world.rules.iter().filter_map(|rule| rule.not_after));
        let ahead: Vec<i64> =
            moments.into_iter().filter(|moment| *moment > self.now + 1 && *moment < self.now + 60 * DAY).collect();
        let patient = if self.siege.is_some() { 2 } else { 3 };
        let step = if !ahead.is_empty() && self.random.one_in(patient) {
            // To the microsecond. Under siege the nearest, else any.
            let moment = if self.siege.is_some() { *ahead.iter().min().unwrap() } else { self.random.choose(&ahead) };
            moment + self.random.choose(&[-1, 0, 0, 1]) - self.now
        } else {
            match self.random.below(8) {
                0 => 30 * SECOND,
                1 if self.siege.is_none() => 3600 * SECOND,
                2 if self.siege.is_none() => DAY,
                3 => SECOND,
                4 => 61 * SECOND,
                _ => 1 + self.random.below(3 * SECOND as u64) as i64,
            }
        };
        self.now += step.max(1);
    }

    fn attempt(&mut self) -> Attempt {
        let random = &mut self.random;
        self.siege = match self.siege {
            Some(_) if random.one_in(if self.long { 250 } else { 20 }) => None,
            None if random.one_in(if self.long { 4 } else { 30 }) => {
                Some((random.below(self.world.accounts.len() as u64) as usize, random.choose(&ADDRESSES).parse().unwrap()))
            }
            siege => siege,
        };
        let account = self.siege.map_or_else(|| random.below(self.world.accounts.len() as u64) as usize, |(account, _)| account);
        let from = match self.siege {
            Some((_, from)) if !random.one_in(8) => from,
            _ => random.choose(&ADDRESSES).parse().unwrap(),
        };
        let (listener, tls) = random.choose(&[
            ("ldaps", Some("1.3")),
            ("ldaps", Some("1.3")),
            ("ldaps", Some("1.2")),
            ("ldap", Some("1.3")),
            ("ldap", None),
            ("ldapi", None),
        ]);
        let from = Some(from).filter(|_| listener != "ldapi");
        let local = listener == "ldapi" && random.one_in(2);
        let knows = if self.siege.is_some() { random.one_in(15) } else { !random.one_in(4) };
        let own = self.world.accounts[account].password;
        let mut given = if knows { own.to_owned() } else { random.choose(&["wrong", "wrong123456", "", "x"]).to_owned() };
        given = if given.is_empty() { own.chars().rev().collect() } else { given };
        let mut step = None;
        let may_be_asked =
            self.world.accounts[account].has_token && self.world.rules.iter().any(|rule| rule.effect == Effect::Require);
        if random.one_in(if may_be_asked { 2 } else { 8 }) {
            let present = self.now.div_euclid(30 * SECOND);
            let (offset, is_code) =
                random.choose(&[(0, true), (0, true), (1, true), (-1, true), (2, true), (-2, true), (0, false)]);
            // A code of the token, or six digits that are none near enough.
            given.push_str(&if is_code { (self.code_of)(present + offset) } else { "000000".to_owned() });
        }
        if let Some(tail) = given.len().checked_sub(6).and_then(|front| given.get(front..)) {
            let present = self.now.div_euclid(30 * SECOND);
            let of = &self.world.accounts[account];
            let last = of.last_step;
            let near = (present - 12..=present + 12).filter(|step| of.is_near(*step, present));
            let fitting: Vec<i64> = near.filter(|step| (self.code_of)(*step) == tail).collect();
            // Should two steps have one code, the one that may be taken counts.
            step = fitting.iter().copied().find(|step| last.is_none_or(|last| *step > last)).or(fitting.first().copied());
        }
        let given = Some(given).filter(|_| !(local && random.one_in(2)));
        Attempt { account, listener, from, tls, local, given, step, now: self.now }
    }

    /// An administrator changes something, in the directory and in the reference.
    fn change(&mut self) -> Step {
        let number = self.random.below(self.world.accounts.len() as u64) as usize;
        let (random, account) = (&mut self.random, &mut self.world.accounts[number]);
        let near = near(random, self.now);
        if random.one_in(3) {
            return Step::Change(number, heal(account));
        }
        let lines = match random.below(20) {
            0 => flag(random, "accountDisabled", &mut account.said.disabled),
            1 => flag(random, "nsAccountLock", &mut account.said.ns_lock),
            2 => flag(random, "pwdReset", &mut account.said.reset),
            3 => time(random, "pwdStartTime", &mut account.said.starts, near),
            4 => time(random, "pwdEndTime", &mut account.said.ends, near),
            5 => time(random, "krbPrincipalExpiration", &mut account.said.principal_expires, near),
            6 => time(random, "passwordExpirationTime", &mut account.said.password_expires, near),
            7 => {
                let never = random.choose(&[0, i64::MAX, units(near, 0), units(near, 1), units(near, 9)]);
                number_of(random, "accountExpires", &mut account.said.account_expires, never)
            }
            8 => {
                let value = random.choose(&[0, units(near, 0), units(near, 5)]);
                number_of(random, "lockoutTime", &mut account.said.lockout_time, value)
            }
            9 => {
                let bits = random.choose(&[512, 514, 2, 66048]);
                number_of(random, "userAccountControl", &mut account.said.control, bits)
            }
            10 => {
                let value = random.choose(&[0, units(near, 0)]);
                number_of(random, "pwdLastSet", &mut account.said.last_set, value)
            }
            11 => {
                let days = random.choose(&[-1, 0, near.div_euclid(DAY), near.div_euclid(DAY) + 1]);
                number_of(random, "shadowExpire", &mut account.said.shadow_expire, days)
            }
            12 => {
                let days = random.choose(&[-1, 0, 1, 30]);
                number_of(random, "shadowMax", &mut account.said.shadow_max, days)
            }
            13 => {
                let days = random.choose(&[-1, 0, 1, 7]);
                number_of(random, "shadowInactive", &mut account.said.shadow_inactive, days)
            }
            14 => {
                let days = random.choose(&[0, near.div_euclid(DAY) - 2, near.div_euclid(DAY)]);
                number_of(random, "shadowLastChange", &mut account.said.shadow_last_change, days)
            }
            15 if random.one_in(3) => {
                account.grace.clear();
                "replace: pwdGraceUseTime\n-\n".to_owned()
            }
            15 => {
                account.forgive();
                "replace: pwdFailureTime\n-\n".to_owned()
            }
            16 | 17 => {
                account.forgive();
                account.said.lock = None;
                "replace: pwdAccountLockedTime\n-\n".to_owned()
            }
            18 => {
                account.forgive();
                account.said.lock = Some(Lock::ForGood);
                "replace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n-\n".to_owned()
            }
            _ => {
                account.forgive();
                account.said.lock = Some(Lock::Since(near));
                let near = Timestamp(near).to_generalized_time_micros();
                format!("replace: pwdAccountLockedTime\npwdAccountLockedTime: {near}\n-\n")
            }
        };
        Step::Change(number, format!("dn: {}\nchangetype: modify\n{lines}\n", account.dn))
    }

    /// The directory that the life begins with.
    pub(super) fn ldif(&self) -> String {
        let World { policy, accounts, rules } = &self.world;
        let flag = |value: bool| if value { "TRUE" } else { "FALSE" };
        let mut ldif = format!(
            "dn: cn=policy,{SUFFIX}\nobjectClass: applicationProcess\nobjectClass: pwdPolicy\npwdAttribute: userPassword\n\
             pwdMaxAge: {}\npwdExpireWarning: {}\npwdGraceAuthNLimit: {}\npwdGraceExpiry: {}\npwdLockout: {}\npwdMaxFailure: {}\n\
             pwdLockoutDuration: {}\npwdFailureCountInterval: {}\npwdMinDelay: {}\npwdMaxDelay: {}\npwdMaxIdle: {}\npwdMustChange: {}\n\n",
            policy.max_age,
            policy.warning,
            policy.grace,
            policy.grace_expiry,
            flag(policy.lockout),
            policy.max_failure,
            policy.duration,
            policy.interval,
            policy.min_delay,
            policy.max_delay,
            policy.max_idle,
            flag(policy.must_change),
        );
        for account in accounts {
            write_account(&mut ldif, account);
        }
        let administrators = accounts.iter().filter(|account| account.administrator);
        for account in administrators {
            let group = format!("cn=administrators,ou=roles,{SUFFIX}");
            let _ = write!(ldif, "dn: {group}\nchangetype: modify\nadd: member\nmember: {}\n-\n\n", account.dn);
        }
        let _ = write!(ldif, "dn: cn=ward,{SUFFIX}\nobjectClass: groupOfNames\ncn: ward\n");
        for account in accounts.iter().filter(|account| account.in_ward) {
            let _ = writeln!(ldif, "member: {}", account.dn);
        }
        let _ = write!(ldif, "member: cn=admin,{SUFFIX}\n\n");
        for unit in ["ou=policies", "ou=binds,ou=policies"] {
            let _ = write!(ldif, "dn: {unit},{SUFFIX}\nobjectClass: organizationalUnit\n\n");
        }
        for (number, rule) in rules.iter().enumerate() {
            write_rule(&mut ldif, number, rule, accounts);
        }
        ldif
    }
}

/// All that bars it goes: else everybody would be barred after a while.
fn heal(account: &mut Account) -> String {
    account.forgive();
    account.said = Said { changed: account.said.changed, ..Said::default() };
    let names = [
        "accountDisabled",
        "nsAccountLock",
        "pwdReset",
        "pwdStartTime",
        "pwdEndTime",
        "krbPrincipalExpiration",
        "passwordExpirationTime",
        "accountExpires",
        "lockoutTime",
        "userAccountControl",
        "pwdLastSet",
        "shadowExpire",
        "shadowMax",
        "shadowInactive",
        "shadowLastChange",
        "pwdAccountLockedTime",
    ];
    let lines: String = names.iter().map(|name| format!("replace: {name}\n-\n")).collect();
    format!("dn: {}\nchangetype: modify\n{lines}\n", account.dn)
}

fn near(random: &mut Random, now: i64) -> i64 {
    let sign = if random.one_in(3) { -1 } else { 1 };
    now + sign * random.choose(&[1, SECOND, 90 * SECOND, 3600 * SECOND, DAY, 20 * DAY])
}

fn flag(random: &mut Random, name: &str, value: &mut bool) -> String {
    *value = !*value && random.one_in(2);
    let text = if *value { "TRUE" } else { "FALSE" };
    format!("replace: {name}\n{name}: {text}\n-\n")
}

fn time(random: &mut Random, name: &str, value: &mut Option<i64>, near: i64) -> String {
    *value = Some(near).filter(|_| !random.one_in(2));
    let line = value.map(|near| format!("{name}: {}\n", Timestamp(near).to_generalized_time_micros())).unwrap_or_default();
    format!("replace: {name}\n{line}-\n")
}

fn number_of(random: &mut Random, name: &str, value: &mut Option<i64>, number: i64) -> String {
    *value = Some(number).filter(|_| !random.one_in(2));
    let line = value.map(|number| format!("{name}: {number}\n")).unwrap_or_default();
    format!("replace: {name}\n{line}-\n")
}

fn policy(random: &mut Random) -> Policy {
    let min_delay = random.choose(&[0, 1, 1, 3]);
    Policy {
        max_age: random.choose(&[0, 0, 3600, 86_400 * 3]),
        warning: random.choose(&[0, 600, 86_400]),
        grace: random.choose(&[0, 0, 1, 3]),
        grace_expiry: random.choose(&[0, 600, 86_400]),
        lockout: random.one_in(2),
        max_failure: random.choose(&[0, 2, 3, 5, 100]),
        duration: random.choose(&[0, 60, 900]),
        interval: random.choose(&[0, 0, 30, 3600]),
        min_delay,
        max_delay: min_delay.max(random.choose(&[0, 4, 900])),
        max_idle: random.choose(&[0, 0, 3600, 86_400 * 10]),
        must_change: random.one_in(2),
    }
}

fn accounts(random: &mut Random) -> Vec<Account> {
    let kinds = [Kind::Person, Kind::Person, Kind::Person, Kind::Service, Kind::BreakGlass];
    let account = |(number, kind): (usize, Kind)| Account {
        dn: format!("uid=account{number},{SUFFIX}"),
        kind,
        administrator: number == 1,
        in_ward: random.one_in(2),
        networks: match kind {
            Kind::Service => vec![network(random)],
            Kind::Person if random.one_in(4) => vec![network(random), network(random)],
            Kind::Person | Kind::BreakGlass => Vec::new(),
        },
        // One that looks as if a code stood behind it.
        password: if number == 2 { "pass phrase 123456" } else { "a pass phrase" },
        has_token: !random.one_in(3),
        last_step: None,
        drift: 0,
        said: Said::default(),
        last_login: None,
        used: None,
        grace: Vec::new(),
        in_a_row: 0,
        failures: Vec::new(),
        sources: Vec::new(),
        pause_end: 0,
    };
    let mut accounts: Vec<Account> = kinds.into_iter().enumerate().map(account).collect();
    for account in &mut accounts {
        // In whole seconds, as it is stored.
        account.said.changed = Some(START - random.choose(&[100, 3000, 86_400]) * SECOND).filter(|_| !random.one_in(3));
    }
    accounts
}

fn network(random: &mut Random) -> (IpAddr, u8) {
    let (address, length) = random.choose(&NETWORKS);
    (address.parse().unwrap(), length)
}

fn rules(random: &mut Random, accounts: usize) -> Vec<Rule> {
    let mut rules: Vec<Rule> = (0..random.below(4)).map(|_| rule(random, accounts)).collect();
    if !random.one_in(4) {
        // Else most logins would fail for want of a rule.
        let all = Rule {
            effect: Effect::Allow,
            kind: None,
            ward: false,
            account: None,
            network: None,
            listener: None,
            tls: None,
            not_after: None,
        };
        rules.push(all);
    }
    rules
}

fn rule(random: &mut Random, accounts: usize) -> Rule {
    Rule {
        effect: random.choose(&[Effect::Allow, Effect::Require, Effect::Require, Effect::Deny]),
        kind: random.choose(&[None, None, Some(Kind::Person), Some(Kind::Service), Some(Kind::BreakGlass)]),
        ward: random.one_in(3),
        account: Some(random.below(accounts as u64) as usize).filter(|_| random.one_in(4)),
        network: Some(network(random)).filter(|_| random.one_in(3)),
        listener: random.choose(&[None, None, None, Some("ldap"), Some("ldaps"), Some("ldapi")]),
        tls: random.choose(&[None, None, Some("1.2"), Some("1.3")]),
        not_after: Some(START + DAY).filter(|_| random.one_in(4)),
    }
}

fn write_account(ldif: &mut String, account: &Account) {
    let dn = &account.dn;
    let _ = write!(
        ldif,
        "dn: {dn}\nobjectClass: inetOrgPerson\nobjectClass: managedAccount\nobjectClass: shadowAccount\nobjectClass: limitedAccount\ncn: x\nsn: x\nuserPassword: \
         {}\npwdPolicySubentry: cn=policy,{SUFFIX}\n",
        account.password
    );
    let _ = match account.kind {
        Kind::Person => Ok(()),
        Kind::Service => write!(ldif, "accountKind: service\naccountOwner: cn=admin,{SUFFIX}\n"),
        Kind::BreakGlass => write!(ldif, "accountKind: breakglass\naccountOwner: cn=admin,{SUFFIX}\n"),
    };
    let mut networks: Vec<String> = account.networks.iter().map(|(address, length)| format!("{address}/{length}")).collect();
    networks.dedup();
    networks.iter().for_each(|network| {
        let _ = writeln!(ldif, "accountNetwork: {network}");
    });
    if let Some(changed) = account.said.changed {
        let _ = writeln!(ldif, "pwdChangedTime: {}", Timestamp(changed).to_generalized_time());
    }
    if account.has_token {
        let _ =
            write!(ldif, "objectClass: oathTOTPUser\nobjectClass: oathTOTPToken\noathTOTPToken: {dn}\noathSecret: {SECRET}\n");
    }
    ldif.push('\n');
}

fn write_rule(ldif: &mut String, number: usize, rule: &Rule, accounts: &[Account]) {
    let effect = match rule.effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
        Effect::Require => "require-factor",
    };
    let _ = write!(ldif, "dn: cn=rule{number},ou=binds,ou=policies,{SUFFIX}\nobjectClass: bindRule\nbindEffect: {effect}\n");
    let kind = rule.kind.map(|kind| match kind {
        Kind::Person => "person",
        Kind::Service => "service",
        Kind::BreakGlass => "breakglass",
    });
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(ldif, "{name}: {value}");
        }
    };
    line("bindAccountKind", kind.map(str::to_owned));
    line("bindGroup", rule.ward.then(|| format!("cn=ward,{SUFFIX}")));
    line("bindApplication", rule.account.map(|account| accounts[account].dn.clone()));
    line("bindNetwork", rule.network.map(|(address, length)| format!("{address}/{length}")));
    line("bindListener", rule.listener.map(str::to_owned));
    line("bindTlsMinimum", rule.tls.map(str::to_owned));
    line("ruleNotAfter", rule.not_after.map(|end| Timestamp(end).to_generalized_time()));
    ldif.push('\n');
}
