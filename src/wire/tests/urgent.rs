//! What cannot wait is found among what waits.

use bytes::BytesMut;
use proptest::prelude::*;

use super::{LIMIT, element, message};
use crate::protocol::{MessageId, Request};
use crate::wire::{Urgent, decode, decode_urgent};

fn delete() -> Vec<u8> {
    message(b"\x4a\x00")
}

fn abandon(id: u8) -> Vec<u8> {
    message(&[0x50, 1, id])
}

fn cancel(id: u8) -> Vec<u8> {
    let parts = [element(0x80, b"1.3.6.1.1.8"), element(0x81, &[0x30, 3, 2, 1, id])].concat();
    message(&element(0x77, &parts))
}

fn is_abandon_of(id: i32) -> impl Fn(&Request) -> bool {
    move |request| matches!(request, Request::Abandon(MessageId(abandoned)) if *abandoned == id)
}

#[test]
fn the_wanted_one_is_taken_and_the_others_stay_in_order() {
    let waiting = [delete(), cancel(3), abandon(4), delete(), abandon(5), delete()];
    let mut buffer = BytesMut::from(&waiting.concat()[..]);
    let Urgent::Taken(taken) = decode_urgent(&mut buffer, &mut 0, LIMIT, is_abandon_of(5)) else { panic!("not found") };
    assert!(is_abandon_of(5)(&taken.request));
    assert_eq!(&buffer[..], [delete(), cancel(3), abandon(4), delete(), delete()].concat());
    assert!(matches!(decode_urgent(&mut buffer, &mut 0, LIMIT, is_abandon_of(5)), Urgent::Later));
    let Urgent::Taken(taken) = decode_urgent(&mut buffer, &mut 0, LIMIT, |request| matches!(request, Request::Extended { .. }))
    else {
        panic!("not found")
    };
    assert!(matches!(taken.request, Request::Extended { .. }));
    assert_eq!(&buffer[..], [delete(), abandon(4), delete(), delete()].concat());
}

#[test]
fn what_was_passed_over_is_not_looked_at_again() {
    let mut buffer = BytesMut::from(&[abandon(1), delete(), abandon(2), abandon(3), abandon(2)].concat()[..]);
    let mut from = 0;
    assert!(matches!(decode_urgent(&mut buffer, &mut from, LIMIT, is_abandon_of(2)), Urgent::Taken(_)));
    assert_eq!(from, [abandon(1), delete()].concat().len());
    assert!(matches!(decode_urgent(&mut buffer, &mut from, LIMIT, is_abandon_of(2)), Urgent::Taken(_)));
    assert_eq!(&buffer[..], [abandon(1), delete(), abandon(3)].concat());
    assert_eq!(from, buffer.len());
    assert!(matches!(decode_urgent(&mut buffer, &mut from, LIMIT, is_abandon_of(1)), Urgent::Nothing));
}

#[test]
fn nothing_else_is_looked_at() {
    let other = message(&element(0x77, &element(0x80, b"1.3.6.1.1.80")));
    for waiting in [
        vec![],
        delete(),
        other,
        abandon(4)[..6].to_vec(),
        [delete(), vec![0x30]].concat(),
        b"\x30\x80\x02".to_vec(),
        [b"GET".to_vec(), abandon(4)].concat(),
    ] {
        let mut buffer = BytesMut::from(&waiting[..]);
        assert!(matches!(decode_urgent(&mut buffer, &mut 0, LIMIT, |_| true), Urgent::Nothing), "{waiting:02x?}");
        assert_eq!(&buffer[..], waiting);
    }
    let mut buffer = BytesMut::from(&[element(0x30, &[2, 1, 0, 0x50, 1, 4]), abandon(4)].concat()[..]);
    assert!(
        matches!(decode_urgent(&mut buffer, &mut 0, LIMIT, |_| true), Urgent::Taken(_)),
        "what is malformed is refused in its turn"
    );
}

proptest! {
    #[test]
    fn what_is_left_is_what_was_there_without_what_was_taken(
        waiting in proptest::collection::vec((0..4_u8, 1..6_u8), 0..12), wanted in 1..6_i32, cut in any::<prop::sample::Index>(),
    ) {
        let messages: Vec<Vec<u8>> = waiting.iter().map(|&(kind, id)| match kind {
            0 => delete(),
            1 => cancel(id),
            _ => abandon(id),
        }).collect();
        let whole = messages.concat();
        let mut buffer = BytesMut::from(&whole[..cut.index(whole.len() + 1)]);
        let before = buffer.to_vec();
        match decode_urgent(&mut buffer, &mut 0, LIMIT, is_abandon_of(wanted)) {
            Urgent::Taken(_) => prop_assert_eq!(buffer.len() + abandon(1).len(), before.len()),
            Urgent::Later | Urgent::Nothing => prop_assert_eq!(&buffer[..], &before[..]),
        }
        while let Ok(Some(_)) = decode(&mut buffer, LIMIT) {}
        prop_assert!(buffer.len() < 40, "whole messages are left");
    }
}
