//! How names are compared in questions: so that each way of writing one finds what any other would.

use std::borrow::Cow;

use crate::model::schema::folded;
use crate::model::{Dn, Rdn, Value};

/// Other ways of writing the attribute types that names are made of (RFC 4519, RFC 4514 section 3, PKCS #9).
const TYPES: [(&str, &[&str]); 12] = [
    ("cn", &["commonname", "2.5.4.3"]),
    ("sn", &["surname", "2.5.4.4"]),
    ("serialnumber", &["2.5.4.5"]),
    ("c", &["countryname", "2.5.4.6"]),
    ("l", &["localityname", "2.5.4.7"]),
    ("st", &["stateorprovincename", "2.5.4.8"]),
    ("street", &["streetaddress", "2.5.4.9"]),
    ("o", &["organizationname", "2.5.4.10"]),
    ("ou", &["organizationalunitname", "2.5.4.11"]),
    ("uid", &["userid", "0.9.2342.19200300.100.1.1"]),
    ("dc", &["domaincomponent", "0.9.2342.19200300.100.1.25"]),
    ("mail", &["rfc822mailbox", "0.9.2342.19200300.100.1.3"]),
];

/// The one way of writing an attribute type that has several; none: it is not known here.
pub fn standard_type(spelled: &str) -> Option<&'static str> {
    let spelled = spelled.to_lowercase();
    let spelled = spelled.strip_prefix("oid.").unwrap_or(&spelled);
    TYPES.iter().find(|(name, others)| *name == spelled || others.contains(&spelled)).map(|(name, _)| *name)
}

fn plain_text(value: &[u8]) -> String {
    folded(value).unwrap_or_else(|| String::from_utf8_lossy(value).to_lowercase())
}

fn plain_rdn(rdn: &mut Rdn) {
    for part in &mut rdn.parts {
        let standard = standard_type(&part.attribute_type).map(Cow::from);
        part.attribute_type = standard.unwrap_or_else(|| Cow::from(part.attribute_type.to_lowercase())).into_owned();
        part.value = Value::from(plain_text(&part.value).into_bytes());
    }
    rdn.parts.sort_by(|one, other| (&one.attribute_type, &one.value).cmp(&(&other.attribute_type, &other.value)));
}

/// A name without what means nothing: case, spaces, ways of escaping and of writing attribute types, the order of an RDN's parts. Anything else
/// as text.
pub(super) fn plain_name(name: &str) -> String {
    match Dn::parse(name.as_bytes()) {
        Ok(mut dn) => {
            dn.rdns.iter_mut().for_each(plain_rdn);
            dn.to_string()
        }
        Err(_) => plain_text(name.as_bytes()),
    }
}

/// The ways in which an entry is asked for: its name, the value that names it, its entryUUID. Nobody is the empty text.
pub(super) fn keys_of(dn: &str, uuid: Option<&str>) -> Vec<String> {
    let mut keys = vec![plain_name(dn)];
    if let Ok(parsed) = Dn::parse(dn.as_bytes())
        && let Some(part) = parsed.rdns.first().and_then(|rdn| rdn.parts.first())
    {
        keys.push(plain_text(&part.value));
    }
    keys.extend(uuid.map(str::to_lowercase));
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_writing_a_name_is_one_name() {
        let ways = [
            "cn=Zo\u{eb}  de Boer+uid=a\\2Cb, OU=People,dc=x",
            "UID=A\\,B + CommonName=zo\\C3\\AB de boer,ou=people , DC=X",
            "2.5.4.3=ZO\u{cb} DE BOER\\20+0.9.2342.19200300.100.1.1=a\\,b,oid.2.5.4.11=people,domainComponent=x",
        ];
        for way in ways {
            assert_eq!(plain_name(way), plain_name(ways[0]), "{way}");
        }
        assert_ne!(plain_name("cn=a,dc=x"), plain_name("cn=a\\,dc=x"));
        assert_ne!(plain_name("cn=a,dc=x"), plain_name("sn=a,dc=x"));
        assert_eq!((plain_name(""), plain_name("J  Doe")), (String::new(), "j doe".to_owned()));
        assert_eq!(keys_of("uid=J  Doe,dc=x", Some("AB")), ["uid=j doe,dc=x", "j doe", "ab"]);
    }
}
