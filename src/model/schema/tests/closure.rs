//! Everything that a published definition names is itself published, read back from the text alone (RFC 4512 section 4.2).

use std::collections::BTreeSet;

use super::super::*;

/// What is published under one keyword: identifiers and names in lower case, and the texts.
struct Published {
    known: BTreeSet<String>,
    texts: Vec<String>,
}

impl Published {
    fn of(texts: Vec<String>) -> Published {
        let mut known = BTreeSet::new();
        for text in &texts {
            let words = words(text);
            known.insert(words[1].to_ascii_lowercase());
            known.extend(behind(&words, "NAME").iter().map(|name| name.to_ascii_lowercase()));
        }
        Published { known, texts }
    }

    fn assert_names(&self, keywords: &[&str], in_texts: &Published, what: &str) {
        for text in &in_texts.texts {
            let words = words(text);
            for name in keywords.iter().flat_map(|keyword| behind(&words, keyword)) {
                let name = name.split('{').next().unwrap().to_ascii_lowercase();
                assert!(self.known.contains(&name), "{what} '{name}' is not published, but named by {text}");
            }
        }
    }
}

/// Words of a definition; quoted text is one word without its quotes, marked so that it is no keyword.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (place, part) in text.split('\'').enumerate() {
        if place % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().filter(|word| *word != "$").map(str::to_owned));
        }
    }
    words
}

/// The values behind a keyword, up to the closing parenthesis where they are several.
fn behind(words: &[String], keyword: &str) -> Vec<String> {
    let Some(place) = words.iter().position(|word| word == keyword) else { return Vec::new() };
    match words[place + 1].as_str() {
        "(" => words[place + 2..].iter().take_while(|word| *word != ")").cloned().collect(),
        _ => vec![words[place + 1].clone()],
    }
}

fn assert_closed(schema: &Schema) {
    let types = Published::of(schema.published_attribute_types());
    let classes = Published::of(schema.published_object_classes());
    let rules = Published::of(schema.published_matching_rules());
    let uses = Published::of(schema.published_matching_rule_use());
    let syntaxes = Published::of(schema.published_syntaxes());
    let contents = Published::of(schema.published_dit_content_rules());
    let forms = Published::of(schema.published_name_forms());
    let structures = Published::of(schema.published_dit_structure_rules());
    types.assert_names(&["SUP"], &types, "attribute type");
    rules.assert_names(&["EQUALITY", "ORDERING", "SUBSTR"], &types, "matching rule");
    syntaxes.assert_names(&["SYNTAX"], &types, "syntax");
    syntaxes.assert_names(&["SYNTAX"], &rules, "syntax");
    classes.assert_names(&["SUP"], &classes, "object class");
    types.assert_names(&["MUST", "MAY"], &classes, "attribute type");
    types.assert_names(&["APPLIES"], &uses, "attribute type");
    types.assert_names(&["MUST", "MAY", "NOT"], &contents, "attribute type");
    classes.assert_names(&["AUX"], &contents, "object class");
    classes.assert_names(&["OC"], &forms, "object class");
    types.assert_names(&["MUST", "MAY"], &forms, "attribute type");
    forms.assert_names(&["FORM"], &structures, "name form");
    for text in uses.texts.iter().chain(&contents.texts) {
        let oid = words(text)[1].clone();
        assert!(rules.known.contains(&oid) || classes.known.contains(&oid), "{text}");
    }
    assert!(types.texts.len() > 250 && classes.texts.len() > 80 && rules.texts.len() > 40 && syntaxes.texts.len() > 60);
    assert!(uses.texts.len() > 20, "rules that apply to nothing are not listed");
}

#[test]
fn the_embedded_schema_is_closed() {
    assert_closed(&Schema::embedded().unwrap());
    assert_closed(&Schema::load(&embedded::files(PosixSchema::Rfc2307bis)).unwrap());
}

#[test]
fn a_schema_with_more_files_is_closed() {
    let more = "attributeTypes: ( 2.25.1 NAME 'ward' SUP name )\nobjectClasses: ( 2.25.2 NAME 'bed' STRUCTURAL MUST ( ward $ cn ) )\n\
                dITContentRules: ( 2.25.2 AUX posixAccount NOT uidNumber2 )\nnameForms: ( 2.25.3 NAME 'f' OC bed MUST cn )\n\
                dITStructureRules: ( 1 FORM f )\nattributeTypes: ( 2.25.4 NAME 'uidNumber2' SUP uidNumber )";
    assert_closed(&Schema::embedded_with(&[("more", more)]).unwrap());
}

#[test]
fn posix_groups_are_structural_or_auxiliary() {
    let bis = Schema::load(&embedded::files(PosixSchema::Rfc2307bis)).unwrap();
    assert_eq!(bis.object_class("posixGroup").unwrap().kind, ObjectClassKind::Auxiliary);
    assert_eq!(Schema::embedded().unwrap().object_class("posixGroup").unwrap().kind, ObjectClassKind::Structural);
    let types = ["objectClass", "cn", "gidNumber", "member"].map(|name| bis.attribute_type(name).unwrap().id).to_vec();
    let group = EntryContent { object_classes: vec!["groupOfMembers", "posixGroup"], attribute_types: types };
    assert!(bis.validate(&group).is_ok());
    // What other rooms look up by name is there whichever is chosen.
    for name in ["memberUid", "uidNumber", "gidNumber", "homeDirectory", "shadowExpire", "loginShell"] {
        assert!(bis.attribute_type(name).is_some(), "{name}");
    }
}

#[test]
fn what_generates_codes_is_secret() {
    let schema = Schema::embedded().unwrap();
    for name in ["oathSecret", "oathTokenPIN", "userPassword"] {
        assert!(schema.attribute_type(name).unwrap().secret, "{name}");
    }
}
