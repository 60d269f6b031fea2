//! Posts what stands in the outbox to the webhook of the settings, until the receiver has taken it: at least once, across crashes
//! and restarts, and of one deal in the order in which it happened. The node waits for none of it. Nothing of what is posted, nor
//! where to, enters the log or a metric.
//!
//! ```text
//!   desk ── file ──▶ outbox ── round ──▶ post ── 2xx ──▶ outbox/delivered
//!                      ▲                  │
//!                      └── rest, doubled ─┘ anything else
//! ```

#[cfg(test)]
mod tests;

use super::clock;
use super::error::RunError;
use crate::config::Config;
use crate::files::FileError;
use crate::webhook::{self, Hook, Outbox, PostError, Waiting};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long rests and looks are.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// Between two looks at the outbox.
    look: Duration,
    /// After the first failure; twice as long after each further one.
    first: Duration,
    /// After however many.
    longest: Duration,
    /// The outbox is read again after so long, even if it seems not to have changed: two changes within one tick of its
    /// file system's clock look like one.
    anew: Duration,
}

const PACE: Pace = Pace {
    look: Duration::from_secs(1),
    first: Duration::from_secs(2),
    longest: Duration::from_secs(300),
    anew: Duration::from_secs(30),
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Debug, Default)]
struct Metrics {
    waiting: Gauge,
    posts: Family<OutcomeLabels, Counter>,
}

impl Metrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("heatmark");
        registry.register(
            "webhook_waiting",
            "Files of the outbox that the webhook's receiver has not taken yet",
            metrics.waiting.clone(),
        );
        registry.register(
            "webhook_posts",
            "Posts to the webhook, by outcome: delivered, refused (the receiver is there), failed",
            metrics.posts.clone(),
        );
        metrics
    }

    fn count(&self, outcome: &'static str) {
        self.posts.get_or_create(&OutcomeLabels { outcome }).inc();
    }
}

/// How long something is left alone.
#[derive(Debug, Clone, Copy)]
struct Rest {
    failures: u32,
    until: Instant,
}

impl Rest {
    /// The rest after one more failure.
    fn after(before: Option<Self>, pace: Pace) -> (Self, Duration) {
        let failures = before.map_or(0, |rest| rest.failures).saturating_add(1);
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        let length = pace.first.saturating_mul(doubled).min(pace.longest);
        let now = Instant::now();
        (Self { failures, until: now.checked_add(length).unwrap_or(now) }, length)
    }

    fn is_over(self) -> bool {
        self.until <= Instant::now()
    }
}

/// Starts to post, where the settings say so.
///
/// # Errors
/// [`RunError::Webhook`].
pub(super) fn start(
    config: &Config,
    registry: &mut Registry,
    stopping: &watch::Receiver<bool>,
) -> Result<Option<JoinHandle<()>>, RunError> {
    let Some(hook) = webhook::hook(config)? else { return Ok(None) };
    let outbox = Outbox::new(config.outbox_dir());
    let posting = Posting::new(hook, outbox, Metrics::register(registry), PACE);
    Ok(Some(tokio::spawn(posting.run(stopping.clone()))))
}

struct Posting {
    hook: Hook,
    outbox: Outbox,
    metrics: Metrics,
    pace: Pace,
    /// After the receiver failed.
    resting: Option<Rest>,
    /// By id, after the receiver refused it.
    refused: BTreeMap<String, Rest>,
    /// When the outbox was last read, and how it looked, while nothing waited.
    settled: Option<(Instant, Option<SystemTime>)>,
}

impl Posting {
    fn new(hook: Hook, outbox: Outbox, metrics: Metrics, pace: Pace) -> Self {
        let (resting, refused, settled) = (None, BTreeMap::new(), None);
        Self { hook, outbox, metrics, pace, resting, refused, settled }
    }

    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let look = self.pace.look;
        let post = async {
            loop {
                self.round().await;
                tokio::time::sleep(look).await;
            }
        };
        tokio::select! {
            // What is cut off here is posted again.
            _ = stop.wait_for(|stop| *stop) => {}
            () = post => {}
        }
    }

    /// Posts what is due.
    async fn round(&mut self) {
        if self.resting.is_some_and(|rest| !rest.is_over()) {
            return;
        }
        let waiting = match self.look().await {
            Ok(waiting) => waiting,
            Err(error) => return self.fail(&error.into()),
        };
        self.metrics.waiting.set(i64::try_from(waiting.len()).unwrap_or(i64::MAX));
        let ids: BTreeSet<&str> = waiting.iter().map(Waiting::id).collect();
        self.refused.retain(|id, _| ids.contains(id.as_str()));
        // Of a deal whose earlier file waits, the later one waits too.
        let mut held: BTreeSet<&str> = BTreeSet::new();
        let mut left = waiting.len();
        for file in &waiting {
            let rests = self.refused.get(file.id()).is_some_and(|rest| !rest.is_over());
            if rests || held.contains(file.deal()) {
                held.insert(file.deal());
                continue;
            }
            match self.deliver(file).await {
                Ok(()) => {
                    if self.resting.take().is_some() {
                        tracing::info!("the webhook's receiver takes files again");
                    }
                    self.refused.remove(file.id());
                    left = left.saturating_sub(1);
                    self.metrics.waiting.set(i64::try_from(left).unwrap_or(i64::MAX));
                }
                Err(error) if error.is_of_the_message() => {
                    self.refuse(file, &error);
                    held.insert(file.deal());
                }
                Err(error) => return self.fail(&error),
            }
        }
    }

    /// What waits; nothing, without a look, where nothing did and nothing has changed.
    async fn look(&mut self) -> Result<Vec<Waiting>, FileError> {
        let (outbox, settled, anew) = (self.outbox.clone(), self.settled, self.pace.anew);
        let looked = tokio::task::spawn_blocking(move || {
            let changed = outbox.changed();
            let same = settled.is_some_and(|(at, before)| changed == before && at.elapsed() < anew);
            if same { Ok(None) } else { outbox.waiting().map(|waiting| Some((changed, waiting))) }
        });
        // Without an outcome the task panicked, which it has said; the next look may fare better.
        let Some((changed, waiting)) = looked.await.unwrap_or(Ok(None))? else {
            return Ok(Vec::new());
        };
        self.settled = waiting.is_empty().then(|| (Instant::now(), changed));
        Ok(waiting)
    }

    async fn deliver(&self, file: &Waiting) -> Result<(), PostError> {
        let (outbox, read) = (self.outbox.clone(), file.clone());
        let content = tokio::task::spawn_blocking(move || outbox.read(&read)).await;
        // It was taken away, or is looked at again.
        let Some(content) = content.unwrap_or(Ok(None))? else { return Ok(()) };
        let seconds = clock::now().0.checked_div(1_000).unwrap_or_default();
        self.hook.post(file.id(), content, seconds).await?;
        self.metrics.count("delivered");
        let (outbox, taken) = (self.outbox.clone(), file.clone());
        let marked = tokio::task::spawn_blocking(move || outbox.mark(&taken)).await;
        Ok(marked.unwrap_or(Ok(()))?)
    }

    /// Lets the receiver rest.
    fn fail(&mut self, error: &PostError) {
        let (rest, length) = Rest::after(self.resting, self.pace);
        self.resting = Some(rest);
        self.metrics.count("failed");
        tracing::warn!(
            %error,
            failures = rest.failures,
            next_s = length.as_secs(),
            "the webhook's receiver takes nothing; what is to be done with money waits in the outbox"
        );
    }

    /// Lets one file rest.
    fn refuse(&mut self, file: &Waiting, error: &PostError) {
        let (rest, length) = Rest::after(self.refused.get(file.id()).copied(), self.pace);
        self.refused.insert(file.id().to_owned(), rest);
        self.metrics.count("refused");
        tracing::warn!(
            %error,
            deal = file.deal().get(..8).unwrap_or_default(),
            failures = rest.failures,
            next_s = length.as_secs(),
            "a file of the outbox is not taken; it is posted again"
        );
    }
}
