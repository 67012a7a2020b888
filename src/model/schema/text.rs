//! Reads one definition in the text form of RFC 4512 section 4.1.
//!
//! ```text
//! AttributeTypeDescription = "(" numericoid [NAME qdescrs] [DESC qdstring] [OBSOLETE] [SUP oid] [EQUALITY oid] [ORDERING oid]
//!     [SUBSTR oid] [SYNTAX noidlen] [SINGLE-VALUE] [COLLECTIVE] [NO-USER-MODIFICATION] [USAGE usage] *(X-… qdstrings) ")"
//! ObjectClassDescription = "(" numericoid [NAME qdescrs] [DESC qdstring] [OBSOLETE] [SUP oids]
//!     [ABSTRACT / STRUCTURAL / AUXILIARY] [MUST oids] [MAY oids] *(X-… qdstrings) ")"
//! ```
//! Read leniently, as files in the field need it: keywords in any order and case, spaces wherever or nowhere, quotes around names
//! and object identifiers or not.

use super::source::closes_quote;
use super::{AttributeUsage, ObjectClassKind};

/// X- extensions with their values, in order.
pub(super) type Extensions = Vec<(String, Vec<String>)>;

/// An attribute type as it was written, nothing looked up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct AttributeTypeText {
    pub(super) oid: String,
    pub(super) names: Vec<String>,
    pub(super) description: Option<String>,
    pub(super) obsolete: bool,
    pub(super) superior: Option<String>,
    pub(super) equality: Option<String>,
    pub(super) ordering: Option<String>,
    pub(super) substring: Option<String>,
    pub(super) syntax: Option<String>,
    pub(super) length_bound: Option<u32>,
    pub(super) single_value: bool,
    pub(super) collective: bool,
    pub(super) no_user_modification: bool,
    pub(super) usage: Option<AttributeUsage>,
    pub(super) extensions: Vec<(String, Vec<String>)>,
}

/// An object class as it was written, nothing looked up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ObjectClassText {
    pub(super) oid: String,
    pub(super) names: Vec<String>,
    pub(super) description: Option<String>,
    pub(super) obsolete: bool,
    pub(super) superiors: Vec<String>,
    pub(super) kind: Option<ObjectClassKind>,
    pub(super) must: Vec<String>,
    pub(super) may: Vec<String>,
    pub(super) extensions: Vec<(String, Vec<String>)>,
}

pub(super) fn attribute_type(text: &str) -> Result<AttributeTypeText, String> {
    let mut reader = Reader::new(text)?;
    let mut result = AttributeTypeText { oid: reader.start()?, ..Default::default() };
    while let Some(keyword) = reader.keyword()? {
        match keyword.as_str() {
            "NAME" => result.names = reader.names()?,
            "DESC" => result.description = reader.description()?,
            "OBSOLETE" => result.obsolete = true,
            "SUP" => result.superior = Some(reader.one_identifier()?),
            "EQUALITY" => result.equality = Some(reader.single()?),
            "ORDERING" => result.ordering = Some(reader.single()?),
            "SUBSTR" => result.substring = Some(reader.single()?),
            "SYNTAX" => {
                let (syntax, bound) = split_bound(&reader.syntax()?)?;
                result.syntax = Some(syntax);
                result.length_bound = bound;
            }
            "SINGLE-VALUE" => result.single_value = true,
            "COLLECTIVE" => result.collective = true,
            "NO-USER-MODIFICATION" => result.no_user_modification = true,
            "USAGE" => result.usage = Some(usage(&reader.single()?)?),
            _ => reader.extension(keyword, &mut result.extensions)?,
        }
    }
    Ok(result)
}

pub(super) fn object_class(text: &str) -> Result<ObjectClassText, String> {
    let mut reader = Reader::new(text)?;
    let mut result = ObjectClassText { oid: reader.start()?, ..Default::default() };
    while let Some(keyword) = reader.keyword()? {
        match keyword.as_str() {
            "NAME" => result.names = reader.names()?,
            "DESC" => result.description = reader.description()?,
            "OBSOLETE" => result.obsolete = true,
            "SUP" => result.superiors = reader.list()?,
            "ABSTRACT" => result.kind = Some(ObjectClassKind::Abstract),
            "STRUCTURAL" => result.kind = Some(ObjectClassKind::Structural),
            "AUXILIARY" => result.kind = Some(ObjectClassKind::Auxiliary),
            "MUST" => result.must = reader.list()?,
            "MAY" => result.may = reader.list()?,
            _ => reader.extension(keyword, &mut result.extensions)?,
        }
    }
    Ok(result)
}

/// A syntax as it was written.
pub(super) struct SyntaxText {
    pub(super) oid: String,
    pub(super) description: Option<String>,
    pub(super) extensions: Extensions,
}

/// `( 1.2.3 [NAME …] [DESC …] *(X-… qdstrings) )`; the name is OpenLDAP's and says nothing.
pub(super) fn syntax(text: &str) -> Result<SyntaxText, String> {
    let mut reader = Reader::new(text)?;
    let mut result = SyntaxText { oid: reader.start()?, description: None, extensions: Vec::new() };
    while let Some(keyword) = reader.keyword()? {
        match keyword.as_str() {
            "NAME" => _ = reader.names()?,
            "DESC" => result.description = reader.description()?,
            _ => reader.extension(keyword, &mut result.extensions)?,
        }
    }
    Ok(result)
}

/// The first component of any definition: its object identifier or rule number, or a quoted string. For the FirstComponent rules and
/// for syntaxes of definitions that are published only.
pub(super) fn first_component(text: &str) -> Result<String, String> {
    Reader::new(text)?.start()
}

/// Whether this is `1.2.3`: at least two numbers.
pub(super) fn is_numeric_oid(text: &str) -> bool {
    text.contains('.') && text.split('.').all(|arc| !arc.is_empty() && arc.bytes().all(|octet| octet.is_ascii_digit()))
}

/// Whether this is a short name (`descr`). The underscore is no RFC name, but products ship such names.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
}

/// Words that end a description without quotes.
fn is_keyword(word: &str) -> bool {
    const KEYWORDS: [&str; 22] = [
        "NAME",
        "DESC",
        "OBSOLETE",
        "SUP",
        "EQUALITY",
        "ORDERING",
        "SUBSTR",
        "SYNTAX",
        "SINGLE-VALUE",
        "COLLECTIVE",
        "NO-USER-MODIFICATION",
        "USAGE",
        "ABSTRACT",
        "STRUCTURAL",
        "AUXILIARY",
        "MUST",
        "MAY",
        "AUX",
        "NOT",
        "OC",
        "FORM",
        "APPLIES",
    ];
    KEYWORDS.contains(&word) || word.starts_with("X-")
}

fn usage(text: &str) -> Result<AttributeUsage, String> {
    match text.to_ascii_lowercase().as_str() {
        "userapplications" => Ok(AttributeUsage::UserApplications),
        "directoryoperation" => Ok(AttributeUsage::DirectoryOperation),
        "distributedoperation" => Ok(AttributeUsage::DistributedOperation),
        "dsaoperation" => Ok(AttributeUsage::DsaOperation),
        _ => Err(format!(
            "USAGE '{text}' is unknown; write userApplications, directoryOperation, distributedOperation or dSAOperation"
        )),
    }
}

/// `1.2.3{64}` → the identifier and 64.
fn split_bound(text: &str) -> Result<(String, Option<u32>), String> {
    let Some((oid, rest)) = text.split_once('{') else { return Ok((text.to_owned(), None)) };
    let bound = rest.strip_suffix('}').and_then(|digits| digits.parse().ok());
    bound.map_or_else(
        || Err(format!("SYNTAX '{text}' has a damaged length; write it as {oid}{{64}}")),
        |bound| Ok((oid.to_owned(), Some(bound))),
    )
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Open,
    Close,
    Dollar,
    Quoted(String),
    Word(String),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        match first {
            ' ' | '\t' | '\n' | '\r' => rest = after,
            '(' | ')' | '$' => {
                tokens.push(if first == '(' {
                    Token::Open
                } else if first == ')' {
                    Token::Close
                } else {
                    Token::Dollar
                });
                rest = after;
            }
            '\'' => {
                let closing = after.match_indices('\'').map(|(place, _)| place);
                let mut closing = closing.filter_map(|place| Some((after.get(..place)?, after.get(place + 1..)?)));
                let (quoted, behind) =
                    closing.find(|(_, behind)| closes_quote(behind.chars().next())).ok_or("a quote ' is not closed")?;
                tokens.push(Token::Quoted(on_one_line(unescape(quoted))));
                rest = behind;
            }
            _ => {
                let end = rest.find([' ', '\t', '\n', '\r', '(', ')', '$', '\'']).unwrap_or(rest.len());
                let (word, behind) = rest.split_at(end);
                tokens.push(Token::Word(word.to_owned()));
                rest = behind;
            }
        }
    }
    Ok(tokens)
}

/// Quoted text over several lines is what its author would have written on one.
fn on_one_line(text: String) -> String {
    if !text.contains(['\n', '\r']) {
        return text;
    }
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `\27` is a quote and `\5C` a backslash; any other backslash stands for itself.
fn unescape(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        result.push_str(before);
        let (character, length) = match after.get(..2) {
            Some("27") => ('\'', 2),
            Some("5C" | "5c") => ('\\', 2),
            _ => ('\\', 0),
        };
        result.push(character);
        rest = after.get(length..).unwrap_or_default();
    }
    result.push_str(rest);
    result
}

pub(super) struct Reader {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    seen: Vec<String>,
}

impl Reader {
    pub(super) fn new(text: &str) -> Result<Reader, String> {
        let mut tokens = tokens(text)?;
        if tokens.first() != Some(&Token::Open) {
            return Err("a definition starts with (".to_owned());
        }
        if tokens.len() < 2 || tokens.pop() != Some(Token::Close) {
            return Err("the closing ) is missing".to_owned());
        }
        tokens.remove(0);
        Ok(Reader { tokens: tokens.into_iter().peekable(), seen: Vec::new() })
    }

    pub(super) fn start(&mut self) -> Result<String, String> {
        match self.tokens.next() {
            Some(Token::Word(oid) | Token::Quoted(oid)) => Ok(oid),
            _ => Err("a definition starts with ( and its object identifier".to_owned()),
        }
    }

    /// The next keyword in upper case; each may come once.
    pub(super) fn keyword(&mut self) -> Result<Option<String>, String> {
        match self.tokens.next() {
            None => Ok(None),
            Some(Token::Word(word)) => {
                let keyword = word.to_ascii_uppercase();
                if self.seen.contains(&keyword) && !keyword.starts_with("X-") {
                    return Err(format!("{keyword} is given twice"));
                }
                self.seen.push(keyword.clone());
                Ok(Some(keyword))
            }
            Some(Token::Close) => Err("there is one ) too many".to_owned()),
            Some(other) => Err(format!("a keyword is expected before {}", shown(&other))),
        }
    }

    fn after(&self) -> &str {
        self.seen.last().map_or("", String::as_str)
    }

    /// One value, quoted or not.
    pub(super) fn single(&mut self) -> Result<String, String> {
        match self.tokens.next() {
            Some(Token::Word(value) | Token::Quoted(value)) => Ok(value),
            _ => Err(format!("{} needs a value", self.after())),
        }
    }

    /// Quoted text; without quotes, the words up to the next keyword. None where it is empty.
    pub(super) fn description(&mut self) -> Result<Option<String>, String> {
        if let Some(Token::Quoted(text)) = self.tokens.next_if(|token| matches!(token, Token::Quoted(_))) {
            return Ok(Some(text).filter(|text| !text.is_empty()));
        }
        let mut text = self.single()?;
        while let Some(Token::Word(word)) = self.tokens.next_if(|token| matches!(token, Token::Word(word) if !is_keyword(word))) {
            text.push(' ');
            text.push_str(&word);
        }
        Ok(Some(text))
    }

    /// A syntax and its length, `1.2.3{64}` or `1.2.3 {64}`.
    fn syntax(&mut self) -> Result<String, String> {
        let mut syntax = self.single()?;
        if let Some(Token::Word(bound)) = self.tokens.next_if(|token| matches!(token, Token::Word(word) if word.starts_with('{')))
        {
            syntax.push_str(&bound);
        }
        Ok(syntax)
    }

    /// One identifier, in parentheses or not.
    pub(super) fn one_identifier(&mut self) -> Result<String, String> {
        let mut list = self.list()?;
        match (list.pop(), list.is_empty()) {
            (Some(only), true) => Ok(only),
            _ => Err(format!("{} takes one name only", self.after())),
        }
    }

    /// `a` or `( a $ b )`.
    pub(super) fn list(&mut self) -> Result<Vec<String>, String> {
        if self.tokens.next_if_eq(&Token::Open).is_none() {
            return Ok(vec![self.single()?]);
        }
        let mut values = Vec::new();
        loop {
            match self.tokens.next() {
                Some(Token::Word(value) | Token::Quoted(value)) => values.push(value),
                Some(Token::Dollar) => {}
                Some(Token::Close) if !values.is_empty() => return Ok(values),
                _ => return Err(format!("the list behind {} is damaged; write ( one $ two )", self.after())),
            }
        }
    }

    pub(super) fn names(&mut self) -> Result<Vec<String>, String> {
        let names = self.list()?;
        match names.iter().find(|name| !is_name(name)) {
            Some(bad) => Err(format!("'{bad}' is no name; use letters, digits and hyphens, a letter first")),
            None => Ok(names),
        }
    }

    /// An extension; one that comes again adds its values.
    pub(super) fn extension(&mut self, keyword: String, extensions: &mut Extensions) -> Result<(), String> {
        if !keyword.starts_with("X-") {
            return Err(format!("keyword '{keyword}' is unknown here"));
        }
        let values = self.list()?;
        match extensions.iter_mut().find(|(known, _)| *known == keyword) {
            Some((_, known)) => known.extend(values),
            None => extensions.push((keyword, values)),
        }
        Ok(())
    }
}

fn shown(token: &Token) -> &str {
    match token {
        Token::Open => "(",
        Token::Close => ")",
        Token::Dollar => "$",
        Token::Quoted(text) | Token::Word(text) => text,
    }
}
