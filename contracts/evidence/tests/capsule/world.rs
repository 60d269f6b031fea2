//! Companies that certify, make and hand on material on a chain in memory, and the capsules of their lots.

use ed25519_dalek::SigningKey;
use heatmark_evidence::capsule::{
    Acceptance, Capsule, CapsuleEntry, CapsuleError, CapsuleEvent, CapsuleHead, CapsuleRecord,
    Verdict, inspect,
};
use heatmark_ledger::ids::{AlertSubject, Height, UnixMillis};
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::messages::{self as pb, body::Payload};
use heatmark_ledger::{Hash, LeafIndex, TreeSize, state};
use heatmark_lots::{
    Event, Input, Kind, Making, OpenAmount, OpenLot, Proofs, SealSeed, Serials, Terms, Witness,
    certified_class, mass_committed_to,
};
use heatmark_merkle::{batch, map, tree};
use heatmark_records::conformance::Prover;
use heatmark_records::{
    Decimal, Fields, Heading, Measured, Opening, Path, Quantity, RecordId, Relation, Said, Secret,
    Specification, Value,
};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};

use crate::town::{Town, bytes32, key};

pub(crate) const MILL: usize = 0;
pub(crate) const FORGE: usize = 1;
pub(crate) const ASSEMBLER: usize = 2;
pub(crate) const LAB: usize = 3;

/// A lot with where it stands and the seal it is under.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) lot: OpenLot,
    pub(crate) at: (u64, u32),
    pub(crate) seal: u64,
}

/// A record with where it stands.
pub(crate) struct Filed {
    pub(crate) opening: Opening,
    pub(crate) id: RecordId,
    pub(crate) leaf: u64,
    pub(crate) seal: u64,
    pub(crate) who: usize,
    pub(crate) alert: SigningKey,
}

pub(crate) struct World {
    pub(crate) town: Town,
    pub(crate) seeds: SealSeed,
    next_seal: u64,
    pub(crate) events: BTreeMap<u64, CapsuleEvent>,
    pub(crate) records: Vec<Filed>,
    /// What lots are described by, of which nothing is shown but the head.
    pub(crate) descriptions: Vec<Described>,
    /// What events name as their process.
    pub(crate) process: Option<RecordId>,
}

/// A record that capsules name and do not show.
pub(crate) struct Described {
    pub(crate) id: RecordId,
    pub(crate) head: CapsuleHead,
    pub(crate) alert: SigningKey,
}

pub(crate) fn path(text: &str) -> Path {
    Path::new(text).unwrap()
}

pub(crate) fn number(text: &str, unit: &str) -> Value {
    let number = Decimal::parse(text).unwrap();
    let quantity = Quantity::Number(Relation::Equal, number);
    Value::Measured(Measured { unit: unit.into(), quantity })
}

impl World {
    pub(crate) fn new() -> Self {
        let (events, records) = (BTreeMap::new(), Vec::new());
        let seeds = SealSeed::new(bytes32("seals"));
        let (town, descriptions) = (Town::new(), Vec::new());
        let (next_seal, process) = (0, None);
        let mut world = Self { town, seeds, next_seal, events, records, descriptions, process };
        world.describe("steel");
        world
    }

    /// Makes a description that capsules name, and gives its id.
    pub(crate) fn describe(&mut self, what: &str) -> RecordId {
        let alert = key(&format!("alert of {what}"));
        let heading = Heading {
            network: self.network(),
            form: "Heatmark lot 1".into(),
            issuer: *self.town.id(MILL).as_bytes(),
            alert_subject: *PublicKey::of(&alert).alert_subject().as_bytes(),
            origin_seal: None,
        };
        let mut fields = Fields::new();
        fields.insert(path("product/name"), Value::Text(what.into())).unwrap();
        let opening = Opening::seal(heading, fields, Secret::new(bytes32(what))).unwrap();
        let tree = opening.tree().unwrap();
        let (head, root) = (opening.head().encode(), tree.root().0.to_vec());
        let id = tree.id();
        self.descriptions.push(Described { id, head: CapsuleHead { head, root }, alert });
        id
    }

    pub(crate) fn network(&self) -> [u8; 32] {
        *self.town.tip.network.as_bytes()
    }

    pub(crate) fn seal(&mut self) -> u64 {
        self.next_seal += 1;
        self.next_seal
    }

    /// Publishes a record of these fields with an origin seal of its own.
    pub(crate) fn publish(&mut self, who: usize, form: &str, fields: &[(&str, Value)]) -> usize {
        let mut all = Fields::new();
        for (at, value) in fields {
            all.insert(path(at), value.clone()).unwrap();
        }
        let seal = self.seal();
        let alert = key(&format!("alert {seal}"));
        let heading = Heading {
            network: self.network(),
            form: form.into(),
            issuer: *self.town.id(who).as_bytes(),
            alert_subject: *PublicKey::of(&alert).alert_subject().as_bytes(),
            origin_seal: Some(self.seeds.seal(seal).0),
        };
        let secret = Secret::new(bytes32(&format!("record {seal}")));
        let opening = Opening::seal(heading, all, secret).unwrap();
        let id = opening.check().unwrap();
        let root = batch::root(&[id]).unwrap().0.to_vec();
        let anchor = self.town.tx(who, Payload::Anchor(pb::Anchor { root, records: 1 }));
        self.town.commit(&[anchor]);
        let leaf = self.town.envelopes.len() as u64 - 1;
        self.records.push(Filed { opening, id, leaf, seal, who, alert });
        self.records.len() - 1
    }

    pub(crate) fn certificate(&mut self, mass: &str, unit: &str) -> usize {
        let fields = [
            ("heat", Value::Text("H-4711".into())),
            ("melt/country", Value::Text("DE".into())),
            ("product/mass", number(mass, unit)),
            ("chemistry/C", number("0.021", "%")),
        ];
        self.publish(MILL, "Heatmark 1", &fields)
    }

    /// A lot of the first input's class, or of a class given.
    pub(crate) fn lot(&mut self, mass: u64, pieces: u64, class: Hash) -> Held {
        self.lot_with(mass, pieces, class, None)
    }

    pub(crate) fn lot_with(
        &mut self,
        mass: u64,
        pieces: u64,
        class: Hash,
        serials: Option<Serials>,
    ) -> Held {
        let seal = self.seal();
        let terms = Terms {
            class,
            description: self.descriptions[0].id,
            serials,
            expires_ms: 0,
            seal: self.seeds.seal(seal),
        };
        let lot = OpenLot::fresh(mass, pieces, terms, &mut rand::rng());
        Held { lot, at: (0, 0), seal }
    }

    /// What comes out of a certificate's commission.
    pub(crate) fn commission(&mut self, record: usize, lots: &[(u64, u64)]) -> Vec<Held> {
        let class = certified_class(&self.network(), &self.records[record].id);
        let mut out: Vec<Held> =
            lots.iter().map(|(mass, pieces)| self.lot(*mass, *pieces, class)).collect();
        let mut event = Event::new(Kind::Commission, self.salt(), Vec::new(), Vec::new());
        event.origin = Some(self.records[record].id);
        let (said, certified) = self.certified(record);
        let mut witness = Witness { certified: Some(certified), ..Witness::default() };
        witness.outputs = out.iter().map(|held| held.lot.clone()).collect();
        witness.describe(&mut event);
        let network = self.network();
        let certified = mass_committed_to(&said, None).unwrap();
        let (event_ref, witness) = (&event, &witness);
        let making =
            Making { network: &network, event: event_ref, witness, certified: Some(&certified) };
        let proofs = making.prove(&mut rand::rng()).unwrap();
        let seal = self.records[record].seal;
        let leaf = self.post(self.records[record].who, &event, &proofs, &[seal]);
        out.iter_mut().zip(0..).for_each(|(held, place)| held.at = (leaf, place));
        out
    }

    fn certified(&self, record: usize) -> (Said, (i128, heatmark_records::Blinding)) {
        let tree = self.records[record].opening.tree().unwrap();
        let hidden = tree.show_committed(&path("product/mass")).unwrap().said;
        let Said::Shown { value: Value::Measured(measured), blindings } =
            tree.show(&path("product/mass")).unwrap().said
        else {
            panic!("a mass is shown")
        };
        let number = measured.quantity.figures().next().unwrap().mantissa();
        (hidden, (number, blindings[0].clone()))
    }

    pub(crate) fn salt(&mut self) -> [u8; 32] {
        bytes32(&format!("salt {}", self.seal()))
    }

    /// An event of lots, with the scrap that makes it balance.
    pub(crate) fn make(
        &mut self,
        (who, kind): (usize, Kind),
        inputs: &[Held],
        outputs: &[(u64, u64)],
    ) -> Vec<Held> {
        let class = inputs[0].lot.lot().content.class;
        let out: Vec<Held> =
            outputs.iter().map(|(mass, pieces)| self.lot(*mass, *pieces, class)).collect();
        self.make_of((who, kind), inputs, out)
    }

    pub(crate) fn make_of(
        &mut self,
        (who, kind): (usize, Kind),
        inputs: &[Held],
        mut out: Vec<Held>,
    ) -> Vec<Held> {
        let names =
            inputs.iter().map(|held| Input { leaf: LeafIndex(held.at.0), output: held.at.1 });
        let mut event = Event::new(kind, self.salt(), names.collect(), Vec::new());
        let mut witness = Witness {
            inputs: inputs.iter().map(|held| held.lot.clone()).collect(),
            outputs: out.iter().map(|held| held.lot.clone()).collect(),
            ..Witness::default()
        };
        let sum = |lots: &[OpenLot], of: fn(&OpenLot) -> u64| lots.iter().map(of).sum::<u64>();
        let mass = |lot: &OpenLot| lot.mass().number;
        let pieces = |lot: &OpenLot| lot.pieces().number;
        let lost = sum(&witness.inputs, mass) - sum(&witness.outputs, mass);
        if lost > 0 && !matches!(kind, Kind::Dispose) {
            let lost_pieces = matches!(kind, Kind::Rework | Kind::Correct)
                .then(|| sum(&witness.inputs, pieces) - sum(&witness.outputs, pieces));
            let amount = |number| OpenAmount::fresh(number, &mut rand::rng());
            witness.scrap = Some((amount(lost), lost_pieces.map(amount)));
        }
        event.process = self.process;
        if kind == Kind::Correct {
            event.reason = "counted wrongly".into();
        }
        witness.describe(&mut event);
        let network = self.network();
        let making =
            Making { network: &network, event: &event, witness: &witness, certified: None };
        let proofs = making.prove(&mut rand::rng()).unwrap();
        let seals: Vec<u64> = inputs.iter().map(|held| held.seal).collect();
        let leaf = self.post(who, &event, &proofs, &seals);
        out.iter_mut().zip(0..).for_each(|(held, place)| held.at = (leaf, place));
        out
    }

    /// Lots handed to another member, in one event.
    pub(crate) fn transfer(&mut self, to: usize, lots: &[Held]) -> Vec<Held> {
        let mut out = Vec::new();
        for held in lots {
            let seal = self.seal();
            let moved = held.lot.lot().sealed_anew(self.seeds.seal(seal), &mut rand::rng());
            out.push(Held { lot: held.lot.moved_to(moved).unwrap(), at: (0, 0), seal });
        }
        self.make_of((to, Kind::Transfer), lots, out)
    }

    /// Puts an event on the log.
    pub(crate) fn post(
        &mut self,
        who: usize,
        event: &Event,
        proofs: &Proofs,
        seals: &[u64],
    ) -> u64 {
        let network = self.network();
        let logged = pb::LotEvent {
            digest: event.digest(&network).0.to_vec(),
            outputs: event.output_hashes(&network).iter().map(|hash| hash.0.to_vec()).collect(),
            carrier: self.town.id(who).to_vec(),
        };
        let keys: Vec<_> =
            seals.iter().map(|seal| (pb::CoSigner::Seal, self.seeds.key(*seal))).collect();
        let posted = self.town.tx_with(who, Payload::LotEvent(logged), &keys);
        self.town.commit(&[posted]);
        let leaf = self.town.envelopes.len() as u64 - 1;
        let entry = CapsuleEvent {
            transaction: self.town.envelopes[leaf as usize].clone(),
            leaf,
            path: Vec::new(),
            event: event.encode(),
            proofs: proofs.encode(),
            blinds: seals.iter().flat_map(|seal| self.seeds.blind(*seal)).collect(),
        };
        self.events.insert(leaf, entry);
        leaf
    }

    pub(crate) fn path(&self, leaf: u64) -> Vec<u8> {
        let size = TreeSize(self.town.envelopes.len() as u64);
        let path = tree::inclusion_path(LeafIndex(leaf), size, &self.town.tiles).unwrap();
        path.iter().flat_map(|hash| hash.0).collect()
    }

    pub(crate) fn entry(&self, key: Vec<u8>) -> CapsuleEntry {
        let (value, proof) =
            map::prove(self.town.ledger.nodes(), self.town.tip.map_version, &key).unwrap();
        let (present, value) = (value.is_some(), value.unwrap_or_default());
        CapsuleEntry { key, value, present, proof: proof.to_bytes() }
    }

    /// Raises an alert on a description, under its own key.
    pub(crate) fn warn(&mut self, described: usize, level: pb::AlertLevel) {
        let alert = self.descriptions[described].alert.clone();
        let warning = pb::Alert {
            subject: PublicKey::of(&alert).alert_subject().to_vec(),
            level: level.into(),
            sequence: 1,
            reason_digest: vec![1; 32],
            concern: false,
        };
        let payload = Payload::Alert(warning);
        let raised = self.town.tx_with(MILL, payload, &[(pb::CoSigner::Alert, alert)]);
        self.town.commit(&[raised]);
    }

    /// A record's part of a capsule; of mass and carbon only the commitments.
    pub(crate) fn disclosed(&self, filed: &Filed) -> CapsuleRecord {
        self.disclosed_but(filed, &["product/mass", "chemistry/C"])
    }

    /// The same without one field.
    pub(crate) fn disclosed_without(&self, filed: &Filed, path: &str) -> CapsuleRecord {
        let mut record = self.disclosed_but(filed, &["product/mass"]);
        record.fields.retain(|field| {
            heatmark_records::FieldProof::decode(field).unwrap().path.as_str() != path
        });
        record
    }

    /// A record's part of a capsule; of some fields only the commitments.
    pub(crate) fn disclosed_but(&self, filed: &Filed, hidden: &[&str]) -> CapsuleRecord {
        let tree = filed.opening.tree().unwrap();
        let fields = filed.opening.fields().iter().map(|(path, _)| {
            let hidden = hidden.contains(&path.as_str());
            let proof = if hidden { tree.show_committed(path) } else { tree.show(path) };
            proof.unwrap().encode()
        });
        CapsuleRecord {
            record: filed.id.0.to_vec(),
            head: filed.opening.head().encode(),
            batch: [0_u32.to_be_bytes(), 1_u32.to_be_bytes()].concat(),
            transaction: self.town.envelopes[filed.leaf as usize].clone(),
            leaf: filed.leaf,
            path: self.path(filed.leaf),
            fields: fields.collect(),
            ..CapsuleRecord::default()
        }
    }

    /// Proves a specification's limits of a record, for the forge.
    pub(crate) fn prove(&self, filed: &Filed, specification: &str, record: &mut CapsuleRecord) {
        let tree = filed.opening.tree().unwrap();
        let specification = Specification::parse(specification).unwrap();
        let discloser = PublicKey::of(&self.town.members[filed.who].signing).id();
        let receiver = self.town.id(FORGE);
        let parts: [&[u8]; 5] =
            [&self.network(), &filed.id.0, receiver.as_bytes(), b"order 7", discloser.as_bytes()];
        let context = heatmark_merkle::tag::preimage("conformance", &parts);
        let prover = Prover::new(&filed.opening, &tree, &specification).unwrap();
        record.proofs = prover.prove(&context, &specification, &mut rand::rng()).unwrap();
        record.specification = specification.text().to_owned();
        record.receiver = receiver.to_vec();
        record.purpose = "order 7".into();
        record.discloser = discloser.to_vec();
    }

    /// The heads that the lot's history names, of those that are known here.
    pub(crate) fn heads(&self, held: &Held) -> Vec<&Described> {
        let (mut open, mut seen) = (vec![held.at], BTreeSet::new());
        let mut named = BTreeSet::new();
        while let Some((leaf, output)) = open.pop() {
            let Some(logged) = self.events.get(&leaf) else { continue };
            if !seen.insert((leaf, output)) {
                continue;
            }
            let event = Event::decode(&logged.event).unwrap();
            let Some(lot) = event.outputs.get(output as usize) else { continue };
            named.insert(lot.content.description);
            named.extend(event.process);
            let pairs = event.kind.is_pairwise();
            let inputs = event.inputs.iter().enumerate();
            let asked = inputs.filter(|(at, _)| !pairs || *at == output as usize);
            open.extend(asked.map(|(_, input)| (input.leaf.0, input.output)));
        }
        let mut heads: Vec<&Described> =
            self.descriptions.iter().filter(|known| named.contains(&known.id)).collect();
        heads.sort_by_key(|described| described.id);
        heads
    }

    /// The capsule of a lot, with everything that was posted and filed so far.
    pub(crate) fn capsule(&self, held: &Held) -> Capsule {
        let receipt = self.town.receipt(0, Height(0));
        let mut records: Vec<CapsuleRecord> =
            self.records.iter().map(|filed| self.disclosed(filed)).collect();
        records.sort_by(|left, right| left.record.cmp(&right.record));
        let events = self.events.values().cloned();
        let events = events.map(|event| CapsuleEvent { path: self.path(event.leaf), ..event });
        let mut entries = BTreeMap::new();
        for filed in &self.records {
            let signer = PublicKey::of(&self.town.members[filed.who].signing).id();
            let subject = AlertSubject::from(filed.opening.head().heading().alert_subject);
            let member = self.town.id(filed.who);
            let lab = self.town.id(LAB);
            for key in [
                state::key_key(&signer),
                state::member_key(&member),
                state::alert_key(&subject),
                state::concern_key(&subject, &lab),
            ] {
                entries.insert(key.clone(), self.entry(key));
            }
        }
        let heads = self.heads(held);
        for described in &heads {
            let subject = PublicKey::of(&described.alert).alert_subject();
            let lab = self.town.id(LAB);
            for key in [state::alert_key(&subject), state::concern_key(&subject, &lab)] {
                entries.insert(key.clone(), self.entry(key));
            }
        }
        let seal = PublicKey::of(&self.seeds.key(held.seal));
        let place = state::seal_key(&seal.seal_id());
        entries.insert(place.clone(), self.entry(place));
        Capsule {
            version: 1,
            header: receipt.header,
            certificate: receipt.certificate,
            set_changes: receipt.set_changes,
            events: events.collect(),
            records,
            entries: entries.into_values().collect(),
            leaf: held.at.0,
            output: held.at.1,
            opening: held.lot.encode().to_vec(),
            seal_key: seal.to_bytes().to_vec(),
            seal_blind: self.seeds.blind(held.seal).to_vec(),
            heads: heads.into_iter().map(|described| described.head.clone()).collect(),
        }
    }

    pub(crate) fn acceptance(&self) -> Acceptance {
        Acceptance::at(UnixMillis(self.town.tip.time.0 + 1_000))
    }

    pub(crate) fn inspect(&self, capsule: &Capsule) -> Result<Verdict, CapsuleError> {
        self.inspect_by(capsule, &self.acceptance())
    }

    pub(crate) fn inspect_by(
        &self,
        capsule: &Capsule,
        acceptance: &Acceptance,
    ) -> Result<Verdict, CapsuleError> {
        inspect(&capsule.encode_to_vec(), &self.town.trust(), acceptance)
    }

    /// What is not accepted.
    pub(crate) fn codes(&self, capsule: &Capsule) -> Vec<&'static str> {
        self.inspect(capsule).unwrap().codes()
    }
}
