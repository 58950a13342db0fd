//! Files whose change matters, watched by looking at them.
//!
//! Looking finds what notices of the system miss: some runtimes deliver none, and the kubelet swaps a link two folders up
//! instead of writing a file. A look is one `stat` a file, through all links. What a `stat` does not show (a file system
//! with coarse times) shows in the content, which is compared now and then.
//!
//! Whoever reads files first and watches them afterwards takes a [`Glimpse`] of each before it is read, or a change in
//! between would never be told.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest;
use tokio::time::{Instant, sleep};

/// How often files are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How often their content is.
const READ: Duration = Duration::from_secs(10);
/// How long a change must have come to rest before it is told: most files are not written in one go.
const REST: Duration = Duration::from_millis(100);
/// How many times that is waited for; who writes for ever is not waited for.
const RESTS: usize = 3;
/// What is read of a file to tell whether it changed, in bytes. Beyond that its `stat` must do.
const MOST: u64 = 1 << 20;

/// Some files, and how they were when last looked at.
#[derive(Debug)]
pub struct Watch {
    files: Vec<(PathBuf, Look)>,
    read: Instant,
    /// Whether a change was seen and not told yet: whoever waits may give up before it has come to rest.
    untold: bool,
}

/// How a file was before it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glimpse {
    file: PathBuf,
    stat: Option<Stat>,
}

impl Glimpse {
    /// Looks at a file, whether it is there or not. Blocks for as long as that takes.
    pub fn of(file: &Path) -> Self {
        Self { file: file.to_owned(), stat: std::fs::metadata(file).ok().and_then(|found| told(&found)) }
    }

    /// Whether the file still is as it was then. Blocks like [`Glimpse::of`].
    pub fn holds(&self) -> bool {
        Self::of(&self.file) == *self
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

/// Which file it is, how large, and when it was written.
type Stat = [i64; 6];

/// How a file looks; `None`: it is not there, or may not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Look {
    stat: Option<Stat>,
    content: Option<Box<[u8]>>,
}

impl Watch {
    /// Watches these files from now on, whether they are there or not.
    pub async fn new(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut watched = Vec::new();
        for file in files {
            let look = Look { stat: stat(&file).await, content: content(&file).await };
            watched.push((file, look));
        }
        Self { files: watched, read: Instant::now(), untold: false }
    }

    /// Watches files that were read: what has changed since these glimpses is told at once.
    pub async fn since(glimpses: impl IntoIterator<Item = Glimpse>) -> Self {
        let mut watched = Vec::new();
        for Glimpse { file, stat: before } in glimpses {
            let content = content(&file).await;
            let same = stat(&file).await == before;
            watched.push((file, Look { stat: before, content: content.filter(|_| same) }));
        }
        Self { files: watched, read: Instant::now(), untold: false }
    }

    /// Waits until one of them has changed and come to rest. May be dropped and called again: nothing is missed.
    pub async fn changed(&mut self) {
        self.look().await;
        while !self.untold {
            sleep(LOOK).await;
            self.look().await;
        }
        for _ in 0..RESTS {
            sleep(REST).await;
            if !self.look().await {
                break;
            }
        }
        self.untold = false;
    }

    /// Looks at all of them; whether one has changed since.
    async fn look(&mut self) -> bool {
        let reads = self.read.elapsed() >= READ;
        if reads {
            self.read = Instant::now();
        }
        let mut changed = false;
        for (file, before) in &mut self.files {
            let stat = stat(file).await;
            let touched = stat != before.stat;
            if touched || reads {
                let content = content(file).await;
                changed |= content != before.content || (touched && content.is_none());
                self.untold |= changed;
                before.content = content;
            }
            before.stat = stat;
        }
        changed
    }
}

/// How a file looks from outside.
async fn stat(file: &Path) -> Option<Stat> {
    told(&tokio::fs::metadata(file).await.ok()?)
}

/// What matters of it. Only an ordinary file stays what it is until it is changed.
fn told(found: &Metadata) -> Option<Stat> {
    let [device, inode, size] = [found.dev(), found.ino(), found.size()].map(u64::cast_signed);
    found.is_file().then(|| [device, inode, size, found.mtime(), found.mtime_nsec(), found.ctime_nsec()])
}

/// A digest of the content, where it is an ordinary file that is not too large.
async fn content(file: &Path) -> Option<Box<[u8]>> {
    let found = tokio::fs::metadata(file).await.ok()?;
    if !found.is_file() || found.len() > MOST {
        return None;
    }
    let bytes = tokio::fs::read(file).await.ok()?;
    Some(digest::digest(&digest::SHA256, &bytes).as_ref().into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    async fn notices(watch: &mut Watch) -> bool {
        tokio::time::timeout(Duration::from_millis(900), watch.changed()).await.is_ok()
    }

    #[tokio::test]
    async fn a_change_that_nobody_waited_for_to_the_end_is_told_later() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "a").unwrap();
        let mut watch = Watch::new([file.clone()]).await;
        std::fs::write(&file, "b").unwrap();
        let impatient = tokio::time::timeout(REST / 2, watch.changed()).await;
        assert!(impatient.is_err(), "it has not come to rest");
        assert!(notices(&mut watch).await, "it was seen before");
        assert!(!notices(&mut watch).await, "it was told");
    }

    #[tokio::test]
    async fn every_way_to_change_a_file_is_noticed_within_a_second_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for version in ["..1", "..2"] {
            std::fs::create_dir(at(version)).unwrap();
            std::fs::write(at(version).join("keys"), version).unwrap();
        }
        // As the kubelet lays out a ConfigMap.
        symlink("..1", at("..data")).unwrap();
        symlink("..data/keys", at("keys")).unwrap();
        std::fs::write(at("plain"), "a").unwrap();
        let mut watch = Watch::new([at("keys"), at("plain"), at("late")]).await;
        assert!(!notices(&mut watch).await, "nothing happened");
        symlink("..2", at("..tmp")).unwrap();
        std::fs::rename(at("..tmp"), at("..data")).unwrap();
        assert!(notices(&mut watch).await, "a link was swapped");
        std::fs::write(at("plain"), "b").unwrap();
        assert!(notices(&mut watch).await, "a file was written");
        std::fs::write(at("next"), "b").unwrap();
        std::fs::rename(at("next"), at("plain")).unwrap();
        assert!(!notices(&mut watch).await, "the same content is no change");
        std::fs::write(at("late"), "c").unwrap();
        assert!(notices(&mut watch).await, "a file came");
        std::fs::remove_file(at("late")).unwrap();
        assert!(notices(&mut watch).await, "a file went");
        assert!(!notices(&mut watch).await, "nothing happened again");
    }
    #[tokio::test]
    async fn what_changed_between_the_reading_and_the_watch_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let [kept, late, gone] = ["kept", "late", "gone"].map(|name| folder.path().join(name));
        std::fs::write(&kept, "a").unwrap();
        std::fs::write(&gone, "a").unwrap();
        let glimpses = [&kept, &late, &gone].map(|file| Glimpse::of(file));
        assert!(!notices(&mut Watch::since(glimpses.clone()).await).await, "nothing happened");
        std::fs::write(&late, "a").unwrap();
        assert!(notices(&mut Watch::since(glimpses.clone()).await).await, "a file came");
        std::fs::remove_file(&late).unwrap();
        std::fs::remove_file(&gone).unwrap();
        assert!(notices(&mut Watch::since(glimpses).await).await, "a file went");
    }
}
