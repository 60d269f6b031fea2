//! What clients do in a run, and what they must be told.

use crate::town::{FOUNDERS, START_MS};
use crate::workload::{Sent, id_of};
use crate::world::{REPLICAS, World};
use heatmark_consensus::{Conflict, Evidence, VoteSigned};
use heatmark_ledger::certificate::{VoteKind, vote_preimage};
use heatmark_ledger::ids::{HeaderHash, Height, Round, TransactionId};
use heatmark_ledger::refusal::Refusal;
use heatmark_ledger::{LeafIndex, keys};
use heatmark_mempool::{IntakeError, MempoolError};
use std::sync::Arc;

impl World {
    /// A client sends something; now and then somebody asks a node for proof.
    pub(crate) fn act(&mut self) {
        let now = START_MS + 1_000 + self.ms();
        let bursts = if self.weather.floods && self.dice.permille(150) { 8 } else { 0 };
        for _ in 0..bursts {
            let sent = self.workload.flood(now, &self.judge, &self.keys, &mut self.dice);
            if let Some(sent) = sent {
                self.submit(&sent, true);
            }
        }
        let sent = self.workload.draw(now, &self.judge, &mut self.keys, &mut self.dice);
        if let Some(sent) = sent {
            self.submit(&sent, true);
        }
        if self.dice.permille(250) {
            self.ask();
        }
        if self.dice.permille(15) {
            self.testify();
        }
    }

    /// A client's transaction comes to some node that is up.
    pub(crate) fn submit(
        &mut self,
        sent: &Sent,
        first: bool,
    ) -> Option<Result<TransactionId, IntakeError>> {
        let up: Vec<usize> = (0..REPLICAS).filter(|r| self.replicas[*r].node.is_some()).collect();
        let who = *self.dice.pick(&up)?;
        let start = self.replicas[who].start;
        let mut outcome = None;
        let bytes = sent.bytes.clone();
        self.step(who, start, |replica, context| {
            outcome = replica.submit(&bytes, context);
            replica.wake(context)
        });
        let outcome = outcome?;
        if first {
            let said = outcome.as_ref().map_or_else(ToString::to_string, |_| "taken".to_owned());
            self.judge.note(format!("r{who} is sent {}: {said}", sent.what));
        }
        self.judge_intake(who, sent, &outcome);
        if let Ok(accepted) = &outcome
            && let Some(wanted) = self.workload.wanted.get_mut(&accepted.id)
        {
            wanted.admitted = true;
        }
        Some(outcome.map(|accepted| accepted.id))
    }

    fn judge_intake(
        &self,
        who: usize,
        sent: &Sent,
        outcome: &Result<heatmark_mempool::Accepted, IntakeError>,
    ) {
        let replica = &self.replicas[who];
        let logged = id_of(self.town, &sent.bytes).is_some_and(|id| {
            let node = replica.node.as_ref();
            node.is_some_and(|node| matches!(node.store.find(&id), Ok(Some(_))))
        });
        match outcome {
            Ok(_) => {
                assert!(!logged, "r{who} takes a transaction that is on its log");
                let replay = sent.what == "a replay";
                assert!(replay || !sent.hopeless, "r{who} takes {}", sent.what);
            }
            Err(IntakeError::State(error)) => {
                assert!(replica.drive.has_failed(), "r{who} cannot read its state: {error}");
            }
            Err(IntakeError::Pool(MempoolError::Full)) => {
                let Some(node) = &replica.node else { return };
                let waiting = node.mempool.arrived(0, u64::MAX, usize::MAX);
                let alerts = waiting.iter().filter(|(_, t)| t.is_alert());
                let bytes: usize = alerts.clone().map(|(_, t)| t.bytes().len()).sum();
                let is_alert = sent.what == "an alert" || sent.what == "an acknowledgement";
                let limits = node.mempool.limits();
                let used = alerts.count() >= limits.reserved_alert_transactions
                    || bytes + sent.bytes.len() > limits.reserved_alert_bytes;
                assert!(!is_alert || used, "r{who} has no room for an alert");
            }
            Err(_) => {}
        }
    }

    /// Somebody asks a node for evidence.
    fn ask(&mut self) {
        let who = self.dice.index(REPLICAS);
        let leaf = LeafIndex(self.dice.below(self.judge.envelopes().len() as u64));
        if self.replicas[who].node.is_none() || self.judge.envelopes().is_empty() {
            return;
        }
        if let Err(error) = self.judge.check_receipt(who, leaf, None) {
            assert!(self.replicas[who].drive.has_failed(), "r{who} gives no receipt: {error}");
            self.stop_on_fault(who);
        }
    }

    /// Proof of a misbehaviour reaches a node.
    fn testify(&mut self) {
        let who = self.dice.index(REPLICAS);
        let Some(start) = self.replicas[who].node.as_ref().map(|_| self.replicas[who].start) else {
            return;
        };
        let key = self.town.genesis.validators().validators()[self.dice.index(FOUNDERS)].key;
        let secret = Arc::clone(self.keys.secret(&key.to_bytes()).unwrap());
        let (height, round) = (Height(1 + self.dice.below(100_000)), Round(0));
        let network = self.town.network();
        let votes = [1, 2].map(|value: u8| {
            let value = HeaderHash(heatmark_ledger::Hash([value; 32]));
            let kind = VoteKind::Precommit;
            let at = (height, round);
            let preimage = vote_preimage(&network, kind, at, Some(&value), &key.to_bytes());
            let signature = keys::sign(&secret, &preimage).try_into().unwrap();
            VoteSigned { value: Some(value), signature }
        });
        let conflict = Conflict::Votes { kind: VoteKind::Precommit, votes };
        let evidence = Evidence { validator: key.to_bytes(), height, round, conflict };
        let kept = self.step(who, start, |replica, _| replica.keep_evidence(&evidence));
        if kept {
            self.judge.kept_evidence(who);
        }
    }

    /// Clients send again what has not landed.
    pub(crate) fn resend(&mut self) {
        self.workload.settle(&self.judge);
        let unresolved: Vec<(TransactionId, Sent)> = self
            .workload
            .wanted
            .iter()
            .filter(|(_, wanted)| !wanted.resolved)
            .map(|(id, wanted)| {
                (*id, Sent { what: "it again", bytes: wanted.bytes.clone(), hopeless: false })
            })
            .collect();
        for (id, sent) in unresolved {
            let outcome = self.submit(&sent, false);
            let all_well = self.calm_at.is_some() && self.all_agree();
            if let Some(Err(IntakeError::Refused(refusal))) = outcome
                && all_well
                && !matches!(refusal, Refusal::TooEarly | Refusal::Expired | Refusal::Replayed)
            {
                self.refused_for_good(&id, refusal);
            }
        }
    }

    fn refused_for_good(&mut self, id: &TransactionId, refusal: Refusal) {
        let Some(wanted) = self.workload.wanted.get_mut(id) else { return };
        wanted.resolved = true;
        let standing = matches!(refusal, Refusal::KeyNotValid | Refusal::MemberNotActive);
        assert!(
            !(wanted.is_anchor && wanted.admitted) || standing,
            "an anchor was taken and is refused: {refusal}"
        );
        self.judge.note(format!("{id} is given up: {refusal}"));
    }
}
