//! Reads DIT content rules, name forms and DIT structure rules in the text form of RFC 4512 sections 4.1.6 and 4.1.7.
//!
//! ```text
//! DITContentRuleDescription = "(" numericoid [NAME qdescrs] [DESC qdstring] [OBSOLETE] [AUX oids] [MUST oids] [MAY oids]
//!     [NOT oids] *(X-… qdstrings) ")"
//! NameFormDescription = "(" numericoid [NAME qdescrs] [DESC qdstring] [OBSOLETE] OC oid MUST oids [MAY oids] *(X-… qdstrings) ")"
//! DITStructureRuleDescription = "(" ruleid [NAME qdescrs] [DESC qdstring] [OBSOLETE] FORM oid [SUP ruleids] *(X-… qdstrings) ")"
//! ```

use super::text::Reader;

/// A DIT content rule as it was written, nothing looked up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ContentRuleText {
    pub(super) oid: String,
    pub(super) names: Vec<String>,
    pub(super) description: Option<String>,
    pub(super) obsolete: bool,
    pub(super) auxiliaries: Vec<String>,
    pub(super) must: Vec<String>,
    pub(super) may: Vec<String>,
    pub(super) not: Vec<String>,
    pub(super) extensions: Vec<(String, Vec<String>)>,
}

/// A name form as it was written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct NameFormText {
    pub(super) oid: String,
    pub(super) names: Vec<String>,
    pub(super) description: Option<String>,
    pub(super) obsolete: bool,
    pub(super) class: String,
    pub(super) must: Vec<String>,
    pub(super) may: Vec<String>,
    pub(super) extensions: Vec<(String, Vec<String>)>,
}

/// A DIT structure rule as it was written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct StructureRuleText {
    pub(super) number: u32,
    pub(super) names: Vec<String>,
    pub(super) description: Option<String>,
    pub(super) obsolete: bool,
    pub(super) form: String,
    pub(super) superiors: Vec<u32>,
    pub(super) extensions: Vec<(String, Vec<String>)>,
}

pub(super) fn content_rule(text: &str) -> Result<ContentRuleText, String> {
    let mut reader = Reader::new(text)?;
    let mut result = ContentRuleText { oid: reader.start()?, ..Default::default() };
    while let Some(keyword) = reader.keyword()? {
        match keyword.as_str() {
            "NAME" => result.names = reader.names()?,
            "DESC" => result.description = reader.description()?,
            "OBSOLETE" => result.obsolete = true,
            "AUX" => result.auxiliaries = reader.list()?,
            "MUST" => result.must = reader.list()?,
            "MAY" => result.may = reader.list()?,
            "NOT" => result.not = reader.list()?,
            _ => reader.extension(keyword, &mut result.extensions)?,
        }
    }
    Ok(result)
}

pub(super) fn name_form(text: &str) -> Result<NameFormText, String> {
    let mut reader = Reader::new(text)?;
    let mut result = NameFormText { oid: reader.start()?, ..Default::default() };
    while let Some(keyword) = reader.keyword()? {
        match keyword.as_str() {
            "NAME" => result.names = reader.names()?,
            "DESC" => result.description = reader.description()?,
            "OBSOLETE" => result.obsolete = true,
            "OC" => result.class = reader.one_identifier()?,
            "MUST" => result.must = reader.list()?,
            "MAY" => result.may = reader.list()?,
            _ => reader.extension(keyword, &mut result.extensions)?,
        }
    }
    match (result.class.is_empty(), result.must.is_empty()) {
        (true, _) => Err("OC is missing; name the structural class that the form is for".to_owned()),
        (_, true) => Err("MUST is missing; name the attribute types that the RDN is made of".to_owned()),
        _ => Ok(result),
    }
}

pub(super) fn structure_rule(text: &str) -> Result<StructureRuleText, String> {
    let mut reader = Reader::new(text)?;
    let mut result = StructureRuleText { number: number(&reader.start()?)?, ..Default::default() };
    while let Some(keyword) = reader.keyword()? {
        match keyword.as_str() {
            "NAME" => result.names = reader.names()?,
            "DESC" => result.description = reader.description()?,
            "OBSOLETE" => result.obsolete = true,
            "FORM" => result.form = reader.one_identifier()?,
            "SUP" => result.superiors = reader.list()?.iter().map(|text| number(text)).collect::<Result<_, _>>()?,
            _ => reader.extension(keyword, &mut result.extensions)?,
        }
    }
    if result.form.is_empty() {
        return Err("FORM is missing; name the name form that the rule is for".to_owned());
    }
    Ok(result)
}

fn number(text: &str) -> Result<u32, String> {
    let digits = text.bytes().all(|octet| octet.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.ok_or_else(|| format!("'{text}' is no rule number; write digits, 0 to {}", u32::MAX))
}
