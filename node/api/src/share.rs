//! How much of the node one member holds, over all of its connections: requests at once, requests a
//! second, refusals a second, bytes. Every limit is a member's own, so that nobody's use keeps
//! another out; bytes are bounded for all together as well. Refuses with a hint when to try again.
//!
//! Bytes are counted from the moment a request's message arrives or an answer is made, until the
//! request ends and its answer was written to the socket: what a client does not read stays on its
//! account, whatever windows it grants.

use crate::config::ApiLimits;
use crate::refusal::busy;
use heatmark_ledger::ids::MemberId;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tonic::Status;

/// Shares of all members that ever connected: one small entry each, and members are few.
#[derive(Debug)]
pub(crate) struct Shares {
    limits: ApiLimits,
    connections: AtomicUsize,
    held: AtomicUsize,
    members: Mutex<BTreeMap<MemberId, Arc<Share>>>,
}

impl Shares {
    pub(crate) fn new(limits: ApiLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            connections: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            members: Mutex::default(),
        })
    }

    /// A place for a connection of this member; none when it, or everybody, has too many.
    pub(crate) fn connect(self: &Arc<Self>, member: MemberId) -> Option<Arc<Flow>> {
        let all = Place::take(&self.connections, self.limits.max_connections)?;
        let share = Arc::clone(lock(&self.members).entry(member).or_insert_with(|| {
            Arc::new(Share {
                all: Arc::clone(self),
                connections: AtomicUsize::new(0),
                requests: AtomicUsize::new(0),
                streams: AtomicUsize::new(0),
                held: AtomicUsize::new(0),
                rate: Bucket::new(self.limits.max_member_requests_per_s),
                refusals: Bucket::new(self.limits.max_member_refusals_per_s),
            })
        }));
        let own = Place::take(&share.connections, self.limits.max_member_connections)?;
        all.keep();
        own.keep();
        Some(Arc::new(Flow { share, unwritten: AtomicUsize::new(0), answers: Mutex::default() }))
    }
}

/// One member's use of the node.
#[derive(Debug)]
pub(crate) struct Share {
    all: Arc<Shares>,
    connections: AtomicUsize,
    requests: AtomicUsize,
    streams: AtomicUsize,
    held: AtomicUsize,
    rate: Bucket,
    refusals: Bucket,
}

impl Share {
    /// Begins a request.
    pub(crate) fn begin(self: &Arc<Self>) -> Result<Request, Status> {
        let limits = &self.all.limits;
        if let Some(wait) = self.rate.take() {
            return Err(busy("rate", "too many requests a second", wait));
        }
        let place = Place::take(&self.requests, limits.max_member_requests)
            .ok_or_else(|| busy("too-many-requests", "too many requests at once", SOON))?;
        if self.is_full() {
            return Err(full());
        }
        place.keep();
        Ok(Request { share: Arc::clone(self), bytes: AtomicUsize::new(0), passing: false })
    }

    /// Begins a stream of blocks.
    pub(crate) fn stream(self: &Arc<Self>) -> Result<StreamPlace, Status> {
        let most = self.all.limits.max_member_block_streams;
        let message = "too many streams of blocks; try again later";
        Place::take(&self.streams, most).ok_or_else(|| busy("busy", message, LATER))?.keep();
        Ok(StreamPlace(Arc::clone(self)))
    }

    /// Whether the member submitted so much that no honest program submits, and for how long it is
    /// not listened to.
    pub(crate) fn may_submit(&self) -> Result<(), Status> {
        let message = "too many invalid transactions; check the program that signs them";
        self.refusals.wait().map_or(Ok(()), |wait| Err(busy("too-many-refused", message, wait)))
    }

    /// Counts a transaction that no honest program submits.
    pub(crate) fn refused(&self) {
        let _ = self.refusals.take();
    }

    fn is_full(&self) -> bool {
        let limits = &self.all.limits;
        self.held.load(Ordering::Relaxed) >= limits.max_member_held_bytes
            || self.all.held.load(Ordering::Relaxed) >= limits.max_held_bytes
    }

    /// Puts bytes on the account; false when there is no room, and then nothing was put on it.
    fn hold(&self, bytes: usize) -> bool {
        let limits = &self.all.limits;
        if !add(&self.held, bytes, limits.max_member_held_bytes) {
            return false;
        }
        if !add(&self.all.held, bytes, limits.max_held_bytes) {
            subtract(&self.held, bytes);
            return false;
        }
        true
    }

    fn let_go(&self, bytes: usize) {
        subtract(&self.held, bytes);
        subtract(&self.all.held, bytes);
    }
}

/// A request under way, until its answer's last byte is handed over.
#[derive(Debug)]
pub(crate) struct Request {
    share: Arc<Share>,
    bytes: AtomicUsize,
    passing: bool,
}

impl Request {
    /// How long the next bytes of it are waited for.
    pub(crate) fn patience(&self) -> Duration {
        self.share.all.limits.stall_timeout
    }

    /// A publication or a deposit: files pass through it, as many as its own bound lets wait.
    pub(crate) fn passing(mut self) -> Self {
        self.passing = true;
        self
    }

    /// Counts bytes of the request itself.
    pub(crate) fn received(&self, bytes: usize) -> Result<(), Status> {
        if self.passing {
            return Ok(());
        }
        if !self.share.hold(bytes) {
            return Err(full());
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.share.let_go(self.bytes.load(Ordering::Relaxed));
        subtract(&self.share.requests, 1);
    }
}

/// A member's stream of blocks.
#[derive(Debug)]
pub(crate) struct StreamPlace(Arc<Share>);

impl Drop for StreamPlace {
    fn drop(&mut self) {
        subtract(&self.0.streams, 1);
    }
}

/// What goes through one connection: bytes made for it and not yet written, and answers that wait
/// for the client to take more.
#[derive(Debug)]
pub(crate) struct Flow {
    share: Arc<Share>,
    unwritten: AtomicUsize,
    answers: Mutex<Answers>,
}

#[derive(Debug, Default)]
struct Answers {
    /// When bytes of an answer last went out, or began to wait.
    went_out: Option<Instant>,
    next: u64,
    /// Since when each waits.
    waiting: BTreeMap<u64, Instant>,
}

impl Flow {
    pub(crate) fn share(&self) -> &Arc<Share> {
        &self.share
    }

    /// Counts bytes made for the client.
    pub(crate) fn made(&self, bytes: usize) -> Result<(), Status> {
        if self.share.hold(bytes) { Ok(()) } else { Err(full()) }
    }

    /// Bytes made were handed to the protocol, and wait for the socket.
    pub(crate) fn passed(&self, bytes: usize) {
        if bytes > 0 && self.unwritten.fetch_add(bytes, Ordering::Relaxed) == 0 {
            lock(&self.answers).went_out = Some(Instant::now());
        }
    }

    /// Bytes made were thrown away.
    pub(crate) fn dropped(&self, bytes: usize) {
        self.share.let_go(bytes);
    }

    /// Counts bytes written to the client; frames of the protocol among them never make a credit.
    pub(crate) fn written(&self, bytes: usize) {
        let of_answers = subtract(&self.unwritten, bytes);
        if of_answers > 0 {
            self.share.let_go(of_answers);
            if bytes >= PROGRESS_BYTES {
                lock(&self.answers).went_out = Some(Instant::now());
            }
        }
    }

    /// A number for an answer that waits from now on.
    pub(crate) fn answer(&self) -> u64 {
        let mut answers = lock(&self.answers);
        let number = answers.next;
        answers.next = number.wrapping_add(1);
        answers.waiting.insert(number, Instant::now());
        number
    }

    /// The client takes more of an answer, or the answer ends.
    pub(crate) fn taken(&self, number: u64) {
        lock(&self.answers).waiting.remove(&number);
    }

    /// Something of an answer waits to be taken.
    pub(crate) fn waits(&self, number: u64) {
        lock(&self.answers).waiting.insert(number, Instant::now());
    }

    /// Whether some answer waited longer than this.
    pub(crate) fn is_stalled(&self, limit: Duration) -> bool {
        let answers = lock(&self.answers);
        let late = |since: &Instant| since.elapsed() >= limit;
        let unwritten = self.unwritten.load(Ordering::Relaxed) > RESIDUE_BYTES;
        answers.waiting.values().any(late) || (unwritten && answers.went_out.iter().any(late))
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.share.let_go(self.unwritten.load(Ordering::Relaxed));
        subtract(&self.share.connections, 1);
        subtract(&self.share.all.connections, 1);
    }
}

/// Writes shorter than this are the protocol's own: pings and the like, which go out to a client
/// that takes nothing else as well.
const PROGRESS_BYTES: usize = 64;

/// Less than this may stay unwritten for as long as the connection stands: an answer that its client
/// gave up was thrown away by the protocol, which does not say so.
const RESIDUE_BYTES: usize = 64 << 10;

const SOON: Duration = Duration::from_millis(100);
const LATER: Duration = Duration::from_secs(5);

fn full() -> Status {
    busy("unread", "too much waits to be read or sent by this member's clients", LATER)
}

/// One of a number of places; given back unless kept.
struct Place<'c>(&'c AtomicUsize);

impl<'c> Place<'c> {
    fn take(taken: &'c AtomicUsize, most: usize) -> Option<Self> {
        add(taken, 1, most).then_some(Self(taken))
    }

    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        subtract(self.0, 1);
    }
}

fn add(count: &AtomicUsize, more: usize, most: usize) -> bool {
    let within = |now: usize| now.checked_add(more).filter(|sum| *sum <= most);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).is_ok()
}

/// Subtracts what is there at most, and tells how much that was.
fn subtract(count: &AtomicUsize, less: usize) -> usize {
    let rest = |now: usize| Some(now.saturating_sub(less));
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest).map_or(0, |now| now.min(less))
}

/// Lets through a rate, and twice as much of it at once.
#[derive(Debug)]
struct Bucket {
    per_s: u64,
    level: Mutex<(u64, Instant)>,
}

impl Bucket {
    fn new(per_s: u32) -> Self {
        let per_s = u64::from(per_s);
        Self { per_s, level: Mutex::new((per_s.saturating_mul(2_000), Instant::now())) }
    }

    /// Takes one; or tells how long until there is one.
    fn take(&self) -> Option<Duration> {
        let mut level = self.filled();
        match level.0.checked_sub(1_000) {
            Some(rest) => {
                level.0 = rest;
                None
            }
            None => Some(self.until_one(level.0)),
        }
    }

    /// How long until there is one; nothing when there is.
    fn wait(&self) -> Option<Duration> {
        let level = self.filled();
        (level.0 < 1_000).then(|| self.until_one(level.0))
    }

    /// Thousandths, with what came in since.
    fn filled(&self) -> MutexGuard<'_, (u64, Instant)> {
        let mut level = lock(&self.level);
        let elapsed_ms = u64::try_from(level.1.elapsed().as_millis()).unwrap_or(u64::MAX);
        if elapsed_ms > 0 {
            let full = self.per_s.saturating_mul(2_000);
            let gained = self.per_s.saturating_mul(elapsed_ms);
            *level = (level.0.saturating_add(gained).min(full), Instant::now());
        }
        level
    }

    fn until_one(&self, level: u64) -> Duration {
        let missing = 1_000_u64.saturating_sub(level);
        Duration::from_millis(missing.checked_div(self.per_s).map_or(1_000, |ms| ms.max(1)))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs between two changes that belong together.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
