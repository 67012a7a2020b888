//! A filter that is read can be written, and then reads as the same filter.
#![no_main]

use bindery::model::Filter;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(filter) = Filter::parse(data) {
        assert_eq!(Filter::parse(filter.to_string().as_bytes()), Ok(filter));
    }
});
