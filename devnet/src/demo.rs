//! The whole story in under three minutes, told while it happens: real nodes, the commands that
//! people type, every claim checked. A step that does not hold ends the story with exit code 1.

mod dock;
mod escrow;
mod samples;
mod scenes;
mod stage;
mod verifier;

use crate::Binary;
use crate::output::{Ink, chain, lasted, say};
use crate::town::{Ends, directory};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use heatmark_devnet::{Keeping, Plan, Program};
use scenes::Story;
use stage::Stage;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;
use tempfile::TempDir;

/// `demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    #[command(flatten)]
    binary: Binary,
    /// Writes {"steps":[{"name","ok","ms"}…],"ok":bool} to this file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Keeps homes and logs in this new directory [default: a temporary one, removed at the end]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Tells the story; true when every step held.
pub(crate) async fn run(demo: Demo) -> Result<bool> {
    let begun = Instant::now();
    let (place, temporary) = place(demo.dir.as_deref())?;
    let program = Program::find(demo.binary.heatmark.as_deref(), &place)?;
    let plan = Plan {
        directory: place.clone(),
        validators: 4,
        observers: 3,
        parameters: Vec::new(),
        log_filter: None,
        keeping: Keeping::Kept,
    };
    let mut stage = Stage::default();
    let mut ends = Ends::watch()?;
    say(&Ink::Bold.paint("Six companies and a regulator share one log of mill certificates."));
    say("Seven real nodes on this machine; lines with $ are what people type.");
    let told = tokio::select! {
        told = tell(&mut stage, program, plan) => told,
        () = ends.wait() => bail!("stopped; no node runs any more"),
    };
    if let Some(report) = &demo.report {
        fs::write(report, format!("{:#}\n", stage.report()))
            .with_context(|| format!("writing {}", report.display()))?;
    }
    let held = stage.held();
    say("");
    if let Err(error) = told {
        say(&format!("{} {}", Ink::Red.paint("It did not hold:"), chain(&error)));
        let kept = temporary.map_or(place, TempDir::keep);
        say(&format!("Homes and logs are kept in {}.", kept.display()));
        return Ok(false);
    }
    let took = lasted(begun.elapsed());
    say(&Ink::Bold.paint(&format!("Everything held, in {took}.")));
    say("Go on by hand with  heatmark-devnet up  and  heatmark --help.");
    Ok(held)
}

async fn tell(stage: &mut Stage, program: Program, plan: Plan) -> Result<()> {
    let mut story = Story::new(program, plan);
    stage.step("found", "They found a network", story.found()).await?;
    stage.step("publish", "The mill publishes five certificates", story.publish()).await?;
    stage.step("verify-offline", "Anybody verifies the receipt, offline", story.verify()).await?;
    match verifier::Python::find() {
        Some(python) => {
            let title = "A second program, in Python, comes to the same answer";
            stage.step("second-verifier", title, story.verify_again(python)).await?;
        }
        None => stage.skip(
            "A second program, in Python",
            "there is no Python with PyNaCl here (Debian: apt-get install python3-nacl)",
        ),
    }
    stage.step("tamper", "One byte of the receipt is changed", story.tamper()).await?;
    stage.step("kill", "The forge loses power; the others go on", story.kill()).await?;
    stage.step("catch-up", "The forge comes back", story.catch_up()).await?;
    stage.step("alert", "The mill recalls a product", story.alert()).await?;
    stage.step("lots", "Steel becomes rings, and rings bearings", story.lots()).await?;
    stage.step("accept", "The assembler inspects what arrives", story.accept()).await?;
    let title = "The mill leaves what it keeps to itself with three agents";
    stage.step("deposit", title, story.deposit()).await?;
    stage.step("hold", "A stricter policy demands what nobody shows", story.hold()).await?;
    stage.step("deal", "The mill is away, and the assay opens", story.deal()).await?;
    stage.step("qualified", "The assembler inspects again", story.qualified()).await?;
    stage.step("forged", "Somebody copies the mill's certificate", story.forged()).await?;
    stage.step("over-claimed", "Somebody delivers less than he says", story.over_claimed()).await?;
    stage.step("recall", "The mill recalls the heat", story.recall()).await?;
    stage.step("audit", "The regulator checks everything again", story.audit()).await?;
    stage.step("down", "All stop", story.down()).await
}

fn place(given: Option<&std::path::Path>) -> Result<(PathBuf, Option<TempDir>)> {
    if let Some(given) = given {
        fs::create_dir(given).with_context(|| format!("making {}", given.display()))?;
        return Ok((directory(given)?, None));
    }
    let temporary = tempfile::Builder::new().prefix("heatmark-demo-").tempdir()?;
    Ok((directory(temporary.path())?, Some(temporary)))
}
