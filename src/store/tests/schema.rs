//! Schema files that changed while the server was stopped: nothing is touched, and the text says what to do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::folder::{Server, options};
use crate::directory::{Change, SchemaRevision, StoredDefinition, Table};
use crate::model::schema::{Schema, SchemaElement};
use crate::model::{EntryBuilder, EntryId, Timestamp};
use crate::store::disk::RealDisk;
use crate::store::{StartNote, StoreError, StoreOptions, create};

const WARD: &str = "attributeTypes: ( 1.3.6.1.4.1.99999.1.1 NAME 'ward' SUP name )\n";

fn with(options: &StoreOptions, file: &str) -> StoreOptions {
    StoreOptions { schema: Arc::new(Schema::embedded_with(&[("ward.ldif", file)]).unwrap()), ..options.clone() }
}

fn entry(schema: &Schema, id: u64, parent: Option<EntryId>, name: &str, attributes: &[(&str, &str)]) -> Change {
    let mut builder = EntryBuilder::default();
    for (name, value) in attributes {
        let (attribute_type, section) = schema.section_of(name).unwrap();
        builder.set(attribute_type, name, section, vec![Bytes::copy_from_slice(value.as_bytes())]);
    }
    Change::PutEntry { id: EntryId(id), parent, name: name.to_owned(), block: builder.build().block().clone() }
}

/// A folder in which an entry has a ward.
fn made(folder: &Path) -> StoreOptions {
    let options = with(&options(&folder.join("data"), Arc::new(RealDisk)), WARD);
    create(&options).unwrap();
    let mut server = Server::start(&options).unwrap();
    let root = entry(&options.schema, 1, None, "dc=example", &[("objectClass", "domain"), ("dc", "example")]);
    let attributes = [
        ("objectClass", "account"),
        ("uid", "anna"),
        ("ward", "7"),
        ("description", "x"),
        ("createTimestamp", "20260101000000Z"),
    ];
    let anna = entry(&options.schema, 2, Some(EntryId(1)), "uid=anna", &attributes);
    server.commit(vec![vec![root], vec![anna]]).unwrap();
    server.stop();
    options
}

fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = super::folder::files(&folder.join("data/journal"));
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// The refusal, after which the folder is as it was.
fn refused(folder: &Path, options: &StoreOptions) -> String {
    let before = content(folder);
    let Err(StoreError::Schema(problem)) = Server::start(options) else { panic!("started, or failed otherwise") };
    assert!(content(folder) == before, "{problem}");
    assert!(!folder.join("data/sled.aside-1").exists(), "{problem}");
    problem
}

#[test]
fn an_attribute_that_entries_have_must_stay_defined() {
    let folder = tempfile::tempdir().unwrap();
    let options = made(folder.path());
    let expected = "entry 2 (uid=anna) has values of attribute 'ward', which no definition is left of; put its definition back into the \
                    schema files, start the server, and take the values away before the definition; nothing was changed";
    assert_eq!(refused(folder.path(), &with(&options, "")), expected);
    // The journal says the same.
    let sled = folder.path().join("data/sled");
    std::fs::rename(&sled, folder.path().join("elsewhere")).unwrap();
    assert_eq!(refused(folder.path(), &with(&options, "")), expected);
    std::fs::rename(folder.path().join("elsewhere"), &sled).unwrap();
    let server = Server::start(&options).unwrap();
    assert_eq!((server.notes.len(), server.directory.entry_count()), (0, 2));
    server.stop();
}

#[test]
fn an_attribute_that_entries_have_stays_where_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let options = made(folder.path());
    let secret = "# now secret\n\nattributeTypes: ( 1.3.6.1.4.1.99999.1.1 NAME 'ward' SUP name X-SECRET 'TRUE' )\n";
    let expected = "entry 2 (uid=anna) has values of attribute 'ward', whose USAGE or X-SECRET was another when they were written; write the \
                    definition in ward.ldif, line 3 as it was, start the server, and take the values away before changing it; nothing was \
                    changed";
    assert_eq!(refused(folder.path(), &with(&options, secret)), expected);
    let server = Server::start(&options).unwrap();
    server.stop();
}

#[test]
fn definitions_made_online_need_the_files_they_were_made_with() {
    let folder = tempfile::tempdir().unwrap();
    let options = with(&options(&folder.path().join("data"), Arc::new(RealDisk)), WARD);
    create(&options).unwrap();
    let mut server = Server::start(&options).unwrap();
    let put = vec![StoredDefinition {
        element: SchemaElement::AttributeType,
        identifier: "1.3.6.1.4.1.99999.1.2".to_owned(),
        position: 1,
        text: "( 1.3.6.1.4.1.99999.1.2 NAME 'sideWard' SUP ward )".to_owned(),
    }];
    let revision = SchemaRevision { put, remove: Vec::new(), at: Timestamp(1), by: String::new() };
    server.directory.check_revision(&revision).unwrap();
    server.commit(vec![vec![Change::ReviseSchema(revision)]]).unwrap();
    server.stop();
    for gone in [false, true] {
        if gone {
            std::fs::remove_dir_all(folder.path().join("data/sled")).unwrap();
        }
        let problem = refused(folder.path(), &with(&options, ""));
        assert!(problem.starts_with("definitions that were made online do not fit those of the schema files: "), "{problem}");
        assert!(problem.contains("'sideWard'") && problem.contains("'ward'"), "{problem}");
    }
    let server = Server::start(&options).unwrap();
    assert!(server.directory.schema().attribute_type("sideWard").is_some());
    server.stop();
}

#[test]
fn definitions_made_online_come_back_from_the_checkpoint_and_from_the_journal_alone() {
    let (folder, options, content) = super::folder::made(150);
    let definitions = content.keys().filter(|(table, _)| *table == Table::Schema).count();
    assert!(definitions > 1, "the steps made none: another seed is needed");
    let seen = |server: &Server| {
        let mut types: Vec<String> = server.directory.schema().published_attribute_types();
        types.sort_unstable();
        (super::folder::rows(&server.directory), server.directory.digest(), types)
    };
    let server = Server::start(&options).unwrap();
    let expected = seen(&server);
    assert!(expected.0 == content && server.notes.is_empty());
    server.stop();
    std::fs::remove_dir_all(folder.path().join("data/sled")).unwrap();
    let server = Server::start(&options).unwrap();
    assert!(seen(&server) == expected, "the journal alone tells the same");
    assert!(matches!(server.notes.as_slice(), [StartNote::Rebuilt { .. }]));
    // Numbers of types differ by what came and went; what is counted under them does not.
    for definition in server.directory.schema().attribute_types().iter().filter(|it| !it.is_removed()) {
        let by_hand = server.directory.nodes().filter(|node| node.entry.attributes_of(definition.id).next().is_some()).count();
        let computed = server.directory.computed(definition.id).is_some();
        assert!(computed || server.directory.entries_with(definition.id) == by_hand as u64, "{}", definition.oid);
    }
    server.stop();
}
