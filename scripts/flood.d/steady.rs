//! A client that sends requests at a steady rate, whether or not answers come.
//!
//! Each thread has one connection and moments of its own at which a request is due. The time of a request counts from
//! when it was due, not from when it was sent: a server that stops for a second owes that second to every request that
//! was due in it. A rate of 0 asks for as many as can be had.
//!
//!     steady ADDRESS RATE SECONDS THREADS FILE      FILE: the bytes of one request

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

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
    let (mut times, mut lost) = (Vec::new(), 0);
    for worker in workers {
        let (own, failed) = worker.join().expect("a worker");
        times.extend(own);
        lost += failed;
    }
    times.sort_unstable();
    let place = |share: f64| ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
    let at = |share: f64| times.get(place(share)).copied().unwrap_or(0);
    println!(
        "{{\"served\":{},\"lost\":{lost},\"seconds\":{:.3},\"p50\":{},\"p99\":{},\"max\":{}}}",
        times.len(),
        started.elapsed().as_secs_f64(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
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
    /// Microseconds of each request that was served, and how many were not.
    fn work(mut self, started: Instant, number: usize, threads: usize, rate: f64, seconds: f64) -> (Vec<u64>, u64) {
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
                Some(()) => times.push(due.elapsed().as_micros() as u64),
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
