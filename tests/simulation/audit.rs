//! The end of a run: every disk holds the log that the judge replayed, and proves it.

use crate::disk::shared_families;
use crate::town::LAB;
use crate::workload::Sent;
use crate::world::{REPLICAS, World};
use heatmark_ledger::{LeafIndex, state};
use heatmark_merkle::map::{self, MemoryNodes};
use heatmark_store::Family;

impl World {
    /// Starts everybody once more from the disk alone and compares.
    pub(crate) fn audit(&mut self) {
        self.judge.note("everything has settled");
        for who in 0..REPLICAS {
            self.replicas[who].node = None;
            self.judge.running[who] = None;
            self.replicas[who].drive.crash(&mut self.dice);
            self.start(who);
            let node = self.replicas[who].node.as_ref();
            let tip = node.map(|node| node.store.tip()).expect("a sound disk opens");
            assert_eq!(tip.height, self.judge.height(), "r{who} is back at another height");
            self.judge.check_headers(who);
        }
        for name in shared_families() {
            let family = Family::all().find(|family| family.name() == name).unwrap();
            let first = self.replicas[0].drive.dump(family);
            for who in 1..REPLICAS {
                let other = self.replicas[who].drive.dump(family);
                assert!(first == other, "r0 and r{who} differ in {name}");
            }
        }
        self.audit_state();
        let leaves = self.judge.envelopes().len() as u64;
        for who in 0..REPLICAS {
            let leaf = LeafIndex(self.dice.below(leaves));
            self.judge.check_receipt(who, leaf, None).unwrap();
        }
        let newest = Some(self.judge.height()).filter(|height| height.0 > 0);
        let who = self.dice.index(REPLICAS);
        self.judge.check_receipt(who, LeafIndex(0), newest).unwrap();
        let keys = [state::validators_key(), state::member_key(&self.town.members[LAB].id)];
        for key in keys {
            self.judge.check_state_proof(who, &key).unwrap();
        }
        self.refuse_replays();
    }

    /// The state on disk is what its root says.
    fn audit_state(&self) {
        let family = Family::all().find(|family| family.name() == "state").unwrap();
        let values = self.replicas[0].drive.dump(family);
        let values = values.into_iter().map(|(key, value)| (key, Some(value))).collect();
        let root = map::update(&MemoryNodes::new(), 0, &values).unwrap().root;
        let node = self.replicas[0].node.as_ref().unwrap();
        assert_eq!(root, node.store.tip().chain.state_root, "the state is not its root's");
    }

    fn refuse_replays(&mut self) {
        let envelopes: Vec<_> = self.judge.envelopes().iter().rev().take(3).cloned().collect();
        for bytes in envelopes {
            let sent = Sent { what: "a replay", bytes, hopeless: true };
            let outcome = self.submit(&sent, false);
            assert!(matches!(outcome, Some(Err(_))), "a replay is taken");
        }
    }
}
