//! TLS towards an upstream: roots, client certificate, server name.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{self, SHA256_OUTPUT_LEN};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::TlsSettings;

/// A file or a name in the TLS settings of a server that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct TlsError {
    setting: &'static str,
    problem: String,
}

/// What is needed to speak TLS with a server.
pub struct Client {
    connector: TlsConnector,
    server_name: Option<ServerName<'static>>,
    /// Tells apart what was read.
    print: Print,
}

/// A digest of authorities, certificates and keys.
type Print = [u8; SHA256_OUTPUT_LEN];

/// Makes one.
struct Printer(digest::Context);

impl Printer {
    fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    fn add(&mut self, part: &[u8]) {
        self.0.update(digest::digest(&digest::SHA256, part).as_ref());
    }

    fn finish(self) -> Print {
        self.0.finish().as_ref().try_into().unwrap_or_default()
    }
}

impl Client {
    /// Reads what the settings name.
    ///
    /// # Errors
    /// A file or a name that cannot be used.
    pub fn load(settings: &TlsSettings) -> Result<Self, TlsError> {
        let mut printer = Printer::new();
        let provider = Arc::new(default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong("TLS", error))?
            .with_root_certificates(roots(settings.ca.as_deref(), &mut printer)?);
        let mut config = match &settings.client {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let chain = certificates("client_cert", cert)?;
                let key = PrivateKeyDer::from_pem_file(key).map_err(|error| file("client_key", key, error))?;
                chain.iter().for_each(|certificate| printer.add(certificate));
                printer.add(key.secret_der());
                builder.with_client_auth_cert(chain, key).map_err(|error| wrong("client_cert and client_key", error))?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let server_name = settings.server_name.clone().map(ServerName::try_from).transpose();
        let server_name = server_name.map_err(|error| wrong("server_name", error))?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), server_name, print: printer.finish() })
    }

    /// Whether the same was read for both.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.print == other.print
    }

    /// The handshake. Its time is limited by whoever connects.
    pub(super) async fn connect(&self, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?,
        };
        self.connector.connect(name, stream).await.map_err(|error| error.to_string())
    }
}

/// The named authorities, or the system's and the built-in ones together: an image without a file system has none.
fn roots(ca: Option<&Path>, printer: &mut Printer) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(ca) => {
            for certificate in certificates("ca", ca)? {
                printer.add(&certificate);
                roots.add(certificate).map_err(|error| file("ca", ca, error))?;
            }
        }
        None => {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            let system = rustls_native_certs::load_native_certs().certs;
            system.iter().for_each(|certificate| printer.add(certificate));
            roots.add_parsable_certificates(system);
        }
    }
    Ok(roots)
}

fn certificates(setting: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| file(setting, path, error))?;
    if certificates.is_empty() {
        return Err(file(setting, path, "there is no certificate in it"));
    }
    Ok(certificates)
}

fn file(setting: &'static str, path: &Path, why: impl std::fmt::Display) -> TlsError {
    TlsError { setting, problem: format!("{}: {why}", path.display()) }
}

fn wrong(setting: &'static str, why: impl std::fmt::Display) -> TlsError {
    TlsError { setting, problem: why.to_string() }
}
