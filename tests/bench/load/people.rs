//! The people of the benchmark: made of a counter, so every run and every server has the same.

use std::io::{self, Write};

pub(crate) const SUFFIX: &str = "dc=bench,dc=example";
pub(crate) const ADMIN: &str = "cn=admin,dc=bench,dc=example";
/// What everybody's password is …
pub(crate) const PASSWORD: &str = "bench-password";
/// … and how it arrives: as another directory would hand it over.
const STORED_PASSWORD: &str = "{SSHA}mSsnQhL8AgtkuuyUCb9+DCBFuO8s9Um/";

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
    format!("uid={},ou=people,{SUFFIX}", uid(number))
}

/// Writes LDIF of the top of the tree and of people 0 to `count` − 1.
pub(crate) fn write(output: &mut impl Write, count: u32, without_suffix: bool) -> io::Result<()> {
    if !without_suffix {
        writeln!(output, "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\ndc: bench\no: Bench\n")?;
    }
    writeln!(output, "dn: ou=people,{SUFFIX}\nobjectClass: organizationalUnit\nou: people\n")?;
    (0..count).try_for_each(|number| person(output, number))
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

/// Writes LDIF of both groups.
pub(crate) fn write_groups(output: &mut impl Write, people: u32) -> io::Result<()> {
    writeln!(output, "dn: ou=groups,{SUFFIX}\nobjectClass: organizationalUnit\nou: groups\n")?;
    for group in [SMALL, LARGE] {
        writeln!(output, "dn: {}\nobjectClass: groupOfNames\ncn: {}", group.dn(), group.name)?;
        (0..group.size(people)).try_for_each(|number| writeln!(output, "member: {}", dn(number)))?;
        writeln!(output)?;
    }
    Ok(())
}

fn person(output: &mut impl Write, number: u32) -> io::Result<()> {
    let pick = |list: &[&'static str], salt: u32| {
        let place = number.wrapping_mul(2_654_435_761).wrapping_add(salt.wrapping_mul(40_503)) >> 8;
        *list.get(place as usize % list.len()).unwrap_or(&"")
    };
    let (given, family, ward, title) = (pick(GIVEN, 1), pick(FAMILY, 2), pick(WARDS, 3), pick(TITLES, 4));
    let uid = uid(number);
    let room = number % 900 + 100;
    write!(
        output,
        "dn: {}\n\
         objectClass: top\nobjectClass: person\nobjectClass: organizationalPerson\nobjectClass: inetOrgPerson\n\
         uid: {uid}\ncn: {given} {family} {number}\nsn: {family}\ngivenName: {given}\ndisplayName: {given} {family}\n\
         initials: {}{}\nmail: {uid}@bench.example\nemployeeNumber: {number:07}\nemployeeType: permanent\n\
         title: {title}\nou: {ward}\ndepartmentNumber: {}\nroomNumber: {room}\n\
         telephoneNumber: +1 555 {:04} {:04}\nmobile: +1 556 {:04} {:04}\nfacsimileTelephoneNumber: +1 557 {:04} {:04}\n\
         pager: +1 558 {:04} {:04}\nl: Springfield\nst: Illinois\nstreet: {room} Hospital Avenue\npostalCode: {:05}\n\
         physicalDeliveryOfficeName: Building {}\npreferredLanguage: en-US\n\
         labeledURI: https://people.bench.example/{uid} profile\n\
         description: {title} in {ward}, reachable on weekdays between seven and nineteen, and on call in every third week\n\
         userPassword: {STORED_PASSWORD}\n\n",
        dn(number),
        given.get(..1).unwrap_or("X"),
        family.get(..1).unwrap_or("X"),
        number % 40 + 1,
        number / 10_000,
        number % 10_000,
        number / 10_000,
        number % 10_000,
        number / 10_000,
        number % 10_000,
        number / 10_000,
        number % 10_000,
        number % 90_000 + 10_000,
        number % 12 + 1,
    )
}
