//! One run: replicas, clients, network and misfortune under one clock and one seed. First
//! everything fails that the run's weather lets fail; then faults cease, and what must come of it
//! does, or the run fails.

use crate::agreement::{Context, Effect, Timer};
use crate::dice::Dice;
use crate::disk::{Drive, Lie};
use crate::judge::Judge;
use crate::messages::{Links, Message};
use crate::replica::{Replica, StartError};
use crate::town::{FOUNDERS, Keyring, START_MS, Town, town};
use crate::workload::Workload;
use heatmark_consensus::ApplicationError;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Replicas: the founders' and the lab's.
pub const REPLICAS: usize = FOUNDERS + 1;

/// A run that has not settled by then never will.
const SETTLED_BY_MS: u64 = 45_000;

/// A transaction valid for this long after faults cease must land.
const LANDS_WITHIN_MS: u64 = 20_000;

/// What may happen in a run.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    pub rules: usize,
    pub chaos_ms: u64,
    pub links: Links,
    /// A misfortune comes about this often, milliseconds; 0 for never.
    pub misfortune_ms: u64,
    pub crashes: bool,
    pub disk_faults: bool,
    pub partitions: bool,
    pub clocks: bool,
    pub rot: bool,
    pub governs: bool,
    pub floods: bool,
    /// A client acts about this often, milliseconds.
    pub acts_ms: u64,
}

impl Weather {
    pub fn of(dice: &mut Dice) -> Self {
        let lossy = dice.permille(600);
        let mut draw = |permille: u64| dice.permille(permille);
        let (crashes, disk_faults) = (draw(700), draw(600));
        let (partitions, clocks, rot) = (draw(300), draw(300), draw(200));
        let (governs, floods) = (draw(500), draw(250));
        let any = crashes || disk_faults || partitions || clocks || rot;
        Self {
            rules: dice.index(3),
            chaos_ms: if governs { dice.between(600, 1_200) } else { dice.between(350, 900) },
            links: Links {
                loss_permille: if lossy { dice.below(200) } else { 0 },
                repeat_permille: if lossy { dice.below(150) } else { 0 },
                garble_permille: if lossy { dice.below(100) } else { 0 },
                delay_ms: dice.between(2, 25),
                island: 0,
            },
            misfortune_ms: if any { dice.between(60, 250) } else { 0 },
            crashes,
            disk_faults,
            partitions,
            clocks,
            rot,
            governs,
            floods,
            acts_ms: if governs { dice.between(12, 30) } else { dice.between(20, 60) },
        }
    }
}

/// A run, as far as it is laid down beforehand.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub seed: u64,
    pub lie: Option<Lie>,
}

pub enum Event {
    Deliver { from: usize, to: usize, start: u64, message: Rc<Message> },
    Timer { who: usize, start: u64, timer: Timer },
    Repeat { who: usize, start: u64 },
    Start { who: usize },
    Act,
    Resend,
    Misfortune,
    HealPartition,
    HealClock { who: usize },
    Calm,
}

/// What a run came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    pub heights: u64,
    pub transactions: u64,
    pub starts: u64,
    pub receipts: u64,
    pub refused_proposals: u64,
    pub faults: u64,
    pub disk_operations: u64,
    pub set_changes: u64,
    /// Transactions on the log: anchors, alerts, acknowledgements, rotations, leaves, proposals,
    /// votes.
    pub kinds: [u64; 9],
}

pub struct World {
    pub(crate) town: &'static Town,
    pub(crate) plan: Plan,
    pub weather: Weather,
    pub(crate) dice: Dice,
    pub(crate) keys: Keyring,
    pub judge: Judge,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) workload: Workload,
    pub(crate) links: Links,
    pub(crate) now: Arc<AtomicU64>,
    pub(crate) queue: BTreeMap<(u64, u64), Event>,
    pub(crate) queued: u64,
    pub(crate) calm_at: Option<u64>,
    pub(crate) summary: Summary,
}

impl World {
    pub fn new(plan: Plan) -> Self {
        let mut dice = Dice::new(plan.seed);
        let weather = Weather::of(&mut dice);
        let town = town(weather.rules);
        let now = Arc::new(AtomicU64::new(0));
        let replicas: Vec<Replica> = (0..REPLICAS).map(|_| Replica::new(town, &now)).collect();
        if let Some(lie) = plan.lie {
            for replica in &replicas {
                replica.drive.lie(lie);
            }
        }
        let mut world = Self {
            town,
            plan,
            weather,
            keys: Keyring::new(town),
            judge: Judge::new(town, REPLICAS),
            replicas,
            workload: Workload::new(town, weather.governs, weather.governs && !weather.rot),
            links: weather.links,
            now,
            queue: BTreeMap::new(),
            queued: 0,
            calm_at: None,
            summary: Summary::default(),
            dice,
        };
        world.judge.note(format!("{weather:?}"));
        for who in 0..REPLICAS {
            world.after(0, Event::Start { who });
        }
        world.after(5, Event::Act);
        world.after(300, Event::Resend);
        world.after(weather.chaos_ms, Event::Calm);
        if weather.misfortune_ms > 0 {
            world.after(weather.misfortune_ms, Event::Misfortune);
        }
        world
    }

    pub(crate) fn ms(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    pub(crate) fn after(&mut self, delay_ms: u64, event: Event) {
        self.queued += 1;
        self.queue.insert((self.ms() + delay_ms, self.queued), event);
    }

    /// Runs until everything has settled.
    pub fn run(&mut self) -> Summary {
        while let Some(((at, _), event)) = self.queue.pop_first() {
            self.now.store(at, Ordering::Relaxed);
            self.judge.now = at;
            self.happen(event);
            if self.is_settled() {
                break;
            }
            let late = self.calm_at.is_some_and(|calm| at > calm + SETTLED_BY_MS);
            assert!(!late, "the network does not recover: {}", self.standing());
        }
        self.audit();
        self.summary.heights = self.judge.height().0;
        self.summary.transactions = self.judge.envelopes().len() as u64;
        self.summary.set_changes = self.judge.set_changes();
        self.summary.kinds = self.judge.kinds;
        self.summary.receipts = self.judge.receipts;
        self.summary.refused_proposals = self.judge.refused_proposals;
        self.summary.disk_operations = self.replicas.iter().map(|r| r.drive.operations()).sum();
        self.summary
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver { from, to, start, message } => {
                self.step(to, start, |replica, context| replica.receive(from, &message, context));
            }
            Event::Timer { who, start, timer } => {
                self.step(who, start, |replica, context| replica.timed_out(timer, context));
            }
            Event::Repeat { who, start } => {
                if self.step(who, start, |replica, context| replica.repeat(context)) {
                    self.after(180, Event::Repeat { who, start });
                }
            }
            Event::Start { who } => self.start(who),
            Event::Act => {
                if self.calm_at.is_none() {
                    self.act();
                    let pause = 1 + self.dice.below(self.weather.acts_ms * 2);
                    self.after(pause, Event::Act);
                }
            }
            Event::Resend => {
                self.resend();
                self.after(250, Event::Resend);
            }
            Event::Misfortune => {
                if self.calm_at.is_none() {
                    self.misfortune();
                    let pause = 1 + self.dice.below(self.weather.misfortune_ms * 2);
                    self.after(pause, Event::Misfortune);
                }
            }
            Event::HealPartition => self.links.island = 0,
            Event::HealClock { who } => self.set_clock(who, 0),
            Event::Calm => self.calm(),
        }
    }

    /// Lets a replica do something; true if it still runs. An error of its disk stops it, as it
    /// stops the program.
    pub(crate) fn step(
        &mut self,
        who: usize,
        start: u64,
        act: impl FnOnce(&mut Replica, &mut Context<'_>) -> Result<(), ApplicationError>,
    ) -> bool {
        if self.replicas[who].node.is_none() || self.replicas[who].start != start {
            return false;
        }
        let mut effects = Vec::new();
        let replica = &mut self.replicas[who];
        let mut context = Context {
            me: who,
            network: self.town.network(),
            keys: &self.keys,
            judge: &mut self.judge,
            effects: &mut effects,
            silent_through: replica.silent_through,
        };
        let outcome = act(replica, &mut context);
        // What was sent before the failure is on its way.
        self.carry_out(who, effects);
        match outcome {
            Ok(()) => !self.stop_on_fault(who),
            Err(error) => {
                self.fail(who, &error.to_string());
                false
            }
        }
    }

    /// A fault that anything met stops the node, as it stops the program.
    pub(crate) fn stop_on_fault(&mut self, who: usize) -> bool {
        let Some(node) = &self.replicas[who].node else { return false };
        if !self.replicas[who].drive.has_failed() {
            return false;
        }
        let fault = node.store.faults().borrow().clone();
        let fault = fault.unwrap_or_else(|| panic!("r{who}'s disk failed and nobody noticed"));
        self.fail(who, &fault);
        true
    }

    fn carry_out(&mut self, from: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Wait(delay, timer) => {
                    let start = self.replicas[from].start;
                    self.after(delay, Event::Timer { who: from, start, timer });
                }
                Effect::Send(to, message) => self.send(from, to, &message),
                Effect::Broadcast(message) => {
                    for to in (0..REPLICAS).filter(|to| *to != from) {
                        self.send(from, to, &message);
                    }
                }
            }
        }
    }

    fn send(&mut self, from: usize, to: usize, message: &Rc<Message>) {
        if self.replicas[to].node.is_none() {
            return;
        }
        let start = self.replicas[to].start;
        for delay in self.links.deliveries(from, to, &mut self.dice) {
            let message = self.links.carry(message, &mut self.dice);
            self.after(delay, Event::Deliver { from, to, start, message });
        }
    }

    /// A node's disk failed it: it stops, and is started again later.
    fn fail(&mut self, who: usize, why: &str) {
        assert!(self.replicas[who].drive.has_failed(), "r{who} fails without a fault: {why}");
        self.judge.note(format!("r{who} stops: {why}"));
        self.summary.faults += 1;
        self.crash(who);
    }

    pub(crate) fn crash(&mut self, who: usize) {
        self.replicas[who].node = None;
        self.judge.running[who] = None;
        self.replicas[who].drive.crash(&mut self.dice);
        let pause = self.dice.between(20, 400);
        self.after(pause, Event::Start { who });
    }

    pub(crate) fn start(&mut self, who: usize) {
        if self.replicas[who].node.is_some() {
            return;
        }
        let mut effects = Vec::new();
        let replica = &mut self.replicas[who];
        let mut context = Context {
            me: who,
            network: self.town.network(),
            keys: &self.keys,
            judge: &mut self.judge,
            effects: &mut effects,
            silent_through: replica.silent_through,
        };
        let started = replica.start(self.town, &mut context);
        self.carry_out(who, effects);
        match started {
            Ok(()) => {
                self.summary.starts += 1;
                let start = self.replicas[who].start;
                let height = self.replicas[who].node.as_ref().map(|node| node.store.tip().height);
                self.judge.note(format!("r{who} is up at {}", height.unwrap_or_default()));
                let pause = self.dice.between(1, 180);
                self.after(pause, Event::Repeat { who, start });
            }
            Err(error) => {
                let why = match error {
                    StartError::Store(error) => error.to_string(),
                    StartError::Application(error) => error.to_string(),
                };
                let excused = self.replicas[who].damaged || self.replicas[who].drive.has_failed();
                assert!(excused, "r{who} does not start: {why}");
                self.judge.note(format!("r{who} does not start: {why}"));
                self.crash(who);
                if self.replicas[who].damaged {
                    self.wipe(who);
                }
            }
        }
    }

    /// The disk is given up: an empty one takes its place, and the replica votes on nothing that
    /// it may have voted on before.
    fn wipe(&mut self, who: usize) {
        let replica = &mut self.replicas[who];
        replica.drive = Drive::new(self.town.medium.clone());
        if let Some(lie) = self.plan.lie {
            replica.drive.lie(lie);
        }
        replica.journal = Default::default();
        replica.damaged = false;
        replica.silent_through = self.judge.height().next();
        self.judge.forget(who);
        self.judge.note(format!("r{who} begins anew on an empty disk"));
    }

    /// Faults cease. A damaged disk is found and given up, as an operator's check would.
    fn calm(&mut self) {
        self.judge.note("faults cease");
        self.calm_at = Some(self.ms());
        self.links = Links { delay_ms: 5, ..Links::default() };
        for who in 0..REPLICAS {
            self.set_clock(who, 0);
            self.replicas[who].drive.heal();
            if self.replicas[who].damaged && self.plan.lie.is_none() {
                if self.replicas[who].node.is_some() {
                    self.crash(who);
                }
                self.wipe(who);
            }
        }
    }

    pub(crate) fn all_agree(&self) -> bool {
        let newest = self.judge.height();
        let at = |replica: &Replica| replica.node.as_ref().map(|node| node.store.tip().height);
        self.replicas.iter().all(|replica| at(replica) == Some(newest))
    }

    fn is_settled(&mut self) -> bool {
        let Some(calm) = self.calm_at else { return false };
        let idle =
            |replica: &Replica| replica.node.as_ref().is_some_and(|node| node.mempool.is_empty());
        if !self.all_agree() || !self.replicas.iter().all(idle) {
            return false;
        }
        self.workload.settle(&self.judge);
        let must_land = calm + START_MS + 1_000 + LANDS_WITHIN_MS;
        self.workload
            .wanted
            .values()
            .all(|wanted| wanted.resolved || wanted.not_after_ms < must_land || !wanted.admitted)
    }

    fn standing(&self) -> String {
        let heights: Vec<String> = self
            .replicas
            .iter()
            .map(|replica| match &replica.node {
                None => "down".to_owned(),
                Some(node) => format!("{} ({} wait)", node.store.tip().height, node.mempool.len()),
            })
            .collect();
        let open = self.workload.wanted.values().filter(|w| w.admitted && !w.resolved).count();
        format!("heights {heights:?}, newest {}, {open} transactions open", self.judge.height())
    }
}
