//! Why a webhook of the settings cannot be used.

use crate::files::FileError;
use thiserror::Error;

/// What is wrong with a webhook's settings. The operator's to mend.
#[derive(Debug, Error)]
pub enum WebhookError {
    /// The address is none.
    #[error("is no address to post to; write https://HOST/PATH")]
    NotAUrl,
    /// It would go over a network unencrypted: use https, or something on this machine that passes it on.
    #[error("would be posted unencrypted; write https://, or http:// with 127.0.0.1 or localhost")]
    Plain,
    /// It holds a name or a password. Take them out: what is posted is signed instead.
    #[error("holds a user or password, which settings do not keep; what is posted is signed")]
    Credentials,
    /// There is no secret to sign with.
    #[error("is empty, and what is posted has to be signed; name a file with a secret in it")]
    NoSecret,
    /// The secret cannot be read. See the reason.
    #[error("the secret cannot be read")]
    SecretFile(#[source] FileError),
    /// The file holds something else.
    #[error(
        "the file holds no secrets: one to four lines, each whsec_ and 24 to 64 random bytes in base64"
    )]
    NotASecret,
    /// The certificates cannot be read. See the reason.
    #[error("the certificates cannot be read")]
    CaFile(#[source] FileError),
    /// The file holds something else.
    #[error("the file holds no certificates of authorities in PEM, or something besides")]
    NoCertificate,
    /// The system knows no authorities: install its package ca-certificates, or name a file.
    #[error("this system knows no certificate authorities; name a file of them")]
    NoAuthorities,
    /// The TLS library refused its configuration. A defect.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

impl WebhookError {
    /// The setting that is to be mended.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        match self {
            Self::NotAUrl | Self::Plain | Self::Credentials | Self::Tls(_) => "escrow.webhook_url",
            Self::NoSecret | Self::SecretFile(_) | Self::NotASecret => "escrow.webhook_secret_file",
            Self::CaFile(_) | Self::NoCertificate | Self::NoAuthorities => "escrow.webhook_ca_file",
        }
    }
}
