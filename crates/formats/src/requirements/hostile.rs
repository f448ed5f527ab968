//! Files that mean harm: each ends in diagnostics, soon, whatever it holds.

use super::{FILE_BYTES_MAX, format, read, sources_from_bytes};
use crate::diagnostic::{json, terminal};
use ir::diagnostic::has_errors;
use ir::source::SourceFile;
use ir::{Diagnostic, Sources};

/// All that is done with a file: read, shown, formatted. The diagnostics of reading it.
fn survive(text: &str) -> Vec<Diagnostic> {
    let sources = Sources::one("hostile.yaml", text);
    let (_, diagnostics) = read(&sources);
    assert!(terminal(&sources, &diagnostics, false).len() < 1_000_000, "the output is bounded");
    assert!(json(&sources, &diagnostics).len() < 10_000_000);
    let _ = format(text);
    diagnostics
}

/// The codes of a hostile file, each once.
fn codes(text: &str) -> Vec<&'static str> {
    let diagnostics = survive(text);
    assert!(has_errors(&diagnostics), "a hostile file is refused: {:?}", text.get(..60));
    let mut codes: Vec<&str> = diagnostics.iter().map(|fault| fault.code.0).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

#[test]
fn deep_nests_are_refused_whatever_they_are_made_of() {
    let block: String = (0..1_000).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
    let nests = [
        format!("a: {}", "[".repeat(10_000)),
        format!("a: {}", "{a: ".repeat(10_000)),
        format!("a: {}{}", "[".repeat(10_000), "]".repeat(10_000)),
        "- ".repeat(10_000),
        "? ".repeat(10_000),
        block,
        format!("a: {}", "!a ".repeat(10_000)),
        format!("a: {}", "&a ".repeat(10_000)),
    ];
    for text in nests {
        codes(&text);
    }
}

#[test]
fn an_alias_bomb_is_refused_at_its_first_anchor_and_never_expanded() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let before = format!("*a{}, ", level - 1).repeat(9);
        bomb.push_str(&format!("a{level}: &a{level} [{before}x]\n"));
    }
    assert!(codes(&bomb).contains(&"E005"));
}

#[test]
fn large_scalars_keys_and_comments_are_refused_or_read() {
    let long = "x".repeat(100_000);
    for text in [
        format!("system: {long}\n"),
        format!("system: \"{long}\"\n"),
        format!("title: |\n  {}\n", "x\n  ".repeat(30_000)),
        format!("{long}: a\n"),
        format!("? {long}\n: a\n"),
        format!("a: {{ {long} }}\n"),
        format!("contexts: {{ c: {{ resources: {{ R: {{ rules: {{ own: {long} }} }} }} }} }}\n"),
    ] {
        codes(&text);
    }
    let comments = "# a line of a long comment\n".repeat(18_000);
    assert_eq!(survive(&format!("{comments}system: a\n{comments}")), Vec::new());
}

#[test]
fn many_small_faults_take_no_more_time_than_a_large_file() {
    let mut keys: String = (0..20_000).map(|at| format!("k{at}: 1\n")).collect();
    codes(&keys);
    keys = "a: 1\n".repeat(20_000);
    codes(&keys);
    codes(&format!("actors: {{ {} }}\n", "a: [ , ".repeat(5_000)));
    codes(&"a: {\n".repeat(5_000));
    codes(&"a: b: c\n".repeat(5_000));
    codes(&format!("actors: {{ a: f({} }}\n", "b, ".repeat(20_000)));
    codes(&format!("actors: {{ {} }}\n", "a: f(b, ".repeat(5_000)));
    codes(&format!("system: {}\n", "\u{1}".repeat(1_000)));
    codes(&"\u{feff}".repeat(1_000));
    codes(&"}\n".repeat(5_000));
    codes(&"\"\n".repeat(5_001));
    codes(&"\t\n\ta: 1\n".repeat(2_000));
}

#[test]
fn lone_surrogates_nul_and_other_bytes_are_refused() {
    for text in [
        "system: \"\\ud800\"\n",
        "system: \"\\udc00\\ud800\"\n",
        "system: \"\\uZZZZ\"\n",
        "system: a\0b\n",
        "\0",
        "system: \u{202e}a\n",
    ] {
        codes(text);
    }
    let bytes: [&[u8]; 6] = [
        b"\xed\xa0\x80",
        b"system: \xff\n",
        b"\xff\xfe\x00\x00",
        b"\xfe\xff\x00s",
        b"\xf8\x88\x80\x80\x80",
        b"system: a\n# \xc3",
    ];
    for bytes in bytes {
        let (sources, faults) = sources_from_bytes(vec![("a.yaml".to_owned(), bytes.to_vec())]);
        assert!(has_errors(&faults), "{bytes:?}");
        survive(&sources.files[0].text);
    }
}

#[test]
fn a_huge_file_is_never_kept() {
    let bytes = vec![b'#'; 10 * FILE_BYTES_MAX];
    let (sources, faults) = sources_from_bytes(vec![("a.yaml".to_owned(), bytes)]);
    assert_eq!((sources.files[0].text.len(), faults), (FILE_BYTES_MAX + 1, Vec::new()));
    let codes: Vec<&str> = read(&sources).1.iter().map(|fault| fault.code.0).collect();
    assert_eq!(codes, ["E002"]);
}

#[test]
fn every_beginning_of_a_good_file_and_every_lost_byte_is_survived() {
    let text = include_str!("../../../../examples/shop/mainstay.yaml");
    let mut at = 0;
    while at < text.len() {
        survive(&text[..text.floor_char_boundary(at)]);
        at += 211;
    }
    let mut at = 0;
    while at < text.len() {
        let mut lost = text.to_owned();
        let start = lost.floor_char_boundary(at);
        lost.remove(start);
        survive(&lost);
        let mut gained = text.to_owned();
        gained.insert(start, ['{', ']', '"', ':', '#', '\t', '&', '*', '|', ','][at % 10]);
        survive(&gained);
        at += 127;
    }
}

#[test]
fn a_thousand_resources_in_a_hundred_files_are_read_in_linear_time() {
    let context = |at: usize| {
        let mut text = format!("contexts:\n  c{at}:\n    resources:\n");
        for resource in 0..10 {
            text.push_str(&format!(
                "      R{at}x{resource}:\n        fields:\n          name: string max 200 search\n          \
                 price: money\n          stock: int min 0 = 0\n          status: open | closed\n        \
                 rows: 1_000 per tenant\n        commands:\n          \
                 close: {{ status: open -> closed, by: user when status == open, require: stock > 0 }}\n        \
                 allow: {{ read: anyone, write: user }}\n"
            ));
        }
        text
    };
    let mut files =
        vec![SourceFile { path: "m/a.yaml".into(), text: "actors: { user: oidc }\n".into() }];
    files
        .extend((0..100).map(|at| SourceFile { path: format!("m/c{at}.yaml"), text: context(at) }));
    let (model, diagnostics) = read(&Sources { files });
    assert_eq!(diagnostics, Vec::new());
    assert_eq!(model.contexts.iter().map(|context| context.resources.len()).sum::<usize>(), 1_000);
}
