//! Serials that this organisation gave: the secret of each tree, its serials in their order, and where each serial stands, so
//! that none is given twice and a label is proved from 4,096 serials, not from a million. A tree is on disk before the event in
//! which it begins, and that event's write binds it; what no event bound within a day is swept away by the next one.
//!
//! | database key | value |
//! |---|---|
//! | `3` root | secret, count, hashes of the branches, the event in which the tree begins |
//! | `4` root, branch u32 | the branch's serials, a line each |
//! | `5` keyed hash of a serial, 16 bytes | first 8 bytes of the root, place u32 |
//!
//! Refuses a serial that stands in a tree that an event has. An entry of a tree that is gone counts as none.

#[cfg(test)]
mod tests;

use prost::Message;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

use crate::rows::hash32;
use crate::vault::key;
use crate::writing::{Writing, now_ms};
use crate::{FileDigest, Vault, VaultError};

pub(crate) const TREE: u8 = b'3';
pub(crate) const BRANCH: u8 = b'4';
pub(crate) const PLACE: u8 = b'5';

const ROOT_PREFIX: usize = 8;
const KEYED_HASH: usize = 16;
/// After which a tree that no event has is swept away.
const SWEPT_AFTER_MS: u64 = 86_400_000;

/// A tree of serials that is to begin.
#[derive(Clone)]
pub struct NewSerialTree {
    /// Its root.
    pub root: [u8; 32],
    /// From which the salts follow.
    pub secret: Zeroizing<[u8; 32]>,
    /// The hashes of its branches, in order.
    pub branches: Vec<[u8; 32]>,
    /// Its serials, branch by branch.
    pub serials: Vec<Vec<String>>,
}

impl std::fmt::Debug for NewSerialTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewSerialTree({} branches)", self.branches.len())
    }
}

/// A tree of serials.
#[derive(Clone, PartialEq, Eq)]
pub struct SerialTreeRow {
    /// Its root.
    pub root: [u8; 32],
    /// From which the salts follow.
    pub secret: Zeroizing<[u8; 32]>,
    /// How many serials it has.
    pub count: u32,
    /// The hashes of its branches, in order.
    pub branches: Vec<[u8; 32]>,
    /// The event in which it begins, once there is one.
    pub event: Option<[u8; 32]>,
}

impl std::fmt::Debug for SerialTreeRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SerialTreeRow({} serials)", self.count)
    }
}

#[derive(Clone, PartialEq, Message)]
struct TreeMessage {
    #[prost(bytes = "vec", tag = "1")]
    secret: Vec<u8>,
    #[prost(uint32, tag = "2")]
    count: u32,
    #[prost(bytes = "vec", repeated, tag = "3")]
    branches: Vec<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    event: Option<Vec<u8>>,
    #[prost(uint64, tag = "5")]
    at_ms: u64,
}

impl Vault {
    /// Keeps a tree that no event has yet; synced branch by branch, so that other writes go between.
    ///
    /// # Errors
    /// `SerialTaken` for the first serial that stands in another tree, or twice in this one; what was written of it is swept
    /// away later. `Damaged` or `Database`.
    pub fn put_serials(&self, tree: &NewSerialTree) -> Result<(), VaultError> {
        let mut all: Vec<&str> = tree.serials.iter().flatten().map(String::as_str).collect();
        all.sort_unstable();
        if let Some([twice, _]) = all.array_windows::<2>().find(|[left, right]| left == right) {
            return Err(VaultError::SerialTaken((*twice).to_owned()));
        }
        drop(all);
        self.sweep_serials()?;
        let count = tree.serials.iter().map(Vec::len).sum::<usize>();
        let message = TreeMessage {
            secret: tree.secret.to_vec(),
            count: u32::try_from(count).map_err(|_| VaultError::SerialsUnknown)?,
            branches: tree.branches.iter().map(|hash| hash.to_vec()).collect(),
            event: None,
            at_ms: now_ms(),
        };
        let mut write = self.begin()?;
        write.put(&key(TREE, &tree.root), &Zeroizing::new(message.encode_to_vec()));
        write.commit()?;
        let mut known = BTreeMap::new();
        let mut place = 0_u32;
        for (number, serials) in (0_u32..).zip(&tree.serials) {
            let mut write = self.begin()?;
            for serial in serials {
                let at = self.place_key(serial);
                if let Some(entry) = self.get(&at)? {
                    self.free_entry(&mut write, &tree.root, &entry, (&mut known, serial))?;
                }
                write.put(&at, &entry(&tree.root, place));
                place = place.saturating_add(1);
            }
            write.put(&branch_key(&tree.root, number), serials.join("\n").as_bytes());
            write.commit()?;
        }
        Ok(())
    }

    /// Whether an entry's serial may be given again; a tree that no event has gives way.
    fn free_entry(
        &self,
        write: &mut Writing<'_>,
        root: &[u8; 32],
        found: &[u8],
        (known, serial): (&mut BTreeMap<Vec<u8>, Option<[u8; 32]>>, &str),
    ) -> Result<(), VaultError> {
        let prefix = found.get(..ROOT_PREFIX).ok_or(VaultError::Damaged)?;
        if root.starts_with(prefix) {
            return Err(VaultError::SerialTaken(serial.to_owned()));
        }
        let other = match known.get(prefix) {
            Some(other) => *other,
            None => {
                let other = self.tree_of_prefix(prefix)?;
                known.insert(prefix.to_vec(), other);
                other
            }
        };
        let Some(other) = other else { return Ok(()) };
        let row = self.serial_tree(&other)?.ok_or(VaultError::Damaged)?;
        if row.event.is_some() {
            return Err(VaultError::SerialTaken(serial.to_owned()));
        }
        self.forget_tree(write, &row);
        known.insert(prefix.to_vec(), None);
        Ok(())
    }

    /// A tree by its root.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn serial_tree(&self, root: &[u8; 32]) -> Result<Option<SerialTreeRow>, VaultError> {
        let Some(bytes) = self.get(&key(TREE, root))? else { return Ok(None) };
        read_tree(*root, &bytes).map(|(row, _)| Some(row))
    }

    /// The serials of one branch of a tree, in their order.
    ///
    /// # Errors
    /// `SerialsUnknown`, `Damaged` or `Database`.
    pub fn serial_branch(&self, root: &[u8; 32], number: u32) -> Result<Vec<String>, VaultError> {
        let lines = self.get(&branch_key(root, number))?.ok_or(VaultError::SerialsUnknown)?;
        let lines = std::str::from_utf8(&lines).map_err(|_| VaultError::Damaged)?;
        Ok(lines.split('\n').map(str::to_owned).collect())
    }

    /// Where a serial stands: the root of a tree that an event has, and the place.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn serial_place(&self, serial: &str) -> Result<Option<([u8; 32], u32)>, VaultError> {
        let Some(entry) = self.get(&self.place_key(serial))? else { return Ok(None) };
        let (prefix, place) = entry.split_at_checked(ROOT_PREFIX).ok_or(VaultError::Damaged)?;
        let place = u32::from_be_bytes(place.try_into().map_err(|_| VaultError::Damaged)?);
        let Some(root) = self.tree_of_prefix(prefix)? else { return Ok(None) };
        let row = self.serial_tree(&root)?.ok_or(VaultError::Damaged)?;
        Ok(row.event.map(|_| (root, place)))
    }

    /// Binds trees to the event in which they begin.
    pub(super) fn bind_serials(
        &self,
        write: &mut Writing<'_>,
        event: &[u8; 32],
        roots: &[[u8; 32]],
    ) -> Result<(), VaultError> {
        for root in roots {
            let bytes = self.get(&key(TREE, root))?.ok_or(VaultError::SerialsUnknown)?;
            let (row, message) = read_tree(*root, &bytes)?;
            if row.event.is_some() {
                return Err(VaultError::SerialsUnknown);
            }
            let message = TreeMessage { event: Some(event.to_vec()), ..message };
            write.put(&key(TREE, root), &Zeroizing::new(message.encode_to_vec()));
        }
        Ok(())
    }

    /// Frees trees whose event lapsed.
    pub(super) fn unbind_serials(
        &self,
        write: &mut Writing<'_>,
        roots: &[Vec<u8>],
    ) -> Result<(), VaultError> {
        for root in roots {
            let root = hash32(root)?;
            let Some(bytes) = self.get(&key(TREE, &root))? else { continue };
            let (_, message) = read_tree(root, &bytes)?;
            let message = TreeMessage { event: None, ..message };
            write.put(&key(TREE, &root), &Zeroizing::new(message.encode_to_vec()));
        }
        Ok(())
    }

    /// Forgets trees that were left without an event.
    fn sweep_serials(&self) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        let mut left = Vec::new();
        let before = now_ms().saturating_sub(SWEPT_AFTER_MS);
        self.scan(&[TREE], |root, bytes| {
            let (row, message) = read_tree(hash32(root)?, bytes)?;
            if row.event.is_none() && message.at_ms < before {
                left.push(row);
            }
            Ok(true)
        })?;
        left.iter().for_each(|row| self.forget_tree(&mut write, row));
        write.commit()
    }

    /// Its serials' entries are left, and lead nowhere.
    fn forget_tree(&self, write: &mut Writing<'_>, row: &SerialTreeRow) {
        for (number, _) in (0_u32..).zip(&row.branches) {
            write.delete(&branch_key(&row.root, number));
        }
        write.delete(&key(TREE, &row.root));
    }

    fn tree_of_prefix(&self, prefix: &[u8]) -> Result<Option<[u8; 32]>, VaultError> {
        let mut found = None;
        self.scan(&[&[TREE], prefix].concat(), |rest, _| {
            found = Some(hash32(&[prefix, rest].concat())?);
            Ok(false)
        })?;
        Ok(found)
    }

    fn place_key(&self, serial: &str) -> Vec<u8> {
        let what = heatmark_merkle::tag::preimage("serial-place", &[serial.as_bytes()]);
        let hash = self.master.file_index(&FileDigest::of(&what));
        let mut place = vec![PLACE];
        place.extend(hash.iter().take(KEYED_HASH));
        place
    }
}

fn entry(root: &[u8; 32], place: u32) -> Vec<u8> {
    root.iter().take(ROOT_PREFIX).copied().chain(place.to_be_bytes()).collect()
}

fn branch_key(root: &[u8; 32], number: u32) -> Vec<u8> {
    [&[BRANCH], &root[..], &number.to_be_bytes()].concat()
}

fn read_tree(root: [u8; 32], bytes: &[u8]) -> Result<(SerialTreeRow, TreeMessage), VaultError> {
    let message = TreeMessage::decode(bytes).map_err(|_| VaultError::Damaged)?;
    let branches = message.branches.iter().map(|hash| hash32(hash));
    let row = SerialTreeRow {
        root,
        secret: Zeroizing::new(hash32(&message.secret)?),
        count: message.count,
        branches: branches.collect::<Result<_, _>>()?,
        event: message.event.as_deref().map(hash32).transpose()?,
    };
    Ok((row, message))
}
