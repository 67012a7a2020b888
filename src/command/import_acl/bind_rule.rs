//! The bind rule of an ACI: whom a permission is for.
//!
//! ```text
//! either ::= both *( "or" both )      both ::= one *( "and" one )      one ::= "(" either ")" | keyword "=" '"' value '"'
//! ```

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::aci::Scanner;

/// Brackets within each other.
const DEEPEST: usize = 16;
/// Alternatives of one bind rule.
const MOST_ALTERNATIVES: usize = 64;

/// Somebody, from somewhere, with something.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Alternative {
    /// As accessSubject; one of them.
    pub(super) subjects: Vec<String>,
    /// As accessNetwork; one of them.
    pub(super) networks: Vec<String>,
    /// As accessFactor.
    pub(super) factors: Vec<String>,
}

impl Alternative {
    /// Both at once. Of two lists of the same kind nothing can be made.
    fn and(self, other: Alternative) -> Result<Alternative, String> {
        let both = |one: Vec<String>, other: Vec<String>, what: &str| match (one.is_empty(), other.is_empty()) {
            (false, false) => Err(format!("two conditions on {what} at once")),
            (true, _) => Ok(other),
            (_, true) => Ok(one),
        };
        Ok(Alternative {
            subjects: both(self.subjects, other.subjects, "who asks")?,
            networks: both(self.networks, other.networks, "the address")?,
            factors: both(self.factors, other.factors, "the factor")?,
        })
    }
}

/// Reads a bind rule up to its semicolon.
pub(super) fn read(scanner: &mut Scanner<'_>) -> Result<Vec<Alternative>, String> {
    let mut alternatives = either(scanner, 0)?;
    if alternatives.iter().any(|it| it.subjects.is_empty()) {
        // An address alone lets anybody in who comes from there.
        alternatives.iter_mut().filter(|it| it.subjects.is_empty()).for_each(|it| it.subjects.push("anyone".to_owned()));
    }
    Ok(alternatives)
}

fn either(scanner: &mut Scanner<'_>, depth: usize) -> Result<Vec<Alternative>, String> {
    let mut all = both(scanner, depth)?;
    while scanner.word_if("or") {
        all.extend(both(scanner, depth)?);
    }
    if all.len() > MOST_ALTERNATIVES { Err(format!("more than {MOST_ALTERNATIVES} alternatives")) } else { Ok(all) }
}

fn both(scanner: &mut Scanner<'_>, depth: usize) -> Result<Vec<Alternative>, String> {
    let mut all = one(scanner, depth)?;
    while scanner.word_if("and") {
        let more = one(scanner, depth)?;
        if all.len().saturating_mul(more.len()) > MOST_ALTERNATIVES {
            return Err(format!("more than {MOST_ALTERNATIVES} alternatives"));
        }
        let pairs = all.iter().flat_map(|left| more.iter().map(move |right| (left.clone(), right.clone())));
        all = pairs.map(|(left, right)| left.and(right)).collect::<Result<_, _>>()?;
    }
    Ok(all)
}

fn one(scanner: &mut Scanner<'_>, depth: usize) -> Result<Vec<Alternative>, String> {
    if depth >= DEEPEST {
        return Err(format!("more than {DEEPEST} brackets within each other"));
    }
    if scanner.take('(') {
        let inside = either(scanner, depth + 1)?;
        return if scanner.take(')') { Ok(inside) } else { Err("a bracket is not closed".to_owned()) };
    }
    let keyword = scanner.word().to_ascii_lowercase();
    if keyword == "not" {
        return Err("not: a rule cannot be for everybody but some".to_owned());
    }
    let negated = scanner.take('!');
    if !scanner.take('=') {
        return Err(format!("{keyword:?} has no =, which is all that is understood"));
    }
    let value = scanner.value()?;
    if negated {
        return Err(format!("{keyword} != {value:?}: a rule cannot be for everybody but some"));
    }
    condition(&keyword, &value).map(|alternative| vec![alternative])
}

fn condition(keyword: &str, value: &str) -> Result<Alternative, String> {
    let each = |read: &dyn Fn(&str) -> Result<String, String>| {
        value.split("||").map(|part| read(part.trim())).collect::<Result<Vec<_>, _>>()
    };
    let of_subjects = |subjects| Alternative { subjects, ..Alternative::default() };
    match keyword {
        "userdn" => each(&user).map(of_subjects),
        "groupdn" => each(&|url| Ok(format!("group:{}", plain_name(url)?))).map(of_subjects),
        "userattr" => match value.to_ascii_lowercase().as_str() {
            "manager#userdn" => Ok(of_subjects(vec!["manager".to_owned()])),
            "owner#userdn" => Ok(of_subjects(vec!["owner".to_owned()])),
            _ => Err(format!("userattr {value:?}: only manager#USERDN and owner#USERDN have a subject here")),
        },
        "ip" => {
            let separate = value.replace("||", ",");
            let networks = separate.split(',').map(|part| network(part.trim())).collect::<Result<_, _>>()?;
            Ok(Alternative { networks, ..Alternative::default() })
        }
        "authmethod" if value.eq_ignore_ascii_case("ssl") => {
            Ok(Alternative { factors: vec!["certificate".to_owned()], ..Alternative::default() })
        }
        _ => Err(format!("{keyword} = {value:?}: rules have no such condition")),
    }
}

fn user(url: &str) -> Result<String, String> {
    match url.to_ascii_lowercase().as_str() {
        "ldap:///anyone" => Ok("anyone".to_owned()),
        "ldap:///all" => Ok("authenticated".to_owned()),
        "ldap:///self" => Ok("self".to_owned()),
        "ldap:///parent" => Err("the entry's parent is no subject here".to_owned()),
        _ => Ok(format!("entry:{}", plain_name(url)?)),
    }
}

/// The name in an LDAP URL that has nothing else.
pub(super) fn plain_name(url: &str) -> Result<&str, String> {
    let name = url.strip_prefix("ldap:///").ok_or_else(|| format!("{url:?} is no ldap:/// URL"))?;
    if name.contains(['*', '?', '%', '$', '[']) {
        return Err(format!("{url:?}: patterns, searches and macros are none that rules know"));
    }
    match crate::model::Dn::parse(name.as_bytes()) {
        Ok(dn) if !dn.is_empty() => Ok(name),
        _ => Err(format!("{name:?} is no name")),
    }
}

fn network(text: &str) -> Result<String, String> {
    let problem = || format!("ip {text:?}: write an address, a network like 10.1.0.0/16, or 10.1.*");
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address).to_string());
    }
    if let Ok(network) = text.parse::<IpNet>() {
        return Ok(network.trunc().to_string());
    }
    let octets = text.strip_suffix(".*").ok_or_else(problem)?;
    let octets: Vec<u8> = octets.split('.').map(str::parse).collect::<Result<_, _>>().map_err(|_| problem())?;
    let mut address = [0; 4];
    let bits = u8::try_from(octets.len().saturating_mul(8)).map_err(|_| problem())?;
    if octets.len() > 3 {
        return Err(problem());
    }
    address.iter_mut().zip(&octets).for_each(|(to, from)| *to = *from);
    Ipv4Net::new(Ipv4Addr::from(address), bits).map(|network| network.to_string()).map_err(|_| problem())
}
