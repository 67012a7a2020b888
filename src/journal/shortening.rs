//! Records made short enough for a receiver that takes no larger ones: what does not fit is told by how many, how many octets and SHA-256.
//!
//! ```text
//! "values":["a",{"octets":204800,"sha256":"…"},{"count":40,"octets":9000,"sha256":"…"}]     of octets: those of the value
//! "details":{"question":"(5000 octets left out, SHA-256 …)","effectsLeftOut":"(900 left out: …)"}
//! "shortened":{"leaf":"…","octets":206000}                                                  what the whole record is known by
//! ```
//! Of several that are left out together octets and SHA-256 are those of their JSON array, as the record writes it.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::line::to_hex;
use super::query::{FoundRecord, ReadRecord};
use super::record::sha256;

/// What is tried, in this order: octets of the longest text or value that stays, and how many of a list stay.
const STAGES: [(usize, usize); 7] =
    [(4096, usize::MAX), (1024, usize::MAX), (256, usize::MAX), (256, 64), (128, 16), (128, 4), (128, 0)];
/// What always stays as it is.
const KEPT: [&str; 5] = ["boot", "node", "prev", "type", "v"];
/// What stays where nothing else fits.
const LAST: [&str; 9] = ["boot", "mono", "node", "prev", "result", "seq", "time", "type", "v"];

impl FoundRecord {
    /// The same record, shorter each time, down to little more than its number and when it was.
    pub(super) fn shortened(&self) -> impl Iterator<Item = FoundRecord> {
        let whole: Map<String, Value> = serde_json::from_str(&self.line).unwrap_or_default();
        let mark = json!({"leaf": self.leaf().to_hex(), "octets": self.line.len()});
        let stages = STAGES.into_iter().map(Some).chain([None]);
        stages.filter_map(move |stage| {
            let mut record = whole.clone();
            match stage {
                Some((longest, most)) => shorten(&mut record, longest, most),
                None => record.retain(|name, _| LAST.contains(&name.as_str())),
            }
            record.insert("shortened".to_owned(), mark.clone());
            let line = Value::Object(record).to_string();
            ReadRecord::parse(&line).map(|record| FoundRecord { record, line })
        })
    }
}

fn shorten(record: &mut Map<String, Value>, longest: usize, most: usize) {
    let mut left_out = Vec::new();
    for (list, told) in [("changes", "changesLeftOut"), ("effects", "effectsLeftOut")] {
        let Some(Value::Array(changes)) = record.get_mut(list) else { continue };
        if changes.len() > most {
            left_out.push((told, several(&changes.split_off(most)).text()));
        }
        let parts = changes.iter_mut().filter_map(Value::as_object_mut).flat_map(Map::iter_mut);
        parts.for_each(|(name, part)| match part {
            Value::Array(values) if name == "values" => shorten_values(values, longest, most),
            _ => shorten_texts(part, longest, most),
        });
    }
    let others = record.iter_mut().filter(|(name, _)| !["changes", "effects"].contains(&name.as_str()));
    others.filter(|(name, _)| !KEPT.contains(&name.as_str())).for_each(|(_, value)| shorten_texts(value, longest, most));
    if most == 0
        && let Some(Value::Object(details)) = record.remove("details")
    {
        left_out.push(("detailsLeftOut", several(&[Value::Object(details)]).text()));
    }
    if !left_out.is_empty() {
        let details = record.entry("details").or_insert_with(|| json!({}));
        left_out.into_iter().for_each(|(name, text)| details[name] = Value::String(text));
    }
}

/// What is left out.
struct LeftOut {
    count: Option<usize>,
    octets: usize,
    sha256: String,
}

impl LeftOut {
    fn of(octets: &[u8], count: Option<usize>) -> LeftOut {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(octets);
        LeftOut { count, octets: octets.len(), sha256: to_hex(&sha256(context)) }
    }

    fn value(&self) -> Value {
        let LeftOut { count, octets, sha256 } = self;
        match count {
            Some(count) => json!({"count": count, "octets": octets, "sha256": sha256}),
            None => json!({"octets": octets, "sha256": sha256}),
        }
    }

    fn text(&self) -> String {
        left_out_text(self.count.map(|count| count as u64), self.octets as u64, &self.sha256)
    }
}

/// How people are told of what is left out.
pub(super) fn left_out_text(count: Option<u64>, octets: u64, sha256: &str) -> String {
    match count {
        Some(count) => format!("({count} left out: {octets} octets, SHA-256 {sha256})"),
        None => format!("({octets} octets left out, SHA-256 {sha256})"),
    }
}

fn several(values: &[Value]) -> LeftOut {
    LeftOut::of(Value::from(values).to_string().as_bytes(), Some(values.len()))
}

fn shorten_values(values: &mut Vec<Value>, longest: usize, most: usize) {
    values.iter_mut().for_each(|value| shorten_value(value, longest));
    // One stays, so that it is seen what they are like.
    if values.len() > most.max(1) {
        let rest = several(&values.split_off(most.max(1)));
        values.push(rest.value());
    }
}

/// A value of a change: text, or octets in base64.
fn shorten_value(value: &mut Value, longest: usize) {
    let octets = match &*value {
        Value::String(text) => text.clone().into_bytes(),
        Value::Object(object) => {
            let octets = object.get("base64").and_then(Value::as_str).and_then(|text| BASE64_STANDARD.decode(text).ok());
            octets.unwrap_or_default()
        }
        _ => return,
    };
    if octets.len() > longest {
        *value = LeftOut::of(&octets, None).value();
    }
}

/// All texts within.
fn shorten_texts(value: &mut Value, longest: usize, most: usize) {
    match value {
        Value::String(text) if text.len() > longest => *text = LeftOut::of(text.as_bytes(), None).text(),
        Value::Array(values) => {
            values.iter_mut().for_each(|value| shorten_texts(value, longest, most));
            if values.len() > most.max(1) {
                let rest = several(&values.split_off(most.max(1)));
                values.push(Value::String(rest.text()));
            }
        }
        Value::Object(object) => object.values_mut().for_each(|value| shorten_texts(value, longest, most)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::syslog::{EXAMPLE_ENTERPRISE, SyslogForm, SyslogSender};

    const FORMS: [SyslogForm; 4] = [SyslogForm::Json, SyslogForm::Cef, SyslogForm::StructuredData, SyslogForm::Dicom];

    fn sender() -> SyslogSender {
        SyslogSender { host: "h".repeat(300), version: "1", enterprise: EXAMPLE_ENTERPRISE }
    }

    fn found(record: &Value) -> FoundRecord {
        let line = record.to_string();
        FoundRecord { record: ReadRecord::parse(&line).unwrap(), line }
    }

    fn record() -> Value {
        json!({
            "v": 1, "seq": 7, "prev": "00".repeat(32), "time": 1000, "mono": 1, "boot": "b".repeat(36), "node": "n".repeat(36),
            "type": "modify", "result": 0, "peer": "10.1.2.3:4711", "actor": {"dn": "uid=zoë,dc=x", "uuid": "AAAA"},
            "target": {"dn": "uid=a,dc=x", "uuid": "BBBB"},
        })
    }

    #[test]
    fn a_photo_is_told_by_its_octets_and_their_hash_and_all_else_stays() {
        let photo = vec![0xff_u8; 200_000];
        let mut record = record();
        record["changes"] = json!([
            {"attr": "jpegPhoto", "op": "replace", "values": [{"base64": BASE64_STANDARD.encode(&photo)}]},
            {"attr": "title", "op": "replace", "values": ["Nurse", "x".repeat(9000)]},
        ]);
        let found = found(&record);
        let message = sender().message_within(&found, SyslogForm::Json, 8192);
        assert!(message.len() <= 8192);
        let short = ReadRecord::parse(&message[message.find('{').unwrap()..]).unwrap();
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&photo);
        let expected =
            crate::journal::query::ReadValue::LeftOut { count: None, octets: 200_000, sha256: to_hex(&sha256(context)) };
        assert_eq!(short.changes[0].values.as_deref(), Some(&[expected][..]));
        assert_eq!(short.changes[1].values.as_ref().unwrap()[0], crate::journal::query::ReadValue::Text("Nurse".to_owned()));
        assert_eq!((&short.target, &short.actor, short.sequence), (&found.record.target, &found.record.actor, 7));
        let shown = sender().message_within(&found, SyslogForm::StructuredData, 8192);
        assert!(shown.contains("jpegPhoto:= (200000 octets left out, SHA-256 ") && shown.contains("Nurse"), "{shown}");
        assert!(shown.contains(&format!("leaf=\"{}\"", found.leaf().to_hex())), "that of the whole record");
    }

    #[test]
    fn whatever_a_record_holds_it_gets_as_short_as_the_shortest_limit_in_every_form() {
        let mut heavy = record();
        let long = "ü\"]\\\u{1}".repeat(3000);
        let changes: Vec<Value> = (0..400)
            .map(
                |number| json!({"attr": format!("a{number}"), "op": "add", "values": [long.get(..200), number.to_string(), "z"]}),
            )
            .collect();
        heavy["changes"] = Value::from(changes.clone());
        heavy["effects"] = Value::from(changes);
        heavy["target"]["dn"] = Value::from(long.clone());
        heavy["reason"] = Value::from(long.clone());
        heavy["rule"] = Value::from(long.clone());
        heavy["details"] = json!({"question": long, "many": vec!["one"; 5000]});
        let found = found(&heavy);
        let mut lengths = Vec::new();
        for form in FORMS {
            for largest in [2048, 4096, 8192, 65_536] {
                let message = sender().message_within(&found, form, largest);
                assert!(message.len() <= largest, "{form:?}: {} of {largest}", message.len());
                assert!(!message.contains('\n'));
                lengths.push(message.len());
            }
            assert_eq!(sender().message_within(&found, form, usize::MAX), sender().message(&found, form));
        }
        assert!(lengths.iter().any(|length| *length > 10_000), "no more is left out than must be: {lengths:?}");
        for short in found.shortened() {
            assert_eq!(short.leaf(), found.leaf());
            assert_eq!((short.record.sequence, short.record.kind.as_str(), short.record.time), (7, "modify", 1000));
        }
    }

    #[test]
    fn lists_that_are_left_out_are_counted() {
        let mut record = record();
        let effects: Vec<Value> = (0..500)
            .map(|number| json!({"attr": "member", "op": "delete", "dn": format!("cn=group {number},dc=x"), "values": ["uid=a,dc=x"]}))
            .collect();
        record["effects"] = Value::from(effects.clone());
        let found = found(&record);
        let short = found.shortened().find(|short| short.line.len() <= 8192).unwrap();
        let kept = short.record.effects.len();
        assert!((1..500).contains(&kept));
        let rest = Value::from(&effects[kept..]).to_string();
        let told = short.record.detail("effectsLeftOut").unwrap();
        assert_eq!(told, LeftOut::of(rest.as_bytes(), Some(500 - kept)).text());
    }
}
