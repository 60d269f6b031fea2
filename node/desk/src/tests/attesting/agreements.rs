//! Agreements between a mill's record and a laboratory's, and every way to bend one. Forgeries are put together from the
//! message as the specification gives it, and signed by the forger.

use super::super::chain::TestChain;
use super::{BUYER, J, LAB, Lab, MILL, json, report, shown};
use crate::{Agree, DeskError};
use heatmark_evidence::{Agreed, DisclosureError, Unattested, verify_agreement};
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::keys::{PublicKey, sign};
use heatmark_merkle::tag;
use heatmark_records::conformance::Unprovable;
use heatmark_records::conformance::agreement::{Tolerance, Tolerances};
use heatmark_records::{Path, RecordId, Said};
use prost::Message;

fn within(tolerances: &[(&str, &str)]) -> Tolerances {
    let read =
        |(path, text): &(&str, &str)| (Path::new(path).unwrap(), Tolerance::parse(text).unwrap());
    Tolerances::new(tolerances.iter().map(read).collect()).unwrap()
}

struct Pair {
    lab: Lab,
    record: RecordId,
    attestation: RecordId,
    /// What the laboratory disclosed to the mill.
    to_mill: Vec<u8>,
}

impl Pair {
    async fn new(carbon: &str, measured: &str) -> Self {
        let lab = Lab::new();
        let (record, to_lab) = lab.record(carbon).await;
        let made = lab.attest(record, &report(measured), &[&to_lab], &[]).await.unwrap();
        let to_mill = shown(&lab.desk, made.record, lab.member(MILL), &["chemistry/*"]).await;
        Self { lab, record, attestation: made.record, to_mill }
    }

    async fn agree(&self, tolerances: &[(&str, &str)], to: usize) -> Result<Vec<u8>, DeskError> {
        let what = Agree {
            record: self.record,
            with: self.to_mill.clone(),
            tolerances: within(tolerances),
            receiver: self.lab.member(to),
            purpose: "order 4711".into(),
        };
        self.lab.world.desk.agree(what).await
    }

    fn verify(&self, bytes: &[u8]) -> Result<Agreed, DisclosureError> {
        verify_agreement(bytes, &self.lab.world.trust, Some(&self.lab.member(BUYER)))
    }

    /// What a forgery, signed by the mill all the same, is refused for.
    fn refused(&self, honest: &[u8], bend: impl FnOnce(&mut Raw)) -> &'static str {
        let mut raw = Raw::decode(honest).unwrap();
        bend(&mut raw);
        match self.verify(&signed(&self.lab.world.chain, raw)) {
            Err(error) => error.code(),
            Ok(_) => "accepted",
        }
    }
}

/// The message as the specification gives it.
#[derive(Clone, PartialEq, Message)]
struct Raw {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(bytes = "vec", tag = "2")]
    receiver: Vec<u8>,
    #[prost(string, tag = "3")]
    purpose: String,
    #[prost(uint64, tag = "4")]
    made_ms: u64,
    #[prost(message, optional, tag = "5")]
    first: Option<RawSide>,
    #[prost(message, optional, tag = "6")]
    second: Option<RawSide>,
    #[prost(message, repeated, tag = "7")]
    tolerances: Vec<RawTolerance>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    proofs: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "9")]
    discloser_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "10")]
    signature: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RawSide {
    #[prost(bytes = "vec", tag = "1")]
    head: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    record: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "3")]
    fields: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "4")]
    batch: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    receipt: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    issuer_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "7")]
    issuer: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RawTolerance {
    #[prost(string, tag = "1")]
    path: String,
    #[prost(string, tag = "2")]
    number: String,
    #[prost(string, tag = "3")]
    unit: String,
}

impl Raw {
    fn sides(&mut self) -> (&mut RawSide, &mut RawSide) {
        (self.first.as_mut().unwrap(), self.second.as_mut().unwrap())
    }
}

fn signed(chain: &TestChain, mut raw: Raw) -> Vec<u8> {
    raw.signature.clear();
    let signing = &chain.members[MILL].signing;
    let (signer, network) = (PublicKey::of(signing).id(), chain.genesis.network());
    let message = raw.encode_to_vec();
    let parts: [&[u8]; 3] = [network.as_bytes(), signer.as_bytes(), &message];
    raw.signature = sign(signing, &tag::preimage("sign/agreement", &parts));
    raw.encode_to_vec()
}

const CARBON: &[(&str, &str)] = &[("chemistry/C", "0.002 %")];

#[tokio::test(flavor = "multi_thread")]
async fn two_results_agree_and_neither_is_shown() {
    let pair = Pair::new("0.021", "0.0225 %").await;
    let bytes = pair.agree(CARBON, BUYER).await.unwrap();
    let agreed = pair.verify(&bytes).unwrap();
    let records: Vec<RecordId> = agreed.records.iter().map(|side| side.record).collect();
    assert_eq!(records, [pair.record, pair.attestation]);
    assert_eq!(agreed.records[1].issuer.member, pair.lab.member(LAB));
    assert_eq!(agreed.discloser.member, pair.lab.member(MILL));
    for side in &agreed.records {
        assert!(side.fields.iter().all(|(_, said)| matches!(said, Said::Committed(_))));
    }
    // Neither value is shown, and the buyer's policy is content all the same.
    let lab = &pair.lab;
    let buyer = lab.member(BUYER);
    let of_mill = lab.read(&shown(&lab.world.desk, pair.record, buyer, &["heat"]).await);
    let of_lab = lab.read(&shown(&lab.desk, pair.attestation, buyer, &["attestation"]).await);
    let (files, agreed) = ([of_mill, of_lab], [agreed]);
    assert_eq!(lab.lacks(&files, &agreed, "within = '0.002 %'"), None);
    assert_eq!(lab.lacks(&files, &agreed, "within = '20 ppm'"), None);
    let untold = Some(Unattested::AgreementUntold);
    assert_eq!(lab.lacks(&files, &agreed, "within = '0.0019 %'"), untold);
    assert_eq!(lab.lacks(&files, &[], "within = '0.002 %'"), Some(Unattested::Nobody));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_gets_one_tolerance_and_no_narrower_one() {
    let pair = Pair::new("0.021", "0.0225 %").await;
    let unproved = |refused| match refused {
        Err(DeskError::Unproved(limits)) => limits,
        other => panic!("{other:?}"),
    };
    let narrow = [("chemistry/C", "0.0014 %"), ("chemistry/S", "1 %"), ("chemistry/Cr", "1 %")];
    let limits = unproved(pair.agree(&narrow, BUYER).await);
    let absent = ("chemistry/S".to_owned(), Unprovable::Absent);
    assert_eq!(limits, [("chemistry/C".to_owned(), Unprovable::Outside), absent]);
    // What could not be proved binds nobody.
    pair.agree(CARBON, BUYER).await.unwrap();
    pair.agree(CARBON, BUYER).await.unwrap();
    let refused = pair.agree(&[("chemistry/C", "0.0016 %")], BUYER).await;
    assert!(matches!(refused, Err(DeskError::OtherTolerance(_))), "{refused:?}");
    pair.agree(&[("chemistry/C", "0.0016 %")], LAB).await.unwrap();
    let what = |record, with, receiver, purpose: &str| Agree {
        record,
        with,
        tolerances: within(CARBON),
        receiver,
        purpose: purpose.into(),
    };
    let (mill, buyer) = (&pair.lab.world.desk, pair.lab.member(BUYER));
    let code = |refused: Result<Vec<u8>, DeskError>| refused.map(|_| ()).unwrap_err().code();
    let with = || pair.to_mill.clone();
    assert_eq!(code(mill.agree(what(pair.record, with(), buyer, " ")).await), "purpose");
    let unknown = MemberId::from([9; 32]);
    assert_eq!(code(mill.agree(what(pair.record, with(), unknown, "o")).await), "unknown-member");
    assert_eq!(
        code(mill.agree(what(pair.attestation, with(), buyer, "o")).await),
        "unknown-record"
    );
    // The laboratory was not given that file.
    assert_eq!(
        code(pair.lab.desk.agree(what(pair.attestation, with(), buyer, "o")).await),
        "wrong-receiver"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_every_bent_agreement_for_its_own_reason() {
    let pair = Pair::new("0.021", "0.0225 %").await;
    let honest =
        pair.agree(&[("chemistry/C", "0.002 %"), ("chemistry/Cr", "0.5 %")], BUYER).await.unwrap();
    let (other, _) = pair.lab.record("0.021").await;
    let what = Agree {
        record: other,
        with: pair.to_mill.clone(),
        tolerances: within(&[("chemistry/C", "0.002 %"), ("chemistry/Cr", "0.5 %")]),
        receiver: pair.lab.member(BUYER),
        purpose: "order 4711".into(),
    };
    let other = pair.lab.world.desk.agree(what).await.unwrap();
    let other = Raw::decode(other.as_slice()).unwrap();
    let refused = |bend: &dyn Fn(&mut Raw)| pair.refused(&honest, bend);
    assert_eq!(refused(&|_| {}), "accepted");
    // A proof made for anything else.
    assert_eq!(refused(&|raw| raw.proofs = other.proofs.clone()), "conformance-proof");
    assert_eq!(refused(&|raw| raw.first = other.first.clone()), "conformance-proof");
    assert_eq!(refused(&|raw| raw.purpose = "another".into()), "conformance-proof");
    assert_eq!(refused(&|raw| raw.tolerances[0].number = "0.001".into()), "conformance-proof");
    assert_eq!(refused(&|raw| raw.tolerances[0].unit = "wt%".into()), "conformance-proof");
    assert_eq!(refused(&|raw| raw.proofs.clear()), "proof-count");
    // The laboratory's key did not sign, though the file would then begin with its record.
    assert_eq!(
        refused(&|raw| std::mem::swap(&mut raw.first, &mut raw.second)),
        "disclosure-signature"
    );
    // Fields of another record, in another order, twice, too few.
    let of_other = &other.first.as_ref().unwrap().fields;
    assert_eq!(refused(&|raw| raw.sides().0.fields = of_other.clone()), "wrong-root");
    let of_second = |raw: &mut Raw| raw.sides().1.fields.clone();
    assert_eq!(refused(&|raw| raw.sides().0.fields = of_second(raw)), "wrong-root");
    assert_eq!(refused(&|raw| raw.sides().1.fields.reverse()), "field-order");
    assert_eq!(
        refused(&|raw| {
            let fields = &mut raw.sides().1.fields;
            fields[1] = fields[0].clone();
        }),
        "path-twice"
    );
    assert_eq!(refused(&|raw| drop(raw.sides().0.fields.pop())), "agreement-pairs");
    assert_eq!(refused(&|raw| drop(raw.tolerances.pop())), "agreement-pairs");
    assert_eq!(refused(&|raw| raw.tolerances.clear()), "agreement-pairs");
    assert_eq!(refused(&|raw| raw.tolerances.reverse()), "field-order");
    assert_eq!(refused(&|raw| raw.tolerances[0].number = "-0.002".into()), "not-canonical");
    assert_eq!(refused(&|raw| raw.tolerances[0].number = "2e-3".into()), "not-canonical");
    // A record with itself, without its receipt, in another's place.
    assert_eq!(refused(&|raw| raw.second = raw.first.clone()), "same-record");
    assert_eq!(refused(&|raw| raw.sides().1.receipt.clear()), "wrong-length");
    let batch = &other.first.as_ref().unwrap().batch;
    assert_eq!(refused(&|raw| raw.sides().1.batch = [&batch[..], &[0; 32]].concat()), "batch-path");
    let issuer = |raw: &mut Raw| raw.sides().0.issuer.clone();
    assert_eq!(refused(&|raw| raw.sides().1.issuer = issuer(raw)), "wrong-entry");
    assert_eq!(refused(&|raw| raw.version = 2), "not-canonical");
    // Another receiver.
    let mut elsewhere = Raw::decode(honest.as_slice()).unwrap();
    elsewhere.receiver = pair.lab.member(LAB).to_vec();
    let lab = pair.lab.member(LAB);
    let trust = &pair.lab.world.trust;
    let forged = verify_agreement(&elsewhere.encode_to_vec(), trust, Some(&lab));
    assert_eq!(forged.unwrap_err().code(), "disclosure-signature");
    assert_eq!(verify_agreement(&honest, trust, Some(&lab)).unwrap_err().code(), "wrong-receiver");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_flipped_bit_of_an_agreement_is_refused() {
    let pair = Pair::new("0.021", "0.0225 %").await;
    let bytes = pair.agree(CARBON, BUYER).await.unwrap();
    assert!(pair.verify(&bytes).is_ok());
    for at in 0..bytes.len() {
        for bit in [at % 8, (at + 5) % 8] {
            let mut bent = bytes.clone();
            bent[at] ^= 1 << bit;
            assert!(pair.verify(&bent).is_err(), "byte {at} bit {bit} of {}", bytes.len());
        }
    }
    for cut in (0..bytes.len()).step_by(7) {
        assert!(pair.verify(&bytes[..cut]).is_err());
    }
}

fn vectors() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/agreements.json")
}

/// What stands in the golden file is judged as it says, by this verifier and by the other one. `HEATMARK_BLESS=1`
/// writes it anew, with other salts, times and proofs.
#[tokio::test(flavor = "multi_thread")]
async fn golden_agreements_are_judged_as_they_say() {
    if std::env::var_os("HEATMARK_BLESS").is_some() {
        bless().await;
    }
    let golden: J = serde_json::from_slice(&std::fs::read(vectors()).unwrap()).unwrap();
    let genesis = golden["trust"].as_str().unwrap();
    let genesis = heatmark_ledger::genesis::Genesis::parse(genesis.as_bytes()).unwrap();
    let trust = heatmark_ledger::receipt::TrustRoot::from_genesis(&genesis);
    let receiver = hex::decode(golden["receiver"].as_str().unwrap()).unwrap();
    let receiver = MemberId::try_from(receiver.as_slice()).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() > 15, "{} cases", cases.len());
    for case in cases {
        let bytes = hex::decode(case["agreement"].as_str().unwrap()).unwrap();
        let judged = verify_agreement(&bytes, &trust, Some(&receiver));
        let error = judged.as_ref().err().map(DisclosureError::code);
        assert_eq!(error, case["error"].as_str(), "{}", case["name"]);
        assert_eq!(judged.is_ok(), case["expect"] == "ok", "{}", case["name"]);
    }
}

async fn bless() {
    let pair = Pair::new("0.021", "0.0225 %").await;
    let honest = pair.agree(CARBON, BUYER).await.unwrap();
    let two = [("chemistry/C", "0.002 %"), ("chemistry/Cr", "0.5 %")];
    let both = pair.agree(&two, BUYER).await.unwrap();
    let other = pair.lab.record("0.021").await.0;
    let what = Agree {
        record: other,
        with: pair.to_mill.clone(),
        tolerances: within(CARBON),
        receiver: pair.lab.member(BUYER),
        purpose: "order 4711".into(),
    };
    let other = pair.lab.world.desk.agree(what).await.unwrap();
    let other = Raw::decode(other.as_slice()).unwrap();
    let bend = |bend: &dyn Fn(&mut Raw)| {
        let mut bent = Raw::decode(honest.as_slice()).unwrap();
        bend(&mut bent);
        signed(&pair.lab.world.chain, bent)
    };
    let unsigned = |bend: &dyn Fn(&mut Raw)| {
        let mut bent = Raw::decode(honest.as_slice()).unwrap();
        bend(&mut bent);
        bent.encode_to_vec()
    };
    let of_other = &other.first.as_ref().unwrap().fields;
    let cases: Vec<(&str, Vec<u8>, bool)> = vec![
        ("one pair of numbers agrees", honest.clone(), true),
        ("two pairs agree", both, true),
        ("another record of the same issuer", bend(&|raw| raw.first = other.first.clone()), true),
        ("a narrower tolerance", bend(&|raw| raw.tolerances[0].number = "0.001".into()), true),
        ("another unit", bend(&|raw| raw.tolerances[0].unit = "wt%".into()), true),
        ("another purpose", bend(&|raw| raw.purpose = "another".into()), true),
        ("proofs of another agreement", bend(&|raw| raw.proofs = other.proofs.clone()), true),
        ("no proofs", bend(&|raw| raw.proofs.clear()), true),
        ("the sides swapped", bend(&|raw| std::mem::swap(&mut raw.first, &mut raw.second)), false),
        ("a field of another record", bend(&|raw| raw.sides().0.fields = of_other.clone()), false),
        ("a field too few", bend(&|raw| raw.sides().1.fields.clear()), false),
        ("a record with itself", bend(&|raw| raw.second = raw.first.clone()), false),
        ("no receipt", bend(&|raw| raw.sides().0.receipt.clear()), false),
        ("no tolerance", bend(&|raw| raw.tolerances.clear()), false),
        ("a negative tolerance", bend(&|raw| raw.tolerances[0].number = "-1".into()), false),
        (
            "a tolerance in other words",
            bend(&|raw| raw.tolerances[0].number = "2e-3".into()),
            false,
        ),
        ("an unknown version", bend(&|raw| raw.version = 2), false),
        ("a blank purpose", bend(&|raw| raw.purpose = " ".into()), false),
        ("an unsigned agreement", unsigned(&|raw| raw.signature.clear()), false),
        ("another time", unsigned(&|raw| raw.made_ms += 1), false),
        ("another receiver", unsigned(&|raw| raw.receiver = pair.lab.member(LAB).to_vec()), false),
        ("something after it", [honest.as_slice(), &[0]].concat(), false),
        ("cut off", honest[..honest.len() - 1].to_vec(), false),
    ];
    let cases: Vec<J> = cases
        .into_iter()
        .map(|(name, bytes, conformance)| {
            let judged = pair.verify(&bytes);
            let error = judged.as_ref().err().map(DisclosureError::code);
            let expect = if judged.is_ok() { "ok" } else { "refused" };
            json!({ "name": name, "expect": expect, "error": error,
                "conformance": conformance, "agreement": hex::encode(bytes) })
        })
        .collect();
    let golden = json!({
        "trust": pair.lab.world.chain.genesis.to_text(),
        "receiver": pair.lab.member(BUYER).to_string(),
        "cases": cases,
    });
    let text = format!("{}\n", serde_json::to_string_pretty(&golden).unwrap());
    assert!(text.len() < 600_000, "{} bytes", text.len());
    std::fs::write(vectors(), text).unwrap();
}
