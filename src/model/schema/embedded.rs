//! The schema files that are part of the program: the one place that names them.

/// Name and text, in the order they are loaded.
pub(super) const FILES: [(&str, &str); 6] = [
    ("schema/core.ldif", include_str!("../../../schema/core.ldif")),
    ("schema/cosine.ldif", include_str!("../../../schema/cosine.ldif")),
    ("schema/inetorgperson.ldif", include_str!("../../../schema/inetorgperson.ldif")),
    ("schema/nis.ldif", include_str!("../../../schema/nis.ldif")),
    ("schema/ppolicy.ldif", include_str!("../../../schema/ppolicy.ldif")),
    ("schema/bindery.ldif", include_str!("../../../schema/bindery.ldif")),
];

/// The files that slapd of OpenLDAP ships with the same names and meaning.
pub(super) const KNOWN_TO_OPENLDAP: [&str; 4] =
    ["schema/core.ldif", "schema/cosine.ldif", "schema/inetorgperson.ldif", "schema/nis.ldif"];
