//! What the kernel says of this process, read from `/proc/self` when somebody asks.
//!
//! Where there is no `/proc` (other systems, a hardened sandbox) each figure is simply absent.

use std::fs;

/// Clock ticks a second in `/proc`. The kernel scales what it shows there to this number on every architecture that
/// this program is built for (`USER_HZ`, proc_pid_stat(5)), so there is no need to ask the C library.
const TICKS_PER_SECOND: f64 = 100.0;

/// The figures; `None` where the kernel does not tell.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// User and system time, in seconds.
    pub(super) cpu_seconds: Option<f64>,
    /// Resident memory, in bytes.
    pub(super) resident_bytes: Option<u64>,
    /// Open file descriptors.
    pub(super) open_fds: Option<u64>,
    /// Most file descriptors that may be open; also absent where that is unlimited.
    pub(super) max_fds: Option<u64>,
    /// When the process began, in seconds since 1970.
    pub(super) start_seconds: Option<f64>,
    /// Threads.
    pub(super) threads: Option<u64>,
}

impl Figures {
    /// Asks the kernel. Blocks for as long as it takes to read five small files that are made up in memory.
    pub(super) fn read() -> Self {
        let text = |path| fs::read_to_string(path).ok();
        let stat = text("/proc/self/stat").and_then(|text| Stat::parse(&text));
        let boot = text("/proc/stat").and_then(|text| field(&text, "btime"));
        Self {
            cpu_seconds: stat.as_ref().map(|stat| stat.cpu_ticks / TICKS_PER_SECOND),
            resident_bytes: text("/proc/self/status").and_then(|text| field(&text, "VmRSS:")).map(|kib| kib * 1_024),
            open_fds: open_fds(),
            max_fds: text("/proc/self/limits").and_then(|text| field(&text, "Max open files")),
            start_seconds: start(boot, stat.as_ref()),
            threads: stat.as_ref().map(|stat| stat.threads),
        }
    }
}

/// The fields of `/proc/self/stat` that are of use.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_ticks: f64,
    threads: u64,
    start_ticks: f64,
}

impl Stat {
    /// Reads them by their place in proc_pid_stat(5).
    fn parse(text: &str) -> Option<Self> {
        // The second field is the name in parentheses, which may hold blanks and parentheses of its own.
        let (_, after_name) = text.rsplit_once(')')?;
        let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
        let at = |number: usize| fields.get(number.checked_sub(3)?).copied();
        let ticks = |number| at(number)?.parse::<f64>().ok();
        Some(Self { cpu_ticks: ticks(14)? + ticks(15)?, threads: at(20)?.parse().ok()?, start_ticks: ticks(22)? })
    }
}

/// The start of the process: seconds from 1970 to boot, and ticks from boot to then.
fn start(boot: Option<u64>, stat: Option<&Stat>) -> Option<f64> {
    Some(boot? as f64 + stat?.start_ticks / TICKS_PER_SECOND)
}

/// The first word after `name` in the line that begins with it, as a number.
fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

/// The number of open descriptors, without the one that is used to count them.
fn open_fds() -> Option<u64> {
    let entries = fs::read_dir("/proc/self/fd").ok()?.count();
    u64::try_from(entries.saturating_sub(1)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_blanks_moves_no_field() {
        let text = "7 (a) b (c) S 1 7 7 0 -1 4194560 9 0 0 0 150 50 0 0 20 0 3 0 4200 1000 250 18446744073709551615";
        assert_eq!(Stat::parse(text), Some(Stat { cpu_ticks: 200.0, threads: 3, start_ticks: 4_200.0 }));
    }

    #[test]
    fn what_is_not_told_is_absent() {
        assert_eq!(Stat::parse("7 (x) S 1"), None);
        assert_eq!(Stat::parse(""), None);
        assert_eq!(
            field("Max open files            unlimited            unlimited            files\n", "Max open files"),
            None
        );
        assert_eq!(field("", "VmRSS:"), None);
        assert_eq!(start(None, None), None);
    }

    #[test]
    fn numbers_are_found_by_the_start_of_their_line() {
        let limits =
            "Max cpu time  unlimited\nMax open files            1024                 524288               files\n";
        assert_eq!(field(limits, "Max open files"), Some(1_024));
        assert_eq!(field("VmHWM:\t 9 kB\nVmRSS:\t  5120 kB\n", "VmRSS:"), Some(5_120));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_figures() {
        let figures = Figures::read();
        assert!(figures.resident_bytes.unwrap() > 100_000);
        assert!(figures.open_fds.unwrap() >= 3);
        assert!(figures.threads.unwrap() >= 1);
        assert!(figures.start_seconds.unwrap() > 1_500_000_000.0);
        assert!(figures.cpu_seconds.is_some());
    }
}
