//! A restart: the members' root keys put another validator set in the place of one of which a third
//! is lost for good, from the last certified header on. Refuses fewer than two thirds of the active
//! members, keys other than their root keys as of that header, and everything that the header's
//! state does not prove. Specification: `proto/README.md`, sections 6 and 7.
//!
//! ```text
//!   header H ── state root ──▶ members, their standing and root keys
//!      │                             │ two thirds of the active ones sign
//!      └──────── restart id = H(network, height, header, set) ──▶ set and era of height H + 1
//! ```

use crate::header::Header;
use crate::ids::{Era, Height, MemberId, NetworkId};
use crate::keys::{self, PublicKey, SIGNATURE_BYTES};
use crate::receipt::ReceiptError;
use crate::state::{self, StateError, StateView};
use crate::validators::ValidatorSet;
use crate::wire::{self, MAX_RECEIPT_BYTES};
use ed25519_dalek::SigningKey;
use heatmark_merkle::map::MapProof;
use heatmark_merkle::tag;
use heatmark_proto::ledger::v1 as pb;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Largest encoded restart document in bytes.
pub const MAX_RESTART_BYTES: usize = MAX_RECEIPT_BYTES;

/// Why a restart is not signed, merged or applied. The document's fault unless said otherwise.
#[derive(Debug, Error)]
pub enum RestartError {
    /// The document does not verify, or has too few signatures.
    #[error("{0}")]
    Evidence(#[from] ReceiptError),
    /// No active member has this root key as of the header.
    #[error("no active member of the header's registry has this root key")]
    NotARootKey,
    /// The two documents put different sets or start from different headers: whoever signed both
    /// has signed twice.
    #[error("the two documents are different restarts")]
    Different,
    /// A validator's key is not a consensus key of an active member, or a member has two.
    #[error("every validator must be one consensus key of an active member: {0}")]
    NotAValidator(String),
    /// The state cannot be read. The node's fault.
    #[error("{0}")]
    State(#[from] StateError),
}

/// A restart that a chain has behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPoint {
    /// Height of the header from which it went on.
    pub height: Height,
    /// Its id, and the era of the heights above.
    pub era: Era,
}

/// Which era each height belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eras {
    first: Era,
    restarts: BTreeMap<Height, Era>,
}

impl Eras {
    /// The eras of a network with these restarts.
    #[must_use]
    pub fn new(network: NetworkId, restarts: impl IntoIterator<Item = RestartPoint>) -> Self {
        let restarts = restarts.into_iter().map(|point| (point.height, point.era)).collect();
        Self { first: Era::of(network), restarts }
    }

    /// The era of a height: that of the newest restart below it.
    #[must_use]
    pub fn at(&self, height: Height) -> Era {
        self.restarts.range(..height).next_back().map_or(self.first, |(_, era)| *era)
    }
}

impl From<NetworkId> for Eras {
    fn from(network: NetworkId) -> Self {
        Self::new(network, [])
    }
}

/// A restart's id: `H("restart", …)` of network, height, header and set.
#[must_use]
pub fn era_of(header: &Header, next: &ValidatorSet) -> Era {
    let (height, hash) = (header.height.0.to_be_bytes(), header.hash());
    let parts: [&[u8]; 4] = [header.network.as_bytes(), &height, hash.as_bytes(), &next.hash().0];
    Era(tag::hash("restart", &parts))
}

fn signed_bytes(network: &NetworkId, root: &PublicKey, era: &Era) -> Vec<u8> {
    tag::preimage("sign/restart", &[network.as_bytes(), root.id().as_bytes(), era.as_bytes()])
}

/// What a set change carries when it is a restart: read, not verified yet.
#[derive(Debug, Clone)]
pub(crate) struct RestartProof {
    members: Vec<u8>,
    members_proof: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    member: MemberId,
    state: Vec<u8>,
    proof: Vec<u8>,
    signature: Option<Vec<u8>>,
}

/// An entry that the header's state proves.
struct Proved<'e> {
    member: MemberId,
    signature: Option<&'e [u8]>,
    name: String,
    /// The root key, of an active member.
    active: Option<PublicKey>,
}

impl RestartProof {
    /// Reads the message; lengths are checked here.
    pub(crate) fn from_proto(message: &pb::Restart) -> Result<Self, ReceiptError> {
        let entries = message
            .entries
            .iter()
            .map(|entry| {
                let member = MemberId::try_from(entry.member.as_slice());
                let signature = match entry.signature.len() {
                    0 => None,
                    SIGNATURE_BYTES => Some(entry.signature.clone()),
                    _ => return Err(ReceiptError::Field("signature")),
                };
                Ok(Entry {
                    member: member.map_err(|_| ReceiptError::Field("member"))?,
                    state: entry.state.clone(),
                    proof: entry.proof.clone(),
                    signature,
                })
            })
            .collect::<Result<_, ReceiptError>>()?;
        let (members, members_proof) = (message.members.clone(), message.members_proof.clone());
        Ok(Self { members, members_proof, entries })
    }

    /// Whether the members of `header`'s state restarted the network from it with `next`, and the
    /// era that begins with it.
    pub(crate) fn verify(&self, header: &Header, next: &ValidatorSet) -> Result<Era, ReceiptError> {
        if next.hash() == header.next_validators {
            return Err(ReceiptError::SetChangeUnchanged);
        }
        let era = era_of(header, next);
        let (count, entries) = self.proved(header)?;
        let mut tally = Tally { active: count, signed: 0 };
        for entry in &entries {
            match (&entry.active, entry.signature) {
                (Some(root), Some(signature)) => {
                    let bytes = signed_bytes(&header.network, root, &era);
                    let verified = root.verify(&bytes, signature);
                    verified.map_err(|_| ReceiptError::RestartSignature)?;
                    tally.signed = tally.signed.saturating_add(1);
                }
                (None, None) => tally.active = tally.active.saturating_sub(1),
                (Some(_), None) | (None, Some(_)) => return Err(ReceiptError::RestartSignature),
            }
        }
        if tally.is_enough() { Ok(era) } else { Err(ReceiptError::RestartQuorum) }
    }

    /// How many members the registry has, and the entries, all proved by the header's state.
    fn proved(&self, header: &Header) -> Result<(u64, Vec<Proved<'_>>), ReceiptError> {
        prove(header, &state::members_key(), &self.members, &self.members_proof)?;
        let index: pb::MemberIndex = wire::decode(&self.members, MAX_RECEIPT_BYTES)
            .map_err(|_| ReceiptError::RestartMembers)?;
        let known: BTreeSet<&[u8]> = index.members.iter().map(Vec::as_slice).collect();
        if !self.entries.is_sorted_by(|a, b| a.member < b.member) {
            return Err(ReceiptError::RestartMembers);
        }
        let mut proved = Vec::new();
        for entry in &self.entries {
            if !known.contains(entry.member.as_bytes().as_slice()) {
                return Err(ReceiptError::RestartMembers);
            }
            proved.push(entry.proved(header)?);
        }
        Ok((u64::try_from(known.len()).unwrap_or(u64::MAX), proved))
    }
}

impl Entry {
    fn proved(&self, header: &Header) -> Result<Proved<'_>, ReceiptError> {
        prove(header, &state::member_key(&self.member), &self.state, &self.proof)?;
        let state = wire::decode_member(&self.state).map_err(|_| ReceiptError::RestartMembers)?;
        let entry = state.entry.clone().ok_or(ReceiptError::RestartMembers)?;
        let active = if state.status() == pb::MemberStatus::Active {
            let root = entry.keys.iter().find(|key| key.role() == pb::KeyRole::Root);
            let root = root.and_then(|root| PublicKey::from_bytes(&root.key).ok());
            Some(root.ok_or(ReceiptError::RestartMembers)?)
        } else {
            None
        };
        let (member, signature) = (self.member, self.signature.as_deref());
        Ok(Proved { member, signature, name: entry.legal_name, active })
    }
}

fn prove(header: &Header, key: &[u8], value: &[u8], proof: &[u8]) -> Result<(), ReceiptError> {
    MapProof::from_bytes(proof)
        .and_then(|proof| proof.verify(&header.state_root, key, Some(value)))
        .map_err(|_| ReceiptError::RestartMembers)
}

#[derive(Clone, Copy)]
struct Tally {
    active: u64,
    signed: u64,
}

impl Tally {
    fn is_enough(self) -> bool {
        self.signed > 0
            && u128::from(self.signed).saturating_mul(3)
                >= u128::from(self.active).saturating_mul(2)
    }
}

/// Who has signed a restart that is being passed round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Active members that signed, with their legal names.
    pub signed: Vec<(MemberId, String)>,
    /// Active members that did not.
    pub unsigned: Vec<(MemberId, String)>,
    /// Active members of the header's registry.
    pub active: u64,
}

impl Standing {
    /// Whether two thirds of the active members have signed.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        let signed = u64::try_from(self.signed.len()).unwrap_or(u64::MAX);
        Tally { active: self.active, signed }.is_enough()
    }
}

/// A restart while it is passed round: its chain from genesis verified, its members proved, every
/// signature on it good; there may be too few.
#[derive(Debug, Clone)]
pub struct Draft {
    document: pb::RestartDocument,
    header: Header,
    next: ValidatorSet,
    proof: RestartProof,
}

impl Draft {
    /// Reads a document whose set changes, header and certificate the caller has verified.
    pub(crate) fn new(
        document: pb::RestartDocument,
        header: Header,
        next: ValidatorSet,
    ) -> Result<Self, ReceiptError> {
        let message = document.restart.as_ref().and_then(|change| change.restart.as_ref());
        let proof = RestartProof::from_proto(message.ok_or(ReceiptError::Field("restart"))?)?;
        if next.hash() == header.next_validators {
            return Err(ReceiptError::SetChangeUnchanged);
        }
        let era = era_of(&header, &next);
        for entry in proof.proved(&header)?.1 {
            let good = match (&entry.active, entry.signature) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(root), Some(signature)) => {
                    root.verify(&signed_bytes(&header.network, root, &era), signature).is_ok()
                }
            };
            if !good {
                return Err(ReceiptError::RestartSignature);
            }
        }
        Ok(Self { document, header, next, proof })
    }

    /// The last certified header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The set that certifies the height above.
    #[must_use]
    pub fn next(&self) -> &ValidatorSet {
        &self.next
    }

    /// The restart's id: what those who sign compare.
    #[must_use]
    pub fn era(&self) -> Era {
        era_of(&self.header, &self.next)
    }

    /// The document, to be passed on.
    #[must_use]
    pub fn document(&self) -> &pb::RestartDocument {
        &self.document
    }

    /// Who has signed.
    ///
    /// # Errors
    /// Never for a draft that was read; the type is that of reading.
    pub fn standing(&self) -> Result<Standing, ReceiptError> {
        let (count, entries) = self.proof.proved(&self.header)?;
        let inactive = entries.iter().filter(|entry| entry.active.is_none()).count();
        let active = count.saturating_sub(u64::try_from(inactive).unwrap_or(u64::MAX));
        let (mut signed, mut unsigned) = (Vec::new(), Vec::new());
        for entry in entries.into_iter().filter(|entry| entry.active.is_some()) {
            let side = if entry.signature.is_some() { &mut signed } else { &mut unsigned };
            side.push((entry.member, entry.name));
        }
        Ok(Standing { signed, unsigned, active })
    }

    /// Signs as the active member that holds this root key.
    ///
    /// # Errors
    /// [`RestartError::NotARootKey`].
    pub fn sign(&mut self, root: &SigningKey) -> Result<MemberId, RestartError> {
        let public = PublicKey::of(root);
        let (_, entries) = self.proof.proved(&self.header)?;
        let own = entries.iter().find(|entry| entry.active == Some(public));
        let member = own.map(|entry| entry.member).ok_or(RestartError::NotARootKey)?;
        let bytes = signed_bytes(&self.header.network, &public, &self.era());
        self.put_signature(&member, keys::sign(root, &bytes));
        Ok(member)
    }

    /// Takes over the signatures of another copy.
    ///
    /// # Errors
    /// [`RestartError::Different`].
    pub fn merge(&mut self, other: &Self) -> Result<(), RestartError> {
        if other.era() != self.era() {
            return Err(RestartError::Different);
        }
        for entry in &other.proof.entries {
            let Some(signature) = &entry.signature else { continue };
            self.put_signature(&entry.member, signature.clone());
        }
        Ok(())
    }

    fn put_signature(&mut self, member: &MemberId, signature: Vec<u8>) {
        for entry in self.proof.entries.iter_mut().filter(|entry| entry.member == *member) {
            entry.signature = Some(signature.clone());
        }
        let change = self.document.restart.as_mut();
        let entries = change.and_then(|change| change.restart.as_mut()).map(|r| &mut r.entries);
        for entry in entries.into_iter().flatten() {
            if entry.member == member.as_bytes() {
                entry.signature.clone_from(&signature);
            }
        }
    }

    /// The set change that receipts carry: active members that have not signed are left out.
    ///
    /// # Errors
    /// [`ReceiptError::RestartQuorum`] while too few have signed.
    pub fn finished(&self) -> Result<pb::SetChange, ReceiptError> {
        let (_, entries) = self.proof.proved(&self.header)?;
        let unsigned: BTreeSet<Vec<u8>> = entries
            .iter()
            .filter(|entry| entry.active.is_some() && entry.signature.is_none())
            .map(|entry| entry.member.to_vec())
            .collect();
        let mut change = self.document.restart.clone().ok_or(ReceiptError::Field("restart"))?;
        let restart = change.restart.as_mut().ok_or(ReceiptError::Field("restart"))?;
        restart.entries.retain(|entry| !unsigned.contains(&entry.member));
        RestartProof::from_proto(restart)?.verify(&self.header, &self.next)?;
        Ok(change)
    }
}

/// A restart as it stands in evidence for a verifier who trusts its very header: without the
/// certificate, of which such a verifier knows more already.
#[must_use]
pub fn from_own_header(change: &pb::SetChange) -> pb::SetChange {
    let certificate = Some(pb::CommitCertificate::default());
    pb::SetChange { certificate, ..change.clone() }
}

/// Whether a set may be put in place by a restart from this state: every key one consensus key of
/// an active member, no member with two. What execution needs to know of each validator.
///
/// # Errors
/// [`RestartError::NotAValidator`] with the key, or [`RestartError::State`].
pub fn check_set(view: &(impl StateView + ?Sized), set: &ValidatorSet) -> Result<(), RestartError> {
    let mut owners = BTreeSet::new();
    for validator in set.validators() {
        let refuse = || RestartError::NotAValidator(hex::encode(validator.key.to_bytes()));
        let key = state::key_state(view, &validator.key.id())?.ok_or_else(refuse)?;
        let consensus = key.key.as_ref().is_some_and(|key| key.role() == pb::KeyRole::Consensus);
        let owner =
            MemberId::try_from(key.member.as_slice()).map_err(|_| StateError::Damaged("key"))?;
        let member = state::member(view, &owner)?.ok_or(StateError::Damaged("member"))?;
        let active = member.status() == pb::MemberStatus::Active;
        if !consensus || !active || !owners.insert(owner) {
            return Err(refuse());
        }
    }
    Ok(())
}
