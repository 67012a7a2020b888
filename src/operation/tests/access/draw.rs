//! Entries, rules, filters and askers drawn at random: the same ones for the same seed.

use super::plain::{Asker, Entry, Filter, Rule, SUFFIX};

/// Numbers that are the same in each run.
pub(super) struct Draw(pub(super) u64);

impl Draw {
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    pub(super) fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    /// A few of them.
    fn some<T: Clone + PartialEq>(&mut self, most: usize, choices: &[T]) -> Vec<T> {
        let mut taken: Vec<T> = Vec::new();
        for _ in 0..self.below(most) + 1 {
            let one = self.of(choices);
            if !taken.contains(&one) {
                taken.push(one);
            }
        }
        taken
    }

    /// Attributes and values that filters and assertions are about; some are nowhere, one is no attribute.
    pub(super) fn assertion(&mut self, for_rules: bool) -> Filter {
        let person = format!("uid=p{},ou=people,{SUFFIX}", self.below(6));
        let group = format!("cn=g{},ou=roles,{SUFFIX}", self.below(3));
        let number = self.below(12);
        let choices = [
            Filter::Present("objectClass"),
            Filter::Equal("objectClass", "person".to_owned()),
            Filter::Equal("title", self.of(&["nurse", "surgeon", "NURSE"]).to_owned()),
            Filter::Present("mail"),
            Filter::Equal("sn", format!("Name{number}")),
            Filter::Begins("sn", "name1".to_owned()),
            Filter::Equal("name", format!("Name{number}")),
            Filter::Begins("cn", "person 1".to_owned()),
            Filter::AtLeast("uidNumber", (1000 + number).to_string()),
            Filter::Equal("uidNumber", "many".to_owned()),
            Filter::Equal("manager", person.clone()),
            Filter::Present("owner"),
            Filter::Equal("memberOf", group),
            Filter::Present("memberOf"),
            Filter::Equal("description", "made up".to_owned()),
            // Not in rules: their Undefined would be the same for all.
            Filter::Equal("zork", "1".to_owned()),
            Filter::Present("userPassword"),
        ];
        let end = if for_rules { choices.len() - 2 } else { choices.len() };
        self.of(&choices[..end])
    }

    pub(super) fn filter(&mut self, for_rules: bool, depth: usize) -> Filter {
        match self.below(if depth == 0 { 3 } else { 6 }) {
            0..=2 => self.assertion(for_rules),
            3 => Filter::Not(Box::new(self.filter(for_rules, depth - 1))),
            4 => Filter::And((0..2).map(|_| self.filter(for_rules, depth - 1)).collect()),
            _ => Filter::Or((0..2).map(|_| self.filter(for_rules, depth - 1)).collect()),
        }
    }

    /// `places`: names that a target may have.
    pub(super) fn rule(&mut self, places: &[String]) -> Rule {
        let mut subjects: Vec<String> =
            ["anyone", "authenticated", "authenticated", "self", "manager", "owner"].map(str::to_owned).to_vec();
        subjects.extend((0..3).map(|number| format!("group:cn=g{number},ou=roles,{SUFFIX}")));
        subjects.extend((0..2).map(|number| format!("entry:uid=p{number},ou=people,{SUFFIX}")));
        let lists: [&[&'static str]; 14] = [
            &[],
            &[],
            &["*"],
            &["*", "+"],
            &["title"],
            &["name"],
            &["cn", "sn", "objectClass"],
            &["@person"],
            &["mail", "uid", "objectClass", "memberOf"],
            &["!title"],
            &["*", "!name"],
            &["+", "!memberOf"],
            &["@inetOrgPerson", "!@person"],
            &["userPassword", "uidNumber"],
        ];
        let rights: [&[&'static str]; 8] = [
            &["search", "read"],
            &["search", "read", "compare"],
            &["search"],
            &["read"],
            &["read", "replace", "set-password"],
            &["compare", "delete", "create"],
            &["add-value", "delete-value", "rename", "move-in", "move-out", "proxy"],
            &["all"],
        ];
        let narrowed = self.one_in(6);
        Rule {
            subjects: self.some(2, &subjects),
            targets: if self.one_in(3) { Vec::new() } else { self.some(3, places) },
            scope: self.of(&[None, Some("sub"), Some("one"), Some("base"), Some("children")]),
            filter: self.one_in(2).then(|| self.filter(true, 2)),
            attributes: self.of(&lists).to_vec(),
            rights: self.of(&rights).to_vec(),
            effect: self.of(&["allow", "allow", "allow", "deny"]),
            networks: if narrowed { self.some(2, &["192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32"]) } else { Vec::new() },
            factors: if narrowed && self.one_in(2) { self.some(2, &["second", "password", "otp"]) } else { Vec::new() },
            not_after: if self.one_in(8) { Some(self.of(&["20200101000000Z", "20400101000000Z"])) } else { None },
        }
    }

    /// Who asks: one of those that rules are for, or nobody.
    pub(super) fn asker(&mut self) -> Asker {
        let people: Vec<String> = (0..6).map(|number| format!("uid=p{number},ou=people,{SUFFIX}")).collect();
        Asker {
            dn: if self.one_in(6) { String::new() } else { self.of(&people) },
            address: self.of(&["192.0.2.7", "10.1.2.3", "198.51.100.1", "2001:db8::1"]).parse().unwrap(),
            factors: self.of(&[&[][..], &["password"], &["password", "otp"], &["certificate"]]).to_vec(),
            now: self.of(&["20190101000000Z", "20261101120000Z", "20410101000000Z"]).to_owned(),
        }
    }

    /// People in wards, and groups of them that hold each other, in circles, too. The first six people stand directly below ou=people.
    pub(super) fn entries(&mut self, people: usize, wards: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        let unit = |dn: String, name: String| {
            let attributes = [("objectClass", vec!["organizationalUnit".to_owned()]), ("ou", vec![name])];
            Entry { dn, attributes: attributes.into() }
        };
        entries.push(unit(format!("ou=people,{SUFFIX}"), "people".to_owned()));
        entries.extend((0..wards).map(|ward| unit(place(ward), format!("ward{ward}"))));
        for number in 0..people {
            let place = if number < 6 { format!("ou=people,{SUFFIX}") } else { place(self.below(wards)) };
            entries.push(self.person(number, &format!("uid=p{number},{place}")));
        }
        for number in 0..3 {
            let dn = format!("cn=g{number},ou=roles,{SUFFIX}");
            let mut members: Vec<String> =
                (0..6).filter(|_| self.one_in(3)).map(|it| format!("uid=p{it},ou=people,{SUFFIX}")).collect();
            members.push(format!("cn=g{},ou=roles,{SUFFIX}", (number + 1) % 3));
            if self.one_in(2) {
                members.retain(|member| member.starts_with("uid="));
            }
            let more = entries.iter().filter(|entry| entry.dn.starts_with("uid=")).skip(6).step_by(20 + number);
            members.extend(more.map(|entry| entry.dn.clone()).take(300));
            if members.is_empty() {
                members.push(format!("uid=p0,ou=people,{SUFFIX}"));
            }
            let attributes =
                [("objectClass", vec!["groupOfNames".to_owned()]), ("cn", vec![format!("g{number}")]), ("member", members)];
            entries.push(Entry { dn, attributes: attributes.into() });
        }
        let groups: Vec<Entry> = entries.iter().filter(|entry| entry.attributes.contains_key("member")).cloned().collect();
        for group in groups {
            let members: std::collections::BTreeSet<&String> = group.attributes["member"].iter().collect();
            for entry in entries.iter_mut().filter(|entry| members.contains(&entry.dn)) {
                entry.attributes.entry("memberOf").or_default().push(group.dn.clone());
            }
        }
        entries
    }

    fn person(&mut self, number: usize, dn: &str) -> Entry {
        let superior = |draw: &mut Draw| vec![format!("uid=p{},ou=people,{SUFFIX}", draw.below(6))];
        let mut attributes: std::collections::BTreeMap<&'static str, Vec<String>> = [
            ("objectClass", vec!["inetOrgPerson".to_owned()]),
            ("uid", vec![format!("p{number}")]),
            ("cn", vec![format!("Person {number}")]),
            ("sn", vec![format!("Name{}", self.below(50))]),
        ]
        .into();
        if !self.one_in(4) {
            attributes.insert("title", vec![self.of(&["nurse", "surgeon"]).to_owned()]);
        }
        if self.one_in(3) {
            attributes.insert("mail", vec![format!("p{number}@mercy.example"), format!("P.{number}@mercy.example")]);
        }
        if self.one_in(3) {
            // Those who come later may name them: the first six are there.
            attributes.insert("manager", superior(self));
        }
        if self.one_in(3) {
            attributes.get_mut("objectClass").unwrap().push("extensibleObject".to_owned());
            attributes.insert("uidNumber", vec![(1000 + self.below(20)).to_string()]);
            attributes.insert("owner", superior(self));
        }
        if self.one_in(5) {
            attributes.insert("description", vec!["made up".to_owned(), "Made by hand".to_owned()]);
        }
        Entry { dn: dn.to_owned(), attributes }
    }
}

/// Wards stand below each other.
fn place(ward: usize) -> String {
    match ward {
        0 => format!("ou=ward0,ou=people,{SUFFIX}"),
        _ => format!("ou=ward{ward},{}", place((ward - 1) / 2)),
    }
}
