//! The answer to a connection that is one too many.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::stream::Stream;

const OVERLOADED: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// How long a refused connection may take to read its answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// Says that there are too many connections, and closes.
pub(super) async fn overloaded(mut stream: Stream) {
    let _ = timeout(PATIENCE, async {
        stream.write_all(OVERLOADED).await?;
        close(&mut stream).await
    })
    .await;
}

/// Closes the sending side and reads on until the peer has closed too. Were the socket dropped while bytes of the
/// peer lie unread, the system would send a reset, and the peer could lose the answer that it has not read yet.
pub(super) async fn close<IO: AsyncReadExt + AsyncWriteExt + Unpin>(stream: &mut IO) -> std::io::Result<()> {
    stream.shutdown().await?;
    let mut unread = vec![0; 8192];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}
