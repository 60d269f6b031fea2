//! Serials at the desk: lists kept before the event in which they begin, and what a label shows of one. A proof is made from the
//! 4,096 serials around it, and verified before it is handed out.

use super::making::grow;
use crate::{Desk, DeskError, blocking};
use heatmark_lots::{
    BRANCH_SERIALS, MAX_SERIALS, OpenLot, SerialBranch, SerialProof, SerialSecret, Serials,
};
use heatmark_merkle::Hash;
use heatmark_vault::{LotRow, VaultError};

/// The serials of a lot, as its owner's people see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialsView {
    /// How many it has.
    pub pieces: u64,
    /// Root of the tree that they stand in.
    pub root: [u8; 32],
    /// How many the whole tree has.
    pub tree: u32,
    /// First place and number of places, run by run.
    pub runs: Vec<(u32, u32)>,
    /// The first and the last of them, where this node gave them.
    pub ends: Option<(String, String)>,
}

impl Desk {
    /// Keeps serials for an event of the next day; gives the root of their tree.
    ///
    /// # Errors
    /// [`DeskError::SerialPattern`] for none, more than a million, or one that is not 1 to 64 printable ASCII characters;
    /// [`DeskError::Vault`] for one that was given already.
    pub async fn keep_serials(&self, serials: Vec<String>) -> Result<[u8; 32], DeskError> {
        if serials.is_empty() || serials.len() > MAX_SERIALS {
            return Err(DeskError::SerialPattern);
        }
        let desk = self.clone();
        blocking(move || {
            let tree = grow(serials)?;
            desk.parts.vault.put_serials(&tree)?;
            Ok(tree.root)
        })
        .await
    }

    /// What a label of a lot shows of one serial.
    ///
    /// # Errors
    /// [`DeskError::NoSerials`], [`DeskError::UnknownSerial`] or [`DeskError::Vault`].
    pub async fn prove_serial(
        &self,
        lot: String,
        serial: String,
    ) -> Result<SerialProof, DeskError> {
        let desk = self.clone();
        blocking(move || {
            let row = desk.lot_of_name(&lot)?;
            let serials = serials_of(&row)?.ok_or(DeskError::NoSerials)?;
            let unknown = || DeskError::UnknownSerial(serial.clone());
            let found = desk.parts.vault.serial_place(&serial)?;
            let (root, place) = found.ok_or_else(unknown)?;
            if root != serials.root.0 {
                return Err(unknown());
            }
            let proof = desk.prove_place(&root, place)?;
            proof.verify(&serials).map_err(|_| unknown())?;
            Ok(proof)
        })
        .await
    }

    fn prove_place(&self, root: &[u8; 32], place: u32) -> Result<SerialProof, DeskError> {
        let tree = self.parts.vault.serial_tree(root)?.ok_or(VaultError::SerialsUnknown)?;
        let number =
            u32::try_from(BRANCH_SERIALS).ok().and_then(|branch| place.checked_div(branch));
        let number = number.ok_or(VaultError::Damaged)?;
        let serials = self.parts.vault.serial_branch(root, number)?;
        let secret = SerialSecret::new(*tree.secret);
        let branch =
            SerialBranch::new(number, serials, &secret).map_err(|_| VaultError::Damaged)?;
        let branches: Vec<Hash> = tree.branches.iter().copied().map(Hash).collect();
        Ok(branch.prove(place, &branches).ok_or(VaultError::Damaged)?)
    }

    /// The serials of a lot.
    pub(super) fn serials_view(&self, row: &LotRow) -> Result<Option<SerialsView>, DeskError> {
        let Some(serials) = serials_of(row)? else { return Ok(None) };
        let ranges = serials.ranges.as_slice();
        let first = ranges.first().map_or(0, |range| range.first);
        let last = ranges
            .last()
            .map_or(0, |range| range.first.saturating_add(range.count).saturating_sub(1));
        let ends = match self.parts.vault.serial_tree(&serials.root.0)? {
            Some(_) => Some((
                self.prove_place(&serials.root.0, first)?.serial,
                self.prove_place(&serials.root.0, last)?.serial,
            )),
            None => None,
        };
        Ok(Some(SerialsView {
            pieces: serials.ranges.total(),
            root: serials.root.0,
            tree: serials.count,
            runs: ranges.iter().map(|range| (range.first, range.count)).collect(),
            ends,
        }))
    }
}

fn serials_of(row: &LotRow) -> Result<Option<Serials>, DeskError> {
    let open = OpenLot::decode(&row.open).map_err(|_| VaultError::Damaged)?;
    Ok(open.lot().content.serials.clone())
}
