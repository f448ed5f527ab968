//! What was published last: the `architecture/architecture.json` beside a model, as git's HEAD has
//! it. Whoever reads events was written for that, whatever lies in the work tree.

use crate::pipeline::Checked;
use ir::diagnostic::has_errors;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Where it is, below the directory of the model.
const PLACE: &str = "architecture/architecture.json";
/// Bytes that are read of it at most.
const BYTES_MAX: u64 = 256 << 20;
/// Git may take so long for an answer; then what lies on the disk is compared with.
const GIT_MILLIS_MAX: u64 = 10_000;

/// Tells what consumers of published events can't bear of a model that is fine otherwise, but for
/// the events that are `allowed` to break. True where one breaks: the model is not fine any more.
pub(crate) fn compare(checked: &mut Checked, allowed: &[String]) -> bool {
    let Some(model) = &checked.model else { return false };
    let found = match last(&checked.home).map(|text| formats::published::events(&text?)) {
        None => return false,
        Some(Ok(old)) => design::check::broken_consumers(&old, model, allowed),
        Some(Err(reason)) => vec![design::check::unreadable(model, &reason)],
    };
    let breaks = has_errors(&found);
    if breaks {
        checked.model = None;
    }
    checked.diagnostics.extend(found);
    checked.diagnostics.sort_by_key(|found| (found.primary.span, found.code));
    breaks
}

/// The text that was published; none where nothing was.
fn last(home: &Path) -> Option<Result<String, String>> {
    let committed = git(home, &["cat-file", "blob", &format!("HEAD:./{PLACE}")]);
    if let Some(bytes) = committed {
        return Some(text(bytes));
    }
    // In a work tree, what is not committed was shown to nobody.
    if git(home, &["rev-parse", "--is-inside-work-tree"]).is_some_and(|says| says == b"true\n") {
        return None;
    }
    let file = match std::fs::File::open(home.join(PLACE)) {
        Ok(file) => file,
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return None,
        Err(fault) => return Some(Err(fault.to_string())),
    };
    let mut bytes = Vec::new();
    Some(match file.take(BYTES_MAX + 1).read_to_end(&mut bytes) {
        Ok(_) => text(bytes),
        Err(fault) => Err(fault.to_string()),
    })
}

fn text(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.len() as u64 > BYTES_MAX {
        return Err(format!("it has more than {BYTES_MAX} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "it is no UTF-8".to_owned())
}

/// What git answers in that directory; none where it is not there, refuses, or takes too long.
fn git(home: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let mut git = Command::new("git");
    git.arg("-C").arg(home).args(arguments).env("GIT_OPTIONAL_LOCKS", "0");
    git.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = git.spawn().ok()?;
    let out = child.stdout.take();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = out.map(|out| out.take(BYTES_MAX + 1).read_to_end(&mut bytes));
        // Nobody listens any more where it took too long.
        let _late = tell.send(matches!(read, Some(Ok(_))).then_some(bytes));
    });
    let bytes = told.recv_timeout(Duration::from_millis(GIT_MILLIS_MAX)).ok().flatten();
    let whole = bytes.as_ref().is_some_and(|bytes| bytes.len() as u64 <= BYTES_MAX);
    if !whole {
        // It may have ended by itself.
        let _ended = child.kill();
    }
    let ended = child.wait().ok()?;
    match (bytes, whole) {
        (Some(bytes), true) => ended.success().then_some(bytes),
        // Too long to be taken in: whoever is given it says so.
        (Some(bytes), false) => Some(bytes),
        (None, _) => None,
    }
}
