//! A client that sends requests at a steady rate, whether or not answers come.
//!
//! Each thread has one connection and moments of its own at which a request is due. The time of a request counts from
//! when it was due, not from when it was sent: a server that stops for a second owes that second to every request that
//! was due in it. A rate of 0 asks for as many as can be had.
//!
//! The percentiles are those of each quarter of a second, and of these the median: a machine that stands still for a
//! moment, as shared ones do, spoils the quarter that it happens in and no other, while a server that is slow shows in
//! all of them.
//!
//!     steady ADDRESS RATE SECONDS THREADS FILE      FILE: the bytes of one request

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// What percentiles are taken over.
const WINDOW: Duration = Duration::from_millis(250);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, address, rate, seconds, threads, file] = &arguments[..] else {
        eprintln!("usage: steady ADDRESS RATE SECONDS THREADS FILE");
        std::process::exit(2);
    };
    let (rate, seconds, threads): (f64, f64, usize) = match (rate.parse(), seconds.parse(), threads.parse()) {
        (Ok(rate), Ok(seconds), Ok(threads)) => (rate, seconds, threads),
        _ => panic!("RATE, SECONDS and THREADS are numbers"),
    };
    let request = std::fs::read(file).expect("the file of the request");
    let started = Instant::now() + Duration::from_millis(200);
    let workers: Vec<_> = (0..threads)
        .map(|number| {
            let (address, request) = (address.clone(), request.clone());
            let worker = Worker { address, request, connection: None };
            let work = move || worker.work(started, number, threads, rate, seconds);
            std::thread::Builder::new().stack_size(128 * 1024).spawn(work).expect("a thread")
        })
        .collect();
    let mut windows = vec![Vec::new(); (seconds / WINDOW.as_secs_f64()).ceil() as usize + 1];
    let (mut served, mut lost) = (0, 0);
    for worker in workers {
        let (own, failed) = worker.join().expect("a worker");
        served += own.len();
        lost += failed;
        for (due, time) in own {
            let window = (due.as_secs_f64() / WINDOW.as_secs_f64()) as usize;
            windows[window].push(time);
        }
    }
    windows.retain(|window| !window.is_empty());
    println!(
        "{{\"served\":{served},\"lost\":{lost},\"seconds\":{:.3},\"p50\":{},\"p99\":{},\"max\":{}}}",
        started.elapsed().as_secs_f64(),
        usual(&mut windows, 0.5),
        usual(&mut windows, 0.99),
        windows.iter().flatten().max().unwrap_or(&0)
    );
}

/// The median over all windows of what so large a share of a window stays under.
fn usual(windows: &mut [Vec<u64>], share: f64) -> u64 {
    let at = |sorted: &[u64], share: f64| sorted[((sorted.len() as f64 * share) as usize).min(sorted.len() - 1)];
    let mut all = Vec::new();
    for window in windows {
        window.sort_unstable();
        all.push(at(window, share));
    }
    all.sort_unstable();
    if all.is_empty() { 0 } else { at(&all, 0.5) }
}

fn connect(address: &str) -> Option<TcpStream> {
    let stream = TcpStream::connect(address).ok()?;
    stream.set_nodelay(true).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    Some(stream)
}

struct Worker {
    address: String,
    request: Vec<u8>,
    connection: Option<TcpStream>,
}

impl Worker {
    /// When each request that was served was due, from the start, and the microseconds it took; and how many were not.
    fn work(
        mut self,
        started: Instant,
        number: usize,
        threads: usize,
        rate: f64,
        seconds: f64,
    ) -> (Vec<(Duration, u64)>, u64) {
        let (mut times, mut lost) = (Vec::new(), 0);
        // Connected before the first is due.
        self.connection = connect(&self.address);
        let end = started + Duration::from_secs_f64(seconds);
        for turn in 0_u64.. {
            let due = if rate > 0.0 {
                started + Duration::from_secs_f64((turn as f64 * threads as f64 + number as f64) / rate)
            } else {
                Instant::now().max(started)
            };
            if due >= end {
                break;
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            match self.ask() {
                Some(()) => times.push((due - started, due.elapsed().as_micros() as u64)),
                None => {
                    self.connection = None;
                    lost += 1;
                }
            }
        }
        (times, lost)
    }

    /// One request and its whole answer; `None`: it was not 200, or broke off.
    fn ask(&mut self) -> Option<()> {
        if self.connection.is_none() {
            self.connection = connect(&self.address);
        }
        let stream = self.connection.as_mut()?;
        stream.write_all(&self.request).ok()?;
        let mut answer = Vec::with_capacity(1024);
        let mut piece = [0; 4096];
        loop {
            let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
            answer.extend_from_slice(&piece[..read]);
            let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
            let length: usize = head.split("content-length:").nth(1)?.lines().next()?.trim().parse().ok()?;
            if answer.len() >= end + 4 + length {
                return head.starts_with("http/1.1 200").then_some(());
            }
        }
    }
}
