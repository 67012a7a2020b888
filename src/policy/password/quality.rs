//! What of a new password can only be told while it is there in clear: its length, and whether it is one that others would try.

use unicode_normalization::UnicodeNormalization;

use super::blocklist::{Blocklist, folded, is_listed};

/// Characters of its own that a password has beside the words of its place.
const FEWEST_OWN: usize = 8;
/// Letters up to which a password is looked up without what is put between and behind them: `P-assword2026!!!!`.
const LONGEST_CORE: usize = 11;
/// A password of sequences has at least so many characters in each of them.
const SEQUENCE: usize = 4;
/// Characters up to which a part that is repeated is no password by itself.
const LONGEST_REPEATED: usize = 7;
/// Octets of a password that is looked at; a longer one is found by no guessing.
const LONGEST_GUESSED: usize = 1024;
/// Words that are looked for at least have so many characters.
const SHORTEST_WORD: usize = 3;

/// Neighbours on keyboards, beside neighbours in the alphabet.
const KEYBOARD_ROWS: [&str; 7] = ["1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiopü", "yxcvbnm", "azertyuiop"];

/// What was told of a password. It is kept instead of the password until the change is decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quality {
    /// Characters (Unicode scalar values) after normalization; octets where it is no text.
    pub characters: u32,
    /// It is common, breached, repeats itself, runs along the keyboard or is made of words of its place.
    pub predictable: bool,
}

/// What passwords are held against.
#[derive(Clone, Debug, Default)]
pub struct Surroundings<'a> {
    /// The organisation's own list, beside the one that comes with the program.
    pub blocklist: Option<&'a Blocklist>,
    /// What is known of the person and the place: names, user name, organisation; each may be several words.
    pub texts: Vec<String>,
}

impl Quality {
    /// Looks at a password in clear. Its cost is bounded by the length of the password and of the texts.
    pub fn of(password: &[u8], surroundings: &Surroundings<'_>) -> Quality {
        let text = std::str::from_utf8(password);
        let characters = text.map_or(password.len(), |text| text.nfkc().count());
        if password.len() > LONGEST_GUESSED {
            return Quality { characters: u32::try_from(characters).unwrap_or(u32::MAX), predictable: false };
        }
        let listed = || is_listed(surroundings.blocklist, password);
        let guessable = |text: &str| {
            let text = folded(text);
            is_listed_core(surroundings.blocklist, &text)
                || is_repetition(&text)
                || is_sequences(&text)
                || is_of_words(&text, &surroundings.texts)
        };
        Quality { characters: u32::try_from(characters).unwrap_or(u32::MAX), predictable: listed() || text.is_ok_and(guessable) }
    }
}

/// A short word that is listed, with digits and signs around it.
fn is_listed_core(blocklist: Option<&Blocklist>, text: &str) -> bool {
    let letters: String = text.chars().filter(|character| character.is_alphabetic()).take(LONGEST_CORE + 1).collect();
    let count = letters.chars().count();
    (SHORTEST_WORD..=LONGEST_CORE).contains(&count) && is_listed(blocklist, letters.as_bytes())
}

/// The same few characters again and again.
fn is_repetition(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    let repeats = |period: usize| characters.iter().skip(period).eq(characters.iter().take(characters.len() - period));
    (1..=LONGEST_REPEATED.min(characters.len() / 2)).any(repeats)
}

/// Runs of one character, along the alphabet or a keyboard, and little else.
fn is_sequences(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    let steps = characters.iter().zip(characters.iter().skip(1)).map(|(one, next)| step(*one, *next));
    let (mut runs, mut last) = (1, None);
    for step in steps {
        let goes_on = step.is_some() && (last.is_none() || step == last);
        runs += usize::from(!goes_on);
        last = if goes_on { step } else { None };
    }
    characters.len() >= SEQUENCE && runs * SEQUENCE <= characters.len()
}

/// Which way one character leads to the next: 0 the same, 1 forward, −1 back; none: they are no neighbours.
fn step(one: char, next: char) -> Option<i32> {
    let distance = i64::from(u32::from(next)) - i64::from(u32::from(one));
    if let Ok(distance @ -1..=1) = i32::try_from(distance) {
        return Some(distance);
    }
    KEYBOARD_ROWS.iter().find_map(|row| {
        let place = |wanted: char| row.chars().position(|character| character == wanted);
        match (place(one)?, place(next)?) {
            (one, next) if next == one + 1 => Some(1),
            (one, next) if one == next + 1 => Some(-1),
            _ => None,
        }
    })
}

/// Words of the person and the place, and hardly anything else.
fn is_of_words(text: &str, texts: &[String]) -> bool {
    let texts = texts.iter().map(|text| folded(text));
    let mut words: Vec<String> = texts
        .flat_map(|text| text.split(|character: char| !character.is_alphanumeric()).map(str::to_owned).collect::<Vec<_>>())
        .filter(|word| word.chars().count() >= SHORTEST_WORD)
        .collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.dedup();
    let mut rest = text.to_owned();
    for word in words {
        rest = rest.replace(&word, " ");
    }
    rest.len() < text.len() && rest.chars().filter(|character| !character.is_whitespace()).count() < FEWEST_OWN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(password: &str) -> Quality {
        let texts = ["anna", "Anna Müller-Moreau", "a.moreau", "Mercy Hospital"].map(str::to_owned).to_vec();
        Quality::of(password.as_bytes(), &Surroundings { blocklist: None, texts })
    }

    #[test]
    fn characters_are_counted_as_a_person_counts_them() {
        assert_eq!(of("Ünal").characters, 4);
        // The same, the dots being a character of their own; a ligature and a full-width letter.
        assert_eq!(of("U\u{308}nal").characters, 4);
        assert_eq!(of("\u{fb01}x\u{ff21}").characters, 4);
        assert_eq!(of("🏥 ok").characters, 4);
        assert_eq!(Quality::of(b"\xff\xfe\xfd", &Surroundings::default()).characters, 3);
    }

    #[test]
    fn what_others_would_try() {
        for tried in [
            "PASSWORD",
            "P-assword2026!!!!",
            "qwerty 2026 2026",
            "aaaaaaaaaaaaaaaa",
            "abcabcabcabcabc",
            "12341234123412341",
            "1234567890123456",
            "qwertyuiopasdfgh",
            "abcdefghijklmnop",
            "9876543210zyxwvu",
            "aaaabbbbccccdddd",
            "annamoreau2026",
            "Mercy-Hospital-7",
            "MüllerMoreauAnna",
            "moreau.anna!!!!1",
        ] {
            assert!(of(tried).predictable, "{tried}");
        }
    }

    #[test]
    fn what_others_would_not() {
        for own in [
            "correct horse battery staple",
            "anna likes seven rivers",
            "the mercy of quiet nights",
            "kitchen-lamp-forty",
            "vier grüne Ziegen im Heu",
            "x8#kQz!mW2@rTn5",
            "fifteen charact",
        ] {
            assert!(!of(own).predictable, "{own}");
        }
        assert!(!of("").predictable);
    }
}
