//! A whole deposit and whatever deals a test wants of it: members with keys, a sealed record, two sections shared two of three.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use heatmark_envelopes::{Encryptor, OpeningKey, PieceTree, SectionSecret, Share, split};
use heatmark_evidence::transfer::SignedFile;
use heatmark_ledger::ids::{MemberId, NetworkId, UnixMillis};
use heatmark_ledger::keys::{PublicKey, deal_id, member_id};
use heatmark_ledger::messages::{self as pb, KeyAlgorithm, KeyRole, MemberStatus, Role};
use heatmark_records::{Document, Fields, Heading, Opening, Path, Secret, Value};
use prost::Message;
use sha2::{Digest as _, Sha256};

use crate::purpose::content_context;
use crate::{
    AgentEntry, Clause, DocumentEntry, Facts, Manifest, Order, PartyRole, PriceKind, Quote,
    Registry, RegulatorEntry, SectionDocument, SectionEntry, SectionHead, Terms, TermsAgent,
    TermsParty, WhoKind, document_digest,
};

pub(crate) const NOW: u64 = 1_800_000_000_000;
pub(crate) const HOUR: u64 = 3_600_000;
pub(crate) const OWNER: u8 = 1;
pub(crate) const BUYER: u8 = 2;
pub(crate) const ARBITER: u8 = 3;
pub(crate) const OTHER: u8 = 4;
pub(crate) const AGENTS: [u8; 3] = [11, 12, 13];
pub(crate) const REGULATORS: [u8; 3] = [21, 22, 23];
pub(crate) const PURPOSE: &str = "audit 2027";
/// Longer than a piece.
const DOCUMENT_BYTES: usize = 150_000;

pub(crate) fn network() -> NetworkId {
    NetworkId::from([7; 32])
}

/// The key of a member that signs transactions and files.
pub(crate) fn signing(who: u8) -> SigningKey {
    SigningKey::from_bytes(&[who.wrapping_add(100); 32])
}

fn root(who: u8) -> PublicKey {
    PublicKey::of(&SigningKey::from_bytes(&[who; 32]))
}

pub(crate) fn member(who: u8) -> MemberId {
    member_id(&network(), &root(who).id())
}

pub(crate) fn ids(members: &[u8]) -> Vec<Vec<u8>> {
    let mut ids: Vec<Vec<u8>> = members.iter().map(|who| member(*who).to_vec()).collect();
    ids.sort();
    ids
}

/// A key of the deal: one for each number.
pub(crate) fn deal_key(number: u8) -> Vec<u8> {
    PublicKey::of(&SigningKey::from_bytes(&[number.wrapping_add(200); 32])).to_bytes().to_vec()
}

/// The key that an agent's shares are released to.
pub(crate) fn reply(index: u8) -> OpeningKey {
    OpeningKey::from_seed(&[index.wrapping_add(60); 32])
}

pub(crate) fn entry(role: Role, country: &str, root: &PublicKey) -> pb::MemberEntry {
    pb::MemberEntry {
        legal_name: "A company".into(),
        country: country.into(),
        roles: vec![role.into()],
        keys: vec![pb::PublicKey {
            role: KeyRole::Root.into(),
            algorithm: KeyAlgorithm::Ed25519.into(),
            key: root.to_bytes().to_vec(),
        }],
        ..pb::MemberEntry::default()
    }
}

pub(crate) fn state(entry: pb::MemberEntry, status: MemberStatus) -> pb::MemberState {
    pb::MemberState { entry: Some(entry), status: status.into(), since_height: 0 }
}

pub(crate) fn key_state(who: u8, key: &SigningKey) -> pb::KeyState {
    pb::KeyState {
        member: member(who).to_vec(),
        key: Some(pb::PublicKey {
            role: KeyRole::Signing.into(),
            algorithm: KeyAlgorithm::Ed25519.into(),
            key: PublicKey::of(key).to_bytes().to_vec(),
        }),
        ..pb::KeyState::default()
    }
}

pub(crate) fn registry() -> Registry {
    let mut registry = Registry::default();
    let assemblers = [OWNER, BUYER, ARBITER, OTHER].map(|who| (who, Role::Assembler));
    let agents = AGENTS.map(|who| (who, Role::EscrowAgent));
    let regulators = REGULATORS.map(|who| (who, Role::Regulator));
    for (who, role) in assemblers.into_iter().chain(agents).chain(regulators) {
        let entry = entry(role, "DE", &root(who));
        registry.insert_member(member(who), state(entry, MemberStatus::Active));
        let key = signing(who);
        registry.insert_key(PublicKey::of(&key).id(), key_state(who, &key));
    }
    registry
}

/// A clause that anybody may use for nothing, for both sections.
pub(crate) fn free() -> Clause {
    Clause {
        salt: vec![9; 32],
        name: "free".into(),
        sections: vec!["assay".into(), "labour".into()],
        who_kind: WhoKind::Anyone.into(),
        price_kind: PriceKind::Free.into(),
        ..Clause::default()
    }
}

pub(crate) fn priced() -> Clause {
    Clause {
        name: "priced".into(),
        price_kind: PriceKind::Fixed.into(),
        amount: 25_000,
        currency: "EUR".into(),
        arbiters: ids(&[ARBITER]),
        ..free()
    }
}

pub(crate) fn premium_of() -> Clause {
    Clause {
        name: "premium".into(),
        price_kind: PriceKind::Premium.into(),
        amount: 0,
        premium: 320,
        ..priced()
    }
}

pub(crate) fn on_order() -> Clause {
    Clause { name: "order".into(), order: true, ..free() }
}

/// A deposit with what its owner knows.
pub(crate) struct Stage {
    pub(crate) manifest: Manifest,
    pub(crate) clause: Clause,
    pub(crate) registry: Registry,
    pub(crate) shares: BTreeMap<String, Vec<Share>>,
    pub(crate) secrets: BTreeMap<String, SectionSecret>,
    pub(crate) contents: BTreeMap<String, Vec<u8>>,
    pub(crate) heads: BTreeMap<String, SectionHead>,
    pub(crate) document: Vec<u8>,
}

fn record(document: &[u8]) -> (Opening, [u8; 32]) {
    let sha256: [u8; 32] = Sha256::digest(document).into();
    let mut fields = Fields::new();
    let media_type = "application/pdf".to_owned();
    let length_bytes = document.len() as u64;
    let report = Value::Document(Document { sha256, length_bytes, media_type });
    for (path, value) in [
        ("assay/report", report),
        ("assay/result", Value::Text("Nd 29.1 %".into())),
        ("heat", Value::Text("H 1".into())),
        ("labour/hours", Value::Text("36".into())),
    ] {
        fields.insert(Path::new(path).unwrap(), value).unwrap();
    }
    let heading = Heading {
        network: *network().as_bytes(),
        form: "Heatmark 1".into(),
        issuer: *member(OWNER).as_bytes(),
        alert_subject: [1; 32],
        origin_seal: None,
    };
    (Opening::seal(heading, fields, Secret::new([3; 32])).unwrap(), sha256)
}

impl Stage {
    /// A deposit under one clause.
    pub(crate) fn under(clause: Clause) -> Self {
        let document: Vec<u8> = (0..DOCUMENT_BYTES).map(|at| (at % 251) as u8).collect();
        Self::of(clause, &document, |_| {})
    }

    /// The same, the owner having changed what it encrypts.
    pub(crate) fn of(clause: Clause, document: &[u8], spoil: impl Fn(&mut SectionHead)) -> Self {
        let (opening, digest) = record(document);
        let tree = opening.tree().unwrap();
        let mut manifest = Manifest {
            version: 1,
            network: network().as_bytes().to_vec(),
            owner: member(OWNER).to_vec(),
            record: tree.id().0.to_vec(),
            salt: vec![8; 32],
            epoch: 1,
            threshold: 2,
            agents: AGENTS
                .map(|who| AgentEntry { member: member(who).to_vec(), country: "DE".into() })
                .to_vec(),
            clauses: vec![clause.digest().0.to_vec()],
            regulators: REGULATORS
                .map(|who| RegulatorEntry {
                    member: member(who).to_vec(),
                    root_key: root(who).id().to_vec(),
                })
                .to_vec(),
            quorum: 2,
            deposited_ms: NOW - HOUR,
            ..Manifest::default()
        };
        manifest.regulators.sort_by(|left, right| left.member.cmp(&right.member));
        let salt = [5; 32];
        let listed = DocumentEntry {
            name: "report.pdf".into(),
            bytes: document.len() as u64,
            digest: document_digest(&salt, &digest).0.to_vec(),
        };
        let told = SectionDocument { salt: salt.to_vec(), digest: digest.to_vec() };
        let parts = [
            ("assay", vec!["assay/report", "assay/result"], vec![(told, listed)]),
            ("labour", vec!["labour/hours"], vec![]),
        ];
        let mut stage = Self {
            manifest,
            clause,
            registry: registry(),
            shares: BTreeMap::new(),
            secrets: BTreeMap::new(),
            contents: BTreeMap::new(),
            heads: BTreeMap::new(),
            document: document.to_vec(),
        };
        for (name, paths, documents) in parts {
            let fields = paths.iter().map(|path| tree.show(&Path::new(path).unwrap()).unwrap());
            let mut head = SectionHead {
                version: 1,
                head: opening.head().encode(),
                fields: fields.map(|field| field.encode()).collect(),
                documents: documents.iter().map(|(told, _)| told.clone()).collect(),
            };
            spoil(&mut head);
            let listed = documents.into_iter().map(|(_, listed)| listed).collect();
            stage.deposit(name, &paths, listed, head);
        }
        stage.manifest.check().unwrap();
        stage
    }

    fn deposit(
        &mut self,
        name: &str,
        paths: &[&str],
        documents: Vec<DocumentEntry>,
        head: SectionHead,
    ) {
        let secret = SectionSecret::generate(&mut rand::rng());
        let mut encryptor = Encryptor::new(&secret, &content_context(&self.manifest, name));
        let mut content = head.to_bytes().to_vec();
        if !documents.is_empty() {
            content.extend_from_slice(&self.document);
        }
        let mut sealed = encryptor.push(&content).unwrap().concat();
        let (last, id) = encryptor.finish().unwrap();
        sealed.extend(last);
        let (commitments, shares) = split(&secret, 2, 3, &mut rand::rng()).unwrap();
        self.manifest.sections.push(SectionEntry {
            name: name.into(),
            root: id.root().0.to_vec(),
            bytes: id.bytes(),
            pieces: id.pieces(),
            commitments: commitments.encode(),
            fields: paths.iter().map(|path| (*path).to_owned()).collect(),
            documents,
        });
        self.shares.insert(name.into(), shares);
        self.secrets.insert(name.into(), secret);
        self.contents.insert(name.into(), sealed);
        self.heads.insert(name.into(), head);
    }

    pub(crate) fn pieces(&self, section: &str) -> (PieceTree, Vec<&[u8]>) {
        let sealed = &self.contents[section];
        let pieces = sealed.chunks(heatmark_envelopes::SEALED_PIECE_BYTES).collect();
        (PieceTree::new([sealed.as_slice()]).unwrap(), pieces)
    }

    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts { at: UnixMillis(NOW), registry: &self.registry, standing: None }
    }

    /// A party's signed quote.
    pub(crate) fn quote(&self, who: u8, role: PartyRole, key: &[u8]) -> Vec<u8> {
        self.quote_in(who, role, key, 0)
    }

    fn quote_in(&self, who: u8, role: PartyRole, key: &[u8], deal: u8) -> Vec<u8> {
        let quote = Quote {
            from: member(who).to_vec(),
            to: member(BUYER).to_vec(),
            deal: id_of(deal),
            manifest: self.manifest.digest().0.to_vec(),
            role: role.into(),
            key: key.to_vec(),
            sealing: OpeningKey::from_seed(&[who; 32]).sealing_key().as_bytes().to_vec(),
            ..Quote::default()
        };
        quote.signed(&network(), &signing(who))
    }

    /// An order by a regulator, for both sections.
    pub(crate) fn order(&self, who: u8) -> Order {
        Order {
            from: member(who).to_vec(),
            to: member(BUYER).to_vec(),
            record: self.manifest.record.clone(),
            sections: vec!["assay".into(), "labour".into()],
            purpose: PURPOSE.into(),
            reason: vec![4; 32],
            until_ms: NOW + 9 * HOUR,
            nonce: vec![who; 16],
            ..Order::default()
        }
    }

    /// Terms that fulfil the clause, for both sections and all agents, signed by the buyer.
    pub(crate) fn terms(&self) -> Terms {
        self.terms_of(0)
    }

    /// The same for another deal, by the number of its buyer's key.
    pub(crate) fn terms_of(&self, deal: u8) -> Terms {
        let (pays, by_hand) = (self.clause.pays(), self.clause.by_hand);
        let party = |who: u8, role: PartyRole, number: u8| TermsParty {
            member: member(who).to_vec(),
            key: deal_key(number),
            quote: self.quote_in(who, role, &deal_key(number), deal),
        };
        let agents = AGENTS.iter().zip(1_u8..).map(|(who, index)| TermsAgent {
            index: index.into(),
            member: member(*who).to_vec(),
            key: deal_key(deal + 10 + index),
            reply: reply(index).sealing_key().as_bytes().to_vec(),
            quote: self.quote_in(*who, PartyRole::Agent, &deal_key(deal + 10 + index), deal),
        });
        let after = |hours: u64, needed: bool| if needed { NOW + hours * HOUR } else { 0 };
        let orders = if self.clause.order { &REGULATORS[..2] } else { &[] };
        let days = u64::from(self.clause.retention_days);
        let premium = self.clause.premium != 0;
        let terms = Terms {
            buyer: member(BUYER).to_vec(),
            salt: vec![6; 32],
            deal: id_of(deal),
            manifest: self.manifest.digest().0.to_vec(),
            sections: self.clause.sections.clone(),
            clause: self.clause.to_bytes(),
            buyer_key: deal_key(deal),
            owner: by_hand.then(|| party(OWNER, PartyRole::Owner, deal + 2)),
            arbiter: pays.then(|| party(ARBITER, PartyRole::Arbiter, deal + 3)),
            agents: agents.collect(),
            amount: self.clause.amount,
            currency: self.clause.currency.clone(),
            base: if premium {
                self.base().digest(&id_of(deal).try_into().unwrap()).0.to_vec()
            } else {
                vec![]
            },
            nda: self.clause.nda.clone(),
            purpose: self.clause.purposes.first().cloned().unwrap_or_else(|| PURPOSE.into()),
            retain_until_ms: if days == 0 { 0 } else { NOW + days * 24 * HOUR },
            accept_by_ms: after(1, by_hand),
            fund_by_ms: after(2, pays),
            ready_by_ms: after(3, true),
            release_by_ms: after(4, true),
            confirm_by_ms: after(5, true),
            rule_by_ms: after(6, pays),
            orders: orders
                .iter()
                .map(|who| self.order(*who).signed(&network(), &signing(*who)))
                .collect(),
            ..Terms::default()
        };
        sign(terms)
    }

    pub(crate) fn base(&self) -> crate::Base {
        crate::Base { salt: vec![2; 32], amount: 1_000_001, currency: "EUR".into() }
    }
}

fn id_of(deal: u8) -> Vec<u8> {
    deal_id(&network(), &deal_key(deal).try_into().unwrap()).to_vec()
}

/// Signs terms as the buyer, whatever they say.
pub(crate) fn sign(terms: Terms) -> Terms {
    sign_as(terms, &signing(BUYER))
}

pub(crate) fn sign_as(terms: Terms, key: &SigningKey) -> Terms {
    Terms::decode(terms.signed(&network(), key).as_slice()).unwrap()
}
