//! Finds the definitions in a file, with their lines: LDIF (`attributeTypes: (…)`, folded lines, `olcAttributeTypes: {3}(…)`) and
//! OpenLDAP's `.schema` files (`attributetype (…)`, `objectidentifier` macros).

use base64::Engine;

use super::SchemaError;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DefinitionKind {
    AttributeType,
    ObjectClass,
    ContentRule,
    NameForm,
    StructureRule,
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
    pub(super) definitions: Vec<Definition>,
    /// `objectidentifier` macros: name and what it stands for.
    macros: Vec<(String, String)>,
}

impl Source {
    pub(super) fn read(file: &str, text: &str) -> Result<Source, SchemaError> {
        let mut source = Source::default();
        let mut lines = text.lines().zip(1_u64..).peekable();
        while let Some((first, line)) = lines.next() {
            if first.trim().is_empty() || first == "-" {
                continue;
            }
            let (keyword, ldif) = keyword(first);
            let mut logical = first.to_owned();
            while let Some((more, _)) =
                lines.next_if(|(more, _)| more.starts_with([' ', '\t']) || (!ldif && more.starts_with(')')))
            {
                if ldif {
                    logical.push_str(more.get(1..).unwrap_or_default());
                } else {
                    logical.push('\n');
                    logical.push_str(more);
                }
            }
            if !first.starts_with('#') {
                let rest = logical.get(keyword.len()..).unwrap_or_default();
                let error = |problem| SchemaError { file: file.to_owned(), line, problem };
                source.line(keyword, rest, line).map_err(error)?;
            }
        }
        Ok(source)
    }

    fn line(&mut self, keyword: &str, rest: &str, line: u64) -> Result<(), String> {
        let value = value(rest)?;
        let text = without_position(value.trim()).to_owned();
        let kind = match keyword.to_ascii_lowercase().as_str() {
            "attributetypes" | "attributetype" | "olcattributetypes" => DefinitionKind::AttributeType,
            "objectclasses" | "olcobjectclasses" => DefinitionKind::ObjectClass,
            // `objectClass: top` is an LDIF entry's class, `objectclass ( 1.2.3 …` a definition.
            "objectclass" if text.starts_with('(') => DefinitionKind::ObjectClass,
            "ditcontentrules" | "ditcontentrule" | "olcditcontentrules" => DefinitionKind::ContentRule,
            "nameforms" | "nameform" | "olcnameforms" => DefinitionKind::NameForm,
            "ditstructurerules" | "ditstructurerule" | "olcditstructurerules" => DefinitionKind::StructureRule,
            "objectidentifier" | "olcobjectidentifier" => return self.macro_line(&text),
            _ if text.starts_with('(') => {
                return Err(format!(
                    "'{keyword}' is not read from files; attributeTypes, objectClasses, dITContentRules, nameForms and dITStructureRules are"
                ));
            }
            _ if rest.starts_with(':') => return Ok(()),
            _ => return Err(format!("'{keyword}' is unknown; write attributeTypes: ( … ) or objectClasses: ( … )")),
        };
        self.definitions.push(Definition { kind, line, text });
        Ok(())
    }

    fn macro_line(&mut self, text: &str) -> Result<(), String> {
        let mut words = text.split_whitespace();
        let (Some(name), Some(oid), None) = (words.next(), words.next(), words.next()) else {
            return Err("objectidentifier takes a name and an object identifier".to_owned());
        };
        let oid = self.expand(oid);
        self.macros.push((name.to_owned(), oid));
        Ok(())
    }

    /// Replaces a macro (`name` or `name:1.2`) by what it stands for; anything else stays.
    pub(super) fn expand(&self, text: &str) -> String {
        let (name, suffix) = text.split_once(':').map_or((text, None), |(name, suffix)| (name, Some(suffix)));
        match (self.macros.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)), suffix) {
            (Some((_, oid)), Some(suffix)) => format!("{oid}.{suffix}"),
            (Some((_, oid)), None) => oid.clone(),
            (None, _) => text.to_owned(),
        }
    }
}

/// The word a line starts with, and whether the line is LDIF (a colon follows the word).
fn keyword(line: &str) -> (&str, bool) {
    let end = line.find([':', ' ', '\t', '(']).unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    (keyword, rest.starts_with(':') || line.starts_with('#'))
}

/// What stands behind the keyword: `: text`, `:: base64` or just text.
fn value(rest: &str) -> Result<String, String> {
    if let Some(encoded) = rest.strip_prefix("::") {
        let octets = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok();
        return octets
            .and_then(|octets| String::from_utf8(octets).ok())
            .ok_or_else(|| "the base64 behind :: is damaged or not UTF-8".to_owned());
    }
    Ok(rest.strip_prefix(':').unwrap_or(rest).to_owned())
}

/// Drops the `{12}` that cn=config puts before ordered values.
fn without_position(text: &str) -> &str {
    let position = text.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    match position {
        Some((digits, rest)) if digits.bytes().all(|octet| octet.is_ascii_digit()) => rest.trim_start(),
        _ => text,
    }
}
