//! An agreement: one file that proves to one member, offline, that numbers of two records differ by no more than declared
//! tolerances, and shows neither number. Whoever was shown both can make it: in practice the issuer of the one, to whom
//! the other was disclosed. Refuses records that their issuers did not anchor, fields of other records, another
//! receiver, and whatever the maker did not sign. Specification: `proto/README.md` section 9.

use ed25519_dalek::SigningKey;
use heatmark_ledger::ids::{KeyId, MemberId, UnixMillis};
use heatmark_ledger::keys::{PublicKey, sign};
use heatmark_ledger::receipt::{Signing, TrustRoot};
use heatmark_merkle::{Hash, tag};
use heatmark_records::conformance::ProveError;
use heatmark_records::conformance::agreement::{
    self as proof, MAX_PAIRS, Side as SaidOf, Tolerance, Tolerances,
};
use heatmark_records::{Decimal, FieldProof, Head, Path, RecordError, RecordId, RecordTree, Said};
use prost::Message as _;
use rand_core::CryptoRng;
use std::collections::BTreeMap;

use crate::disclosure::{Disclosure, Proofs, check_purpose};
use crate::grounds::{Grounds, Party, discloser, preimage};
use crate::verify::leaves;
use crate::{DisclosureError, wire};

/// Version of agreements.
const VERSION: u32 = 1;
/// What an agreement's signature is tagged with.
const SIGNED_AS: &str = "sign/agreement";
/// Longest agreement in bytes.
pub const MAX_AGREEMENT_BYTES: usize = 16 << 20;
/// Longest encoding of a tolerance: a path, a number and a unit.
const MAX_TOLERANCE_BYTES: usize = 1_024;

/// One of the two records, with what it says of the paths in question.
#[derive(Debug, Clone)]
pub struct Side {
    head: Head,
    record: RecordId,
    chain: Proofs,
    fields: BTreeMap<Path, FieldProof>,
}

impl Side {
    /// The side of a record whose opening is at hand; `chain` ties it to the log.
    ///
    /// # Errors
    /// What is wrong with the record.
    pub fn own(
        head: &Head,
        tree: &RecordTree<'_>,
        chain: Proofs,
        paths: impl Iterator<Item = Path>,
    ) -> Result<Self, RecordError> {
        let mut fields = BTreeMap::new();
        for path in paths {
            match tree.show(&path) {
                Ok(field) => drop(fields.insert(path, field)),
                // Not there, though that cannot be shown.
                Err(RecordError::SlotTaken) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { head: head.clone(), record: tree.id(), chain, fields })
    }

    /// The side of a record that somebody disclosed; of its fields, those that were shown in it.
    #[must_use]
    pub fn disclosed(disclosure: Disclosure) -> Self {
        let Disclosure { head, record, chain, fields, .. } = disclosure;
        let fields = fields.into_iter().map(|field| (field.path.clone(), field)).collect();
        Self { head, record, chain, fields }
    }

    /// The record.
    #[must_use]
    pub const fn record(&self) -> &RecordId {
        &self.record
    }

    fn said(&self) -> SaidOf {
        self.fields.iter().map(|(path, field)| (path.clone(), field.said.clone())).collect()
    }

    /// The message, its fields without their numbers.
    fn encode(&self, tolerances: &Tolerances) -> Vec<u8> {
        let chosen = tolerances.iter().filter_map(|(path, _)| self.fields.get(path));
        let hidden =
            |field: &FieldProof| FieldProof { said: field.said.hidden(), ..field.clone() }.encode();
        let message = wire::Side {
            head: self.head.encode(),
            record: self.record.0.to_vec(),
            fields: chosen.map(hidden).collect(),
            batch: self.chain.batch.clone(),
            receipt: self.chain.receipt.clone(),
            issuer_key: self.chain.issuer_key.clone(),
            issuer: self.chain.issuer.clone(),
        };
        message.encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DisclosureError> {
        let message: wire::Side = wire::decode_within(bytes, MAX_AGREEMENT_BYTES)?;
        let mut fields = BTreeMap::new();
        let mut last: Option<Path> = None;
        for (number, bytes) in message.fields.iter().enumerate() {
            let unreadable =
                |fault| DisclosureError::Field { path: format!("number {number}"), fault };
            let field = FieldProof::decode(bytes).map_err(unreadable)?;
            match last.as_ref().map(|last| last.cmp(&field.path)) {
                Some(std::cmp::Ordering::Equal) => return Err(DisclosureError::PathTwice),
                Some(std::cmp::Ordering::Greater) => return Err(DisclosureError::FieldOrder),
                _ => last = Some(field.path.clone()),
            }
            fields.insert(field.path.clone(), field);
        }
        Ok(Self {
            head: Head::decode(&message.head).map_err(DisclosureError::Head)?,
            record: id(&message.record)?,
            chain: Proofs {
                batch: message.batch,
                receipt: message.receipt,
                issuer_key: message.issuer_key,
                issuer: message.issuer,
                discloser_key: Vec::new(),
            },
            fields,
        })
    }
}

/// What an agreement is about, and for whom.
#[derive(Debug, Clone)]
pub struct AgreementDraft {
    /// The record on whose issuer's behalf it is made, as a rule.
    pub first: Side,
    /// The other record.
    pub second: Side,
    /// By how much their numbers may differ.
    pub tolerances: Tolerances,
    /// For whom.
    pub receiver: MemberId,
    /// For what.
    pub purpose: String,
}

impl AgreementDraft {
    /// Proves and signs. `discloser_key` proves the key that signs, unless it signed the first record's anchor.
    ///
    /// # Errors
    /// [`ProveError`] names every pair that cannot be proved; nothing was made then.
    pub fn sign(
        self,
        made: UnixMillis,
        discloser_key: Vec<u8>,
        key: &SigningKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, ProveError> {
        let network = self.first.head.heading().network;
        let signer = PublicKey::of(key).id();
        let records = (&self.first.record, &self.second.record);
        let context = context(&network, records, (&self.receiver, &self.purpose), &signer);
        let (first, second) = (self.first.said(), self.second.said());
        let tolerances = &self.tolerances;
        let agreement =
            proof::Agreement { context: &context, tolerances, first: &first, second: &second };
        let proofs = agreement.prove(rng)?;
        let mut message = wire::Agreement {
            version: VERSION,
            receiver: self.receiver.to_vec(),
            purpose: self.purpose,
            made_ms: made.0,
            first: self.first.encode(tolerances),
            second: self.second.encode(tolerances),
            tolerances: tolerances.iter().map(tolerance_bytes).collect(),
            proofs,
            discloser_key,
            signature: Vec::new(),
        };
        let signed = preimage(SIGNED_AS, &network, &signer, &message.encode_to_vec());
        message.signature = sign(key, &signed);
        Ok(message.encode_to_vec())
    }
}

/// One of the two records of a verified agreement.
#[derive(Debug, Clone)]
pub struct AgreedRecord {
    /// The record.
    pub record: RecordId,
    /// Its head.
    pub head: Head,
    /// Who issued it.
    pub issuer: Party,
    /// Whether the issuer's key was sound.
    pub signing: Signing,
    /// The fields, without their numbers.
    pub fields: Vec<(Path, Said)>,
    /// The hashes of these fields' leaves.
    pub leaves: BTreeMap<Path, Hash>,
}

/// What a verified agreement says.
#[derive(Debug, Clone)]
pub struct Agreed {
    /// The two records.
    pub records: [AgreedRecord; 2],
    /// By how much their numbers differ at most.
    pub tolerances: Tolerances,
    /// Who made it.
    pub discloser: Party,
    /// For whom.
    pub receiver: MemberId,
    /// For what.
    pub purpose: String,
    /// When, by the maker's clock.
    pub made: UnixMillis,
}

/// An agreement as it is read; [`verify_agreement`] says what it proves.
#[derive(Debug, Clone)]
pub struct Agreement {
    first: Side,
    second: Side,
    tolerances: Tolerances,
    receiver: MemberId,
    purpose: String,
    made: UnixMillis,
    proofs: Vec<Vec<u8>>,
    discloser_key: Vec<u8>,
    signature: Vec<u8>,
    signed: Vec<u8>,
}

impl Agreement {
    /// Reads an agreement.
    ///
    /// # Errors
    /// [`DisclosureError`] for what is wrong with its form.
    pub fn decode(bytes: &[u8]) -> Result<Self, DisclosureError> {
        let mut message: wire::Agreement = wire::decode_within(bytes, MAX_AGREEMENT_BYTES)?;
        if message.version != VERSION {
            return Err(DisclosureError::NotCanonical);
        }
        check_purpose(&message.purpose)?;
        let (first, second) = (Side::decode(&message.first)?, Side::decode(&message.second)?);
        let tolerances = read_tolerances(&message.tolerances)?;
        let receiver = MemberId(id(&message.receiver)?);
        let signature = std::mem::take(&mut message.signature);
        let signed = message.encode_to_vec();
        Ok(Self {
            first,
            second,
            tolerances,
            receiver,
            purpose: message.purpose,
            made: UnixMillis(message.made_ms),
            proofs: message.proofs,
            discloser_key: message.discloser_key,
            signature,
            signed,
        })
    }
}

/// Reads and verifies an agreement; `receiver` is who must have been meant, where the caller knows.
///
/// # Errors
/// [`DisclosureError`].
pub fn verify_agreement(
    bytes: &[u8],
    trust: &TrustRoot,
    receiver: Option<&MemberId>,
) -> Result<Agreed, DisclosureError> {
    let agreement = Agreement::decode(bytes)?;
    let Agreement { first, second, .. } = &agreement;
    if [first, second].iter().any(|side| side.head.heading().network != *trust.network.as_bytes()) {
        return Err(DisclosureError::WrongNetwork);
    }
    if receiver.is_some_and(|receiver| *receiver != agreement.receiver) {
        return Err(DisclosureError::WrongReceiver);
    }
    if first.record == second.record {
        return Err(DisclosureError::SameRecord);
    }
    let grounds = Grounds::verify((&first.head, &first.record), &first.chain, trust)?;
    let other = Grounds::verify((&second.head, &second.record), &second.chain, trust)?;
    let of_first = agreed_record(first, &grounds, &agreement.tolerances)?;
    let of_second = agreed_record(second, &other, &agreement.tolerances)?;
    let signed = (SIGNED_AS, agreement.signed.as_slice(), agreement.signature.as_slice());
    let (signer, maker) = discloser(&grounds, &agreement.discloser_key, trust, signed)?;
    let records = (&first.record, &second.record);
    let for_whom = (&agreement.receiver, agreement.purpose.as_str());
    let context = context(trust.network.as_bytes(), records, for_whom, &signer);
    let proved = proof::Agreement {
        context: &context,
        tolerances: &agreement.tolerances,
        first: &first.said(),
        second: &second.said(),
    };
    proved.verify(&agreement.proofs)?;
    Ok(Agreed {
        records: [of_first, of_second],
        tolerances: agreement.tolerances,
        discloser: maker,
        receiver: agreement.receiver,
        purpose: agreement.purpose,
        made: agreement.made,
    })
}

/// A side's fields are those of the tolerances, committed to and no more, and lead to its record.
fn agreed_record(
    side: &Side,
    grounds: &Grounds,
    tolerances: &Tolerances,
) -> Result<AgreedRecord, DisclosureError> {
    let committed = |field: &FieldProof| matches!(field.said, Said::Committed(_));
    let same = side.fields.keys().eq(tolerances.iter().map(|(path, _)| path));
    if !same || !side.fields.values().all(committed) {
        return Err(DisclosureError::Pairs);
    }
    let proofs: Vec<FieldProof> = side.fields.values().cloned().collect();
    let leaves = leaves((&side.head, &side.record), &proofs)?;
    Ok(AgreedRecord {
        record: side.record,
        head: side.head.clone(),
        issuer: grounds.issuer.clone(),
        signing: grounds.signing,
        fields: side.said().into_iter().collect(),
        leaves,
    })
}

/// What an agreement's proofs are for.
fn context(
    network: &[u8],
    (first, second): (&RecordId, &RecordId),
    (receiver, purpose): (&MemberId, &str),
    signer: &KeyId,
) -> Vec<u8> {
    let parts: [&[u8]; 6] =
        [network, &first.0, &second.0, receiver.as_bytes(), purpose.as_bytes(), signer.as_bytes()];
    tag::preimage("agreement", &parts)
}

fn tolerance_bytes((path, tolerance): (&Path, &Tolerance)) -> Vec<u8> {
    let message = wire::Tolerance {
        path: path.as_str().to_owned(),
        number: tolerance.number().to_string(),
        unit: tolerance.unit().to_owned(),
    };
    message.encode_to_vec()
}

/// Ascending by path; the number as it is written, in no other way.
fn read_tolerances(messages: &[Vec<u8>]) -> Result<Tolerances, DisclosureError> {
    if messages.len() > MAX_PAIRS {
        return Err(DisclosureError::Pairs);
    }
    let mut all: Vec<(Path, Tolerance)> = Vec::with_capacity(messages.len());
    for bytes in messages {
        let malformed = |_| DisclosureError::NotCanonical;
        let message: wire::Tolerance = wire::decode_within(bytes, MAX_TOLERANCE_BYTES)?;
        let number = Decimal::parse(&message.number).map_err(malformed)?;
        let path = Path::new(&message.path).map_err(malformed)?;
        let tolerance =
            Tolerance::new(number, &message.unit).map_err(|_| DisclosureError::NotCanonical)?;
        if number.to_string() != message.number {
            return Err(DisclosureError::NotCanonical);
        }
        match all.last().map(|(last, _)| last.cmp(&path)) {
            Some(std::cmp::Ordering::Equal) => return Err(DisclosureError::PathTwice),
            Some(std::cmp::Ordering::Greater) => return Err(DisclosureError::FieldOrder),
            _ => all.push((path, tolerance)),
        }
    }
    Tolerances::new(all).map_err(|_| DisclosureError::Pairs)
}

fn id(bytes: &[u8]) -> Result<Hash, DisclosureError> {
    Hash::try_from(bytes).map_err(|_| DisclosureError::NotCanonical)
}
