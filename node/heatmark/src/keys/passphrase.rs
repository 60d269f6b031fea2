//! Where a passphrase comes from: a file, the environment, or a person at a terminal, in this
//! order. Refuses an empty one and a file that others may read.

use super::error::KeysError;
use crate::files;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Environment variable that holds the passphrase.
pub const PASSPHRASE_VARIABLE: &str = "HEATMARK_PASSPHRASE";

const MAX_PASSPHRASE_BYTES: u64 = 4_096;

/// A passphrase, wiped when dropped.
pub(crate) type Passphrase = Zeroizing<Vec<u8>>;

/// Asks for the passphrase once and keeps it for the other files of the same home.
#[derive(Default)]
pub struct PassphraseSource {
    file: Option<PathBuf>,
    variable: bool,
    terminal: bool,
    kept: Option<Passphrase>,
}

impl PassphraseSource {
    /// From `--passphrase-file` if given, else the environment, else the terminal if there is one.
    #[must_use]
    pub fn new(file: Option<PathBuf>) -> Self {
        let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Self { file, variable: true, terminal, kept: None }
    }

    /// There is none, whatever the environment says.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// This one.
    #[must_use]
    pub fn given(passphrase: &str) -> Self {
        Self { kept: Some(Zeroizing::new(passphrase.as_bytes().to_vec())), ..Self::default() }
    }

    /// The passphrase to open this file with.
    pub(crate) fn for_opening(&mut self, path: &Path) -> Result<Passphrase, KeysError> {
        if let Some(known) = self.without_asking()? {
            return Ok(known);
        }
        if !self.terminal {
            return Err(KeysError::PassphraseNeeded(path.to_owned()));
        }
        let typed = ask(&format!("Passphrase for {}: ", path.display()))?;
        self.kept = Some(typed.clone());
        Ok(typed)
    }

    /// The passphrase to encrypt new files with, or none.
    pub(crate) fn for_sealing(&mut self) -> Result<Option<Passphrase>, KeysError> {
        if let Some(known) = self.without_asking()? {
            return Ok(Some(known));
        }
        if !self.terminal {
            return Ok(None);
        }
        let first = ask("Passphrase for the new files (empty for none): ")?;
        if first.is_empty() {
            return Ok(None);
        }
        if ask("The same again: ")? != first {
            return Err(KeysError::PassphrasesDiffer);
        }
        self.kept = Some(first.clone());
        Ok(Some(first))
    }

    fn without_asking(&mut self) -> Result<Option<Passphrase>, KeysError> {
        if self.kept.is_some() {
            return Ok(self.kept.clone());
        }
        let found = match (&self.file, self.variable) {
            (Some(file), _) => {
                let bytes = Zeroizing::new(files::read_private(file, MAX_PASSPHRASE_BYTES)?);
                let end = bytes.iter().rposition(|b| !b"\r\n".contains(b));
                let kept = end.and_then(|end| bytes.get(..=end)).unwrap_or_default();
                Some(Zeroizing::new(kept.to_vec()))
            }
            (None, true) => std::env::var(PASSPHRASE_VARIABLE)
                .ok()
                .map(|text| Zeroizing::new(text.into_bytes())),
            (None, false) => None,
        };
        if found.as_ref().is_some_and(|passphrase| passphrase.is_empty()) {
            return Err(KeysError::EmptyPassphrase);
        }
        self.kept.clone_from(&found);
        Ok(found)
    }
}

fn ask(prompt: &str) -> Result<Passphrase, KeysError> {
    rpassword::prompt_password(prompt)
        .map(|text| Zeroizing::new(text.into_bytes()))
        .map_err(KeysError::Terminal)
}
