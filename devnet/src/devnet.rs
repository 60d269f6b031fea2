//! A town while it runs: started, perturbed, stopped. Whoever keeps it stops every node when done;
//! nodes left to themselves are an error of this module, unless they were told to stay.
//!
//! Only the keeper holds the writing end of the lifeline, so even a keeper that is killed takes
//! its nodes along.

use crate::ceremony;
use crate::error::{DevnetError, LogTail, Names, io_error};
use crate::lifeline::{self, Lifeline};
use crate::links::LinkKeeper;
use crate::ports::HeldPorts;
use crate::process::{Activity, ProcessId};
use crate::program::{Program, Ran};
use crate::record::{NodeRecord, Record};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

/// How long a node may take to stop when asked.
const STOP_LIMIT: Duration = Duration::from_secs(40);
/// How long a killed process may take to be gone.
const KILL_LIMIT: Duration = Duration::from_secs(10);
/// How often all nodes are given other ports when somebody took theirs.
const PORT_ATTEMPTS: usize = 4;
const LOG_TAIL_LINES: usize = 12;

/// What to build.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where.
    pub directory: PathBuf,
    /// How many organisations vote.
    pub validators: usize,
    /// How many only watch.
    pub observers: usize,
    /// Parameters of the network that differ from the defaults, each `NAME=VALUE`.
    pub parameters: Vec<String>,
    /// What nodes log; their default when none.
    pub log_filter: Option<String>,
    /// Who keeps the nodes.
    pub keeping: Keeping,
}

/// Who keeps the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// This process: they stop when it ends, however it ends.
    Kept,
    /// Nobody: they run until `heatmark-devnet down`.
    Detached,
}

/// How a node ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Its name.
    pub name: String,
    /// Its exit code, where this process started it and no signal ended it.
    pub code: Option<i32>,
    /// Whether it had to be killed.
    pub killed: bool,
}

/// A town.
#[derive(Debug)]
pub struct Devnet {
    plan: Plan,
    program: Program,
    record: Record,
    lifeline: Option<Lifeline>,
    links: Option<LinkKeeper>,
    children: BTreeMap<String, Child>,
    /// By node: what its process finds in its environment besides ours.
    environment: BTreeMap<String, Vec<(String, String)>>,
}

impl Devnet {
    /// Founds a town and writes its record; no node runs yet. `hear` is told of every command.
    ///
    /// # Errors
    /// [`DevnetError::Running`] when the directory holds one that runs; see [`DevnetError`].
    pub fn found(
        program: &Program,
        plan: Plan,
        hear: &mut dyn FnMut(&Ran),
    ) -> Result<(Self, Vec<HeldPorts>), DevnetError> {
        Self::found_with(program, plan, false, hear)
    }

    /// As [`Self::found`], with links between nodes that can be broken.
    ///
    /// # Errors
    /// As [`Self::found`].
    pub fn found_linked(
        program: &Program,
        plan: Plan,
        hear: &mut dyn FnMut(&Ran),
    ) -> Result<(Self, Vec<HeldPorts>), DevnetError> {
        Self::found_with(program, plan, true, hear)
    }

    fn found_with(
        program: &Program,
        plan: Plan,
        linked: bool,
        hear: &mut dyn FnMut(&Ran),
    ) -> Result<(Self, Vec<HeldPorts>), DevnetError> {
        fs::create_dir_all(&plan.directory).map_err(io_error(plan.directory.display()))?;
        let (record, held) = ceremony::found(program, &plan, linked, hear)?;
        let mut devnet = Self::of(plan, program.clone(), record);
        devnet.keep()?;
        Ok((devnet, held))
    }

    /// A town that was founded before, whether it runs or not; this process does not keep it.
    ///
    /// # Errors
    /// [`DevnetError::NotHere`], [`DevnetError::Record`], [`DevnetError::NoProgram`].
    pub fn open(directory: &Path) -> Result<Self, DevnetError> {
        let record = Record::read(directory)?;
        let program = Program::find(Some(&record.heatmark), directory)?;
        let keeping = if record.keeper.is_some() { Keeping::Kept } else { Keeping::Detached };
        let plan = Plan {
            directory: directory.to_owned(),
            validators: record.nodes.iter().filter(|node| node.validator).count(),
            observers: record.nodes.iter().filter(|node| !node.validator).count(),
            parameters: Vec::new(),
            log_filter: None,
            keeping,
        };
        Ok(Self::of(plan, program, record))
    }

    fn of(plan: Plan, program: Program, record: Record) -> Self {
        let (children, environment) = (BTreeMap::new(), BTreeMap::new());
        Self { plan, program, record, lifeline: None, links: None, children, environment }
    }

    /// Becomes the keeper of a town in which nothing runs.
    ///
    /// # Errors
    /// [`DevnetError::Running`].
    pub fn take_over(&mut self, keeping: Keeping) -> Result<(), DevnetError> {
        if self.record.is_running() {
            return Err(DevnetError::Running(self.plan.directory.clone()));
        }
        self.plan.keeping = keeping;
        self.keep()
    }

    fn keep(&mut self) -> Result<(), DevnetError> {
        self.record.keeper = None;
        if self.plan.keeping == Keeping::Kept {
            self.lifeline = Some(Lifeline::hold(&self.plan.directory)?);
            self.record.keeper = Some(ProcessId::of(std::process::id())?);
        }
        self.save()?;
        self.keep_links()
    }

    /// On a thread of the keeper's, or in a process of their own where there is no keeper.
    fn keep_links(&mut self) -> Result<(), DevnetError> {
        if self.record.links.is_empty() {
            return Ok(());
        }
        if self.plan.keeping == Keeping::Kept {
            self.links = Some(LinkKeeper::start(&self.plan.directory, &self.record.links)?);
            return Ok(());
        }
        let mut command = self.program.beside("heatmark-devnet");
        command.args(["links", "--dir"]).arg(&self.plan.directory).process_group(0);
        let place = command.get_program().display().to_string();
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.map_err(io_error(place))?;
        self.record.links_process = Some(ProcessId::of(child.id())?);
        self.save()
    }

    /// Sets a variable that a node's process finds in its environment from its next start on.
    pub fn set_environment(&mut self, name: &str, variable: &str, value: &str) {
        let variables = self.environment.entry(name.to_owned()).or_default();
        variables.retain(|(known, _)| known != variable);
        variables.push((variable.to_owned(), value.to_owned()));
    }

    /// Starts all nodes and waits until each is ready. Should somebody have taken a port, all
    /// nodes are given others.
    ///
    /// # Errors
    /// [`DevnetError::StoppedEarly`] with the node's last words, [`DevnetError::Deadline`].
    pub async fn start(&mut self, mut held: Vec<HeldPorts>) -> Result<(), DevnetError> {
        for attempt in 0..PORT_ATTEMPTS {
            let mut ports = std::mem::take(&mut held).into_iter();
            for name in self.names() {
                drop(ports.next());
                self.spawn(&name)?;
            }
            match self.all_ready().await {
                Err(DevnetError::StoppedEarly { tail, .. })
                    if tail.port_taken() && attempt.saturating_add(1) < PORT_ATTEMPTS =>
                {
                    self.down().await?;
                    held = ceremony::move_ports(&mut self.record, &self.plan)?;
                }
                other => return other,
            }
        }
        Err(DevnetError::NoFreePort)
    }

    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.plan.directory
    }

    /// The founding document.
    #[must_use]
    pub fn genesis_path(&self) -> PathBuf {
        self.plan.directory.join(ceremony::GENESIS)
    }

    /// The node's program, run in the town's directory.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Its nodes, validators first.
    #[must_use]
    pub fn nodes(&self) -> &[NodeRecord] {
        &self.record.nodes
    }

    /// What is written of it.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Names of its nodes.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.record.nodes.iter().map(|node| node.name.clone()).collect()
    }

    /// The node of this name.
    ///
    /// # Errors
    /// [`DevnetError::Unknown`].
    pub fn node(&self, name: &str) -> Result<&NodeRecord, DevnetError> {
        self.record.nodes.iter().find(|node| node.name == name).ok_or_else(|| {
            DevnetError::Unknown { name: name.to_owned(), known: Names(self.names()) }
        })
    }

    /// Starts one node that is down, with the home it has, and does not wait.
    ///
    /// # Errors
    /// [`DevnetError::Up`], and see [`DevnetError`].
    pub fn spawn(&mut self, name: &str) -> Result<ProcessId, DevnetError> {
        let node = self.node(name)?;
        if node.is_up() {
            return Err(DevnetError::Up(name.to_owned()));
        }
        node.ports.check_free()?;
        let mut log = OpenOptions::new();
        let log = log.create(true).append(true).open(&node.log);
        let log = log.map_err(io_error(node.log.display()))?;
        let errors = log.try_clone().map_err(io_error(node.log.display()))?;
        let mut command = self.program.command();
        command.args(["node", "run", "--home"]).arg(&node.home).stdout(log).stderr(errors);
        // A group of its own: Ctrl-C at the terminal is for the keeper, who stops nodes gracefully.
        command.process_group(0);
        if self.plan.keeping == Keeping::Kept {
            let keeper = self.record.living_keeper();
            keeper.ok_or_else(|| DevnetError::NotHere(self.plan.directory.clone()))?;
            let end = lifeline::reading_end(&self.plan.directory)?;
            command.arg("--stop-on-stdin-close").stdin(Stdio::from(end));
        }
        for (variable, value) in self.environment.get(name).into_iter().flatten() {
            command.env(variable, value);
        }
        let child = command.spawn().map_err(io_error(self.program.path().display()))?;
        let process = ProcessId::of(child.id())?;
        self.children.insert(name.to_owned(), child);
        self.note(name, Some(process))?;
        Ok(process)
    }

    /// Starts one node that is down and waits until it is ready.
    ///
    /// # Errors
    /// See [`DevnetError`].
    pub async fn restart(&mut self, name: &str) -> Result<(), DevnetError> {
        self.spawn(name)?;
        self.ready(name).await
    }

    /// Ends a node as a power failure would (`kill -9`), and waits until it is gone.
    ///
    /// # Errors
    /// [`DevnetError::Down`], [`DevnetError::Immortal`].
    pub async fn kill(&mut self, name: &str) -> Result<(), DevnetError> {
        let process = self.running(name)?;
        process.signal(Signal::KILL)?;
        if !process.ended_within(KILL_LIMIT).await {
            return Err(DevnetError::Immortal(process));
        }
        self.reap(name);
        self.note(name, None)
    }

    /// Ends all nodes that are up at once, as when the site loses power.
    ///
    /// # Errors
    /// [`DevnetError::Immortal`].
    pub async fn kill_all(&mut self) -> Result<(), DevnetError> {
        let up: Vec<String> =
            self.record.nodes.iter().filter(|n| n.is_up()).map(|n| n.name.clone()).collect();
        for name in &up {
            self.running(name)?.signal(Signal::KILL)?;
        }
        for name in &up {
            let process = self.node(name)?.process;
            if let Some(process) = process
                && !process.ended_within(KILL_LIMIT).await
            {
                return Err(DevnetError::Immortal(process));
            }
            self.reap(name);
            self.note(name, None)?;
        }
        Ok(())
    }

    /// Freezes a node: it keeps its connections and says nothing.
    ///
    /// # Errors
    /// [`DevnetError::Down`].
    pub fn pause(&mut self, name: &str) -> Result<(), DevnetError> {
        self.running(name)?.signal(Signal::STOP)
    }

    /// Lets a frozen node go on.
    ///
    /// # Errors
    /// [`DevnetError::Down`].
    pub fn resume(&mut self, name: &str) -> Result<(), DevnetError> {
        self.running(name)?.signal(Signal::CONT)
    }

    /// Asks one node to stop and waits until it has; kills it when it takes too long.
    ///
    /// # Errors
    /// [`DevnetError::Down`], [`DevnetError::Immortal`].
    pub async fn stop(&mut self, name: &str) -> Result<Stopped, DevnetError> {
        let process = self.running(name)?;
        ask_to_stop(process)?;
        self.finish(name, process).await
    }

    /// Stops all nodes at once and tells how each ended.
    ///
    /// # Errors
    /// [`DevnetError::Immortal`].
    pub async fn down(&mut self) -> Result<Vec<Stopped>, DevnetError> {
        let up: Vec<(String, ProcessId)> = self
            .record
            .nodes
            .iter()
            .filter_map(|node| Some((node.name.clone(), node.process.filter(|p| p.is_alive())?)))
            .collect();
        for (_, process) in &up {
            ask_to_stop(*process)?;
        }
        let mut stopped = Vec::new();
        for (name, process) in up {
            stopped.push(self.finish(&name, process).await?);
        }
        if let Some(links) = self.record.links_process.take() {
            ask_to_stop(links)?;
            if !links.ended_within(KILL_LIMIT).await {
                links.signal(Signal::KILL)?;
            }
            self.save()?;
        }
        Ok(stopped)
    }

    /// Asks a living keeper to bring the town down and waits until it has; false when there is
    /// none.
    ///
    /// # Errors
    /// [`DevnetError::Immortal`] when it does not end within `limit`.
    pub async fn dismiss_keeper(&self, limit: Duration) -> Result<bool, DevnetError> {
        let Some(keeper) = self.record.living_keeper() else { return Ok(false) };
        keeper.signal(Signal::TERM)?;
        let ended = keeper.ended_within(limit).await;
        if ended { Ok(true) } else { Err(DevnetError::Immortal(keeper)) }
    }

    /// Reads again what another invocation may have changed, and reaps whom it killed.
    ///
    /// # Errors
    /// As [`Devnet::open`].
    pub fn refresh(&mut self) -> Result<(), DevnetError> {
        self.record = Record::read(&self.plan.directory)?;
        for child in self.children.values_mut() {
            // A node that ended is told from one that runs by the record, not by this.
            let _ = child.try_wait();
        }
        Ok(())
    }

    /// The last lines of a node's log.
    pub(crate) fn stopped_early(&self, node: &NodeRecord) -> DevnetError {
        let text = fs::read_to_string(&node.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let skipped = lines.len().saturating_sub(LOG_TAIL_LINES);
        let tail = lines.iter().skip(skipped).map(|line| (*line).to_owned()).collect();
        DevnetError::StoppedEarly {
            name: node.name.clone(),
            log: node.log.clone(),
            tail: LogTail(tail),
        }
    }

    fn running(&self, name: &str) -> Result<ProcessId, DevnetError> {
        let node = self.node(name)?;
        node.process
            .filter(|process| process.is_alive())
            .ok_or_else(|| DevnetError::Down(name.to_owned()))
    }

    async fn finish(&mut self, name: &str, process: ProcessId) -> Result<Stopped, DevnetError> {
        let killed = !process.ended_within(STOP_LIMIT).await;
        if killed {
            process.signal(Signal::KILL)?;
            if !process.ended_within(KILL_LIMIT).await {
                return Err(DevnetError::Immortal(process));
            }
        }
        let code = self.reap(name);
        self.note(name, None)?;
        Ok(Stopped { name: name.to_owned(), code, killed })
    }

    fn reap(&mut self, name: &str) -> Option<i32> {
        self.children.remove(name)?.wait().ok()?.code()
    }

    /// Another invocation may have written meanwhile, so only this node's entry is changed.
    fn note(&mut self, name: &str, process: Option<ProcessId>) -> Result<(), DevnetError> {
        let own = std::mem::replace(&mut self.record, Record::read(&self.plan.directory)?);
        for node in &mut self.record.nodes {
            if let Some(known) = own.nodes.iter().find(|known| known.name == node.name) {
                node.ports = known.ports;
            }
            if node.name == name {
                node.process = process;
            }
        }
        self.save()
    }

    fn save(&self) -> Result<(), DevnetError> {
        self.record.write(&self.plan.directory)
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        if self.lifeline.is_none() {
            return;
        }
        // The record also names nodes that another invocation started here.
        let record = Record::read(&self.plan.directory).unwrap_or_else(|_| self.record.clone());
        for process in record.nodes.iter().filter_map(|node| node.process) {
            // Nothing is left to do for one that cannot be signalled.
            let _ = process.signal(Signal::KILL);
        }
        for child in self.children.values_mut() {
            let _ = child.wait();
        }
    }
}

fn ask_to_stop(process: ProcessId) -> Result<(), DevnetError> {
    process.signal(Signal::TERM)?;
    if process.activity() == Activity::Paused {
        process.signal(Signal::CONT)?;
    }
    Ok(())
}
