//! The examples of the project's own classes, `schema/examples/*.ldif`: each is an entry that the schema allows.

use super::schema;
use crate::model::ldif::{LdifBody, LdifReader};
use crate::model::schema::EntryContent;

#[test]
fn each_example_is_an_entry_of_the_schema_and_names_its_class() {
    let schema = schema();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/examples");
    let mut classes = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let class = path.file_stem().unwrap().to_str().unwrap().to_owned();
        for record in LdifReader::new(std::io::BufReader::new(std::fs::File::open(&path).unwrap())) {
            let LdifBody::Add(attributes) = record.unwrap().body else { panic!("{class}: an entry is expected") };
            let mut content = EntryContent { object_classes: Vec::new(), attribute_types: Vec::new() };
            for attribute in &attributes {
                let described = schema.describe(&attribute.description).unwrap();
                content.attribute_types.push(described.attribute_type);
                for value in &attribute.values {
                    assert!(schema.check_syntax(described.attribute_type, value).is_ok(), "{class}: {}", attribute.description);
                    if attribute.description == "objectClass" {
                        content.object_classes.push(std::str::from_utf8(value).unwrap());
                    }
                }
            }
            assert!(content.object_classes.contains(&class.as_str()), "{class} is not in its own example");
            schema.validate(&content).unwrap_or_else(|error| panic!("{class}: {error}"));
        }
        classes.push(class);
    }
    assert!(
        [
            "accessGrant",
            "accountPolicy",
            "auditRule",
            "bindRule",
            "governedGroup",
            "managedAccount",
            "otpRecovery",
            "reviewCampaign",
            "session"
        ]
        .iter()
        .all(|class| classes.iter().any(|found| found == class)),
        "{classes:?}"
    );
}
