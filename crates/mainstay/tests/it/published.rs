//! What was published binds: events that changed as their consumers can't bear are told, compared
//! with the architecture of git's HEAD, or with that on the disk where there is no git.

use crate::harness::{Folder, run};
use expect_test::expect;
use std::process::Command;

const MODEL: &str = "\
system: notes
actors: { writer: oidc }
contexts:
  notes:
    resources:
      Note:
        fields: { text: string max 200 }
        allow: { read: writer, write: writer }
        emit: [created]
";

/// A model that was designed, in a directory that is no git work tree.
fn designed() -> Folder {
    let folder = Folder::new().with("mainstay.yaml", MODEL);
    let ran = run(&["design", folder.path()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    folder
}

fn with_text(folder: Folder, text: &str) -> Folder {
    folder.with("mainstay.yaml", &MODEL.replace("string max 200", text))
}

/// Runs git in the folder; who commits there is named, for the machine may not say so.
fn git(folder: &Folder, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=a", "-c", "user.email=a@example.com", "-C", folder.path()]);
    let done = git.args(arguments).output().expect("git is there");
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_break_is_refused_and_may_be_allowed() {
    let folder = with_text(designed(), "string max 300");
    let ran = run(&["check", folder.path()]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, "1 error\n"), "{}", ran.stdout);
    expect![[r#"
        error[E103]: `data.text` of `note.created` may be more, or longer, than before
         --> DIR/mainstay.yaml:9:16
          |
        7 |         fields: { text: string max 300 }
          |                   ---- the field
        ...
        9 |         emit: [created]
          |                ^^^^^^^
          = why: a consumer of `note.created` as it was published can't read 201 characters in `data.text`
          = help: declare it under `events` with `version: 2` and say in `from: { 1: … }` how what was told is read; or publish another event beside `note.created` until nobody waits for this one; where all can bear it: `--allow-breaking note.created`

    "#]].assert_eq(&ran.stdout.replace(folder.path(), "DIR"));
    let ran = run(&["design", folder.path()]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("error[E103]: `data.text` of `note.created`"), "{}", ran.stderr);
    let other = run(&["check", folder.path(), "--allow-breaking", "note.deleted"]);
    assert_eq!(other.code, 1, "another event may break");
    let allowed = ["--allow-breaking", "note.created"];
    for verb in ["check", "design"] {
        let ran = run(&[&[verb, folder.path()][..], &allowed].concat());
        assert_eq!(ran.code, 0, "{verb}: {}{}", ran.stdout, ran.stderr);
    }
    assert_eq!(run(&["check", folder.path()]).code, 0, "that is what is published now");
}

#[test]
fn what_consumers_do_not_notice_passes() {
    let folder = with_text(designed(), "string max 100, stars: int 0..5 = 0");
    let ran = run(&["check", folder.path()]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
}

#[test]
fn the_last_commit_is_what_is_published() {
    let folder = Folder::new().with("mainstay.yaml", MODEL);
    git(&folder, &["init", "-q"]);
    // Not committed yet: nobody has seen it.
    let folder = with_text(folder, "string max 100");
    assert_eq!(run(&["design", folder.path()]).code, 0);
    let folder = with_text(folder, "string max 200");
    assert_eq!(run(&["design", folder.path()]).code, 0);
    git(&folder, &["add", "-A"]);
    git(&folder, &["commit", "-qm", "a"]);

    // What lies on the disk does not count, whichever it is.
    let folder = with_text(folder, "string max 300");
    assert_eq!(run(&["design", folder.path(), "--allow-breaking", "note.created"]).code, 0);
    assert_eq!(run(&["check", folder.path()]).code, 1);
    std::fs::remove_dir_all(folder.0.join("architecture")).expect("it was written");
    assert_eq!(run(&["check", folder.path()]).code, 1);
    assert_eq!(run(&["design", folder.path(), "--allow-breaking", "note.created"]).code, 0);
    git(&folder, &["add", "-A"]);
    git(&folder, &["commit", "-qm", "b"]);
    assert_eq!(run(&["check", folder.path()]).code, 0);
}

#[test]
fn what_was_published_and_cannot_be_read_is_a_warning() {
    let folder = designed().with("architecture/architecture.json", "{\n  \"model\": 3\n}\n");
    let ran = run(&["check", folder.path()]);
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.contains("warning[E103]: the architecture that was published"));
    assert!(ran.stdout.contains("missing field `domain`"), "{}", ran.stdout);
}
