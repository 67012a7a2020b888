//! Syntaxes that a file defines by another one: OpenLDAP's `ldapsyntax ( OID X-SUBST 'OID' )`, OpenDJ's X-ENUM and X-PATTERN.

use super::Syntax;
use super::source::Source;
use super::syntax::{self, DIRECTORY_STRING};
use super::text;

/// Syntaxes by what stands for them.
#[derive(Default)]
pub(super) struct Substitutes(Vec<Substitute>);

struct Substitute {
    oid: String,
    stands_for: &'static Syntax,
    /// RFC 4512 text.
    published: String,
}

impl Substitutes {
    /// Takes a definition in. One of a syntax that is built in says nothing new; one that names no substitute stays unknown, which whoever
    /// uses it is told. An enumeration or a pattern counts as a Directory String: which of them a value must be is not checked.
    pub(super) fn add(&mut self, definition: &str, source: &Source) -> Result<(), String> {
        let text = text::syntax(definition).map_err(|problem| format!("syntax {definition:.60}: {problem}"))?;
        let oid = source.expand(&text.oid);
        if syntax::find(&oid).is_some() || self.find(&oid).is_some() {
            return Ok(());
        }
        let extension = |name: &str| text.extensions.iter().find(|(known, _)| known == name);
        let stands_for = match extension("X-SUBST") {
            Some((_, values)) => {
                let other = source.expand(values.first().map_or("", String::as_str));
                let found = syntax::find(&other).or_else(|| self.find(&other));
                found
                    .ok_or_else(|| format!("syntax '{oid}': X-SUBST '{other}' is unknown; name one that `cn=Subschema` lists"))?
            }
            None if extension("X-ENUM").or(extension("X-PATTERN")).is_some() => {
                let Some(found) = syntax::find(DIRECTORY_STRING) else { return Ok(()) };
                found
            }
            None => return Ok(()),
        };
        let description = text.description.unwrap_or_default();
        let published = super::publish::substitute(&oid, &description, stands_for);
        self.0.push(Substitute { oid, stands_for, published });
        Ok(())
    }

    pub(super) fn find(&self, oid: &str) -> Option<&'static Syntax> {
        self.0.iter().find(|substitute| substitute.oid == oid).map(|substitute| substitute.stands_for)
    }

    pub(super) fn published(&self) -> impl Iterator<Item = &String> {
        self.0.iter().map(|substitute| &substitute.published)
    }
}
