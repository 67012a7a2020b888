//! Any text as a schema file: nothing panics, and what is loaded is published as definitions that read as themselves and load again.
//!
//! Input: one octet that says whether the embedded definitions stand before the file, then the file.
#![no_main]

use bindery::model::schema::{PosixSchema, Schema, SchemaDefinition, SchemaElement};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    for line in text.lines() {
        read_alone(line);
    }
    if choice == 0 {
        // Loading the embedded definitions takes milliseconds: one first octet in 256 asks for it.
        if let Err(error) = Schema::installed(PosixSchema::default(), &[("file", text)]) {
            assert_eq!(error.file, "file", "the embedded definitions load: {error}");
        }
    } else if let Ok(schema) = Schema::load(&[("file", text)]) {
        let file = publish_all(&schema);
        let again = Schema::load(&[("published", &file)]).expect("what is published loads");
        assert_eq!(publish_all(&again), file);
    }
});

/// As ldapmodify on the subschema entry would add it.
fn read_alone(text: &str) {
    for element in SchemaElement::ALL {
        if let Ok(definition) = SchemaDefinition::read(element, text) {
            assert_eq!(SchemaDefinition::read(element, &definition.text).as_ref(), Ok(&definition));
        }
    }
    // What an assertion may be; its value is checked by who compares.
    let _ = SchemaDefinition::identifier_of(text);
}

/// The subschema entry's definitions as a file.
fn publish_all(schema: &Schema) -> String {
    let published = [
        (SchemaElement::AttributeType, schema.published_attribute_types()),
        (SchemaElement::ObjectClass, schema.published_object_classes()),
        (SchemaElement::DitContentRule, schema.published_dit_content_rules()),
        (SchemaElement::NameForm, schema.published_name_forms()),
        (SchemaElement::DitStructureRule, schema.published_dit_structure_rules()),
    ];
    let mut file = String::new();
    for (element, texts) in published {
        for text in texts {
            let definition = SchemaDefinition::read(element, &text).expect("what is published can be read");
            assert_eq!(definition.text, text);
            file.push_str(&format!("{}: {text}\n", element.attribute()));
        }
    }
    file
}
