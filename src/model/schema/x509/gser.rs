//! Reads values in the string encoding of RFC 3641 (GSER), as assertions on certificates are written.
//!
//! ```text
//! value    = "{" [ item *( "," item ) ] "}" / word [ ":" value ] / DQUOTE text DQUOTE / "'" digits "'" ( "H" / "B" )
//! item     = word value / value
//! ```
//! with spaces anywhere between. `""` inside of quotes is one quote.

/// Values nested deeper are refused, so that no assertion can exhaust the stack.
const DEEPEST: usize = 8;
/// Most items in one pair of braces.
const MOST_ITEMS: usize = 64;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Gser {
    /// A number, an object identifier, a name of a choice without a value.
    Word(String),
    Text(String),
    Octets(Vec<u8>),
    Bits(Vec<bool>),
    /// `rdnSequence:"…"`
    Choice(String, Box<Gser>),
    /// `{ a 1, b 2 }`: names as spelled; `{ a, b }`: values without names.
    Braces(Vec<(Option<String>, Gser)>),
}

impl Gser {
    pub(super) fn read(text: &[u8]) -> Option<Gser> {
        let mut reader = Reader { rest: std::str::from_utf8(text).ok()? };
        let value = reader.value(0)?;
        reader.skip_spaces();
        reader.rest.is_empty().then_some(value)
    }

    /// The named items of a pair of braces; none where there is an item without a name or one twice.
    pub(super) fn fields(self) -> Option<Vec<(String, Gser)>> {
        let Gser::Braces(items) = self else { return None };
        let mut fields: Vec<(String, Gser)> = Vec::with_capacity(items.len());
        for (name, value) in items {
            let name = name?.to_ascii_lowercase();
            if fields.iter().any(|(other, _)| *other == name) {
                return None;
            }
            fields.push((name, value));
        }
        Some(fields)
    }

    /// Takes a choice apart, or leaves a bare value: `utcTime:"…"` and `"…"`.
    pub(super) fn chosen(self) -> (Option<String>, Gser) {
        match self {
            Gser::Choice(name, value) => (Some(name.to_ascii_lowercase()), *value),
            bare => (None, bare),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<Gser> {
        if depth >= DEEPEST {
            return None;
        }
        self.skip_spaces();
        if self.take('{') {
            return self.braces(depth);
        }
        if self.take('"') {
            return self.text();
        }
        if self.take('\'') {
            return self.digits();
        }
        let word = self.word()?;
        self.skip_spaces();
        match self.take(':') {
            true => Some(Gser::Choice(word, Box::new(self.value(depth + 1)?))),
            false => Some(Gser::Word(word)),
        }
    }

    fn braces(&mut self, depth: usize) -> Option<Gser> {
        let mut items = Vec::new();
        self.skip_spaces();
        if self.take('}') {
            return Some(Gser::Braces(items));
        }
        loop {
            let first = self.value(depth + 1)?;
            self.skip_spaces();
            items.push(match first {
                Gser::Word(name) if !self.rest.starts_with([',', '}']) => (Some(name), self.value(depth + 1)?),
                value => (None, value),
            });
            self.skip_spaces();
            if self.take('}') {
                return Some(Gser::Braces(items));
            }
            if !self.take(',') || items.len() >= MOST_ITEMS {
                return None;
            }
        }
    }

    fn text(&mut self) -> Option<Gser> {
        let mut text = String::new();
        loop {
            let (before, behind) = self.rest.split_once('"')?;
            text.push_str(before);
            self.rest = behind;
            if !self.take('"') {
                return Some(Gser::Text(text));
            }
            text.push('"');
        }
    }

    fn digits(&mut self) -> Option<Gser> {
        let (digits, behind) = self.rest.split_once('\'')?;
        self.rest = behind;
        if self.take('B') || self.take('b') {
            let bit = |digit| match digit {
                '0' => Some(false),
                '1' => Some(true),
                _ => None,
            };
            return digits.chars().map(bit).collect::<Option<_>>().map(Gser::Bits);
        }
        if !(self.take('H') || self.take('h')) || digits.len() % 2 != 0 {
            return None;
        }
        let digits = digits.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect::<Option<Vec<u8>>>()?;
        let (pairs, _) = digits.as_chunks::<2>();
        Some(Gser::Octets(pairs.iter().map(|[high, low]| high << 4 | low).collect()))
    }

    fn word(&mut self) -> Option<String> {
        let is_end = |character: char| !character.is_ascii_alphanumeric() && !matches!(character, '-' | '.');
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        let (word, behind) = self.rest.split_at(end);
        self.rest = behind;
        (!word.is_empty()).then(|| word.to_owned())
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn take(&mut self, character: char) -> bool {
        match self.rest.strip_prefix(character) {
            Some(behind) => {
                self.rest = behind;
                true
            }
            None => false,
        }
    }
}
