//! Disclosures on a real store and vault: what they show and prove, and every way to bend one. Forgeries are put
//! together from the message as the specification gives it, and signed by the forger, so that not the signature but the
//! thing itself is refused.

use super::chain::{TestChain, key};
use super::{desk_of, vault_of};
use crate::{Desk, DeskError, Disclose, Limits};
use heatmark_evidence::{
    Bundle, Disclosure, DisclosureError, Policy, Selection, Shortfall, Verified, verify,
};
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::keys::{PublicKey, sign};
use heatmark_ledger::receipt::{Signing, TrustRoot};
use heatmark_merkle::tag;
use heatmark_records::conformance::{Standing, Unprovable};
use heatmark_records::{
    Decimal, Fields, Heading, Measured, Opening, Path, Quantity, RecordId, Relation, Said, Secret,
    Specification, Value,
};
use heatmark_vault::{Actor, FileDigest, NewRecord};
use prost::Message;
use std::sync::Arc;

#[derive(Clone, PartialEq, Message)]
struct Raw {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(bytes = "vec", tag = "2")]
    head: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    record: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    receiver: Vec<u8>,
    #[prost(string, tag = "5")]
    purpose: String,
    #[prost(uint64, tag = "6")]
    made_ms: u64,
    #[prost(bytes = "vec", repeated, tag = "7")]
    fields: Vec<Vec<u8>>,
    #[prost(string, tag = "8")]
    specification: String,
    #[prost(bytes = "vec", repeated, tag = "9")]
    proofs: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "10")]
    batch: Vec<u8>,
    #[prost(bytes = "vec", tag = "11")]
    receipt: Vec<u8>,
    #[prost(bytes = "vec", tag = "12")]
    issuer_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "13")]
    issuer: Vec<u8>,
    #[prost(bytes = "vec", tag = "14")]
    discloser_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "15")]
    signature: Vec<u8>,
}

pub(super) struct World {
    pub(super) chain: Arc<TestChain>,
    pub(super) desk: Desk,
    pub(super) trust: TrustRoot,
}

const SPECIFICATION: &str = "
standard = 'works standard 7'
sample = 'heat'
rounding = 'astm-e29'
[[limit]]
property = 'chemistry/C'
unit = '%'
maximum = '0.030'
[[limit]]
property = 'chemistry/Cr'
unit = '%'
minimum = '16.0'
maximum = '18.0'
[[limit]]
property = 'test/temperature'
unit = '°C'
maximum = '-20'
[[limit]]
name = 'PREN'
unit = '%'
formula = 'Cr + 3.3*Mo'
minimum = '22'
";

fn path(text: &str) -> Path {
    Path::new(text).unwrap()
}

fn fields(carbon: &str) -> Fields {
    let number = |relation, text, unit: &str| {
        let quantity = Quantity::Number(relation, Decimal::parse(text).unwrap());
        Value::Measured(Measured { unit: unit.into(), quantity })
    };
    let mut fields = Fields::new();
    for (at, value) in [
        ("heat", Value::Text("H-77".into())),
        ("chemistry/C", number(Relation::Equal, carbon, "%")),
        ("chemistry/C/maximum", number(Relation::LessOrEqual, "0.035", "%")),
        ("chemistry/Cr", number(Relation::Equal, "16.72", "%")),
        ("chemistry/Cr/minimum", number(Relation::Equal, "16.5", "%")),
        ("chemistry/Cr/maximum", number(Relation::Equal, "18.5", "%")),
        ("chemistry/Mo", number(Relation::Equal, "2.06", "%")),
        ("chemistry/S", number(Relation::Less, "0.001", "%")),
        ("test/temperature", number(Relation::Equal, "-40", "°C")),
    ] {
        fields.insert(path(at), value).unwrap();
    }
    fields
}

impl World {
    pub(super) fn new() -> Self {
        let chain = TestChain::new(3);
        chain.keep_producing();
        let desk = desk_of(&chain, 0, vault_of(&chain, "vault"));
        let trust = TrustRoot::from_genesis(&chain.genesis);
        Self { chain, desk, trust }
    }

    pub(super) fn member(&self, n: usize) -> MemberId {
        self.chain.members[n].id
    }

    /// Records of these carbon contents, anchored together.
    pub(super) async fn records(&self, carbon: &[&str]) -> Vec<RecordId> {
        self.anchored_by(&self.desk, carbon).await
    }

    async fn anchored_by(&self, desk: &Desk, carbon: &[&str]) -> Vec<RecordId> {
        let mut ids = Vec::new();
        for (n, carbon) in carbon.iter().enumerate() {
            let heading = Heading {
                network: *self.chain.genesis.network().as_bytes(),
                form: "test".into(),
                issuer: *self.member(0).as_bytes(),
                alert_subject: [3; 32],
                origin_seal: None,
            };
            let secret = Secret::new(rand::random());
            let opening = Opening::seal(heading, fields(carbon), secret).unwrap();
            let file = FileDigest::of(&rand::random::<[u8; 32]>());
            let new = NewRecord::of(opening, file, format!("{n}.json"), 0).unwrap();
            let id = new.id;
            desk.parts.vault.put_pending(&Actor::Node, &[new]).unwrap();
            ids.push(id);
        }
        desk.anchor(ids.clone()).await.unwrap();
        ids
    }

    async fn disclose(
        &self,
        record: RecordId,
        shown: &[&str],
        limits: Option<Limits>,
    ) -> Result<Vec<u8>, DeskError> {
        let what = Disclose {
            record,
            receiver: self.member(1),
            purpose: "order 4711".into(),
            fields: Selection::new(shown.iter().map(|s| (*s).to_owned()).collect()).unwrap(),
            limits,
        };
        self.desk.disclose(what).await
    }

    fn verify(&self, bytes: &[u8]) -> Result<Verified, DisclosureError> {
        verify(bytes, &self.trust, Some(&self.member(1)))
    }

    /// A message, signed by this node whatever it says.
    fn signed(&self, mut raw: Raw) -> Vec<u8> {
        raw.signature.clear();
        let signing = &self.chain.members[0].signing;
        let (signer, network) = (PublicKey::of(signing).id(), self.chain.genesis.network());
        let message = raw.encode_to_vec();
        let parts: [&[u8]; 3] = [network.as_bytes(), signer.as_bytes(), &message];
        raw.signature = sign(signing, &tag::preimage("sign/disclosure", &parts));
        raw.encode_to_vec()
    }

    /// What a forgery, signed by this node all the same, is refused for.
    fn refused(&self, honest: &[u8], bend: impl FnOnce(&mut Raw)) -> &'static str {
        let mut raw = Raw::decode(honest).unwrap();
        bend(&mut raw);
        match self.verify(&self.signed(raw)) {
            Err(error) => error.code(),
            Ok(_) => "accepted",
        }
    }
}

/// What one disclosure tells of its record.
fn alone(verified: &Verified) -> Bundle<'_> {
    Bundle::gather(std::slice::from_ref(verified), &[]).remove(0)
}

fn specification() -> Option<Limits> {
    Some(Limits::Of(Specification::parse(SPECIFICATION).unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_what_was_chosen_and_nothing_else() {
    let world = World::new();
    let records = world.records(&["0.021", "0.022", "0.023"]).await;
    let bytes = world.disclose(records[1], &["heat", "chemistry/C"], None).await.unwrap();
    let verified = world.verify(&bytes).unwrap();
    assert_eq!(verified.record, records[1]);
    assert_eq!(verified.issuer.member, world.member(0));
    assert_eq!(verified.issuer.legal_name.as_deref(), Some("Member 0"));
    assert_eq!(verified.discloser, verified.issuer);
    assert_eq!((verified.receiver, verified.purpose.as_str()), (world.member(1), "order 4711"));
    assert_eq!(verified.signing, Signing::Sound);
    let told: Vec<_> = verified.fields.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(told, ["chemistry/C", "heat"]);
    let kept = fields("0.022");
    for (path, said) in &verified.fields {
        assert!(matches!(said, Said::Shown { value, .. } if Some(value) == kept.get(path)));
    }
    assert!(verified.conformity.is_none());
    let all = world.disclose(records[1], &["all"], None).await.unwrap();
    assert_eq!(world.verify(&all).unwrap().fields.len(), kept.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn proves_limits_without_a_number() {
    let world = World::new();
    let record = world.records(&["0.0305"]).await[0];
    let bytes = world.disclose(record, &["heat"], specification()).await.unwrap();
    let verified = world.verify(&bytes).unwrap();
    let conformity = verified.conformity.as_ref().unwrap();
    assert!(conformity.limits.iter().all(|(_, standing)| *standing == Standing::Kept));
    assert_eq!(conformity.limits.len(), 4);
    for (path, said) in &verified.fields {
        let hidden = matches!(said, Said::Committed(_));
        assert_eq!(hidden, path.as_str() != "heat", "{path}");
    }
    // What is shown as well counts as the same number.
    let both = world.disclose(record, &["chemistry/C"], specification()).await.unwrap();
    assert!(world.verify(&both).unwrap().conformity.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn proves_the_certificates_own_limits_and_shows_these() {
    let world = World::new();
    let records = world.records(&["0.035", "0.036"]).await;
    let bytes = world.disclose(records[0], &[], Some(Limits::Own)).await.unwrap();
    let verified = world.verify(&bytes).unwrap();
    let conformity = verified.conformity.as_ref().unwrap();
    let names: Vec<_> = conformity.limits.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["chemistry/C", "chemistry/Cr"]);
    let shown = verified.fields.iter().filter(|(_, said)| matches!(said, Said::Shown { .. }));
    assert_eq!(shown.count(), 3);
    match world.disclose(records[1], &[], Some(Limits::Own)).await {
        Err(DeskError::Unproved(limits)) => {
            assert_eq!(limits, [("chemistry/C".to_owned(), Unprovable::Outside)]);
        }
        other => panic!("{other:?}"),
    }
    // Limits that are wider than the certificate's are not its own.
    let code = world
        .refused(&bytes, |raw| raw.specification = raw.specification.replace("0.035", "0.0350"));
    assert_eq!(code, "own-limits");
    let code = world.refused(&bytes, |raw| drop(raw.fields.remove(1)));
    assert_eq!(code, "own-limits");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_outside_its_limits_is_named_and_nothing_is_made() {
    let world = World::new();
    let record = world.records(&["0.031"]).await[0];
    match world.disclose(record, &["heat"], specification()).await {
        Err(DeskError::Unproved(limits)) => {
            assert_eq!(limits, [("chemistry/C".to_owned(), Unprovable::Outside)]);
        }
        other => panic!("{other:?}"),
    }
    // What could not be proved binds nobody: a wider specification may follow.
    let wider = SPECIFICATION.replace("0.030", "0.031");
    let wider = Some(Limits::Of(Specification::parse(&wider).unwrap()));
    world.disclose(record, &["heat"], wider).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_gets_one_specification_and_no_narrower_one() {
    let world = World::new();
    let record = world.records(&["0.021"]).await[0];
    world.disclose(record, &[], specification()).await.unwrap();
    world.disclose(record, &[], specification()).await.unwrap();
    let narrower = SPECIFICATION.replace("0.030", "0.025");
    let narrower = Some(Limits::Of(Specification::parse(&narrower).unwrap()));
    let refused = world.disclose(record, &[], narrower).await;
    assert!(matches!(refused, Err(DeskError::AgreedOtherwise(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_what_cannot_be_disclosed() {
    let world = World::new();
    let record = world.records(&["0.021"]).await[0];
    let code = |refused: Result<Vec<u8>, DeskError>| refused.map(|_| ()).unwrap_err().code();
    assert_eq!(
        code(world.disclose(RecordId::from([9; 32]), &["heat"], None).await),
        "unknown-record"
    );
    assert_eq!(code(world.disclose(record, &["chemistry/Mn"], None).await), "no-such-field");
    assert_eq!(code(world.disclose(record, &[], None).await), "nothing-disclosed");
    let others = format!("used_by = ['{}']\n{SPECIFICATION}", world.member(2));
    let others = Some(Limits::Of(Specification::parse(&others).unwrap()));
    assert_eq!(code(world.disclose(record, &[], others).await), "specification-not-for");
    let what = |receiver, purpose: &str| Disclose {
        record,
        receiver,
        purpose: purpose.into(),
        fields: Selection::new(vec!["heat".into()]).unwrap(),
        limits: None,
    };
    let unknown = world.desk.disclose(what(MemberId::from([9; 32]), "order")).await;
    assert_eq!(code(unknown), "unknown-member");
    for purpose in ["", " ", "a\nb", &"x".repeat(513)] {
        assert_eq!(code(world.desk.disclose(what(world.member(1), purpose)).await), "purpose");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_another_receiver_or_network() {
    let world = World::new();
    let record = world.records(&["0.021"]).await[0];
    let bytes = world.disclose(record, &["heat"], None).await.unwrap();
    let code = |result: Result<Verified, DisclosureError>| result.unwrap_err().code();
    assert_eq!(code(verify(&bytes, &world.trust, Some(&world.member(2)))), "wrong-receiver");
    assert!(verify(&bytes, &world.trust, None).is_ok());
    let (other, _, _) = super::chain::network(2);
    assert_eq!(code(verify(&bytes, &TrustRoot::from_genesis(&other), None)), "wrong-network");
    // The receiver may not change to whom or for what it was made.
    let mut raw = Raw::decode(bytes.as_slice()).unwrap();
    raw.receiver = world.member(2).to_vec();
    let forged = verify(&raw.encode_to_vec(), &world.trust, Some(&world.member(2)));
    assert_eq!(code(forged), "disclosure-signature");
    let mut raw = Raw::decode(bytes.as_slice()).unwrap();
    raw.purpose = "order 4712".into();
    assert_eq!(code(world.verify(&raw.encode_to_vec())), "disclosure-signature");
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_every_forgery_by_the_discloser_for_its_own_reason() {
    let world = World::new();
    let records = world.records(&["0.021", "0.025"]).await;
    let honest = world.disclose(records[0], &["chemistry/C", "heat"], None).await.unwrap();
    let other = world.disclose(records[1], &["chemistry/C", "heat"], None).await.unwrap();
    let other = Raw::decode(other.as_slice()).unwrap();
    assert_eq!(world.refused(&honest, |_| {}), "accepted");
    assert_eq!(world.refused(&honest, |raw| raw.fields[0] = other.fields[0].clone()), "wrong-root");
    assert_eq!(world.refused(&honest, |raw| raw.fields[1] = raw.fields[0].clone()), "path-twice");
    assert_eq!(world.refused(&honest, |raw| raw.fields.reverse()), "field-order");
    assert_eq!(world.refused(&honest, |raw| raw.record = other.record.clone()), "batch-path");
    assert_eq!(
        world.refused(&honest, |raw| {
            raw.record = other.record.clone();
            raw.batch = other.batch.clone();
        }),
        "wrong-root"
    );
    assert_eq!(world.refused(&honest, |raw| raw.head = other.head.clone()), "wrong-root");
    assert_eq!(world.refused(&honest, |raw| raw.batch[7] ^= 1), "batch-path");
    assert_eq!(world.refused(&honest, |raw| raw.batch.push(0)), "batch-path");
    assert_eq!(world.refused(&honest, |raw| raw.issuer_key.clear()), "wrong-length");
    assert_eq!(world.refused(&honest, |raw| raw.issuer = raw.issuer_key.clone()), "wrong-entry");
    assert_eq!(
        world.refused(&honest, |raw| raw.discloser_key = raw.issuer_key.clone()),
        "wrong-entry"
    );
    assert_eq!(world.refused(&honest, |raw| raw.discloser_key = raw.issuer.clone()), "wrong-entry");
    assert_eq!(world.refused(&honest, |raw| raw.proofs.push(vec![0; 769])), "not-canonical");
    assert_eq!(world.refused(&honest, |raw| raw.version = 2), "not-canonical");
    assert_eq!(world.refused(&honest, |raw| raw.specification = "x".into()), "specification");
    // A salt changed.
    let salted = world.refused(&honest, |raw| {
        raw.fields[1] = bent_field(&raw.fields[1], |field| field.salt[0] ^= 1);
    });
    assert_eq!(salted, "wrong-root");
    // A point that is none.
    let proved = world.disclose(records[0], &["heat"], specification()).await.unwrap();
    let bent = world.refused(&proved, |raw| {
        raw.fields[0] = no_point(&raw.fields[0]);
    });
    assert_eq!(bent, "bad-commitment");
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_a_record_that_its_issuer_did_not_anchor() {
    let world = World::new();
    // Member 1 anchors a record that names member 0 as its issuer, from its own vault and node.
    let thief = desk_of(&world.chain, 1, vault_of(&world.chain, "thief"));
    let stolen = world.anchored_by(&thief, &["0.021"]).await[0];
    let what = Disclose {
        record: stolen,
        receiver: world.member(1),
        purpose: "order".into(),
        fields: Selection::new(vec!["heat".into()]).unwrap(),
        limits: None,
    };
    let bytes = thief.disclose(what).await.unwrap();
    assert_eq!(world.verify(&bytes).unwrap_err().code(), "not-the-issuer");
    // Naming itself as the issuer changes the head, and with it every leaf.
    let mut raw = Raw::decode(bytes.as_slice()).unwrap();
    let at = raw.head.windows(32).position(|window| window == world.member(0).as_bytes()).unwrap();
    raw.head[at..at + 32].copy_from_slice(world.member(1).as_bytes());
    assert_eq!(world.verify(&raw.encode_to_vec()).unwrap_err().code(), "wrong-root");
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_a_proof_replayed_to_another_record_receiver_purpose_or_specification() {
    let world = World::new();
    let records = world.records(&["0.021", "0.021"]).await;
    let one = world.disclose(records[0], &["heat"], specification()).await.unwrap();
    let two = world.disclose(records[1], &["heat"], specification()).await.unwrap();
    let proofs = Raw::decode(one.as_slice()).unwrap().proofs;
    assert_eq!(world.refused(&two, |raw| raw.proofs = proofs.clone()), "conformance-proof");
    assert_eq!(world.refused(&one, |raw| raw.purpose = "another".into()), "conformance-proof");
    assert_eq!(
        world.refused(&one, |raw| raw.specification = raw.specification.replace("0.030", "0.020")),
        "conformance-proof"
    );
    assert_eq!(world.refused(&one, |raw| raw.specification.clear()), "not-canonical");
    assert_eq!(world.refused(&one, |raw| raw.proofs.clear()), "proof-count");
    assert_eq!(world.refused(&one, |raw| drop(raw.fields.remove(0))), "limit-unproved");
    let mut elsewhere = Raw::decode(one.as_slice()).unwrap();
    elsewhere.receiver = world.member(2).to_vec();
    let elsewhere = verify(&elsewhere.encode_to_vec(), &world.trust, Some(&world.member(2)));
    assert_eq!(elsewhere.unwrap_err().code(), "disclosure-signature");
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_a_discloser_whose_key_the_registry_does_not_hold() {
    let world = World::new();
    let record = world.records(&["0.021"]).await[0];
    let bytes = world.disclose(record, &["heat"], None).await.unwrap();
    let mut raw = Raw::decode(bytes.as_slice()).unwrap();
    raw.signature = sign(&key(99), b"anything");
    assert_eq!(world.verify(&raw.encode_to_vec()).unwrap_err().code(), "disclosure-signature");
    // The p2p key of the same member is registered, and signs nothing of this kind.
    let p2p = PublicKey::of(&world.chain.members[0].p2p).id();
    let state = world.chain.store.state_proof(
        &heatmark_ledger::state::key_key(&p2p),
        None,
        heatmark_ledger::ids::Height(0),
    );
    raw.discloser_key = state.unwrap().encode_to_vec();
    assert_eq!(world.verify(&raw.encode_to_vec()).unwrap_err().code(), "discloser-key");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_flipped_bit_anywhere_is_refused() {
    let world = World::new();
    let records = world.records(&["0.021", "0.022"]).await;
    let bytes = world.disclose(records[0], &["chemistry/C"], None).await.unwrap();
    assert!(world.verify(&bytes).is_ok());
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bent = bytes.clone();
            bent[at] ^= 1 << bit;
            assert!(world.verify(&bent).is_err(), "byte {at} bit {bit} of {}", bytes.len());
        }
    }
    for cut in 0..bytes.len() {
        assert!(Disclosure::decode(&bytes[..cut]).is_err() || world.verify(&bytes[..cut]).is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_tells_what_is_neither_shown_nor_proved() {
    let world = World::new();
    let record = world.records(&["0.021"]).await[0];
    let id = Specification::parse(SPECIFICATION).unwrap().id();
    let policy = |carbon: &str, specification: &str, issuer: MemberId| {
        Policy::parse(&format!(
            "issuers = ['{issuer}']\nspecifications = ['{specification}']\n\
            [[require]]\nproperty = 'chemistry/C'\nas = '{carbon}'\n\
            [[require]]\nproperty = 'heat'\nas = 'shown'\n"
        ))
        .unwrap()
    };
    let (mill, named) = (world.member(0), id.to_string());
    let shown = world.disclose(record, &["chemistry/C", "heat"], None).await.unwrap();
    let proved = world.disclose(record, &["heat"], specification()).await.unwrap();
    let (shown, proved) = (world.verify(&shown).unwrap(), world.verify(&proved).unwrap());
    assert_eq!(policy("shown", &named, mill).shortfalls(&alone(&shown)), []);
    assert_eq!(policy("proved", &named, mill).shortfalls(&alone(&proved)), []);
    // Conformance without values does not replace a 3.1 certificate.
    let lacking = |demand| Shortfall::Property { property: "chemistry/C".into(), demand };
    assert_eq!(
        policy("shown", &named, mill).shortfalls(&alone(&proved)),
        [lacking(heatmark_evidence::Demand::Shown)]
    );
    assert_eq!(
        policy("proved", &named, mill).shortfalls(&alone(&shown)),
        [lacking(heatmark_evidence::Demand::Proved)]
    );
    let other = "00".repeat(32);
    assert_eq!(
        policy("proved", &other, mill).shortfalls(&alone(&proved)),
        [Shortfall::Specification, lacking(heatmark_evidence::Demand::Proved)]
    );
    assert_eq!(
        policy("shown", &named, world.member(2)).shortfalls(&alone(&shown)),
        [Shortfall::Issuer]
    );
    assert!(Policy::parse("[[require]]\nproperty = 'a'\nas = 'proved'\n").is_err());
    assert!(Policy::parse("specifications = []\n").is_err());
}

fn vectors() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/disclosures.json")
}

/// What stands in the golden file is judged as it says, by this verifier and by the other one. `HEATMARK_BLESS=1`
/// writes it anew, with other salts, times and proofs.
#[tokio::test(flavor = "multi_thread")]
async fn golden_disclosures_are_judged_as_they_say() {
    if std::env::var_os("HEATMARK_BLESS").is_some() {
        bless().await;
    }
    let golden: serde_json::Value =
        serde_json::from_slice(&std::fs::read(vectors()).unwrap()).unwrap();
    let genesis = golden["trust"].as_str().unwrap();
    let genesis = heatmark_ledger::genesis::Genesis::parse(genesis.as_bytes()).unwrap();
    genesis.require_signed().unwrap();
    let trust = TrustRoot::from_genesis(&genesis);
    let receiver: MemberId = golden["receiver"].as_str().unwrap().parse().unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() > 20);
    for case in cases {
        let own = case["receiver"].as_str().map(|receiver| receiver.parse().unwrap());
        let bytes = hex::decode(case["disclosure"].as_str().unwrap()).unwrap();
        let judged = verify(&bytes, &trust, Some(&own.unwrap_or(receiver)));
        let (expect, error) = match &judged {
            Ok(_) => ("ok", None),
            Err(error) if error.cannot_tell() => ("cannot-tell", Some(error.code())),
            Err(error) => ("refused", Some(error.code())),
        };
        assert_eq!(case["expect"], expect, "{}: {judged:?}", case["name"]);
        assert_eq!(case["error"].as_str(), error, "{}", case["name"]);
    }
}

async fn bless() {
    let world = World::new();
    let records = world.records(&["0.021", "0.025"]).await;
    let shown = world.disclose(records[0], &["all"], None).await.unwrap();
    let small = world.disclose(records[0], &["chemistry/C", "heat"], None).await.unwrap();
    let other = world.disclose(records[1], &["chemistry/C", "heat"], None).await.unwrap();
    let proved = world.disclose(records[0], &["heat"], specification()).await.unwrap();
    let own = world.disclose(records[1], &[], Some(Limits::Own)).await.unwrap();
    let other = Raw::decode(other.as_slice()).unwrap();
    let raw = |bytes: &[u8]| Raw::decode(bytes).unwrap();
    let bend = |bytes: &[u8], bend: &dyn Fn(&mut Raw)| {
        let mut bent = raw(bytes);
        bend(&mut bent);
        world.signed(bent)
    };
    let swapped = bend(&small, &|raw| raw.fields[0] = other.fields[0].clone());
    let twice = bend(&small, &|raw| raw.fields[1] = raw.fields[0].clone());
    let replayed = bend(&proved, &|raw| raw.purpose = "another".into());
    let cases = vec![
        ("every field is shown", shown.clone(), false),
        ("two fields are shown", small.clone(), false),
        ("limits are proved", proved.clone(), true),
        ("the certificate's own limits are proved", own.clone(), true),
        ("a field of another record", swapped, false),
        ("one path twice", twice, false),
        ("fields out of order", bend(&small, &|raw| raw.fields.reverse()), false),
        ("another record", bend(&small, &|raw| raw.record = other.record.clone()), false),
        ("another head", bend(&small, &|raw| raw.head = other.head.clone()), false),
        ("another place in the batch", bend(&small, &|raw| raw.batch = other.batch.clone()), false),
        ("no receipt", bend(&small, &|raw| raw.receipt.clear()), false),
        ("no state of the issuer's key", bend(&small, &|raw| raw.issuer_key.clear()), false),
        (
            "a key's state as the issuer's",
            bend(&small, &|raw| raw.issuer = raw.issuer_key.clone()),
            false,
        ),
        (
            "the anchor's key twice",
            bend(&small, &|raw| raw.discloser_key = raw.issuer_key.clone()),
            false,
        ),
        ("an unknown version", bend(&small, &|raw| raw.version = 2), false),
        ("a blank purpose", bend(&small, &|raw| raw.purpose = " ".into()), false),
        ("proofs of nothing", bend(&small, &|raw| raw.proofs.push(vec![0; 769])), false),
        (
            "a blinding too many",
            bend(&small, &|raw| raw.fields[0] = more_blindings(&raw.fields[0])),
            false,
        ),
        (
            "a siblings' hash too many",
            bend(&small, &|raw| raw.fields[0] = more_siblings(&raw.fields[0])),
            false,
        ),
        (
            "no canonical point",
            bend(&proved, &|raw| raw.fields[0] = no_point(&raw.fields[0])),
            false,
        ),
        ("a proof for another purpose", replayed, true),
        ("another specification", bend(&proved, &|raw| raw.specification.push('\n')), true),
        ("a missing proof", bend(&proved, &|raw| raw.proofs.clear()), true),
        (
            "an unsigned disclosure",
            {
                let mut raw = raw(&small);
                raw.signature.clear();
                raw.encode_to_vec()
            },
            false,
        ),
        (
            "another time",
            {
                let mut raw = raw(&small);
                raw.made_ms += 1;
                raw.encode_to_vec()
            },
            false,
        ),
        (
            "another receiver",
            {
                let mut raw = raw(&small);
                raw.receiver = world.member(2).to_vec();
                raw.encode_to_vec()
            },
            false,
        ),
        ("something after it", [small.as_slice(), &[0]].concat(), false),
        ("cut off", small[..small.len() - 1].to_vec(), false),
    ];
    let cases: Vec<serde_json::Value> = cases
        .into_iter()
        .map(|(name, bytes, conformance)| {
            let judged = world.verify(&bytes);
            let error = judged.as_ref().err().map(DisclosureError::code);
            let expect = if judged.is_ok() { "ok" } else { "refused" };
            serde_json::json!({ "name": name, "expect": expect, "error": error,
                "conformance": conformance, "disclosure": hex::encode(bytes) })
        })
        .collect();
    let golden = serde_json::json!({
        "trust": world.chain.genesis.to_text(),
        "receiver": world.member(1).to_string(),
        "cases": cases,
    });
    let text = format!("{}\n", serde_json::to_string_pretty(&golden).unwrap());
    assert!(text.len() < 600_000, "{} bytes", text.len());
    std::fs::write(vectors(), text).unwrap();
}

/// A field's message as the specification gives it.
#[derive(Clone, PartialEq, Message)]
struct RawField {
    #[prost(string, tag = "1")]
    path: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    blindings: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    salt: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    siblings: Vec<u8>,
}

fn bent_field(field: &[u8], bend: impl FnOnce(&mut RawField)) -> Vec<u8> {
    let mut raw = RawField::decode(field).unwrap();
    bend(&mut raw);
    raw.encode_to_vec()
}

fn more_blindings(field: &[u8]) -> Vec<u8> {
    bent_field(field, |field| field.blindings.extend([0; 32]))
}

fn more_siblings(field: &[u8]) -> Vec<u8> {
    bent_field(field, |field| field.siblings.extend([0; 32]))
}

/// Kind, length of the unit, the unit, shape, relation: then the point.
fn no_point(field: &[u8]) -> Vec<u8> {
    bent_field(field, |field| field.value[5..37].fill(0xff))
}
