//! What a user sees of a diagnostic.

use super::{json, terminal};
use expect_test::{Expect, expect};
use ir::source::SourceFile;
use ir::{Code, Diagnostic, Sources, Span};

const CODE: Code = Code("E012");

/// The span of the first `what` in the first file.
fn at(sources: &Sources, what: &str) -> Span {
    let start = sources.files[0].text.find(what).expect("the test names a text of its own source");
    Span::new(0, start, start + what.len())
}

fn check(sources: &Sources, diagnostics: &[Diagnostic], expected: Expect) {
    expected.assert_eq(&terminal(sources, diagnostics, false));
}

#[test]
fn a_whole_diagnostic_shows_line_caret_other_places_why_help_and_the_corrected_line() {
    let text = "system: shop\nactors: { user: oidc }\n\n\ncontexts:\n  a: { feilds: 1 }\n";
    let sources = Sources::one("mainstay.yaml", text);
    let diagnostic = Diagnostic::error(CODE, at(&sources, "feilds"), "unknown key `feilds`")
        .label("not known here")
        .also(at(&sources, "actors"), "actors stand here")
        .also(at(&sources, "shop"), "in this system")
        .why("what is not read would be forgotten")
        .help("did you mean `fields`?\nor a second line")
        .fix("fields");
    check(
        &sources,
        &[diagnostic],
        expect![[r#"
        error[E012]: unknown key `feilds`
         --> mainstay.yaml:6:8
          |
        1 | system: shop
          |         ---- in this system
        2 | actors: { user: oidc }
          | ------ actors stand here
        ...
        6 |   a: { feilds: 1 }
          |        ^^^^^^ not known here
          = why: what is not read would be forgotten
          = help: did you mean `fields`?
                  or a second line
        6 +   a: { fields: 1 }
    "#]],
    );
}

#[test]
fn diagnostics_come_in_the_order_of_their_places() {
    let sources = Sources::one("m.yaml", "a: 1\nb: 2\n");
    let second = Diagnostic::warning(CODE, at(&sources, "b"), "second");
    let first = Diagnostic::note(CODE, at(&sources, "a"), "first");
    check(
        &sources,
        &[second, first],
        expect![[r#"
        note[E012]: first
         --> m.yaml:1:1
          |
        1 | a: 1
          | ^

        warning[E012]: second
         --> m.yaml:2:1
          |
        2 | b: 2
          | ^
    "#]],
    );
}

#[test]
fn wide_characters_tabs_and_escapes_keep_the_caret_in_place_and_the_terminal_unharmed() {
    let sources = Sources::one("m.yaml", "\t日本語: \u{1b}[31m\u{202e}ünïcode wrong\n");
    let diagnostic = Diagnostic::error(CODE, at(&sources, "wrong"), "bad \u{1b}[2J word");
    check(
        &sources,
        &[diagnostic],
        expect![[r#"
        error[E012]: bad �[2J word
         --> m.yaml:1:21
          |
        1 |     日本語: �[31m�ünïcode wrong
          |                           ^^^^^
    "#]],
    );
}

#[test]
fn a_very_long_line_is_clipped_around_the_caret() {
    let text = format!("a: {} here {}\n", "x".repeat(50_000), "y".repeat(50_000));
    let sources = Sources::one("m.yaml", &text);
    let diagnostic = Diagnostic::error(CODE, at(&sources, "here"), "too long").label("this");
    let long = Diagnostic::error(CODE, Span::new(0, 3, 50_000), "all of it").fix("short");
    check(
        &sources,
        &[diagnostic, long],
        expect![[r#"
        error[E012]: all of it
         --> m.yaml:1:4
          |
        1 | a: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
          |    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        1 + a: shortxxx here yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…

        error[E012]: too long
         --> m.yaml:1:50005
          |
        1 | …xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx here yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…
          |                                          ^^^^ this
    "#]],
    );
}

#[test]
fn empty_files_ends_of_files_and_unknown_files_are_places_too() {
    let mut sources = Sources::one("empty.yaml", "");
    sources.files.push(SourceFile { path: "b.yaml".to_owned(), text: "a: é".to_owned() });
    let diagnostics = [
        Diagnostic::error(CODE, Span::new(0, 0, 0), "nothing in it"),
        Diagnostic::error(CODE, Span::new(1, 5, 5), "ends too early"),
        Diagnostic::error(CODE, Span::new(1, 4, 900), "in the midst of a character"),
        Diagnostic::error(CODE, Span::new(1, 0, 1), "in two files")
            .also(Span::new(0, 0, 0), "here"),
        Diagnostic::error(CODE, Span::new(7, 5, 5), "in no file"),
    ];
    check(
        &sources,
        &diagnostics,
        expect![[r#"
        error[E012]: nothing in it
         --> empty.yaml:1:1
          |
        1 |
          | ^

        error[E012]: in two files
         --> b.yaml:1:1
          |
        1 | a: é
          | ^
         ::: empty.yaml:1:1
        1 |
          | - here

        error[E012]: in the midst of a character
         --> b.yaml:1:4
          |
        1 | a: é
          |    ^

        error[E012]: ends too early
         --> b.yaml:1:5
          |
        1 | a: é
          |     ^

        error[E012]: in no file
    "#]],
    );
}

#[test]
fn colour_is_only_added_where_it_is_asked_for() {
    let sources = Sources::one("m.yaml", "a: 1\n");
    let diagnostic = Diagnostic::error(CODE, at(&sources, "a"), "wrong").help("mend it");
    let coloured = terminal(&sources, std::slice::from_ref(&diagnostic), true);
    let mut plain = String::new();
    for (at, part) in coloured.split("\x1b[").enumerate() {
        plain.push_str(if at == 0 {
            part
        } else {
            part.split_once('m').expect("an escape ends").1
        });
    }
    assert_ne!(coloured, plain);
    assert_eq!(plain, terminal(&sources, &[diagnostic], false));
}

#[test]
fn json_gives_a_program_every_place_resolved() {
    let sources = Sources::one("m.yaml", "é: 1\nb: two\n");
    let diagnostic = Diagnostic::error(CODE, at(&sources, "two"), "not a number")
        .label("here")
        .also(at(&sources, "é"), "as there")
        .why("it is counted")
        .help("write 2")
        .fix("2");
    let bare = Diagnostic::note(CODE, at(&sources, "b"), "worth knowing");
    expect![[r#"
        {
          "diagnostics": [
            {
              "code": "E012",
              "severity": "note",
              "message": "worth knowing",
              "file": "m.yaml",
              "line": 2,
              "column": 1,
              "end": {
                "line": 2,
                "column": 2
              },
              "bytes": [
                6,
                7
              ]
            },
            {
              "code": "E012",
              "severity": "error",
              "message": "not a number",
              "file": "m.yaml",
              "line": 2,
              "column": 4,
              "end": {
                "line": 2,
                "column": 7
              },
              "bytes": [
                9,
                12
              ],
              "label": "here",
              "related": [
                {
                  "file": "m.yaml",
                  "line": 1,
                  "column": 1,
                  "end": {
                    "line": 1,
                    "column": 2
                  },
                  "bytes": [
                    0,
                    2
                  ],
                  "text": "as there"
                }
              ],
              "why": "it is counted",
              "help": "write 2",
              "fix": {
                "file": "m.yaml",
                "line": 2,
                "column": 4,
                "end": {
                  "line": 2,
                  "column": 7
                },
                "bytes": [
                  9,
                  12
                ],
                "replacement": "2"
              }
            }
          ]
        }
    "#]]
    .assert_eq(&json(&sources, &[diagnostic, bare]));
}
