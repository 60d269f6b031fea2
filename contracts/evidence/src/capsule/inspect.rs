//! The inspection: from a capsule's bytes, a trust root and what the receiver demands to the verdict. Whatever does not check
//! is a finding; what is missing holds at whatever depth; what nobody asked for is refused.

use heatmark_ledger::header::Header;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::receipt::{CertifiedHeader, TrustRoot};
use heatmark_lots::{Claim, Event, Facts, Lot, LotError, OpenLot, check_seal, verify_all};
use heatmark_merkle::{Hash, LeafIndex};
use heatmark_records::RecordId;
use std::collections::{BTreeMap, BTreeSet};

use super::acceptance::Acceptance;
use super::entries::Entries;
use super::events::Logged;
use super::graph::{Graph, Share, inputs_of, lot_at, records_of};
use super::heads::{Named, verify_heads};
use super::records::{Anchored, verify_records};
use super::verdict::{About, Check, Made, Notes, Outcome, Source, Step, Verdict};
use super::{Capsule, CapsuleError};
use crate::grounds::only_after;

/// What was read of a capsule and found on the log.
pub(super) struct Evidence {
    pub(super) header: Header,
    pub(super) capsule: Capsule,
    pub(super) entries: Entries,
    pub(super) logged: BTreeMap<u64, Logged>,
    pub(super) records: BTreeMap<RecordId, Anchored>,
    /// What is named and not shown.
    pub(super) named: Named,
    pub(super) graph: Graph,
}

/// Checks a capsule.
///
/// # Errors
/// [`CapsuleError`]: the file proves nothing at all.
pub fn inspect(
    bytes: &[u8],
    trust: &TrustRoot,
    acceptance: &Acceptance,
) -> Result<Verdict, CapsuleError> {
    let capsule = Capsule::decode(bytes)?;
    let header = certify(&capsule, trust)?;
    let mut notes = Notes::default();
    let evidence = gather(capsule, header, &mut notes)?;
    let sound = check_events(&evidence, &mut notes);
    check_single_use(&evidence, &mut notes);
    let lot = (evidence.capsule.leaf, evidence.capsule.output);
    let share = evidence.graph.share(lot, &evidence.logged, &sound);
    let sources = evidence.judge(acceptance, share, &mut notes);
    let history = evidence.history();
    let events = history.len();
    let asked = acceptance.mine.is_some();
    let words = |check: Check| words((check, asked), &evidence, events, sources.len());
    Ok(Verdict {
        findings: notes.finish(words),
        as_of: (evidence.header.height, evidence.header.time),
        header: evidence.header.hash(),
        lot: evidence.made(),
        told: evidence.told(),
        certified_permille: share.certified_permille,
        gain_ppm: share.gain_ppm,
        sources,
        history,
    })
}

fn words(
    (check, asked): (Check, bool),
    evidence: &Evidence,
    events: usize,
    sources: usize,
) -> String {
    match check {
        Check::Anchored => {
            let (height, records) =
                (evidence.header.height, count(evidence.records.len(), "record"));
            format!("{} and {records}, as of block {height}", count(events, "event"))
        }
        Check::Sealed => format!("every seal of {} is its lot's", count(events, "event")),
        Check::Balanced => format!("{} in balance", count(events, "event")),
        Check::Mine if !asked => "not asked".to_owned(),
        Check::Mine => "as received".to_owned(),
        Check::Origin => count(sources, "certificate"),
        Check::Conforming => "as demanded".to_owned(),
        Check::Attested => "as demanded".to_owned(),
        Check::Clear => format!("nothing stands against it as of block {}", evidence.header.height),
    }
}

fn count(number: usize, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

fn certify(capsule: &Capsule, trust: &TrustRoot) -> Result<Header, CapsuleError> {
    let mut changes = capsule.set_changes.clone();
    only_after(trust, &mut changes);
    let (header, certificate) = (capsule.header.as_ref(), capsule.certificate.as_ref());
    let certified =
        CertifiedHeader::from_proto(header, certificate, &changes).map_err(CapsuleError::Header)?;
    if certified.header.network != trust.network {
        return Err(CapsuleError::WrongNetwork);
    }
    trust.verify_header(&certified).map_err(CapsuleError::Header)?;
    Ok(certified.header)
}

/// Finds events, records and entries on the log, and follows the lot back.
fn gather(capsule: Capsule, header: Header, notes: &mut Notes) -> Result<Evidence, CapsuleError> {
    let entries = Entries::verify(&capsule.entries, &header)?;
    let mut logged = BTreeMap::new();
    for event in &capsule.events {
        match Logged::verify(event, &header) {
            Ok(found) => drop(logged.insert(event.leaf, found)),
            Err(code) => notes.reject(Check::Anchored, About::Event(LeafIndex(event.leaf)), code),
        }
    }
    let (records, faults) = verify_records(&capsule.records, &header, &entries)?;
    for (record, code) in faults {
        let check = if code == "conformance-proof" { Check::Conforming } else { Check::Anchored };
        notes.reject(check, About::Record(record), code);
    }
    let named = verify_heads(&capsule.heads, &header)?;
    let graph = Graph::follow((capsule.leaf, capsule.output), &logged);
    let evidence = Evidence { header, capsule, entries, logged, records, named, graph };
    evidence.check_graph(notes);
    Ok(evidence)
}

impl Evidence {
    /// The lot that the capsule is about.
    pub(super) fn lot(&self) -> Option<&Lot> {
        lot_at(self.logged.get(&self.capsule.leaf)?, self.capsule.output)
    }

    /// The lot that the capsule is about, as it is told.
    fn made(&self) -> Option<Made> {
        let lot = self.lot()?;
        let open = OpenLot::decode(&self.capsule.opening).ok().filter(|open| open.lot() == lot);
        Some(Made {
            at: (LeafIndex(self.capsule.leaf), self.capsule.output),
            hash: lot.hash(self.header.network.as_bytes()),
            opened: open.map(|open| (open.mass().number, open.pieces().number)),
            description: lot.content.description,
            expires_ms: lot.content.expires_ms,
            serials: lot.content.serials.is_some(),
        })
    }

    fn history(&self) -> Vec<Step> {
        let step = |leaf: &u64| {
            let logged = self.logged.get(leaf)?;
            let (kind, carrier) = (logged.event.kind, logged.carrier);
            let carrier_name = self.entries.legal_name(&carrier);
            Some(Step { leaf: LeafIndex(*leaf), kind, carrier, carrier_name })
        };
        self.graph.needed.keys().filter_map(step).collect()
    }

    /// The certificates that were commissioned, and the records of what was done and of what came of it, of all that leads to
    /// the lot.
    pub(super) fn named_on_the_way(&self) -> (BTreeSet<RecordId>, BTreeSet<RecordId>) {
        let (mut certificates, mut told) = (BTreeSet::new(), BTreeSet::new());
        for (leaf, outputs) in &self.graph.needed {
            let Some(logged) = self.logged.get(leaf) else { continue };
            certificates.extend(logged.event.origin);
            told.extend(records_of(&logged.event, outputs));
        }
        (certificates, told)
    }

    fn check_graph(&self, notes: &mut Notes) {
        if self.lot().is_none() {
            notes.reject(Check::Balanced, About::Lot, "lot-missing");
        }
        for (leaf, _) in &self.graph.missing {
            notes.hold(Check::Balanced, About::Event(LeafIndex(*leaf)), "input-missing");
        }
        for leaf in &self.graph.unknown {
            notes.reject(Check::Balanced, About::Event(LeafIndex(*leaf)), "input-unknown");
        }
        for leaf in self.logged.keys().filter(|leaf| !self.graph.needed.contains_key(leaf)) {
            let place = (About::Event(LeafIndex(*leaf)), "event-unreached");
            notes.add(Check::Balanced, self.surplus(), place, String::new());
        }
    }

    /// How grave it is that something leads nowhere: where an input is missing, it may lead there.
    pub(super) fn surplus(&self) -> Outcome {
        if self.graph.missing.is_empty() { Outcome::Reject } else { Outcome::Hold }
    }

    /// The lots that an event is made of, as far as they are asked about and there.
    pub(super) fn inputs<'a>(
        &'a self,
        logged: &'a Logged,
        outputs: &BTreeSet<u32>,
    ) -> Vec<Option<&'a Lot>> {
        let asked = inputs_of(&logged.event, outputs);
        let inputs = logged.event.inputs.iter().enumerate();
        inputs
            .map(|(place, input)| {
                let made = self.logged.get(&input.leaf.0).filter(|_| asked.contains(&place))?;
                lot_at(made, input.output)
            })
            .collect()
    }
}

/// Seals, rules and proofs of the events that lead to the lot; the leaves of those in which nothing is wrong or missing.
fn check_events(evidence: &Evidence, notes: &mut Notes) -> BTreeSet<u64> {
    let mut claims: Vec<(u64, Claim)> = Vec::new();
    let mut introduced: BTreeSet<Hash> = BTreeSet::new();
    for (leaf, outputs) in &evidence.graph.needed {
        let Some(logged) = evidence.logged.get(leaf) else { continue };
        let about = About::Event(LeafIndex(*leaf));
        let inputs = evidence.inputs(logged, outputs);
        let sealed = check_seals(evidence, logged, &inputs, &about, notes);
        match claim(evidence, logged, &inputs) {
            Ok(claim) => {
                let lots = outputs.iter().filter_map(|output| lot_at(logged, *output));
                let held = lots.filter_map(|lot| lot.content.serials.as_ref());
                let held: BTreeSet<Hash> = held.map(|serials| serials.root).collect();
                let mut begun = claim.introduced().iter().filter(|root| held.contains(root));
                if begun.any(|root| !introduced.insert(*root)) {
                    notes.reject(Check::Balanced, about.clone(), "serial-twice");
                }
                if sealed {
                    claims.push((*leaf, claim));
                }
            }
            // An event that does not check is told as such, and so is one that is not there.
            Err("input-missing") => {}
            Err(code @ ("record-missing" | "mass-untold")) => {
                notes.hold(Check::Balanced, about, code);
            }
            Err(code) => notes.reject(Check::Balanced, about, code),
        }
    }
    let jobs: Vec<_> = claims
        .iter()
        .filter_map(|(leaf, claim)| Some((claim, &evidence.logged.get(leaf)?.proofs)))
        .collect();
    let mut sound = BTreeSet::new();
    for (result, (leaf, _)) in verify_all(&jobs).into_iter().zip(&claims) {
        match result {
            Ok(()) => drop(sound.insert(*leaf)),
            Err(fault) => {
                notes.reject(Check::Balanced, About::Event(LeafIndex(*leaf)), fault.code());
            }
        }
    }
    sound
}

fn claim(
    evidence: &Evidence,
    logged: &Logged,
    inputs: &[Option<&Lot>],
) -> Result<Claim, &'static str> {
    let certified = match &logged.event.origin {
        None => None,
        Some(record) => {
            let record = evidence.records.get(record).ok_or("record-missing")?;
            if !record.anchored {
                return Err("not-an-anchor");
            }
            Some(record.mass()?)
        }
    };
    let (network, certified) = (evidence.header.network.as_bytes(), certified.as_ref());
    Facts { network, event: &logged.event, inputs, certified }.claim().map_err(LotError::code)
}

/// Whether the broken seals are those of the inputs that are there, or of the certificate.
fn check_seals(
    evidence: &Evidence,
    logged: &Logged,
    inputs: &[Option<&Lot>],
    about: &About,
    notes: &mut Notes,
) -> bool {
    let origin = logged.event.origin.and_then(|record| evidence.records.get(&record));
    let held: Vec<Option<Hash>> = if logged.event.origin.is_some() {
        if origin.is_some_and(|record| record.origin_seal().is_none()) {
            notes.reject(Check::Sealed, about.clone(), "no-origin-seal");
            return false;
        }
        vec![origin.and_then(Anchored::origin_seal)]
    } else {
        inputs.iter().map(|lot| lot.map(|lot| lot.seal)).collect()
    };
    let fits = held
        .iter()
        .zip(&logged.seals)
        .all(|(held, (key, blind))| held.is_none_or(|held| check_seal(&held, key, blind).is_ok()));
    if !fits {
        notes.reject(Check::Sealed, about.clone(), "wrong-seal");
    }
    fits
}

/// No lot that leads here is used twice, and no seal stands on two of them or is broken twice. What an event does to lots that
/// nobody asks about is not looked at: its maker can name anything there.
fn check_single_use(evidence: &Evidence, notes: &mut Notes) {
    let (mut seals, mut keys, mut used) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (leaf, outputs) in &evidence.graph.needed {
        let Some(logged) = evidence.logged.get(leaf) else { continue };
        let about = || About::Event(LeafIndex(*leaf));
        let mut made = outputs.iter().filter_map(|output| lot_at(logged, *output));
        if made.any(|lot| !seals.insert(lot.seal)) {
            notes.reject(Check::Sealed, about(), "seal-twice");
        }
        let broken = broken_of(&logged.event, outputs);
        if broken.iter().filter_map(|at| logged.seals.get(*at)).any(|(key, _)| !keys.insert(*key)) {
            notes.reject(Check::Sealed, about(), "seal-broken-twice");
        }
        let inputs = inputs_of(&logged.event, outputs);
        let mut inputs = inputs.iter().filter_map(|place| logged.event.inputs.get(*place));
        if inputs.any(|input| !used.insert(*input)) {
            notes.reject(Check::Sealed, about(), "input-twice");
        }
    }
}

/// The places of the seals that are broken for the outputs that are asked about.
fn broken_of(event: &Event, outputs: &BTreeSet<u32>) -> Vec<usize> {
    if event.origin.is_some() { vec![0] } else { inputs_of(event, outputs) }
}

/// Whether the lot's own seal is whole, by its key: the sender shows it before it hands the lot over.
pub(super) fn seal_is_whole(evidence: &Evidence, lot: &Lot) -> Result<bool, &'static str> {
    let capsule = &evidence.capsule;
    if capsule.seal_key.is_empty() && capsule.seal_blind.is_empty() {
        return Ok(false);
    }
    let exactly = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).map_err(|_| "wrong-length");
    let (key, blind) = (exactly(&capsule.seal_key)?, exactly(&capsule.seal_blind)?);
    check_seal(&lot.seal, &key, &blind).map_err(LotError::code)?;
    let id = PublicKey::from_bytes(&key).map_err(|_| "wrong-seal")?.seal_id();
    match evidence.entries.is_broken(&id) {
        Some(true) => Err("seal-broken"),
        Some(false) => Ok(true),
        None => Ok(false),
    }
}

impl Evidence {
    /// Everything that depends on who asks.
    fn judge(&self, acceptance: &Acceptance, share: Share, notes: &mut Notes) -> Vec<Source> {
        let demands = super::demands::Demands { evidence: self, acceptance };
        demands.check_mine(notes);
        demands.check_share(share, notes);
        demands.check_depth(notes);
        demands.check_clear(notes);
        demands.check_sources(notes)
    }
}
