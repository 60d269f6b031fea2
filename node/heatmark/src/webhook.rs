//! The webhook that the settings name: where it is posted what an arbiter is to do with money, and how it is signed (Standard
//! Webhooks 1.0.0, symmetric signatures). Refuses plain HTTP to any other machine, addresses that hold a password, secrets that are
//! too short or that others may read, and receivers whose certificate does not go back to a known authority.

mod error;
mod outbox;
mod post;
mod signing;
#[cfg(test)]
pub(crate) mod tests;

pub use error::WebhookError;
pub(crate) use outbox::{Outbox, Waiting};
pub(crate) use post::PostError;

use crate::config::Config;
use crate::files;
use hyper::Uri;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use signing::Secrets;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// Longest file of secrets, in bytes.
const MAX_SECRET_BYTES: u64 = 1_024;

/// Longest file of certificates, in bytes.
const MAX_CA_BYTES: u64 = 1 << 20;

/// Longest that one post may take, from the first packet to the answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where to post, and with which keys.
pub(crate) struct Hook {
    target: Target,
    secrets: Secrets,
    patience: Duration,
}

/// What an address says.
struct Target {
    host: String,
    port: u16,
    /// As the header `host` has it.
    authority: String,
    path: String,
    /// None for plain HTTP to this machine.
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// The webhook of the settings; none where they name none.
///
/// # Errors
/// [`WebhookError`].
pub(crate) fn hook(config: &Config) -> Result<Option<Hook>, WebhookError> {
    let url = config.escrow.webhook_url.as_str();
    if url.is_empty() {
        return Ok(None);
    }
    let mut target = target(url)?;
    let path = config.webhook_secret_path().ok_or(WebhookError::NoSecret)?;
    let text = files::read_private(&path, MAX_SECRET_BYTES).map_err(WebhookError::SecretFile)?;
    let secrets = Secrets::parse(&Zeroizing::new(text))?;
    if url_is_https(url) {
        let name = ServerName::try_from(target.host.clone());
        let name = name.map_err(|_| WebhookError::NotAUrl)?;
        let ca = config.webhook_ca_path();
        target.tls = Some((Arc::new(tls(ca.as_deref())?), name));
    }
    Ok(Some(Hook { target, secrets, patience: PATIENCE }))
}

fn url_is_https(url: &str) -> bool {
    url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

fn target(url: &str) -> Result<Target, WebhookError> {
    // What follows a # is never sent, and would be lost without a word.
    let uri: Uri = Some(url)
        .filter(|url| !url.contains('#'))
        .and_then(|url| url.parse().ok())
        .ok_or(WebhookError::NotAUrl)?;
    let https = url_is_https(url);
    let http = uri.scheme_str() == Some("http");
    let authority = uri.authority().filter(|_| https || http).ok_or(WebhookError::NotAUrl)?;
    if authority.as_str().contains('@') {
        return Err(WebhookError::Credentials);
    }
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let usual = if https { 443 } else { 80 };
    let named = authority.as_str().len() != host.len();
    let port = if named { authority.port_u16() } else { Some(usual) };
    let port = port.filter(|port| *port != 0 && !bare.is_empty()).ok_or(WebhookError::NotAUrl)?;
    let here = bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if http && !here {
        return Err(WebhookError::Plain);
    }
    Ok(Target {
        host: bare.to_owned(),
        port,
        authority: authority.as_str().to_owned(),
        path: uri.path_and_query().map_or_else(|| "/".to_owned(), |path| path.as_str().to_owned()),
        tls: None,
    })
}

/// TLS as any browser has it: the registry of members says nothing about an arbiter's own systems.
fn tls(ca: Option<&Path>) -> Result<ClientConfig, WebhookError> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            let pem = files::read(path, MAX_CA_BYTES).map_err(WebhookError::CaFile)?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|_| WebhookError::NoCertificate)?;
                roots.add(certificate).map_err(|_| WebhookError::NoCertificate)?;
            }
            if roots.is_empty() {
                return Err(WebhookError::NoCertificate);
            }
        }
        None => {
            // Single files that do not read are common; without any authority nothing connects.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(WebhookError::NoAuthorities);
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(WebhookError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.target.tls.is_some() { "https" } else { "http" };
        let secrets = self.secrets.count();
        write!(f, "{scheme}://{}, signed with {secrets} ", self.target.authority)?;
        f.write_str(if secrets == 1 { "secret" } else { "secrets" })
    }
}
