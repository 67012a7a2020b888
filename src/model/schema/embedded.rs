//! The schema files that are part of the program: the one place that names them.

/// Which document says what accounts and groups of POSIX systems are. The two define the same object identifiers differently.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PosixSchema {
    /// RFC 2307: posixGroup is a structural class.
    #[default]
    Rfc2307,
    /// draft-howard-rfc2307bis-02: posixGroup is auxiliary, so that a group can be a groupOfNames or groupOfMembers as well.
    Rfc2307bis,
}

impl PosixSchema {
    /// `rfc2307` or `rfc2307bis`, as configurations name them.
    pub fn named(name: &str) -> Option<PosixSchema> {
        match name {
            "rfc2307" => Some(PosixSchema::Rfc2307),
            "rfc2307bis" => Some(PosixSchema::Rfc2307bis),
            _ => None,
        }
    }
}

/// Name and text, in the order they are loaded.
pub(super) fn files(posix: PosixSchema) -> Vec<(&'static str, &'static str)> {
    let posix = match posix {
        PosixSchema::Rfc2307 => ("schema/nis.ldif", include_str!("../../../schema/nis.ldif")),
        PosixSchema::Rfc2307bis => ("schema/rfc2307bis.ldif", include_str!("../../../schema/rfc2307bis.ldif")),
    };
    let mut files = FILES.to_vec();
    files.push(posix);
    files
}

const FILES: [(&str, &str); 13] = [
    ("schema/core.ldif", include_str!("../../../schema/core.ldif")),
    ("schema/cosine.ldif", include_str!("../../../schema/cosine.ldif")),
    ("schema/inetorgperson.ldif", include_str!("../../../schema/inetorgperson.ldif")),
    ("schema/ppolicy.ldif", include_str!("../../../schema/ppolicy.ldif")),
    ("schema/bindery.ldif", include_str!("../../../schema/bindery.ldif")),
    ("schema/oath.ldif", include_str!("../../../schema/oath.ldif")),
    ("schema/accesslog.ldif", include_str!("../../../schema/accesslog.ldif")),
    ("schema/dyngroup.ldif", include_str!("../../../schema/dyngroup.ldif")),
    ("schema/eduperson.ldif", include_str!("../../../schema/eduperson.ldif")),
    ("schema/java.ldif", include_str!("../../../schema/java.ldif")),
    ("schema/corba.ldif", include_str!("../../../schema/corba.ldif")),
    ("schema/dynamic.ldif", include_str!("../../../schema/dynamic.ldif")),
    ("schema/accounts.ldif", include_str!("../../../schema/accounts.ldif")),
];

/// The files that slapd of OpenLDAP ships with the same names and meaning.
pub(super) const KNOWN_TO_OPENLDAP: [&str; 4] =
    ["schema/core.ldif", "schema/cosine.ldif", "schema/inetorgperson.ldif", "schema/nis.ldif"];
