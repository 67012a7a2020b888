//! The people of the benchmark: made of a counter, so every run and every server has the same.

use std::io::{self, Write};

pub(crate) const SUFFIX: &str = "dc=bench,dc=example";
pub(crate) const ADMIN: &str = "cn=admin,dc=bench,dc=example";
/// What everybody's password is …
pub(crate) const PASSWORD: &str = "bench-password";
/// … and how it arrives: as another directory would hand it over …
const STORED_PASSWORD: &str = "{SSHA}mSsnQhL8AgtkuuyUCb9+DCBFuO8s9Um/";
/// … but for the last tenth of the people: Argon2id of OWASP's cost, for both servers to verify.
const STORED_ARGON2: &str =
    "{ARGON2}$argon2id$v=19$m=19456,t=2,p=1$YmVuY2gtc2FsdC0xNm9jdA$T15O4qvMlli6HfznoNhoqAaZZ5tVPs+bwN8T7c4MX0Y";

/// Where the thousand small groups are …
pub(crate) const WARD_BASE: &str = "ou=wards,dc=bench,dc=example";
/// … and how many there are.
pub(crate) const WARD_GROUPS: u32 = 1000;
/// How many people share a departmentNumber.
pub(crate) const IN_DEPARTMENT: u32 = 1000;

const GIVEN: &[&str] = &[
    "Ada", "Bela", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hiro", "Ines", "Jonas", "Kofi", "Leila", "Mateo", "Nadia",
    "Olga", "Pavel", "Quentin", "Rosa", "Samir", "Tove", "Uma", "Viktor", "Wanda", "Ximena", "Yusuf", "Zora",
];
const FAMILY: &[&str] = &[
    "Andersson",
    "Bianchi",
    "Castillo",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Grant",
    "Horvat",
    "Ivanova",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Moreau",
    "Novak",
    "Okafor",
    "Petrov",
    "Quispe",
    "Romano",
    "Schneider",
    "Tanaka",
    "Usman",
    "Vargas",
    "Weber",
    "Xu",
    "Yilmaz",
    "Zhou",
];
const WARDS: &[&str] = &["Cardiology", "Oncology", "Radiology", "Emergency", "Surgery", "Pediatrics", "Neurology", "Laboratory"];
const TITLES: &[&str] = &["Nurse", "Physician", "Pharmacist", "Technician", "Clerk", "Resident", "Therapist"];

/// A person's name in the directory.
pub(crate) fn uid(number: u32) -> String {
    format!("p{number:07}")
}

/// A person's distinguished name.
pub(crate) fn dn(number: u32) -> String {
    dn_of(&uid(number))
}

/// The distinguished name of who is called so.
pub(crate) fn dn_of(uid: &str) -> String {
    format!("uid={uid},ou=people,{SUFFIX}")
}

/// The first of those who have an Argon2id password stored.
pub(crate) fn first_of_argon2(count: u32) -> u32 {
    count - count / 10
}

/// How many values of departmentNumber there are: a thousand people have each of them.
pub(crate) fn departments(count: u32) -> u32 {
    (count / IN_DEPARTMENT).max(1)
}

/// What a writer of LDIF asks for.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) count: u32,
    /// Leave the suffix entry out.
    pub(crate) without_suffix: bool,
    /// Write memberOf, as slapd's overlay would have: slapadd does not ask it.
    pub(crate) member_of: bool,
}

/// Writes LDIF of the top of the tree and of people 0 to `count` − 1.
pub(crate) fn write(output: &mut impl Write, wanted: Wanted) -> io::Result<()> {
    let count = wanted.count;
    if !wanted.without_suffix {
        writeln!(output, "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\ndc: bench\no: Bench\n")?;
    }
    writeln!(output, "dn: ou=people,{SUFFIX}\nobjectClass: organizationalUnit\nou: people\n")?;
    for number in 0..count {
        writeln!(output, "dn: {}", dn(number))?;
        for (name, value) in person(number, count) {
            writeln!(output, "{name}: {value}")?;
        }
        if wanted.member_of {
            writeln!(output, "memberOf: {}", ward(number % WARD_GROUPS))?;
            for group in [SMALL, LARGE].into_iter().filter(|group| number < group.size(count)) {
                writeln!(output, "memberOf: {}", group.dn())?;
            }
        }
        writeln!(output)?;
    }
    Ok(())
}

/// What is typed to find a person whose name one remembers in part: the common name without its first two letters. Of a person in whose
/// place nobody else is found: common names end in numbers, and what is ten times as much is more than there are.
pub(crate) fn part_of_name(number: u32, count: u32) -> String {
    let first = count.div_ceil(10);
    let number = first + number % (count - first).max(1);
    let name = person(number, count).into_iter().find(|(attribute, _)| *attribute == "cn");
    name.and_then(|(_, name)| name.get(2..).map(str::to_owned)).unwrap_or_default()
}

/// A group of the people whose number leaves this rest.
pub(crate) fn ward(rest: u32) -> String {
    format!("cn=ward{rest:04},{WARD_BASE}")
}

/// A group of the benchmark.
#[derive(Clone, Copy)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    most: u32,
}

pub(crate) const SMALL: Group = Group { name: "small", most: 10_000 };
pub(crate) const LARGE: Group = Group { name: "large", most: 100_000 };

impl Group {
    pub(crate) fn dn(self) -> String {
        format!("cn={},ou=groups,{SUFFIX}", self.name)
    }

    /// How many members it has, the people from 0 on.
    pub(crate) fn size(self, people: u32) -> u32 {
        people.min(self.most)
    }
}

/// Writes LDIF of both groups, and of a thousand small ones that everybody is in one of.
pub(crate) fn write_groups(output: &mut impl Write, people: u32) -> io::Result<()> {
    writeln!(output, "dn: ou=groups,{SUFFIX}\nobjectClass: organizationalUnit\nou: groups\n")?;
    for group in [SMALL, LARGE] {
        writeln!(output, "dn: {}\nobjectClass: groupOfNames\ncn: {}", group.dn(), group.name)?;
        (0..group.size(people)).try_for_each(|number| writeln!(output, "member: {}", dn(number)))?;
        writeln!(output)?;
    }
    writeln!(output, "dn: {WARD_BASE}\nobjectClass: organizationalUnit\nou: wards\n")?;
    for rest in 0..WARD_GROUPS.min(people) {
        writeln!(output, "dn: {}\nobjectClass: groupOfNames\ncn: ward{rest:04}", ward(rest))?;
        (rest..people).step_by(WARD_GROUPS as usize).try_for_each(|number| writeln!(output, "member: {}", dn(number)))?;
        writeln!(output)?;
    }
    Ok(())
}

/// The attributes of a person, of `count` people.
pub(crate) fn person(number: u32, count: u32) -> Vec<(&'static str, String)> {
    let pick = |list: &[&'static str], salt: u32| {
        let place = number.wrapping_mul(2_654_435_761).wrapping_add(salt.wrapping_mul(40_503)) >> 8;
        *list.get(place as usize % list.len()).unwrap_or(&"")
    };
    let (given, family, ward, title) = (pick(GIVEN, 1), pick(FAMILY, 2), pick(WARDS, 3), pick(TITLES, 4));
    let (uid, room) = (uid(number), number % 900 + 100);
    let (front, back) = (number / 10_000, number % 10_000);
    let telephone = |area: u32| format!("+1 {area} {front:04} {back:04}");
    let password = if number < first_of_argon2(count) { STORED_PASSWORD } else { STORED_ARGON2 };
    let classes = ["top", "person", "organizationalPerson", "inetOrgPerson"];
    let classes = classes.into_iter().map(|class| ("objectClass", class.to_owned()));
    classes
        .chain([
            ("uid", uid.clone()),
            ("cn", format!("{given} {family} {number}")),
            ("sn", family.to_owned()),
            ("givenName", given.to_owned()),
            ("displayName", format!("{given} {family}")),
            ("initials", [given, family].into_iter().filter_map(|name| name.get(..1)).collect()),
            ("mail", format!("{uid}@bench.example")),
            ("employeeNumber", format!("{number:07}")),
            ("employeeType", "permanent".to_owned()),
            ("title", title.to_owned()),
            ("ou", ward.to_owned()),
            ("departmentNumber", (number % departments(count)).to_string()),
            ("roomNumber", room.to_string()),
            ("telephoneNumber", telephone(555)),
            ("mobile", telephone(556)),
            ("facsimileTelephoneNumber", telephone(557)),
            ("pager", telephone(558)),
            ("l", "Springfield".to_owned()),
            ("st", "Illinois".to_owned()),
            ("street", format!("{room} Hospital Avenue")),
            ("postalCode", format!("{:05}", number % 90_000 + 10_000)),
            ("physicalDeliveryOfficeName", format!("Building {}", number % 12 + 1)),
            ("preferredLanguage", "en-US".to_owned()),
            ("labeledURI", format!("https://people.bench.example/{uid} profile")),
            (
                "description",
                format!("{title} in {ward}, reachable on weekdays between seven and nineteen, and on call in every third week"),
            ),
            ("userPassword", password.to_owned()),
        ])
        .collect()
}
