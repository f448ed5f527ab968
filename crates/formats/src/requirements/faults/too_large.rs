//! # E002 too large
//! A file has more than 1 MiB, a directory more than 16 MiB or 1,000 files, a model more than
//! 200,000 keys and values, one value more than 16 KiB; or there are more faults than anyone reads
//! at once.
//!
//! **Why**: a model is written and reviewed by people; a limit keeps a wrong or hostile file from
//! taking the machine's memory.
//!
//! Wrong:
//! ```yaml
//! summary: "…100,000 characters…"
//! ```
//! Right:
//! ```yaml
//! summary: sells things
//! ```
//! A summary has a few sentences; a large model has a file for each context.

use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E002");

/// A file with too many bytes.
pub(crate) fn file(span: Span, bytes_max: usize) -> Diagnostic {
    let message = format!("the file has more than {bytes_max} bytes");
    Diagnostic::error(CODE, span, message).help("give each context a file in one directory")
}

/// A directory with too many bytes.
pub(crate) fn directory(span: Span, bytes: usize, bytes_max: usize) -> Diagnostic {
    let message = format!("the files have {bytes} bytes together, and {bytes_max} are allowed");
    Diagnostic::error(CODE, span, message).help("split the system in two models")
}

/// A directory with too many files.
pub(crate) fn files(span: Span, files: usize, files_max: usize) -> Diagnostic {
    let message = format!("there are {files} files, and {files_max} are allowed");
    Diagnostic::error(CODE, span, message).help("give each context one file")
}

/// A scalar with too many bytes.
pub(crate) fn scalar(span: Span, bytes: usize, bytes_max: usize) -> Diagnostic {
    let message = format!("this value has {bytes} bytes, and {bytes_max} are allowed");
    Diagnostic::error(CODE, span, message).help("keep long texts outside of the model")
}

/// A model of too many values.
pub(crate) fn values(span: Span, values_max: usize) -> Diagnostic {
    let message = format!("the model has more than {values_max} keys and values");
    Diagnostic::error(CODE, span, message).help("split the system in two models")
}

/// More faults than are shown.
pub(crate) fn faults(span: Span, faults_max: usize) -> Diagnostic {
    let message = format!("more than {faults_max} faults; the others are not shown");
    Diagnostic::note(CODE, span, message).help("mend these first")
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::{check, check_all};
    use crate::requirements::read;
    use expect_test::expect;
    use ir::Sources;
    use ir::source::SourceFile;

    #[test]
    fn a_value_of_a_hundred_thousand_characters_is_refused() {
        check(
            &format!("system: a\ntitle: {}\n", "x".repeat(100_000)),
            expect![[r#"
            error[E002]: this value has 100000 bytes, and 16384 are allowed
             --> mainstay.yaml:2:8
              |
            2 | title: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
              |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              = help: keep long texts outside of the model
        "#]],
        );
    }

    #[test]
    fn a_file_of_ten_megabytes_is_refused_unread() {
        check(
            &"# a comment\n".repeat(900_000),
            expect![[r#"
                error[E002]: the file has more than 1048576 bytes
                 --> mainstay.yaml:1:1
                  |
                1 | # a comment
                  | ^
                  = help: give each context a file in one directory
            "#]],
        );
    }

    #[test]
    fn a_directory_has_a_largest_size_and_number_of_files() {
        let file = |at: usize, text: &str| SourceFile {
            path: format!("m/{at:04}.yaml"),
            text: text.to_owned(),
        };
        let big = "# a comment\n".repeat(80_000);
        let many = Sources { files: (0..1_001).map(|at| file(at, "system: a")).collect() };
        check_all(
            &many,
            &read(&many).1,
            expect![[r#"
            error[E002]: there are 1001 files, and 1000 are allowed
             --> m/0000.yaml:1:1
              |
            1 | system: a
              | ^
              = help: give each context one file
        "#]],
        );
        let large = Sources { files: (0..18).map(|at| file(at, &big)).collect() };
        check_all(
            &large,
            &read(&large).1,
            expect![[r#"
            error[E002]: the files have 17280000 bytes together, and 16777216 are allowed
             --> m/0000.yaml:1:1
              |
            1 | # a comment
              | ^
              = help: split the system in two models
        "#]],
        );
    }

    #[test]
    fn a_model_has_so_many_values_in_all_its_files() {
        let items = |from: usize| {
            let entries: String = (from..from + 40_000).map(|at| format!("k{at}: v\n")).collect();
            SourceFile { path: format!("m/{from:06}.yaml"), text: format!("# one\n{entries}") }
        };
        let many = Sources { files: (0..16).map(|at| items(at * 40_000)).collect() };
        let (model, faults) = read(&many);
        check_all(
            &many,
            &faults,
            expect![[r#"
                error[E002]: the model has more than 200000 keys and values
                 --> m/000000.yaml:1:1
                  |
                1 | # one
                  | ^
                  = help: split the system in two models
            "#]],
        );
        assert_eq!(model.contexts.len(), 0);
    }

    #[test]
    fn only_so_many_faults_are_shown() {
        let text: String = (0..1_000).map(|at| format!("wrong_{at}: 1\n")).collect();
        let (_, diagnostics) = read(&Sources::one("m.yaml", &text));
        assert_eq!(diagnostics.len(), crate::requirements::FAULTS_MAX + 1);
    }
}
