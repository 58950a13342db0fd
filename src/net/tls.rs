//! TLS towards the clients: the certificate and key from their files, and their replacement while running.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{self, SHA256_OUTPUT_LEN};
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::server::NoServerSessionStorage;
use rustls::version::{TLS12, TLS13};
use rustls::{InconsistentKeys, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use zeroize::Zeroizing;

use super::TlsSettings;

/// A certificate or key that cannot be used.
#[derive(Debug, Error)]
#[error("{} (setting `[tls] {setting}`): {problem}", .file.display())]
pub struct TlsError {
    /// The file.
    file: PathBuf,
    /// The key of `[tls]` that names it.
    setting: &'static str,
    /// What was found, what was expected, what to do.
    problem: String,
}

/// The certificate that new connections are shown; old ones keep theirs.
#[derive(Debug)]
pub struct ServerTls {
    current: ArcSwap<Shown>,
}

/// A certificate that can be shown.
#[derive(Debug)]
pub(super) struct Shown {
    config: Arc<ServerConfig>,
    /// Tells apart what it was made of.
    print: [u8; SHA256_OUTPUT_LEN],
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// Names the file and the setting; trying again helps only after one of them was changed.
    pub fn load(settings: &TlsSettings) -> Result<Self, TlsError> {
        Ok(Self { current: ArcSwap::new(build(settings)?) })
    }

    /// Reads the files anew. Nothing changes until what was read is [shown](ServerTls::show).
    ///
    /// # Errors
    ///
    /// As [`ServerTls::load`].
    pub(super) fn renew(&self, settings: &TlsSettings) -> Result<Arc<Shown>, TlsError> {
        let (current, renewed) = (self.current.load_full(), build(settings)?);
        // The sessions that clients keep are good with the one that they began with.
        Ok(if renewed.print == current.print { current } else { renewed })
    }

    /// Shows it to the connections to come.
    pub(super) fn show(&self, shown: Arc<Shown>) {
        self.current.store(shown);
    }

    /// What a connection that opens now is shown.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().config)
    }
}

fn build(settings: &TlsSettings) -> Result<Arc<Shown>, TlsError> {
    let chain = read_chain(&settings.cert)?;
    let key = read_key(&settings.key)?;
    let print = print(&chain, &key, settings.tls12);
    let versions: &[_] = if settings.tls12 { &[&TLS13, &TLS12] } else { &[&TLS13] };
    // The provider is named, so that no process-wide default has to be set before.
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .map_err(|error| TlsError::new(&settings.cert, "cert", format!("TLS cannot be set up: {error}")))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| unusable(settings, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Tickets keep a session with the client. A store here would be one more thing that all workers share.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Ticketer::new()
        .map_err(|error| TlsError::new(&settings.cert, "cert", format!("session tickets cannot be made: {error}")))?;
    Ok(Arc::new(Shown { config: Arc::new(config), print }))
}

/// A digest of all that a certificate is shown by.
fn print(chain: &[CertificateDer<'_>], key: &PrivateKeyDer<'_>, tls12: bool) -> [u8; SHA256_OUTPUT_LEN] {
    let mut digest = digest::Context::new(&digest::SHA256);
    for part in chain.iter().map(CertificateDer::as_ref).chain([key.secret_der()]) {
        digest.update(digest::digest(&digest::SHA256, part).as_ref());
    }
    digest.update(&[u8::from(tls12)]);
    digest.finish().as_ref().try_into().unwrap_or_default()
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = fs::read(file).map_err(|error| TlsError::unreadable(file, "cert", &error))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(TlsError::new(
            file,
            "cert",
            "found no certificate; expected PEM text with `-----BEGIN CERTIFICATE-----`, the server's own first, \
             then its issuers",
        )),
        Err(error) => {
            Err(TlsError::new(file, "cert", format!("the PEM text is broken ({error}); copy the file again")))
        }
    }
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = Zeroizing::new(fs::read(file).map_err(|error| TlsError::unreadable(file, "key", &error))?);
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        rustls_pki_types::pem::Error::NoItemsFound => TlsError::new(
            file,
            "key",
            "found no private key; expected PEM text with a PKCS#8, PKCS#1 or SEC1 key that is not encrypted \
             (`openssl pkey -in FILE -out FILE` decrypts one)",
        ),
        error => TlsError::new(file, "key", format!("the PEM text is broken ({error}); copy the file again")),
    })
}

/// What is wrong with a pair that was read well.
fn unusable(settings: &TlsSettings, error: &rustls::Error) -> TlsError {
    match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::new(
            &settings.key,
            "key",
            format!(
                "the key does not belong to the first certificate in {}; give the two that were issued together",
                settings.cert.display()
            ),
        ),
        rustls::Error::InvalidCertificate(_) => {
            TlsError::new(&settings.cert, "cert", format!("the first certificate cannot be read ({error})"))
        }
        error => TlsError::new(
            &settings.key,
            "key",
            format!("the key cannot be used ({error}); expected RSA from 2048 bits, P-256, P-384, P-521 or Ed25519"),
        ),
    }
}

impl TlsError {
    fn new(file: &Path, setting: &'static str, problem: impl Into<String>) -> Self {
        Self { file: file.to_path_buf(), setting, problem: problem.into() }
    }

    fn unreadable(file: &Path, setting: &'static str, error: &std::io::Error) -> Self {
        Self::new(file, setting, format!("cannot be read ({error}); give a file that this process may read"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::certificate;
    use super::*;

    #[test]
    fn a_key_of_another_certificate_is_an_error_that_names_file_and_setting() {
        let folder = tempfile::tempdir().unwrap();
        let (good, _) = certificate(&folder.path().join("a"));
        let (other, _) = certificate(&folder.path().join("b"));
        ServerTls::load(&good).unwrap();
        let error = ServerTls::load(&TlsSettings { key: other.key.clone(), ..good.clone() }).unwrap_err().to_string();
        assert!(error.contains("[tls] key") && error.contains(&other.key.display().to_string()), "{error}");
        assert!(error.contains("does not belong"), "{error}");
    }

    #[test]
    fn files_that_hold_something_else_are_told_by_setting() {
        let folder = tempfile::tempdir().unwrap();
        let (good, _) = certificate(&folder.path().join("a"));
        let cases = [
            (TlsSettings { cert: good.key.clone(), ..good.clone() }, "[tls] cert", "found no certificate"),
            (TlsSettings { key: good.cert.clone(), ..good.clone() }, "[tls] key", "found no private key"),
            (TlsSettings { cert: folder.path().join("none"), ..good.clone() }, "[tls] cert", "cannot be read"),
        ];
        for (settings, setting, problem) in cases {
            let error = ServerTls::load(&settings).unwrap_err().to_string();
            assert!(error.contains(setting) && error.contains(problem), "{error}");
        }
    }

    #[test]
    fn what_is_renewed_is_shown_when_it_is_told_and_unless_it_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (good, _) = certificate(&folder.path().join("a"));
        let (other, _) = certificate(&folder.path().join("b"));
        let tls = ServerTls::load(&good).unwrap();
        let before = tls.current();
        tls.renew(&TlsSettings { key: good.cert.clone(), ..good.clone() }).unwrap_err();
        tls.show(tls.renew(&good).unwrap());
        assert!(Arc::ptr_eq(&before, &tls.current()), "the same files");
        let renewed = tls.renew(&other).unwrap();
        assert!(Arc::ptr_eq(&before, &tls.current()), "not shown yet");
        tls.show(renewed);
        assert!(!Arc::ptr_eq(&before, &tls.current()));
        let before = tls.current();
        tls.show(tls.renew(&TlsSettings { tls12: false, ..other }).unwrap());
        assert!(!Arc::ptr_eq(&before, &tls.current()), "another version of TLS");
    }
}
