//! Where the attributes of an entry start in its block.

use crate::model::AttributeTypeId;

/// Where one attribute starts; it ends where the next one starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slot {
    pub(super) attribute_type: AttributeTypeId,
    pub(super) start: u32,
}

impl Slot {
    fn from_narrow((attribute_type, start): &(u16, u16)) -> Slot {
        Slot { attribute_type: AttributeTypeId(u32::from(*attribute_type)), start: u32::from(*start) }
    }
}

/// All of them. Two octets each for type and start are enough for nearly every entry, and there are millions of entries.
pub(super) enum Slots {
    Narrow(Box<[(u16, u16)]>),
    Wide(Box<[Slot]>),
}

impl Slots {
    pub(super) fn get(&self, position: usize) -> Option<Slot> {
        match self {
            Slots::Narrow(slots) => slots.get(position).map(Slot::from_narrow),
            Slots::Wide(slots) => slots.get(position).copied(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        let (narrow, wide): (&[(u16, u16)], &[Slot]) = match self {
            Slots::Narrow(slots) => (slots, &[]),
            Slots::Wide(slots) => (&[], slots),
        };
        narrow.iter().map(Slot::from_narrow).chain(wide.iter().copied())
    }
}

impl From<Vec<Slot>> for Slots {
    fn from(slots: Vec<Slot>) -> Slots {
        let narrow = |slot: &Slot| Some((u16::try_from(slot.attribute_type.0).ok()?, u16::try_from(slot.start).ok()?));
        match slots.iter().map(narrow).collect() {
            Some(narrow) => Slots::Narrow(narrow),
            None => Slots::Wide(slots.into_boxed_slice()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_narrow_or_wide() {
        let slot = |attribute_type, start| Slot { attribute_type: AttributeTypeId(attribute_type), start };
        for (last, is_narrow) in [(slot(65_535, 65_535), true), (slot(3, 65_536), false), (slot(65_536, 3), false)] {
            let slots = vec![slot(0, 0), slot(7, 12), last];
            let kept = Slots::from(slots.clone());
            assert_eq!(matches!(kept, Slots::Narrow(_)), is_narrow);
            assert_eq!(kept.iter().collect::<Vec<_>>(), slots);
            assert_eq!((kept.get(2), kept.get(3)), (Some(last), None));
        }
        assert_eq!(Slots::from(Vec::new()).iter().count(), 0);
    }
}
