//! Whether the files of the model are others than they were: looked at now and then, since editors
//! replace files in ways that no two systems tell alike.

use crate::model_files;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(250);
/// A look at many files takes no more than this share of the time.
const SHARE: u32 = 20;

/// What is seen of a file without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    path: PathBuf,
    /// None where it is not there.
    seen: Option<(u64, SystemTime, u64, i64, i64)>,
}

/// A watch on the files of a model.
pub(super) struct Watch {
    path: PathBuf,
    environment: Option<String>,
    /// As they were when the model was last read.
    read: Vec<Mark>,
    /// As they were at the last look.
    last: Vec<Mark>,
    every: Duration,
}

impl Watch {
    /// On the model at a path; what is there now is known.
    pub(super) fn new(path: &Path, environment: Option<&str>) -> Self {
        let (path, environment) = (path.to_owned(), environment.map(str::to_owned));
        let mut watch =
            Self { path, environment, read: Vec::new(), last: Vec::new(), every: EVERY };
        watch.last = watch.look();
        watch.read = watch.last.clone();
        watch
    }

    /// How long to wait for the next look.
    pub(super) fn every(&self) -> Duration {
        self.every
    }

    /// True where the files are others than at the time of the last reading, and are not being
    /// written any more: two looks saw the same.
    pub(super) fn changed(&mut self) -> bool {
        let now = self.look();
        let settled = now == self.last;
        self.last = now;
        if !settled || self.last == self.read {
            return false;
        }
        self.read.clone_from(&self.last);
        true
    }

    /// The model is about to be read, whatever the files look like.
    pub(super) fn reads(&mut self) {
        self.last = self.look();
        self.read.clone_from(&self.last);
    }

    fn look(&mut self) -> Vec<Mark> {
        let started = Instant::now();
        // A directory that can't be read is one without files: reading says what is wrong.
        let paths = model_files::candidates(&self.path, self.environment.as_deref());
        let marks = paths.unwrap_or_default().into_iter().map(Mark::of).collect();
        self.every = EVERY.max(started.elapsed() * SHARE);
        marks
    }
}

impl Mark {
    fn of(path: PathBuf) -> Self {
        let seen = std::fs::metadata(&path).ok().map(|metadata| {
            let written = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let (file, second, nano) = identity(&metadata);
            (metadata.len(), written, file, second, nano)
        });
        Self { path, seen }
    }
}

/// Which file it is and when it was last touched: times of writing can be set, these can't.
#[cfg(unix)]
fn identity(metadata: &std::fs::Metadata) -> (u64, i64, i64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

/// Elsewhere length and time of writing have to do.
#[cfg(not(unix))]
fn identity(_: &std::fs::Metadata) -> (u64, i64, i64) {
    (0, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_and_only_when_the_files_have_settled() {
        let folder = std::env::temp_dir().join(format!("watch-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("writable");
        let main = folder.join("mainstay.yaml");
        std::fs::write(&main, "system: a").expect("writable");
        let mut watch = Watch::new(&folder, None);
        assert!(!watch.changed(), "nothing has changed");
        std::fs::write(folder.join("new"), "system: b").expect("writable");
        std::fs::rename(folder.join("new"), &main).expect("writable");
        assert!(!watch.changed(), "it may still be written");
        assert!(watch.changed(), "it has settled");
        assert!(!watch.changed(), "it was told");
        std::fs::write(folder.join("more.yaml"), "contexts: {}").expect("writable");
        watch.changed();
        assert!(watch.changed(), "a file that comes is a change");
        std::fs::remove_file(folder.join("more.yaml")).expect("writable");
        watch.changed();
        assert!(watch.changed(), "so is one that goes");
        std::fs::write(&main, "system: c").expect("writable");
        watch.reads();
        assert!(!watch.changed() && !watch.changed(), "it was read meanwhile");
        std::fs::remove_dir_all(&folder).expect("removable");
    }
}
