//! How the town's members restart their network.

use super::Town;
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::messages as pb;
use heatmark_ledger::restart;
use heatmark_ledger::state;
use heatmark_ledger::validators::{Validator, ValidatorSet};
use heatmark_merkle::map;
use prost::Message;
use std::sync::Arc;

impl Town {
    /// A restart from the newest header with these members' validators, that nobody has signed.
    pub(crate) fn unsigned_restart(&self, keep: &[usize]) -> pb::RestartDocument {
        let validators = keep
            .iter()
            .map(|who| Validator { key: PublicKey::of(&self.members[*who].consensus), power: 1 })
            .collect();
        self.restart_with(&ValidatorSet::new(validators).unwrap())
    }

    pub(crate) fn restart_with(&self, set: &ValidatorSet) -> pb::RestartDocument {
        let prove = |key: &[u8]| {
            let (value, proof) =
                map::prove(self.ledger.nodes(), self.tip.map_version, key).unwrap();
            (value.unwrap(), proof.to_bytes())
        };
        let (members, members_proof) = prove(&state::members_key());
        let index = pb::MemberIndex::decode(members.as_slice()).unwrap();
        let entries = index
            .members
            .into_iter()
            .map(|member| {
                let id = MemberId::try_from(member.as_slice()).unwrap();
                let (state, proof) = prove(&state::member_key(&id));
                pb::RestartMember { member, state, proof, signature: Vec::new() }
            })
            .collect();
        let newest = self.blocks.last().unwrap();
        let header = newest.block.as_ref().unwrap().header.clone();
        let height = header.as_ref().unwrap().height;
        let earlier = |change: &&pb::SetChange| change.header.as_ref().unwrap().height < height;
        let restart = pb::SetChange {
            header,
            certificate: newest.certificate.clone(),
            next: Some(set.to_proto()),
            restart: Some(pb::Restart { members, members_proof, entries }),
        };
        let set_changes = self.changes.iter().filter(earlier).cloned().collect();
        pb::RestartDocument { set_changes, restart: Some(restart) }
    }

    /// Restarts the network from the newest header, signed by these members' root keys.
    pub(crate) fn restart(&mut self, keep: &[usize], signers: &[usize]) -> pb::SetChange {
        let mut draft = self.trust().verify_draft(self.unsigned_restart(keep)).unwrap();
        for who in signers {
            draft.sign(&self.members[*who].root).unwrap();
        }
        let change = draft.finished().unwrap();
        restart::check_set(&self.ledger, draft.next()).unwrap();
        self.changes.retain(|other| other.header != change.header);
        self.changes.push(change.clone());
        self.tip = self.tip.restarted(draft.era(), Arc::new(draft.next().clone()));
        change
    }
}
