//! Serials of what comes out: a new tree over all its pieces, or the serials of what went in, handed on in their order. Refuses
//! serials and pieces that differ in number, and lots that would mix the serials of two trees.

use super::drafts::{Draft, Work};
use crate::lots::plan::NewSerials;
use crate::{Desk, DeskError};
use heatmark_lots::{
    BRANCH_SERIALS, Kind, MAX_RANGES, MAX_SERIALS, Range, Ranges, SerialBranch, SerialSecret,
    Serials, serial_root,
};
use heatmark_merkle::Hash;
use heatmark_vault::{NewSerialTree, VaultError};
use zeroize::Zeroizing;

/// Serials of one tree that are still to be handed on.
struct Pool {
    root: Hash,
    count: u32,
    ranges: Vec<Range>,
}

impl Desk {
    /// Gives the drafts their serials; a tree that is new has to be kept before the event.
    pub(super) fn number(
        &self,
        work: &mut Work<'_>,
        drafts: &mut [Draft],
    ) -> Result<Option<NewSerialTree>, DeskError> {
        let pieces =
            drafts.iter().fold(0, |sum: u64, draft| sum.saturating_add(draft.pieces.number));
        match &work.plan.serials {
            Some(NewSerials::Kept(root)) => {
                let row = self.parts.vault.serial_tree(root)?;
                let row = row.filter(|row| row.event.is_none());
                let row = row.ok_or(VaultError::SerialsUnknown)?;
                begin(Hash(row.root), row.count, pieces, drafts)?;
                work.beside.trees.push(row.root);
                Ok(None)
            }
            Some(NewSerials::Pattern(pattern)) => {
                let tree = grow(counted(pattern, pieces)?)?;
                let count = u32::try_from(pieces).map_err(|_| DeskError::SerialPattern)?;
                begin(Hash(tree.root), count, pieces, drafts)?;
                work.beside.trees.push(tree.root);
                Ok(Some(tree))
            }
            None => self.hand_on(work, drafts).map(|()| None),
        }
    }

    /// The serials of what went in, where the kind keeps them and does not keep whole lots anyway.
    fn hand_on(&self, work: &Work<'_>, drafts: &mut [Draft]) -> Result<(), DeskError> {
        let kind = work.plan.kind;
        let hands_on =
            matches!(kind, Kind::Rework | Kind::Split | Kind::Merge | Kind::Adjust | Kind::Correct);
        let mut pools = pools(work);
        if !hands_on || pools.is_empty() {
            let picked = work.plan.outputs.iter().any(|lot| !lot.serials.is_empty());
            let named = picked || !work.plan.lost_serials.is_empty();
            return if named { Err(DeskError::NoSerials) } else { Ok(()) };
        }
        for serial in &work.plan.lost_serials {
            self.cut(&mut pools, serial)?;
        }
        for (draft, lot) in drafts.iter_mut().zip(&work.plan.outputs) {
            let mut taken: Option<Pool> = None;
            for serial in &lot.serials {
                let (root, count, range) = self.cut(&mut pools, serial)?;
                let taken = taken.get_or_insert(Pool { root, count, ranges: Vec::new() });
                if taken.root != root {
                    return Err(DeskError::SerialTrees);
                }
                taken.ranges.push(range);
            }
            draft.serials = taken.map(|pool| pool.held(draft.pieces.number)).transpose()?;
        }
        for draft in drafts.iter_mut().filter(|draft| draft.serials.is_none()) {
            draft.serials = take(&mut pools, draft.pieces.number)?;
        }
        let left = pools.iter().flat_map(|pool| &pool.ranges);
        let left = left.fold(0_u64, |sum, range| sum.saturating_add(range.count.into()));
        if left == 0 { Ok(()) } else { Err(DeskError::SerialsLeft(left)) }
    }

    /// Takes one serial out of what is still to be handed on.
    fn cut(&self, pools: &mut [Pool], serial: &str) -> Result<(Hash, u32, Range), DeskError> {
        let unknown = || DeskError::UnknownSerial(serial.to_owned());
        let (root, place) = self.parts.vault.serial_place(serial)?.ok_or_else(unknown)?;
        let pool = pools.iter_mut().find(|pool| pool.root.0 == root).ok_or_else(unknown)?;
        let at = pool.ranges.iter().position(|range| covers(range, place)).ok_or_else(unknown)?;
        let range = pool.ranges.remove(at);
        let before = place.saturating_sub(range.first);
        let after = range.count.saturating_sub(before).saturating_sub(1);
        let parts = [(range.first, before), (place.saturating_add(1), after)];
        let parts = parts.into_iter().filter(|(_, count)| *count != 0);
        let parts = parts.map(|(first, count)| Range { first, count });
        pool.ranges.splice(at..at, parts);
        Ok((pool.root, pool.count, Range { first: place, count: 1 }))
    }
}

impl Pool {
    /// What a lot of so many pieces holds.
    fn held(mut self, pieces: u64) -> Result<Serials, DeskError> {
        self.ranges.sort_unstable();
        let mut joined: Vec<Range> = Vec::with_capacity(self.ranges.len());
        for range in self.ranges {
            match joined.last_mut() {
                Some(last) if last.first.saturating_add(last.count) == range.first => {
                    last.count = last.count.saturating_add(range.count);
                }
                _ => joined.push(range),
            }
        }
        if joined.len() > MAX_RANGES {
            return Err(DeskError::ScatteredSerials);
        }
        let ranges = Ranges::new(joined, self.count).map_err(heatmark_lots::MakeError::Rule)?;
        if ranges.total() != pieces {
            return Err(DeskError::SerialCount { serials: ranges.total(), pieces });
        }
        Ok(Serials { root: self.root, count: self.count, ranges })
    }
}

/// The serials that go in, tree by tree.
fn pools(work: &Work<'_>) -> Vec<Pool> {
    let mut pools: Vec<Pool> = Vec::new();
    for serials in work.inputs.iter().filter_map(|input| input.open.lot().content.serials.as_ref())
    {
        let ranges = serials.ranges.as_slice();
        match pools.iter_mut().find(|pool| pool.root == serials.root) {
            Some(pool) => pool.ranges.extend_from_slice(ranges),
            None => pools.push(Pool {
                root: serials.root,
                count: serials.count,
                ranges: ranges.to_vec(),
            }),
        }
    }
    pools.iter_mut().for_each(|pool| pool.ranges.sort_unstable());
    pools
}

/// The next serials of one tree.
fn take(pools: &mut [Pool], pieces: u64) -> Result<Option<Serials>, DeskError> {
    let Some(pool) = pools.iter_mut().find(|pool| !pool.ranges.is_empty()) else {
        // The rest of the pieces has none.
        let few = DeskError::SerialCount { serials: 0, pieces };
        return if pieces == 0 { Ok(None) } else { Err(few) };
    };
    let (mut taken, mut missing) = (Vec::new(), pieces);
    while missing != 0 && !pool.ranges.is_empty() {
        let range = pool.ranges.remove(0);
        let count = u32::try_from(missing).unwrap_or(u32::MAX).min(range.count);
        taken.push(Range { first: range.first, count });
        missing = missing.saturating_sub(count.into());
        if count < range.count {
            let first = range.first.saturating_add(count);
            pool.ranges.insert(0, Range { first, count: range.count.saturating_sub(count) });
        }
    }
    if missing != 0 {
        return Err(DeskError::SerialTrees);
    }
    if taken.is_empty() {
        return Ok(None);
    }
    Pool { root: pool.root, count: pool.count, ranges: taken }.held(pieces).map(Some)
}

/// Gives the places of a new tree to the lots in their order, all of them.
fn begin(root: Hash, count: u32, pieces: u64, drafts: &mut [Draft]) -> Result<(), DeskError> {
    if u64::from(count) != pieces {
        return Err(DeskError::SerialCount { serials: count.into(), pieces });
    }
    let mut first = 0_u32;
    for draft in drafts.iter_mut().filter(|draft| draft.pieces.number != 0) {
        let of_lot = u32::try_from(draft.pieces.number).map_err(|_| DeskError::SerialPattern)?;
        let ranges = vec![Range { first, count: of_lot }];
        draft.serials = Some(Pool { root, count, ranges }.held(of_lot.into())?);
        first = first.saturating_add(of_lot);
    }
    Ok(())
}

/// A tree over serials in their order, with a secret of its own.
pub(in crate::lots) fn grow(serials: Vec<String>) -> Result<NewSerialTree, DeskError> {
    let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(rand::random());
    let secret = SerialSecret::new(*bytes);
    let mut parts: Vec<Vec<String>> = Vec::new();
    let mut rest = serials.into_iter();
    loop {
        let part: Vec<String> = rest.by_ref().take(BRANCH_SERIALS).collect();
        if part.is_empty() {
            break;
        }
        parts.push(part);
    }
    let mut branches = Vec::with_capacity(parts.len());
    for (number, part) in (0_u32..).zip(&parts) {
        let branch = SerialBranch::new(number, part.clone(), &secret);
        branches.push(branch.map_err(|_| DeskError::SerialPattern)?.hash());
    }
    let root = serial_root(&branches).ok_or(DeskError::SerialPattern)?;
    let branches = branches.into_iter().map(|hash| hash.0).collect();
    Ok(NewSerialTree { root: root.0, secret: bytes, branches, serials: parts })
}

/// The serials of a pattern: `K-{0001}` counts K-0001, K-0002 and so on, with as many digits or more.
fn counted(pattern: &str, count: u64) -> Result<Vec<String>, DeskError> {
    let within = usize::try_from(count).is_ok_and(|count| (1..=MAX_SERIALS).contains(&count));
    let (before, rest) = pattern.split_once('{').ok_or(DeskError::SerialPattern)?;
    let (digits, after) = rest.split_once('}').ok_or(DeskError::SerialPattern)?;
    let plain =
        (1..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !within || !plain {
        return Err(DeskError::SerialPattern);
    }
    let first: u64 = digits.parse().map_err(|_| DeskError::SerialPattern)?;
    let end = first.checked_add(count).ok_or(DeskError::SerialPattern)?;
    let width = digits.len();
    Ok((first..end).map(|number| format!("{before}{number:0width$}{after}")).collect())
}

const fn covers(range: &Range, place: u32) -> bool {
    range.first <= place && place < range.first.saturating_add(range.count)
}
