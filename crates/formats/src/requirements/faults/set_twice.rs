//! # E009 set in two files
//! Two files of one directory set the same thing.
//!
//! **Why**: the files of a directory have no order, so none of the two could win.
//!
//! Wrong:
//! ```yaml
//! # a.yaml
//! goals: { peak: 10 rps }
//! # b.yaml
//! goals: { peak: 20 rps }
//! ```
//! Right:
//! ```yaml
//! goals: { peak: 20 rps }
//! ```
//! Contexts may be spread over files, resource by resource.

use super::shown;
use ir::{Code, Diagnostic, Span};

pub(crate) const CODE: Code = Code("E009");

/// The second of two settings.
pub(crate) fn at(span: Span, key: &str, first: Span) -> Diagnostic {
    Diagnostic::error(CODE, span, format!("`{}` is set in two files", shown(key)))
        .also(first, "also set here")
        .help("keep it in one of the files")
}

#[cfg(test)]
mod tests {
    use crate::requirements::faults::check_all;
    use crate::requirements::read;
    use expect_test::expect;
    use ir::Sources;
    use ir::source::SourceFile;

    #[test]
    fn contexts_are_spread_over_files_but_nothing_is_set_twice() {
        let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
        let context = |about: &str, resource: &str| {
            format!("contexts: {{ c: {{ {about}resources: {{ {resource}: {{}} }} }} }}\n")
        };
        let files = vec![
            file("a.yaml", &format!("mainstay: 1\nsystem: s\n{}", context("about: one, ", "One"))),
            file("b.yaml", &format!("mainstay: 1\n{}", context("", "Two"))),
            file("c.yaml", &format!("system: t\n{}", context("about: two, ", "One"))),
        ];
        let sources = Sources { files };
        let (model, diagnostics) = read(&sources);
        assert_eq!(model.contexts.len(), 1);
        assert_eq!(model.contexts[0].resources.len(), 2);
        check_all(
            &sources,
            &diagnostics,
            expect![[r#"
            error[E009]: `system` is set in two files
             --> c.yaml:1:1
              |
            1 | system: t
              | ^^^^^^
             ::: a.yaml:2:1
            2 | system: s
              | ------ also set here
              = help: keep it in one of the files

            error[E009]: `about` is set in two files
             --> c.yaml:2:18
              |
            2 | contexts: { c: { about: two, resources: { One: {} } } }
              |                  ^^^^^
             ::: a.yaml:3:18
            3 | contexts: { c: { about: one, resources: { One: {} } } }
              |                  ----- also set here
              = help: keep it in one of the files

            error[E009]: `One` is set in two files
             --> c.yaml:2:43
              |
            2 | contexts: { c: { about: two, resources: { One: {} } } }
              |                                           ^^^
             ::: a.yaml:3:43
            3 | contexts: { c: { about: one, resources: { One: {} } } }
              |                                           --- also set here
              = help: keep it in one of the files
        "#]],
        );
    }
}
