//! `bindery.toml`: what was written (`raw`), then what it means, checked.
