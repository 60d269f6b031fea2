//! What members and strangers send: anchors, alerts, acknowledgements, votes and key changes that
//! fit the newest state, and much that does not. Clients send again until their transaction stands
//! on the log, is refused for good, or has expired.

use crate::dice::Dice;
use crate::judge::Judge;
use crate::town::{self, FOUNDERS, Keyring, LAB, Town, WINDOW_MS};
use ed25519_dalek::SigningKey;
use heatmark_ledger::audit::MemoryLedger;
use heatmark_ledger::ids::{MemberId, TransactionId};
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::messages as pb;
use heatmark_ledger::messages::body::Payload;
use heatmark_ledger::messages::propose::Action;
use heatmark_ledger::state;
use heatmark_ledger::transaction::{Transaction, transaction_id};
use prost::Message;
use prost::bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Records that alerts are about.
const RECORDS: u64 = 4;

/// A transaction that a client wants on the log.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub bytes: Bytes,
    pub not_after_ms: u64,
    /// Refused only when the member or its key loses its standing.
    pub is_anchor: bool,
    pub admitted: bool,
    pub resolved: bool,
}

/// What a client is about to send.
pub struct Sent {
    pub what: &'static str,
    pub bytes: Bytes,
    /// No node may ever take it.
    pub hopeless: bool,
}

/// All clients of a run.
pub struct Workload {
    town: &'static Town,
    /// Votes on proposals come promptly, other things rarely.
    pub governs: bool,
    /// Voting power may change.
    pub moves_power: bool,
    pub wanted: BTreeMap<TransactionId, Wanted>,
    made: u64,
}

/// Who signs, with what key and co-signers.
struct Draft {
    what: &'static str,
    signer: Arc<SigningKey>,
    payload: Payload,
    cosigners: Vec<(pb::CoSigner, Arc<SigningKey>)>,
}

fn signed_by(signer: &Arc<SigningKey>, what: &'static str, payload: Payload) -> Draft {
    Draft { what, signer: Arc::clone(signer), payload, cosigners: Vec::new() }
}

impl Workload {
    pub fn new(town: &'static Town, governs: bool, moves_power: bool) -> Self {
        Self { town, governs, moves_power, wanted: BTreeMap::new(), made: 0 }
    }

    /// Something a client sends at `now_ms` by its clock.
    pub fn draw(
        &mut self,
        now_ms: u64,
        judge: &Judge,
        keys: &mut Keyring,
        dice: &mut Dice,
    ) -> Option<Sent> {
        let kind = dice.below(100);
        if kind < 7 {
            return Some(self.hopeless(now_ms, judge, keys, dice));
        }
        if kind < 10 {
            let bytes = dice.pick(judge.envelopes())?.clone();
            return Some(Sent { what: "a replay", bytes, hopeless: true });
        }
        let who = dice.index(self.town.members.len());
        let ledger = judge.ledger();
        let draft = match kind {
            70..90 if self.governs => match self.vote(judge, keys, dice) {
                Some(vote) => vote,
                None => self.propose(who, ledger, keys, dice)?,
            },
            90..94 if self.governs => self.rotate(who, judge, keys, dice)?,
            94..96 if self.governs => self.leave(ledger, keys, dice)?,
            50..66 => self.alert(who, ledger, keys, dice)?,
            66..80 => self.acknowledge(who, ledger, keys, dice)?,
            10..24 => self.lot_event(who, ledger, keys, dice)?,
            24..40 => self.deal(who, ledger, now_ms, (&*keys, &mut *dice))?,
            _ => anchor(&self.signer(who, ledger, keys)?, dice),
        };
        Some(self.send(draft, now_ms, dice))
    }

    /// An anchor by one member, for floods.
    pub fn flood(
        &mut self,
        now_ms: u64,
        judge: &Judge,
        keys: &Keyring,
        dice: &mut Dice,
    ) -> Option<Sent> {
        let signer = self.signer(0, judge.ledger(), keys)?;
        let draft = anchor(&signer, dice);
        Some(self.send(draft, now_ms, dice))
    }

    fn send(&mut self, draft: Draft, now_ms: u64, dice: &mut Dice) -> Sent {
        let mut body = self.body(draft.payload, now_ms, dice);
        let is_anchor = matches!(body.payload, Some(Payload::Anchor(_)));
        if dice.permille(60) {
            // Expires while it waits, if nodes are slow.
            body.not_after_ms = now_ms + dice.between(50, 800);
        }
        let network = self.town.network();
        let cosigners: Vec<_> =
            draft.cosigners.iter().map(|(purpose, key)| (*purpose, key.as_ref())).collect();
        let bytes = town::sign(&network, &draft.signer, &body, &cosigners);
        let signer = PublicKey::of(&draft.signer).id();
        let id = transaction_id(&network, &signer, &body.encode_to_vec());
        let wanted = Wanted {
            bytes: bytes.clone(),
            not_after_ms: body.not_after_ms,
            is_anchor,
            admitted: false,
            resolved: false,
        };
        self.wanted.insert(id, wanted);
        Sent { what: draft.what, bytes, hopeless: false }
    }

    fn body(&mut self, payload: Payload, now_ms: u64, dice: &mut Dice) -> pb::Body {
        self.made += 1;
        let mut nonce = self.made.to_be_bytes().to_vec();
        nonce.extend_from_slice(&dice.below(u64::MAX).to_be_bytes());
        let not_before_ms = now_ms - dice.below(300);
        let not_after_ms = not_before_ms + WINDOW_MS - dice.below(4_000);
        pb::Body { not_before_ms, not_after_ms, nonce, payload: Some(payload) }
    }

    /// The key that a member signs with at present, if it is one.
    fn signer(&self, who: usize, ledger: &MemoryLedger, keys: &Keyring) -> Option<Arc<SigningKey>> {
        let key = self.registered(who, pb::KeyRole::Signing, ledger)?;
        keys.secret(&key).map(Arc::clone)
    }

    fn registered(&self, who: usize, role: pb::KeyRole, ledger: &MemoryLedger) -> Option<Vec<u8>> {
        let member = state::member(ledger, &self.town.members[who].id).unwrap()?;
        let entry = member.entry?;
        entry.keys.iter().find(|key| key.role() == role).map(|key| key.key.clone())
    }

    fn id(&self, who: usize) -> MemberId {
        self.town.members[who].id
    }

    fn alert(
        &self,
        who: usize,
        ledger: &MemoryLedger,
        keys: &Keyring,
        dice: &mut Dice,
    ) -> Option<Draft> {
        let signer = self.signer(who, ledger, keys)?;
        let key = town::alert_key(dice.below(RECORDS));
        let subject = PublicKey::of(key).alert_subject();
        let concern = dice.permille(400);
        let of = concern.then(|| self.id(who));
        let last = state::alert(ledger, &subject, of.as_ref()).unwrap();
        // A revoked record's alerts end there: seldom.
        let level = if dice.permille(20) { 5 } else { dice.between(1, 4) as i32 };
        let sequence = last.map_or(1, |last| last.sequence + 1);
        let alert = pb::Alert {
            subject: subject.to_vec(),
            level,
            // Sometimes out of turn.
            sequence: if dice.permille(100) { sequence + 1 } else { sequence },
            reason_digest: dice.bytes32().to_vec(),
            concern,
        };
        let mut draft = signed_by(&signer, "an alert", Payload::Alert(alert));
        if !concern {
            draft.cosigners.push((pb::CoSigner::Alert, Arc::new(key.clone())));
        }
        Some(draft)
    }

    /// Seals that may be broken already, and lots; sometimes in another member's name.
    fn lot_event(
        &self,
        who: usize,
        ledger: &MemoryLedger,
        keys: &Keyring,
        dice: &mut Dice,
    ) -> Option<Draft> {
        let signer = self.signer(who, ledger, keys)?;
        let carrier = if dice.permille(50) { dice.index(self.town.members.len()) } else { who };
        let event = pb::LotEvent {
            digest: dice.bytes32().to_vec(),
            outputs: (0..dice.between(1, 3)).map(|_| dice.bytes32().to_vec()).collect(),
            carrier: self.id(carrier).to_vec(),
        };
        let mut draft = signed_by(&signer, "a lot event", Payload::LotEvent(event));
        for _ in 0..dice.below(3) {
            let key = town::seal_key(dice.below(u64::MAX));
            draft.cosigners.push((pb::CoSigner::Seal, Arc::new(key.clone())));
        }
        Some(draft)
    }

    /// A step of one of the run's deals, whatever phase it is in; often refused.
    fn deal(
        &self,
        who: usize,
        ledger: &MemoryLedger,
        now_ms: u64,
        (keys, dice): (&Keyring, &mut Dice),
    ) -> Option<Draft> {
        let signer = self.signer(who, ledger, keys)?;
        let deal = dice.below(town::DEALS);
        let part = |part| town::deal_key(deal, part);
        let public = |at| PublicKey::of(part(at)).to_bytes();
        let id = heatmark_ledger::keys::deal_id(&self.town.network(), &public(0));
        let agent = dice.below(2) as u32;
        let (step, by) = if state::deal(ledger, &id).unwrap().is_none() {
            let after = |seconds: u64| now_ms + seconds * 1_000;
            let open = pb::DealOpen {
                terms_digest: dice.bytes32().to_vec(),
                buyer_key: public(0).to_vec(),
                agent_keys: vec![public(1).to_vec(), public(2).to_vec()],
                threshold: dice.between(1, 2) as u32,
                ready_by_ms: after(10),
                release_by_ms: after(20),
                confirm_by_ms: after(30),
                ..pb::DealOpen::default()
            };
            (pb::deal::Step::Open(open), 0)
        } else if dice.permille(100) {
            (pb::deal::Step::Confirm(pb::DealConfirm {}), 0)
        } else if dice.permille(500) {
            (pb::deal::Step::Ready(pb::DealReady { agent }), 1 + u64::from(agent))
        } else {
            let envelopes = vec![dice.bytes32().to_vec()];
            let release = pb::DealRelease { agent, envelopes };
            (pb::deal::Step::Release(release), 1 + u64::from(agent))
        };
        let payload = Payload::Deal(pb::Deal { deal: id.to_vec(), step: Some(step) });
        let mut draft = signed_by(&signer, "a step of a deal", payload);
        draft.cosigners.push((pb::CoSigner::Deal, Arc::new(part(by).clone())));
        Some(draft)
    }

    /// Of any alert that stands, acknowledged by this member or not.
    fn acknowledge(
        &self,
        who: usize,
        ledger: &MemoryLedger,
        keys: &Keyring,
        dice: &mut Dice,
    ) -> Option<Draft> {
        let mut standing = Vec::new();
        for record in 0..RECORDS {
            let subject = PublicKey::of(town::alert_key(record)).alert_subject();
            let sides = (0..FOUNDERS).map(|founder| Some(self.id(founder))).chain([None]);
            for of in sides {
                if let Some(alert) = state::alert(ledger, &subject, of.as_ref()).unwrap() {
                    standing.push((subject, of, alert.sequence));
                }
            }
        }
        let (subject, of, sequence) = *dice.pick(&standing)?;
        let acknowledge = pb::Acknowledge {
            subject: subject.to_vec(),
            concern_of: of.map_or_else(Vec::new, |of| of.to_vec()),
            sequence,
        };
        let signer = self.signer(who, ledger, keys)?;
        Some(signed_by(&signer, "an acknowledgement", Payload::Acknowledge(acknowledge)))
    }

    /// On a proposal that is open, by a member that has not voted on it.
    fn vote(&self, judge: &Judge, keys: &Keyring, dice: &mut Dice) -> Option<Draft> {
        let ledger = judge.ledger();
        let mut missing = Vec::new();
        for id in judge.proposals().iter().rev().take(4) {
            let key = state::proposal_key(id);
            let found: pb::ProposalState = state::read(ledger, &key, "proposal").unwrap()?;
            for who in 0..self.town.members.len() {
                let member = self.id(who).to_vec();
                let voted = found.approvals.contains(&member) || found.rejections.contains(&member);
                if found.status() == pb::ProposalStatus::Open && !voted {
                    missing.extend(self.signer(who, ledger, keys).map(|signer| (*id, signer)));
                }
            }
        }
        let (proposal, signer) = dice.pick(&missing)?;
        let vote = pb::Vote { proposal: proposal.to_vec(), approve: !dice.permille(60) };
        Some(signed_by(signer, "a vote", Payload::Vote(vote)))
    }

    fn propose(
        &self,
        who: usize,
        ledger: &MemoryLedger,
        keys: &mut Keyring,
        dice: &mut Dice,
    ) -> Option<Draft> {
        let signer = self.signer(who, ledger, keys)?;
        let whom = dice.index(self.town.members.len());
        let member = self.id(whom).to_vec();
        let standing = state::member(ledger, &self.id(whom)).unwrap();
        let mut cosigners = Vec::new();
        let mut prove = |public: &[u8]| -> Option<()> {
            cosigners.push((pb::CoSigner::NewKey, Arc::clone(keys.secret(public)?)));
            Some(())
        };
        let target = pb::MemberAction { member: member.clone(), reason_digest: vec![7; 32] };
        let action = match (standing.map(|found| found.status()), dice.below(10)) {
            (None, _) => {
                let entry = self.town.members[whom].entry.clone();
                let proven = entry.keys.iter();
                let mut proven = proven.filter(|k| k.algorithm() == pb::KeyAlgorithm::Ed25519);
                proven.try_for_each(|key| prove(&key.key))?;
                Action::AddMember(entry)
            }
            (Some(pb::MemberStatus::Suspended), 0..5) => Action::Reinstate(target),
            (Some(_), 0) => Action::Suspend(target),
            (Some(_), 1..5) if self.moves_power && whom <= LAB => {
                let consensus_key = self.registered(whom, pb::KeyRole::Consensus, ledger)?;
                let power = dice.below(4);
                Action::SetValidator(pb::SetValidator { member, consensus_key, power })
            }
            (Some(_), 5..7) => {
                let mut parameters = state::parameters(ledger).unwrap();
                parameters.max_block_transactions = dice.between(3, 12) as u32;
                parameters.state_history_heights = dice.between(1, 20);
                Action::Parameters(parameters)
            }
            (Some(_), 7) => {
                let roles = vec![pb::Role::Supplier as i32, pb::Role::Lab as i32];
                Action::SetRoles(pb::SetRoles { member, roles })
            }
            (Some(_), 8) => {
                let (public, key) = keys.make(None);
                cosigners.push((pb::CoSigner::NewKey, key));
                let new_root = pb::PublicKey {
                    role: pb::KeyRole::Root as i32,
                    algorithm: pb::KeyAlgorithm::Ed25519 as i32,
                    key: public,
                };
                Action::ReplaceRoot(pb::ReplaceRoot { member, new_root: Some(new_root) })
            }
            _ => return None,
        };
        let payload = Payload::Propose(pb::Propose { action: Some(action) });
        Some(Draft { what: "a proposal", signer, payload, cosigners })
    }

    fn rotate(
        &self,
        who: usize,
        judge: &Judge,
        keys: &mut Keyring,
        dice: &mut Dice,
    ) -> Option<Draft> {
        let ledger = judge.ledger();
        let signer = self.signer(who, ledger, keys)?;
        let root = self.registered(who, pb::KeyRole::Root, ledger)?;
        let root = Arc::clone(keys.secret(&root)?);
        let mut cosigners = vec![(pb::CoSigner::Root, root)];
        let role = match dice.below(4) {
            0 => pb::KeyRole::P2p,
            1 => pb::KeyRole::Envelope,
            2 if who <= LAB => pb::KeyRole::Consensus,
            _ => pb::KeyRole::Signing,
        };
        let new_key = if role == pb::KeyRole::Envelope {
            town::envelope_key(&format!("envelope {}", dice.below(u64::MAX)))
        } else {
            let voter = (role == pb::KeyRole::Consensus).then_some(who);
            let (key, secret) = keys.make(voter);
            cosigners.push((pb::CoSigner::NewKey, secret));
            let algorithm = pb::KeyAlgorithm::Ed25519 as i32;
            pb::PublicKey { role: role as i32, algorithm, key }
        };
        let rotate = pb::RotateKey {
            new_key: Some(new_key),
            compromised_since: dice.below(judge.height().0 + 1),
            member: self.id(who).to_vec(),
        };
        let payload = Payload::RotateKey(rotate);
        Some(Draft { what: "a rotation", signer, payload, cosigners })
    }

    /// Members that joined leave now and then; a founder that tries has voting power, as a rule.
    fn leave(&self, ledger: &MemoryLedger, keys: &Keyring, dice: &mut Dice) -> Option<Draft> {
        let joined = [LAB + 1, LAB + 2, LAB];
        let who = *joined.iter().find(|who| self.signer(**who, ledger, keys).is_some())?;
        let who = if dice.permille(100) { dice.index(FOUNDERS) } else { who };
        let signer = self.signer(who, ledger, keys)?;
        let root = self.registered(who, pb::KeyRole::Root, ledger)?;
        let root = Arc::clone(keys.secret(&root)?);
        let payload = Payload::Leave(pb::Leave { member: self.id(who).to_vec() });
        let mut draft = signed_by(&signer, "a leave", payload);
        draft.cosigners.push((pb::CoSigner::Root, root));
        Some(draft)
    }

    /// What no node may take at any time.
    fn hopeless(&mut self, now_ms: u64, judge: &Judge, keys: &Keyring, dice: &mut Dice) -> Sent {
        let network = self.town.network();
        let signer = self.signer(dice.index(FOUNDERS), judge.ledger(), keys);
        let signer = signer.unwrap_or_else(|| Arc::new(SigningKey::from_bytes(&[9; 32])));
        let anchor = |root: Vec<u8>, records| Payload::Anchor(pb::Anchor { root, records });
        let good = anchor(vec![1; 32], 1);
        let mut body = self.body(good, now_ms, dice);
        let sign = |body: &pb::Body| town::sign(&network, &signer, body, &[]).to_vec();
        let (what, bytes) = match dice.below(9) {
            0 => ("noise", dice.bytes32().repeat(1 + dice.index(8))),
            1 => {
                let mut bytes = sign(&body);
                let at = dice.index(bytes.len());
                bytes[at] ^= 1 << dice.below(8);
                ("a changed byte", bytes)
            }
            2 => {
                let mut bytes = sign(&body);
                bytes.truncate(dice.index(bytes.len()));
                ("a cut envelope", bytes)
            }
            3 => {
                body.payload = Some(anchor(vec![1; 32], 0));
                ("an empty batch", sign(&body))
            }
            4 => {
                body.not_after_ms = body.not_before_ms + WINDOW_MS + 1;
                ("too long a window", sign(&body))
            }
            5 => {
                body.not_before_ms = now_ms - 120_000;
                body.not_after_ms = now_ms - 90_000;
                ("an expired anchor", sign(&body))
            }
            6 => {
                body.nonce.push(0);
                ("a long nonce", sign(&body))
            }
            7 => {
                let stranger = SigningKey::from_bytes(&dice.bytes32());
                ("a stranger's anchor", town::sign(&network, &stranger, &body, &[]).to_vec())
            }
            _ => {
                body.payload = Some(anchor(vec![1; 31], 1));
                ("a short root", sign(&body))
            }
        };
        Sent { what, bytes: bytes.into(), hopeless: true }
    }

    /// Marks what stands on the log or has expired.
    pub fn settle(&mut self, judge: &Judge) {
        let time = judge.time();
        for (id, wanted) in &mut self.wanted {
            wanted.resolved |= judge.place(id).is_some() || wanted.not_after_ms <= time;
        }
    }
}

fn anchor(signer: &Arc<SigningKey>, dice: &mut Dice) -> Draft {
    let root = dice.bytes32().to_vec();
    let records = dice.between(1, 1_000) as u32;
    signed_by(signer, "an anchor", Payload::Anchor(pb::Anchor { root, records }))
}

/// The id under which nodes know an envelope.
pub fn id_of(town: &Town, bytes: &Bytes) -> Option<TransactionId> {
    Transaction::decode(&town.network(), bytes.clone()).ok().map(|transaction| transaction.id())
}
