//! Groups that stand side by side in a file.

use super::index::Place;

/// Octets of neighbouring groups that are read together.
const RUN_OCTETS: u64 = 1024 * 1024;

/// Neighbours that are read together, in the order in which they are wanted.
pub(super) fn runs(places: &[Place], backwards: bool) -> Vec<&[Place]> {
    let mut runs = Vec::new();
    let mut rest = places;
    while let Some(front) = rest.first() {
        let joins = |pair: &[Place]| match pair {
            [before, place] => {
                before.offset + u64::from(before.length) == place.offset
                    && place.offset + u64::from(place.length) - front.offset <= RUN_OCTETS
            }
            _ => false,
        };
        let length = 1 + rest.windows(2).take_while(|pair| joins(pair)).count();
        let Some((run, behind)) = rest.split_at_checked(length) else { break };
        runs.push(run);
        rest = behind;
    }
    if backwards {
        runs.reverse();
    }
    runs
}
