//! What goes wrong in a run, and when: power, disks, networks, clocks.

use crate::disk::{Fault, Moment};
use crate::replica::Replica;
use crate::town::SKEW_MS;
use crate::world::{Event, REPLICAS, World};
use heatmark_ledger::ids::Height;
use std::sync::atomic::Ordering;

impl World {
    pub(crate) fn misfortune(&mut self) {
        let who = self.dice.index(REPLICAS);
        let up = self.replicas[who].node.is_some();
        match self.dice.below(12) {
            0 | 1 if self.weather.crashes && up => {
                self.judge.note(format!("r{who} loses power"));
                self.crash(who);
            }
            2 if self.weather.crashes && up => self.stop(who),
            3 if self.weather.crashes && self.dice.permille(250) => {
                self.judge.note("the power fails everywhere");
                for who in 0..REPLICAS {
                    if self.replicas[who].node.is_some() {
                        self.crash(who);
                    }
                }
            }
            4..7 if self.weather.crashes || self.weather.disk_faults => {
                let moments = [Moment::Before, Moment::During, Moment::After];
                let moment = moments[self.dice.index(3)];
                let fault = match self.dice.below(4) {
                    0 if self.weather.disk_faults => Fault::Full,
                    1 if self.weather.disk_faults => Fault::SyncFailed,
                    _ => Fault::PowerCut(moment),
                };
                let after = self.dice.below(5) as u32;
                self.judge.note(format!("r{who} will meet {fault:?} at write {after}"));
                self.replicas[who].drive.fail_write(after, fault);
            }
            7 if self.weather.disk_faults => {
                let after = self.dice.below(60) as u32;
                self.judge.note(format!("r{who} will fail to read at {after}"));
                self.replicas[who].drive.fail_read(after);
            }
            8 if up => self.replicas[who].drive.compact(),
            9 if self.weather.partitions => {
                self.links.island = self.dice.below(1 << REPLICAS) as u32;
                self.judge.note(format!("the network parts: {:05b}", self.links.island));
                let pause = self.dice.between(50, 500);
                self.after(pause, Event::HealPartition);
            }
            10 if self.weather.clocks => self.misset_clock(who),
            11 if self.weather.rot => self.rot(who),
            _ => {}
        }
    }

    /// One clock may be far off at a time; the others stay within what the network permits.
    fn misset_clock(&mut self, who: usize) {
        let far = who == 1 && self.dice.permille(500);
        let most = if far { 10_000 } else { SKEW_MS / 4 };
        let wrong = self.dice.below(2 * most) as i64 - most as i64;
        self.set_clock(who, wrong);
        let pause = self.dice.between(100, 600);
        self.after(pause, Event::HealClock { who });
    }

    pub(crate) fn set_clock(&mut self, who: usize, wrong_ms: i64) {
        if self.replicas[who].clock.wrong_ms.swap(wrong_ms, Ordering::Relaxed) != wrong_ms {
            self.judge.note(format!("r{who}'s clock is {wrong_ms} ms off"));
        }
    }

    /// A byte changes on one disk, if the others can do without its node.
    fn rot(&mut self, who: usize) {
        let weak = |replica: &Replica| replica.damaged || replica.silent_through > Height(0);
        if self.replicas.iter().any(weak) {
            return;
        }
        if self.replicas[who].drive.flip(&mut self.dice) {
            self.replicas[who].damaged = true;
            self.judge.note(format!("a byte of r{who}'s disk changes"));
        }
    }

    /// A node is stopped in order.
    fn stop(&mut self, who: usize) {
        let Some(node) = self.replicas[who].node.take() else { return };
        self.judge.note(format!("r{who} is stopped"));
        if let Err(error) = node.store.flush() {
            assert!(self.replicas[who].drive.has_failed(), "r{who} does not stop: {error}");
        }
        drop(node);
        self.judge.running[who] = None;
        self.replicas[who].drive.crash(&mut self.dice);
        let pause = self.dice.between(20, 400);
        self.after(pause, Event::Start { who });
    }
}
