//! One-time codes: by counter (HOTP, RFC 4226) and by time (TOTP, RFC 6238), and where in a password they stand.

use totp_rs::{Builder, Totp};

use crate::model::{Secret, Timestamp};

/// Octets of a new secret: the 160 bits that RFC 4226 section 4 recommends.
pub const SECRET_LENGTH: usize = 20;

const MICROS_PER_SECOND: i64 = 1_000_000;
/// Seconds of a time step, at most.
const LONGEST_PERIOD: u64 = 3600;
/// Time steps before and after the present one that are tried, at most.
const WIDEST_WINDOW: u64 = 10;
/// Time steps that a token's clock may be off for its codes to be found.
const FARTHEST_DRIFT: i8 = 10;
/// Counters that may be skipped, at most.
const FARTHEST_LOOK_AHEAD: u64 = 100;

/// What generates a person's codes, as far as the server knows it. The default is what authenticator apps take for granted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parameters {
    /// oathOTPLength: 6 to 8.
    pub digits: u8,
    /// oathHMACAlgorithm
    pub algorithm: Algorithm,
    /// What the code depends on.
    pub moving: Moving,
}

/// What a code depends on beside the secret (RFC 4226: the moving factor).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moving {
    /// The time since 1970.
    Time {
        /// oathTOTPTimeStepPeriod: seconds.
        period: u64,
        /// oathTOTPTimeStepWindow: steps before and after the present one.
        window: u64,
    },
    /// How many codes were made.
    Counter {
        /// oathHOTPLookAhead: codes that may be skipped.
        look_ahead: u64,
    },
}

/// oathHMACAlgorithm
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    /// 1.2.840.113549.2.7
    Sha1,
    /// 1.2.840.113549.2.9
    Sha256,
    /// 1.2.840.113549.2.11
    Sha512,
}

impl Algorithm {
    /// The one with this object identifier.
    pub fn from_oid(oid: &[u8]) -> Option<Algorithm> {
        match oid {
            b"1.2.840.113549.2.7" => Some(Algorithm::Sha1),
            b"1.2.840.113549.2.9" => Some(Algorithm::Sha256),
            b"1.2.840.113549.2.11" => Some(Algorithm::Sha512),
            _ => None,
        }
    }
}

impl Moving {
    /// RFC 6238's time steps: 30 s, and one before and after.
    pub const TIME: Moving = Moving::Time { period: 30, window: 1 };
}

impl Default for Parameters {
    fn default() -> Parameters {
        Parameters { digits: 6, algorithm: Algorithm::Sha1, moving: Moving::TIME }
    }
}

/// A token that codes can be checked against.
pub struct Token {
    generator: Totp,
    digits: u8,
    moving: Moving,
    drift: i8,
}

impl Token {
    /// None where the parameters or the secret are none that codes are made with.
    pub fn new(secret: &Secret, parameters: &Parameters) -> Option<Token> {
        let sound = match parameters.moving {
            Moving::Time { period, window } => (1..=LONGEST_PERIOD).contains(&period) && window <= WIDEST_WINDOW,
            Moving::Counter { look_ahead } => look_ahead <= FARTHEST_LOOK_AHEAD,
        };
        if !sound || !(6..=8).contains(&parameters.digits) || secret.is_empty() {
            return None;
        }
        let algorithm = match parameters.algorithm {
            Algorithm::Sha1 => totp_rs::Algorithm::SHA1,
            Algorithm::Sha256 => totp_rs::Algorithm::SHA256,
            Algorithm::Sha512 => totp_rs::Algorithm::SHA512,
        };
        // With steps of one second the moment is the counter. Steps are counted here, so that each is taken once.
        let generator = Builder::new()
            .with_algorithm(algorithm)
            .with_digits(parameters.digits)
            .with_skew(0)
            .with_step_duration(1)
            .with_secret(totp_rs::Secret::new(secret.expose().into()))
            .build_noncompliant();
        Some(Token { generator, digits: parameters.digits, moving: parameters.moving, drift: 0 })
    }

    /// One whose clock was seen to be off by so many time steps (ahead of ours, behind where negative): its codes are looked for there too.
    pub fn drifting(self, drift: i64) -> Token {
        let farthest = i64::from(FARTHEST_DRIFT);
        Token { drift: i8::try_from(drift.clamp(-farthest, farthest)).unwrap_or_default(), ..self }
    }

    /// How far off the token's clock is, by a code of this time step that came now: it is followed from one login to the next, each at most a
    /// window further, and never beyond a bound. 0 for codes by counter.
    pub fn drift_of(&self, step: u64, now: Timestamp) -> i8 {
        let Moving::Time { period, .. } = self.moving else { return 0 };
        let off =
            present_step(now, period).and_then(|present| i64::try_from(step).ok()?.checked_sub(i64::try_from(present).ok()?));
        off.and_then(|off| i8::try_from(off).ok()).unwrap_or_default().clamp(-FARTHEST_DRIFT, FARTHEST_DRIFT)
    }

    /// Digits of a code.
    pub fn digits(&self) -> usize {
        usize::from(self.digits)
    }

    /// The time step or counter that a code is of, if it is one that may be taken now: none is taken twice, nor one from before the last.
    /// All that may be are tried, whichever fits.
    pub fn step_of(&self, code: &Secret, last: Option<u64>, now: Timestamp) -> Option<u64> {
        let code = std::str::from_utf8(code.expose()).ok()?;
        let steps: Vec<u64> = match self.moving {
            Moving::Time { period, window } => {
                let present = present_step(now, period)?;
                let around = |step: u64| step.saturating_sub(window)..=step.saturating_add(window);
                let drifted = around(present.saturating_add_signed(self.drift.into()));
                // A clock that was put right is found too.
                around(present).chain(drifted.filter(|step| !around(present).contains(step))).collect()
            }
            Moving::Counter { look_ahead } => {
                let next = last.map_or(Some(0), |last| last.checked_add(1))?;
                (next..=next.saturating_add(look_ahead)).collect()
            }
        };
        let fits = |step: &u64| self.generator.check(code, *step).is_some();
        let fitting: Vec<u64> = steps.into_iter().filter(fits).collect();
        fitting.into_iter().find(|step| last.is_none_or(|last| *step > last))
    }

    /// Whether a code is one that was taken already, or one from before it: what a client sends again, and no guess. Of a counter those just
    /// before the last are looked at, as many as may be skipped.
    pub fn was_taken(&self, code: &Secret, last: Option<u64>, now: Timestamp) -> bool {
        let Some(last) = last else { return false };
        match self.moving {
            Moving::Time { .. } => self.step_of(code, None, now).is_some_and(|step| step <= last),
            Moving::Counter { look_ahead } => {
                let Ok(code) = std::str::from_utf8(code.expose()) else { return false };
                let mut before = last.saturating_sub(look_ahead)..=last;
                before.any(|counter| self.generator.check(code, counter).is_some())
            }
        }
    }

    /// A code that would be taken now: of the present time step or the one behind it, or of the next counter.
    pub(crate) fn code_for(&self, last: Option<u64>, now: Timestamp) -> Option<Secret> {
        let first = match self.moving {
            Moving::Time { period, .. } => u64::try_from(now.0.div_euclid(MICROS_PER_SECOND)).ok()?.checked_div(period)?,
            Moving::Counter { .. } => last.map_or(Some(0), |last| last.checked_add(1))?,
        };
        let mut codes =
            (first..=first.saturating_add(1)).map(|step| Secret::new(self.generator.generate(step).to_string().into_bytes()));
        codes.find(|code| self.step_of(code, last, now).is_some())
    }

    /// The code of a time step or counter.
    #[cfg(test)]
    pub(crate) fn code(&self, step: u64) -> String {
        self.generator.generate(step).to_string()
    }
}

/// The time step of a moment.
fn present_step(now: Timestamp, period: u64) -> Option<u64> {
    u64::try_from(now.0.div_euclid(MICROS_PER_SECOND)).ok()?.checked_div(period)
}

/// Parts a password from the code behind it: the last octets, which must be digits. None: there is no code, or nothing in front of it.
pub fn split(given: &Secret, digits: usize) -> Option<(Secret, Secret)> {
    let (password, code) = given.expose().split_at_checked(given.len().checked_sub(digits)?)?;
    let is_code = !password.is_empty() && code.iter().all(u8::is_ascii_digit);
    is_code.then(|| (Secret::from(password), Secret::from(code)))
}

/// `otpauth://totp/ISSUER:ACCOUNT?secret=…`, as authenticator apps read it from a QR code. A secret: whoever has it makes codes.
pub fn enrolment_uri(secret: &Secret, issuer: &str, account: &str, digits: u8, period: u64) -> Secret {
    let (issuer, account) = (escape(issuer), escape(account));
    let secret = base32(secret);
    let text = format!(
        "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={digits}&period={period}"
    );
    Secret::new(text.into_bytes())
}

/// A secret as authenticator apps take it by hand (RFC 4648 section 6).
pub fn base32(secret: &Secret) -> String {
    totp_rs::Secret::new(secret.expose().into()).to_base32()
}

/// RFC 3986 section 2.1: all but unreserved characters.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(octet)),
            _ => escaped.push_str(&format!("%{octet:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::from(text.as_bytes())
    }

    fn token(text: &str, digits: u8, algorithm: Algorithm, moving: Moving) -> Token {
        Token::new(&secret(text), &Parameters { digits, algorithm, moving }).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * MICROS_PER_SECOND)
    }

    #[test]
    fn codes_by_counter_are_those_of_rfc_4226_appendix_d() {
        let codes = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        let token = token("12345678901234567890", 6, Algorithm::Sha1, Moving::Counter { look_ahead: 3 });
        for (counter, code) in codes.into_iter().enumerate() {
            let counter = counter as u64;
            assert_eq!(token.code(counter), code);
            assert_eq!(token.step_of(&secret(code), counter.checked_sub(1), at(0)), Some(counter));
            assert_eq!(token.step_of(&secret(code), Some(counter), at(0)), None, "taken");
        }
        assert_eq!(token.step_of(&secret("162583"), Some(3), at(0)), Some(7), "three may be skipped");
        assert_eq!(token.step_of(&secret("399871"), Some(3), at(0)), None, "four may not");
        assert_eq!(token.step_of(&secret("755224"), Some(u64::MAX), at(0)), None);
    }

    #[test]
    fn codes_by_time_are_those_of_rfc_6238_appendix_b() {
        let times = [59, 1_111_111_109, 1_111_111_111, 1_234_567_890, 2_000_000_000, 20_000_000_000];
        let keys = [
            (Algorithm::Sha1, "12345678901234567890", ["94287082", "07081804", "14050471", "89005924", "69279037", "65353130"]),
            (
                Algorithm::Sha256,
                "12345678901234567890123456789012",
                ["46119246", "68084774", "67062674", "91819424", "90698825", "77737706"],
            ),
            (
                Algorithm::Sha512,
                "1234567890123456789012345678901234567890123456789012345678901234",
                ["90693936", "25091201", "99943326", "93441116", "38618901", "47863826"],
            ),
        ];
        for (algorithm, key, codes) in keys {
            let token = token(key, 8, algorithm, Moving::TIME);
            for (time, code) in times.into_iter().zip(codes) {
                assert_eq!(token.step_of(&secret(code), None, at(time)), Some(time as u64 / 30), "{algorithm:?} {time}");
            }
        }
    }

    #[test]
    fn one_step_before_and_after_counts_to_the_microsecond_and_each_once() {
        let token = token("12345678901234567890", 6, Algorithm::Sha1, Moving::TIME);
        let code = secret(&token.code(100));
        let (first, end) = (at(99 * 30), at(102 * 30));
        assert_eq!(token.step_of(&code, None, Timestamp(first.0 - 1)), None);
        assert_eq!(token.step_of(&code, None, first), Some(100));
        assert_eq!(token.step_of(&code, None, Timestamp(end.0 - 1)), Some(100));
        assert_eq!(token.step_of(&code, None, end), None);
        assert_eq!(token.step_of(&code, Some(99), at(3000)), Some(100));
        assert_eq!(token.step_of(&code, Some(100), at(3000)), None, "taken");
        assert_eq!(token.step_of(&code, Some(101), at(3000)), None, "a later one was taken");
        assert_eq!(token.step_of(&code, None, Timestamp(-1)), None);
        assert_eq!(token.step_of(&secret("+12345"), None, at(3000)), None);
    }

    #[test]
    fn a_clock_that_is_off_is_followed_step_by_step_and_not_beyond_the_bound() {
        let at_drift = |drift| token("12345678901234567890", 6, Algorithm::Sha1, Moving::TIME).drifting(drift);
        let code = |step| secret(&at_drift(0).code(step));
        let now = at(100 * 30);
        for (drift, found) in [(0, 99..=101), (1, 99..=102), (-2, 97..=101), (10, 99..=111), (99, 99..=111), (-99, 89..=101)] {
            let token = at_drift(drift);
            let steps: Vec<u64> = (80..=120).filter(|step| token.step_of(&code(*step), None, now) == Some(*step)).collect();
            let near = |step: u64, to: i64| (step as i64 - 100 - to.clamp(-10, 10)).abs() <= 1;
            let expected: Vec<u64> = found.filter(|step| near(*step, 0) || near(*step, drift)).collect();
            assert_eq!(steps, expected, "{drift}");
        }
        assert_eq!(at_drift(-2).step_of(&code(98), Some(98), now), None, "taken");
        assert_eq!((at_drift(3).drift_of(104, now), at_drift(0).drift_of(99, now), at_drift(0).drift_of(100, now)), (4, -1, 0));
        assert_eq!((at_drift(10).drift_of(111, now), at_drift(-10).drift_of(89, now)), (10, -10));
        let by_counter = token("12345678901234567890", 6, Algorithm::Sha1, Moving::Counter { look_ahead: 3 });
        assert_eq!(by_counter.drift_of(7, now), 0);
    }

    #[test]
    fn a_code_that_was_taken_is_known_as_such() {
        let now = Timestamp(59 * MICROS_PER_SECOND);
        let parameters = Parameters { moving: Moving::Counter { look_ahead: 3 }, ..Parameters::default() };
        let token = Token::new(&secret("12345678901234567890"), &parameters).unwrap();
        let code = |counter| secret(&token.code(counter));
        let was_taken = |counter, last| token.was_taken(&code(counter), last, now);
        assert!(was_taken(40, Some(40)) && was_taken(37, Some(40)));
        assert!(!was_taken(36, Some(40)) && !was_taken(41, Some(40)) && !was_taken(0, None));
        let by_time = Token::new(&secret("12345678901234567890"), &Parameters::default()).unwrap();
        let by_time = |step, last| by_time.was_taken(&secret(&by_time.code(step)), last, now);
        assert!(by_time(1, Some(1)) && by_time(0, Some(1)) && !by_time(2, Some(1)) && !by_time(9, Some(9)));
    }

    #[test]
    fn what_makes_no_codes_is_no_token() {
        let with = |change: fn(&mut Parameters)| {
            let mut parameters = Parameters::default();
            change(&mut parameters);
            Token::new(&secret("12345678901234567890"), &parameters).is_some()
        };
        assert!(with(|_| {}));
        assert!(!with(|it| it.digits = 5) && !with(|it| it.digits = 9));
        assert!(!with(|it| it.moving = Moving::Time { period: 0, window: 1 }));
        assert!(!with(|it| it.moving = Moving::Time { period: 30, window: 11 }));
        assert!(!with(|it| it.moving = Moving::Counter { look_ahead: 101 }));
        assert!(Token::new(&secret(""), &Parameters::default()).is_none());
    }

    #[test]
    fn the_last_octets_are_the_code_or_there_is_none() {
        let parts = |text: &str| split(&secret(text), 6);
        assert_eq!(parts("password123456"), Some((secret("password"), secret("123456"))));
        assert_eq!(parts("123456789012"), Some((secret("123456"), secret("789012"))), "never two readings");
        for without in ["password", "password12345x", "password12345", "123456", "", "passw\u{661}23456"] {
            assert_eq!(parts(without), None, "{without}");
        }
    }

    #[test]
    fn the_uri_is_one_that_apps_read() {
        let uri = enrolment_uri(&secret("12345678901234567890"), "St. Mary's", "anna@ward 3", 6, 30);
        let text = std::str::from_utf8(uri.expose()).unwrap();
        assert_eq!(
            text,
            "otpauth://totp/St.%20Mary%27s:anna%40ward%203?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=St.%20Mary%27s\
             &algorithm=SHA1&digits=6&period=30"
        );
    }
}
