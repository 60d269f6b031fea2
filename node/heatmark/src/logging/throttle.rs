//! Keeps a peer from filling the disk through the log: what one place in the program has to say is
//! let through at a rate, however often a message from outside makes it speak.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tracing::Metadata;
use tracing::callsite::Identifier;
use tracing_subscriber::layer::{Context, Filter};

/// Lines a second of one place in the program.
const LINES_PER_S: u64 = 20;

/// Lines of one place that may come at once.
const BURST_LINES: u64 = 200;

/// Places that are told apart; there are fewer in the whole program.
const MAX_PLACES: usize = 16_384;

struct Place {
    thousandths: u64,
    filled: Instant,
}

impl Place {
    fn new(now: Instant) -> Self {
        Self { thousandths: BURST_LINES.saturating_mul(1_000), filled: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        let elapsed_ms = now.saturating_duration_since(self.filled).as_millis();
        let elapsed_ms = u64::try_from(elapsed_ms).unwrap_or(u64::MAX);
        if elapsed_ms > 0 {
            self.filled = now;
            let gained = elapsed_ms.saturating_mul(LINES_PER_S);
            let full = BURST_LINES.saturating_mul(1_000);
            self.thousandths = self.thousandths.saturating_add(gained).min(full);
        }
        match self.thousandths.checked_sub(1_000) {
            Some(rest) => {
                self.thousandths = rest;
                true
            }
            None => false,
        }
    }
}

/// The filter. Spans pass: they are no lines.
#[derive(Default)]
pub(super) struct Throttle {
    places: Mutex<HashMap<Identifier, Place>>,
}

impl Throttle {
    fn lets_through(&self, place: Identifier, now: Instant) -> bool {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= MAX_PLACES && !places.contains_key(&place) {
            return false;
        }
        places.entry(place).or_insert_with(|| Place::new(now)).take(now)
    }
}

impl<S> Filter<S> for Throttle {
    fn enabled(&self, _metadata: &Metadata<'_>, _context: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &tracing::Event<'_>, _context: &Context<'_, S>) -> bool {
        self.lets_through(event.metadata().callsite(), Instant::now())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests fail loudly")]

    use super::*;
    use std::io;
    use std::sync::Arc;
    use std::time::Duration;
    use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

    #[test]
    fn a_place_that_shouts_is_let_through_at_a_rate() {
        let now = Instant::now();
        let mut place = Place::new(now);
        let count = |place: &mut Place, at: Instant| (0..10_000).filter(|_| place.take(at)).count();
        assert_eq!(count(&mut place, now), 200);
        assert_eq!(count(&mut place, now + Duration::from_secs(1)), 20);
        assert_eq!(count(&mut place, now + Duration::from_secs(3_600)), 200);
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn one_place_does_not_silence_another() {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .with_filter(Throttle::default());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            for number in 0..5_000 {
                tracing::error!(number, "garbage");
            }
            tracing::error!("what matters");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let count = |what: &str| text.lines().filter(|line| line.contains(what)).count();
        assert!((200..400).contains(&count("garbage")), "{}", count("garbage"));
        assert_eq!(count("what matters"), 1);
    }
}
