//! Who of the own organisation may do what at the desk. The member's own registered keys hold every role, since
//! they can sign in its name anyway; a further key, an operator's, holds those that were granted here.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use prost::Message;

use crate::deeds::{Deed, check_name};
use crate::vault::{OPERATOR, key};
use crate::{Actor, Vault, VaultError};

/// Most operators of a vault.
pub const MAX_OPERATORS: usize = 1_000;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Publish certificates.
    Publish,
    /// See what records say: show fields, make proofs.
    Inspect,
    /// Raise and clear alerts.
    Alert,
    /// Everything else: operators, retention, backups, signing what changes the network.
    Administer,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Publish, Self::Inspect, Self::Alert, Self::Administer];

    /// Its name, as people write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Inspect => "inspect",
            Self::Alert => "alert",
            Self::Administer => "administer",
        }
    }

    /// The role of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    fn bit(self) -> u32 {
        match self {
            Self::Publish => 1,
            Self::Inspect => 2,
            Self::Alert => 4,
            Self::Administer => 8,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The Ed25519 key of the certificate that they show.
    pub key: [u8; 32],
    /// Who it is, for people.
    pub name: String,
    /// What they may do.
    pub roles: BTreeSet<Role>,
}

#[derive(Clone, PartialEq, Message)]
struct OperatorMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, tag = "2")]
    roles: u32,
}

impl Operator {
    /// One bit a role.
    pub(crate) fn role_bits(&self) -> u32 {
        self.roles.iter().fold(0, |bits, role| bits | role.bit())
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        OperatorMessage { name: self.name.clone(), roles: self.role_bits() }.encode_to_vec()
    }

    pub(crate) fn decode(key: [u8; 32], bytes: &[u8]) -> Result<Self, VaultError> {
        let message = OperatorMessage::decode(bytes).map_err(|_| VaultError::Damaged)?;
        let roles = Role::ALL.into_iter().filter(|role| message.roles & role.bit() != 0).collect();
        let operator = Self { key, name: message.name, roles };
        if operator.role_bits() != message.roles {
            return Err(VaultError::Damaged);
        }
        Ok(operator)
    }
}

/// Whom a vault lets in, for whoever asks at every request; keeps no database open.
#[derive(Debug, Clone, Default)]
pub struct Admitted(Arc<RwLock<BTreeMap<[u8; 32], Operator>>>);

impl Admitted {
    pub(crate) fn new(operators: BTreeMap<[u8; 32], Operator>) -> Self {
        Self(Arc::new(RwLock::new(operators)))
    }

    /// Whom a key was granted to.
    #[must_use]
    pub fn operator(&self, key: &[u8; 32]) -> Option<Operator> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<[u8; 32], Operator>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vault {
    /// Lets a key in, or gives it other roles than it had.
    ///
    /// # Errors
    /// `Name`, `NoRole`, `TooManyOperators`, or `Database`.
    pub fn grant(&self, by: &Actor, operator: &Operator) -> Result<(), VaultError> {
        check_name(&operator.name)?;
        if operator.roles.is_empty() {
            return Err(VaultError::NoRole);
        }
        let mut write = self.begin()?;
        let mut operators = self.operators.write();
        if operators.len() >= MAX_OPERATORS && !operators.contains_key(&operator.key) {
            return Err(VaultError::TooManyOperators);
        }
        write.put(&key(OPERATOR, &operator.key), &operator.encode());
        let roles = u64::from(operator.role_bits());
        write.note(by, Deed::Grant, Some(operator.key), roles);
        write.commit()?;
        operators.insert(operator.key, operator.clone());
        Ok(())
    }

    /// Shuts a key out, from its next request on.
    ///
    /// # Errors
    /// `UnknownOperator`, or `Database`.
    pub fn revoke(&self, by: &Actor, operator: &[u8; 32]) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        let mut operators = self.operators.write();
        if !operators.contains_key(operator) {
            return Err(VaultError::UnknownOperator);
        }
        write.delete(&key(OPERATOR, operator));
        write.note(by, Deed::Revoke, Some(*operator), 0);
        write.commit()?;
        operators.remove(operator);
        Ok(())
    }

    /// Whom the vault lets in, as it changes.
    #[must_use]
    pub fn admitted(&self) -> Admitted {
        self.operators.clone()
    }

    /// Whom a key was granted to.
    #[must_use]
    pub fn operator(&self, key: &[u8; 32]) -> Option<Operator> {
        self.operators.operator(key)
    }

    /// Everybody who was let in, ascending by key.
    #[must_use]
    pub fn operators(&self) -> Vec<Operator> {
        let operators = self.operators.0.read().unwrap_or_else(PoisonError::into_inner);
        operators.values().cloned().collect()
    }

    pub(crate) fn read_operators(&self) -> Result<BTreeMap<[u8; 32], Operator>, VaultError> {
        let mut operators = BTreeMap::new();
        self.scan(&[OPERATOR], |key, value| {
            let key = crate::rows::hash32(key)?;
            operators.insert(key, Operator::decode(key, value)?);
            Ok(true)
        })?;
        Ok(operators)
    }
}
