//! The hash pool: as many threads as cores, which run when nothing else wants to, so that a storm of binds does not slow searches down.
//!
//! A thread of normal rank that wakes up takes the core from a thread of the pool at once (SCHED_IDLE); at mere low priority it would wait
//! for the end of a time slice, which is many searches long. Where everything else on the machine takes all cores the pool would stand
//! still: one more thread, of low priority, goes on for it.

use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
    thread_schedule_policy,
};
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
/// How long jobs wait without any being taken before the thread of low priority takes one: several runs of the hash.
const PATIENCE: Duration = Duration::from_millis(100);
/// nice(2) value of that thread: about a tenth of a core that is wanted by others.
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

/// Which jobs a thread takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Rank {
    /// Any, when a core has nothing else to do.
    Idle,
    /// Only while the others get no core.
    Rescue,
}

impl HashPool {
    /// Starts a thread for each core, and the one that goes on when those get none.
    pub fn start(parameters: Argon2Parameters, entropy: &Arc<dyn Entropy>) -> io::Result<HashPool> {
        let count = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        HashPool::start_with(std::iter::repeat_n(Rank::Idle, count).chain([Rank::Rescue]), QUEUE, parameters, entropy)
    }

    fn start_with(
        ranks: impl IntoIterator<Item = Rank>,
        queue: usize,
        parameters: Argon2Parameters,
        entropy: &Arc<dyn Entropy>,
    ) -> io::Result<HashPool> {
        let queue = Arc::new(FairQueue::new(queue, queue.div_ceil(PART_OF_ONE)));
        let parameters = Arc::new(ArcSwap::from_pointee(parameters));
        let mut threads = Vec::new();
        for (number, rank) in ranks.into_iter().enumerate() {
            let (waiting, parameters, entropy) = (Arc::clone(&queue), Arc::clone(&parameters), Arc::clone(entropy));
            let thread = std::thread::Builder::new().name(format!("hash-{number}"));
            threads.push(thread.spawn(move || rank.work(&waiting, &parameters, &*entropy))?);
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

impl Rank {
    /// Ranks the calling thread. Where the system does not let it, the thread works all the same.
    fn take(self) {
        let ranked = match self {
            Rank::Idle => {
                let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
                // Its second step sets the nice value to 0, which means nothing at this rank and may be refused.
                let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle);
                thread_schedule_policy().is_ok_and(|policy| policy == idle)
            }
            Rank::Rescue => false,
        };
        if !ranked && let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::warn!(%error, "a thread of the hash pool keeps normal priority");
        }
    }

    fn next(self, waiting: &FairQueue<Option<Origin>, Waiting>) -> Option<Waiting> {
        match self {
            Rank::Idle => waiting.take(),
            Rank::Rescue => waiting.take_stalled(PATIENCE),
        }
    }

    fn work(self, waiting: &FairQueue<Option<Origin>, Waiting>, parameters: &ArcSwap<Argon2Parameters>, entropy: &dyn Entropy) {
        self.take();
        let mut current = **parameters.load();
        let mut hasher = Hasher::new(current);
        while let Some(Waiting { job, answer }) = self.next(waiting) {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;
    use crate::server::world::SystemEntropy;

    const CHEAP: Argon2Parameters = Argon2Parameters { memory: 64, passes: 1, lanes: 1 };

    fn pool(threads: usize, queue: usize, parameters: Argon2Parameters) -> HashPool {
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::new());
        HashPool::start_with(std::iter::repeat_n(Rank::Idle, threads), queue, parameters, &entropy).unwrap()
    }

    fn hash_job(text: &str) -> HashJob {
        HashJob::Hash { given: Secret::from(text.as_bytes()), salt: [1; 16], beside: Vec::new() }
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
        let job = HashJob::verify(vec![stored.clone()], Secret::from(b"secret".as_slice()));
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
    fn threads_run_when_nothing_else_wants_to() {
        let policy = || (thread_schedule_policy().unwrap(), rustix::process::getpriority_process(None).unwrap());
        let here = policy();
        let ranked = |rank: Rank| {
            let thread = std::thread::spawn(move || {
                rank.take();
                policy()
            });
            thread.join().unwrap()
        };
        assert_eq!(ranked(Rank::Idle).0, ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle));
        assert!(ranked(Rank::Rescue).1 >= NICENESS);
        assert_eq!(policy(), here, "only the one thread");
    }

    #[test]
    fn the_pool_goes_on_when_no_core_is_idle() {
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::new());
        // No thread that waits for one.
        let pool = HashPool::start_with([Rank::Rescue], 4, CHEAP, &entropy).unwrap();
        hashed(pool.submit(hash_job("secret"), None).unwrap().blocking_recv().unwrap());
    }
}
