#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

use super::*;
use crate::webhook::tests::{GENEROUS, Receiver, Reply, Seen, hook_to, settings};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;
use tokio::time::timeout;

const QUICK: Pace = Pace {
    look: Duration::from_millis(5),
    first: Duration::from_millis(5),
    longest: Duration::from_millis(20),
    anew: Duration::from_millis(50),
};

/// A node's outbox, and what posts it.
struct Rig {
    place: TempDir,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Rig {
    fn new() -> Self {
        let (stop, _) = watch::channel(false);
        Self { place: tempfile::tempdir().unwrap(), stop, task: None }
    }

    fn outbox(&self) -> PathBuf {
        self.place.path().join("outbox")
    }

    fn put(&self, id: &str) {
        fs::create_dir_all(self.outbox()).unwrap();
        let waiting = self.outbox().join(format!(".{id}"));
        fs::write(&waiting, format!("{{\"id\":{id:?}}}\n")).unwrap();
        fs::rename(waiting, self.outbox().join(format!("{id}.json"))).unwrap();
    }

    fn start(&mut self, url: &str) {
        let outbox = Outbox::new(self.outbox());
        let posting = Posting::new(hook_to(url), outbox, Metrics::default(), QUICK);
        self.task = Some(tokio::spawn(posting.run(self.stop.subscribe())));
    }

    async fn stop(&mut self) {
        self.stop.send_replace(true);
        timeout(GENEROUS, self.task.take().unwrap()).await.expect("an end").unwrap();
        self.stop.send_replace(false);
    }

    /// As a power failure would.
    async fn kill(&mut self) {
        let task = self.task.take().unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }

    fn is_marked(&self, id: &str) -> bool {
        self.outbox().join("delivered").join(id).exists()
    }

    async fn until_marked(&self, id: &str) {
        let marked = async {
            while !self.is_marked(id) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(GENEROUS, marked).await.expect("a mark");
    }
}

fn id(deal: char, what: &str) -> String {
    format!("{}-{what}", deal.to_string().repeat(64))
}

fn content(path: &Path, id: &str) -> Vec<u8> {
    fs::read(path.join(format!("{id}.json"))).unwrap()
}

#[tokio::test]
async fn posts_until_it_is_taken_under_one_id_and_signed_anew() {
    let mut receiver = Receiver::start(|before, _| match before {
        0 => Reply::status("500 Internal Server Error"),
        1 => Reply::HangUp,
        2 => Reply::status("404 Not Found"),
        _ => Reply::status("200 OK"),
    })
    .await;
    let mut rig = Rig::new();
    let collect = id('a', "collect");
    // The outbox comes after the start, as on a node that was no arbiter yet.
    rig.start(&receiver.url());
    rig.put(&collect);
    for attempt in 0..4 {
        let seen = receiver.next().await;
        assert_eq!(seen.id(), collect, "attempt {attempt}");
        assert_eq!(seen.body, content(&rig.outbox(), &collect));
        assert!(seen.is_signed(), "attempt {attempt}");
    }
    rig.until_marked(&collect).await;
    rig.stop().await;
    assert!(receiver.is_quiet(), "what was taken is not posted again");
    assert!(rig.outbox().join(format!("{collect}.json")).exists(), "the file stays");
}

#[tokio::test]
async fn after_a_restart_only_what_was_not_taken_is_posted() {
    let mut receiver = Receiver::start(|_, _| Reply::status("200 OK")).await;
    let mut rig = Rig::new();
    let (first, second) = (id('a', "collect"), id('b', "collect"));
    rig.put(&first);
    rig.start(&receiver.url());
    assert_eq!(receiver.next().await.id(), first);
    rig.until_marked(&first).await;
    rig.stop().await;
    rig.put(&second);
    rig.start(&receiver.url());
    assert_eq!(receiver.next().await.id(), second);
    rig.until_marked(&second).await;
    rig.stop().await;
    assert!(receiver.is_quiet());
}

#[tokio::test]
async fn what_a_crash_cut_off_is_posted_again_under_the_same_id() {
    let answers = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&answers);
    let mut receiver = Receiver::start(move |_, _| {
        if asked.load(Ordering::SeqCst) { Reply::status("200 OK") } else { Reply::Silence }
    })
    .await;
    let mut rig = Rig::new();
    let refund = id('a', "refund");
    rig.put(&refund);
    rig.start(&receiver.url());
    let before: Seen = receiver.next().await;
    rig.kill().await;
    assert!(!rig.is_marked(&refund));
    answers.store(true, Ordering::SeqCst);
    rig.start(&receiver.url());
    let again = receiver.next().await;
    assert_eq!((again.id(), &again.body), (before.id(), &before.body));
    rig.until_marked(&refund).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_refused_file_holds_up_its_own_deal_and_no_other() {
    let takes = Arc::new(AtomicBool::new(false));
    let taken = Arc::clone(&takes);
    let (collect, pay_out, other) = (id('a', "collect"), id('a', "pay-out"), id('b', "collect"));
    let refused = collect.clone();
    let mut receiver = Receiver::start(move |_, seen| {
        let refuse = seen.id() == refused && !taken.load(Ordering::SeqCst);
        Reply::status(if refuse { "422 Unprocessable Content" } else { "200 OK" })
    })
    .await;
    let mut rig = Rig::new();
    for id in [&collect, &pay_out, &other] {
        rig.put(id);
    }
    rig.start(&receiver.url());
    rig.until_marked(&other).await;
    let mut refusals = 0;
    while refusals < 3 {
        let seen = receiver.next().await;
        assert_ne!(seen.id(), pay_out, "nothing is paid out before it was collected");
        refusals += usize::from(seen.id() == collect);
    }
    takes.store(true, Ordering::SeqCst);
    rig.until_marked(&pay_out).await;
    rig.stop().await;
    let last = receiver.rest();
    assert!(rig.is_marked(&collect));
    let paid = last.iter().filter(|seen| seen.id() == pay_out).count();
    assert_eq!((last.last().map(Seen::id), paid), (Some(pay_out.as_str()), 1));
}

#[tokio::test]
async fn a_stop_waits_for_no_receiver() {
    let mut receiver = Receiver::start(|_, _| Reply::Silence).await;
    let mut rig = Rig::new();
    rig.put(&id('a', "collect"));
    rig.start(&receiver.url());
    receiver.next().await;
    rig.stop().await;
    assert!(!rig.is_marked(&id('a', "collect")));
}

#[tokio::test]
async fn counts_what_waits_and_what_became_of_posts() {
    let receiver = Receiver::start(|before, _| match before {
        0 => Reply::status("503 Service Unavailable"),
        1 => Reply::status("400 Bad Request"),
        _ => Reply::status("200 OK"),
    })
    .await;
    let mut registry = Registry::default();
    let (place, mut config) = settings(&receiver.url());
    let metrics = Metrics::register(&mut registry);
    config.node.data = place.path().join("data");
    let outbox = config.outbox_dir();
    fs::create_dir_all(&outbox).unwrap();
    let collect = id('a', "collect");
    fs::write(outbox.join(format!("{collect}.json")), "{}").unwrap();
    let hook = webhook::hook(&config).unwrap().unwrap();
    let mut posting = Posting::new(hook, Outbox::new(outbox.clone()), metrics, QUICK);
    let mut waiting = Vec::new();
    while !outbox.join("delivered").join(&collect).exists() {
        posting.round().await;
        waiting.push(posting.metrics.waiting.get());
        tokio::time::sleep(QUICK.look).await;
    }
    assert_eq!((waiting[0], waiting.last()), (1, Some(&0)));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for outcome in ["failed", "refused", "delivered"] {
        let line = format!("heatmark_webhook_posts_total{{outcome=\"{outcome}\"}} 1\n");
        assert!(text.contains(&line), "{text}");
    }
    assert!(text.contains("heatmark_webhook_waiting 0\n"), "{text}");
}

#[tokio::test]
async fn a_node_without_a_webhook_posts_nothing_and_one_with_a_wrong_one_does_not_start() {
    let (_stop, stopping) = watch::channel(false);
    let mut registry = Registry::default();
    let (_place, mut config) = settings("");
    assert!(start(&config, &mut registry, &stopping).unwrap().is_none());
    config.escrow.webhook_url = "http://erp.example/pay".to_owned();
    let refused = start(&config, &mut registry, &stopping).unwrap_err();
    assert!(matches!(refused, RunError::Webhook(_)), "{refused}");
    assert!(refused.to_string().contains("escrow.webhook_url"), "{refused}");
}

#[test]
fn rests_double_up_to_the_longest() {
    let mut rest = None;
    let mut lengths = Vec::new();
    for _ in 0..40 {
        let (next, length) = Rest::after(rest, PACE);
        rest = Some(next);
        lengths.push(length.as_secs());
    }
    assert_eq!(lengths[..9], [2, 4, 8, 16, 32, 64, 128, 256, 300]);
    assert_eq!(lengths.last(), Some(&300));
}
