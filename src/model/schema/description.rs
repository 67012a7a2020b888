//! Attribute descriptions: a type and its options (RFC 4512 section 2.5; language tags and ranges RFC 3866; `;binary` RFC 4522).

use super::{AttributeType, AttributeTypeId, Schema, text};

/// An attribute description resolved against the schema.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttributeDescription {
    /// The type.
    pub attribute_type: AttributeTypeId,
    /// Canonical name and options as stored in entries: `cn;lang-en` (options lower case, sorted, each once).
    pub spelled: String,
    /// The options alone, lower case, sorted.
    pub options: Vec<String>,
}

/// Why a description cannot be resolved; the texts are BEHAVIOUR.md's (`zork: attribute type undefined`).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DescriptionError {
    /// No such attribute type.
    #[error("{0}: attribute type undefined")]
    Undefined(String),
    /// Not the grammar of RFC 4512 section 2.5.
    #[error("{0}: invalid attribute description")]
    Invalid(String),
    /// `cn;`
    #[error("{0}: zero length option is invalid")]
    EmptyOption(String),
    /// `cn;lang-en-`, which asks for several languages and stands for none.
    #[error("{0}: inappropriate use of tag range option")]
    Range(String),
    /// An option that is neither a language tag nor `binary` where it applies.
    #[error("{0}: unrecognized option")]
    UnrecognizedOption(String),
    /// `userCertificate` without `;binary`, or `;binary` where the syntax does not ask for it.
    #[error("{0}: requires ;binary transfer")]
    RequiresBinary(String),
    /// `cn;binary`
    #[error("{0}: option \"binary\" not supported with type")]
    BinaryNotSupported(String),
}

impl AttributeDescription {
    /// Whether a stored description of this type or a subtype carries every option asked for here (RFC 4512 section 2.5.2: more
    /// options make a subtype). An option `lang-en-` is a range: `lang-en` and `lang-en-us` are in it (RFC 3866 section 2.2).
    pub fn covers_options(&self, stored: &str) -> bool {
        self.options.iter().all(|asked| stored.split(';').skip(1).any(|option| option_covers(asked, option)))
    }
}

fn option_covers(asked: &str, option: &str) -> bool {
    match asked.strip_suffix('-') {
        Some(range) if asked.starts_with("lang-") => {
            let same = option.get(..range.len()).is_some_and(|start| start.eq_ignore_ascii_case(range));
            let rest = option.get(range.len()..).unwrap_or_default();
            same && (rest.is_empty() || rest.starts_with('-')) && option.len() > "lang-".len()
        }
        _ => asked.eq_ignore_ascii_case(option),
    }
}

impl Schema {
    /// Resolves a description for use in a filter or a request (options allowed even where no value can carry them).
    pub fn describe(&self, description: &str) -> Result<AttributeDescription, DescriptionError> {
        let mut parts = description.split(';');
        let base = parts.next().unwrap_or_default();
        let Some(definition) = self.attribute_type(base) else {
            let well_formed = text::is_name(base) || text::is_numeric_oid(base);
            let error = if well_formed { DescriptionError::Undefined } else { DescriptionError::Invalid };
            return Err(error(description.to_owned()));
        };
        let mut options = Vec::new();
        for option in parts {
            if option.is_empty() {
                return Err(DescriptionError::EmptyOption(description.to_owned()));
            }
            if !option.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-') {
                return Err(DescriptionError::Invalid(description.to_owned()));
            }
            options.push(option.to_ascii_lowercase());
        }
        options.sort_unstable();
        options.dedup();
        let mut spelled = definition.name().to_owned();
        for option in &options {
            spelled.push(';');
            spelled.push_str(option);
        }
        Ok(AttributeDescription { attribute_type: definition.id, spelled, options })
    }

    /// Resolves a description that something is asserted of, in a filter or a compare: an option that no value of the type could have makes it
    /// one that is not recognized (RFC 4512 section 2.5.2), which is not the same as one that no value has.
    pub fn describe_for_assertion(&self, description: &str) -> Result<AttributeDescription, DescriptionError> {
        let resolved = self.describe(description)?;
        let definition = self.attribute_type_by_id(resolved.attribute_type);
        let is_known = |option: &String| match option.as_str() {
            "binary" => accepts_binary(definition),
            NESTED => definition.name() == "memberOf",
            option => is_language_tag(option) || is_language_range(option),
        };
        match resolved.options.iter().all(is_known) {
            true => Ok(resolved),
            false => Err(DescriptionError::UnrecognizedOption(description.to_owned())),
        }
    }

    /// Resolves a description under which values are to be stored: BEHAVIOUR.md "DNs and attribute options" refusals apply.
    pub fn describe_for_storage(&self, description: &str) -> Result<AttributeDescription, DescriptionError> {
        let resolved = self.describe(description)?;
        let definition = self.attribute_type_by_id(resolved.attribute_type);
        for option in &resolved.options {
            if option == "binary" {
                if !accepts_binary(definition) {
                    return Err(DescriptionError::BinaryNotSupported(description.to_owned()));
                }
            } else if is_language_range(option) {
                return Err(DescriptionError::Range(description.to_owned()));
            } else if !is_language_tag(option) {
                return Err(DescriptionError::UnrecognizedOption(description.to_owned()));
            }
        }
        if definition.syntax.requires_binary && !resolved.options.iter().any(|option| option == "binary") {
            return Err(DescriptionError::RequiresBinary(description.to_owned()));
        }
        Ok(resolved)
    }
}

/// The obsolete Binary syntax goes both ways: RFC 2798 asks for `userPKCS12;binary`, clients send it without.
fn accepts_binary(definition: &AttributeType) -> bool {
    definition.syntax.requires_binary || definition.syntax.oid == super::syntax::BINARY
}

/// Groups at any depth, asked of memberOf.
const NESTED: &str = "x-nested";

/// `lang-` and a tag: letters and digits in parts, hyphens between them (RFC 3866 section 2). RFC 3066 lets no part be longer than eight;
/// other servers do not look, so their values are taken.
fn is_language_tag(option: &str) -> bool {
    let Some(tag) = option.strip_prefix("lang-") else { return false };
    tag.split('-').all(|part| !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_alphanumeric()))
}

/// `lang-`, `lang-en-`: every language, or every one that begins so (RFC 3866 section 4).
fn is_language_range(option: &str) -> bool {
    option == "lang-" || option.strip_suffix('-').is_some_and(is_language_tag)
}
