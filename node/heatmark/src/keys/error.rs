//! Why keys are not read, opened or written.

use super::kind::KeyKind;
use crate::files::FileError;
use std::path::PathBuf;
use thiserror::Error;

/// Why a key is not to be had. No message ever holds a secret.
#[derive(Debug, Error)]
pub enum KeysError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The text is not a key file or bundle. Restore it from a backup.
    #[error("{} is not a Heatmark key file: {reason}", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The public key written in the file is not that of its secret. Restore it from a backup.
    #[error("{}: the public key does not belong to the secret; the file is damaged or forged", .0.display())]
    Mismatch(PathBuf),
    /// It holds another kind of key than asked for.
    #[error("{} holds a {found} key where a {expected} key is needed", path.display())]
    WrongKind {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: KeyKind,
        /// What is needed.
        expected: KeyKind,
    },
    /// It is encrypted and nobody gave a passphrase.
    #[error(
        "{} is encrypted; give its passphrase in HEATMARK_PASSPHRASE, with --passphrase-file, or at a terminal",
        .0.display()
    )]
    PassphraseNeeded(PathBuf),
    /// The passphrase is wrong, or the file has been changed.
    #[error("{} does not open: the passphrase is wrong, or the file has been changed", .0.display())]
    DoesNotOpen(PathBuf),
    /// The file asks for more or less work than is accepted.
    #[error("{}: the passphrase parameters are out of bounds", .0.display())]
    Parameters(PathBuf),
    /// The settings say that the vault's key is in the environment, and it is not, or is none.
    #[error(
        "the settings say `vault.key = \"environment\"`, but {} does not hold 64 hex digits",
        crate::keys::VAULT_KEY_VARIABLE
    )]
    NoVaultKey,
    /// The two passphrases typed differ.
    #[error("the two passphrases differ")]
    PassphrasesDiffer,
    /// An empty passphrase file or variable.
    #[error("the passphrase given is empty; leave it out to write keys without one")]
    EmptyPassphrase,
    /// The terminal could not be read.
    #[error("reading the passphrase: {0}")]
    Terminal(#[source] std::io::Error),
    /// The operating system gave no random numbers, or the derivation failed.
    #[error("{0} failed; nothing was written")]
    Crypto(&'static str),
}
