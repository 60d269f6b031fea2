//! Agreement in place of the engine: Tendermint's rules as a replica follows them, over the same
//! [`Application`] that the engine's host asks, in the same order and with the same promises. What
//! a replica signed stands in a journal that is written before the message leaves, as the engine's
//! own log is. The rules are kept safe here; what is tested lies below them.

mod rules;
mod sync;

use crate::judge::{Judge, short};
use crate::messages::{Message, Proposal, Vote};
use crate::town::Keyring;
use heatmark::run::Chain;
use heatmark_consensus::{Application, ApplicationError, Checked, Freshness, Newest, Slot};
use heatmark_ledger::certificate::{CommitCertificate, VoteKind, vote_preimage};
use heatmark_ledger::ids::{HeaderHash, Height, NetworkId, Round};
use heatmark_ledger::keys;
use heatmark_ledger::validators::ValidatorSet;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Messages for the next height that are kept.
const MAX_AHEAD: usize = 48;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Propose,
    Prevote,
    Precommit,
}

/// What a timer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    Step(Step, Height, u32),
    Heartbeat(Height),
}

/// A round and the prevotes that made a block valid in it.
type Polka = (u32, Vec<Vote>);

/// What survives a crash besides the disk: everything signed in the height under way.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    height: Height,
    round: Option<u32>,
    locked: Option<(HeaderHash, u32)>,
    /// With the prevotes that made it so, for others must see them.
    valid: Option<(HeaderHash, u32, Vec<Vote>)>,
    votes: BTreeMap<(bool, u32), Vote>,
    proposals: BTreeMap<u32, (HeaderHash, Option<Polka>)>,
}

/// What a replica wants done.
pub enum Effect {
    Broadcast(Rc<Message>),
    Send(usize, Rc<Message>),
    Wait(u64, Timer),
}

/// What a step of a replica may use.
pub struct Context<'a> {
    pub me: usize,
    pub network: NetworkId,
    pub keys: &'a Keyring,
    pub judge: &'a mut Judge,
    pub effects: &'a mut Vec<Effect>,
    /// Votes on nothing up to this height: its journal is lost.
    pub silent_through: Height,
}

impl Context<'_> {
    fn broadcast(&mut self, message: Message) {
        self.effects.push(Effect::Broadcast(Rc::new(message)));
    }
}

/// A block that a round put to the vote, as this replica judged it.
#[derive(Debug, Clone, Copy)]
struct Put {
    value: HeaderHash,
    polka_round: Option<u32>,
    valid: bool,
}

type Votes = BTreeMap<u32, BTreeMap<usize, Vote>>;

/// The newest decided height, while its certificate may still grow.
struct Decided {
    height: Height,
    round: u32,
    value: HeaderHash,
    signatures: BTreeMap<usize, Vec<u8>>,
    stored: usize,
}

/// A replica's part in the height under way.
pub struct Agreement {
    chain: Rc<Chain>,
    height: Height,
    set: ValidatorSet,
    heartbeat_ms: u64,
    /// `None` while nothing calls for a block.
    round: Option<u32>,
    step: Step,
    puts: BTreeMap<u32, Put>,
    /// Blocks that are valid and persisted.
    valid: BTreeSet<HeaderHash>,
    prevotes: Votes,
    precommits: Votes,
    timers: BTreeSet<(Step, u32)>,
    ahead: Vec<Rc<Message>>,
    decided: Option<Decided>,
}

type Outcome = Result<(), ApplicationError>;

impl Agreement {
    /// Begins where the disk and the journal say.
    pub fn start(
        chain: Rc<Chain>,
        journal: &mut Journal,
        context: &mut Context<'_>,
    ) -> Result<Self, ApplicationError> {
        let newest = chain.newest()?;
        let mut agreement = Self {
            chain,
            height: newest.height,
            set: newest.next_validators.clone(),
            heartbeat_ms: 0,
            round: None,
            step: Step::Propose,
            puts: BTreeMap::new(),
            valid: BTreeSet::new(),
            prevotes: Votes::new(),
            precommits: Votes::new(),
            timers: BTreeSet::new(),
            ahead: Vec::new(),
            decided: None,
        };
        agreement.begin_height(newest, journal, context)?;
        Ok(agreement)
    }

    pub fn height(&self) -> Height {
        self.height
    }

    fn begin_height(
        &mut self,
        newest: Newest,
        journal: &mut Journal,
        context: &mut Context<'_>,
    ) -> Outcome {
        self.height = newest.height.next();
        self.set = newest.next_validators;
        self.heartbeat_ms = newest.heartbeat.as_millis() as u64;
        self.round = None;
        self.step = Step::Propose;
        self.puts.clear();
        self.prevotes.clear();
        self.precommits.clear();
        self.timers.clear();
        let kept = self.chain.undecided(self.height)?;
        self.valid = kept.iter().map(|block| block.header_hash).collect();
        context.effects.push(Effect::Wait(self.heartbeat_ms, Timer::Heartbeat(self.height)));
        if journal.height == self.height {
            let polka = journal.valid.iter().flat_map(|(_, _, polka)| polka);
            for vote in journal.votes.values().chain(polka) {
                self.count(vote.clone());
            }
            if let Some(round) = journal.round {
                self.enter(round, journal, context)?;
            }
        } else {
            *journal = Journal { height: self.height, ..Journal::default() };
        }
        for message in std::mem::take(&mut self.ahead) {
            match message.as_ref() {
                Message::Proposal(proposal) => self.proposed(proposal, journal, context)?,
                Message::Vote(vote) => self.voted(vote, journal, context)?,
                _ => {}
            }
        }
        self.wake(false, journal, context)
    }

    /// Starts the height's first round when something calls for it.
    pub fn wake(
        &mut self,
        called: bool,
        journal: &mut Journal,
        context: &mut Context<'_>,
    ) -> Outcome {
        if self.round.is_none() && (called || *self.chain.wants_block().borrow()) {
            self.enter(0, journal, context)?;
        }
        Ok(())
    }

    fn proposer(&self, round: u32) -> [u8; 32] {
        let validators = self.set.validators();
        let turn = (self.height.0 + u64::from(round)) as usize % validators.len();
        validators[turn].key.to_bytes()
    }

    fn slot(&self, round: u32) -> Slot {
        Slot { height: self.height, round: Round(round), proposer: self.proposer(round) }
    }

    /// Where this replica stands in the set, if it may vote now.
    fn own_position(&self, context: &Context<'_>) -> Option<usize> {
        if self.height <= context.silent_through {
            return None;
        }
        let own = |key: [u8; 32]| context.keys.voter(&key) == Some(context.me);
        self.set.validators().iter().position(|validator| own(validator.key.to_bytes()))
    }

    fn enter(&mut self, round: u32, journal: &mut Journal, context: &mut Context<'_>) -> Outcome {
        self.round = Some(round);
        self.step = Step::Propose;
        journal.round = Some(round);
        context
            .effects
            .push(Effect::Wait(timeout_ms(round), Timer::Step(Step::Propose, self.height, round)));
        let own = self.own_position(context).map(|at| self.set.validators()[at].key.to_bytes());
        if own == Some(self.proposer(round)) {
            self.propose(round, journal, context)?;
        }
        self.follow_rules(journal, context)
    }

    fn propose(&mut self, round: u32, journal: &mut Journal, context: &mut Context<'_>) -> Outcome {
        let slot = self.slot(round);
        let chosen = journal.proposals.get(&round).cloned();
        let again = chosen.or_else(|| {
            let (value, polka_round, polka) = journal.valid.clone()?;
            Some((value, Some((polka_round, polka))))
        });
        let (value, polka, block) = match again {
            Some((value, polka)) => {
                let Some(block) = self.chain.undecided_block(self.height, &value)? else {
                    panic!("a block that was voted on is gone from the disk");
                };
                let line = format!("r{} puts {} again", context.me, short(&value));
                context.judge.note(format!("{line} at {}/{round}", self.height));
                (value, polka, block)
            }
            None => {
                context.judge.before_proposal(context.me, &slot);
                if let Some(prepared) = self.chain.prepare(&slot)? {
                    let (height, value, block) =
                        (self.height, prepared.header_hash, prepared.block);
                    let polka = None;
                    let parts = Proposal { height, round, value, block, polka, garbled: false };
                    context.broadcast(Message::Parts(parts));
                }
                let proposed = self.chain.propose(&slot)?;
                context.judge.proposed(context.me, &slot, &proposed);
                self.valid.insert(proposed.header_hash);
                (proposed.header_hash, None, proposed.block)
            }
        };
        journal.proposals.insert(round, (value, polka.clone()));
        let polka_round = polka.as_ref().map(|(round, _)| *round);
        self.puts.insert(round, Put { value, polka_round, valid: true });
        let height = self.height;
        let proposal = Proposal { height, round, value, block, polka, garbled: false };
        context.broadcast(Message::Proposal(proposal));
        Ok(())
    }

    /// A block that another replica is about to propose: looked at ahead.
    pub fn parts(&mut self, parts: &Proposal, context: &mut Context<'_>) -> Outcome {
        if parts.height == self.height
            && !self.valid.contains(&parts.value)
            && self.examine(parts, context)?
        {
            self.valid.insert(parts.value);
        }
        Ok(())
    }

    /// A proposal from another replica.
    pub fn proposed(
        &mut self,
        proposal: &Proposal,
        journal: &mut Journal,
        context: &mut Context<'_>,
    ) -> Outcome {
        if proposal.height == self.height.next() {
            self.keep_ahead(Message::Proposal(proposal.clone()));
        }
        if proposal.height != self.height {
            return Ok(());
        }
        for vote in proposal.polka.iter().flat_map(|(_, votes)| votes) {
            self.count(vote.clone());
        }
        if !self.puts.contains_key(&proposal.round) {
            let known = self.valid.contains(&proposal.value);
            if known || self.examine(proposal, context)? {
                let polka_round = proposal.polka.as_ref().map(|(round, _)| *round);
                let value = proposal.value;
                self.valid.insert(value);
                self.puts.insert(proposal.round, Put { value, polka_round, valid: true });
            } else if !proposal.garbled {
                let value = proposal.value;
                let polka_round = proposal.polka.as_ref().map(|(round, _)| *round);
                self.puts.insert(proposal.round, Put { value, polka_round, valid: false });
            }
        }
        self.wake(true, journal, context)?;
        self.follow_rules(journal, context)
    }

    /// Has a block executed and persisted; whether it is the one proposed, and valid.
    fn examine(
        &self,
        proposal: &Proposal,
        context: &mut Context<'_>,
    ) -> Result<bool, ApplicationError> {
        let slot = self.slot(proposal.round);
        let freshness =
            if proposal.polka.is_some() { Freshness::Relocked } else { Freshness::Fresh };
        let checked = self.chain.check(&slot, proposal.block.clone(), freshness)?;
        context.judge.checked(context.me, proposal, &checked);
        Ok(matches!(checked, Checked::Valid(hash) if hash == proposal.value))
    }

    fn keep_ahead(&mut self, message: Message) {
        if self.ahead.len() < MAX_AHEAD {
            self.ahead.push(Rc::new(message));
        }
    }

    /// A vote from another replica.
    pub fn voted(
        &mut self,
        vote: &Vote,
        journal: &mut Journal,
        context: &mut Context<'_>,
    ) -> Outcome {
        if vote.height == self.height {
            self.count(vote.clone());
            self.wake(true, journal, context)?;
            return self.follow_rules(journal, context);
        }
        if vote.height == self.height.next() {
            self.keep_ahead(Message::Vote(vote.clone()));
        }
        if vote.height.next() == self.height && vote.kind == VoteKind::Precommit {
            return self.complete(vote);
        }
        Ok(())
    }

    /// A late precommit makes the newest certificate fuller.
    fn complete(&mut self, vote: &Vote) -> Outcome {
        let Some(decided) = &mut self.decided else { return Ok(()) };
        let fits = decided.height == vote.height
            && decided.round == vote.round
            && Some(decided.value) == vote.value;
        if fits {
            decided.signatures.insert(vote.validator, vote.signature.clone());
            if decided.signatures.len() > decided.stored {
                decided.stored = decided.signatures.len();
                let certificate = certificate(decided.round, &decided.signatures);
                return self.chain.finalize(decided.height, &certificate);
            }
        }
        Ok(())
    }

    fn count(&mut self, vote: Vote) {
        let votes = match vote.kind {
            VoteKind::Prevote => &mut self.prevotes,
            VoteKind::Precommit => &mut self.precommits,
        };
        let first = votes
            .entry(vote.round)
            .or_default()
            .entry(vote.validator)
            .or_insert_with(|| vote.clone());
        assert_eq!(first.value, vote.value, "validator {} signed twice", vote.validator);
    }

    /// Signs, once a kind and round: what was signed before is said again.
    fn cast(
        &mut self,
        kind: VoteKind,
        value: Option<HeaderHash>,
        journal: &mut Journal,
        context: &mut Context<'_>,
    ) {
        let (Some(validator), Some(round)) = (self.own_position(context), self.round) else {
            return;
        };
        let place = (kind == VoteKind::Precommit, round);
        let vote = journal.votes.entry(place).or_insert_with(|| {
            let key = self.set.validators()[validator].key.to_bytes();
            let at = (self.height, Round(round));
            let signature = match (kind, context.keys.secret(&key)) {
                (VoteKind::Precommit, Some(secret)) if value.is_some() => {
                    let preimage = vote_preimage(&context.network, kind, at, value.as_ref(), &key);
                    keys::sign(secret, &preimage)
                }
                _ => Vec::new(),
            };
            Vote { kind, height: self.height, round, validator, value, signature }
        });
        let vote = vote.clone();
        let said = vote.value.as_ref().map_or_else(|| "nil".to_owned(), short);
        let line = format!("r{} {kind:?} {said} at {}/{round}", context.me, self.height);
        context.judge.note(line);
        self.count(vote.clone());
        context.broadcast(Message::Vote(vote));
    }

    fn decide(
        &mut self,
        round: u32,
        value: HeaderHash,
        journal: &mut Journal,
        context: &mut Context<'_>,
    ) -> Outcome {
        let votes = self.precommits.get(&round).into_iter().flat_map(BTreeMap::values);
        let signatures: BTreeMap<usize, Vec<u8>> = votes
            .filter(|vote| vote.value == Some(value))
            .map(|vote| (vote.validator, vote.signature.clone()))
            .collect();
        let certificate = certificate(round, &signatures);
        let stored = signatures.len();
        let height = self.height;
        self.commit(value, &certificate, journal, context)?;
        // Only after the height has begun: a height before this one may have been decided in it.
        if self.height == height.next() {
            self.decided = Some(Decided { height, round, value, signatures, stored });
        }
        Ok(())
    }

    fn commit(
        &mut self,
        value: HeaderHash,
        certificate: &CommitCertificate,
        journal: &mut Journal,
        context: &mut Context<'_>,
    ) -> Outcome {
        let height = self.height;
        let block = self.chain.undecided_block(height, &value)?;
        let Some(block) = block else { panic!("a block that was accepted is gone from the disk") };
        // Told before and after: a crash in between may leave it decided here or not.
        context.judge.decided(height, value, &block, certificate);
        let committed = self.chain.commit(height, &value, certificate)?;
        context.judge.committed(context.me, height, value, &committed);
        self.decided = None;
        self.begin_height(committed.newest, journal, context)
    }

    /// A timer ran out.
    pub fn timed_out(
        &mut self,
        timer: Timer,
        journal: &mut Journal,
        context: &mut Context<'_>,
    ) -> Outcome {
        match timer {
            Timer::Heartbeat(height) if height == self.height => self.wake(true, journal, context),
            Timer::Step(step, height, round)
                if height == self.height && self.round == Some(round) =>
            {
                match step {
                    Step::Propose if self.step == Step::Propose => {
                        self.step = Step::Prevote;
                        self.cast(VoteKind::Prevote, None, journal, context);
                    }
                    Step::Prevote if self.step == Step::Prevote => {
                        self.step = Step::Precommit;
                        self.cast(VoteKind::Precommit, None, journal, context);
                    }
                    Step::Precommit => return self.enter(round + 1, journal, context),
                    Step::Propose | Step::Prevote => {}
                }
                self.follow_rules(journal, context)
            }
            Timer::Heartbeat(_) | Timer::Step(..) => Ok(()),
        }
    }
}

fn certificate(round: u32, signatures: &BTreeMap<usize, Vec<u8>>) -> CommitCertificate {
    let signatures = signatures.iter().map(|(at, signature)| (*at as u32, signature.clone()));
    CommitCertificate { round: Round(round), signatures: signatures.collect() }
}

fn timeout_ms(round: u32) -> u64 {
    (60 + 40 * u64::from(round)).min(500)
}
