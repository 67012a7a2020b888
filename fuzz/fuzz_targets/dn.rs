//! A name that is read can be written, and then reads as the same name.
#![no_main]

use bindery::model::{Dn, Rdn};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(dn) = Dn::parse(data) {
        assert_eq!(Dn::parse(dn.to_string().as_bytes()), Ok(dn));
    }
    if let Ok(rdn) = Rdn::parse(data) {
        assert_eq!(Rdn::parse(rdn.to_string().as_bytes()), Ok(rdn));
    }
});
