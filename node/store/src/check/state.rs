//! The state: the newest values give the newest state root, and the map of every served version is
//! whole under its header's root.

use super::chain::{Chain, hex};
use super::report::{Findings, Place, Remedy};
use crate::disk::{Disk, Walk};
use crate::error::StoreError;
use crate::schema::{NODES, STALE, STATE, VALUES};
use crate::view::value_at;
use heatmark_ledger::genesis::Genesis;
use heatmark_ledger::messages as pb;
use heatmark_ledger::state::{self, Changes};
use heatmark_merkle::map::{self, MemoryNodes, NodeReader};
use heatmark_merkle::{Hash, MapError};
use prost::Message;
use std::collections::BTreeSet;

pub(super) fn check(disk: &dyn Disk, genesis: &Genesis, chain: &Chain, findings: &mut Findings) {
    let newest = match &chain.newest {
        Some((header, version)) => (header.state_root, *version),
        None => match genesis_root(genesis) {
            Some(root) => (root, 0),
            None => return,
        },
    };
    let values = read_values(disk, findings);
    if let Some(values) = &values {
        check_values(disk, values, newest, findings);
    }
    check_versions(disk, chain, newest, history(values.as_ref()), findings);
    for family in [NODES, VALUES, STALE] {
        for item in disk.walk(family, Walk::First) {
            if let Err(error) = item {
                findings.unreadable(&error, "the state map cannot be read", Remedy::Computed);
                break;
            }
        }
    }
}

fn genesis_root(genesis: &Genesis) -> Option<Hash> {
    let changes = genesis.state().ok()?;
    map::update(&MemoryNodes::new(), 0, &changes).ok().map(|update| update.root)
}

fn read_values(disk: &dyn Disk, findings: &mut Findings) -> Option<Changes> {
    let mut values = Changes::new();
    for item in disk.walk(STATE, Walk::First) {
        match item {
            Ok((key, value)) => {
                values.insert(key.into_vec(), Some(value.into_vec()));
            }
            Err(error) => {
                findings.unreadable(&error, "the state cannot be read", Remedy::Computed);
                return None;
            }
        }
    }
    findings.report.values = u64::try_from(values.len()).unwrap_or(u64::MAX);
    Some(values)
}

fn check_values(
    disk: &dyn Disk,
    values: &Changes,
    (root, version): (Hash, u64),
    findings: &mut Findings,
) {
    let found = map::update(&MemoryNodes::new(), 0, values).map(|update| update.root);
    if found.is_ok_and(|found| found == root) {
        return;
    }
    let what = "the state's values do not give the newest state root";
    findings.at(Place::Family(STATE.name()), what, Remedy::Computed);
    let reader = Nodes(disk);
    for (key, value) in values {
        if map::prove(&reader, version, key).is_ok_and(|(proved, _)| proved != *value) {
            let place = Place::Key { family: STATE.name(), key: hex(key) };
            findings.at(place, "the value is not the map's", Remedy::Computed);
        }
    }
}

/// How many heights' state is served.
fn history(values: Option<&Changes>) -> u64 {
    let value = values.and_then(|values| values.get(&state::parameters_key()).cloned().flatten());
    value
        .and_then(|value| pb::Parameters::decode(value.as_slice()).ok())
        .map_or(0, |parameters| parameters.state_history_heights)
}

fn check_versions(
    disk: &dyn Disk,
    chain: &Chain,
    newest: (Hash, u64),
    history: u64,
    findings: &mut Findings,
) {
    let reader = Nodes(disk);
    let mut sound = BTreeSet::new();
    let mut check = |(root, version), place: Place| {
        let what = match map::check_whole(&reader, version, &root, &mut sound) {
            Ok(()) => return,
            Err(MapError::Reader(error)) => {
                let place = Place::File(error.to_string());
                return findings.at(place, "the state map cannot be read", Remedy::Computed);
            }
            Err(MapError::MissingVersion { .. }) => "a served version of the state map is missing",
            Err(_) => "the state map is not what the header's state root says",
        };
        findings.at(place, what, Remedy::Computed);
    };
    check(newest, Place::Family(NODES.name()));
    let tip = chain.states.last().map_or(0, |(height, ..)| height.0);
    let oldest = tip.saturating_sub(history);
    let mut seen = newest.1;
    for (height, version, root) in chain.states.iter().rev() {
        if height.0 < oldest {
            break;
        }
        if *version != seen {
            seen = *version;
            check((*root, *version), Place::Height(*height));
        }
    }
    findings.report.nodes = u64::try_from(sound.len()).unwrap_or(u64::MAX);
}

struct Nodes<'d>(&'d dyn Disk);

impl NodeReader for Nodes<'_> {
    type Error = StoreError;

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.get(NODES, key)?)
    }

    fn value(&self, key_hash: &[u8; 32], max_version: u64) -> Result<Option<Vec<u8>>, StoreError> {
        value_at(self.0, key_hash, max_version)
    }
}
