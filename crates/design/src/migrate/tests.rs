//! What is planned for a change of the model, as lines.

use super::{Place, plan};
use crate::tests::designed;
use expect_test::{Expect, expect};
use ir::migration::Snapshot;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The plan from one list of fields to another.
fn check(before: &str, after: &str, expected: Expect) {
    let model = |fields: &str| {
        format!(
            "system: lab\nactors: {{ user: oidc }}\ncontexts:\n  lab:\n    resources:\n      \
             Thing:\n        fields:\n          kept: string max 9\n{fields}        \
             allow: {{ read: user, write: user }}\n"
        )
    };
    let indented = |fields: &str| -> String {
        fields.lines().map(|line| format!("          {}\n", line.trim())).collect()
    };
    let (before, after) = (designed(&model(&indented(before))), designed(&model(&indented(after))));
    let place = Place { holds: &|_| true, reaches_out: false };
    let before = Snapshot::of(&before.schema, &|_| true);
    let plan = plan(&before, &after.schema, place, &BTreeSet::new());
    let mut lines = String::new();
    for step in &plan.steps {
        let (phase, class) = (step.phase, step.class);
        let _ = writeln!(lines, "{phase:?} {class:?} {:?}: {}", step.action, step.reason);
        for proof in &step.proofs {
            let _ = writeln!(lines, "  no rows that {}: {}", proof.fault, proof.instead);
        }
    }
    for refusal in &plan.refused {
        let _ = writeln!(lines, "{}: {}; {}", refusal.place, refusal.why, refusal.instead);
    }
    expected.assert_eq(&lines);
}

#[test]
fn the_same_model_needs_nothing() {
    check("note: string max 9 search", "note: string max 9 search", expect![[""]]);
}

#[test]
fn an_optional_field_is_added_and_a_required_one_filled_with_its_default() {
    check(
        "",
        "note: string max 9 optional\nsize: int = 3",
        expect![[r#"
        Expand Safe AddColumns(["note"]): `note` is new and optional
        Expand Backfill AddColumns(["size"]): `size` is new
        Contract Safe SetDefault("size"): new processes write it themselves
    "#]],
    );
}

#[test]
fn a_required_field_without_default_needs_an_empty_table() {
    check(
        "",
        "size: int",
        expect![[r#"
        Expand Safe AddColumns(["size"]): `size` is new
          no rows that would have no `size`, which is new and must have a value: give `size` a constant default, or make it `optional`
    "#]],
    );
}

#[test]
fn a_rename_by_was_is_a_rename() {
    check(
        "note: string max 9 search",
        "remark: { type: string, max: 9, search: true, was: note }",
        expect![[r#"
            Switch Safe RenameColumn { from: "note", to: "remark" }: it was `note`
            Switch Safe RenameColumn { from: "note_search", to: "remark_search" }: it was `note_search`
            Expand Safe RenameIndex { from: "ix_lab_things_id_note_search", to: "ix_lab_things_id_remark_search" }: it was `ix_lab_things_id_note_search`
        "#]],
    );
}

#[test]
fn widening_is_safe_and_narrowing_looks_at_the_rows() {
    check(
        "note: string max 9",
        "note: string max 12",
        expect![[r#"
        Expand Safe Loosen: the model asks less of `note`
    "#]],
    );
    check(
        "note: string max 12",
        "note: string max 9",
        expect![[r#"
        Contract Safe Tighten: `note` has a narrower range
          no rows that have a `note` of a length that the model does not take: widen the length, or change those rows first
    "#]],
    );
    check(
        "kind: a | b",
        "kind: a | c",
        expect![[r#"
        Expand Safe Loosen: the model asks less of `kind`
        Contract Safe Tighten: `kind` has a narrower range
          no rows that have a `kind` other than a, c: keep that value in the model, or change those rows first
    "#]],
    );
}

#[test]
fn whole_numbers_become_decimals_by_a_new_column_that_takes_the_name() {
    check(
        "size: int",
        "size: decimal(9.2)",
        expect![[r#"
        Switch Safe AddColumns(["mainstay_new_size"]): `size` counts in other units
        Switch Safe Backfill { column: "mainstay_new_size", fill: Scaled { of: "size", times: 100, by: 1 } }: `size` counts in other units
          no rows that have a `size` too large for more digits: keep the digits in the model, or change those rows first
        Switch Safe SwapColumn { from: "mainstay_new_size", to: "size" }: `size` counts in other units
        Contract Safe Tighten: `size` must have a value
          no rows that have no `size`: give `size` a constant default, or give those rows a value first
          no rows that have a `size` outside the range of the model: widen the range, or change those rows first
    "#]],
    );
}

#[test]
fn a_field_that_becomes_money_is_refused_with_what_to_do() {
    check(
        "price: int",
        "price: money EUR",
        expect![[r#"
        Expand Backfill AddColumns(["price_currency"]): `price_currency` is new
        Contract Safe SetDefault("price_currency"): new processes write it themselves
        lab.things.price: it was an int and is money; add a field of the new type beside it, fill it over the API, then remove this one
    "#]],
    );
}

#[test]
fn a_field_made_required_is_filled_then_proven() {
    check(
        "size: int optional",
        "size: int = 3",
        expect![[r#"
        Expand Backfill Backfill { column: "size", fill: Constant(Int(3)) }: `size` must have a value from now on
        Contract Backfill Backfill { column: "size", fill: Constant(Int(3)) }: for rows that were written meanwhile
        Contract Safe Tighten: `size` must have a value
          no rows that have no `size`: give `size` a constant default, or give those rows a value first
        Contract Safe SetDefault("size"): new processes write it themselves
    "#]],
    );
    check(
        "size: int optional",
        "size: int",
        expect![[r#"
        Contract Safe Tighten: `size` must have a value
          no rows that have no `size`: give `size` a constant default, or give those rows a value first
    "#]],
    );
}

#[test]
fn a_new_unique_counts_duplicates_first() {
    check(
        "code: string max 9",
        "code: string max 9 unique",
        expect![[r#"
        Contract Safe AddIndex("ux_lab_things_code"): no two rows are equal in code
          no rows that are equal to another in code: change or delete one of each pair first
    "#]],
    );
}

#[test]
fn a_field_that_goes_frees_new_rows_at_once_and_is_dropped_with_a_word() {
    check(
        "note: string max 9",
        "",
        expect![[r#"
        Expand Safe Loosen: the model asks less of `note`
        Contract Destroys DropColumns(["note"]): `note` is in no model
          no rows that would lose `note`: `--allow-destroy lab.things.note` lets it go
    "#]],
    );
}

/// The plan back from where the way from one model to another ends, renames turned round.
fn check_back(before: &str, after: &str, expected: Expect) {
    let (before, after) = (designed(before), designed(after));
    let former = super::turned_round(&before.schema, &after.schema);
    let place = Place { holds: &|_| true, reaches_out: false };
    let there = Snapshot::of(&after.schema, &|_| true);
    let plan = plan(&there, &former, place, &BTreeSet::new());
    let lines = plan.steps.iter().map(|step| format!("{:?} {:?}\n", step.table, step.action));
    expected.assert_eq(&lines.collect::<String>());
    assert_eq!(plan.refused, []);
}

#[test]
fn the_way_back_turns_renames_of_tables_and_columns_round() {
    let model = |name: &str, rest: &str| {
        format!(
            "system: lab\nactors: {{ user: oidc }}\ncontexts:\n  lab:\n    resources:\n      \
             {name}:\n{rest}        allow: {{ read: user, write: user }}\n"
        )
    };
    check_back(
        &model("Thing", "        fields:\n          text: string max 9 search\n"),
        &model(
            "Article",
            "        was: Thing\n        fields:\n          words: { type: string, max: 9, search: \
             true, was: text }\n          size: int\n",
        ),
        expect![[r#"
            "lab_things" MoveTable("lab_articles")
            "lab_things" RenameColumn { from: "words", to: "text" }
            "lab_things" RenameColumn { from: "words_search", to: "text_search" }
            "lab_things" Loosen
            "lab_things" RenameIndex { from: "ix_lab_articles_id_words_search", to: "ix_lab_things_id_text_search" }
            "lab_things" DropColumns(["size"])
        "#]],
    );
}
