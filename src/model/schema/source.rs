//! Finds the definitions in a file, with their lines, as the products of the field write them:
//!
//! - LDIF: `attributeTypes: (…)` of `cn=schema` or `cn=Subschema` entries, `olcAttributeTypes: {3}(…)` of OpenLDAP's `cn=config`, folded
//!   lines, base64. What else stands in the entries is passed over.
//! - OpenLDAP's `.schema` files: `attributetype (…)` over as many lines as it takes, comments and empty lines between them.
//!
//! `objectIdentifier` macros (`name 1.2.3`, `name other:4`) hold in their own file and in all that are loaded with it, wherever they stand.

use base64::Engine;

use super::SchemaError;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DefinitionKind {
    AttributeType,
    ObjectClass,
    ContentRule,
    NameForm,
    StructureRule,
    Syntax,
}

/// One definition's text.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) kind: DefinitionKind,
    /// Line it starts on, from 1.
    pub(super) line: u64,
    pub(super) text: String,
}

/// What a file holds.
#[derive(Default, Debug)]
pub(super) struct Source {
    pub(super) file: String,
    pub(super) definitions: Vec<Definition>,
    /// Lines that are no part of a schema.
    pub(super) problems: Vec<SchemaError>,
    /// `objectidentifier` macros: name and what it was said to stand for.
    macros: Vec<(String, String)>,
}

/// Macros that stand for macros are followed this far, so that a circle ends.
const DEEPEST_MACRO: usize = 16;

impl Source {
    pub(super) fn read(file: &str, text: &str) -> Source {
        let mut source = Source { file: file.to_owned(), ..Source::default() };
        let mut lines = text.strip_prefix('\u{FEFF}').unwrap_or(text).lines().zip(1_u64..).peekable();
        while let Some((first, line)) = lines.next() {
            if first.trim().is_empty() || first == "-" {
                continue;
            }
            let (keyword, ldif) = keyword(first);
            let logical = if ldif { unfold(first, &mut lines) } else { gather(first, &mut lines) };
            if !first.starts_with('#') {
                let rest = logical.get(keyword.len()..).unwrap_or_default();
                if let Err(problem) = source.line(keyword, ldif, rest, line) {
                    source.problems.push(SchemaError { file: file.to_owned(), line, problem });
                }
            }
        }
        source
    }

    /// Reads several files; each may use the macros of the others.
    pub(super) fn read_all(files: &[(&str, &str)]) -> Vec<Source> {
        let mut sources: Vec<Source> = files.iter().map(|(file, text)| Source::read(file, text)).collect();
        let all: Vec<(String, String)> = sources.iter().flat_map(|source| source.macros.iter().cloned()).collect();
        if sources.len() > 1 && !all.is_empty() {
            sources.iter_mut().for_each(|source| source.macros.extend_from_slice(&all));
        }
        sources
    }

    fn line(&mut self, keyword: &str, ldif: bool, rest: &str, line: u64) -> Result<(), String> {
        let Some(kind) = kind_of(keyword) else {
            return match keyword.to_ascii_lowercase().as_str() {
                "objectidentifier" | "olcobjectidentifier" => self.macro_line(without_position(value(rest)?.trim())),
                // What the other server's rules are is its own business; ours are built in.
                "matchingrules" | "matchingruleuse" | "matchingrule" => Ok(()),
                _ if ldif => Ok(()),
                _ => Err(format!(
                    "'{keyword}' is unknown; write attributetype ( … ), objectclass ( … ) or objectidentifier NAME OID"
                )),
            };
        };
        let text = without_position(value(rest)?.trim()).to_owned();
        // `objectClass: top` is an LDIF entry's class, `objectclass ( 1.2.3 …` a definition.
        if keyword.eq_ignore_ascii_case("objectclass") && ldif && !text.starts_with('(') {
            return Ok(());
        }
        self.definitions.push(Definition { kind, line, text });
        Ok(())
    }

    fn macro_line(&mut self, text: &str) -> Result<(), String> {
        let mut words = text.split_whitespace();
        let (Some(name), Some(oid), None) = (words.next(), words.next(), words.next()) else {
            return Err("objectidentifier takes a name and an object identifier".to_owned());
        };
        self.macros.push((name.to_owned(), oid.to_owned()));
        Ok(())
    }

    /// Whether this was read from a file, and not asked for over LDAP.
    pub(super) fn is_file(&self) -> bool {
        !self.file.is_empty()
    }

    /// Replaces a macro (`name` or `name:1.2`) by what it stands for; anything else stays.
    pub(super) fn expand(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..DEEPEST_MACRO {
            let (name, suffix) = text.split_once(':').map_or((text.as_str(), None), |(name, suffix)| (name, Some(suffix)));
            text = match (self.macros.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)), suffix) {
                (Some((_, oid)), Some(suffix)) => format!("{oid}.{suffix}"),
                (Some((_, oid)), None) => oid.clone(),
                (None, _) => break,
            };
        }
        text
    }
}

fn kind_of(keyword: &str) -> Option<DefinitionKind> {
    Some(match keyword.to_ascii_lowercase().as_str() {
        "attributetypes" | "attributetype" | "olcattributetypes" => DefinitionKind::AttributeType,
        "objectclasses" | "objectclass" | "olcobjectclasses" => DefinitionKind::ObjectClass,
        "ditcontentrules" | "ditcontentrule" | "olcditcontentrules" => DefinitionKind::ContentRule,
        "nameforms" | "nameform" | "olcnameforms" => DefinitionKind::NameForm,
        "ditstructurerules" | "ditstructurerule" | "olcditstructurerules" => DefinitionKind::StructureRule,
        "ldapsyntaxes" | "ldapsyntax" | "olcldapsyntaxes" => DefinitionKind::Syntax,
        _ => return None,
    })
}

/// The word a line starts with, and whether the line is LDIF (a colon follows the word).
fn keyword(line: &str) -> (&str, bool) {
    let end = line.find([':', ' ', '\t', '(']).unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    (keyword, rest.starts_with(':') || line.starts_with('#'))
}

type Lines<'a> = std::iter::Peekable<std::iter::Zip<std::str::Lines<'a>, std::ops::RangeFrom<u64>>>;

/// Lines of LDIF that continue go on after one space or tab.
fn unfold(first: &str, lines: &mut Lines<'_>) -> String {
    let mut logical = first.to_owned();
    while let Some((more, _)) = lines.next_if(|(more, _)| more.starts_with([' ', '\t'])) {
        logical.push_str(more.get(1..).unwrap_or_default());
    }
    logical
}

/// Lines of a `.schema` file: those that start with a space, and while a parenthesis is open all that do not start a definition of
/// their own. Comments and empty lines between them are left out.
fn gather(first: &str, lines: &mut Lines<'_>) -> String {
    let mut logical = first.to_owned();
    let mut open = Nesting::default();
    open.read(first);
    let goes_on = |line: &str, open: &Nesting| {
        let starts_another = || kind_of(keyword(line).0).is_some() || line.to_ascii_lowercase().starts_with("objectidentifier");
        line.starts_with([' ', '\t']) || (open.depth > 0 && !starts_another())
    };
    while let Some((more, _)) = lines.next_if(|(more, _)| goes_on(more, &open)) {
        if !open.quoted && more.trim_start().starts_with('#') {
            continue;
        }
        open.read(more);
        logical.push('\n');
        logical.push_str(more);
    }
    logical
}

/// Parentheses that are open, outside of quotes.
#[derive(Default)]
struct Nesting {
    depth: usize,
    quoted: bool,
}

impl Nesting {
    fn read(&mut self, line: &str) {
        let mut characters = line.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\'' if !self.quoted => self.quoted = true,
                '\'' => self.quoted = !closes_quote(characters.peek().copied()),
                '(' if !self.quoted => self.depth += 1,
                ')' if !self.quoted => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}

/// Whether a quote before this character ends the quoted text: in `'the user's name'` the second does not.
pub(super) fn closes_quote(next: Option<char>) -> bool {
    next.is_none_or(|next| next.is_whitespace() || matches!(next, ')' | '(' | '$' | '\''))
}

/// What stands behind the keyword: `: text`, `:: base64` or just text.
fn value(rest: &str) -> Result<String, String> {
    if let Some(encoded) = rest.strip_prefix("::") {
        let octets = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok();
        return octets
            .map(|octets| String::from_utf8(octets).unwrap_or_else(|error| latin_1(error.as_bytes())))
            .ok_or_else(|| "the base64 behind :: is damaged".to_owned());
    }
    Ok(rest.strip_prefix(':').unwrap_or(rest).to_owned())
}

/// Text of an older file that is no UTF-8.
pub(super) fn latin_1(octets: &[u8]) -> String {
    octets.iter().map(|&octet| char::from(octet)).collect()
}

/// Drops the `{12}` that cn=config puts before ordered values.
fn without_position(text: &str) -> &str {
    let position = text.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    match position {
        Some((digits, rest)) if digits.bytes().all(|octet| octet.is_ascii_digit()) => rest.trim_start(),
        _ => text,
    }
}
