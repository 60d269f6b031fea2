//! What a transaction may do, and what it changes. A transaction takes effect or is refused; a
//! refused one leaves no trace. Refuses whatever `proto/README.md`, section 3, does not allow.
//!
//! ```text
//! Executor::begin(view, env)      adopted proposals whose time has come, scheduled version, gap before
//!    │  restart(set)              where the members restarted the network
//!    │  apply(tx) … apply(tx)     standing → window → replay → signature → payload
//!    ▼
//! finish() → Outcome { changes, next validators, protocol version }
//! ```

mod alerts;
mod deals;
mod governance;
mod lots;
mod registry;

pub use governance::required_new_keys;
pub(crate) use governance::{check_parameters, put_validators};
pub use registry::check_entry;
pub(crate) use registry::{enter, member_id_of};

use crate::ids::{AlertSubject, Height, MemberId, NetworkId, TransactionId, UnixMillis};
use crate::keys::{PublicKey, RegisteredKey};
use crate::refusal::Refusal;
use crate::restart::{self, RestartError, RestartPoint};
use crate::state::{self, Changes, Overlay, StateError, StateView};
use crate::transaction::Transaction;
use crate::validators::ValidatorSet;
use heatmark_merkle::Hash;
use heatmark_proto::ledger::v1 as pb;
use heatmark_proto::ledger::v1::body::Payload;
use std::collections::BTreeSet;
use thiserror::Error;

/// Newest protocol version whose rules this program knows.
pub const NEWEST_VERSION: u32 = 1;

/// The block in which transactions are executed.
#[derive(Debug, Clone, Copy)]
pub struct Environment {
    /// The network.
    pub network: NetworkId,
    /// The block's height.
    pub height: Height,
    /// The block's time.
    pub time: UnixMillis,
    /// Time of the block before, at height 1 that of genesis.
    pub parent_time: UnixMillis,
}

/// Why execution stopped.
#[derive(Debug, Error)]
pub enum ExecutionError {
    /// The transaction is refused; the submitter's fault, the block goes on without it.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The state cannot be read. Fatal for the node.
    #[error("{0}")]
    State(#[from] StateError),
    /// The network runs a protocol version that this program does not know. Install a newer one.
    #[error(
        "protocol version {version} is in force at height {height}, and this program knows \
         versions up to {NEWEST_VERSION}: install a newer program; nothing is lost until then"
    )]
    VersionTooNew {
        /// The version.
        version: u32,
        /// First height that this program cannot execute.
        height: Height,
    },
    /// A restart's set has a validator that the registry does not know. Never for one that
    /// [`crate::restart::check_set`] accepted.
    #[error("the restart cannot be executed: {0}")]
    Restart(#[from] Box<RestartError>),
}

/// What a block's transactions changed.
#[derive(Debug)]
pub struct Outcome {
    /// Writes to the state map.
    pub changes: Changes,
    /// The next height's validator set.
    pub next_validators: ValidatorSet,
    /// The protocol version in force in this block.
    pub version: u32,
}

/// Executes one block's transactions in order.
pub struct Executor<'v, V: StateView + ?Sized> {
    env: Environment,
    parameters: pb::Parameters,
    version: u32,
    state: Overlay<'v, V>,
    seen: BTreeSet<TransactionId>,
    first_leaf: u64,
}

/// What every payload's rules may use: the block, the parameters, and who speaks.
struct Context {
    env: Environment,
    parameters: pb::Parameters,
    transaction_id: TransactionId,
    leaf_index: u64,
    signer: MemberId,
}

impl<'v, V: StateView + ?Sized> Executor<'v, V> {
    /// Starts a block on the state after its parent, whose log has `log_size` leaves.
    ///
    /// # Errors
    /// When the state cannot be read, or a version is in force that this program does not know.
    pub fn begin(view: &'v V, env: Environment, log_size: u64) -> Result<Self, ExecutionError> {
        Self::begin_knowing(NEWEST_VERSION, view, env, log_size)
    }

    /// As [`Self::begin`], for a program that knows the rules of all versions up to `newest`.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub fn begin_knowing(
        newest: u32,
        view: &'v V,
        env: Environment,
        log_size: u64,
    ) -> Result<Self, ExecutionError> {
        let mut state = Overlay::new(view);
        governance::apply_due(&mut state, &env)?;
        let version = governance::switch_version(&mut state, env.height)?;
        if version > newest {
            return Err(ExecutionError::VersionTooNew { version, height: env.height });
        }
        let parameters = state::parameters(&state)?;
        deals::note_gap(&mut state, &env, &parameters)?;
        let seen = BTreeSet::new();
        Ok(Self { env, parameters, version, state, seen, first_leaf: log_size })
    }

    /// Puts a restart's set in the place of the one that certifies the next height, whatever
    /// adopted proposals have made of that; to be called before any transaction.
    ///
    /// # Errors
    /// [`ExecutionError::Restart`] or [`ExecutionError::State`].
    pub fn restart(
        &mut self,
        point: &RestartPoint,
        set: &ValidatorSet,
    ) -> Result<(), ExecutionError> {
        restart::check_set(&self.state, set).map_err(Box::new)?;
        put_validators(&mut self.state, set);
        let value = pb::RestartState { restart: point.era.to_vec(), height: point.height.0 };
        self.state.put(state::restart_key(), &value);
        Ok(())
    }

    /// Parameters in force in this block.
    #[must_use]
    pub fn parameters(&self) -> &pb::Parameters {
        &self.parameters
    }

    /// Executes one transaction; a refused one changes nothing.
    ///
    /// # Errors
    /// [`ExecutionError::Refused`], or [`ExecutionError::State`].
    pub fn apply(&mut self, transaction: &Transaction) -> Result<(), ExecutionError> {
        let position = u64::try_from(self.seen.len()).unwrap_or(u64::MAX);
        let leaf_index = self.first_leaf.saturating_add(position);
        if self.seen.contains(&transaction.id()) {
            return Err(Refusal::Replayed.into());
        }
        let mut scratch = Overlay::new(&self.state);
        let signer = self.admit(transaction)?;
        let context = Context {
            env: self.env,
            parameters: self.parameters,
            transaction_id: transaction.id(),
            leaf_index,
            signer,
        };
        take_effect(&mut scratch, &context, transaction)?;
        let changes = scratch.into_changes();
        self.state.absorb(changes);
        self.seen.insert(transaction.id());
        Ok(())
    }

    /// Ends the block.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn finish(self) -> Result<Outcome, ExecutionError> {
        let next_validators = governance::validators(&self.state)?;
        Ok(Outcome { changes: self.state.into_changes(), next_validators, version: self.version })
    }

    fn admit(&self, transaction: &Transaction) -> Result<MemberId, ExecutionError> {
        check_window(transaction.body(), self.env.time, self.parameters.max_window_ms)?;
        if self.state.contains_transaction(&transaction.id())? {
            return Err(Refusal::Replayed.into());
        }
        let (member, key) = signer(&self.state, transaction, self.env.height)?;
        transaction.verify(&self.env.network, &key)?;
        Ok(member)
    }
}

/// The version in force at a height, when this program does not know its rules: what a node asks
/// before it votes on the height.
///
/// # Errors
/// [`ExecutionError::VersionTooNew`], or [`ExecutionError::State`].
pub fn check_version(
    view: &(impl StateView + ?Sized),
    height: Height,
) -> Result<(), ExecutionError> {
    let versions = state::versions(view)?;
    let due = versions.scheduled.iter().take_while(|next| next.height <= height.0).last();
    let (version, since) =
        due.map_or((versions.current, height.0), |next| (next.version, next.height));
    if version > NEWEST_VERSION {
        let height = Height(since.min(height.0));
        return Err(ExecutionError::VersionTooNew { version, height });
    }
    Ok(())
}

/// Who signs a transaction, and with what key, if it may at this height: registered, a signing
/// key, valid, of a member whose standing allows this payload.
///
/// # Errors
/// [`ExecutionError::Refused`] when it may not, or [`ExecutionError::State`].
pub fn signer(
    view: &(impl StateView + ?Sized),
    transaction: &Transaction,
    height: Height,
) -> Result<(MemberId, RegisteredKey), ExecutionError> {
    let entry = state::key_state(view, &transaction.signer())?.ok_or(Refusal::UnknownKey)?;
    let public = entry.key.as_ref().ok_or(StateError::Damaged("key"))?;
    let valid = public.role() == pb::KeyRole::Signing
        && entry.valid_from_height <= height.0
        && (entry.valid_to_height == 0 || height.0 < entry.valid_to_height);
    if !valid {
        return Err(Refusal::KeyNotValid.into());
    }
    let key = RegisteredKey::from_state(&public.key).ok_or(StateError::Damaged("key"))?;
    let member =
        MemberId::try_from(entry.member.as_slice()).map_err(|_| StateError::Damaged("key"))?;
    let standing = state::member(view, &member)?.ok_or(StateError::Damaged("member"))?.status();
    let allowed = match standing {
        pb::MemberStatus::Active => true,
        pb::MemberStatus::Suspended => matches!(
            transaction.payload(),
            Payload::Alert(_)
                | Payload::Acknowledge(_)
                | Payload::LotEvent(_)
                | Payload::Deal(_)
                | Payload::Leave(_)
                | Payload::RotateKey(_)
        ),
        pb::MemberStatus::Left | pb::MemberStatus::Unspecified => false,
    };
    if allowed { Ok((member, key)) } else { Err(Refusal::MemberNotActive.into()) }
}

/// Longest window of an event of lots, in milliseconds: goods that a seal has signed away may be at sea for weeks. A seal
/// breaks once, so that nothing is gained by a shorter one.
pub const MAX_LOT_WINDOW_MS: u64 = 60 * 86_400_000;

/// Whether a body's window is of acceptable length and open at `time`.
///
/// # Errors
/// [`Refusal::Window`], [`Refusal::TooEarly`] or [`Refusal::Expired`].
pub fn check_window(body: &pb::Body, time: UnixMillis, max_window_ms: u64) -> Result<(), Refusal> {
    let length = body.not_after_ms.checked_sub(body.not_before_ms).ok_or(Refusal::Window)?;
    let longest = match body.payload {
        Some(Payload::LotEvent(_)) => max_window_ms.max(MAX_LOT_WINDOW_MS),
        _ => max_window_ms,
    };
    if length == 0 || length > longest {
        return Err(Refusal::Window);
    }
    if time.0 < body.not_before_ms {
        return Err(Refusal::TooEarly);
    }
    if time.0 >= body.not_after_ms { Err(Refusal::Expired) } else { Ok(()) }
}

fn take_effect<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    context: &Context,
    transaction: &Transaction,
) -> Result<(), ExecutionError> {
    match transaction.payload() {
        Payload::Anchor(anchor) => {
            expect_cosigners(transaction, &[])?;
            check_anchor(anchor, &context.parameters).map_err(Into::into)
        }
        Payload::Alert(alert) => alerts::raise(state, context, transaction, alert),
        Payload::Acknowledge(acknowledge) => {
            expect_cosigners(transaction, &[])?;
            alerts::acknowledge(state, context, acknowledge)
        }
        Payload::RotateKey(rotate) => registry::rotate(state, context, transaction, rotate),
        Payload::Leave(leave) => registry::leave(state, context, transaction, leave),
        Payload::Propose(propose) => governance::propose(state, context, transaction, propose),
        Payload::Vote(vote) => {
            expect_cosigners(transaction, &[])?;
            governance::vote(state, context, vote)
        }
        Payload::LotEvent(event) => lots::take_place(state, context, transaction, event),
        Payload::Deal(deal) => deals::take_step(state, context, transaction, deal),
    }
}

fn check_anchor(anchor: &pb::Anchor, parameters: &pb::Parameters) -> Result<(), Refusal> {
    hash_field(&anchor.root, "root")?;
    if anchor.records == 0 || anchor.records > parameters.max_batch_records {
        return Err(Refusal::BatchSize);
    }
    Ok(())
}

/// The keys that co-signed, when their purposes are exactly these, in this order.
fn expect_cosigners(
    transaction: &Transaction,
    purposes: &[pb::CoSigner],
) -> Result<Vec<PublicKey>, Refusal> {
    let given = transaction.cosignatures();
    if !given.iter().map(pb::CoSignature::purpose).eq(purposes.iter().copied()) {
        return Err(Refusal::Cosignatures);
    }
    given.iter().map(|c| Ok(PublicKey::from_bytes(&c.public_key)?)).collect()
}

fn hash_field(bytes: &[u8], name: &'static str) -> Result<Hash, Refusal> {
    state::digest(bytes).ok_or(Refusal::Field(name))
}

fn member_field(bytes: &[u8]) -> Result<MemberId, Refusal> {
    hash_field(bytes, "member").map(MemberId)
}

fn subject_field(bytes: &[u8]) -> Result<AlertSubject, Refusal> {
    hash_field(bytes, "subject").map(AlertSubject)
}
