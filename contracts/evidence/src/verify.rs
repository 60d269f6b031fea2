//! The offline verifier of disclosures. Refuses another receiver, fields of another record, a record that its issuer did
//! not anchor, proofs made for anything else, and whatever the discloser did not sign.
//! Specification: `proto/README.md` section 9.

use heatmark_ledger::ids::{Height, KeyId, MemberId, UnixMillis};
use heatmark_ledger::messages as pb;
use heatmark_ledger::receipt::{self, Signing, TrustRoot};
use heatmark_merkle::Hash;
use heatmark_records::conformance::{Conformance, Standing};
use heatmark_records::{
    FieldProof, Head, Path, Quantity, RecordId, Relation, Said, Specification, Value,
};
use std::collections::BTreeMap;

use crate::DisclosureError;
use crate::disclosure::{Disclosure, SIGNED_AS, own_limit_paths};
use crate::grounds::{Grounds, Party, discloser};

/// Limits that a record was proved to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conformity {
    /// The specification.
    pub specification: Specification,
    /// What was proved of each limit.
    pub limits: Vec<(String, Standing)>,
}

/// What a verified disclosure says.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The record.
    pub record: RecordId,
    /// Its head.
    pub head: Head,
    /// Who issued it.
    pub issuer: Party,
    /// The issuer's roles, as of the registry's state in the file.
    pub roles: Vec<pb::Role>,
    /// Who discloses it.
    pub discloser: Party,
    /// For whom.
    pub receiver: MemberId,
    /// For what.
    pub purpose: String,
    /// When, by the discloser's clock.
    pub made: UnixMillis,
    /// The anchor.
    pub anchored: receipt::Verified,
    /// Whether the issuer's key was sound.
    pub signing: Signing,
    /// The key that the discloser signed with.
    pub signer: KeyId,
    /// Height of the header that this is as of, and its time.
    pub as_of: (Height, UnixMillis),
    /// What the record says, ascending by path.
    pub fields: Vec<(Path, Said)>,
    /// The hashes of these fields' leaves.
    pub leaves: BTreeMap<Path, Hash>,
    /// What was proved of it.
    pub conformity: Option<Conformity>,
}

/// Reads and verifies a disclosure; `receiver` is who must have been meant, where the caller knows.
///
/// # Errors
/// [`DisclosureError`].
pub fn verify(
    bytes: &[u8],
    trust: &TrustRoot,
    receiver: Option<&MemberId>,
) -> Result<Verified, DisclosureError> {
    let disclosure = Disclosure::decode(bytes)?;
    if &disclosure.head.heading().network != trust.network.as_bytes() {
        return Err(DisclosureError::WrongNetwork);
    }
    if receiver.is_some_and(|receiver| *receiver != disclosure.receiver) {
        return Err(DisclosureError::WrongReceiver);
    }
    let of = (&disclosure.head, &disclosure.record);
    let grounds = Grounds::verify(of, &disclosure.chain, trust)?;
    let leaves = leaves(of, &disclosure.fields)?;
    let signed = (SIGNED_AS, disclosure.signed.as_slice(), disclosure.signature.as_slice());
    let (signer, discloser) = discloser(&grounds, &disclosure.chain.discloser_key, trust, signed)?;
    let conformity = conformity(&disclosure, &signer)?;
    let Grounds { anchored, issuer, roles, signing, key_state } = grounds;
    Ok(Verified {
        record: disclosure.record,
        issuer,
        roles,
        discloser,
        signer,
        receiver: disclosure.receiver,
        purpose: disclosure.purpose,
        made: disclosure.made,
        anchored,
        signing,
        as_of: (key_state.header.height, key_state.header.time),
        fields: disclosure.fields.into_iter().map(|field| (field.path, field.said)).collect(),
        leaves,
        conformity,
        head: disclosure.head,
    })
}

/// Checks that every field leads to the record, and gives the hashes of their leaves.
pub(crate) fn leaves(
    (head, record): (&Head, &RecordId),
    fields: &[FieldProof],
) -> Result<BTreeMap<Path, Hash>, DisclosureError> {
    let mut leaves = BTreeMap::new();
    for field in fields {
        let leaf = field.verified_leaf(head, record);
        let of_field = |fault| DisclosureError::Field { path: field.path.to_string(), fault };
        leaves.insert(field.path.clone(), leaf.map_err(of_field)?);
    }
    Ok(leaves)
}

fn conformity(
    disclosure: &Disclosure,
    signer: &KeyId,
) -> Result<Option<Conformity>, DisclosureError> {
    let Some(text) = &disclosure.specification else { return Ok(None) };
    let specification = Specification::parse(text).map_err(|_| DisclosureError::Specification)?;
    if !specification.may_be_used_by(disclosure.receiver.as_bytes()) {
        return Err(DisclosureError::NotForThisMember);
    }
    let fields = || disclosure.fields.iter().map(|field| (field.path.clone(), &field.said));
    if specification.own_limits {
        check_own_limits(&specification, &fields().collect())?;
    }
    let said: BTreeMap<Path, Said> = fields().map(|(path, said)| (path, said.hidden())).collect();
    let context = disclosure.context(signer);
    let conformance = Conformance { context: &context, specification: &specification, said: &said };
    let limits = conformance.verify(&disclosure.proofs)?;
    Ok(Some(Conformity { specification, limits }))
}

/// Limits that claim to be the certificate's own are shown by it, number for number.
fn check_own_limits(
    specification: &Specification,
    fields: &BTreeMap<Path, &Said>,
) -> Result<(), DisclosureError> {
    let mut paths = own_limit_paths(specification).into_iter();
    for limit in &specification.limits {
        let alone = limit.of.terms().len() == 1
            && limit.of.paths().next().is_some_and(|path| path.as_str() == limit.name);
        if !alone {
            return Err(DisclosureError::OwnLimits);
        }
        for bound in [&limit.minimum, &limit.maximum].into_iter().flatten() {
            let path = paths.next().ok_or(DisclosureError::OwnLimits)?;
            let Some(Said::Shown { value: Value::Measured(shown), .. }) = fields.get(&path) else {
                return Err(DisclosureError::OwnLimits);
            };
            let Quantity::Number(relation, number) = &shown.quantity else {
                return Err(DisclosureError::OwnLimits);
            };
            let plain = !matches!(relation, Relation::Less | Relation::Greater);
            if !plain || number != bound || shown.unit != limit.unit {
                return Err(DisclosureError::OwnLimits);
            }
        }
    }
    Ok(())
}
