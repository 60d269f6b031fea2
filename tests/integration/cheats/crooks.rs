//! Companies that cheat: the test plays them with their own keys, posts what they like through a real node, and makes
//! capsules and parcels as a modified sender would. What they keep is here, not in any vault.

use crate::town::{LONG, Town};
use ed25519_dalek::SigningKey;
use heatmark::keys::KeyKind;
use heatmark_client::{ClientError, LedgerClient, Proven, ReceiptOf};
use heatmark_evidence::capsule::{Capsule, CapsuleEntry, CapsuleEvent, CapsuleHead, CapsuleRecord};
use heatmark_evidence::transfer::{DespatchAdvice, Parcel, ParcelLot, SealOffer, SignedFile as _};
use heatmark_ledger::ids::{AlertSubject, Height, MemberId, NetworkId};
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::messages::{self as pb, body::Payload};
use heatmark_ledger::{Hash, LeafIndex, state, transaction, wire};
use heatmark_lots::{
    CertifiedMass, Event, Input, Kind, Making, OpenAmount, OpenLot, Proofs, SealSeed, Serials,
    Terms, Witness, certified_class, mass_committed_to,
};
use heatmark_merkle::batch;
use heatmark_records::{
    Blinding, Decimal, Fields, Heading, Measured, Opening, Path, Quantity, RecordId, Relation,
    Said, Secret, Value,
};
use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

const DAY_MS: u64 = 86_400_000;

/// A lot with where it stands and the seal it is under.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) lot: OpenLot,
    pub(super) at: (u64, u32),
    pub(super) seal: u64,
}

/// A certificate with where it stands.
pub(super) struct Filed {
    pub(super) opening: Opening,
    pub(super) id: RecordId,
    pub(super) leaf: u64,
    pub(super) seal: u64,
}

/// What stands on the log beside an event: its body, its proofs, the seals to break.
pub(super) struct Draft<'a> {
    pub(super) event: &'a Event,
    pub(super) proofs: &'a Proofs,
    pub(super) seals: &'a [u64],
}

/// The cheating companies, who hide nothing from each other.
pub(super) struct Crooks<'a> {
    pub(super) town: &'a Town,
    pub(super) client: LedgerClient,
    pub(super) network: NetworkId,
    pub(super) seeds: SealSeed,
    pub(super) records: Vec<Filed>,
    pub(super) events: BTreeMap<u64, CapsuleEvent>,
    description: Opening,
    next_seal: u64,
    offered: BTreeMap<String, Vec<Vec<u8>>>,
}

pub(super) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

fn path(text: &str) -> Path {
    Path::new(text).unwrap()
}

fn tonnes(number: &str) -> Value {
    let quantity = Quantity::Number(Relation::Equal, Decimal::parse(number).unwrap());
    Value::Measured(Measured { unit: "t".into(), quantity })
}

fn opening(heading: Heading, fields: &[(&str, Value)]) -> Opening {
    let mut all = Fields::new();
    for (at, value) in fields {
        all.insert(path(at), value.clone()).unwrap();
    }
    Opening::seal(heading, all, Secret::new(rand::random())).unwrap()
}

impl<'a> Crooks<'a> {
    /// Seals of the assembler, of which the cheats are to be used up, offered to mill and forge by its real node.
    pub(super) async fn gather(town: &'a Town) -> Self {
        let network = town.devnet.genesis().unwrap().network();
        let heading = Heading {
            network: *network.as_bytes(),
            form: "lot".into(),
            issuer: *town.devnet.member("mill").unwrap().as_bytes(),
            alert_subject: rand::random(),
            origin_seal: None,
        };
        let mut offered = BTreeMap::new();
        for sender in ["mill", "forge"] {
            let to = town.devnet.member(sender).unwrap().to_string();
            let file = format!("{sender}.offer");
            let offer = ["lot", "offer", "--to", &to, "--seals", "64", "--out", &file];
            town.command(0, &[&offer[..], &["--home", "assembler"]].concat());
            let offer = std::fs::read(town.path(&file)).unwrap();
            offered.insert(sender.to_owned(), SealOffer::decode(offer.as_slice()).unwrap().seals);
        }
        Self {
            town,
            client: town.devnet.client("mill").await.unwrap(),
            network,
            seeds: SealSeed::new(rand::random()),
            records: Vec::new(),
            events: BTreeMap::new(),
            description: opening(heading, &[("product/name", Value::Text("ring".into()))]),
            next_seal: 0,
            offered,
        }
    }

    pub(super) fn net(&self) -> &[u8; 32] {
        self.network.as_bytes()
    }

    pub(super) fn id(&self, who: &str) -> MemberId {
        self.town.devnet.member(who).unwrap()
    }

    pub(super) fn signing(&self, who: &str) -> SigningKey {
        self.town.devnet.key(who, KeyKind::Signing).unwrap()
    }

    pub(super) fn seal(&mut self) -> u64 {
        self.next_seal += 1;
        self.next_seal
    }

    /// The next seal that the assembler offered to a sender.
    pub(super) fn offer(&mut self, sender: &str) -> Hash {
        let seals = self.offered.get_mut(sender).unwrap();
        Hash::try_from(seals.pop().unwrap().as_slice()).unwrap()
    }

    pub(super) fn body(&self, payload: Payload, window_ms: u64) -> pb::Body {
        pb::Body {
            not_before_ms: now_ms() - 4_000,
            not_after_ms: now_ms() + window_ms,
            nonce: rand::random::<[u8; 16]>().to_vec(),
            payload: Some(payload),
        }
    }

    /// Anchors a certificate of so many tonnes, signed by `who`, that names `issuer`.
    pub(super) async fn certificate(&mut self, who: &str, issuer: &str, mass: &str) -> usize {
        let seal = self.seal();
        let heading = Heading {
            network: *self.net(),
            form: "Heatmark 1".into(),
            issuer: *self.id(issuer).as_bytes(),
            alert_subject: rand::random(),
            origin_seal: Some(self.seeds.seal(seal).0),
        };
        let fields = [("heat", Value::Text("H-4711".into())), ("product/mass", tonnes(mass))];
        let opening = opening(heading, &fields);
        let id = opening.check().unwrap();
        let root = batch::root(&[id]).unwrap().0.to_vec();
        let anchor = self.body(Payload::Anchor(pb::Anchor { root, records: 1 }), 300_000);
        let envelope = transaction::sign(&self.network, &self.signing(who), &anchor, Vec::new());
        let proven = self.client.submit_and_wait(envelope, LONG).await.unwrap();
        self.records.push(Filed { opening, id, leaf: proven.receipt.leaf_index, seal });
        self.records.len() - 1
    }

    /// The committed mass of a certificate, and what opens it.
    pub(super) fn certified(&self, record: usize) -> (CertifiedMass, (i128, Blinding)) {
        let tree = self.records[record].opening.tree().unwrap();
        let hidden = tree.show_committed(&path("product/mass")).unwrap().said;
        let shown = tree.show(&path("product/mass")).unwrap().said;
        let Said::Shown { value: Value::Measured(measured), blindings } = shown else {
            panic!("a mass is shown")
        };
        let number = measured.quantity.figures().next().unwrap().mantissa();
        (mass_committed_to(&hidden, None).unwrap(), (number, blindings[0].clone()))
    }

    pub(super) fn class(&self, record: usize) -> Hash {
        certified_class(self.net(), &self.records[record].id)
    }

    pub(super) fn lot(&mut self, mass: u64, pieces: u64, class: Hash) -> Held {
        self.numbered_lot((mass, pieces), class, None)
    }

    pub(super) fn numbered_lot(
        &mut self,
        (mass, pieces): (u64, u64),
        class: Hash,
        serials: Option<Serials>,
    ) -> Held {
        let seal = self.seal();
        let description = self.description.check().unwrap();
        let terms =
            Terms { class, description, serials, expires_ms: 0, seal: self.seeds.seal(seal) };
        Held { lot: OpenLot::fresh(mass, pieces, terms, &mut rand::rng()), at: (0, 0), seal }
    }

    /// A certificate's lots, commissioned honestly.
    pub(super) async fn commission(&mut self, record: usize, lots: &[(u64, u64)]) -> Vec<Held> {
        let class = self.class(record);
        let out: Vec<Held> =
            lots.iter().map(|(mass, pieces)| self.lot(*mass, *pieces, class)).collect();
        let (event, witness) = self.commissioning(record, &out);
        let certified = self.certified(record).0;
        let proofs = self.prove(&event, &witness, Some(&certified));
        let seals = [self.records[record].seal];
        let draft = Draft { event: &event, proofs: &proofs, seals: &seals };
        self.post("mill", draft, out).await
    }

    /// A lot of so much, of a certificate of its own.
    pub(super) async fn commission_anew(&mut self, mass: u64) -> Held {
        let heat = self.certificate("mill", "mill", "5").await;
        self.commission(heat, &[(mass, 1)]).await.remove(0)
    }

    /// The event and the witness of a commission, whatever it adds up to.
    pub(super) fn commissioning(&self, record: usize, out: &[Held]) -> (Event, Witness) {
        let mut event = Event::new(Kind::Commission, rand::random(), Vec::new(), Vec::new());
        event.origin = Some(self.records[record].id);
        let witness = Witness {
            outputs: out.iter().map(|held| held.lot.clone()).collect(),
            certified: Some(self.certified(record).1),
            ..Witness::default()
        };
        witness.describe(&mut event);
        (event, witness)
    }

    /// The event and the witness of whatever makes lots of lots; what is missing is scrap.
    pub(super) fn making(&self, kind: Kind, inputs: &[Held], out: &[Held]) -> (Event, Witness) {
        let places = inputs.iter().map(place).collect();
        let mut event = Event::new(kind, rand::random(), places, Vec::new());
        let opened = |lots: &[Held]| lots.iter().map(|held| held.lot.clone()).collect();
        let mut witness =
            Witness { inputs: opened(inputs), outputs: opened(out), ..Witness::default() };
        let sum = |lots: &[OpenLot], of: fn(&OpenLot) -> u64| {
            lots.iter().fold(0_u64, |sum, lot| sum.wrapping_add(of(lot)))
        };
        let lost = |of: fn(&OpenLot) -> u64| {
            sum(&witness.inputs, of).saturating_sub(sum(&witness.outputs, of))
        };
        let (mass, pieces) = (lost(|lot| lot.mass().number), lost(|lot| lot.pieces().number));
        let counts = matches!(kind, Kind::Rework | Kind::Correct);
        if mass > 0 && kind == Kind::Transform || counts {
            let amount = |number| OpenAmount::fresh(number, &mut rand::rng());
            witness.scrap = Some((amount(mass), counts.then(|| amount(pieces))));
        }
        if kind == Kind::Correct {
            event.reason = "counted wrongly".into();
        }
        witness.describe(&mut event);
        (event, witness)
    }

    pub(super) fn prove(
        &self,
        event: &Event,
        witness: &Witness,
        certified: Option<&CertifiedMass>,
    ) -> Proofs {
        let making = Making { network: self.net(), event, witness, certified };
        making.prove(&mut rand::rng()).unwrap()
    }

    /// Makes lots of lots, honestly.
    pub(super) async fn make(
        &mut self,
        (who, kind): (&str, Kind),
        inputs: &[Held],
        out: Vec<Held>,
    ) -> Vec<Held> {
        let (event, witness) = self.making(kind, inputs, &out);
        let proofs = self.prove(&event, &witness, None);
        let seals: Vec<u64> = inputs.iter().map(|held| held.seal).collect();
        self.post(who, Draft { event: &event, proofs: &proofs, seals: &seals }, out).await
    }

    /// Hands a lot to another cheating company.
    pub(super) async fn hand(&mut self, to: &str, held: &Held) -> Held {
        let seal = self.seal();
        let moved = held.lot.lot().sealed_anew(self.seeds.seal(seal), &mut rand::rng());
        let out = Held { lot: held.lot.moved_to(moved).unwrap(), at: (0, 0), seal };
        self.make((to, Kind::Transfer), std::slice::from_ref(held), vec![out]).await.remove(0)
    }

    /// Puts an event on the log; its lots stand there then.
    pub(super) async fn post(
        &mut self,
        who: &str,
        draft: Draft<'_>,
        mut out: Vec<Held>,
    ) -> Vec<Held> {
        let proven = self.try_post(who, &draft).await.unwrap();
        let leaf = proven.receipt.leaf_index;
        let entry = CapsuleEvent {
            transaction: proven.receipt.transaction,
            leaf,
            path: Vec::new(),
            event: draft.event.encode(),
            proofs: draft.proofs.encode(),
            blinds: draft.seals.iter().flat_map(|seal| self.seeds.blind(*seal)).collect(),
        };
        self.events.insert(leaf, entry);
        out.iter_mut().zip(0..).for_each(|(held, place)| held.at = (leaf, place));
        out
    }

    pub(super) async fn try_post(
        &self,
        who: &str,
        draft: &Draft<'_>,
    ) -> Result<Proven, ClientError> {
        let body = self.body(self.logged(draft.event, who), 300_000);
        let envelope = self.envelope(who, &body, draft.seals);
        self.client.submit_and_wait(envelope, LONG).await
    }

    pub(super) fn logged(&self, event: &Event, carrier: &str) -> Payload {
        Payload::LotEvent(pb::LotEvent {
            digest: event.digest(self.net()).0.to_vec(),
            outputs: event.output_hashes(self.net()).iter().map(|hash| hash.0.to_vec()).collect(),
            carrier: self.id(carrier).to_vec(),
        })
    }

    fn envelope(&self, who: &str, body: &pb::Body, seals: &[u64]) -> prost::bytes::Bytes {
        let bytes = body.encode_to_vec();
        let seals = seals.iter().map(|seal| self.cosigned(*seal, &bytes)).collect();
        transaction::sign(&self.network, &self.signing(who), body, seals)
    }

    pub(super) fn cosigned(&self, seal: u64, body: &[u8]) -> pb::CoSignature {
        let key = self.seeds.key(seal);
        transaction::cosign(&self.network, pb::CoSigner::Seal, &key, body).unwrap()
    }

    /// The capsule of a lot, with what leads to it, against the newest header.
    pub(super) async fn capsule(&self, held: &Held) -> Capsule {
        let height = self.client.header(None).await.unwrap().header.height;
        self.capsule_at(held, height).await
    }

    pub(super) async fn capsule_at(&self, held: &Held, height: Height) -> Capsule {
        let (leaves, origins) = self.leading_to(held.at.0);
        let mut capsule = Capsule {
            version: 1,
            leaf: held.at.0,
            output: held.at.1,
            seal_blind: self.seeds.blind(held.seal).to_vec(),
            ..Capsule::default()
        };
        for leaf in leaves {
            let receipt = self.receipt(leaf, height).await;
            let path = receipt.inclusion_path.concat();
            capsule.events.push(CapsuleEvent { path, ..self.events[&leaf].clone() });
            capsule.header = receipt.header;
            capsule.certificate = receipt.certificate;
            capsule.set_changes = receipt.set_changes;
        }
        let seal = PublicKey::of(&self.seeds.key(held.seal));
        capsule.seal_key = seal.to_bytes().to_vec();
        let described = self.description.head();
        let root = self.description.tree().unwrap().root().0.to_vec();
        capsule.heads = vec![CapsuleHead { head: described.encode(), root }];
        let warned = AlertSubject::from(described.heading().alert_subject);
        let mut keys =
            BTreeSet::from([state::seal_key(&seal.seal_id()), state::alert_key(&warned)]);
        let mut filed: Vec<&Filed> =
            self.records.iter().filter(|filed| origins.contains(&filed.id)).collect();
        filed.sort_by_key(|filed| filed.id);
        for filed in filed {
            let record = self.shown(filed, height).await;
            let signer = wire::decode_envelope(&record.transaction).unwrap().signer;
            let heading = filed.opening.head().heading();
            keys.insert(state::key_key(&signer.as_slice().try_into().unwrap()));
            keys.insert(state::member_key(&heading.issuer.into()));
            keys.insert(state::alert_key(&AlertSubject::from(heading.alert_subject)));
            capsule.records.push(record);
        }
        for key in keys {
            capsule.entries.push(self.entry(key, height).await);
        }
        capsule
    }

    pub(super) async fn receipt(&self, leaf: u64, height: Height) -> pb::Receipt {
        let of = ReceiptOf::Leaf(LeafIndex(leaf));
        self.client.receipt(of, Some(height)).await.unwrap().receipt
    }

    pub(super) async fn entry(&self, key: Vec<u8>, height: Height) -> CapsuleEntry {
        let (proof, _) = self.client.state_proof(&key, Some(height)).await.unwrap();
        CapsuleEntry { key, value: proof.value, present: proof.present, proof: proof.proof }
    }

    async fn shown(&self, filed: &Filed, height: Height) -> CapsuleRecord {
        let receipt = self.receipt(filed.leaf, height).await;
        let tree = filed.opening.tree().unwrap();
        let fields = [tree.show(&path("heat")), tree.show_committed(&path("product/mass"))];
        CapsuleRecord {
            record: filed.id.0.to_vec(),
            head: filed.opening.head().encode(),
            batch: [0_u32.to_be_bytes(), 1_u32.to_be_bytes()].concat(),
            transaction: receipt.transaction,
            leaf: filed.leaf,
            path: receipt.inclusion_path.concat(),
            fields: fields.into_iter().map(|field| field.unwrap().encode()).collect(),
            ..CapsuleRecord::default()
        }
    }

    /// The events that lead to one, and the certificates in them.
    fn leading_to(&self, leaf: u64) -> (BTreeSet<u64>, BTreeSet<RecordId>) {
        let (mut leaves, mut origins) = (BTreeSet::new(), BTreeSet::new());
        let mut open = vec![leaf];
        while let Some(leaf) = open.pop() {
            let Some(logged) = self.events.get(&leaf).filter(|_| leaves.insert(leaf)) else {
                continue;
            };
            let event = Event::decode(&logged.event).unwrap();
            origins.extend(event.origin);
            open.extend(event.inputs.iter().map(|input| input.leaf.0));
        }
        (leaves, origins)
    }

    /// A parcel with a lot for the assembler, signed as by an honest sender's node.
    pub(super) fn parcel(&mut self, sender: &str, held: &Held, capsule: Vec<u8>) -> Parcel {
        let seal = self.offer(sender);
        let moved = held.lot.lot().sealed_anew(seal, &mut rand::rng());
        let open = held.lot.moved_to(moved).unwrap();
        let mut event = Event::new(Kind::Transfer, rand::random(), vec![place(held)], Vec::new());
        event.outputs = vec![open.lot().clone()];
        let body = self.body(self.logged(&event, "assembler"), 30 * DAY_MS).encode_to_vec();
        Parcel {
            sender: self.id(sender).to_vec(),
            receiver: self.id("assembler").to_vec(),
            cosignatures: vec![self.cosigned(held.seal, &body)],
            body,
            event: event.encode(),
            lots: vec![ParcelLot {
                name: "CHEAT".into(),
                open: open.encode().to_vec(),
                description: self.description.encode().to_vec(),
                blind: self.seeds.blind(held.seal).to_vec(),
                capsule,
            }],
            advice: Some(DespatchAdvice::default()),
            ..Parcel::default()
        }
    }

    pub(super) fn signed(&self, sender: &str, parcel: Parcel) -> Vec<u8> {
        parcel.signed(&self.network, &self.signing(sender))
    }
}

pub(super) fn place(held: &Held) -> Input {
    Input { leaf: LeafIndex(held.at.0), output: held.at.1 }
}
