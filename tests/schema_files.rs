//! Schema files as Debian's slapd package ships them: they load unchanged, and `bindery schema check` says what stands against them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use std::process::Command;

use bindery::model::schema::{PosixSchema, Schema};
use bindery::server::schema_files;

/// Installed by `.ci/install.sh` as part of slapd.
const FOLDER: &str = "/etc/ldap/schema";

fn files(extension: &str) -> Vec<(String, String)> {
    let all = schema_files::read(Path::new(FOLDER)).expect("the files of Debian's slapd package are needed: apt install slapd");
    let files: Vec<_> = all.into_iter().filter(|(name, _)| name.ends_with(extension)).collect();
    assert!(files.len() >= 10, "{FOLDER} holds {} *{extension} files", files.len());
    files
}

fn borrowed(files: &[(String, String)]) -> Vec<(&str, &str)> {
    files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
}

/// What is left out of OpenLDAP's own files, by the words that name it.
const LEFT_OUT: [(&str, &str); 6] = [
    ("cosine", "'audio' is built in"),
    ("msuser", "'memberOf' is built in"),
    ("pmi", "'attributeCertificateAttribute': matching rule 'attributeCertificateExactMatch' is unknown"),
    ("pmi", "'aACertificate': matching rule"),
    ("pmi", "'attributeDescriptorCertificate': matching rule"),
    ("pmi", "'protPrivPolicy': matching rule"),
];

#[test]
fn openldap_s_files_load_together_as_they_are() {
    for (extension, more) in [(".ldif", 0), (".schema", 1)] {
        let files = files(extension);
        let (schema, left_out) = Schema::installed(PosixSchema::Rfc2307, &borrowed(&files)).unwrap();
        let left_out: Vec<String> = left_out.iter().map(ToString::to_string).collect();
        // Debian's dsee.schema misspells one keyword; slapd does not take it either.
        let misspelt = left_out.iter().filter(|said| said.contains("'attributeype' is unknown")).count();
        assert_eq!((misspelt, left_out.len()), (more, LEFT_OUT.len() + more), "{left_out:#?}");
        for (file, words) in LEFT_OUT {
            assert!(left_out.iter().any(|said| said.contains(file) && said.contains(words)), "{file}: {words}\n{left_out:#?}");
        }
        for (class, oid) in [
            ("OpenLDAPperson", "1.3.6.1.4.1.4203.1.4.5"),
            ("namedObject", "1.3.6.1.4.1.5427.1.389.6.20"),
            ("pmiUser", "2.5.6.24"),
            ("nisMailAlias", "1.3.6.1.4.1.42.2.27.1.2.5"),
            ("changeLogEntry", "2.16.840.1.113730.3.2.1"),
        ] {
            assert_eq!(schema.object_class(class).map(|class| class.oid.as_str()), Some(oid), "{class} of {extension}");
        }
        assert!(schema.attribute_types().len() > 700 && schema.attribute_type("sAMAccountName").is_some());
        // What is published loads again: the subschema of a migrated server is whole.
        let mut text = String::new();
        for (keyword, values) in [
            ("ldapSyntaxes", schema.published_syntaxes()),
            ("attributeTypes", schema.published_attribute_types()),
            ("objectClasses", schema.published_object_classes()),
        ] {
            values.iter().for_each(|value| text.push_str(&format!("{keyword}: {value}\n")));
        }
        let again = Schema::load(&[("published", &text)]).unwrap().published_attribute_types();
        let different = schema.published_attribute_types().into_iter().zip(again).find(|(loaded, again)| loaded != again);
        assert_eq!(different, None);
    }
}

#[test]
fn each_of_openldap_s_files_loads_alone() {
    for (name, text) in [files(".ldif"), files(".schema")].concat() {
        Schema::installed(PosixSchema::Rfc2307, &[(&name, &text)]).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn check_reports_on_the_folder_and_ends_with_1() {
    let check = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_bindery")).args(["schema", "check"]).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said, _) = check(&[FOLDER]);
    assert_eq!(code, Some(1));
    let problems: Vec<&str> =
        said.lines().filter(|line| !line.contains(": adds ") && !line.contains(" is already there")).collect();
    assert_eq!(problems.len(), LEFT_OUT.len() * 2 + 1, "{problems:#?}");
    assert!(problems.iter().any(|line| line.contains("cosine.ldif: line") && line.contains("'audio' clashes")), "{problems:#?}");
    assert!(said.contains("/etc/ldap/schema/pmi.ldif: line") && said.contains("adds object class 'pmiUser' (2.5.6.24)"));
    let alone = check(&["/etc/ldap/schema/nis.schema"]);
    assert_eq!((alone.0, alone.2.as_str()), (Some(0), ""), "{}", alone.1);
    // The same file against the other document on POSIX accounts.
    let (code, said, _) = check(&["--posix", "rfc2307bis", "/etc/ldap/schema/nis.schema"]);
    assert!(
        code == Some(1) && said.contains("object class 'posixGroup' clashes") && said.contains("Structural, not Auxiliary"),
        "{said}"
    );
    assert_eq!(check(&["--posix", "zork", FOLDER]).0, Some(2));
    assert_eq!(check(&["/etc/ldap/schema/nowhere.ldif"]).0, Some(3));
    assert_eq!(check(&[]).0, Some(2));
}
