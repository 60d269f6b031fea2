//! Which of the waiting transactions go into a block: alerts first in the space kept for them,
//! then evenly over members by bytes, each member's own in order of arrival.

use crate::pool::Queues;
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::transaction::Transaction;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::btree_map::Values;
use std::iter::{Chain, Peekable};
use std::sync::Arc;

/// A block's space.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Space {
    pub(crate) transactions: usize,
    /// For alerts and acknowledgements only.
    pub(crate) reserved_bytes: usize,
    /// For all.
    pub(crate) open_bytes: usize,
}

/// What was selected, and where the next selection should begin.
pub(crate) struct Selected {
    pub(crate) transactions: Vec<Arc<Transaction>>,
    pub(crate) last_served: Option<MemberId>,
}

type Waiting<'p> = Values<'p, u64, Arc<Transaction>>;

/// Alerts beyond the reserved space, then everything else.
type Rest<'p> = Peekable<Chain<Peekable<Waiting<'p>>, Waiting<'p>>>;

/// One member's place in the selection.
struct Turn<'p> {
    member: MemberId,
    alerts: Peekable<Waiting<'p>>,
    ordinary: Waiting<'p>,
}

pub(crate) fn select<'p>(
    members: impl Iterator<Item = (&'p MemberId, &'p Queues)>,
    space: Space,
) -> Selected {
    let mut turns: Vec<Turn<'p>> = members
        .map(|(member, queues)| Turn {
            member: *member,
            alerts: queues.alerts.values().peekable(),
            ordinary: queues.ordinary.values(),
        })
        .collect();
    let mut selected = Selected { transactions: Vec::new(), last_served: None };
    let alerts = turns.iter_mut().map(|turn| (turn.member, &mut turn.alerts)).collect();
    serve(alerts, space.transactions, space.reserved_bytes, &mut selected);
    let mut rest: Vec<(MemberId, Rest<'p>)> = turns
        .into_iter()
        .map(|turn| (turn.member, turn.alerts.chain(turn.ordinary).peekable()))
        .collect();
    let rest = rest.iter_mut().map(|(member, queue)| (*member, queue)).collect();
    serve(rest, space.transactions, space.open_bytes, &mut selected);
    selected
}

/// Serves whoever has had the fewest bytes, then whose turn is first, until the space is full. A
/// queue whose next transaction does not fit is left, since a later one must not overtake it.
fn serve<'p, I: Iterator<Item = &'p Arc<Transaction>>>(
    mut queues: Vec<(MemberId, &mut Peekable<I>)>,
    max_transactions: usize,
    mut free_bytes: usize,
    selected: &mut Selected,
) {
    let mut next: BinaryHeap<Reverse<(usize, usize)>> =
        (0..queues.len()).map(|turn| Reverse((0, turn))).collect();
    while selected.transactions.len() < max_transactions {
        let Some(Reverse((served_bytes, turn))) = next.pop() else {
            return;
        };
        let Some((member, queue)) = queues.get_mut(turn) else {
            return;
        };
        let Some(transaction) = queue.next_if(|next| next.bytes().len() <= free_bytes) else {
            continue;
        };
        let bytes = transaction.bytes().len();
        free_bytes = free_bytes.saturating_sub(bytes);
        selected.transactions.push(Arc::clone(transaction));
        selected.last_served = Some(*member);
        next.push(Reverse((served_bytes.saturating_add(bytes), turn)));
    }
}
