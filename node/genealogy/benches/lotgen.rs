//! The genealogy that designs are compared by: a million lots on 12 levels, each of two or three of the level before, from
//! one stream of SplitMix64. The sums of its 300 traces each way are those that SQLite's recursive queries give.

/// Levels, the first of them raw material.
pub(crate) const LEVELS: u64 = 12;
/// Traces each way.
pub(crate) const QUERIES: usize = 300;
/// Of a million lots: inputs, and lots reached by all traces up and by all down.
pub(crate) const CHECKSUMS: Checksums =
    Checksums { inputs: 2_292_192, up: 2_912_003, down: 2_739_811 };

const LOTS: u64 = 1_000_000;
const WINDOW: u64 = 500;
const SUPPLIERS: u64 = 40;

/// What a right answer adds up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checksums {
    pub(crate) inputs: usize,
    pub(crate) up: usize,
    pub(crate) down: usize,
}

struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// A lot and the lots it is made of.
pub(crate) struct Made {
    pub(crate) lot: u64,
    pub(crate) of: Vec<u64>,
    pub(crate) supplier: u64,
}

fn size(level: u64) -> u64 {
    let each = LOTS / LEVELS;
    if level + 1 == LEVELS { LOTS - each * (LEVELS - 1) } else { each }
}

fn start(level: u64) -> u64 {
    LOTS / LEVELS * level
}

/// All lots in the order of their numbers.
pub(crate) fn lots() -> impl Iterator<Item = Made> {
    let mut stream = SplitMix(42);
    (0..LEVELS)
        .flat_map(|level| (start(level)..start(level) + size(level)).map(move |lot| (level, lot)))
        .map(move |(level, lot)| {
            let mut of = Vec::with_capacity(3);
            if level > 0 {
                let (before, size_before) = (start(level - 1), size(level - 1));
                let count = 2 + (stream.next() & 1) as usize;
                let centre = (lot - start(level)) * size_before / size(level);
                while of.len() < count {
                    let shifted = centre + stream.next() % (2 * WINDOW + 1);
                    let parent = before + shifted.saturating_sub(WINDOW).min(size_before - 1);
                    if !of.contains(&parent) {
                        of.push(parent);
                    }
                }
            }
            Made { lot, of, supplier: lot % SUPPLIERS }
        })
}

/// The lots that are traced up, of the last level, and those that are traced down, of the first.
pub(crate) fn queries() -> (Vec<u64>, Vec<u64>) {
    let mut stream = SplitMix(7);
    let last = LEVELS - 1;
    let up = (0..QUERIES).map(|_| start(last) + stream.next() % size(last)).collect();
    let down = (0..QUERIES).map(|_| stream.next() % size(0)).collect();
    (up, down)
}
