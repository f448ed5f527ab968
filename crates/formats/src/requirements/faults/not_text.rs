//! # E001 not text
//! The file holds bytes that are not UTF-8, or characters that no text needs: NUL and other
//! control characters.
//!
//! **Why**: what can't be shown can't be reviewed, and every tool would read it differently.
//!
//! Wrong:
//! ```yaml
//! title: caf<byte 0xE9>
//! ```
//! Right:
//! ```yaml
//! title: café
//! ```

use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E001");

/// A byte that begins no character.
pub(crate) fn bytes(span: Span, byte: u8) -> Diagnostic {
    let message = format!("the file is not UTF-8: byte 0x{byte:02X} begins no character");
    Diagnostic::error(CODE, span, message).help("save the file as UTF-8")
}

/// The file begins with the mark of another encoding.
pub(crate) fn encoding(span: Span, encoding: &str) -> Diagnostic {
    let message = format!("the file is {encoding}, not UTF-8");
    Diagnostic::error(CODE, span, message).help("save the file as UTF-8")
}

/// A control character.
pub(crate) fn character(span: Span, c: char) -> Diagnostic {
    let message = format!("the control character U+{:04X} can't stand in a file", u32::from(c));
    Diagnostic::error(CODE, span, message).help("delete it")
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::{check, check_all};
    use crate::requirements::sources_from_bytes;
    use expect_test::expect;

    #[test]
    fn a_file_of_other_bytes_is_refused_at_the_first_of_them() {
        let files = vec![
            ("latin.yaml".to_owned(), b"system: a\ntitle: caf\xe9 bar\n".to_vec()),
            ("wide.yaml".to_owned(), b"\xff\xfes\0y\0s\0".to_vec()),
        ];
        let (sources, diagnostics) = sources_from_bytes(files);
        check_all(
            &sources,
            &diagnostics,
            expect![[r#"
            error[E001]: the file is not UTF-8: byte 0xE9 begins no character
             --> latin.yaml:2:11
              |
            2 | title: caf� bar
              |           ^
              = help: save the file as UTF-8

            error[E001]: the file is UTF-16, not UTF-8
             --> wide.yaml:1:1
              |
            1 |
              | ^
              = help: save the file as UTF-8
        "#]],
        );
    }

    #[test]
    fn control_characters_are_refused() {
        check(
            "system: a\u{0}b\n",
            expect![[r#"
            error[E001]: the control character U+0000 can't stand in a file
             --> mainstay.yaml:1:10
              |
            1 | system: a�b
              |          ^
              = help: delete it
        "#]],
        );
        check(
            "system: a\ntitle: \"a\u{7}b\"\n",
            expect![[r#"
            error[E001]: the control character U+0007 can't stand in a file
             --> mainstay.yaml:2:10
              |
            2 | title: "a�b"
              |          ^
              = help: delete it
        "#]],
        );
    }
}
