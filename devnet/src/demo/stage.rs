//! Steps as the audience sees them: a number, a title, what happens, whether it held and how long
//! it took; and the same for machines.

use crate::output::{Ink, lasted, say};
use anyhow::Result;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[derive(Debug)]
struct Step {
    name: &'static str,
    held: bool,
    took: Duration,
}

/// What was shown so far.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    shown: usize,
    steps: Vec<Step>,
}

impl Stage {
    /// Shows one step. Nothing of it runs before its title is printed.
    pub(crate) async fn step(
        &mut self,
        name: &'static str,
        title: &str,
        scene: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        self.title(title);
        let begun = Instant::now();
        let outcome = scene.await;
        let took = begun.elapsed();
        self.steps.push(Step { name, held: outcome.is_ok(), took });
        let mark = if outcome.is_ok() { Ink::Green.paint("ok") } else { Ink::Red.paint("FAILED") };
        say(&format!("    {mark}  {}", Ink::Dim.paint(&lasted(took))));
        outcome
    }

    /// Says why a step is left out; it does not appear in the report.
    pub(crate) fn skip(&mut self, title: &str, why: &str) {
        self.title(title);
        tell(&format!("skipped: {why}"));
    }

    fn title(&mut self, title: &str) {
        self.shown = self.shown.saturating_add(1);
        say("");
        say(&Ink::Bold.paint(&format!("{:>2}  {title}", self.shown)));
    }

    /// Whether every step held so far.
    pub(crate) fn held(&self) -> bool {
        !self.steps.is_empty() && self.steps.iter().all(|step| step.held)
    }

    /// The report.
    pub(crate) fn report(&self) -> Value {
        let steps: Vec<Value> = self
            .steps
            .iter()
            .map(|step| {
                let ms = u64::try_from(step.took.as_millis()).unwrap_or(u64::MAX);
                json!({ "name": step.name, "ok": step.held, "ms": ms })
            })
            .collect();
        json!({ "steps": steps, "ok": self.held() })
    }
}

/// One sentence of the story.
pub(crate) fn tell(sentence: &str) {
    say(&format!("    {sentence}"));
}

/// A command line as somebody types it.
pub(crate) fn typed(line: &str) {
    tell(&Ink::Dim.paint(&format!("$ {line}")));
}
