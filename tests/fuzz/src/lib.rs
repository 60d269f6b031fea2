//! Runs a decoder on inputs that began as real encodings and were changed, and holds it to its
//! promises: it never panics, what it accepts it encodes to the same bytes, and it allocates within
//! a bound that its input's length gives. Every input follows from a seed and a number, so that a
//! run can be repeated; an input that breaks a promise is made smaller, written to a file, and
//! replayed from there by name. Inputs that once failed are kept in `corpus` and always run.
//!
//! ```text
//! cargo test -p heatmark-fuzz                                  a short run of each target
//! HEATMARK_FUZZ_MS=600000 cargo test -p heatmark-fuzz receipt  ten minutes of one
//! HEATMARK_FUZZ_SEED=7 …                                       other inputs
//! HEATMARK_FUZZ_REPLAY=FILE cargo test -p heatmark-fuzz receipt
//! ```

mod chance;
mod mutate;

pub use chance::Chance;
pub use mutate::{Shape, mutate};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations are counted for the whole process, so that targets run one at a time.
static TURN: Mutex<()> = Mutex::new(());

/// How long each target runs in the check, in milliseconds.
const SHORT_MS: u64 = 700;
/// Inputs that a short run stops at, whatever the time.
const SHORT_INPUTS: u64 = 20_000;

/// How often an excess is measured before it counts.
const MEASURED: usize = 30;
const MEASURE_PAUSE: Duration = Duration::from_millis(50);

/// Decodes an input, and tells whether it accepted.
pub type Decoder = dyn Fn(&[u8]) -> bool;

/// A decoder and what is expected of it.
pub struct Target {
    /// Name of its corpus and of its failures.
    pub name: &'static str,
    /// How inputs are put together.
    pub shape: Shape,
    /// Longest input tried, in bytes.
    pub max_bytes: usize,
    /// What may be allocated for an input: so many bytes for each of its bytes, and so many more.
    pub may_allocate: (usize, usize),
    /// Real encodings; the decoder must accept each of them.
    pub seeds: Vec<Vec<u8>>,
    /// Decodes, and tells whether it accepted. Panics when a promise is broken.
    pub run: Box<Decoder>,
}

impl Target {
    /// A target with bounds that suit most.
    #[must_use]
    pub fn new(
        name: &'static str,
        seeds: Vec<Vec<u8>>,
        run: impl Fn(&[u8]) -> bool + 'static,
    ) -> Self {
        Self {
            name,
            shape: Shape::Message,
            max_bytes: 64 << 10,
            may_allocate: (48, 64 << 10),
            seeds,
            run: Box::new(run),
        }
    }

    /// The same for inputs of another shape.
    #[must_use]
    pub fn of(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    /// The same with another bound on allocations: bytes a byte of input, and bytes beyond.
    #[must_use]
    pub fn may_allocate(mut self, a_byte: usize, beyond: usize) -> Self {
        self.may_allocate = (a_byte, beyond);
        self
    }

    /// Runs the corpus, the seeds, and inputs made of them, for as long as is asked for.
    ///
    /// # Panics
    /// When the decoder breaks a promise; the message says how to replay it.
    pub fn fuzz(self) {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = std::env::var_os("HEATMARK_FUZZ_REPLAY") {
            let input = std::fs::read(&file).expect("the file to replay can be read");
            self.check(&input);
            return;
        }
        // The first run fills what is made once.
        for seed in &self.seeds {
            assert!((self.run)(seed), "{}: a real encoding is refused", self.name);
        }
        for input in self.seeds.iter().chain(&self.corpus()) {
            self.try_input(input);
        }
        self.explore();
    }

    fn explore(&self) {
        let short = std::env::var_os("HEATMARK_FUZZ_MS").is_none();
        let limit = Duration::from_millis(number("HEATMARK_FUZZ_MS").unwrap_or(SHORT_MS));
        let seed = number("HEATMARK_FUZZ_SEED").unwrap_or(0);
        let most = if short { SHORT_INPUTS } else { u64::MAX };
        // Accepted inputs become ancestors: from them more of the decoder is reached.
        let mut pool = self.seeds.clone();
        let (begun, mut count) = (Instant::now(), 0_u64);
        while count < most && begun.elapsed() < limit {
            let mut chance = Chance::new(seed, self.name, count);
            let mut input = mutate(&mut chance, self.shape, &pool);
            input.truncate(self.max_bytes);
            if self.try_input(&input) && pool.len() < 256 && !pool.contains(&input) {
                pool.push(input);
            }
            count = count.saturating_add(1);
        }
    }

    fn corpus(&self) -> Vec<Vec<u8>> {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(self.name);
        let Ok(entries) = std::fs::read_dir(place) else { return Vec::new() };
        let files = entries.filter_map(|entry| std::fs::read(entry.ok()?.path()).ok());
        files.collect()
    }

    /// Panics as the target does, or when it allocates too much. Measured again and again before that
    /// is said: the test that runs next allocates its seeds meanwhile.
    fn check(&self, input: &[u8]) -> bool {
        let (a_byte, beyond) = self.may_allocate;
        let most = input.len().saturating_mul(a_byte).saturating_add(beyond);
        let mut allocated = usize::MAX;
        for _ in 0..MEASURED {
            let region = Region::new(ALLOCATOR);
            let accepted = (self.run)(input);
            allocated = allocated.min(region.change().bytes_allocated);
            if allocated <= most {
                return accepted;
            }
            std::thread::sleep(MEASURE_PAUSE);
        }
        assert!(
            allocated <= most,
            "{allocated} bytes allocated for {} bytes of input, {most} at most",
            input.len(),
        );
        false
    }

    fn try_input(&self, input: &[u8]) -> bool {
        match self.outcome(input) {
            Ok(accepted) => accepted,
            Err(_) => self.fail(input),
        }
    }

    fn outcome(&self, input: &[u8]) -> std::thread::Result<bool> {
        catch_unwind(AssertUnwindSafe(|| self.check(input)))
    }

    #[allow(clippy::panic, reason = "this is how a test fails")]
    fn fail(&self, input: &[u8]) -> ! {
        let small = self.smaller(input.to_vec());
        let file = self.keep(&small);
        panic!(
            "{} broke a promise on {} bytes; replay: HEATMARK_FUZZ_REPLAY={} cargo test -p \
             heatmark-fuzz {}; then keep the file in tests/fuzz/corpus/{}",
            self.name,
            small.len(),
            file.display(),
            self.name,
            self.name,
        )
    }

    /// Leaves out pieces for as long as the input still fails.
    fn smaller(&self, mut input: Vec<u8>) -> Vec<u8> {
        let mut piece = input.len() / 2;
        while piece > 0 {
            let mut at = 0;
            while at < input.len() {
                let mut fewer = input.clone();
                fewer.drain(at..at.saturating_add(piece).min(input.len()));
                if self.outcome(&fewer).is_err() {
                    input = fewer;
                } else {
                    at = at.saturating_add(piece);
                }
            }
            piece /= 2;
        }
        input
    }

    fn keep(&self, input: &[u8]) -> PathBuf {
        let name = format!("heatmark-fuzz-{}-{}", self.name, std::process::id());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, input).expect("the failing input can be written");
        file
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
