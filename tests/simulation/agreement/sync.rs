//! Catching up, and saying again what may have been lost.

use super::{Agreement, Context, Effect, Journal, Outcome};
use crate::messages::{Message, Proposal};
use heatmark_consensus::{Application, Certified, Checked, Freshness};
use heatmark_ledger::block::Block;
use heatmark_ledger::ids::Height;
use std::rc::Rc;

/// Blocks in one answer to a replica that catches up.
const BLOCKS_AT_ONCE: u64 = 8;

impl Agreement {
    /// Says again what may have been lost, and how far this replica is.
    pub fn repeat(&mut self, journal: &Journal, context: &mut Context<'_>) -> Outcome {
        context.broadcast(Message::Status(self.height.previous()));
        let Some(round) = self.round else { return Ok(()) };
        for vote in journal.votes.values().filter(|vote| vote.round + 1 >= round) {
            context.broadcast(Message::Vote(vote.clone()));
        }
        if let Some((value, polka)) = journal.proposals.get(&round).cloned()
            && let Some(block) = self.chain.undecided_block(self.height, &value)?
        {
            let height = self.height;
            let proposal = Proposal { height, round, value, block, polka, garbled: false };
            context.broadcast(Message::Proposal(proposal));
        }
        Ok(())
    }

    /// Decided blocks for a replica that asks from a height on.
    pub fn serve(&self, from: Height, to: usize, context: &mut Context<'_>) -> Outcome {
        let last = Height(from.0 + BLOCKS_AT_ONCE - 1).min(self.height.previous());
        if from.0 == 0 || from > last {
            return Ok(());
        }
        let blocks = self.chain.certified(from..=last, 1 << 20)?;
        context.effects.push(Effect::Send(to, Rc::new(Message::Blocks(blocks))));
        Ok(())
    }

    /// Decided blocks from another replica.
    pub fn catch_up(
        &mut self,
        blocks: &[Certified],
        journal: &mut Journal,
        context: &mut Context<'_>,
    ) -> Outcome {
        for certified in blocks {
            if certified.height != self.height {
                continue;
            }
            let header = Block::decode(&certified.block).unwrap().header;
            assert_eq!(header.hash(), certified.header_hash, "a served block has another header");
            certified.certificate.verify(&header, &self.set).unwrap();
            let slot = self.slot(certified.certificate.round.0);
            let block = certified.block.clone();
            match self.chain.check(&slot, block, Freshness::Certified)? {
                Checked::Valid(hash) if hash == certified.header_hash => {}
                other => panic!("height {} is certified and refused: {other:?}", header.height),
            }
            self.valid.insert(certified.header_hash);
            self.commit(certified.header_hash, &certified.certificate, journal, context)?;
        }
        Ok(())
    }
}
