//! What is known of deals and deposits while the node runs, and forgotten when it stops: what is to be looked at, whom was asked
//! for what and when, whose turn it is to be asked for ciphertext.

use crate::Desk;
use heatmark_envelopes::PieceTree;
use heatmark_ledger::Hash;
use heatmark_ledger::ids::MemberId;
use heatmark_vault::DealRow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// When somebody who says nothing is asked again; twice as long after each time.
const ASK_AGAIN: Duration = Duration::from_secs(600);
/// After how many times it gets no longer: a day, about.
const MOST_ASKED: u32 = 7;
/// How long somebody has to send pieces before the next one is asked; twice as long in each round in which nobody had them.
const PIECES_WITHIN: Duration = Duration::from_secs(5);
/// After how many rounds it gets no longer: eleven minutes.
const MOST_ROUNDS: u32 = 7;
/// How long an answer about offers is waited for.
const OFFERS_WITHIN: Duration = Duration::from_secs(600);
/// Most questions about offers that are waited for at once.
const MOST_NONCES: usize = 4_096;
const MINUTE: Duration = Duration::from_secs(60);
/// Steps of one member that are carried in a minute: each spends this organisation's quota.
const CARRIED_A_MINUTE: u32 = 2_000;
/// Trees that are remembered, of 512 KiB each at most.
const TREES: usize = 8;

/// A deal and this organisation's role in it.
pub(super) type Key = ([u8; 32], i32);

/// What ciphertext is fetched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Waiter {
    /// An own deposit, by its id.
    Deposit([u8; 32]),
    /// A deposit held for another, by the manifest's digest.
    Holding([u8; 32]),
    /// A deal that this organisation opens or judges.
    Deal(Key),
}

/// Who was asked for the next pieces of a content.
struct Turn {
    first: u32,
    at: Instant,
    asked: MemberId,
    place: usize,
    /// How many in a row had nothing of use.
    failed: u32,
    /// Whether the one asked has answered with nothing of use.
    passed_over: bool,
}

/// What runs only once and is forgotten at a restart.
#[derive(Default)]
pub(crate) struct Running {
    /// Deals that are to be looked at now.
    due: BTreeSet<Key>,
    /// Whom was asked for what, when, and how often before.
    asked: BTreeMap<(Vec<u8>, Vec<u8>), (Instant, u32)>,
    /// Own deposits that have not reached all their agents.
    unfinished: BTreeSet<[u8; 32]>,
    /// Deposits of which ciphertext is missing.
    fetching: BTreeSet<Waiter>,
    /// Nonces of what was asked of agents, and when.
    nonces: BTreeMap<Vec<u8>, Instant>,
    /// How many steps were carried for whom since when.
    carried: BTreeMap<MemberId, (Instant, u32)>,
    /// Trees of contents whose pieces were asked for last.
    trees: VecDeque<Arc<PieceTree>>,
    /// Up to where the pieces of contents are known to be here.
    known_to: BTreeMap<[u8; 32], u32>,
    /// Contents that were looked through since the start, and were whole.
    whole: BTreeSet<[u8; 32]>,
    /// Whose turn it is to be asked for pieces of a content.
    turns: BTreeMap<([u8; 32], Waiter), Turn>,
    /// How many holdings were looked through in this round.
    pub(super) looked_through: usize,
}

impl Running {
    fn may_carry(&mut self, member: MemberId, now: Instant) -> bool {
        let known = self.carried.get(&member).copied();
        let known = known.filter(|(at, _)| now.duration_since(*at) < MINUTE);
        let (since, count) = known.unwrap_or((now, 0));
        self.carried.insert(member, (since, count.saturating_add(1)));
        count < CARRIED_A_MINUTE
    }

    fn may_ask(&mut self, key: (Vec<u8>, Vec<u8>), now: Instant) -> bool {
        let times = match self.asked.get(&key) {
            None => 0,
            Some((at, times)) => {
                if now.duration_since(*at) < ASK_AGAIN.saturating_mul(1_u32 << times) {
                    return false;
                }
                times.saturating_add(1).min(MOST_ASKED)
            }
        };
        self.asked.insert(key, (now, times));
        true
    }

    fn turn(
        &mut self,
        of: ([u8; 32], Waiter),
        first: u32,
        sources: &[MemberId],
        now: Instant,
    ) -> Option<MemberId> {
        let (place, failed) = match self.turns.get(&of) {
            None => (0, 0),
            // It goes on: so does whoever sent what came.
            Some(turn) if turn.first != first => (turn.place, 0),
            Some(turn) => {
                let all = u32::try_from(sources.len()).unwrap_or(u32::MAX).max(1);
                let failed = turn.failed.saturating_add(u32::from(!turn.passed_over));
                let rounds = turn.failed.checked_div(all).unwrap_or(0).min(MOST_ROUNDS);
                let patience = PIECES_WITHIN.saturating_mul(1_u32 << rounds);
                let at_once = turn.passed_over && !turn.failed.is_multiple_of(all);
                if !at_once && now.duration_since(turn.at) < patience {
                    return None;
                }
                (turn.place.saturating_add(1), failed)
            }
        };
        let place = place.checked_rem(sources.len())?;
        let asked = *sources.get(place)?;
        self.turns.insert(of, Turn { first, at: now, asked, place, failed, passed_over: false });
        Some(asked)
    }
}

impl Desk {
    pub(super) fn running(&self) -> MutexGuard<'_, Running> {
        self.shared.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a deal looked at now.
    pub(super) fn look_at(&self, row: &DealRow) {
        if let Ok(deal) = row.deal.as_slice().try_into() {
            self.running().due.insert((deal, row.role));
        }
        self.shared.deals.notify_one();
    }

    /// Deals that are to be looked at now.
    pub(super) fn deals_due(&self) -> BTreeSet<Key> {
        std::mem::take(&mut self.running().due)
    }

    /// Whether to ask somebody for something, having asked long ago or never since the start.
    pub(super) fn may_ask(&self, (what, whom): (&[u8], &[u8])) -> bool {
        self.running().may_ask((what.to_vec(), whom.to_vec()), Instant::now())
    }

    /// Nothing more is asked for it.
    pub(super) fn asks_no_more(&self, what: &[u8]) {
        let asked = &mut self.running().asked;
        let from = (what.to_vec(), Vec::new());
        let of_it = asked.range(from..).take_while(|((of, _), _)| of == what);
        let keys: Vec<_> = of_it.map(|(key, _)| key.clone()).collect();
        for key in keys {
            asked.remove(&key);
        }
    }

    /// Up to where the pieces of a content are known to be here; none where all of it was looked through.
    pub(super) fn known_to(&self, root: &[u8; 32]) -> Option<u32> {
        let running = self.running();
        if running.whole.contains(root) {
            return None;
        }
        Some(running.known_to.get(root).copied().unwrap_or(0))
    }

    /// All pieces of a content before one are here.
    pub(super) fn is_here_to(&self, root: &[u8; 32], number: u32) {
        self.running().known_to.insert(*root, number);
    }

    /// A content was looked through and is whole, or is to be looked through again.
    pub(super) fn is_known_whole(&self, root: &[u8; 32], whole: bool) {
        let mut running = self.running();
        running.known_to.remove(root);
        if whole {
            running.whole.insert(*root);
        } else {
            running.whole.remove(root);
        }
    }

    /// An own deposit is to be taken on, or no more.
    pub(super) fn unfinished(&self, deposit: [u8; 32], unfinished: bool) {
        let mut running = self.running();
        if unfinished {
            running.unfinished.insert(deposit);
        } else {
            running.unfinished.remove(&deposit);
        }
    }

    /// Ciphertext of a deposit is to be fetched, or no more.
    pub(super) fn fetching(&self, waiter: Waiter, fetching: bool) {
        let mut running = self.running();
        if fetching {
            running.fetching.insert(waiter);
        } else {
            running.fetching.remove(&waiter);
            running.turns.retain(|(_, of), _| *of != waiter);
        }
    }

    /// Own deposits that are unfinished, and all deposits of which ciphertext is missing.
    pub(super) fn to_be_done(&self) -> (Vec<[u8; 32]>, Vec<Waiter>) {
        let running = self.running();
        (running.unfinished.iter().copied().collect(), running.fetching.iter().copied().collect())
    }

    /// Remembers that something was asked under a nonce.
    pub(super) fn asked_under(&self, nonce: &[u8]) {
        let now = Instant::now();
        let mut running = self.running();
        if running.nonces.len() >= MOST_NONCES {
            running.nonces.retain(|_, at| now.duration_since(*at) < OFFERS_WITHIN);
        }
        running.nonces.insert(nonce.to_vec(), now);
    }

    /// Whether it was.
    pub(super) fn was_asked_under(&self, nonce: &[u8]) -> bool {
        let at = self.running().nonces.get(nonce).copied();
        at.is_some_and(|at| at.elapsed() < OFFERS_WITHIN)
    }

    /// Whether to carry another step for a member.
    pub(super) fn may_carry(&self, member: MemberId) -> bool {
        self.running().may_carry(member, Instant::now())
    }

    /// The tree of a content, if it is remembered.
    pub(super) fn known_tree(&self, root: &Hash) -> Option<Arc<PieceTree>> {
        self.running().trees.iter().find(|tree| tree.id().root() == *root).cloned()
    }

    /// Remembers a tree in the place of the oldest.
    pub(super) fn remember_tree(&self, tree: &Arc<PieceTree>) {
        let mut running = self.running();
        running.trees.push_back(Arc::clone(tree));
        if running.trees.len() > TREES {
            running.trees.pop_front();
        }
    }

    /// Forgets the tree of a content.
    pub(super) fn forget_tree(&self, root: &Hash) {
        self.running().trees.retain(|known| known.id().root() != *root);
    }

    /// Who is to be asked for pieces from the `first` on; none while somebody has been asked a moment ago.
    pub(super) fn turn(
        &self,
        of: ([u8; 32], Waiter),
        first: u32,
        sources: &[MemberId],
    ) -> Option<MemberId> {
        self.running().turn(of, first, sources, Instant::now())
    }

    /// What was asked of a member for a content.
    pub(super) fn waiting_for(&self, root: &[u8; 32], from: &MemberId) -> Vec<Waiter> {
        let running = self.running();
        let of_root = running.turns.iter().filter(|((of, _), _)| of == root);
        let asked = of_root.filter(|(_, turn)| turn.asked == *from && !turn.passed_over);
        asked.map(|((_, waiter), _)| *waiter).collect()
    }

    /// Nothing of the content is waited for any more.
    pub(super) fn waits_no_more(&self, of: &([u8; 32], Waiter)) {
        self.running().turns.remove(of);
    }

    /// The one that was asked gave nothing that is sound: the next one is asked at once, until all have been.
    pub(super) fn pass_over(&self, of: &([u8; 32], Waiter)) {
        if let Some(turn) = self.running().turns.get_mut(of) {
            turn.failed = turn.failed.saturating_add(1);
            turn.passed_over = true;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "tests fail loudly"
    )]

    use super::*;

    const OF: ([u8; 32], Waiter) = ([1; 32], Waiter::Holding([2; 32]));

    fn sources() -> [MemberId; 3] {
        [1, 2, 3].map(|byte| MemberId::from([byte; 32]))
    }

    fn pass(running: &mut Running) {
        let turn = running.turns.get_mut(&OF).unwrap();
        (turn.failed, turn.passed_over) = (turn.failed + 1, true);
    }

    #[test]
    fn the_next_one_is_asked_when_one_says_nothing_or_nonsense() {
        let (mut running, sources, now) = (Running::default(), sources(), Instant::now());
        assert_eq!(running.turn(OF, 0, &sources, now), Some(sources[0]));
        assert_eq!(running.turn(OF, 0, &sources, now), None, "it has been asked a moment ago");
        pass(&mut running);
        assert_eq!(running.turn(OF, 0, &sources, now), Some(sources[1]));
        // It sent some: it goes on.
        assert_eq!(running.turn(OF, 47, &sources, now), Some(sources[1]));
        let later = now + PIECES_WITHIN;
        assert_eq!(running.turn(OF, 47, &sources, later), Some(sources[2]));
    }

    #[test]
    fn when_nobody_has_it_asking_gets_slower() {
        let (mut running, sources, mut now) = (Running::default(), sources(), Instant::now());
        for round in 0..3 {
            for source in sources {
                let turn = running.turn(OF, 0, &sources, now);
                assert_eq!(turn, Some(source), "round {round}");
                pass(&mut running);
            }
            assert_eq!(running.turn(OF, 0, &sources, now), None);
            now += PIECES_WITHIN * (2 << round) - Duration::from_millis(1);
            assert_eq!(running.turn(OF, 0, &sources, now), None);
            now += Duration::from_millis(1);
        }
        assert_eq!(running.turn(OF, 0, &[], now), None, "nobody to ask");
    }

    #[test]
    fn whoever_says_nothing_is_asked_less_and_less() {
        let (mut running, mut now) = (Running::default(), Instant::now());
        let key = || (vec![1], vec![2]);
        assert!(running.may_ask(key(), now));
        for times in 0..12 {
            let wait = ASK_AGAIN * (1 << times.min(MOST_ASKED));
            assert!(!running.may_ask(key(), now + wait - Duration::from_millis(1)), "{times}");
            now += wait;
            assert!(running.may_ask(key(), now), "{times}");
        }
        assert!(running.may_ask((vec![1], vec![3]), now));
    }

    #[test]
    fn no_member_spends_the_quota_of_another() {
        let (mut running, [greedy, other, _]) = (Running::default(), sources());
        let now = Instant::now();
        let carried = (0..CARRIED_A_MINUTE + 5).filter(|_| running.may_carry(greedy, now)).count();
        assert_eq!(u32::try_from(carried).unwrap(), CARRIED_A_MINUTE);
        assert!(running.may_carry(other, now));
        assert!(running.may_carry(greedy, now + MINUTE));
    }
}
