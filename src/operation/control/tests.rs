//! Which controls are taken where, and what is refused.

use bytes::Bytes;

use super::*;

fn control(oid: &str, critical: bool, value: Option<&'static [u8]>) -> Control {
    Control { oid: oid.to_owned(), critical, value: value.map(Bytes::from_static) }
}

fn refused(kind: ResponseKind, controls: &[Control]) -> (ResultCode, String) {
    let result = decode(kind, controls, &Limits::default()).unwrap_err();
    (result.code, result.diagnostic)
}

#[test]
fn unknown_controls_are_refused_only_when_critical() {
    let (code, text) = refused(ResponseKind::Modify, &[control("1.2.3.4", true, None)]);
    assert_eq!((code, text.as_str()), (ResultCode::UnavailableCriticalExtension, "critical extension is not recognized"));
    assert!(decode(ResponseKind::Modify, &[control("1.2.3.4", false, None)], &Limits::default()).is_ok());
}

#[test]
fn known_controls_out_of_place_are_refused_only_when_critical() {
    let paged = |critical| control(oid::PAGED_RESULTS, critical, Some(&[0x30, 5, 2, 1, 1, 4, 0]));
    assert_eq!(refused(ResponseKind::Add, &[paged(true)]).0, ResultCode::UnavailableCriticalExtension);
    let ignored = decode(ResponseKind::Add, &[paged(false)], &Limits::default()).unwrap();
    assert!(ignored.paged.is_none());
    let taken = decode(ResponseKind::SearchDone, &[paged(true)], &Limits::default()).unwrap();
    assert_eq!(taken.paged, Some(PagedRequest { size: 1, cookie: Vec::new() }));
}

#[test]
fn twice_malformed_negative_and_too_many() {
    let manage = || control(oid::MANAGE_DSA_IT, false, None);
    let (code, text) = refused(ResponseKind::Delete, &[manage(), manage()]);
    assert_eq!((code, text.as_str()), (ResultCode::ProtocolError, "manageDSAit control specified multiple times"));
    let negative = control(oid::PAGED_RESULTS, true, Some(&[0x30, 5, 2, 1, 0xff, 4, 0]));
    assert_eq!(refused(ResponseKind::SearchDone, &[negative]).0, ResultCode::ProtocolError);
    for bad in [None, Some(&b""[..]), Some(&[0x30, 9][..]), Some(&[0x30, 5, 2, 1, 1, 4, 0, 0][..])] {
        assert_eq!(refused(ResponseKind::SearchDone, &[control(oid::PAGED_RESULTS, false, bad)]).0, ResultCode::ProtocolError);
    }
    let many: Vec<Control> = (0..11).map(|n| control(&format!("1.2.{n}"), false, None)).collect();
    assert_eq!(refused(ResponseKind::Delete, &many).0, ResultCode::AdminLimitExceeded);
}
