//! Takes in connections until the stopping begins; an error makes it pause, never end.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::sleep;

use super::drain::{DrainSignal, Phase};

/// The first pause after an error, doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The longest pause: descriptors that have become free are used again within a second.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Gives each connection that `accept` yields to `take`. When the stopping begins, those that already wait are
/// still taken, since the system would reset them.
pub(super) async fn accept_all<T>(
    mut accept: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>,
    mut drain: DrainSignal,
    mut take: impl AsyncFnMut(T),
) {
    let mut stopping = pin!(drain.reached(Phase::Stopping));
    let mut pause = FIRST_PAUSE;
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stopping => break,
            accepted = poll_fn(&mut accept) => accepted,
        };
        match accepted {
            Ok(connection) => {
                pause = FIRST_PAUSE;
                take(connection).await;
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, pause_ms = pause.as_millis(), "cannot accept a connection, trying again; where descriptors ran out, raise `ulimit -n` or lower \
                     [limits] connections");
                tokio::select! {
                    () = &mut stopping => break,
                    () = sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
    loop {
        let waiting = poll_fn(|cx| match accept(cx) {
            Poll::Ready(Ok(connection)) => Poll::Ready(Some(connection)),
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Ready(None),
        });
        let Some(connection) = waiting.await else { return };
        take(connection).await;
    }
}

/// Whether an error says something about the one connection that was to be accepted, and nothing about the next.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use super::super::Drain;
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn an_error_pauses_and_does_not_end_it() {
        let drain = Drain::default();
        let mut script: VecDeque<io::Result<u32>> = VecDeque::new();
        script.extend([Ok(1), Err(io::ErrorKind::ConnectionAborted.into()), Ok(2)]);
        // What EMFILE comes as.
        script.extend([Err(io::Error::from_raw_os_error(24)), Err(io::Error::from_raw_os_error(24)), Ok(3)]);
        let taken = RefCell::new(Vec::new());
        let accept = |_: &mut Context<'_>| script.pop_front().map_or(Poll::Pending, Poll::Ready);
        let accepting = accept_all(accept, drain.signal(), async |number| {
            taken.borrow_mut().push(number);
            if number == 3 {
                drain.end();
            }
        });
        accepting.await;
        assert_eq!(*taken.borrow(), [1, 2, 3]);
    }
}
