//! What was delivered: capsule files as they are named, and lots that a scanner names, whose capsules the own node has. A scanned
//! capsule's hash is that of one of the files, or the label belongs to other goods.

use super::super::connect::block_on;
use super::super::failure::Failure;
use super::super::receipt::trust_root;
use super::super::scan::this_year;
use super::Inspected;
use crate::files;
use heatmark_client::{Delivered as Given, DeliveredGoods};
use heatmark_evidence::capsule::MAX_CAPSULE_BYTES;
use heatmark_inspection::{Demands, Parcel, digits};
use heatmark_labels::Reading as Label;
use heatmark_ledger::receipt::TrustRoot;
use std::collections::BTreeSet;
use std::path::Path;

/// Most capsules of one delivery.
const MAX_CAPSULES: usize = 256;

/// Capsules, and what they are judged from.
pub(super) struct Delivered {
    pub(super) trust: TrustRoot,
    /// Name and bytes of each.
    pub(super) capsules: Vec<(String, Vec<u8>)>,
    /// The same as the own node takes them: lots by name.
    pub(super) goods: Vec<DeliveredGoods>,
    /// Hashes of capsules that were scanned.
    hashes: BTreeSet<[u8; 32]>,
}

impl Delivered {
    /// Reads files, and looks up what was scanned.
    pub(super) fn find(command: &Inspected, demands: &Demands) -> Result<Self, Failure> {
        if command.delivered.len() > MAX_CAPSULES {
            return Err(Failure::input(format!(
                "{} are inspected at once",
                command.delivered.len()
            ))
            .because(format!("at most {MAX_CAPSULES} capsules are one delivery")));
        }
        let trust = match &command.trust {
            Some(path) => trust_root(path)?.1,
            None => command.node.trust()?,
        };
        let mut found =
            Self { trust, capsules: Vec::new(), goods: Vec::new(), hashes: BTreeSet::new() };
        for what in &command.delivered {
            let path = Path::new(what);
            if path.exists() {
                let (name, bytes) = read(path)?;
                found.add(&name, bytes, Given::Capsule);
            } else {
                found.look_up(command, demands, what)?;
            }
        }
        if found.capsules.is_empty() {
            return Err(Failure::input("a capsule's hash alone says nothing")
                .next("name the capsule's file as well: heatmark inspect HASH FILE"));
        }
        Ok(found)
    }

    /// A scanned hash is kept to be compared; of a scanned lot the own node makes the capsule.
    fn look_up(
        &mut self,
        command: &Inspected,
        demands: &Demands,
        what: &str,
    ) -> Result<(), Failure> {
        let scanned = heatmark_labels::scan(what.as_bytes(), this_year()).map_err(|error| {
            Failure::input(format!("{what:?} is neither a file nor a label"))
                .because(error)
                .next("name the capsule's file, or scan again")
        })?;
        let hash = scanned.readings.iter().find_map(|label| label.capsule.as_ref());
        if let Some(hash) = hash {
            self.hashes.insert(hash.0);
            return Ok(());
        }
        let names: Vec<&str> = scanned.readings.iter().filter_map(lot_of).collect();
        if names.is_empty() {
            return Err(Failure::input("the label names no lot")
                .next("scan the label with the lot's number, or name the capsule's file"));
        }
        let concerns: Vec<[u8; 32]> =
            demands.concerns().iter().map(|member| *member.as_bytes()).collect();
        let reach = command.node.reach()?;
        let found = block_on(async {
            let desk = reach.desk().await?;
            let mut found = Vec::new();
            // Without separators a label has several readings: what counts is which lot there is.
            for name in &names {
                match desk.lot_named((*name).to_owned()).await {
                    Ok(lot) => found.push(lot.name),
                    Err(error) if error.refusal_code() == Some("unknown-lot") => {}
                    Err(error) => return Err(error.into()),
                }
            }
            match found.as_slice() {
                [name] => {
                    let capsule = desk.capsule(name.clone(), concerns, true).await?;
                    Ok(Some((name.clone(), capsule)))
                }
                _ => Ok(None),
            }
        })?;
        let capsule = found.ok_or_else(|| {
            Failure::no(format!("no one lot of this node is called {}", names.join(" or "))).next(
                "`heatmark lot list` shows them; name the capsule's file for goods on their way",
            )
        })?;
        let (name, bytes) = capsule;
        let lot = name.clone();
        self.add(&name, bytes, |_| Given::Lot(lot));
        Ok(())
    }

    /// Lines are told by their capsule's name, so that no two capsules have one.
    fn add(&mut self, name: &str, bytes: Vec<u8>, given: impl FnOnce(Vec<u8>) -> Given) {
        let taken = |name: &str| self.capsules.iter().any(|(known, _)| known == name);
        let own = (2..).map(|n| format!("{name} ({n})")).find(|other| !taken(other));
        let name = if taken(name) { own.unwrap_or_default() } else { name.to_owned() };
        let what = Some(given(bytes.clone()));
        self.goods.push(DeliveredGoods { name: name.clone(), what });
        self.capsules.push((name, bytes));
    }

    /// Every hash that was scanned is one of the capsules'.
    pub(super) fn check_scanned(&self, parcels: &[Parcel]) -> Result<(), Failure> {
        let is_there = |hash: &&[u8; 32]| parcels.iter().any(|parcel| parcel.sha256() == *hash);
        match self.hashes.iter().find(|hash| !is_there(hash)) {
            None => Ok(()),
            Some(hash) => Err(Failure::no("the label names another capsule than these files")
                .because(format!("none of them has the hash {}", digits(hash)))
                .next(
                    "keep the goods apart; ask the supplier for the capsule that the label names",
                )),
        }
    }
}

/// The lot that a label names.
fn lot_of(label: &Label) -> Option<&str> {
    label.lot.as_deref().or(label.serial.as_deref())
}

fn read(path: &Path) -> Result<(String, Vec<u8>), Failure> {
    let limit = u64::try_from(MAX_CAPSULE_BYTES).unwrap_or(u64::MAX);
    let bytes = files::read(path, limit)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok((name.unwrap_or_default(), bytes))
}
