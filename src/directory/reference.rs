//! The attributes whose values are references to entries: the schema flags them `X-INTEGRITY`, and they are kept as memberships are.

use std::sync::{PoisonError, RwLock};

/// One of them, by its object identifier, which outlives every renaming of the schema. It stands for the identifier as a small number
/// that holds within this process only, because there is one in every key of the membership set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReferenceAttribute(u16);

/// The object identifiers seen so far. They come from schema definitions and stored rows, and there are few.
static IDENTIFIERS: RwLock<Vec<&'static str>> = RwLock::new(Vec::new());

/// Octets of the longest object identifier.
const LONGEST: usize = 256;

impl ReferenceAttribute {
    /// The attribute with this object identifier; none for one longer than 256 octets, or when 65,536 others are known.
    pub fn new(oid: &str) -> Option<ReferenceAttribute> {
        if oid.len() > LONGEST {
            return None;
        }
        let place = |known: &[&str]| known.iter().position(|known| *known == oid);
        let found = place(&IDENTIFIERS.read().unwrap_or_else(PoisonError::into_inner));
        let place = match found {
            Some(place) => place,
            None => {
                let mut known = IDENTIFIERS.write().unwrap_or_else(PoisonError::into_inner);
                // Another thread may have been quicker.
                place(&known).unwrap_or_else(|| {
                    if known.len() <= usize::from(u16::MAX) {
                        known.push(Box::leak(oid.to_owned().into_boxed_str()));
                    }
                    known.len() - 1
                })
            }
        };
        let number = u16::try_from(place).ok()?;
        Some(ReferenceAttribute(number)).filter(|reference| reference.oid() == oid)
    }

    /// The object identifier.
    pub fn oid(self) -> &'static str {
        let known = IDENTIFIERS.read().unwrap_or_else(PoisonError::into_inner);
        known.get(usize::from(self.0)).copied().unwrap_or_default()
    }
}

impl std::fmt::Debug for ReferenceAttribute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.oid())
    }
}

#[cfg(test)]
mod tests {
    use super::ReferenceAttribute;

    #[test]
    fn equal_identifiers_are_one_attribute() {
        let (first, second) = (ReferenceAttribute::new("1.2.3").unwrap(), ReferenceAttribute::new("1.2.4").unwrap());
        assert_eq!(first, ReferenceAttribute::new("1.2.3").unwrap());
        assert_ne!(first, second);
        assert_eq!((first.oid(), second.oid()), ("1.2.3", "1.2.4"));
        assert_eq!(ReferenceAttribute::new(&"1".repeat(257)), None);
    }
}
