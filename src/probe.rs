//! probe
#![allow(missing_docs, clippy::print_stderr)]
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
static LIVE: AtomicUsize = AtomicUsize::new(0);
static SIZES: [AtomicUsize; 64] = [const { AtomicUsize::new(0) }; 64];
fn slot(n: usize) -> usize { if n <= 1024 { n.div_ceil(32) } else { (34 + (n / 1024).ilog2() as usize).min(63) } }
pub fn add(n: usize) { LIVE.fetch_add(n, Relaxed); if let Some(s) = SIZES.get(slot(n)) { s.fetch_add(n, Relaxed); } }
pub fn sub(n: usize) { LIVE.fetch_sub(n, Relaxed); if let Some(s) = SIZES.get(slot(n)) { s.fetch_sub(n, Relaxed); } }
pub fn tell(what: &str) { eprintln!("LIVE {what} {} KB", LIVE.load(Relaxed) / 1024); }
pub fn sizes() { for (i, s) in SIZES.iter().enumerate() { let n = s.load(Relaxed); if n > 1 << 20 { eprintln!("SIZE {} : {} KB", if i <= 33 { format!("<= {}", i * 32) } else { format!("{} KB", 1 << (i - 34)) }, n / 1024); } } }
