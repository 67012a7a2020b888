//! What the machine itself can do, as bounds for what servers do on it.

use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::Failure;

/// Argon2id at OWASP's cost on all cores, memory reused: one line.
pub(crate) fn argon2(seconds: f64) -> Result<String, Failure> {
    let cores = std::thread::available_parallelism()?.get();
    let (start, time) = (Instant::now(), Duration::from_secs_f64(seconds));
    let counts: Vec<Result<u64, String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(move || hash_until(start + time))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a thread broke down".to_owned()))).collect()
    });
    let hashed: u64 = counts.into_iter().sum::<Result<u64, String>>()?;
    let rate = hashed as f64 / start.elapsed().as_secs_f64();
    Ok(format!("server=machine workload=argon2 operations_per_second={rate:.1}"))
}

fn hash_until(end: Instant) -> Result<u64, String> {
    let params = Params::new(19_456, 2, 1, Some(32)).map_err(|error| error.to_string())?;
    let mut memory = vec![Block::new(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let (mut hash, mut count) = ([0; 32], 0);
    while Instant::now() < end {
        argon2
            .hash_password_into_with_memory(b"bench-password", b"sixteen octets..", &mut hash, &mut memory)
            .map_err(|error| error.to_string())?;
        count += 1;
    }
    Ok(count)
}
