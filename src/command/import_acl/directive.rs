//! Access directives of slapd (slapd.access(5)), read: what each is about, for whom, and what it gives.
//!
//! ```text
//! directive ::= [ "access" ] "to" what+ ( "by" who+ [ access ] [ "stop" | "continue" | "break" ] )+
//! ```

use std::net::IpAddr;

use ipnet::IpNet;

use super::region::{Extent, Region};
use crate::model::schema::Schema;
use crate::model::{AttributeTypeId, Dn};
use crate::policy::access::AttributeSet;

/// Privileges, a bit each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Privileges(pub(super) u8);

impl Privileges {
    pub(super) const NONE: Privileges = Privileges(0);
    pub(super) const ALL: Privileges = Privileges(u8::MAX);
    pub(super) const COMPARE: Privileges = Privileges(1 << 2);
    pub(super) const SEARCH: Privileges = Privileges(1 << 3);
    pub(super) const READ: Privileges = Privileges(1 << 4);
    pub(super) const ADD: Privileges = Privileges(1 << 5);
    pub(super) const DELETE: Privileges = Privileges(1 << 6);
    pub(super) const WRITE: Privileges = Privileges(3 << 5);
    /// What slapd asks before it says or checks something, and what rules have no need of.
    pub(super) const BESIDE: Privileges = Privileges(1 | 1 << 1);

    pub(super) fn has(self, other: Privileges) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) fn and(self, other: Privileges) -> Privileges {
        Privileges(self.0 & other.0)
    }

    pub(super) fn without(self, other: Privileges) -> Privileges {
        Privileges(self.0 & !other.0)
    }

    /// A level, with all below it; or letters behind `=`, `+` or `-`, for who has none before.
    fn read(text: &str) -> Option<Privileges> {
        let level =
            ["none", "disclose", "auth", "compare", "search", "read", "write", "manage"].iter().position(|it| *it == text);
        match (level, text) {
            (Some(0), _) => return Some(Privileges::NONE),
            (Some(number @ 1..=5), _) => return Some(Privileges(u8::MAX >> (8 - number))),
            (Some(6), _) => return Some(Privileges(0x7f)),
            (Some(_), _) => return Some(Privileges::ALL),
            (None, "add") => return Some(Privileges(0x3f)),
            (None, "delete") => return Some(Privileges(0x5f)),
            _ => {}
        }
        let letters = text.strip_prefix(['=', '+', '-'])?;
        let mut privileges = Privileges::NONE;
        for letter in letters.chars() {
            privileges.0 |= match letter {
                '0' => 0,
                'd' => 1,
                'x' => 1 << 1,
                'c' => 1 << 2,
                's' => 1 << 3,
                'r' => 1 << 4,
                'a' => 1 << 5,
                'z' => 1 << 6,
                'w' => 3 << 5,
                'm' => 1 << 7,
                _ => return None,
            };
        }
        Some(if text.starts_with('-') { Privileges::NONE } else { privileges })
    }
}

/// Whom a part is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Who {
    Everyone,
    Users,
    Anonymous,
    Own,
    Entry(Box<[u8]>, String),
    Group(Box<[u8]>, String),
    Manager,
    Owner,
    /// Somebody that rules have no word for.
    Unknown,
}

impl Who {
    /// Whether somebody may be both.
    pub(super) fn meets(&self, other: &Who) -> bool {
        match (self, other) {
            (Who::Anonymous, Who::Anonymous | Who::Everyone | Who::Unknown) => true,
            (Who::Everyone | Who::Unknown, Who::Anonymous) => true,
            (Who::Anonymous, _) | (_, Who::Anonymous) => false,
            (Who::Entry(one, _), Who::Entry(other, _)) => one == other,
            _ => true,
        }
    }

    /// Whether everybody who is the other is this, too.
    pub(super) fn covers(&self, other: &Who) -> bool {
        match (self, other) {
            (Who::Unknown, _) => false,
            (Who::Everyone, _) => true,
            (Who::Users, Who::Everyone | Who::Anonymous | Who::Unknown) => false,
            (Who::Users, _) => true,
            (Who::Entry(one, _), Who::Entry(other, _)) | (Who::Group(one, _), Who::Group(other, _)) => one == other,
            _ => self == other,
        }
    }

    /// As accessSubject has it; None: there is no such subject.
    pub(super) fn subject(&self) -> Option<String> {
        match self {
            Who::Everyone => Some("anyone".to_owned()),
            Who::Users => Some("authenticated".to_owned()),
            Who::Own => Some("self".to_owned()),
            Who::Manager => Some("manager".to_owned()),
            Who::Owner => Some("owner".to_owned()),
            Who::Entry(_, name) => Some(format!("entry:{name}")),
            Who::Group(_, name) => Some(format!("group:{name}")),
            Who::Anonymous | Who::Unknown => None,
        }
    }
}

/// A `by` with what belongs to it.
#[derive(Clone, Debug)]
pub(super) struct By {
    pub(super) text: String,
    pub(super) who: Who,
    /// As accessNetwork.
    pub(super) networks: Vec<String>,
    pub(super) privileges: Privileges,
    /// Who matches goes on with the next directive, and has got nothing here.
    pub(super) passes: bool,
    /// Something is asked for beside who it is: not everybody who is that is meant.
    pub(super) conditional: bool,
    /// Why there is no rule for it.
    pub(super) problem: Option<String>,
}

/// Attributes, and the two that entries do not have.
#[derive(Clone, Default, Debug)]
pub(super) struct Data {
    pub(super) types: AttributeSet,
    pub(super) entry: bool,
    pub(super) children: bool,
}

/// One directive.
#[derive(Clone, Debug)]
pub(super) struct Directive {
    /// File, line, number.
    pub(super) place: String,
    pub(super) region: Region,
    pub(super) filter: Option<String>,
    /// What it is about at least, and at most.
    pub(super) surely: Data,
    pub(super) perhaps: Data,
    pub(super) by: Vec<By>,
    /// Why no rule is made of it at all.
    pub(super) problem: Option<String>,
    /// What it comes to cannot be told: nobody has got anything for sure.
    pub(super) is_unclear: bool,
}

impl Directive {
    /// What somebody has for sure where it applies: the least of what those have whom he may be taken for. Who goes on is not held back.
    pub(super) fn least(&self, who: &Who) -> Privileges {
        let mut least = Privileges::ALL;
        if self.is_unclear {
            return Privileges::NONE;
        }
        for by in self.by.iter().filter(|by| by.who.meets(who)) {
            if !by.passes {
                least = least.and(by.privileges);
            }
            if !by.conditional && by.who.covers(who) {
                return least;
            }
        }
        Privileges::NONE
    }

    /// The same for those whom one of its parts is for.
    pub(super) fn least_of(&self, part: &By) -> Privileges {
        let mut least = part.privileges;
        for by in self.by.iter().take_while(|by| !std::ptr::eq(*by, part)).filter(|by| by.who.meets(&part.who)) {
            least = if by.passes { Privileges::NONE } else { least.and(by.privileges) };
        }
        least
    }

    /// Whether somebody who is this may go on with the next one.
    pub(super) fn lets_on(&self, who: &Who) -> bool {
        self.by.iter().any(|by| by.passes && by.who.meets(who))
    }
}

/// Reads one directive.
pub(super) fn read(schema: &Schema, suffix: &Dn, place: &str, text: &str) -> Option<Directive> {
    let everything = Data { types: all_types(schema), entry: true, children: true };
    let unclear = |problem: String| Directive {
        place: place.to_owned(),
        region: Region::Unknown,
        filter: None,
        surely: Data::default(),
        perhaps: everything.clone(),
        by: Vec::new(),
        problem: Some(problem),
        is_unclear: true,
    };
    let words = match words(text) {
        Ok(words) => words,
        Err(problem) => return Some(unclear(problem)),
    };
    let mut words = words.iter().map(String::as_str).peekable();
    words.next_if(|word| word.eq_ignore_ascii_case("access"));
    if words.next_if(|word| word.eq_ignore_ascii_case("to")).is_none() {
        return Some(unclear("\"to\" is expected".to_owned()));
    }
    let mut directive = unclear(String::new());
    (directive.problem, directive.is_unclear) = (None, false);
    (directive.region, directive.surely) = (Region::All, everything.clone());
    while let Some(word) = words.next_if(|word| !word.eq_ignore_ascii_case("by")) {
        if let Err(problem) = what(schema, word, &mut directive) {
            directive.problem.get_or_insert(problem);
        }
    }
    directive.region = directive.region.within(schema, suffix)?;
    if directive.region == Region::Unknown {
        directive.problem.get_or_insert_with(|| "it is about entries on both sides of the suffix".to_owned());
    }
    while words.next_if(|word| word.eq_ignore_ascii_case("by")).is_some() {
        let mut part = Vec::new();
        while let Some(word) = words.next_if(|word| !word.eq_ignore_ascii_case("by")) {
            part.push(word);
        }
        match self::by(schema, &part) {
            Ok(by) => directive.by.push(by),
            Err(problem) => {
                directive.problem.get_or_insert(problem);
                directive.is_unclear = true;
            }
        }
    }
    Some(directive)
}

/// A part of what a directive is about. What cannot be read may be about everything; what is known of it stays.
fn what(schema: &Schema, word: &str, directive: &mut Directive) -> Result<(), String> {
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    let lower = name.to_ascii_lowercase();
    match lower.split_once('.').unwrap_or((&lower, "")) {
        ("*", "") => Ok(()),
        ("dn", style) => {
            let extent = match style {
                "" | "exact" | "base" | "baseobject" if value == "*" => return Ok(()),
                "" | "exact" | "base" | "baseobject" => Extent::Base,
                "one" | "onelevel" => Extent::One,
                "sub" | "subtree" => Extent::Subtree,
                "children" => Extent::Children,
                "regex" if [".*", "*", ""].contains(&value) => return Ok(()),
                _ => {
                    directive.region = Region::Unknown;
                    return Err(format!("dn.{style}: rules have no patterns of names"));
                }
            };
            match Region::new(schema, extent, value) {
                Some(region) => {
                    directive.region = region;
                    Ok(())
                }
                None => {
                    directive.region = Region::Unknown;
                    Err(format!("{value:?} is no name"))
                }
            }
        }
        ("filter", "") => {
            let filter = if value.starts_with('(') { value.to_owned() } else { format!("({value})") };
            directive.filter = Some(filter);
            Ok(())
        }
        ("attrs" | "attr", "") => attributes(schema, value, directive),
        _ => {
            // It narrows what is about something: `val` and the like.
            directive.surely = Data::default();
            Err(format!("{name}: rules have no such target"))
        }
    }
}

fn attributes(schema: &Schema, list: &str, directive: &mut Directive) -> Result<(), String> {
    let (mut surely, mut perhaps) = (Data::default(), Data::default());
    let mut problem = None;
    for name in list.split(',').map(str::trim) {
        let class = name.strip_prefix(['@', '!']).unwrap_or(name);
        let known = schema.attribute_type(name);
        match (name, known) {
            ("entry", _) => (surely.entry, perhaps.entry) = (true, true),
            ("children", _) => (surely.children, perhaps.children) = (true, true),
            (_, Some(known)) => {
                let all: AttributeSet = schema.with_subtypes(known.id).iter().copied().collect();
                surely.types.unite(&all);
                perhaps.types.unite(&all);
            }
            (_, None) if schema.object_class(class).is_some() => {
                take_class(schema, name, class, &mut surely, &mut perhaps);
            }
            _ => {
                problem = Some(format!("{name:?} is no attribute or class here: nothing is made of it"));
                // Some values of an attribute, or nothing that can be told.
                let base = class.split(';').next().and_then(|base| schema.attribute_type(base));
                let is_name = class.chars().all(|character| character.is_ascii_alphanumeric() || ".-;".contains(character));
                match base {
                    Some(base) => {
                        perhaps.types.unite(&schema.with_subtypes(base.id).iter().copied().collect());
                    }
                    None if is_name && !class.starts_with('-') => {}
                    None => perhaps = Data { types: all_types(schema), entry: true, children: true },
                }
            }
        }
    }
    (directive.surely, directive.perhaps) = (surely, perhaps);
    problem.map_or(Ok(()), Err)
}

/// The attributes that a class and those above it have, or all others.
fn take_class(schema: &Schema, name: &str, class: &str, surely: &mut Data, perhaps: &mut Data) {
    let lines = schema.class_with_superiors(class).iter().filter_map(|&index| schema.object_classes().get(index));
    let named: Vec<AttributeTypeId> = lines.flat_map(|class| class.must.iter().chain(&class.may)).copied().collect();
    let exactly: AttributeSet = named.iter().copied().collect();
    let with_subtypes: AttributeSet = named.iter().flat_map(|id| schema.with_subtypes(*id)).copied().collect();
    let is_everything = class.eq_ignore_ascii_case("extensibleObject");
    if name.starts_with('!') {
        if !is_everything {
            let mut others = all_types(schema);
            others.subtract(&with_subtypes);
            surely.types.unite(&others);
            let mut others = all_types(schema);
            others.subtract(&exactly);
            perhaps.types.unite(&others);
            (surely.entry, surely.children, perhaps.entry, perhaps.children) = (true, true, true, true);
        }
    } else if is_everything {
        *surely = Data { types: all_types(schema), entry: true, children: true };
        *perhaps = surely.clone();
    } else {
        surely.types.unite(&with_subtypes);
        perhaps.types.unite(&with_subtypes);
    }
}

fn all_types(schema: &Schema) -> AttributeSet {
    AttributeSet::everything(schema.attribute_types().len())
}

/// What stands between one `by` and the next.
fn by(schema: &Schema, words: &[&str]) -> Result<By, String> {
    let mut by = By {
        text: format!("by {}", words.join(" ")),
        who: Who::Everyone,
        networks: Vec::new(),
        privileges: Privileges::NONE,
        passes: false,
        conditional: false,
        problem: None,
    };
    let (mut named, mut control) = (0_usize, "stop");
    for word in words {
        let lower = word.to_ascii_lowercase();
        if ["stop", "continue", "break"].contains(&lower.as_str()) {
            control = if lower == "stop" {
                "stop"
            } else if lower == "break" {
                "break"
            } else {
                "continue"
            };
        } else if let Some(privileges) = Privileges::read(&lower) {
            by.privileges = privileges;
        } else if let Some(rest) =
            lower.strip_prefix("realself").or(lower.strip_prefix("self")).filter(|rest| Privileges::read(rest).is_some())
        {
            // The own name among the values alone: nothing for sure.
            by.problem = Some(format!("self{rest}: rules cannot tell values of one attribute apart"));
            by.privileges = Privileges::NONE;
        } else {
            named = named.saturating_add(1);
            who(schema, word, &mut by);
        }
    }
    if named == 0 {
        return Err(format!("{}: nobody is named", by.text));
    }
    match control {
        "continue" => Err(format!("{}: what goes on behind it cannot be told apart", by.text)),
        "break" if by.privileges != Privileges::NONE || by.problem.is_some() => {
            Err(format!("{}: what later directives add to it cannot be told apart", by.text))
        }
        "break" => {
            by.passes = true;
            Ok(by)
        }
        _ => Ok(by),
    }
}

/// One condition on who asks. All of a `by` must hold.
fn who(schema: &Schema, word: &str, by: &mut By) {
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    let name = name.to_ascii_lowercase();
    let key = || Dn::parse(value.as_bytes()).ok().filter(|dn| !dn.is_empty()).map(|dn| (schema.dn_key(&dn), dn.to_string()));
    let of_names = |make: fn(Box<[u8]>, String) -> Who| key().map(|(key, name)| make(key, name));
    let found = match name.as_str() {
        "*" => Some(Who::Everyone),
        "users" => Some(Who::Users),
        "anonymous" => Some(Who::Anonymous),
        "self" => Some(Who::Own),
        "dn" | "dn.exact" | "dn.base" | "dn.baseobject" => of_names(Who::Entry),
        "dnattr" if value.eq_ignore_ascii_case("manager") => Some(Who::Manager),
        "dnattr" if value.eq_ignore_ascii_case("owner") => Some(Who::Owner),
        "group"
        | "group.exact"
        | "group/groupofnames"
        | "group/groupofnames.exact"
        | "group/groupofnames/member"
        | "group/groupofnames/member.exact" => of_names(Who::Group),
        "peername.ip" | "peername.ipv6" => {
            by.conditional = true;
            match network(value) {
                Some(network) if by.networks.is_empty() => by.networks.push(network),
                _ => by.problem = Some(format!("{word}: rules have no such network")),
            }
            return;
        }
        _ => None,
    };
    match (found, &by.who) {
        (None, _) => {
            by.problem.get_or_insert(format!("{word}: rules have no such subject"));
            by.conditional = true;
            // What is known of it stays: it is asked for beside that.
            if by.who == Who::Everyone {
                by.who = Who::Unknown;
            }
        }
        (Some(found), Who::Everyone) => by.who = found,
        (Some(Who::Everyone), _) => {}
        (Some(_), _) => {
            by.problem.get_or_insert(format!("{word}: rules cannot ask for two at once"));
            by.conditional = true;
        }
    }
}

/// `192.168.1.0%255.255.255.0`, `fe80::%ffff::`, or one address.
fn network(text: &str) -> Option<String> {
    let (address, mask) = match text.split_once('%') {
        Some((address, mask)) => (address.parse::<IpAddr>().ok()?, Some(mask.parse::<IpAddr>().ok()?)),
        None => (text.parse().ok()?, None),
    };
    let network = match mask {
        Some(mask) => IpNet::with_netmask(address, mask).ok()?,
        None => IpNet::from(address),
    };
    // A Unix socket counts as loopback here.
    let is_own = |address: &str| address.parse::<IpAddr>().is_ok_and(|address| network.contains(&address));
    (network.trunc() == network && !is_own("127.0.0.1") && !is_own("::1")).then(|| network.to_string())
}

/// Words between white space; quotes hold them together, and a backslash takes the next character as it is.
fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' => {
                // Names keep theirs: slapd takes one away, as in quotes of a shell.
                word.get_or_insert_default().extend(characters.next());
            }
            character if character.is_whitespace() && !quoted => words.extend(word.take()),
            character => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    if quoted { Err("a quote is not closed".to_owned()) } else { Ok(words) }
}
