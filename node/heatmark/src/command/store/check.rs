//! What is damaged in the database of a stopped node.

use super::super::answer::Answer;
use super::super::failure::Failure;
use super::{Whose, bar, in_use};
use clap::Args;
use heatmark_store::{CheckOptions, Damage, Report, StoreError};
use serde_json::{Value, json};

/// `store check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    whose: Whose,
    /// Verifies no signatures of certificates, which take most of the time
    #[arg(long)]
    quick: bool,
}

pub(crate) fn run(command: &Check) -> Result<Answer, Failure> {
    let (home, config, genesis) = command.whose.read()?;
    let path = config.log_dir();
    if !path.is_dir() {
        return Err(Failure::input(format!("{} holds no database", path.display()))
            .next("name the node's home with --home"));
    }
    let bar = bar();
    let options = CheckOptions { signatures: !command.quick };
    let checked = heatmark_store::check(&path, &genesis, options, &mut |progress| {
        bar.set_length(progress.of);
        bar.set_position(progress.blocks);
    });
    bar.finish_and_clear();
    let report = checked.map_err(unchecked)?;
    let next = format!("heatmark store repair --home {} --from HOST:PORT", home.path().display());
    Ok(answer(&report, command.quick, &next))
}

fn unchecked(error: StoreError) -> Failure {
    in_use(&error).unwrap_or_else(|| {
        Failure::unknown("the database could not be checked")
            .because(error)
            .next("check the home and its genesis file")
    })
}

fn answer(report: &Report, quick: bool, next: &str) -> Answer {
    let mut text = format!(
        "Read up to block {}: {} log entries, {} signatures of certificates, {} values and {} map nodes.\n",
        report.height, report.leaves, report.signatures, report.values, report.nodes,
    );
    for damage in &report.damages {
        text.push_str(&format!("{damage}\n"));
    }
    if report.unlisted > 0 {
        text.push_str(&format!("and {} more\n", report.unlisted));
    }
    text.push_str(&if report.is_sound() {
        let but = if quick { "; signatures were not verified" } else { "" };
        format!("Nothing is damaged{but}.\n")
    } else {
        format!("DAMAGED. Do not run this node. Next: {next}\n")
    });
    let json = json!({
        "ok": report.is_sound(),
        "height": report.height,
        "leaves": report.leaves,
        "signatures": report.signatures,
        "values": report.values,
        "map_nodes": report.nodes,
        "damages": report.damages.iter().map(described).collect::<Vec<_>>(),
        "unlisted": report.unlisted,
    });
    Answer::holds(report.is_sound(), json, text)
}

fn described(damage: &Damage) -> Value {
    json!({
        "place": damage.place.to_string(),
        "what": damage.what,
        "remedy": damage.remedy.to_string(),
    })
}
