//! `heatmark cert list`: what this node has published, and what has become of it. Refuses beginnings of ids that are not hex.

use super::super::answer::{Answer, table};
use super::super::connect::{NodeArgs, block_on};
use super::super::failure::Failure;
use super::super::words;
use clap::Args;
use heatmark_proto::desk::v1::RecordRow;
use serde_json::{Value, json};

/// `cert list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    node: NodeArgs,
    /// Only records whose id begins so
    #[arg(long, value_name = "HEX", default_value = "")]
    id: String,
    /// Most rows
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    limit: u32,
}

pub(super) fn run(command: &List) -> Result<Answer, Failure> {
    let prefix = hex::decode(&command.id).map_err(|_| {
        Failure::input(format!("{:?} is no beginning of an id", command.id))
            .because("ids are hex, an even number of digits")
    })?;
    let reach = command.node.reach()?;
    let records =
        block_on(async { Ok(reach.desk().await?.records(&prefix, command.limit).await?) })?;
    let rows: Vec<Vec<String>> = records.iter().map(row).collect();
    let json = json!({ "records": records.iter().map(described).collect::<Vec<_>>() });
    let head = ["RECORD", "FORM", "FIELDS", "HEAT", "MASS", "ANCHOR", "SUPERSEDED BY", "FILE"];
    Ok(Answer::yes(json, table(&head, &rows)))
}

fn row(row: &RecordRow) -> Vec<String> {
    let anchor = match row.transaction_id.as_slice() {
        [] => "waiting".to_owned(),
        id => words::short(id),
    };
    let successor = match row.superseded_by.as_slice() {
        [] => String::new(),
        id => words::short(id),
    };
    vec![
        hex::encode(&row.record_id),
        row.form.clone(),
        row.fields.to_string(),
        words::on_one_line(&row.heat),
        mass(row),
        anchor,
        successor,
        row.file_name.clone(),
    ]
}

/// In brackets where it commissions nothing.
fn mass(row: &RecordRow) -> String {
    match (row.mass_mg, row.commissions_nothing.is_empty()) {
        (0, _) => String::new(),
        (mass, true) => kilograms(mass),
        (mass, false) => format!("({})", kilograms(mass)),
    }
}

/// Milligrams as kilograms, without zeros that say nothing.
fn kilograms(mass_mg: u64) -> String {
    let (whole, rest) = (mass_mg.div_euclid(1_000_000), mass_mg.rem_euclid(1_000_000));
    let text = format!("{whole}.{rest:06}");
    format!("{} kg", text.trim_end_matches('0').trim_end_matches('.'))
}

fn described(row: &RecordRow) -> Value {
    let commissions = row.commissions_nothing.is_empty() && row.mass_mg > 0;
    let record = |id: &[u8]| (!id.is_empty()).then(|| hex::encode(id));
    json!({
        "record_id": hex::encode(&row.record_id),
        "file_name": row.file_name,
        "form": row.form,
        "fields": row.fields,
        "heat": (!row.heat.is_empty()).then_some(&row.heat),
        "mass_mg": (row.mass_mg > 0).then_some(row.mass_mg),
        "commissions_mg": if commissions { row.mass_mg } else { 0 },
        "commissions_nothing": (!row.commissions_nothing.is_empty())
            .then_some(&row.commissions_nothing),
        "transaction_id": hex::encode(&row.transaction_id),
        "position": row.position,
        "alert_subject": hex::encode(&row.alert_subject),
        "supersedes": record(&row.supersedes),
        "superseded_by": record(&row.superseded_by),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masses_are_told_to_the_milligram_and_bracketed_where_they_commission_nothing() {
        for (mass_mg, nothing, told) in [
            (0, "", ""),
            (12_500_000_000, "", "12500 kg"),
            (1, "", "0.000001 kg"),
            (2_000_100, "", "2.0001 kg"),
            (10_000_000, "it names no heat", "(10 kg)"),
        ] {
            let row = RecordRow {
                mass_mg,
                commissions_nothing: nothing.to_owned(),
                ..RecordRow::default()
            };
            assert_eq!(mass(&row), told);
        }
    }
}
