//! What a login costs and finds beside the password itself: those before it, and other forms of its letters.

use super::*;

const CHEAP: Argon2Parameters = Argon2Parameters { memory: 64, passes: 2, lanes: 1 };
/// Of `correct horse`, by another program.
const DIGEST: &str = "{SSHA}vWdMPe9Sp9nLGim/Sg3LCZlSNddOYUNsTmFDbA==";
const FOREIGN: &str = "{ARGON2}$argon2i$v=19$m=64,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$Z/f5HXchJUreVezozHfqmhnWE1tO5F47olNKb8N1VHE";
const DECOMPOSED: &str = "Mu\u{308}llers Ku\u{308}he";
const COMPOSED: &str = "Müllers Kühe";

fn secret(text: &str) -> Secret {
    Secret::from(text.as_bytes())
}

fn hash(hasher: &mut Hasher, given: &str, salt: u8, beside: &[&Secret]) -> Secret {
    let beside = beside.iter().copied().cloned().collect();
    match hasher.perform(&HashJob::Hash { given: secret(given), salt: [salt; 16], beside }, [0; 16]) {
        HashAnswer::Hashed(value) => value,
        other => panic!("{other:?}"),
    }
}

/// `None`: one of those before; and how many runs it cost.
fn log_in(hasher: &mut Hasher, stored: &[&Secret], before: &[&Secret], given: &str) -> (Option<HashAnswer>, u64) {
    let owned = |values: &[&Secret]| values.iter().copied().cloned().collect();
    let runs = hasher.runs();
    let answer = hasher.perform(&HashJob::Verify { stored: owned(stored), before: owned(before), given: secret(given) }, [9; 16]);
    let answer = if matches!(answer, HashAnswer::Previous) { None } else { Some(answer) };
    (answer, hasher.runs() - runs)
}

fn matched(answer: Option<HashAnswer>) -> Option<Secret> {
    match answer {
        Some(HashAnswer::Verified { matched, .. }) => matched,
        other => panic!("{other:?}"),
    }
}

fn rehashed(answer: Option<HashAnswer>) -> Option<Secret> {
    match answer {
        Some(HashAnswer::Verified { matched: Some(_), rehashed }) => rehashed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn passwords_of_one_account_share_a_salt_and_a_run() {
    let mut hasher = Hasher::new(CHEAP);
    let first = hash(&mut hasher, "the first", 1, &[]);
    let second = hash(&mut hasher, "the second", 2, &[&first]);
    let third = hash(&mut hasher, "the third", 3, &[&second]);
    let before = [&first, &second];
    for (given, is_before) in [("the first", true), ("the second", true), ("the fourth", false), ("", false)] {
        let (answer, runs) = log_in(&mut hasher, &[&third], &before, given);
        assert_eq!((answer.is_none(), runs), (is_before, 1), "{given}");
    }
    let (answer, runs) = log_in(&mut hasher, &[&third], &before, "the third");
    assert_eq!((matched(answer), runs), (Some(third.clone()), 1));
    // Those with a salt of their own are not found, and cost nothing.
    let own = hash(&mut hasher, "the second", 2, &[]);
    let (answer, runs) = log_in(&mut hasher, &[&third], &[&own, &secret(DIGEST)], "the second");
    assert_eq!((matched(answer), runs), (None, 1));
    // Nor is there anything to find where the account has no password.
    let (answer, runs) = log_in(&mut hasher, &[], &before, "the second");
    assert_eq!((matched(answer), runs), (None, 1));
    // A history is one run, however long.
    let runs = hasher.runs();
    hasher.perform(&HashJob::Find { among: vec![third, second, first], given: secret("none of them") }, [0; 16]);
    assert_eq!(hasher.runs() - runs, 1);
}

#[test]
fn a_value_is_never_made_twice_and_a_salt_of_other_costs_is_not_taken() {
    let mut hasher = Hasher::new(CHEAP);
    let first = hash(&mut hasher, "the same", 1, &[]);
    let again = hash(&mut hasher, "the same", 2, &[&first]);
    assert_ne!(first, again, "it is seen to have been set");
    assert_eq!(again, hash(&mut hasher, "the same", 2, &[]));
    for other in [secret(FOREIGN), secret(DIGEST), hash(&mut Hasher::new(Argon2Parameters { memory: 72, ..CHEAP }), "x", 1, &[])]
    {
        assert_eq!(hash(&mut hasher, "the same", 2, &[&other]), again);
    }
}

#[test]
fn letters_composed_in_another_way_are_the_same_password() {
    let mut hasher = Hasher::new(CHEAP);
    let stored = hash(&mut hasher, DECOMPOSED, 1, &[]);
    assert_eq!(stored, hash(&mut hasher, COMPOSED, 1, &[]));
    for given in [COMPOSED, DECOMPOSED] {
        let (answer, _) = log_in(&mut hasher, &[&stored], &[], given);
        assert_eq!(rehashed(answer), None, "{given}");
    }
    let present = hash(&mut hasher, "another", 2, &[&stored]);
    let (answer, _) = log_in(&mut hasher, &[&present], &[&stored], DECOMPOSED);
    assert!(answer.is_none(), "those before, too");
}

#[test]
fn what_was_hashed_as_it_came_goes_on_working_and_is_made_anew() {
    let mut hasher = Hasher::new(CHEAP);
    let raw = |parameters| {
        let mut memory = super::argon2::Memory::default();
        Secret::new(super::argon2::make(&mut memory, parameters, DECOMPOSED.as_bytes(), &[1; 16]).unwrap())
    };
    let (answer, runs) = log_in(&mut hasher, &[&raw(CHEAP)], &[], DECOMPOSED);
    let anew = rehashed(answer).unwrap();
    assert_eq!((&anew, runs), (&hash(&mut hasher, COMPOSED, 1, &[]), 2));
    let (answer, _) = log_in(&mut hasher, &[&raw(CHEAP)], &[], COMPOSED);
    assert_eq!(matched(answer), None, "the hash is not of these octets");
    // Weaker ones, digests and clear text are made anew of the normalized form, too.
    for old in [raw(Argon2Parameters { memory: 32, ..CHEAP }), secret(DECOMPOSED)] {
        let (answer, _) = log_in(&mut hasher, &[&old], &[], DECOMPOSED);
        let anew = rehashed(answer).unwrap();
        assert_eq!(anew, hash(&mut hasher, COMPOSED, 9, &[]));
    }
}

#[test]
fn another_form_costs_two_runs_whatever_is_stored() {
    let mut hasher = Hasher::new(CHEAP);
    let (right, wrong) = (hash(&mut hasher, COMPOSED, 1, &[]), hash(&mut hasher, "another", 1, &[]));
    let (clear, digest) = (secret(COMPOSED), secret(DIGEST));
    let kinds: [&[&Secret]; 6] = [&[], &[&right], &[&wrong], &[&clear], &[&digest], &[&right, &digest]];
    for (kind, stored) in kinds.into_iter().enumerate() {
        for before in [&[][..], &[&right, &wrong]] {
            assert_eq!(log_in(&mut hasher, stored, before, DECOMPOSED).1, if kind == 5 { 3 } else { 2 }, "{kind}");
            assert_eq!(log_in(&mut hasher, stored, before, COMPOSED).1, if kind == 5 { 2 } else { 1 }, "{kind}");
        }
    }
    // No text: as it came.
    let octets = Secret::from(&b"u\xcc\x88\xff"[..]);
    let HashAnswer::Hashed(value) =
        hasher.perform(&HashJob::Hash { given: octets.clone(), salt: [1; 16], beside: vec![] }, [0; 16])
    else {
        panic!()
    };
    let runs = hasher.runs();
    let answer = hasher.perform(&HashJob::verify(vec![value.clone()], octets), [0; 16]);
    assert_eq!((matched(Some(answer)), hasher.runs() - runs), (Some(value), 1));
}
