//! Our decoder and encoder held against `ldap3_proto`'s.

use bytes::{Bytes, BytesMut};
use ldap3_proto::LdapCodec;
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapAddRequest, LdapBindCred, LdapBindRequest, LdapCompareRequest, LdapDerefAliases, LdapExtendedRequest, LdapFilter,
    LdapMatchingRuleAssertion, LdapModify, LdapModifyDNRequest, LdapModifyRequest, LdapModifyType, LdapMsg, LdapOp,
    LdapPartialAttribute, LdapResult as LdapResponse, LdapResultCode, LdapSearchRequest, LdapSearchScope, LdapSubstringFilter,
    SaslCredentials,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tokio_util::codec::{Decoder, Encoder};

use super::{LIMIT, oracle};
use crate::model::ResultCode;
use crate::protocol::{Control, LdapResult, Message, MessageId, Reply, Request, ResponseKind, ber};
use crate::wire::{decode, encode};

fn theirs(octets: &[u8]) -> Option<LdapMsg> {
    LdapCodec::new(Some(LIMIT), None).decode(&mut BytesMut::from(octets)).ok().flatten()
}

fn ours(octets: &[u8]) -> Option<Message> {
    decode(&mut BytesMut::from(octets), LIMIT).ok().flatten()
}

/// Octets that both take must mean the same to both.
fn agree(octets: &[u8]) {
    let (Some(ours), Some(theirs)) = (ours(octets), theirs(octets)) else { return };
    let Some(operation) = oracle::operation(&ours.request) else { return };
    assert_eq!((ours.id.0, &operation), (theirs.msgid, &theirs.op));
    if ours.request.response_kind().is_some() {
        assert_eq!(ours.controls.len(), theirs.ctrl.len());
        assert!(ours.controls.iter().zip(&theirs.ctrl).all(|(ours, theirs)| oracle::same_control(ours, theirs)));
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{0,4}=[a-zäß,\\\\ ]{0,8}", ".{0,12}", Just("x".repeat(300))]
}

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z][a-zA-Z0-9;-]{0,10}"
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..140)
}

fn leaf() -> impl Strategy<Value = LdapFilter> {
    let substrings = (option::of(text()), vec(text(), 0..3), option::of(text()))
        .prop_filter("substrings are never none at all", |(initial, any, last)| {
            initial.is_some() || !any.is_empty() || last.is_some()
        });
    prop_oneof![
        (name(), text()).prop_map(|(name, value)| LdapFilter::Equality(name, value)),
        (name(), text()).prop_map(|(name, value)| LdapFilter::GreaterOrEqual(name, value)),
        (name(), text()).prop_map(|(name, value)| LdapFilter::LessOrEqual(name, value)),
        (name(), text()).prop_map(|(name, value)| LdapFilter::Approx(name, value)),
        name().prop_map(LdapFilter::Present),
        (name(), substrings).prop_map(|(name, (initial, any, final_))| {
            LdapFilter::Substring(name, LdapSubstringFilter { initial, any, final_ })
        }),
        (option::of(name()), name(), text(), any::<bool>()).prop_map(|(matching_rule, type_, match_value, dn_attributes)| {
            LdapFilter::Extensible(LdapMatchingRuleAssertion { matching_rule, type_: Some(type_), match_value, dn_attributes })
        }),
    ]
}

fn filter() -> impl Strategy<Value = LdapFilter> {
    leaf().prop_recursive(6, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(LdapFilter::And),
            vec(inner.clone(), 0..4).prop_map(LdapFilter::Or),
            inner.prop_map(|inner| LdapFilter::Not(Box::new(inner))),
        ]
    })
}

fn attribute() -> impl Strategy<Value = LdapPartialAttribute> {
    (name(), vec(octets(), 0..4)).prop_map(|(atype, vals)| LdapPartialAttribute { atype, vals })
}

fn bind() -> impl Strategy<Value = LdapOp> {
    let credentials = prop_oneof![
        text().prop_map(LdapBindCred::Simple),
        (name(), octets()).prop_map(|(mechanism, credentials)| LdapBindCred::SASL(SaslCredentials { mechanism, credentials })),
    ];
    (1_i64..=127, text(), credentials).prop_map(|(version, dn, cred)| LdapOp::BindRequest(LdapBindRequest { version, dn, cred }))
}

fn search() -> impl Strategy<Value = LdapOp> {
    use LdapDerefAliases::{Always, FindingBaseObj, InSearching, Never};
    use LdapSearchScope::{Base, Children, OneLevel, Subtree};
    let scope = prop_oneof![Just(Base), Just(OneLevel), Just(Subtree), Just(Children)];
    let aliases = prop_oneof![Just(Never), Just(InSearching), Just(FindingBaseObj), Just(Always)];
    (text(), scope, aliases, 0..=i32::MAX, 0..=i32::MAX, any::<bool>(), filter(), vec(name(), 0..4)).prop_map(
        |(base, scope, aliases, sizelimit, timelimit, typesonly, filter, attrs)| {
            LdapOp::SearchRequest(LdapSearchRequest { base, scope, aliases, sizelimit, timelimit, typesonly, filter, attrs })
        },
    )
}

fn modify() -> impl Strategy<Value = LdapOp> {
    use LdapModifyType::{Add, Delete, Increment, Replace};
    let operation = prop_oneof![Just(Add), Just(Delete), Just(Replace), Just(Increment)];
    let change = (operation, attribute()).prop_map(|(operation, modification)| LdapModify { operation, modification });
    (text(), vec(change, 0..4)).prop_map(|(dn, changes)| LdapOp::ModifyRequest(LdapModifyRequest { dn, changes }))
}

fn operation() -> impl Strategy<Value = LdapOp> {
    prop_oneof![
        bind(),
        search(),
        modify(),
        Just(LdapOp::UnbindRequest),
        (text(), vec(attribute(), 0..4)).prop_map(|(dn, attributes)| LdapOp::AddRequest(LdapAddRequest { dn, attributes })),
        text().prop_map(LdapOp::DelRequest),
        (text(), text(), any::<bool>(), option::of(text())).prop_map(|(dn, newrdn, deleteoldrdn, new_superior)| {
            LdapOp::ModifyDNRequest(LdapModifyDNRequest { dn, newrdn, deleteoldrdn, new_superior })
        }),
        (text(), name(), octets()).prop_map(|(dn, atype, val)| LdapOp::CompareRequest(LdapCompareRequest { dn, atype, val })),
        (1..=i32::MAX).prop_map(LdapOp::AbandonRequest),
        ("[0-9.]{1,20}", option::of(octets()))
            .prop_map(|(name, value)| LdapOp::ExtendedRequest(LdapExtendedRequest { name, value })),
    ]
}

fn control() -> impl Strategy<Value = LdapControl> {
    ("9[0-9.]{1,20}", any::<bool>(), option::of(octets())).prop_map(|(oid, criticality, value)| LdapControl::Unknown {
        oid,
        criticality,
        value,
    })
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    (1..=i32::MAX, operation(), vec(control(), 0..4)).prop_map(|(msgid, op, ctrl)| {
        let mut octets = BytesMut::new();
        LdapCodec::default().encode(LdapMsg { msgid, op, ctrl }, &mut octets).unwrap();
        octets.to_vec()
    })
}

/// The same elements as odd but legal BER: lengths in more octets than needed, TRUE as any octet but 0, numbers with superfluous leading
/// octets. Each of `choices` decides about one element.
fn odd(octets: &[u8], choices: &mut impl Iterator<Item = u8>) -> Vec<u8> {
    let mut reader = ber::Reader::new(octets);
    let mut written = Vec::new();
    while !reader.is_empty() {
        let (tag, content) = reader.element().unwrap();
        let choice = choices.next().unwrap();
        let content = match tag {
            tag if tag.is_constructed() => odd(content, choices),
            ber::Tag::BOOLEAN if content != [0] => vec![choice.max(1)],
            ber::Tag::INTEGER | ber::Tag::ENUMERATED if content.len() < 8 && choice & 8 != 0 => {
                [&[if content[0] & 0x80 == 0 { 0 } else { 0xff }], content].concat()
            }
            _ => content.to_vec(),
        };
        let needed = (usize::BITS - content.len().leading_zeros()).div_ceil(8).max(1) as usize;
        let length = content.len().to_be_bytes();
        written.push(tag.0);
        match usize::from(choice % 5) {
            0 if content.len() < 0x80 => written.push(content.len() as u8),
            wanted => {
                let count = wanted.max(needed);
                written.push(0x80 | count as u8);
                written.extend_from_slice(&length[length.len() - count..]);
            }
        }
        written.extend(content);
    }
    written
}

fn result_code() -> impl Strategy<Value = ResultCode> {
    use ResultCode::{
        AdminLimitExceeded, AssertionFailed, Busy, CompareTrue, InvalidCredentials, InvalidDnSyntax, NoSuchObject,
        NotAllowedOnNonLeaf, Other, Success, UnwillingToPerform,
    };
    let codes = [
        Success,
        CompareTrue,
        AdminLimitExceeded,
        NoSuchObject,
        InvalidDnSyntax,
        InvalidCredentials,
        Busy,
        UnwillingToPerform,
        NotAllowedOnNonLeaf,
        Other,
        AssertionFailed,
    ];
    proptest::sample::select(codes.to_vec())
}

fn reply_controls() -> impl Strategy<Value = Vec<Control>> {
    let control = ("9[0-9.]{1,20}", any::<bool>(), option::of(octets()));
    vec(control.prop_map(|(oid, critical, value)| Control { oid, critical, value: value.map(Bytes::from) }), 0..3)
}

fn decoded_by_them(reply: &Reply, id: i32) -> LdapMsg {
    let mut octets = BytesMut::new();
    encode(MessageId(id), reply, &mut octets);
    theirs(&octets).expect("ldap3_proto reads what we send")
}

proptest! {
    #[test]
    fn requests_they_encode(octets in request()) {
        let message = ours(&octets).expect("a well-formed request is taken");
        prop_assert!(!matches!(message.request, Request::Malformed { .. }), "{:?}", message.request);
        prop_assert!(oracle::operation(&message.request).is_some());
        agree(&octets);
    }

    #[test]
    fn odd_but_legal_requests_mean_the_same(octets in request(), choices in vec(any::<u8>(), 1..40)) {
        let odd = odd(&octets, &mut choices.into_iter().cycle());
        let (plain, other) = (ours(&octets).unwrap(), ours(&odd).expect("legal BER is taken"));
        prop_assert_eq!(plain.id, other.id);
        prop_assert_eq!(oracle::operation(&plain.request), oracle::operation(&other.request));
        prop_assert_eq!(plain.controls, other.controls);
        agree(&odd);
    }

    #[test]
    fn requests_with_a_few_octets_changed(mut octets in request(), changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        for (place, octet) in changes {
            let place = place.index(octets.len());
            octets[place] = octet;
        }
        agree(&octets);
    }

    #[test]
    fn any_octets(octets in vec(any::<u8>(), 0..64)) {
        agree(&octets);
        agree(&[&[0x30, octets.len() as u8], &octets[..]].concat());
    }

    #[test]
    fn truncated_requests(octets in request(), place in any::<prop::sample::Index>()) {
        let end = place.index(octets.len());
        let mut buffer = BytesMut::from(&octets[..end]);
        prop_assert!(matches!(decode(&mut buffer, LIMIT), Ok(None)));
    }

    #[test]
    fn results_they_read(
        code in result_code(), matched in text(), diagnostic in text(), referral in vec("ldap://[a-z]{1,9}", 0..3), id in 0..=i32::MAX,
        controls in reply_controls(), extended_name in option::of("[0-9.]{1,20}"), extended_value in option::of(octets()),
    ) {
        let result = LdapResult { code, matched, diagnostic, referral };
        let reply = Reply::Result {
            kind: ResponseKind::Extended,
            result: result.clone(),
            sasl_credentials: None,
            extended_name: extended_name.clone(),
            extended_value: extended_value.clone().map(Bytes::from),
            controls: controls.clone(),
        };
        let message = decoded_by_them(&reply, id);
        let LdapOp::ExtendedResponse(response) = message.op else { panic!("another response") };
        prop_assert_eq!(message.msgid, id);
        prop_assert_eq!(response.res.code, LdapResultCode::try_from(i64::from(code.number())).unwrap());
        prop_assert_eq!((response.res.matcheddn, response.res.message), (result.matched, result.diagnostic));
        // It drops referrals on reading; `what_they_send_is_what_we_send` sees them.
        prop_assert_eq!((response.name, response.value), (extended_name, extended_value));
        prop_assert_eq!(message.ctrl.len(), controls.len());
        prop_assert!(controls.iter().zip(&message.ctrl).all(|(ours, theirs)| oracle::same_control(ours, theirs)));
    }

    #[test]
    fn what_they_send_is_what_we_send(
        code in result_code(), matched in text(), diagnostic in text(), referral in vec("ldap://[a-z]{1,9}", 0..3), id in 0..=i32::MAX,
    ) {
        let response = LdapResponse {
            code: LdapResultCode::try_from(i64::from(code.number())).unwrap(),
            matcheddn: matched.clone(),
            message: diagnostic.clone(),
            referral: referral.clone(),
        };
        let mut theirs = BytesMut::new();
        let message = LdapMsg { msgid: id, op: LdapOp::SearchResultDone(response), ctrl: Vec::new() };
        LdapCodec::default().encode(message, &mut theirs).unwrap();
        let mut ours = BytesMut::new();
        let result = LdapResult { code, matched, diagnostic, referral };
        encode(MessageId(id), &Reply::result(ResponseKind::SearchDone, result), &mut ours);
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn entries_they_read(dn in text(), attributes in vec(attribute(), 0..5), controls in reply_controls()) {
        let prepared = ber::encode(|writer| {
            for attribute in &attributes {
                writer.sequence(|parts| {
                    parts.octet_string(attribute.atype.as_bytes());
                    parts.set(|values| attribute.vals.iter().for_each(|value| values.octet_string(value)));
                });
            }
        });
        let message = decoded_by_them(&Reply::Entry { name: dn.clone(), attributes: prepared, controls }, 7);
        let LdapOp::SearchResultEntry(entry) = message.op else { panic!("no entry") };
        prop_assert_eq!((entry.dn, entry.attributes), (dn, attributes));
    }
}

#[test]
fn what_the_fuzzer_keeps() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/wire");
    let mut whole = 0;
    for seed in std::fs::read_dir(folder).unwrap() {
        let octets = std::fs::read(seed.unwrap().path()).unwrap();
        agree(&octets);
        whole += usize::from(ours(&octets).is_some_and(|message| !matches!(message.request, Request::Malformed { .. })));
    }
    assert!(whole >= 15, "the seeds are requests, only {whole} were read");
}
