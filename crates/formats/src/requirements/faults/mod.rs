//! One file for each fault of text and notation: its page, its making and its test.

macro_rules! faults {
    ($($name:ident),* $(,)?) => {
        /// The pages of the codes that reading a requirements file can give.
        pub const PAGES: &[ir::diagnostic::Page] = &[$(ir::diagnostic::Page {
            code: $name::CODE.0,
            source: include_str!(concat!(stringify!($name), ".rs")),
        }),*];
    };
}

pub(crate) mod bad_expression;
pub(crate) mod bad_grant;
pub(crate) mod bad_name;
pub(crate) mod bad_quantity;
pub(crate) mod bad_route;
pub(crate) mod bad_step;
pub(crate) mod bad_transition;
pub(crate) mod bad_type;
pub(crate) mod bad_variable;
pub(crate) mod boolean_key;
pub(crate) mod duplicate_key;
pub(crate) mod empty_model;
pub(crate) mod environment_only;
pub(crate) mod environment_unknown;
pub(crate) mod foreign_yaml;
pub(crate) mod huge_expression;
pub(crate) mod missing_key;
pub(crate) mod not_a_choice;
pub(crate) mod not_text;
pub(crate) mod notation_version;
pub(crate) mod reserved_name;
pub(crate) mod set_twice;
pub(crate) mod syntax;
pub(crate) mod too_deep;
pub(crate) mod too_large;
pub(crate) mod torn_value;
pub(crate) mod unknown_key;
pub(crate) mod unknown_word;
pub(crate) mod wrong_shape;

faults![
    not_text,
    too_large,
    too_deep,
    syntax,
    foreign_yaml,
    duplicate_key,
    boolean_key,
    torn_value,
    set_twice,
    unknown_key,
    missing_key,
    wrong_shape,
    bad_name,
    reserved_name,
    bad_expression,
    huge_expression,
    bad_quantity,
    unknown_word,
    not_a_choice,
    bad_type,
    bad_transition,
    bad_grant,
    bad_route,
    bad_step,
    environment_only,
    environment_unknown,
    bad_variable,
    notation_version,
    empty_model,
];

/// Characters of the user's text that a message repeats.
const SHOWN_CHARS_MAX: usize = 60;

/// A text of the user's as a message repeats it: one line, cut where it is long.
pub(crate) fn shown(text: &str) -> String {
    let mut short: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((at, _)) = short.char_indices().nth(SHOWN_CHARS_MAX) {
        short.truncate(at);
        short.push('…');
    }
    short
}

/// `a`, `b` or `c`, each in backticks.
pub(crate) fn choices<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// Checks the whole terminal output for one file.
#[cfg(test)]
pub(crate) fn check(text: &str, expected: expect_test::Expect) {
    let sources = ir::Sources::one("mainstay.yaml", text);
    check_all(&sources, &super::read(&sources).1, expected);
}

/// Checks the whole terminal output of these diagnostics.
#[cfg(test)]
pub(crate) fn check_all(
    sources: &ir::Sources,
    diagnostics: &[ir::Diagnostic],
    expected: expect_test::Expect,
) {
    expected.assert_eq(&crate::diagnostic::terminal(sources, diagnostics, false));
}

#[cfg(test)]
mod tests {
    use super::PAGES;

    #[test]
    fn every_code_has_a_page_and_the_codes_are_e001_to_e029_in_order() {
        for (at, page) in PAGES.iter().enumerate() {
            assert_eq!(page.code, format!("E{:03}", at + 1));
            let text = page.markdown();
            assert!(text.starts_with(&format!("# {} ", page.code)), "{text}");
            assert!(text.contains("\nWrong:\n") && text.contains("\nRight:\n"), "{}", page.code);
            assert!(page.source.contains("check"), "{} has a test", page.code);
        }
        assert_eq!(PAGES.len(), 29);
    }
}
