//! Walks over the graph: every lot that is reached, once, nearest first. Whoever walks keeps the marks: a walk writes its
//! number where it was, so that nothing is cleared between walks and nothing allocated for a lot.

use crate::genealogy::{Genealogy, LotId, width};

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To what a lot is made of.
    Up,
    /// To what is made of a lot.
    Down,
}

/// What a walk needs besides the graph; serves one walk at a time, and any number.
#[derive(Debug, Default)]
pub struct Walker {
    number: u32,
    lots: Vec<u32>,
    steps: Vec<u32>,
    reached: Vec<LotId>,
}

impl Walker {
    /// All lots that are reached, those that it begins with included, each once and nearest first.
    pub fn walk(
        &mut self,
        graph: &Genealogy,
        from: impl IntoIterator<Item = LotId>,
        direction: Direction,
    ) -> &[LotId] {
        self.begin(graph);
        for lot in from {
            self.reach(lot.0);
        }
        let mut next = 0;
        while let Some(lot) = self.reached.get(next).map(|lot| lot.0) {
            match direction {
                Direction::Up => self.up(graph, lot),
                Direction::Down => self.down(graph, lot),
            }
            next = next.saturating_add(1);
        }
        &self.reached
    }

    /// Whether the last walk reached a lot.
    #[must_use]
    pub fn has_reached(&self, lot: LotId) -> bool {
        self.number != 0 && self.lots.get(width(lot.0)) == Some(&self.number)
    }

    /// Bytes that its marks have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let marks = self.lots.capacity().saturating_add(self.steps.capacity());
        marks.saturating_add(self.reached.capacity()).saturating_mul(4)
    }

    fn up(&mut self, graph: &Genealogy, lot: u32) {
        let Some(step) = graph.step_of(lot) else { return };
        // What made several lots is looked through for the first of them that is reached.
        let several = graph.step_lots(step).len() > 1 && !graph.is_pairwise(step);
        if several && !self.passes(step) {
            return;
        }
        for input in graph.inputs_of(step, lot) {
            self.reach(*input);
        }
    }

    fn down(&mut self, graph: &Genealogy, lot: u32) {
        for step in graph.users_of(lot) {
            let outputs = graph.outputs_of(step, lot);
            if outputs.len() > 1 && !self.passes(step) {
                continue;
            }
            for output in outputs {
                self.reach(output);
            }
        }
    }

    fn begin(&mut self, graph: &Genealogy) {
        self.reached.clear();
        self.lots.resize(graph.lots(), 0);
        self.steps.resize(graph.steps_len(), 0);
        self.number = self.number.wrapping_add(1);
        if self.number == 0 {
            self.lots.fill(0);
            self.steps.fill(0);
            self.number = 1;
        }
    }

    fn passes(&mut self, step: u32) -> bool {
        match self.steps.get_mut(width(step)) {
            Some(mark) if *mark != self.number => {
                *mark = self.number;
                true
            }
            _ => false,
        }
    }

    fn reach(&mut self, lot: u32) {
        // `UNKNOWN` has no mark.
        if let Some(mark) = self.lots.get_mut(width(lot))
            && *mark != self.number
        {
            *mark = self.number;
            self.reached.push(LotId(lot));
        }
    }
}
