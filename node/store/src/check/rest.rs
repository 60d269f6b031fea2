//! What is not part of the chain: format and network, blocks that are not decided, what this node
//! proposed, and evidence.

use super::chain::{Chain, hex};
use super::report::{Findings, Place, Remedy};
use crate::disk::{Disk, Family, Walk};
use crate::error::StoreError;
use crate::schema::{
    EVIDENCE, FORMAT, FORMAT_KEY, META, NETWORK_KEY, PROPOSED, SETS, StoredBlock, UNDECIDED,
    read_number,
};
use heatmark_ledger::block::Block;
use heatmark_ledger::genesis::Genesis;
use heatmark_ledger::ids::NetworkId;
use heatmark_merkle::tag;
use prost::Message;
use std::collections::BTreeSet;

/// Whether anything was ever written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meta {
    Empty,
    Written,
}

pub(super) fn check_meta(
    disk: &dyn Disk,
    genesis: &Genesis,
    findings: &mut Findings,
) -> Result<Meta, StoreError> {
    let what = "the format cannot be read";
    let (network, format) = match (disk.get(META, NETWORK_KEY), disk.get(META, FORMAT_KEY)) {
        (Ok(None), Ok(None)) => return Ok(Meta::Empty),
        (Ok(network), Ok(format)) => (network, format),
        (Err(error), _) | (_, Err(error)) => {
            findings.unreadable(&error, what, Remedy::Computed);
            return Ok(Meta::Written);
        }
    };
    let found = network.and_then(|found| NetworkId::try_from(found.as_slice()).ok());
    let format = format.and_then(|format| read_number(&format, "format").ok());
    match (found, format) {
        (Some(found), _) if found != genesis.network() => {
            Err(StoreError::OtherNetwork { found, expected: genesis.network() })
        }
        (_, Some(other)) if other != FORMAT => Err(StoreError::Format(other)),
        (Some(_), Some(_)) => Ok(Meta::Written),
        _ => {
            findings.at(Place::Family(META.name()), what, Remedy::Computed);
            Ok(Meta::Written)
        }
    }
}

pub(super) fn check(disk: &dyn Disk, chain: &Chain, findings: &mut Findings) {
    let tip = chain.newest.map_or(0, |(header, _)| header.height.0);
    let blocks = check_undecided(disk, findings);
    check_proposed(disk, &blocks, tip, findings);
    each(disk, EVIDENCE, findings, Remedy::LeftOut, |key, value| {
        let digest = tag::hash("evidence", &[value]);
        key.get(8..) == Some(digest.0.as_slice())
    });
    each(disk, SETS, findings, Remedy::Computed, |key, value| {
        key.len() == 8 && crate::store::read_set(value).is_ok()
    });
    each(disk, META, findings, Remedy::Computed, |_, _| true);
}

/// Undecided blocks that are sound, by their keys.
fn check_undecided(disk: &dyn Disk, findings: &mut Findings) -> BTreeSet<Vec<u8>> {
    let mut blocks = BTreeSet::new();
    each(disk, UNDECIDED, findings, Remedy::Waits, |key, value| {
        let sound = is_undecided(key, value);
        if sound {
            blocks.insert(key.to_vec());
        }
        sound
    });
    blocks
}

/// Whether an entry is a block under its own height and hash.
pub(crate) fn is_undecided(key: &[u8], value: &[u8]) -> bool {
    let Ok(stored) = StoredBlock::decode(value) else { return false };
    let Ok(block) = Block::decode(&stored.block) else { return false };
    let Some((height, hash)) = key.split_first_chunk::<8>() else { return false };
    stored.proposer.len() == 32
        && u64::from_be_bytes(*height) == block.header.height.0
        && hash == block.header.hash().as_bytes()
}

fn check_proposed(disk: &dyn Disk, blocks: &BTreeSet<Vec<u8>>, tip: u64, findings: &mut Findings) {
    each(disk, PROPOSED, findings, Remedy::Waits, |key, value| {
        let Some((height, round)) = key.split_first_chunk::<8>() else { return false };
        // One that a crash left behind its height is swept with a later block.
        let decided = u64::from_be_bytes(*height) <= tip;
        round.len() == 4 && (decided || blocks.contains(&[height.as_slice(), value].concat()))
    });
}

fn each(
    disk: &dyn Disk,
    family: Family,
    findings: &mut Findings,
    remedy: Remedy,
    mut is_sound: impl FnMut(&[u8], &[u8]) -> bool,
) {
    for item in disk.walk(family, Walk::First) {
        match item {
            Ok((key, value)) => {
                if !is_sound(&key, &value) {
                    let place = Place::Key { family: family.name(), key: hex(&key) };
                    findings.at(place, "the entry is not what it should be", remedy);
                }
            }
            Err(error) => {
                return findings.unreadable(&error, "entries cannot be read", remedy);
            }
        }
    }
}
