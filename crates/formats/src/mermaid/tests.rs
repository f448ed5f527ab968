//! Names that the grammar of Mermaid could stumble over; the parser itself is asked by
//! `judges/parse-mermaid.mjs`.

use super::{label, message, words};

#[test]
fn labels_are_quoted_and_hold_no_letter_of_the_grammar() {
    assert_eq!(
        label("a \"b\" <c>\n`d` #1 & 5 %"),
        "\"a #quot;b#quot; #lt;c#gt; 'd' #35;1 #amp; 5 #37;\""
    );
}

#[test]
fn messages_hold_no_separator_and_are_never_empty() {
    assert_eq!(message("POST /v1/a/{id}; 100 % #x"), "POST /v1/a/{id}#59; 100 #37; #35;x");
    assert_eq!(message("  "), "-");
}

#[test]
fn captions_of_transitions_are_words_alone() {
    assert_eq!(words("cancel: (own && status == draft); x"), "cancel (own status draft) x");
    assert_eq!(words("::"), "-");
}
