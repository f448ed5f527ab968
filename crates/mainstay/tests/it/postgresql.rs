//! The scenarios that touch the store, over HTTP against a backend on PostgreSQL; what only that
//! store can show.

use crate::database::{Database, on_postgresql, query};
use crate::harness::{Folder, Server, run};
use crate::house::top;
use crate::scenes::{Scene, euro};
use serde_json::json;

/// Runs scenarios of other files as tests of this one.
macro_rules! on_postgresql {
    ($($file:ident: $($scenario:ident,)*;)*) => {
        $(mod $file {
            $(#[test]
            fn $scenario() {
                crate::database::on_postgresql(crate::$file::$scenario);
            })*
        })*
    };
}

on_postgresql! {
    shop:
        an_order_goes_from_draft_to_shipped,
        a_second_product_of_one_sku_is_a_duplicate_in_its_tenant_only,
        the_price_of_a_line_is_kept_until_its_product_changes,
        if_match_guards_and_if_none_match_spares,
        lists_page_filter_sort_and_search,
        a_list_expands_lines_and_products,
        an_idempotency_key_replays_one_answer_and_refuses_another_body,
        a_batch_is_all_or_nothing_in_one_context,;
    races:
        of_a_hundred_writers_with_one_etag_exactly_one_wins,
        a_hundred_writers_who_read_and_try_again_lose_no_update,
        a_hundred_commands_without_if_match_all_count,
        fifty_calls_with_one_idempotency_key_have_one_effect,
        of_fifty_products_of_one_sku_one_is_made,
        a_pager_sees_each_untouched_row_exactly_once_while_others_write,;
    tenants:
        no_token_of_one_tenant_reaches_a_row_of_another,
        one_key_in_two_tenants_is_two_keys,
        tenants_are_kept_apart_however_their_tenancy_is_asked_for_and_pinned,;
    clinic:
        a_doctor_is_never_booked_twice_at_one_time,
        a_doctor_may_only_refer_to_appointments_that_they_may_see,;
    integrations:
        a_call_that_fails_is_made_again_by_the_same_key,
        a_call_that_kill_9_cuts_is_made_again_by_its_key_and_never_where_it_has_none,;
    links:
        a_short_address_redirects_anyone_and_is_counted,
        patterns_lengths_urls_and_counters_are_kept,;
    crash:
        after_kill_9_under_load_every_acknowledged_write_is_there_exactly_once,
        a_restart_keeps_rows_keys_and_tokens,;
    events:
        a_reaction_makes_a_row_for_each_event_once,
        events_are_listed_as_cloud_events_to_whom_the_rows_are_shown,
        a_stream_of_events_goes_on_where_a_client_left_it,
        the_first_events_of_a_tenant_with_a_place_of_its_own_have_their_effects,
        a_dead_letter_parks_its_key_and_is_mended_and_redriven,
        a_view_has_what_happened_before_it_is_waited_for,
        a_schedule_calls_its_command_on_each_row_of_every_tenant,
        after_kill_9_under_load_every_event_has_had_its_effect_once,;
    webhooks:
        an_event_is_delivered_signed_to_the_endpoints_of_its_tenant,
        what_fails_is_tried_again_and_can_be_replayed,
        a_body_of_an_endpoint_is_read_strictly,
        after_kill_9_under_load_every_event_has_arrived,
        tenants_with_places_of_their_own_are_told_what_their_owners_may_know,;
    webhooks_in:
        each_scheme_is_accepted_and_the_reaction_follows,
        what_was_altered_or_is_old_is_refused_and_has_no_effect,
        a_delivery_that_comes_again_does_nothing,
        what_nobody_waits_for_is_answered_and_what_does_not_fit_is_kept_for_a_person,
        the_host_names_the_tenant_that_a_delivery_is_for,
        after_kill_9_whatever_was_answered_has_its_effect_once,;
    events_verbs:
        a_dead_letter_is_listed_shown_mended_and_redriven_while_the_backend_runs,
        all_dead_letters_of_a_consumer_are_redriven_and_one_is_discarded,
        events_are_listed_as_the_api_lists_them,
        a_view_that_is_rebuilt_has_the_same_rows,;
    operations:
        an_import_makes_the_rows_that_are_good_and_reports_the_others,
        an_import_that_is_all_or_nothing_makes_nothing_where_a_row_is_refused,
        an_export_holds_what_the_list_holds,
        operations_are_their_callers_alone,
        after_kill_9_in_an_import_every_row_is_there_exactly_once,
        a_cancelled_import_goes_no_further,;
    jobs:
        a_job_calls_its_command_once_with_its_inputs_and_defaults,
        what_is_asked_twice_under_one_key_is_done_once,
        a_job_is_for_those_whom_the_model_lets_ask,
        inputs_that_do_not_fit_are_refused_before_anything_is_kept,
        a_refusal_that_stays_one_fails_at_once,
        what_may_succeed_later_is_tried_again_and_fails_with_its_last_attempt,
        a_job_that_is_cancelled_before_it_runs_does_nothing,
        of_those_that_wait_the_higher_priority_is_done_first,
        after_kill_9_under_load_every_job_is_done_once,
        no_more_run_at_once_than_the_model_says,;
    live:
        under_load_a_model_is_swapped_again_and_again_and_no_request_fails,
        killed_in_the_middle_of_a_swap_it_starts_again_with_every_row,
        under_load_a_model_grows_again_and_again_and_no_request_fails,
        a_model_with_a_fault_changes_nothing_and_the_fault_is_told_once,
        fifty_swaps_in_a_row_leave_no_thread_descriptor_or_memory_behind,;
    swaps:
        a_swap_that_fails_in_the_middle_of_its_steps_takes_them_back,
        what_a_swap_tightened_before_it_failed_is_loose_again,
        a_fill_of_many_rows_tells_now_and_then_how_far_it_has_come,
        a_new_computed_field_is_refused_with_the_way_to_it_and_that_way_leads_there,;
    audit:
        each_write_is_one_entry_that_says_who_what_and_why,
        no_personal_value_is_in_the_trail,
        a_look_into_anothers_tenant_is_an_entry,
        the_trail_is_for_whom_the_model_allows,
        the_trail_is_paged_and_narrowed,
        after_kill_9_under_load_the_chain_is_whole,
        who_changes_an_entry_or_cuts_off_the_end_is_found,
        without_its_entry_nothing_is_changed_and_nothing_is_shown,
        an_entry_names_the_key_that_was_used,
        what_a_deletion_takes_along_or_clears_has_an_entry_each,;
    windows:
        events_are_counted_in_windows_of_their_own_time_and_late_ones_change_nothing_closed,
        after_kill_9_and_after_a_rebuild_windows_hold_each_event_once,;
    cache:
        an_answer_is_reused_until_its_row_changes,
        a_list_is_reused_until_any_of_its_rows_comes_goes_or_changes,
        a_write_that_is_refused_ends_nothing,
        no_tenant_and_no_caller_gets_the_answer_of_another,
        an_excepted_field_is_never_older_than_its_row,
        a_change_of_an_excepted_field_alone_ends_no_list_without_it,
        what_a_deletion_clears_elsewhere_is_not_reused,
        an_expanded_row_that_changed_is_not_reused,
        a_reader_who_wants_what_is_now_gets_it,
        what_has_not_changed_is_304_from_what_is_kept,;
    seeds:
        orders_of_the_shop_stand_in_every_state_and_tenant,;
}

/// Everything that a database has of ours, but functions.
fn made(database: &Database) -> Vec<Vec<String>> {
    const OURS: &str = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', \
                        'public')";
    database.query(&format!(
        "SELECT 'column', n.nspname || '.' || c.relname || '.' || a.attname, \
           format_type(a.atttypid, a.atttypmod) || a.attnotnull::text || a.attidentity::text || coalesce(l.collname, '') \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 \
           LEFT JOIN pg_collation l ON l.oid = a.attcollation \
         WHERE c.relkind = 'r' AND {OURS} \
         UNION ALL SELECT 'constraint', n.nspname || '.' || c.conname, pg_get_constraintdef(c.oid) \
         FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace WHERE {OURS} \
         UNION ALL SELECT 'index', schemaname || '.' || indexname, indexdef FROM pg_indexes n \
           CROSS JOIN LATERAL (SELECT n.schemaname AS nspname) m \
         WHERE schemaname NOT LIKE 'pg\\_%' \
         UNION ALL SELECT 'policy', schemaname || '.' || tablename, qual || with_check \
         FROM pg_policies ORDER BY 1, 2, 3"
    ))
}

#[test]
fn a_backend_on_postgresql_has_the_tables_that_the_design_wrote() {
    for example in ["shop", "links", "kiosk"] {
        let Some(written) = Database::new() else { return };
        let file = format!("examples/{example}/architecture/schema/{example}.postgresql.sql");
        let text = std::fs::read_to_string(top().join(file)).expect("the file is written");
        written.query(&text);
        let Some(started) = Database::new() else { return };
        let (folder, url) = (Folder::new(), started.url());
        let model = format!("examples/{example}");
        let mut server = Server::start(&model, &folder.0.join("data"), &["--database", &url]);
        server.stop();
        assert_eq!(made(&started), made(&written), "{example}");
        assert!(made(&started).len() > 20, "there is something to compare");
    }
}

#[test]
fn a_model_that_grows_keeps_its_rows_on_postgresql() {
    const BEFORE: &str = "
system: notes
tenancy: row by org
actors: { user: oidc }
contexts:
  notes:
    resources:
      Note:
        fields: { text: string max 20 }
        allow: { read: user, write: user }
";
    const AFTER: &str = "
system: notes
tenancy: row by org
actors: { user: oidc }
contexts:
  notes:
    resources:
      Book:
        fields: { name: string max 20 unique }
        allow: { read: user, write: user }
      Note:
        fields:
          text: string max 40
          book: Book optional
          pages: int 1..9 optional
        allow: { read: user, write: user }
        unique: [[text, pages]]
  racks:
    resources:
      Rack:
        fields: { name: string max 20, words: text max 200 search }
        allow: { read: user, write: user }
";
    let Some(database) = Database::new() else { return };
    let (folder, url) = (Folder::new().with("mainstay.yaml", BEFORE), database.url());
    let (model, data) = (folder.path().to_owned(), folder.0.join("data"));
    let more = ["--database", url.as_str()];
    let mut server = Server::start(&model, &data, &more);
    let user = server.token("user", &["--tenant", "acme"]);
    let note = server.post("/v1/notes", json!({"text": "short"})).bearer(&user).send().expect(201);
    server.stop();
    database.until_left();
    std::fs::write(folder.0.join("mainstay.yaml"), AFTER).expect("writable");
    let server = Server::start(&model, &data, &more);
    let path = format!("/v1/notes/{}", note["id"].as_str().expect("an id"));
    let book = server.post("/v1/books", json!({"name": "b"})).bearer(&user).send().expect(201);
    let change = json!({"book": book["id"], "pages": 3, "text": "longer than twenty characters"});
    let changed = server.patch(&path, change).bearer(&user).send().expect(200);
    assert_eq!(changed["pages"], 3, "{changed}");
    let nowhere = json!({"book": note["id"]});
    let refused = server.patch(&path, nowhere).bearer(&user).send();
    assert_eq!(refused.problem(422), "unknown-reference", "the new reference is held");
    let shelf = json!({"name": "s", "words": "many words"});
    server.post("/v1/racks", shelf).bearer(&user).send().expect(201);
    let found = server.get("/v1/racks?q=wor").bearer(&user).send().expect(200);
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{found}");
}

#[test]
fn two_backends_share_one_database_with_its_rows_and_cursors() {
    let Some(database) = Database::new() else { return };
    let (folder, url) = (Folder::new(), database.url());
    let data = folder.0.join("data");
    let more = ["--database", url.as_str()];
    let one = Server::start("examples/shop", &data, &more);
    let two = Server::start("examples/shop", &data, &more);
    let manager = one.token("staff", &["--role", "manager", "--tenant", "acme"]);
    for sku in ["A", "B", "C"] {
        let body = json!({"sku": sku, "name": sku, "price": euro("1.00")});
        one.post("/v1/products", body).bearer(&manager).send().expect(201);
    }
    let first = one.get("/v1/products?limit=2").bearer(&manager).send().expect(200);
    let cursor = first["next_cursor"].as_str().expect("there is more").to_owned();
    let path = format!("/v1/products?limit=2&cursor={cursor}");
    let rest = two.get(&path).bearer(&manager).send().expect(200);
    assert_eq!(rest["items"].as_array().map(Vec::len), Some(1), "{rest}");
}

#[test]
fn readiness_goes_with_the_database_and_comes_back_with_it() {
    let Some(database) = Database::new() else { return };
    let (folder, url) = (Folder::new(), database.url());
    let server = Server::start("examples/shop", &folder.0.join("data"), &["--database", &url]);
    let top = url.rsplit_once('/').map(|(top, _)| format!("{top}/postgres")).expect("a name");
    let name = url.rsplit_once('/').map(|(_, name)| name.to_owned()).expect("a name");
    let until = |status: u16| {
        let is = || server.get("/readyz").send();
        crate::harness::until(|| is().text(), || is().status == status);
    };
    let products = || server.get("/v1/products").header("host", "acme.localhost").send();
    until(200);
    // Committed before the backend is thrown out: it would come in again in between.
    let shut = format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS false");
    query(&top, &shut).expect("the database is shut");
    let out =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    query(&top, &out).expect("nobody is left in it");
    until(503);
    assert_eq!(server.get("/livez").send().status, 200, "the process stays up");
    assert_eq!(products().status, 503);
    query(&top, &format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS true")).expect("it opens");
    until(200);
    // Whoever found it away leaves it alone for half a second.
    crate::harness::until(|| products().text(), || products().status == 200);
}

#[test]
fn what_is_wrong_with_a_database_is_told_without_its_password() {
    let folder = Folder::new();
    let up = |url: &str| run(&["up", "examples/links", "--data", folder.path(), "--database", url]);
    for (url, told) in [
        ("postgres://me:secret@127.0.0.1:1/links", "no server answers at"),
        ("mysql://me:secret@127.0.0.1/links", "does not begin with `postgres://`"),
        ("postgres://me:secret@127.0.0.1/links?sslmode=perhaps", "`sslmode` is one of"),
    ] {
        let ran = up(url);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
        assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
    }
}

#[test]
fn a_copy_of_files_does_not_go_to_a_server() {
    let url = "postgres://me:secret@127.0.0.1:1/links";
    let folder = Folder::new();
    let ran = run(&["restore", folder.path(), "examples/links", "--database", url]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("no backup of rows"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
}

#[test]
fn a_key_made_on_the_command_line_is_known_to_a_backend_on_the_same_database() {
    let Some(database) = Database::new() else { return };
    let (folder, url) = (Folder::new(), database.url());
    let data = folder.0.join("data");
    let server = Server::start("examples/shop", &data, &["--database", &url]);
    let made = run(&[
        "key",
        "create",
        "examples/shop",
        "--actor",
        "partner",
        "--tenant",
        "acme",
        "--database",
        &url,
        "--data",
        data.to_str().expect("plain"),
    ]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let key = made.stdout.lines().next().expect("a key").trim().to_owned();
    let read = server.get("/v1/products").header("x-api-key", &key).send();
    assert_eq!(read.status, 200, "{}", read.text());
    assert_eq!(server.get("/v1/products").header("x-api-key", "mk_no").send().status, 401);
}

/// A scenario that is run here is one that keeps its rows on the server.
#[test]
fn a_scenario_on_postgresql_leaves_nothing_in_the_data_directory() {
    on_postgresql(|| {
        let shop = Scene::empty("shop");
        crate::scenes::product(&shop, "acme", "A", "1.00");
        assert!(!shop.folder.0.join("data/shop.db").exists());
    });
}
