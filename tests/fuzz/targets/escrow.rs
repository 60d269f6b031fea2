//! Manifests, clauses, claims and bases of escrow, the files that its parties sign, and policies as people write them.

use ed25519_dalek::SigningKey;
use heatmark_escrow::files::{
    CarryAsk, ClaimFile, DealRefused, DepositAsk, DepositEvidence, DepositKey, DepositParcel,
    DepositReceipt, Destroyed, DrillAnswer, DrillAsk, DrillPiece, DrillPlace, OfferAsk, Offers,
    PieceAsk, Pieces, QuoteAsk, Ruling, TermsContent, TermsFile,
};
use heatmark_escrow::{
    AgentEntry, Base, Claim, ClaimKey, Clause, Manifest, Order, PartyRole, PayloadClaim, Policy,
    PriceKind, Quote, RegulatorEntry, SEALING_KEY_BYTES, SectionEntry, ShareClaim, Terms,
    TermsAgent, TermsParty, WhoKind,
};
use heatmark_evidence::transfer::SignedFile;
use heatmark_fuzz::{Shape, Target};
use heatmark_ledger::ids::{MemberId, NetworkId};
use heatmark_ledger::keys::{PublicKey, RegisteredKey};
use heatmark_ledger::messages as pb;
use prost::Message;

const NETWORK: [u8; 32] = [1; 32];
const MAKER: [u8; 32] = [2; 32];
/// The base point of the group, which is a commitment like any other.
const POINT: &str = "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76";

/// What is read is what was signed, byte for byte, and an input that was changed is signed by nobody.
fn signed<F: SignedFile + 'static>(name: &'static str, files: Vec<F>) {
    let key = SigningKey::from_bytes(&[7; 32]);
    let network = NetworkId::from(NETWORK);
    let seeds: Vec<Vec<u8>> = files.into_iter().map(|file| file.signed(&network, &key)).collect();
    let known = seeds.clone();
    let registered = PublicKey::of(&key).to_bytes();
    let run = move |input: &[u8]| match F::read(input, &network) {
        Ok(file) => {
            let key = RegisteredKey::from_state(&registered).unwrap();
            if let Ok(proved) = file.prove(&key, &MemberId::from(MAKER)) {
                assert_eq!(proved.encode_to_vec(), input);
                assert!(known.iter().any(|seed| seed == input), "nobody signed this");
            }
            true
        }
        Err(_) => false,
    };
    Target::new(name, seeds, run).may_allocate(60, 64 << 10).fuzz();
}

macro_rules! file {
    ($($name:ident: $tag:literal, $file:expr;)*) => {$(
        #[test]
        fn $name() {
            let mut file = $file;
            (file.from, file.to) = (MAKER.to_vec(), vec![3; 32]);
            signed($tag, vec![file]);
        }
    )*};
}

fn hash(byte: u8) -> Vec<u8> {
    vec![byte; 32]
}

fn sections() -> Vec<String> {
    vec!["assay".into(), "labour".into()]
}

fn key() -> Vec<u8> {
    vec![9; SEALING_KEY_BYTES]
}

file! {
    deposit_ask: "deposit-ask", DepositAsk { nonce: vec![4; 16], sections: 2, bytes: 100, ..DepositAsk::default() };
    deposit_key: "deposit-key", DepositKey { nonce: vec![4; 16], key: key(), ..DepositKey::default() };
    deposit_parcel: "deposit-parcel", DepositParcel {
        nonce: vec![4; 16], manifest: vec![1; 80], clauses: vec![vec![2; 50]; 2], shares: vec![vec![3; 1_200]; 2],
        evidence: vec![4; 200], ..DepositParcel::default()
    };
    deposit_receipt: "deposit-receipt", DepositReceipt { manifest: hash(4), contents: true, at_ms: 5, ..DepositReceipt::default() };
    offer_ask: "offer-ask", OfferAsk { nonce: vec![4; 16], record: hash(5), ..OfferAsk::default() };
    offers: "offers", Offers {
        nonce: vec![4; 16], record: hash(5), manifest: vec![1; 80], clauses: vec![vec![2; 50]], evidence: vec![4; 200],
        ..Offers::default()
    };
    quote_ask: "quote-ask", QuoteAsk { deal: hash(4), manifest: hash(5), role: PartyRole::Agent.into(), ..QuoteAsk::default() };
    quote: "quote", Quote {
        deal: hash(4), manifest: hash(5), role: PartyRole::Arbiter.into(), key: hash(6), sealing: key(), ..Quote::default()
    };
    terms_file: "terms-file", TermsFile { deal: hash(4), sealed: vec![5; 300], ..TermsFile::default() };
    carry_ask: "carry-ask", CarryAsk {
        body: vec![5; 60],
        cosignature: Some(pb::CoSignature {
            purpose: pb::CoSigner::Deal.into(), public_key: hash(1), signature: vec![2; 64],
        }),
        ..CarryAsk::default()
    };
    claim_file: "claim-file", ClaimFile { deal: hash(4), claim: hash(5), sealed: vec![6; 300], ..ClaimFile::default() };
    ruling: "ruling", Ruling {
        deal: hash(4), refund: true, code: "mismatch".into(), salt: hash(5), reason: "a bad share".into(), ..Ruling::default()
    };
    deal_refused: "deal-refused", DealRefused {
        deal: hash(4), code: "price".into(), text: "another price".into(), at_ms: 5, ..DealRefused::default()
    };
    order: "deal-order", Order {
        record: hash(4), sections: sections(), purpose: "audit".into(), reason: hash(5), until_ms: 6, nonce: vec![7; 16],
        ..Order::default()
    };
    piece_ask: "piece-ask", PieceAsk { root: hash(4), first: 3, count: 9, proved: true, ..PieceAsk::default() };
    pieces: "pieces", Pieces {
        root: hash(4), first: 3, pieces: vec![vec![5; 200]; 2], paths: vec![vec![6; 64]; 2], ..Pieces::default()
    };
    destroyed: "destroyed", Destroyed { manifest: hash(4), at_ms: 5, ..Destroyed::default() };
    drill_ask: "drill-ask", DrillAsk {
        nonce: vec![4; 16], manifest: hash(5),
        places: vec![DrillPlace { section: 1, piece: 1 }, DrillPlace { section: 2, piece: 7 }], ..DrillAsk::default()
    };
    drill_answer: "drill-answer", DrillAnswer {
        nonce: vec![4; 16], manifest: hash(5), pieces: vec![DrillPiece { piece: vec![1; 90], path: vec![2; 64] }],
        shares: vec![hash(6); 2], ..DrillAnswer::default()
    };
}

#[test]
fn deal_terms() {
    let agent = |index: u8| TermsAgent {
        index: index.into(),
        member: hash(index),
        key: hash(index + 10),
        reply: key(),
        quote: vec![8; 100],
    };
    let party = || TermsParty { member: hash(3), key: hash(4), quote: vec![5; 100] };
    let terms = Terms {
        buyer: MAKER.to_vec(),
        salt: hash(3),
        deal: hash(4),
        manifest: hash(5),
        sections: sections(),
        clause: vec![6; 90],
        buyer_key: hash(7),
        owner: Some(party()),
        arbiter: Some(party()),
        agents: vec![agent(1), agent(2)],
        amount: 25_000,
        currency: "EUR".into(),
        nda: hash(8),
        purpose: "audit".into(),
        ready_by_ms: 5,
        orders: vec![vec![9; 200]],
        ..Terms::default()
    };
    signed("deal-terms", vec![terms]);
}

/// Whatever is accepted is encoded to the same bytes.
fn read<T>(
    name: &'static str,
    seeds: Vec<Vec<u8>>,
    read: impl Fn(&[u8]) -> Option<T> + 'static,
    bytes: impl Fn(&T) -> Vec<u8> + 'static,
) {
    let run = move |input: &[u8]| match read(input) {
        Some(it) => {
            assert_eq!(bytes(&it), input);
            true
        }
        None => false,
    };
    Target::new(name, seeds, run).may_allocate(60, 64 << 10).fuzz();
}

#[test]
fn deposit_manifest() {
    let network = NetworkId::from(NETWORK);
    let point = hex::decode(POINT).unwrap();
    let section = |name: &str| SectionEntry {
        name: name.into(),
        root: hash(6),
        bytes: 70_000,
        pieces: 2,
        commitments: point.clone(),
        fields: vec!["assay/report".into(), "heat".into()],
        documents: vec![],
    };
    let manifest = Manifest {
        version: 1,
        network: NETWORK.to_vec(),
        owner: MAKER.to_vec(),
        record: hash(3),
        salt: hash(4),
        epoch: 1,
        threshold: 1,
        agents: vec![AgentEntry { member: hash(5), country: "DE".into() }],
        sections: vec![section("assay"), section("labour")],
        clauses: vec![hash(7), hash(8)],
        regulators: vec![RegulatorEntry { member: hash(9), root_key: hash(10) }],
        quorum: 1,
        deposited_ms: 11,
        ..Manifest::default()
    };
    let seed = manifest.to_bytes();
    let decode = move |input: &[u8]| Manifest::read(input, &network).ok();
    read("deposit-manifest", vec![seed], decode, Manifest::to_bytes);
}

fn priced() -> Clause {
    Clause {
        salt: hash(3),
        name: "Audit".into(),
        sections: sections(),
        who_kind: WhoKind::Members.into(),
        members: vec![hash(4), hash(5)],
        price_kind: PriceKind::Premium.into(),
        premium: 320,
        currency: "EUR".into(),
        arbiters: vec![hash(6)],
        purposes: vec!["audit".into()],
        until_ms: 9,
        countries: vec!["DE".into(), "FR".into()],
        standing: "PO 1".into(),
        ..Clause::default()
    }
}

#[test]
fn deposit_clause() {
    let decode = |input: &[u8]| Clause::read(input).ok();
    read("deposit-clause", vec![priced().to_bytes()], decode, Clause::to_bytes);
}

#[test]
fn deal_claim() {
    let share = ShareClaim { agent: 1, section: "assay".into(), seed: hash(5) };
    let claim = Claim { deal: hash(3), salt: hash(4), share: Some(share), payload: None };
    let keys = vec![ClaimKey { agent: 1, seed: hash(6) }, ClaimKey { agent: 4, seed: hash(7) }];
    let payload = PayloadClaim { section: "assay".into(), keys, first: 0, count: 3 };
    let other = Claim { share: None, payload: Some(payload), ..claim.clone() };
    let seeds = [claim, other].map(|claim| claim.to_bytes().to_vec()).to_vec();
    let decode = |input: &[u8]| Claim::read(input).ok();
    read("deal-claim", seeds, decode, |claim| claim.to_bytes().to_vec());
}

#[test]
fn deal_base() {
    let base = Base { salt: hash(3), amount: 4, currency: "EUR".into() };
    let decode = |input: &[u8]| Base::read(input).ok();
    read("deal-base", vec![base.to_bytes()], decode, Base::to_bytes);
}

#[test]
fn deal_terms_content() {
    let content = TermsContent { terms: vec![1; 50], base: vec![2; 40], ..TermsContent::default() };
    let decode = |input: &[u8]| TermsContent::read(input).ok();
    let seed = content.to_bytes().to_vec();
    read("deal-terms-content", vec![seed], decode, |content| content.to_bytes().to_vec());
}

#[test]
fn deposit_evidence() {
    let evidence =
        DepositEvidence { receipt: vec![1; 90], batch: vec![2; 40], issuer_key: vec![3; 90] };
    let decode = |input: &[u8]| DepositEvidence::read(input).ok();
    let seed = evidence.encode_to_vec();
    read("deposit-evidence", vec![seed], decode, DepositEvidence::encode_to_vec);
}

/// A policy that is accepted is printed so that it reads the same.
#[test]
fn escrow_policy() {
    let policies = crate::seeds::place("contracts/escrow/tests/policies");
    let seeds = std::fs::read_dir(policies).unwrap();
    let seeds = seeds.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect();
    let run = |input: &[u8]| {
        let policy = std::str::from_utf8(input).ok().and_then(|text| Policy::parse(text).ok());
        let Some(policy) = policy else { return false };
        assert_eq!(Policy::parse(&policy.to_toml()).unwrap(), policy);
        true
    };
    Target::new("escrow-policy", seeds, run).of(Shape::Text).may_allocate(2_000, 1 << 20).fuzz();
}
