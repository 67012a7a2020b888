//! Known vectors of every scheme, the number of Argon2 runs, and that nothing wrong ever matches.

use proptest::prelude::*;

use super::*;

const PASSWORD: &str = "correct horse";

/// Cheap: what is tested here does not depend on the cost.
const CHEAP: Argon2Parameters = Argon2Parameters { memory: 64, passes: 2, lanes: 1 };

/// Made with OpenSSL 3, Python's hashlib, passlib 1.7 (`ldap_pbkdf2_*`), argon2-cffi and libxcrypt's crypt(3), not with this program.
const OLD_VALUES: &[&str] = &[
    "{SSHA}vWdMPe9Sp9nLGim/Sg3LCZlSNddOYUNsTmFDbA==",
    "{SMD5}vVGfOv45Fi6TM3Eb/+zCDk5hQ2xOYUNs",
    "{SSHA256}Fff/E5ed1flUjgjMP17XgzWSWNIDaLGBCN2SI/nO0ipOYUNsTmFDbA==",
    "{SSHA384}ExWDv1mtw5f5KLz1iEOKCoUY50BpOJnAH4qm2VAmp29aOCZdaxgAT465QXmgqKpRTmFDbE5hQ2w=",
    "{SSHA512}wFYIkyhvQCxawVbO/OLWvMH4771ajncHfrYsIa6OomXEgSSA9vHWnDUMvls5VdTU/xbEUHCgCirh42h63kYXE05hQ2xOYUNs",
    "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=",
    "{MD5}PLTnMmMfR+brlh80VUt83g==",
    "{SHA256}QQTTb42iwlQ0n4WDZ5Pr4CngyVcGOjTJHC6SAxh7VjE=",
    "{SHA384}ArIKby67E2Cppg9M+QhXNj7UGcAisSFWfOX5HG45Zk+3j9YCNMSli1v8cUWumDKS",
    "{SHA512}VraY3v7bWkNbY0r+MyC7rz/c2SC2xQOkRvx7endrKY1HnRumqLYXgI6wv1ec6aldZoNHvKtxSQhayTyyeZUZew==",
    "{PBKDF2}1000$MDEyMzQ1Njc4OWFiY2RlZg$aUfE2vx5Q7zgbb0jx49AaNpXUQQ",
    "{PBKDF2-SHA1}1000$MDEyMzQ1Njc4OWFiY2RlZg$aUfE2vx5Q7zgbb0jx49AaNpXUQQ",
    "{PBKDF2-SHA256}1000$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M",
    "{PBKDF2-SHA512}1000$MDEyMzQ1Njc4OWFiY2RlZg$OM0FAoIqCVK1sWtxDiffVlBejtLa.ks4TP71JiecwuSZCG8iLbnlIEPOMoVX.i2B2wkSxjQ8CRGR9OkNGuIPMQ",
    "{CRYPT}$1$saltsalt$NuzA7WTAelpl95xgBGWN60",
    "{CRYPT}$5$saltstring$vc6YOOogU4kWVvwga8e9zTFgKcy4tb5LaPxIiPJzqEC",
    "{CRYPT}$5$rounds=1000$saltstring$95Bg/RfV2QriLpMdLPHK9el0Ighm6E3CBqMKzZKgCa2",
    "{CRYPT}$6$saltstring$.r0X7ub5wGR2v4Xz7svCIozfnlorFh19V89t8KC9Umd81uGhFgsyTRNyzQDXDIm17fFcR9z3z7oBNdsyYBbtm/",
    "{CRYPT}$6$rounds=1000$roundsaltstring$JdAxaqhA6//YPhTWJ.iADgUXqXJ.gPnCiVVKUGMFLlLZMPilaVJ84ZO0.KcX9Tz87W3rw9te0g.A6PbBopxoR.",
    "{CRYPT}$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    "{CRYPT}$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    "{CRYPT}$2a$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    "{BCRYPT}$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    "{CRYPT-SHA512}$6$saltstring$.r0X7ub5wGR2v4Xz7svCIozfnlorFh19V89t8KC9Umd81uGhFgsyTRNyzQDXDIm17fFcR9z3z7oBNdsyYBbtm/",
    "{PBKDF2_SHA256}AAAD6AABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj+GVx7+pnPQe0x0iNyJ+ZvgeljcV2GgQ00yAElTX/iZTbFrX7RQWrT6irgO/u20X531sWY/PhuSz9z52nZ/fpWmfd95YWiBSccQBc6+gq7y96qpjyGwe9qPX0npUTeSR406uBau1xK1if0WrDY3nBCDTzyfQF1ZNH0XMOopz9lQMrc+D2mp6DlEG/fExgBBOXh/Ta8AZRAm3dfnBXDXlgAC9YwjVB4yRwc2Fvq1V0R3alfGBdMKtZAa5q1hxvfIemgEqZsf+57T9I75sMObK98il2R/IKDaTVLxsVG8idq+nFJuS6QXHHDuDqP/QOwourAPpRMtDPVaFIuyihcY+y3J",
    "{CLEARTEXT}correct horse",
    "correct horse",
];

/// Argon2 values that a Hasher with [`CHEAP`] parameters would not write itself, from libargon2.
const FOREIGN_ARGON2: &[&str] = &[
    "{ARGON2}$argon2i$v=19$m=64,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$Z/f5HXchJUreVezozHfqmhnWE1tO5F47olNKb8N1VHE",
    "{ARGON2}$argon2d$v=19$m=64,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$lwOz6wWnJJGvwewjZaRSglnEU7t7d9JLaYkWoG1IrKs",
    "{ARGON2}$argon2id$v=16$m=64,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$mjeOBTstiC9XBIvUIQnlKklNv6HJw2Hs8O7qXdo8fcw",
];

/// Current for [`CHEAP`], from libargon2.
const CURRENT_ARGON2: &[&str] = &[
    "{ARGON2}$argon2id$v=19$m=64,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$5jdMIzWoFbzSOl6k3wai9uU3f8LD+HmGXQgo1uhHQPI",
    "{ARGON2}$argon2id$v=19$m=128,t=2,p=4$c2FsdHNhbHRzYWx0c2FsdA$lyWrUIfRiIghecPMDS0n0/ixRQmqdhBRzwCIjOFSkVU",
    "{argon2}$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$AdweBLwcflnNX2HVW8i1Mtu7frrn4Ki7h/rYSGuU7Is",
];

/// What matches nothing: damaged, truncated, unknown or too costly.
const UNUSABLE: &[&str] = &[
    "{SSHA}",
    "{SSHA}L55TUjtiq8FBorTWAZ0jy6g129A=",
    "{SHA}vWdMPe9Sp9nLGim/Sg3LCZlSNddOYUNsTmFDbA==",
    "{SHA}not base64!",
    "{MD5}PLTn",
    "{PBKDF2}1000$MDEyMzQ1Njc4OWFiY2RlZg$aUfE2vx5Q7zgbb0jx49AaNpX",
    "{PBKDF2}0$MDEyMzQ1Njc4OWFiY2RlZg$aUfE2vx5Q7zgbb0jx49AaNpXUQQ",
    "{PBKDF2}99999999999$MDEyMzQ1Njc4OWFiY2RlZg$aUfE2vx5Q7zgbb0jx49AaNpXUQQ",
    "{PBKDF2}4000000000$MDEyMzQ1Njc4OWFiY2RlZg$aUfE2vx5Q7zgbb0jx49AaNpXUQQ",
    "{PBKDF2}1000$MDEyMzQ1Njc4OWFiY2RlZg",
    "{PBKDF2}1000$$",
    "{PBKDF2_SHA256}AAAD6AABAgM=",
    "{CRYPT}",
    "{CRYPT}ab01FAX.bQRSU",
    "{CRYPT}$2x$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    "{CRYPT}$2b$31$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    "{CRYPT}$6$rounds=999999999$salt$JdAxaqhA6",
    "{CRYPT}$6$rounds=$salt$",
    "{CRYPT}$6$",
    "{CRYPT}$5$$",
    "{CRYPT}$1$$",
    "{ARGON2}",
    "{ARGON2}$argon2id$v=19$m=4294967295,t=4294967295,p=1$c2FsdHNhbHRzYWx0c2FsdA$5jdMIzWoFbzSOl6k3wai9uU3f8LD+HmGXQgo1uhHQPI",
    "{ARGON2}$argon2id$v=19$m=64,t=4294967295,p=1$c2FsdHNhbHRzYWx0c2FsdA$5jdMIzWoFbzSOl6k3wai9uU3f8LD+HmGXQgo1uhHQPI",
    "{ARGON2}$argon2id$v=19$m=64,t=2,p=4294967295$c2FsdHNhbHRzYWx0c2FsdA$5jdMIzWoFbzSOl6k3wai9uU3f8LD+HmGXQgo1uhHQPI",
    "{ARGON2}$argon2id$v=19$m=64,t=2,p=0$c2FsdHNhbHRzYWx0c2FsdA$5jdMIzWoFbzSOl6k3wai9uU3f8LD+HmGXQgo1uhHQPI",
    "{ARGON2}$argon2id$v=19$m=64,m=64,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$5jdMIzWoFbzSOl6k3wai9uU3f8LD+HmGXQgo1uhHQPI",
    "{ARGON2}$argon2id$v=19$m=64,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$5jdM",
    "{ARGON2}$argon2id$v=19$m=64,t=2,p=1$$",
    "{SASL}someone@REALM",
    "{NTLM}correct horse",
];

fn verify(hasher: &mut Hasher, stored: &[&str], given: &[u8]) -> (Option<Secret>, Option<Secret>) {
    let stored = stored.iter().map(|value| Secret::from(value.as_bytes())).collect();
    match hasher.perform(&HashJob::verify(stored, Secret::from(given)), *b"0123456789abcdef") {
        HashAnswer::Verified { matched, rehashed } => (matched, rehashed),
        other => panic!("{other:?}"),
    }
}

fn hash(hasher: &mut Hasher, given: &str) -> String {
    match hasher.perform(&HashJob::Hash { given: Secret::from(given.as_bytes()), salt: [7; 16], beside: Vec::new() }, [0; 16]) {
        HashAnswer::Hashed(value) => String::from_utf8(value.expose().to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn old_schemes_match_the_right_password_and_are_rewritten() {
    let mut hasher = Hasher::new(CHEAP);
    for value in OLD_VALUES.iter().chain(FOREIGN_ARGON2) {
        let (matched, rehashed) = verify(&mut hasher, &[value], PASSWORD.as_bytes());
        assert_eq!(matched, Some(Secret::from(value.as_bytes())), "{value}");
        let rewritten = rehashed.unwrap_or_else(|| panic!("{value}: not rewritten"));
        let rewritten = std::str::from_utf8(rewritten.expose()).unwrap();
        assert!(rewritten.starts_with("{ARGON2}$argon2id$v=19$m=64,t=2,p=1$"), "{rewritten}");
        let (matched, again) = verify(&mut hasher, &[rewritten], PASSWORD.as_bytes());
        assert!(matched.is_some() && again.is_none(), "{value}");
    }
}

#[test]
fn current_hashes_match_and_stay() {
    let mut hasher = Hasher::new(CHEAP);
    for value in CURRENT_ARGON2 {
        let (matched, rehashed) = verify(&mut hasher, &[value], PASSWORD.as_bytes());
        assert!(matched.is_some() && rehashed.is_none(), "{value}");
    }
    let weaker = CURRENT_ARGON2[0];
    let (matched, rehashed) = verify(&mut Hasher::new(Argon2Parameters { memory: 65, ..CHEAP }), &[weaker], PASSWORD.as_bytes());
    assert!(matched.is_some() && rehashed.is_some());
}

#[test]
fn near_misses_do_not_match() {
    let mut hasher = Hasher::new(CHEAP);
    for value in OLD_VALUES.iter().chain(FOREIGN_ARGON2).chain(CURRENT_ARGON2) {
        for wrong in ["", "correct hors", "correct horse ", "Correct horse", "correct horse\0", "correct\0horse", value] {
            if wrong != PASSWORD {
                assert_eq!(verify(&mut hasher, &[value], wrong.as_bytes()), (None, None), "{value}: {wrong}");
            }
        }
    }
}

#[test]
fn unusable_values_match_nothing() {
    let mut hasher = Hasher::new(CHEAP);
    for value in UNUSABLE {
        for given in [PASSWORD, "", value, "x"] {
            assert_eq!(verify(&mut hasher, &[value], given.as_bytes()), (None, None), "{value}: {given}");
        }
    }
    assert_eq!(verify(&mut hasher, &[""], b""), (None, None));
    assert_eq!(verify(&mut hasher, &["{CLEARTEXT}"], b""), (None, None));
}

#[test]
fn every_verification_costs_the_same_number_of_runs() {
    let mut hasher = Hasher::new(CHEAP);
    let mut runs_for = |stored: &[&str], given: &str| {
        let before = hasher.runs();
        verify(&mut hasher, stored, given.as_bytes());
        hasher.runs() - before
    };
    assert_eq!(runs_for(&[], PASSWORD), 1, "unknown account");
    for value in OLD_VALUES.iter().chain(CURRENT_ARGON2) {
        assert_eq!(runs_for(&[value], PASSWORD), 1, "right: {value}");
        assert_eq!(runs_for(&[value], "wrong"), 1, "wrong: {value}");
        assert_eq!(runs_for(&[value], ""), 1, "empty: {value}");
    }
    for value in UNUSABLE {
        assert_eq!(runs_for(&[value], PASSWORD), 1, "{value}");
    }
    for value in FOREIGN_ARGON2 {
        assert_eq!(runs_for(&[value], PASSWORD), 2, "right: {value}");
        assert_eq!(runs_for(&[value], "wrong"), 2, "wrong: {value}");
    }
    assert_eq!(runs_for(&[CURRENT_ARGON2[0]; 50], "wrong"), 1, "one salt");
    let many: Vec<String> = (10..60).map(|salt| CURRENT_ARGON2[0].replace("$c2Fsd", &format!("$c2F{salt}"))).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(runs_for(&many, "wrong"), 8, "bounded");
}

#[test]
fn one_of_several_values_matches() {
    let mut hasher = Hasher::new(CHEAP);
    let other = hash(&mut hasher, "another");
    let (matched, rehashed) = verify(&mut hasher, &["{SASL}x", &other, CURRENT_ARGON2[0]], PASSWORD.as_bytes());
    assert_eq!(matched, Some(Secret::from(CURRENT_ARGON2[0].as_bytes())));
    assert!(rehashed.is_none());
    let (matched, rehashed) = verify(&mut hasher, &[&other, OLD_VALUES[0]], PASSWORD.as_bytes());
    assert_eq!(matched, Some(Secret::from(OLD_VALUES[0].as_bytes())));
    assert!(rehashed.is_some());
}

#[test]
fn a_new_hash_is_what_other_programs_write() {
    let mut hasher = Hasher::new(Argon2Parameters::default());
    let expected = "{ARGON2}$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$AdweBLwcflnNX2HVW8i1Mtu7frrn4Ki7h/rYSGuU7Is";
    let job = HashJob::Hash { given: Secret::from(PASSWORD.as_bytes()), salt: *b"saltsaltsaltsalt", beside: Vec::new() };
    let HashAnswer::Hashed(value) = hasher.perform(&job, [0; 16]) else { panic!() };
    assert_eq!(value.expose(), expected.as_bytes());
}

#[test]
fn stored_forms_and_clear_text_are_told_apart() {
    for value in OLD_VALUES.iter().filter(|value| value.starts_with('{') && !value.starts_with("{CLEARTEXT}")) {
        assert!(is_stored_form(value.as_bytes()), "{value}");
        let lower_case = value.replace(value.split_inclusive('}').next().unwrap(), "");
        let scheme = value.split_inclusive('}').next().unwrap().to_ascii_lowercase();
        assert!(is_stored_form(format!("{scheme}{lower_case}").as_bytes()), "{value}");
    }
    for (value, text) in [
        ("secret", "secret"),
        ("", ""),
        ("{", "{"),
        ("{}x", "{}x"),
        ("{SSHA", "{SSHA"),
        ("{no scheme}x", "{no scheme}x"),
        ("{NTLM}x", "{NTLM}x"),
        ("{cleartext}x", "x"),
    ] {
        assert_eq!(clear_text(value.as_bytes()), Some(text.as_bytes()), "{value}");
        assert!(!is_stored_form(value.as_bytes()), "{value}");
    }
}

#[test]
fn a_huge_password_is_no_trouble() {
    let mut hasher = Hasher::new(CHEAP);
    let huge = vec![b'x'; 1 << 20];
    for value in OLD_VALUES {
        assert_eq!(verify(&mut hasher, &[value], &huge), (None, None), "{value}");
    }
}

#[test]
fn costs_beyond_reason_are_not_usable() {
    assert!(Argon2Parameters::default().is_usable() && CHEAP.is_usable());
    assert!(Argon2Parameters { memory: 65_536, passes: 3, lanes: 4 }.is_usable(), "RFC 9106's second profile");
    for (memory, passes, lanes) in [(0, 1, 1), (7, 1, 1), (64, 0, 1), (64, 1, 0), (64, 1, 9), (u32::MAX, 1, 1), (64, u32::MAX, 1)]
    {
        assert!(!Argon2Parameters { memory, passes, lanes }.is_usable(), "{memory} {passes} {lanes}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_wrong_password_never_verifies(right in "\\PC{1,40}", wrong in proptest::collection::vec(any::<u8>(), 0..40)) {
        let mut hasher = Hasher::new(Argon2Parameters { memory: 8, passes: 1, lanes: 1 });
        let value = hash(&mut hasher, &right);
        prop_assert!(verify(&mut hasher, &[&value], right.as_bytes()).0.is_some());
        prop_assume!(wrong != right.as_bytes());
        for stored in OLD_VALUES.iter().copied().filter(|value| !value.contains("{CRYPT}")).chain([value.as_str()]) {
            prop_assert_eq!(verify(&mut hasher, &[stored], &wrong), (None, None));
        }
    }

    #[test]
    fn any_stored_octets_are_read_without_panic(
        scheme in "\\{(ARGON2|SSHA|PBKDF2|CRYPT|SHA512|crypt|)\\}(\\$(argon2id|1|2b|5|6|)\\$)?",
        rest in "[a-z0-9$=,./+rounds]{0,80}",
        garbage in proptest::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut hasher = Hasher::new(Argon2Parameters { memory: 8, passes: 1, lanes: 1 });
        let mut value = format!("{scheme}{rest}").into_bytes();
        value.extend(garbage);
        let stored = vec![Secret::new(value)];
        let answer = hasher.perform(&HashJob::verify(stored, Secret::from(b"given".as_slice())), [0; 16]);
        let unmatched = matches!(answer, HashAnswer::Verified { matched: None, .. });
        prop_assert!(unmatched);
    }
}
