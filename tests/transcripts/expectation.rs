//! Expected against actual lines.
//!
//! Entries may come in any order, and so may the lines of an entry: LDAP promises neither. `*` matches any text within a line,
//! `name: **` any number of values from one on.

/// Whether what came is what was expected. `ordered`: entries must come in the order expected.
pub fn met(expected: &[String], actual: &[String], ordered: bool) -> bool {
    let (mut expected, mut actual) = (groups(expected), groups(actual));
    if !ordered {
        expected.sort();
        actual.sort();
    }
    expected.len() == actual.len() && expected.iter().zip(&actual).all(|(expected, actual)| group_met(expected, actual))
}

/// An entry, or a result with what follows it.
type Group = Vec<String>;

fn groups(lines: &[String]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for line in lines {
        let word = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        let starts = ["dn:", "reference:", "=>", "notice", "closed", "nothing", "info"];
        let begins = starts.iter().any(|start| word.starts_with(start));
        match groups.last_mut() {
            Some(group) if !begins => group.push(line.clone()),
            _ => groups.push(vec![line.clone()]),
        }
    }
    groups
}

fn group_met(expected: &[String], actual: &[String]) -> bool {
    let (Some((head, expected)), Some((actual_head, actual))) = (expected.split_first(), actual.split_first()) else {
        return false;
    };
    if !matches(head, actual_head) {
        return false;
    }
    let mut rest: Vec<&String> = actual.iter().collect();
    let mut expected: Vec<&String> = expected.iter().collect();
    expected.sort_by_key(|line| (line.contains('*'), std::cmp::Reverse(line.len())));
    for line in expected {
        if let Some(name) = line.strip_suffix(": **") {
            let before = rest.len();
            rest.retain(|actual| !actual.strip_prefix(name).is_some_and(|rest| rest.starts_with(':')));
            if rest.len() == before {
                return false;
            }
            continue;
        }
        match rest.iter().position(|actual| matches(line, actual)) {
            Some(at) => drop(rest.remove(at)),
            None => return false,
        }
    }
    rest.is_empty()
}

/// `*` in the pattern stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text
            .strip_prefix(before)
            .is_some_and(|text| (0..=text.len()).filter(|&at| text.is_char_boundary(at)).any(|at| matches(after, &text[at..]))),
    }
}

#[cfg(test)]
mod tests {
    use super::met;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let actual = lines("dn: b\ncn: 1\ncn: 2\ndn: a\nsn: x\n=> 0");
        for good in [
            "dn: a\nsn: x\ndn: b\ncn: 2\ncn: 1\n=> 0",
            "dn: a\nsn: *\ndn: b\ncn: **\n=> 0",
            "dn: a\nsn: x\ndn: b\ncn: *\ncn: 1\n=> 0",
        ] {
            assert!(met(&lines(good), &actual, false), "{good}");
        }
        for bad in [
            "dn: a\nsn: x\ndn: b\ncn: 1\n=> 0",
            "dn: a\nsn: x\ndn: b\ncn: 1\ncn: 1\n=> 0",
            "dn: a\nsn: x\ndn: b\ncn: 1\ncn: 2\n=> 0 text",
            "dn: a\nsn: x\ndn: b\ncn: 1\ncn: 2\n=> 4",
            "dn: a\nsn: x\nsn: **\ndn: b\ncn: 1\ncn: 2\n=> 0",
            "dn: b\ncn: 1\ncn: 2\n=> 0",
            "",
        ] {
            assert!(!met(&lines(bad), &actual, false), "{bad}");
        }
        assert!(met(&lines("dn: b\ncn: 2\ncn: 1\ndn: a\nsn: x\n=> 0"), &actual, true));
        assert!(!met(&lines("dn: a\nsn: x\ndn: b\ncn: 1\ncn: 2\n=> 0"), &actual, true));
    }
}
