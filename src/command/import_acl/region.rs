//! The entries that a clause of slapd is about, by their names.

use crate::model::schema::Schema;
use crate::model::{Dn, Rdn};

/// The keys of a name's parts, the most general first.
type Place = Vec<Box<[u8]>>;

/// Which entries, seen from a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Extent {
    Base,
    One,
    Subtree,
    Children,
}

/// Entries by their names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Region {
    All,
    At(Extent, Place, String),
    /// It cannot be told; it may be any.
    Unknown,
}

impl Region {
    /// `place`: a name as it is written. None: it is no name.
    pub(super) fn new(schema: &Schema, extent: Extent, name: &str) -> Option<Region> {
        let dn = Dn::parse(name.as_bytes()).ok()?;
        match (extent, dn.is_empty()) {
            (Extent::Subtree | Extent::Children, true) => Some(Region::All),
            _ => Some(Region::At(extent, place(schema, &dn), dn.to_string())),
        }
    }

    /// Whether every entry of the other is in it.
    pub(super) fn contains(&self, other: &Region) -> bool {
        match (self, other) {
            (Region::All, _) => true,
            (Region::At(extent, place, _), Region::At(of_other, other, _)) => {
                let (at_or_below, below) = (other.starts_with(place), other.starts_with(place) && other.len() > place.len());
                match (extent, of_other) {
                    (Extent::Subtree, _) => at_or_below,
                    (Extent::Children, Extent::Children | Extent::One) => at_or_below,
                    (Extent::Children, Extent::Subtree | Extent::Base) => below,
                    (Extent::One, Extent::One) | (Extent::Base, Extent::Base) => other == place,
                    (Extent::One, Extent::Base) => below && other.len() == place.len().saturating_add(1),
                    (Extent::One | Extent::Base, _) => false,
                }
            }
            _ => false,
        }
    }

    /// Whether no entry is in both, for sure.
    pub(super) fn is_apart_from(&self, other: &Region) -> bool {
        let (Region::At(extent, place, _), Region::At(of_other, of, _)) = (self, other) else { return false };
        if !place.starts_with(of) && !of.starts_with(place) {
            return true;
        }
        match (extent, of_other) {
            (Extent::Base, _) => !other.contains(self),
            (_, Extent::Base) => !self.contains(other),
            (Extent::One, Extent::One) => place != of,
            (Extent::One, _) => of.len() > place.len().saturating_add(1),
            (_, Extent::One) => place.len() > of.len().saturating_add(1),
            _ => false,
        }
    }

    /// accessTarget and accessScope. None: it cannot be told.
    pub(super) fn target(&self, suffix: &Dn) -> Option<(String, &'static str)> {
        match self {
            Region::All => Some((suffix.to_string(), "sub")),
            Region::Unknown => None,
            Region::At(extent, _, name) => {
                let scope = match extent {
                    Extent::Base => "base",
                    Extent::One => "one",
                    Extent::Subtree => "sub",
                    Extent::Children => "children",
                };
                Some((name.clone(), scope))
            }
        }
    }

    /// What of it is at or below the suffix; None: nothing.
    pub(super) fn within(self, schema: &Schema, suffix: &Dn) -> Option<Region> {
        let whole = Region::At(Extent::Subtree, place(schema, suffix), suffix.to_string());
        match &self {
            Region::All | Region::Unknown => Some(self),
            _ if self.contains(&whole) => Some(Region::All),
            _ if self.is_apart_from(&whole) => None,
            _ if whole.contains(&self) => Some(self),
            // The suffix itself and something above it.
            _ => Some(Region::Unknown),
        }
    }
}

fn place(schema: &Schema, dn: &Dn) -> Place {
    dn.rdns.iter().rev().map(|rdn: &Rdn| schema.rdn_key(rdn).0).collect()
}
