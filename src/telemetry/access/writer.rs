//! The thread behind the access log: takes records, formats them, writes them in batches.
//!
//! After a batch it pauses for a few milliseconds before it looks again, and only then goes to sleep on the channel. A
//! sleeping receiver costs each sender a system call to wake it, so under load no request pays for that.

use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use super::{Message, line};
use crate::telemetry::LogFormat;
use crate::telemetry::metrics::Count;

/// Bytes that are gathered before they are written without waiting for the channel to run empty.
const BATCH_BYTES: usize = 64 * 1_024;
/// The pause. No line is late by more than this, and the queue holds what comes meanwhile.
const PAUSE: Duration = Duration::from_millis(5);

/// Formats and writes.
pub(super) struct Writer {
    sink: Box<dyn Write + Send>,
    dropped: Arc<Count>,
    batch: String,
    lines: u64,
}

impl Writer {
    /// A writer with nothing written yet.
    pub(super) fn new(sink: Box<dyn Write + Send>, dropped: Arc<Count>) -> Self {
        Self { sink, dropped, batch: String::new(), lines: 0 }
    }

    /// Works until it is told to stop or nobody is left to send. The channel is taken, so that whoever sends afterwards
    /// learns that nobody receives; what came in behind the word to stop counts as dropped.
    pub(super) fn run(mut self, inbox: Receiver<Message>) {
        while let Ok(message) = inbox.recv() {
            if !self.take(message) || !self.keep_up(&inbox) {
                break;
            }
        }
        self.flush();
        inbox.try_iter().filter(|message| matches!(message, Message::Record(..))).for_each(|_| self.dropped.add());
    }

    /// Takes what comes, and flushes whenever there is nothing, until two looks in a row find nothing. False: stop.
    fn keep_up(&mut self, inbox: &Receiver<Message>) -> bool {
        let mut rested = false;
        loop {
            match inbox.try_recv() {
                Ok(message) => {
                    rested = false;
                    if !self.take(message) {
                        return false;
                    }
                }
                Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) if rested => return true,
                Err(TryRecvError::Empty) => {
                    self.flush();
                    thread::sleep(PAUSE);
                    rested = true;
                }
            }
        }
    }

    /// Adds one line to the batch. False: there are to be no more.
    fn take(&mut self, message: Message) -> bool {
        let Message::Record(record, format) = message else { return false };
        match format {
            LogFormat::Json => line::json(&record, &mut self.batch),
            LogFormat::Text => line::text(&record, &mut self.batch),
        }
        self.batch.push('\n');
        self.lines += 1;
        if self.batch.len() >= BATCH_BYTES {
            self.flush();
        }
        true
    }

    /// Hands the batch to the sink. A sink that fails loses it, which is counted: there is nowhere else to say so line
    /// by line, and the next batch may succeed.
    fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let written = self.sink.write_all(self.batch.as_bytes()).and_then(|()| self.sink.flush());
        if written.is_err() {
            self.dropped.add_many(self.lines);
        }
        self.batch.clear();
        self.lines = 0;
    }
}
