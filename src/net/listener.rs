//! Binds every address before anything is served, so that one that cannot be had is an error at start.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use socket2::{Domain, SockAddr, Socket, Type};
use thiserror::Error;

use super::tls::{ServerTls, TlsError};
use super::{Listen, Settings};

/// Connections that the system holds ready until they are accepted; it cuts this to its own limit.
const BACKLOG: i32 = 16384;

/// Why an address cannot be listened at.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The system refused the address.
    #[error("cannot listen at {listen} (setting `listen`): {advice}")]
    Bind {
        /// The address.
        listen: Listen,
        /// What was found and what to do.
        advice: String,
        /// What the system said.
        source: io::Error,
    },
    /// `https://` without a certificate.
    #[error("cannot listen at {0} (setting `listen`): there is no certificate; add `[tls]` with `cert` and `key`")]
    NoCertificate(Listen),
    /// The certificate or the key is no good.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Sockets that are bound and not yet served.
#[derive(Debug)]
pub struct Bound {
    pub(super) tcp: Vec<BoundTcp>,
    pub(super) unix: Vec<BoundUnix>,
    tls: Option<Arc<ServerTls>>,
    listen: Vec<Listen>,
}

/// One TCP address.
#[derive(Debug)]
pub(super) struct BoundTcp {
    /// Present where connections speak TLS.
    pub(super) tls: Option<Arc<ServerTls>>,
    /// One socket for each worker; the system spreads the connections over them.
    pub(super) listeners: Vec<TcpListener>,
}

/// One unix socket.
#[derive(Debug)]
pub(super) struct BoundUnix {
    pub(super) listener: UnixListener,
    pub(super) file: SocketFile,
}

impl Bound {
    /// Where it listens, in the order of the settings, with the ports that the system chose.
    pub fn addresses(&self) -> &[Listen] {
        &self.listen
    }

    /// The certificate, for its replacement while running; `None` without `https://`.
    pub fn tls(&self) -> Option<Arc<ServerTls>> {
        self.tls.clone()
    }
}

/// Binds all addresses of `settings`.
///
/// # Errors
///
/// Names the first address that cannot be had and why. Nothing stays bound then.
pub fn bind(settings: &Settings) -> Result<Bound, ListenError> {
    let mut bound = Bound { tcp: Vec::new(), unix: Vec::new(), tls: None, listen: Vec::new() };
    let needs_tls = settings.listen.iter().find(|listen| matches!(listen, Listen::Tcp { tls: true, .. }));
    if let Some(listen) = needs_tls {
        let tls = settings.tls.as_ref().ok_or_else(|| ListenError::NoCertificate(listen.clone()))?;
        bound.tls = Some(Arc::new(ServerTls::load(tls)?));
    }
    for listen in &settings.listen {
        let refused = |source| ListenError::Bind { listen: listen.clone(), advice: advice(listen, &source), source };
        match listen {
            Listen::Tcp { address, tls } => {
                let (address, listeners) = bind_tcp(*address, settings.workers.max(1)).map_err(refused)?;
                let acceptor = if *tls { bound.tls.clone() } else { None };
                bound.tcp.push(BoundTcp { tls: acceptor, listeners });
                bound.listen.push(Listen::Tcp { address, tls: *tls });
            }
            Listen::Unix(path) => {
                bound.unix.push(bind_unix(path).map_err(refused)?);
                bound.listen.push(listen.clone());
            }
        }
    }
    Ok(bound)
}

/// What to do about an address that was refused.
fn advice(listen: &Listen, error: &io::Error) -> String {
    let text = match (listen, error.kind()) {
        (Listen::Tcp { .. }, io::ErrorKind::AddrInUse) => {
            "the address is in use; stop the other program or choose another port"
        }
        (Listen::Tcp { .. }, io::ErrorKind::PermissionDenied) => {
            "this process may not have the port; choose one from 1024 up, or grant CAP_NET_BIND_SERVICE"
        }
        (Listen::Tcp { .. }, io::ErrorKind::AddrNotAvailable) => {
            "this machine has no such address; use one of its own, or 0.0.0.0 or [::] for all of them"
        }
        (Listen::Unix(_), io::ErrorKind::AddrInUse) => {
            "another program answers on the socket; stop it or choose another path"
        }
        (Listen::Unix(_), io::ErrorKind::AlreadyExists) => {
            "the path is taken by a file that is no socket; remove it or choose another path"
        }
        (Listen::Unix(_), io::ErrorKind::NotFound) => "the directory does not exist; create it or choose another path",
        (Listen::Unix(_), io::ErrorKind::PermissionDenied) => {
            "this process may not create a file there; choose a directory that it may write to"
        }
        _ => return error.to_string(),
    };
    text.to_owned()
}

/// One socket a worker, all at the same address.
fn bind_tcp(address: SocketAddr, workers: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    // Sockets that share a port would let a second program of the same user share it too, without a word. So the first
    // listens alone, which only one program can at a time, and is opened to the others when it does.
    let first = tcp_socket(address, false)?;
    first.listen(BACKLOG)?;
    first.set_reuse_port(true)?;
    let first: TcpListener = listening(first)?;
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    while listeners.len() < workers {
        listeners.push(listening(tcp_socket(address, true)?)?);
    }
    Ok((address, listeners))
}

fn tcp_socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // Connections of a forerunner that still wait for their last packets do not keep the port from us.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn listening<L: From<Socket>>(socket: Socket) -> io::Result<L> {
    socket.set_nonblocking(true)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bind_unix(path: &Path) -> io::Result<BoundUnix> {
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile::at(path)?;
    Ok(BoundUnix { listener: listening(socket)?, file })
}

/// Removes what a process that ended without cleaning up has left; nothing else.
fn remove_stale(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

/// The file of a unix socket; removed when dropped, unless somebody has put another in its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_path_buf(), identity: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            // Nobody is left to tell; the next start removes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Device and inode of a file.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::super::harness::{settings, tcp};
    use super::*;

    #[test]
    fn a_taken_port_is_an_error_that_names_address_and_setting() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = other.local_addr().unwrap();
        let error = bind(&settings(vec![Listen::Tcp { address, tls: false }])).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen at {address} (setting `listen`): the address is in use; \
                 stop the other program or choose another port"
            )
        );
    }

    #[test]
    fn a_second_one_that_would_share_the_port_is_refused() {
        let first = bind(&settings(vec![tcp()])).unwrap();
        let [listen] = first.addresses() else { panic!("{first:?}") };
        let error = bind(&settings(vec![listen.clone()])).unwrap_err();
        assert!(error.to_string().contains("in use"), "{error}");
        let listen = listen.clone();
        drop(first);
        bind(&settings(vec![listen])).unwrap();
    }

    #[test]
    fn each_worker_has_a_socket_of_its_own_at_one_port() {
        let bound = bind(&settings(vec![tcp()])).unwrap();
        let ports: Vec<_> = bound.tcp[0].listeners.iter().map(|one| one.local_addr().unwrap().port()).collect();
        assert_eq!(ports.len(), 2);
        assert_eq!(ports[0], ports[1]);
    }

    #[test]
    fn https_without_a_certificate_is_refused() {
        let address = "127.0.0.1:0".parse().unwrap();
        let error = bind(&settings(vec![Listen::Tcp { address, tls: true }])).unwrap_err();
        assert!(error.to_string().contains("add `[tls]`"), "{error}");
    }

    #[test]
    fn a_stale_socket_file_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        drop(UnixListener::bind(&path).unwrap());
        let bound = bind(&settings(vec![Listen::Unix(path.clone())])).unwrap();
        let error = bind(&settings(vec![Listen::Unix(path.clone())])).unwrap_err();
        assert!(error.to_string().contains("another program answers"), "{error}");
        drop(bound);
        assert!(!path.exists());
        fs::write(&path, "mine").unwrap();
        let error = bind(&settings(vec![Listen::Unix(path.clone())])).unwrap_err();
        assert!(error.to_string().contains("no socket"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
}
