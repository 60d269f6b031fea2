//! A damaged database built anew, from what is sound in it and from other members' nodes, each
//! asked over mutual TLS and believed about nothing.

use super::super::answer::Answer;
use super::super::connect::own_member;
use super::super::failure::Failure;
use super::super::place::PassphraseArgs;
use super::{Whose, bar, in_use};
use crate::config::{Config, Mode};
use crate::home::Home;
use crate::keys::{self, KeyKind};
use crate::voting::{self, Past};
use clap::Args;
use futures::StreamExt as _;
use heatmark_client::tls::Identity;
use heatmark_client::{ClientError, LedgerClient, Target};
use heatmark_consensus::{Journal, journal};
use heatmark_ledger::genesis::Genesis;
use heatmark_ledger::ids::Height;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::messages as pb;
use heatmark_ledger::receipt::TrustRoot;
use heatmark_store::{Rebuilt, RepairError, RepairOptions};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use tokio::runtime::Runtime;

/// Blocks asked for at a time.
const BATCH: u64 = 64;

/// `store repair`.
#[derive(Debug, Args)]
pub(crate) struct Repair {
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// A member's node to fetch damaged blocks from, HOST:PORT of its gRPC, optionally @P2P-KEY;
    /// may be repeated
    #[arg(long = "from", value_name = "HOST:PORT")]
    peers: Vec<String>,
    /// Leaves out everything from the first damaged block on: the node fetches it when it runs
    #[arg(long)]
    catch_up: bool,
}

pub(crate) fn run(command: &Repair) -> Result<Answer, Failure> {
    let (home, config, genesis) = command.whose.read()?;
    let path = config.log_dir();
    if !path.is_dir() {
        return Err(Failure::input(format!("{} holds no database", path.display()))
            .next("nothing is to be repaired: start the node, and it fetches everything"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Failure::unknown("the program could not start its runtime").because(error)
    })?;
    let mut peers = Peers::connect(command, &home, &genesis, &runtime)?;
    let reached = match journal(&config.wal_dir()) {
        Ok(Journal::Sound { height }) => Height(height).previous(),
        _ => Height(0),
    };
    let options = RepairOptions { reached, catch_up: command.catch_up };
    let bar = bar();
    let rebuilt = heatmark_store::repair(
        &path,
        &genesis,
        options,
        &mut |height| peers.block(&runtime, height),
        &mut |progress| {
            bar.set_length(progress.of);
            bar.set_position(progress.blocks);
        },
    );
    bar.finish_and_clear();
    let rebuilt = rebuilt.map_err(unrepaired)?;
    let waits = remember(&home, &config, &rebuilt)?;
    install(rebuilt, waits, &path)
}

/// A validator whose votes may be lost with the old database waits; remembered before the new
/// database takes its place.
fn remember(home: &Home, config: &Config, rebuilt: &Rebuilt) -> Result<bool, Failure> {
    if rebuilt.votes_known || config.consensus.mode == Mode::Observer {
        return Ok(false);
    }
    let described = keys::describe(&keys::key_path(home, KeyKind::Consensus))?;
    let key = described.public.and_then(|public| PublicKey::from_bytes(&public).ok());
    let Some(key) = key else { return Ok(false) };
    if voting::past(home, &key)? == Some(Past::NeverVoted) {
        return Ok(false);
    }
    voting::remember(home, &key, Past::Forgotten)?;
    Ok(true)
}

fn install(rebuilt: Rebuilt, waits: bool, path: &Path) -> Result<Answer, Failure> {
    let (height, kept, fetched) = (rebuilt.height, rebuilt.kept, rebuilt.fetched);
    let old = rebuilt.install().map_err(unrepaired)?;
    let mut text = format!(
        "{} is sound up to block {height}: {kept} blocks from the old database, {fetched} from peers.\n\
         The damaged one is kept in {}; delete it once the node runs.\n",
        path.display(),
        old.display(),
    );
    if waits {
        text.push_str(
            "Blocks that this validator may have voted for are lost: it follows the log when it \
             starts, and votes again by itself once that is safe.\n",
        );
    }
    let json = json!({
        "ok": true,
        "height": height,
        "kept_blocks": kept,
        "fetched_blocks": fetched,
        "damaged_kept_in": old,
        "waits_before_voting": waits,
    });
    Ok(Answer::yes(json, text))
}

fn unrepaired(error: RepairError) -> Failure {
    if let RepairError::Store(store) = &error
        && let Some(failure) = in_use(store)
    {
        return failure;
    }
    let next = match &error {
        RepairError::Missing(_) => {
            "name nodes that have it with --from HOST:PORT, or let the running node fetch it and \
             all that follows: --catch-up"
        }
        _ => "mend what the reason names and run it again; the old database is as it was",
    };
    Failure::no("the database was not repaired").because(error).next(next)
}

/// Other members' nodes.
struct Peers {
    clients: Vec<LedgerClient>,
    /// Blocks that came with one that was asked for.
    ahead: BTreeMap<Height, pb::CertifiedBlock>,
    /// Which node answers at present.
    next: usize,
    /// The block asked for last, and how many nodes gave it or did not.
    asked: (Height, usize),
}

impl Peers {
    fn connect(
        command: &Repair,
        home: &Home,
        genesis: &Genesis,
        runtime: &Runtime,
    ) -> Result<Self, Failure> {
        let mut peers =
            Self { clients: Vec::new(), ahead: BTreeMap::new(), next: 0, asked: (Height(0), 0) };
        if command.peers.is_empty() {
            return Ok(peers);
        }
        let path = keys::key_path(home, KeyKind::P2p);
        let p2p = keys::load(&path, KeyKind::P2p, &mut command.passphrase.source())?.signing_key();
        let member = own_member(home, genesis, &PublicKey::of(&p2p))?;
        let identity = Identity::new(p2p, &member).map_err(ClientError::from)?;
        for peer in &command.peers {
            let client = runtime.block_on(reach(peer, genesis, &identity))?;
            peers.clients.push(client);
        }
        Ok(peers)
    }

    /// A block from the node that answers at present. Whether it is sound shows later; when the
    /// same one is asked for again, the next node is asked, and nothing is left after the last.
    fn block(&mut self, runtime: &Runtime, height: Height) -> Option<pb::CertifiedBlock> {
        if self.asked.0 != height {
            self.asked = (height, 0);
            if let Some(block) = self.ahead.remove(&height) {
                return Some(block);
            }
        } else {
            self.next = self.next.wrapping_add(1);
        }
        self.ahead.clear();
        while self.asked.1 < self.clients.len() {
            self.asked.1 = self.asked.1.saturating_add(1);
            let client = self.clients.get(self.next.checked_rem(self.clients.len())?)?;
            match runtime.block_on(fetch(client, height)) {
                Ok(blocks) if !blocks.is_empty() => {
                    self.ahead = blocks;
                    return self.ahead.remove(&height);
                }
                _ => self.next = self.next.wrapping_add(1),
            }
        }
        None
    }
}

async fn fetch(
    client: &LedgerClient,
    height: Height,
) -> Result<BTreeMap<Height, pb::CertifiedBlock>, ClientError> {
    let to = Height(height.0.saturating_add(BATCH));
    let newest = client.status().await?.newest.map_or(0, |header| header.height);
    let mut blocks = BTreeMap::new();
    if newest < height.0 {
        return Ok(blocks);
    }
    let mut stream = client.unverified_blocks(height, Some(to.min(Height(newest))), false).await?;
    let mut at = height;
    while let Some(answer) = stream.next().await {
        let Some(block) = answer?.block else { break };
        blocks.insert(at, block);
        at = at.next();
    }
    Ok(blocks)
}

/// Connects to a node whose key is given, or else is a founder's.
async fn reach(
    peer: &str,
    genesis: &Genesis,
    identity: &Identity,
) -> Result<LedgerClient, Failure> {
    let (address, keys) = match peer.split_once('@') {
        Some((address, key)) => {
            (address, vec![super::super::connect::target(address, key)?.server_key])
        }
        None => (peer, founders_keys(genesis)),
    };
    let mut failure = ClientError::WrongServer;
    for server_key in keys {
        let target = Target { address: address.to_owned(), server_key };
        match LedgerClient::connect(&target, identity, TrustRoot::from_genesis(genesis)).await {
            Ok(client) => return Ok(client),
            Err(ClientError::WrongServer) => {}
            Err(other) => {
                failure = other;
                break;
            }
        }
    }
    let wrong = matches!(failure, ClientError::WrongServer);
    let failure = Failure::unknown(format!("{address} could not be asked"))
        .because(super::super::failure::chain(&failure));
    Err(failure.next(if wrong {
        "its key is none of genesis: give it as HOST:PORT@P2P-KEY, as its `heatmark keys show` prints it"
    } else {
        "check the address, or name another node with --from"
    }))
}

fn founders_keys(genesis: &Genesis) -> Vec<PublicKey> {
    let founders = genesis.founders();
    founders
        .flat_map(|(_, founder)| &founder.keys)
        .filter(|key| key.role() == pb::KeyRole::P2p)
        .filter_map(|key| PublicKey::from_bytes(&key.key).ok())
        .collect()
}
