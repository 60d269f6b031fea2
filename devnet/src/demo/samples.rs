//! The five certificates that the mill publishes, and later ones made from them.

use anyhow::{Context as _, Result};
use serde_json::Value;
use std::fs;
use std::path::Path;

const SAMPLES: [(&str, &str); 5] = [
    ("316l-plate.json", include_str!("../../certificates/316l-plate.json")),
    ("34crnimo6-forged-ring.json", include_str!("../../certificates/34crnimo6-forged-ring.json")),
    ("7050-aluminium-plate.json", include_str!("../../certificates/7050-aluminium-plate.json")),
    ("inconel-718-billet.json", include_str!("../../certificates/inconel-718-billet.json")),
    ("ti-6al-4v-bar.json", include_str!("../../certificates/ti-6al-4v-bar.json")),
];

/// How many certificates there are.
pub(crate) const COUNT: u64 = 5;

/// Writes the certificates into a new directory.
pub(crate) fn write(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    for (name, text) in SAMPLES {
        fs::write(directory.join(name), text)?;
    }
    Ok(())
}

/// Writes a certificate that nobody has published: the first one with another number.
pub(crate) fn write_another(path: &Path, number: &str) -> Result<()> {
    let [(_, text), ..] = SAMPLES;
    let mut certificate: Value = serde_json::from_str(text)?;
    let id = certificate.pointer_mut("/DigitalMaterialPassport/Id");
    *id.context("the sample has no number")? = Value::from(number);
    fs::write(path, serde_json::to_string_pretty(&certificate)?)?;
    Ok(())
}
