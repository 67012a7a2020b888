//! ACIs of 389 Directory Server as access rules. Both are without order, a denial wins, and what nobody allows is refused; so each permission of
//! an ACI becomes a rule of its own, or none.
//!
//! ```text
//! aci ::= *( "(" keyword ( "=" | "!=" ) value ")" ) "(" "version 3.0" ";" "acl" name ";" 1*( ( "allow" | "deny" ) "(" rights ")" bind-rule ";" ) ")"
//! ```
//!
//! Where the two cannot be told to be the same a rule that allows is for less, and one that denies for more.

use super::bind_rule::{self, Alternative, plain_name};
use super::{Rule, lines};
use crate::model::schema::Schema;

/// What is made of some files.
pub(super) struct Translation<'a> {
    schema: &'a Schema,
    /// Values there were.
    pub(super) read: usize,
    pub(super) rules: Vec<Rule>,
    /// What is no rule, with file, line, number and reason.
    pub(super) problems: Vec<String>,
    /// What is a rule, and a little else.
    pub(super) notes: Vec<String>,
    /// A denial is among the problems.
    pub(super) lost_denial: bool,
}

/// What an ACI is about.
struct Target {
    name: String,
    scope: &'static str,
    filter: Option<String>,
    /// None: it does not say; then nothing about attributes is allowed by it.
    attributes: Option<(bool, Vec<String>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Allow,
    Deny,
}

/// A part of an ACI that is no rule: whether it might deny something.
struct Problem {
    text: String,
    denies: bool,
}

impl<'a> Translation<'a> {
    pub(super) fn new(schema: &'a Schema) -> Translation<'a> {
        let (rules, problems, notes) = (Vec::new(), Vec::new(), Vec::new());
        Translation { schema, read: 0, rules, problems, notes, lost_denial: false }
    }

    /// Takes a file in.
    pub(super) fn read(&mut self, file: &str, text: &str) {
        for (number, value) in lines::values(text).into_iter().enumerate() {
            self.read += 1;
            let place = format!("{file}:{}: aci {} of {}", value.line, number.saturating_add(1), value.bearer);
            self.value(&place, &value);
        }
    }

    fn value(&mut self, place: &str, value: &lines::Value) {
        let mut scanner = Scanner { rest: &value.text };
        let target = target(&mut scanner, &value.bearer);
        let target = target.and_then(|target| head(&mut scanner).map(|name| (target, name)));
        let (target, name) = match target {
            Ok(found) => found,
            // What comes after it is not known: it might deny.
            Err(text) => return self.problem(place, Problem { text, denies: value.text.to_ascii_lowercase().contains("deny") }),
        };
        let place = format!("{place} ({name:?})");
        while !scanner.take(')') {
            let effect = if scanner.word_if("allow") {
                Effect::Allow
            } else if scanner.word_if("deny") {
                Effect::Deny
            } else {
                let denies = scanner.rest.to_ascii_lowercase().contains("deny");
                return self.problem(&place, Problem { text: "allow or deny is expected".to_owned(), denies });
            };
            match permission(&mut scanner) {
                Ok((rights, alternatives)) => self.permission(&place, &name, effect, &rights, &alternatives, &target),
                Err(text) => {
                    // What comes after it is not known.
                    let denies = effect == Effect::Deny || scanner.rest.to_ascii_lowercase().contains("deny");
                    return self.problem(&place, Problem { text, denies });
                }
            }
        }
    }

    fn problem(&mut self, place: &str, problem: Problem) {
        self.lost_denial |= problem.denies;
        self.problems.push(format!("{place}: {}", problem.text));
    }

    fn permission(
        &mut self,
        place: &str,
        name: &str,
        effect: Effect,
        rights: &[String],
        alternatives: &[Alternative],
        target: &Target,
    ) {
        let denies = effect == Effect::Deny;
        let related = alternatives.iter().flat_map(|it| &it.subjects).any(|it| matches!(it.as_str(), "manager" | "owner"));
        let (mut of_attributes, mut of_entries) = (Vec::new(), Vec::new());
        for right in rights {
            match right.as_str() {
                "read" | "search" | "compare" => of_attributes.push(right.as_str()),
                "write" => of_attributes.extend(["add-value", "delete-value", "replace"]),
                "add" if related && !denies => {
                    let text = "add: there, who a new entry names is not asked for by userattr".to_owned();
                    self.problem(place, Problem { text, denies });
                }
                "add" => of_entries.push("create"),
                "delete" => of_entries.push("delete"),
                "all" => {
                    of_attributes.extend(["read", "search", "compare", "add-value", "delete-value", "replace"]);
                    of_entries.extend(["create", "delete"]);
                }
                _ => {
                    let text = format!("{right}: no right here means the same");
                    self.problem(place, Problem { text, denies });
                }
            }
        }
        if !denies && of_attributes.contains(&"search") && !of_attributes.contains(&"read") {
            let text = "search without read: here, entries that are found so would be shown by name".to_owned();
            self.problem(place, Problem { text, denies });
            of_attributes.retain(|right| *right != "search");
        }
        let writes = of_attributes.contains(&"replace");
        if !of_attributes.is_empty() {
            match attributes(target, effect) {
                Ok(attributes) => {
                    let password = writes && self.reaches_password(target, denies);
                    if password {
                        of_attributes.push("set-password");
                        self.notes.push(format!(
                            "{place}: writing userPassword is the right set-password; its hashes are shown to nobody here"
                        ));
                    }
                    if writes {
                        self.notes.push(format!("{place}: writing does not rename entries here; the right rename does"));
                    }
                    self.make(place, name, effect, &of_attributes, &attributes, alternatives, target);
                }
                Err(text) => self.problem(place, Problem { text, denies }),
            }
        }
        if !of_entries.is_empty() {
            self.make(place, name, effect, &of_entries, &[], alternatives, target);
        }
    }

    fn reaches_password(&self, target: &Target, denies: bool) -> bool {
        let Some((all_but, names)) = &target.attributes else { return false };
        let named = |wanted: &str| names.iter().any(|name| name.eq_ignore_ascii_case(wanted));
        match all_but {
            true => !named("userPassword"),
            false => named("userPassword") || named("*") && (denies || !named("!userPassword")),
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one rule")]
    fn make(
        &mut self,
        place: &str,
        name: &str,
        effect: Effect,
        rights: &[&str],
        attributes: &[String],
        alternatives: &[Alternative],
        target: &Target,
    ) {
        for alternative in alternatives {
            let mut rule = Rule { name: name.to_owned(), values: Vec::new() };
            rule.put("description", format!("From an ACI of {}", target.name));
            alternative.subjects.iter().for_each(|subject| rule.put("accessSubject", subject));
            rule.put("accessTarget", &target.name);
            rule.put("accessScope", target.scope);
            target.filter.iter().for_each(|filter| rule.put("accessFilter", filter));
            attributes.iter().for_each(|attribute| rule.put("accessAttribute", attribute));
            rights.iter().for_each(|right| rule.put("accessRight", *right));
            alternative.networks.iter().for_each(|network| rule.put("accessNetwork", network));
            alternative.factors.iter().for_each(|factor| rule.put("accessFactor", factor));
            rule.put("accessEffect", if effect == Effect::Allow { "allow" } else { "deny" });
            match rule.check(self.schema) {
                Ok(()) => self.rules.push(rule),
                Err(text) => self.problem(place, Problem { text, denies: effect == Effect::Deny }),
            }
        }
        if effect == Effect::Deny {
            self.notes.push(format!("{place}: a denial is for administrators too; there, the Directory Manager was beyond it"));
        }
    }
}

/// Attributes as accessAttribute has them. Whether `*` of an ACI takes operational attributes in depends on the version: a rule that allows
/// leaves them out, one that denies takes them in.
fn attributes(target: &Target, effect: Effect) -> Result<Vec<String>, String> {
    let Some((all_but, names)) = &target.attributes else {
        return Err("it says nothing of targetattr, and the permission is about attributes".to_owned());
    };
    let star = || match effect {
        Effect::Allow => vec!["*".to_owned()],
        Effect::Deny => vec!["*".to_owned(), "+".to_owned()],
    };
    if *all_but {
        return Ok(star().into_iter().chain(names.iter().map(|name| format!("!{name}"))).collect());
    }
    Ok(names.iter().flat_map(|name| if name == "*" { star() } else { vec![name.clone()] }).collect())
}

fn target(scanner: &mut Scanner<'_>, bearer: &str) -> Result<Target, String> {
    let mut target = Target { name: bearer.to_owned(), scope: "sub", filter: None, attributes: None };
    while !scanner.begins_version() {
        if !scanner.take('(') {
            return Err("a bracket is expected".to_owned());
        }
        let keyword = scanner.word().to_ascii_lowercase();
        let negated = scanner.take('!');
        if !scanner.take('=') {
            return Err(format!("{keyword:?} has no ="));
        }
        let value = scanner.value()?;
        if !scanner.take(')') {
            return Err(format!("{keyword}: a bracket is not closed"));
        }
        match (keyword.as_str(), negated) {
            ("target", false) => target.name = below(plain_name(&value)?, bearer)?,
            ("targetattr", _) if target.attributes.is_none() => {
                let names: Vec<String> = value.split("||").map(|name| name.trim().to_owned()).collect();
                let plain = |name: &String| (!negated && (name == "*" || name == "+")) || is_attribute(name);
                if !names.iter().all(plain) {
                    return Err(format!("targetattr {value:?}: write names, or *"));
                }
                target.attributes = Some((negated, names));
            }
            ("targetfilter", false) => target.filter = Some(if value.starts_with('(') { value } else { format!("({value})") }),
            ("targetscope", false) => {
                target.scope = match value.to_ascii_lowercase().as_str() {
                    "base" => "base",
                    "onelevel" => "one",
                    "subtree" => "sub",
                    "subordinate" => "children",
                    _ => return Err(format!("targetscope {value:?}")),
                };
            }
            _ => return Err(format!("{keyword} {}= {value:?}: rules have no such target", if negated { "!" } else { "" })),
        }
    }
    match target.name.is_empty() {
        true => Err("the entry that bears it has no name here: take files with dn: lines".to_owned()),
        false => Ok(target),
    }
}

fn is_attribute(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
}

/// An ACI is about nothing that is not at or below the entry that bears it.
fn below(name: &str, bearer: &str) -> Result<String, String> {
    let form = |text: &str| crate::model::Dn::parse(text.as_bytes()).map(|dn| dn.to_string().to_ascii_lowercase());
    match (form(name), form(bearer)) {
        (Ok(named), Ok(bearer)) if named == bearer || named.ends_with(&format!(",{bearer}")) => Ok(name.to_owned()),
        _ => Err(format!("its target {name} is not below the entry that bears it, so it is about nothing there")),
    }
}

/// `(version 3.0; acl "name";`
fn head(scanner: &mut Scanner<'_>) -> Result<String, String> {
    let wrong = || "version 3.0; acl \"name\"; is expected".to_owned();
    let is_right = scanner.take('(') && scanner.word_if("version") && scanner.word() == "3.0" && scanner.take(';');
    if !is_right || !scanner.word_if("acl") {
        return Err(wrong());
    }
    let name = scanner.value()?;
    // Rules are named by it.
    let name = if name.trim().is_empty() { "unnamed".to_owned() } else { name.trim().to_owned() };
    if scanner.take(';') { Ok(name) } else { Err(wrong()) }
}

/// `(read, search) bind-rule;`
fn permission(scanner: &mut Scanner<'_>) -> Result<(Vec<String>, Vec<Alternative>), String> {
    if !scanner.take('(') {
        return Err("rights in brackets are expected".to_owned());
    }
    let mut rights = Vec::new();
    loop {
        rights.push(scanner.word().to_ascii_lowercase());
        if scanner.take(')') {
            break;
        }
        if !scanner.take(',') {
            return Err("rights in brackets, with commas between them, are expected".to_owned());
        }
    }
    let alternatives = bind_rule::read(scanner)?;
    if scanner.take(';') { Ok((rights, alternatives)) } else { Err("a bind rule ends with a semicolon".to_owned()) }
}

/// Reads an ACI from the front.
pub(super) struct Scanner<'t> {
    pub(super) rest: &'t str,
}

impl<'t> Scanner<'t> {
    fn trim(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes a character, if it is the next one.
    pub(super) fn take(&mut self, wanted: char) -> bool {
        self.trim();
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// The next word; empty where there is none.
    pub(super) fn word(&mut self) -> &'t str {
        self.trim();
        let end =
            self.rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '_')).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// Takes a word, if it is the next one.
    pub(super) fn word_if(&mut self, wanted: &str) -> bool {
        let before = self.rest;
        let found = self.word().eq_ignore_ascii_case(wanted);
        if !found {
            self.rest = before;
        }
        found
    }

    /// What stands in quotes, or up to a bracket.
    pub(super) fn value(&mut self) -> Result<String, String> {
        if self.take('"') {
            let (value, rest) = self.rest.split_once('"').ok_or("a quote is not closed")?;
            self.rest = rest;
            return Ok(value.to_owned());
        }
        let end = self.rest.find([')', ';', '"']).unwrap_or(self.rest.len());
        let (value, rest) = self.rest.split_at(end);
        self.rest = rest;
        match value.trim() {
            "" => Err("a value is missing".to_owned()),
            value => Ok(value.to_owned()),
        }
    }

    fn begins_version(&self) -> bool {
        let inside = self.rest.trim_start().strip_prefix('(').map(str::trim_start);
        inside.and_then(|inside| inside.get(..7)).is_some_and(|word| word.eq_ignore_ascii_case("version"))
    }
}
