//! What a user sees in a terminal, whole: stdout, stderr and exit code of the verbs.

use crate::harness::{Folder, run};
use expect_test::{Expect, expect};

/// Runs a verb in which `{}` stands for the folder, and pins all it printed.
#[track_caller]
fn check(folder: &Folder, arguments: &str, expected: Expect) {
    let arguments: Vec<String> =
        arguments.split(' ').map(|word| word.replace("{}", folder.path())).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ran = run(&arguments);
    let mut shown = format!("exit {}\n", ran.code);
    for (name, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
        if !text.is_empty() {
            shown.push_str(&format!("-- {name}\n{}", text.replace(folder.path(), "DIR")));
        }
    }
    expected.assert_eq(&shown);
}

fn model(text: &str) -> Folder {
    Folder::new().with("mainstay.yaml", text)
}

const NOTES: &str = "\
system: notes
actors: { writer: oidc }
contexts:
  notes:
    resources:
      Note:
        fields: { writer: actor writer, text: text max 2000 }
        allow: { read: writer when writer == me, write: writer when writer == me }
";

#[test]
fn a_sound_model_is_told_so() {
    check(
        &model(NOTES),
        "check {}",
        expect![[r#"
        exit 0
        -- stderr
        notes (1 context, 1 resource, 0 commands): nothing to mend
    "#]],
    );
    check(
        &model(NOTES),
        "check {} --format json",
        expect![[r#"
        exit 0
        -- stdout
        {
          "diagnostics": [],
          "fine": true,
          "missing": []
        }
    "#]],
    );
}

#[test]
fn every_fault_is_shown_with_its_place_and_cure() {
    let text = NOTES.replace("writer == me,", "writr == me,").replace("max 2000", "max many");
    check(
        &model(&text),
        "check {}",
        expect![[r#"
        exit 1
        -- stdout
        error[E056]: the bound `many` of `text` of `Note` is no value of its type
         --> DIR/mainstay.yaml:7:56
          |
        7 |         fields: { writer: actor writer, text: text max many }
          |                                                        ^^^^
          = help: a bound here is a length in characters (`40`)

        error[E036]: unknown name `writr` in `allow.read` of `Note`
         --> DIR/mainstay.yaml:8:36
          |
        8 |         allow: { read: writer when writr == me, write: writer when writer == me }
          |                                    ^^^^^
          = help: did you mean `writer`?
        8 +         allow: { read: writer when writer == me, write: writer when writer == me }

        -- stderr
        2 errors
    "#]],
    );
    check(
        &model(&text),
        "explain notes.Note {}",
        expect![[r#"
        exit 2
        -- stderr
        error[E056]: the bound `many` of `text` of `Note` is no value of its type
         --> DIR/mainstay.yaml:7:56
          |
        7 |         fields: { writer: actor writer, text: text max many }
          |                                                        ^^^^
          = help: a bound here is a length in characters (`40`)

        error[E036]: unknown name `writr` in `allow.read` of `Note`
         --> DIR/mainstay.yaml:8:36
          |
        8 |         allow: { read: writer when writr == me, write: writer when writer == me }
          |                                    ^^^^^
          = help: did you mean `writer`?
        8 +         allow: { read: writer when writer == me, write: writer when writer == me }

        Error: the model has 2 errors
    "#]],
    );
}

#[test]
fn an_environment_lists_what_it_lacks() {
    let text = format!(
        "{NOTES}integrations:\n  mail:\n    http: ${{NO_SUCH_URL}}\n    auth: bearer ${{file:secret}}\n    \
         operations: {{ send: {{ post: /send }} }}\n"
    );
    let folder = model(&text).with("mainstay.prod.yaml", "goals: { peak: 50 rps }\n");
    check(
        &folder,
        "check {} --env prod",
        expect![[r#"
        exit 1
        -- stdout
        missing ${NO_SUCH_URL} for `integrations.mail.http`: it is not set
        missing ${file:secret} for `integrations.mail.auth`: No such file or directory (os error 2)
        -- stderr
        notes (1 context, 1 resource, 0 commands): 2 missing variables
    "#]],
    );
    check(
        &folder,
        "check {} --env staging",
        expect![[r#"
        exit 2
        -- stderr
        Error: there is no environment `staging`
        Caused by: `DIR/mainstay.staging.yaml` is not there
        Hint: write that file: it may set goals, constraints, URLs and limits
    "#]],
    );
}

#[test]
fn what_is_no_model_says_what_to_do() {
    let folder = Folder::new().with("notes.md", "");
    check(
        &folder,
        "check {}",
        expect![[r#"
        exit 2
        -- stderr
        Error: there is no model in `DIR`
        Caused by: the directory holds no `*.yaml` file
        Hint: write `mainstay.yaml` there, or give the path of a model
    "#]],
    );
    check(
        &folder,
        "check {}/gone.yaml",
        expect![[r#"
        exit 2
        -- stderr
        Error: can't read the model at `DIR/gone.yaml`
        Caused by: No such file or directory (os error 2)
        Hint: give a model file, or a directory that holds `mainstay.yaml`
    "#]],
    );
    check(
        &model(""),
        "check {}",
        expect![[r#"
        exit 1
        -- stdout
        error[E029]: there is nothing in the model
         --> DIR/mainstay.yaml:1:1
          |
        1 |
          | ^
          = help: begin with `system: name`

        -- stderr
        1 error
    "#]],
    );
}

#[test]
fn files_of_other_formats_are_passed_over_and_never_rewritten() {
    let compose = "services:   { web: {image: nginx} }\n";
    let folder = model(NOTES)
        .with("docker-compose.yaml", compose)
        .with("k8s/deploy.yaml", "apiVersion: v1\n")
        .with("extra.yaml", "goals: { peak: 5 rps }\n");
    check(
        &folder,
        "check {}",
        expect![[r#"
        exit 0
        -- stderr
        passed over, not of the model: `DIR/docker-compose.yaml`, `DIR/k8s/deploy.yaml`
        notes (1 context, 1 resource, 0 commands): nothing to mend
    "#]],
    );
    assert_eq!(
        run(&["design", folder.path(), "--out", &format!("{}/docs", folder.path())]).code,
        0
    );
    check(
        &folder,
        "fmt {}",
        expect![[r#"
        exit 0
        -- stderr
        2 files in short form
    "#]],
    );
    let after = std::fs::read_to_string(folder.0.join("docker-compose.yaml")).expect("there");
    assert_eq!(after, compose);
    check(
        &folder,
        "fmt {}/docker-compose.yaml",
        expect![[r#"
        exit 2
        -- stderr
        Error: `DIR/docker-compose.yaml` is no file of a model
        Caused by: nothing at its top is of the notation
        Hint: its top has `system:`, or a part as `contexts:` or `goals:`
    "#]],
    );
    let foreign = Folder::new().with("docker-compose.yaml", compose);
    check(
        &foreign,
        "fmt {}",
        expect![[r#"
        exit 2
        -- stderr
        Error: there is no model in `DIR`
        Caused by: none of its `*.yaml` files is written in the notation
        Hint: write `mainstay.yaml` there, or give the path of a model
    "#]],
    );
}

#[test]
fn a_topic_of_the_notation_is_explained_and_all_are_listed() {
    check(
        &Folder::new(),
        "explain money",
        expect![[r#"
        exit 0
        -- stdout
        ## Money

        Amounts are exact: 64-bit integers of 1/10,000 units beside a code of ISO 4217, never floating
        point. `money` takes any currency, `money EUR` that one; a number is such an
        amount where one is wanted: `fee: money EUR = 2.50`. Amounts of different currencies are not
        added: 422 `mixed-currencies`. More decimals than the currency has are 422.
    "#]],
    );
    let ran = run(&["explain"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.starts_with("topics: system, types, fields, rows, allow, "),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("\nE011 missing key\n"), "{}", ran.stdout);
    let functions = run(&["explain", "functions"]).stdout;
    for name in design::check::FUNCTIONS {
        assert!(functions.contains(&format!("`{name}(")), "{name}");
    }
}

#[test]
fn words_of_other_notations_are_told_once_and_in_the_words_of_this_one() {
    let text = "system: a\nactors: { w: oidc }\ncontexts:\n  c:\n    resources:\n      stay:\n        \
                fields: { a: varchar(20), b: string? }\n        allow: { read: w, write: w }\n      \
                Trip:\n        fields:\n          stay: Stay\n          a: string required\n          \
                b: int nullable\n          c: string pattern (?=x)a\n        \
                allow: { read: w, write: w }\n";
    check(
        &model(text),
        "check {}",
        expect![[r#"
        exit 1
        -- stdout
        error[E013]: `stay` is no name of a resource: it is written `UpperCamelCase`
         --> DIR/mainstay.yaml:6:7
          |
        6 |       stay:
          |       ^^^^
          = help: write `Stay`
        6 +       Stay:

        error[E020]: unknown type `varchar(20)`
         --> DIR/mainstay.yaml:7:22
          |
        7 |         fields: { a: varchar(20), b: string? }
          |                      ^^^^^^^^^^^
          = help: write `string max 20`
        7 +         fields: { a: string max 20, b: string? }

        error[E020]: unknown type `string?`
         --> DIR/mainstay.yaml:7:38
          |
        7 |         fields: { a: varchar(20), b: string? }
          |                                      ^^^^^^^
          = help: write `string optional`
        7 +         fields: { a: varchar(20), b: string optional }

        error[E018]: unknown word `required` in the field `a`
          --> DIR/mainstay.yaml:12:21
           |
        12 |           a: string required
           |                     ^^^^^^^^
           = help: leave it out: a field must be given unless it is `optional`

        error[E018]: unknown word `nullable` in the field `b`
          --> DIR/mainstay.yaml:13:18
           |
        13 |           b: int nullable
           |                  ^^^^^^^^
           = help: a field that may be null is `optional`
        13 +           b: int optional

        error[E053]: the pattern `(?=x)a` in `c` of `Trip` uses look-around, which RE2 does not have
          --> DIR/mainstay.yaml:14:29
           |
        14 |           c: string pattern (?=x)a
           |                             ^^^^^^
           = why: patterns run on every write, in linear time and with RE2's syntax
           = help: say what the text is, rather than what it is not: `[a-z][a-z0-9]*`

        -- stderr
        6 errors
    "#]],
    );
}

/// The reference's examples are the files of one model.
#[test]
fn the_examples_of_the_notation_are_a_model_without_faults() {
    let text = std::fs::read_to_string(crate::house::top().join("docs/NOTATION.md")).expect("it");
    let examples = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut folder = Folder::new();
    for (at, example) in examples.enumerate() {
        let name = if at == 0 { "mainstay.yaml".to_owned() } else { format!("part{at}.yaml") };
        folder = folder.with(&name, example);
    }
    check(
        &folder,
        "check {}",
        expect![[r#"
            exit 1
            -- stdout
            error[E033]: unknown context `ordering` in `webhooks.into` of `payments`
             --> DIR/part7.yaml:8:13
              |
            8 |       into: ordering
              |             ^^^^^^^^
              = help: known here: `desk`, `lending`, `signs`, `stock`

            warning[E110]: nobody reacts to `payments.charge.succeeded`
              --> DIR/part7.yaml:10:9
               |
            10 |         charge.succeeded: { data: { order: uuid from /data/object/metadata/order, amount: int } …
               |         ^^^^^^^^^^^^^^^^
               = help: write `reacts: { payments.charge.succeeded: … }` in a context

            -- stderr
            1 error, 1 warning
        "#]],
    );
}

#[test]
fn the_examples_are_in_the_short_form() {
    // The shop is kept as it was given, with lines that are longer than the printer's.
    let ran = run(&["fmt", "--check", "examples/clinic", "examples/kiosk", "examples/links"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
}

#[test]
fn a_code_is_explained_and_an_unknown_one_is_refused() {
    let folder = Folder::new();
    check(
        &folder,
        "explain e011",
        expect![[r#"
        exit 0
        -- stdout
        # E011 missing key
        An element lacks something without which it means nothing.

        **Why**: an integration without a URL can't be called, a field without a type can't be stored;
        no default would be right.

        Wrong:
        ```yaml
        integrations: { payments: { operations: {} } }
        ```
        Right:
        ```yaml
        integrations: { payments: { http: "${PAYMENTS_URL}" } }
        ```
    "#]],
    );
    check(
        &folder,
        "explain E999",
        expect![[r#"
            exit 2
            -- stderr
            Error: there is no code `E999`
            Hint: codes go from `E001` to `E111`
        "#]],
    );
    check(
        &folder,
        "explain X001",
        expect![[r#"
        exit 2
        -- stderr
        Error: there is no code `X001`
        Hint: codes begin with `E` (a fault of the model) or `D` (a decision)
    "#]],
    );
}

#[test]
fn a_wrong_argument_shows_the_right_ones() {
    let folder = Folder::new();
    check(
        &folder,
        "chekc",
        expect![[r#"
        exit 2
        -- stderr
        error: unrecognized subcommand 'chekc'

          tip: a similar subcommand exists: 'check'

        Usage: mainstay <COMMAND>

        For more information, try '--help'.
    "#]],
    );
    check(
        &folder,
        "check --colour",
        expect![[r#"
        exit 2
        -- stderr
        error: unexpected argument '--colour' found

          tip: to pass '--colour' as a value, use '-- --colour'

        Usage: mainstay check [OPTIONS] [PATH]

        For more information, try '--help'.
    "#]],
    );
}

#[test]
fn hostile_files_end_in_a_diagnostic_within_a_second() {
    let deep = format!("a: {}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let bomb = (1..40).fold("a0: &a0 [x]\n".to_owned(), |text, at| {
        format!("{text}a{at}: &a{at} [*a{0}, *a{0}]\n", at - 1)
    });
    let cases = [
        ("ten megabytes", "system: a\n#".to_owned() + &"x".repeat(10 << 20)),
        ("ten thousand levels", deep),
        ("block levels", (0..2_000).map(|at| " ".repeat(at) + "a:\n").collect()),
        ("a long scalar", format!("system: {}", "x".repeat(100_000))),
        ("an alias bomb", bomb),
        ("many keys", (0..10_000).map(|at| format!("k{at}: 1\n")).collect()),
    ];
    for (what, text) in cases {
        let folder = model(&text);
        let began = std::time::Instant::now();
        let mut ran = run(&["check", folder.path()]);
        let mut took = began.elapsed();
        // The limit is for a release build on a quiet machine; this one is neither, and may have
        // been held up.
        for _ in 0..4 {
            if took.as_secs() < 5 {
                break;
            }
            let began = std::time::Instant::now();
            ran = run(&["check", folder.path()]);
            took = began.elapsed();
        }
        assert_eq!(ran.code, 1, "{what}: {}", ran.stderr);
        assert!(ran.stdout.contains("error[E"), "{what}: {}", ran.stdout);
        assert!(ran.stdout.len() < 1 << 20, "{what}: {} bytes are printed", ran.stdout.len());
        assert!(took.as_secs() < 5, "{what}: {took:?}");
    }
    let folder = Folder::new();
    std::fs::write(folder.0.join("mainstay.yaml"), b"system: a\xff\n").expect("writable");
    assert_eq!(run(&["check", folder.path()]).code, 1);
}

#[test]
fn prices_of_ones_own_go_on_top_of_the_built_in_ones() {
    let folder = Folder::new()
        .with(
            "ours.yaml",
            "list: ours\ncurrency: USD\ndate: 2026-11\nsource: contract 17\nitems:\n  \
             container_vcpu: { value: 1, unit: USD/hour }\n",
        )
        .with(
            "broken.yaml",
            "list: ours\ndate: 2026-11\nsource: s\nitems:\n  a: { value: much }\n",
        );
    let design = |prices: &str| {
        let (prices, out) =
            (format!("{}/{prices}", folder.path()), format!("{}/out", folder.path()));
        run(&["design", "examples/shop", "--prices", &prices, "--out", &out])
    };
    let ran = design("ours.yaml");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let document = std::fs::read_to_string(folder.0.join("out/ARCHITECTURE.md")).expect("written");
    assert!(document.contains("1 vCPU × 1 USD/hour"), "the price is the one that was given");
    let ran = design("broken.yaml");
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert!(ran.stderr.contains("line 5"), "{}", ran.stderr);
    assert_eq!(design("absent.yaml").code, 2);
}
