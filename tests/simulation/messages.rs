//! What replicas say to each other, and the network that delays, repeats, reorders and loses it.

use crate::dice::Dice;
use heatmark_consensus::Certified;
use heatmark_ledger::certificate::VoteKind;
use heatmark_ledger::ids::{HeaderHash, Height};
use prost::bytes::Bytes;
use std::rc::Rc;

/// A vote of a validator; precommits carry the signature that certificates are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    pub kind: VoteKind,
    pub height: Height,
    pub round: u32,
    /// Position in the height's set.
    pub validator: usize,
    /// `None` is nil.
    pub value: Option<HeaderHash>,
    pub signature: Vec<u8>,
}

/// A block put to the vote.
#[derive(Debug, Clone)]
pub struct Proposal {
    pub height: Height,
    pub round: u32,
    pub value: HeaderHash,
    pub block: Bytes,
    /// The earlier round that gave it a quorum of prevotes, with these.
    pub polka: Option<(u32, Vec<Vote>)>,
    /// The network changed the block's bytes.
    pub garbled: bool,
}

#[derive(Debug, Clone)]
pub enum Message {
    Transactions(Vec<Bytes>),
    Proposal(Proposal),
    /// A block that is still on its way to its proposer's disk: nothing is signed for it.
    Parts(Proposal),
    Vote(Vote),
    /// The newest height that the sender has.
    Status(Height),
    /// Asks for decided blocks from this height on.
    Request(Height),
    Blocks(Vec<Certified>),
}

/// How bad the network is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Links {
    pub loss_permille: u64,
    pub repeat_permille: u64,
    pub garble_permille: u64,
    /// Longest delay of most messages, milliseconds.
    pub delay_ms: u64,
    /// Replicas whose bit is set hear only each other, and so do the others.
    pub island: u32,
}

impl Links {
    /// When copies of a message arrive: none, one or several delays in milliseconds.
    pub fn deliveries(&self, from: usize, to: usize, dice: &mut Dice) -> Vec<u64> {
        let side = |replica: usize| self.island >> replica & 1;
        if side(from) != side(to) || dice.permille(self.loss_permille) {
            return Vec::new();
        }
        let mut delays = Vec::new();
        loop {
            let straggles = dice.permille(20);
            let longest = if straggles { self.delay_ms * 12 } else { self.delay_ms };
            delays.push(1 + dice.below(longest.max(1)));
            if !dice.permille(self.repeat_permille) || delays.len() == 3 {
                return delays;
            }
        }
    }

    /// The message, or what becomes of it on the way.
    pub fn carry(&self, message: &Rc<Message>, dice: &mut Dice) -> Rc<Message> {
        match message.as_ref() {
            Message::Parts(proposal) | Message::Proposal(proposal)
                if dice.permille(self.garble_permille) =>
            {
                let mut block = proposal.block.to_vec();
                let at = dice.index(block.len());
                if dice.permille(300) {
                    block.truncate(at);
                } else {
                    block[at] ^= 1 << dice.below(8);
                }
                let block = block.into();
                let proposal = Proposal { block, garbled: true, ..proposal.clone() };
                match message.as_ref() {
                    Message::Parts(_) => Rc::new(Message::Parts(proposal)),
                    _ => Rc::new(Message::Proposal(proposal)),
                }
            }
            _ => Rc::clone(message),
        }
    }
}
