//! What nodes hold on disk: bytes that the file system gives to their data, not lengths of files.

use anyhow::{Context as _, Result};
use heatmark_devnet::Devnet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Bytes in a block as `stat` counts them.
const STAT_BLOCK_BYTES: u64 = 512;

/// Bytes of each node's data, in the order of the nodes.
pub(crate) fn used(devnet: &Devnet) -> Result<Vec<u64>> {
    devnet.nodes().iter().map(|node| below(&node.home.join("data"))).collect()
}

/// The most that one node's data have grown.
pub(crate) fn most_grown(before: &[u64], after: &[u64]) -> u64 {
    before.iter().zip(after).map(|(b, a)| a.saturating_sub(*b)).max().unwrap_or(0)
}

fn below(directory: &Path) -> Result<u64> {
    let mut sum = 0_u64;
    let entries = fs::read_dir(directory).with_context(|| format!("{}", directory.display()))?;
    for entry in entries {
        let entry = entry?;
        let bytes = if entry.file_type()?.is_dir() {
            below(&entry.path())?
        } else {
            entry.metadata()?.blocks().saturating_mul(STAT_BLOCK_BYTES)
        };
        sum = sum.saturating_add(bytes);
    }
    Ok(sum)
}
