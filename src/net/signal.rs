//! Signals of the operating system as plain events; what they lead to is decided by whoever listens.

use std::io;

use tokio::signal::unix::{Signal as Source, SignalKind, signal};

/// What the operating system asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The first SIGTERM or SIGINT: drain.
    Drain,
    /// A further SIGTERM or SIGINT: end at once.
    End,
    /// SIGHUP: read the configuration anew.
    Reload,
}

/// The stream of them.
#[derive(Debug)]
pub struct Signals {
    terminate: Source,
    interrupt: Source,
    hangup: Source,
    asked: bool,
}

impl Signals {
    /// Takes over the three signals of this process. To be called inside a runtime with I/O.
    ///
    /// # Errors
    ///
    /// Where the system does not let a handler be set; trying again does not help.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            asked: false,
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.terminate.recv() => self.stop(),
            Some(()) = self.interrupt.recv() => self.stop(),
            Some(()) = self.hangup.recv() => Signal::Reload,
            // The sources end with the runtime alone, and then there is nobody left to tell.
            else => std::future::pending().await,
        }
    }

    fn stop(&mut self) -> Signal {
        if std::mem::replace(&mut self.asked, true) { Signal::End } else { Signal::Drain }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn send(name: &str) {
        let status = Command::new("kill").args([name, &std::process::id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_first_stop_drains_the_second_ends_and_a_hangup_reloads() {
        let mut signals = Signals::catch().unwrap();
        send("-HUP");
        assert_eq!(signals.next().await, Signal::Reload);
        send("-TERM");
        assert_eq!(signals.next().await, Signal::Drain);
        send("-INT");
        assert_eq!(signals.next().await, Signal::End);
    }
}
