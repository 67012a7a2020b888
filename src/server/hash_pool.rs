//! The hash pool: as many threads as cores, below normal priority, so that a storm of binds does not slow searches down.

use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use super::fair_queue::FairQueue;
use crate::policy::password::{Argon2Parameters, HashAnswer, HashJob, Hasher};
use crate::policy::share::Origin;
use crate::world::Entropy;

/// Jobs that may wait; beyond that clients are told 51. On two cores the last in line waits some eight seconds, which is about what
/// clients wait before they give up.
pub const QUEUE: usize = 1024;
/// Which part of them may be of one address.
const PART_OF_ONE: usize = 4;
/// nice(2) value of the threads: any other work of the server goes first.
const NICENESS: i32 = 10;

/// The queue is full, or the pool is stopping.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the hash pool takes no more work")]
pub struct Busy;

/// The pool. Dropping it does what is queued and joins the threads.
pub struct HashPool {
    queue: Arc<FairQueue<Option<Origin>, Waiting>>,
    threads: Vec<JoinHandle<()>>,
    parameters: Arc<ArcSwap<Argon2Parameters>>,
}

struct Waiting {
    job: HashJob,
    answer: oneshot::Sender<HashAnswer>,
}

impl HashPool {
    /// Starts a thread for each core.
    pub fn start(parameters: Argon2Parameters, entropy: &Arc<dyn Entropy>) -> io::Result<HashPool> {
        let count = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        HashPool::start_with(count, QUEUE, parameters, entropy)
    }

    fn start_with(count: usize, queue: usize, parameters: Argon2Parameters, entropy: &Arc<dyn Entropy>) -> io::Result<HashPool> {
        let queue = Arc::new(FairQueue::new(queue, queue.div_ceil(PART_OF_ONE)));
        let parameters = Arc::new(ArcSwap::from_pointee(parameters));
        let mut threads = Vec::with_capacity(count);
        for number in 0..count {
            let (waiting, parameters, entropy) = (Arc::clone(&queue), Arc::clone(&parameters), Arc::clone(entropy));
            let thread = std::thread::Builder::new().name(format!("hash-{number}"));
            threads.push(thread.spawn(move || work(&waiting, &parameters, &*entropy))?);
        }
        Ok(HashPool { queue, threads, parameters })
    }

    /// Queues a job behind those of the same origin; origins take turns. An answer that nobody waits for any more is not computed.
    pub fn submit(&self, job: HashJob, origin: Option<Origin>) -> Result<oneshot::Receiver<HashAnswer>, Busy> {
        let (answer, receiver) = oneshot::channel();
        self.queue.put(origin, Waiting { job, answer }).map_err(|_| Busy)?;
        Ok(receiver)
    }

    /// Parameters of new hashes after a reload: for jobs begun from now on.
    pub fn set_parameters(&self, parameters: Argon2Parameters) {
        self.parameters.store(Arc::new(parameters));
    }
}

impl Drop for HashPool {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            // A thread ends by itself; a panic in it was caught and reported where it happened.
            let _ = thread.join();
        }
    }
}

fn work(waiting: &FairQueue<Option<Origin>, Waiting>, parameters: &ArcSwap<Argon2Parameters>, entropy: &dyn Entropy) {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "a thread of the hash pool keeps normal priority");
    }
    let mut current = **parameters.load();
    let mut hasher = Hasher::new(current);
    while let Some(Waiting { job, answer }) = waiting.take() {
        if answer.is_closed() {
            continue;
        }
        let wanted = **parameters.load();
        if wanted != current {
            current = wanted;
            hasher = Hasher::new(current);
        }
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        let answered = catch_unwind(AssertUnwindSafe(|| hasher.perform(&job, salt))).unwrap_or_else(|_| {
            tracing::error!(
                "verifying a password broke down by a fault of the server and was answered with 51; please report it"
            );
            hasher = Hasher::new(current);
            HashAnswer::Busy
        });
        // Fails only when the connection is gone.
        let _ = answer.send(answered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;
    use crate::server::world::SystemEntropy;

    const CHEAP: Argon2Parameters = Argon2Parameters { memory: 64, passes: 1, lanes: 1 };

    fn pool(threads: usize, queue: usize, parameters: Argon2Parameters) -> HashPool {
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::new());
        HashPool::start_with(threads, queue, parameters, &entropy).unwrap()
    }

    fn hash_job(text: &str) -> HashJob {
        HashJob::Hash { given: Secret::from(text.as_bytes()), salt: [1; 16] }
    }

    fn hashed(answer: HashAnswer) -> Secret {
        match answer {
            HashAnswer::Hashed(value) => value,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn hashes_and_verifies() {
        let pool = pool(2, 16, CHEAP);
        let stored = hashed(pool.submit(hash_job("secret"), None).unwrap().blocking_recv().unwrap());
        let job = HashJob::Verify { stored: vec![stored.clone()], given: Secret::from(b"secret".as_slice()) };
        let HashAnswer::Verified { matched, .. } = pool.submit(job, None).unwrap().blocking_recv().unwrap() else { panic!() };
        assert_eq!(matched, Some(stored));
    }

    #[test]
    fn a_full_queue_is_busy_and_everything_queued_is_done_before_the_pool_ends() {
        let pool = pool(1, 2, Argon2Parameters { memory: 19_456, passes: 8, lanes: 1 });
        let mut answers = Vec::new();
        let refused = (0..20).any(|_| match pool.submit(hash_job("secret"), None) {
            Ok(answer) => {
                answers.push(answer);
                false
            }
            Err(Busy) => true,
        });
        assert!(refused, "twenty jobs went into a queue of two");
        drop(pool);
        for mut answer in answers {
            hashed(answer.try_recv().unwrap());
        }
    }

    #[test]
    fn new_parameters_hold_from_the_next_job_on() {
        let pool = pool(1, 4, CHEAP);
        pool.set_parameters(Argon2Parameters { passes: 3, ..CHEAP });
        let value = hashed(pool.submit(hash_job("secret"), None).unwrap().blocking_recv().unwrap());
        assert!(value.expose().starts_with(b"{ARGON2}$argon2id$v=19$m=64,t=3,p=1$"));
    }

    #[test]
    fn threads_run_below_normal_priority() {
        let here = rustix::process::getpriority_process(None).unwrap();
        let other = std::thread::spawn(|| {
            rustix::process::setpriority_process(None, NICENESS).unwrap();
            rustix::process::getpriority_process(None).unwrap()
        });
        assert!(other.join().unwrap() >= NICENESS);
        assert_eq!(rustix::process::getpriority_process(None).unwrap(), here, "only the one thread");
    }
}
