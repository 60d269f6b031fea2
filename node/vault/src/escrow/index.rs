//! By what deposits, holdings and deals are found without reading all of them. Every entry stands in the same write as its row.
//!
//! | key after the letter | value |
//! |---|---|
//! | 0, manifest digest, buyer or arbiter, deal id, role | nothing: a deal in which this organisation is an agent |
//! | 1, buyer, deal id, role | nothing: a deal of a buyer's whose terms have not come |
//! | 2, inverted time, deal id, role | nothing: deals, newest first |
//! | 3, section root, digest or id, 0 for an own deposit or 1 for one held | nothing |
//! | 4, record id, manifest digest | nothing: a deposit held, by its record |
//! | 5, owner, digest | begun or not, u64be bytes: what is held for an owner |
//! | 6, nonce | id of an own deposit |
//! | 7, manifest digest | id of an own deposit |
//! | 8, inverted time, id | nothing: own deposits, newest first |
//! | 9, inverted time, digest | nothing: deposits held, newest first |

use super::{DEAL, DEPOSIT, DealRole, DealRow, DepositRow, HOLDING, HoldingRow, read};
use crate::rows::hash32;
use crate::vault::key;
use crate::writing::Writing;
use crate::{Vault, VaultError};
use prost::Message;

pub(crate) const FOUND_BY: u8 = b'I';

const DEALS_ABOUT: u8 = 0;
const WITHOUT_TERMS: u8 = 1;
const NEWEST_DEALS: u8 = 2;
const BY_ROOT: u8 = 3;
const BY_RECORD: u8 = 4;
const HELD_FOR: u8 = 5;
const BY_NONCE: u8 = 6;
const BY_MANIFEST: u8 = 7;
const NEWEST_DEPOSITS: u8 = 8;
const NEWEST_HOLDINGS: u8 = 9;

/// What is held for one owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeldFor {
    /// Deposits that were begun and whose shares have not come.
    pub begun: usize,
    /// Bytes of ciphertext, held or announced.
    pub bytes: u64,
}

/// Where a content is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentOf {
    /// An own deposit, by its id.
    Deposit([u8; 32]),
    /// One held for another, by the manifest's digest.
    Holding([u8; 32]),
}

fn found_by(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = vec![FOUND_BY, kind];
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

const fn newest_first(at_ms: u64) -> [u8; 8] {
    (u64::MAX ^ at_ms).to_be_bytes()
}

pub(super) fn index_deal(write: &mut Writing<'_>, row: &DealRow) -> Result<(), VaultError> {
    let place = row.place()?;
    if row.role == i32::from(DealRole::Agent) && !row.terms.is_empty() {
        for party in [&row.buyer, &row.arbiter].into_iter().filter(|party| !party.is_empty()) {
            write.put(&found_by(DEALS_ABOUT, &[&hash32(&row.manifest)?, party, &place]), &[]);
        }
    }
    write.put(&found_by(NEWEST_DEALS, &[&newest_first(row.at_ms), &place]), &[]);
    let waiting = found_by(WITHOUT_TERMS, &[&hash32(&row.buyer)?, &place]);
    if row.terms.is_empty() {
        write.put(&waiting, &[]);
    } else {
        write.delete(&waiting);
    }
    Ok(())
}

/// Of a deal whose terms never came.
pub(super) fn forget_deal(write: &mut Writing<'_>, row: &DealRow) -> Result<(), VaultError> {
    let place = row.place()?;
    write.delete(&found_by(NEWEST_DEALS, &[&newest_first(row.at_ms), &place]));
    write.delete(&found_by(WITHOUT_TERMS, &[&hash32(&row.buyer)?, &place]));
    Ok(())
}

pub(super) fn index_deposit(write: &mut Writing<'_>, row: &DepositRow) -> Result<(), VaultError> {
    let id = hash32(&row.id)?;
    write.put(&found_by(BY_NONCE, &[&row.nonce]), &id);
    write.put(&found_by(BY_MANIFEST, &[&row.digest]), &id);
    write.put(&found_by(NEWEST_DEPOSITS, &[&newest_first(row.at_ms), &id]), &[]);
    for root in &row.roots {
        write.put(&found_by(BY_ROOT, &[root, &id, &[0]]), &[]);
    }
    Ok(())
}

pub(super) fn index_holding(write: &mut Writing<'_>, row: &HoldingRow) -> Result<(), VaultError> {
    let digest = hash32(&row.digest)?;
    let begun = u8::from(row.manifest.is_empty());
    let bytes = if row.destroyed { 0 } else { row.bytes };
    let held = [&[begun][..], &bytes.to_be_bytes()].concat();
    write.put(&found_by(HELD_FOR, &[&hash32(&row.owner)?, &digest]), &held);
    write.put(&found_by(NEWEST_HOLDINGS, &[&newest_first(row.at_ms), &digest]), &[]);
    if !row.manifest.is_empty() {
        write.put(&found_by(BY_RECORD, &[&hash32(&row.record)?, &digest]), &[]);
    }
    for root in &row.roots {
        write.put(&found_by(BY_ROOT, &[root, &digest, &[1]]), &[]);
    }
    Ok(())
}

pub(super) fn forget_holding(write: &mut Writing<'_>, row: &HoldingRow) -> Result<(), VaultError> {
    let digest = hash32(&row.digest)?;
    write.delete(&found_by(HELD_FOR, &[&hash32(&row.owner)?, &digest]));
    write.delete(&found_by(NEWEST_HOLDINGS, &[&newest_first(row.at_ms), &digest]));
    Ok(())
}

impl Vault {
    /// Whether a member is buyer or arbiter of a deal about a deposit that this organisation is an agent of.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn has_deal_about(
        &self,
        manifest: &[u8; 32],
        party: &[u8; 32],
    ) -> Result<bool, VaultError> {
        let mut found = false;
        self.scan(&found_by(DEALS_ABOUT, &[manifest, party]), |_, _| {
            found = true;
            Ok(false)
        })?;
        Ok(found)
    }

    /// How many deals of a buyer's have no terms here.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn deals_without_terms(&self, buyer: &[u8; 32]) -> Result<usize, VaultError> {
        let mut count = 0_usize;
        self.scan(&found_by(WITHOUT_TERMS, &[buyer]), |_, _| {
            count = count.saturating_add(1);
            Ok(true)
        })?;
        Ok(count)
    }

    /// Deals, newest first: so many after those that are skipped.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn newest_deals(&self, skip: usize, count: usize) -> Result<Vec<DealRow>, VaultError> {
        self.newest(NEWEST_DEALS, DEAL, (skip, count))
    }

    /// Own deposits, newest first: so many after those that are skipped.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn newest_deposits(
        &self,
        skip: usize,
        count: usize,
    ) -> Result<Vec<DepositRow>, VaultError> {
        self.newest(NEWEST_DEPOSITS, DEPOSIT, (skip, count))
    }

    /// Deposits of others, newest first: so many after those that are skipped.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn newest_holdings(
        &self,
        skip: usize,
        count: usize,
    ) -> Result<Vec<HoldingRow>, VaultError> {
        self.newest(NEWEST_HOLDINGS, HOLDING, (skip, count))
    }

    /// Deals whose id begins with bytes, so many at most.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn deals_from(&self, beginning: &[u8], most: usize) -> Result<Vec<DealRow>, VaultError> {
        let mut rows = Vec::new();
        self.scan(&[&[DEAL][..], beginning].concat(), |_, value| {
            rows.push(read(value)?);
            Ok(rows.len() < most)
        })?;
        Ok(rows)
    }

    /// Where a content is known from.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn contents_of(&self, root: &[u8; 32]) -> Result<Vec<ContentOf>, VaultError> {
        let mut known = Vec::new();
        self.scan(&found_by(BY_ROOT, &[root]), |rest, _| {
            let (kind, id) = rest.split_last().ok_or(VaultError::Damaged)?;
            let id = hash32(id)?;
            known.push(if *kind == 0 { ContentOf::Deposit(id) } else { ContentOf::Holding(id) });
            Ok(true)
        })?;
        Ok(known)
    }

    /// Deposits of others of a record.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn holdings_of(&self, record: &[u8; 32]) -> Result<Vec<HoldingRow>, VaultError> {
        self.rows_at(&found_by(BY_RECORD, &[record]), HOLDING)
    }

    /// How much is held for an owner.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn held_for(&self, owner: &[u8; 32]) -> Result<HeldFor, VaultError> {
        let mut held = HeldFor::default();
        self.scan(&found_by(HELD_FOR, &[owner]), |_, value| {
            let (begun, bytes) = value.split_first().ok_or(VaultError::Damaged)?;
            let bytes = bytes.try_into().map_err(|_| VaultError::Damaged)?;
            held.begun = held.begun.saturating_add(usize::from(*begun));
            held.bytes = held.bytes.saturating_add(u64::from_be_bytes(bytes));
            Ok(true)
        })?;
        Ok(held)
    }

    /// The own deposit that agents' answers carry this nonce of.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn deposit_under(&self, nonce: &[u8]) -> Result<Option<DepositRow>, VaultError> {
        self.deposit_at(&found_by(BY_NONCE, &[nonce]))
    }

    /// The own deposit of a manifest.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn deposit_of(&self, manifest: &[u8]) -> Result<Option<DepositRow>, VaultError> {
        self.deposit_at(&found_by(BY_MANIFEST, &[manifest]))
    }

    fn deposit_at(&self, place: &[u8]) -> Result<Option<DepositRow>, VaultError> {
        let Some(id) = self.get(place)? else { return Ok(None) };
        self.get(&key(DEPOSIT, &hash32(&id)?))?.map(|value| read(&value)).transpose()
    }

    fn newest<M: Message + Default>(
        &self,
        kind: u8,
        family: u8,
        (skip, count): (usize, usize),
    ) -> Result<Vec<M>, VaultError> {
        let (mut passed, mut places) = (0_usize, Vec::new());
        self.scan(&found_by(kind, &[]), |rest, _| {
            passed = passed.saturating_add(1);
            if passed > skip && places.len() < count {
                places.push(rest.get(8..).ok_or(VaultError::Damaged)?.to_vec());
            }
            Ok(places.len() < count)
        })?;
        places.iter().map(|place| self.row_at(family, place)).collect()
    }

    fn rows_at<M: Message + Default>(
        &self,
        start: &[u8],
        family: u8,
    ) -> Result<Vec<M>, VaultError> {
        let mut places = Vec::new();
        self.scan(start, |rest, _| {
            places.push(rest.to_vec());
            Ok(true)
        })?;
        places.iter().map(|place| self.row_at(family, place)).collect()
    }

    fn row_at<M: Message + Default>(&self, family: u8, place: &[u8]) -> Result<M, VaultError> {
        let value = self.get(&[&[family][..], place].concat())?.ok_or(VaultError::Damaged)?;
        read(&value)
    }
}
