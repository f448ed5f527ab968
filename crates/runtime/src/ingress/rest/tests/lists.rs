//! Lists: pages, order, filters, search, shape.

use super::world::{Answer, World};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use expect_test::expect;

fn skus(page: &Answer) -> Vec<String> {
    assert_eq!(page.status, 200, "{}", page.body);
    let items = page.json()["items"].as_array().expect("items").clone();
    items.iter().map(|item| item["sku"].as_str().unwrap_or("-").to_owned()).collect()
}

async fn stocked() -> World {
    let world = World::new();
    for (at, price) in ["5", "1", "3", "1", "10.50"].into_iter().enumerate() {
        world.pass(1_000_000);
        world.product(&format!("s-{at}"), price, u32::try_from(at).unwrap() % 3).await;
    }
    world
}

#[tokio::test]
async fn pages_follow_each_other_and_leave_out_none() {
    let world = stocked().await;
    let mut line = "alice GET /v1/products?limit=2".to_owned();
    let mut pages = Vec::new();
    for _ in 0..5 {
        let page = world.ask(&line, "").await;
        pages.push(skus(&page).join(" "));
        let json = page.json();
        let Some(cursor) = json["next_cursor"].as_str() else {
            assert_eq!(page.header("link"), "");
            break;
        };
        let next = format!("/v1/products?limit=2&cursor={cursor}");
        assert_eq!(page.header("link"), format!("<{next}>; rel=\"next\""));
        line = format!("alice GET {next}");
    }
    assert_eq!(pages, ["s-4 s-3", "s-2 s-1", "s-0"]);
}

#[tokio::test]
async fn a_row_that_is_not_touched_comes_once_whatever_else_is_written() {
    let world = stocked().await;
    let first = world.ask("alice GET /v1/products?limit=2&sort=sku", "").await;
    assert_eq!(skus(&first), ["s-0", "s-1"]);
    world.product("a-first", "1", 1).await;
    world.product("s-15", "1", 1).await;
    let row = first.json()["items"][1]["id"].as_str().unwrap().to_owned();
    assert_eq!(world.ask(&format!("manager DELETE /v1/products/{row}"), "").await.status, 204);
    let cursor = first.json()["next_cursor"].as_str().unwrap().to_owned();
    let line = format!("alice GET /v1/products?limit=9&sort=sku&cursor={cursor}");
    assert_eq!(skus(&world.ask(&line, "").await), ["s-15", "s-2", "s-3", "s-4"]);
}

#[tokio::test]
async fn the_order_is_total_and_by_several_keys() {
    let world = stocked().await;
    let mut shown = Vec::new();
    for sort in ["price", "-price,sku", "stock,-price", "-id", "id", "created_at", "-stock,id,sku"]
    {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let line = format!("alice GET /v1/products?limit=2&sort={sort}{cursor}");
            let page = world.ask(&line, "").await;
            all.extend(skus(&page));
            match page.json()["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        shown.push(format!("{sort}: {}", all.join(" ")));
    }
    expect![[r#"
        price: s-1 s-3 s-2 s-0 s-4
        -price,sku: s-4 s-0 s-2 s-1 s-3
        stock,-price: s-0 s-3 s-4 s-1 s-2
        -id: s-4 s-3 s-2 s-1 s-0
        id: s-0 s-1 s-2 s-3 s-4
        created_at: s-0 s-1 s-2 s-3 s-4
        -stock,id,sku: s-2 s-1 s-4 s-0 s-3"#]]
    .assert_eq(&shown.join("\n"));
}

#[tokio::test]
async fn filters_narrow_by_type_and_operator() {
    let world = stocked().await;
    let mut shown = Vec::new();
    for filter in [
        "sku=s-1",
        "sku.ne=s-1",
        "sku.in=s-1,s-4,nothing",
        "sku.prefix=s-",
        "sku.prefix=S-",
        "price.gte=3",
        "price.gt=3.00&price.lt=10.5",
        "price=1",
        "price.currency=EUR",
        "price.currency=USD",
        "stock.in=1,2&price.gt=1",
        "created_at.lt=2030-01-01T00:00:03Z",
        "created_at.lt=2030-01-01T01:00:03%2B01:00",
        "q=thing%20s",
        "q=THING+4",
        "q=nothing",
        "name.gte=Thing%20s-3",
    ] {
        let page = world.ask(&format!("alice GET /v1/products?sort=sku&{filter}"), "").await;
        shown.push(format!("{filter}: {}", skus(&page).join(" ")));
    }
    expect![[r#"
        sku=s-1: s-1
        sku.ne=s-1: s-0 s-2 s-3 s-4
        sku.in=s-1,s-4,nothing: s-1 s-4
        sku.prefix=s-: s-0 s-1 s-2 s-3 s-4
        sku.prefix=S-: 
        price.gte=3: s-0 s-2 s-4
        price.gt=3.00&price.lt=10.5: s-0
        price=1: s-1 s-3
        price.currency=EUR: s-0 s-1 s-2 s-3 s-4
        price.currency=USD: 
        stock.in=1,2&price.gt=1: s-2 s-4
        created_at.lt=2030-01-01T00:00:03Z: s-0 s-1
        created_at.lt=2030-01-01T01:00:03%2B01:00: s-0 s-1
        q=thing%20s: s-0 s-1 s-2 s-3 s-4
        q=THING+4: s-4
        q=nothing: 
        name.gte=Thing%20s-3: s-3 s-4"#]]
    .assert_eq(&shown.join("\n"));
}

#[tokio::test]
async fn what_is_not_known_or_cannot_be_read_is_refused_and_never_ignored() {
    let world = stocked().await;
    let terms: String = (0..21).map(|_| "&sku.ne=x").collect();
    let many: String = ["sku.ne=a", "sku.gt=a", "sku.gte=a", "sku.lt=z", "sku.lte=z", "sku.in=a"]
        .iter()
        .chain(&["sku.prefix=a", "sku=a", "name=a", "name.ne=a", "name.gt=a", "name.gte=a"])
        .chain(&["name.lt=a", "name.lte=a", "name.in=a", "name.prefix=a", "stock=1", "stock.ne=1"])
        .chain(&["stock.gt=1", "stock.gte=1", "stock.lt=1"])
        .map(|term| format!("&{term}"))
        .collect();
    let long = format!("sku.in={}", vec!["a"; 101].join(","));
    let mut shown = Vec::new();
    for query in [
        "colour=red",
        "sku.like=a",
        "price.in=1",
        "stock.prefix=1",
        "stock=1.0",
        "stock=a",
        "price=1.00001",
        "price.currency=eur",
        "price.currency.in=EUR,ABC",
        "created_at.lt=yesterday",
        "id=17",
        "sku.null=true",
        "limit=0",
        "limit=-1",
        "limit=1.5",
        "limit=",
        "sort=",
        "sort=colour",
        "sort=price.currency",
        "sort=sku,-sku",
        "fields=sku,sku",
        "fields=colour",
        "expand=lines",
        "cursor=x",
        "sku=%ff",
        "sku=%00",
        "sku.in=",
        "name=%ZZ",
        "q=a%00",
        "q=",
        "q=-",
        "q=%E2%80%94+_",
        terms.trim_start_matches('&'),
        &many,
        &long,
    ] {
        let answer = world.ask(&format!("alice GET /v1/products?{query}"), "").await;
        let query: String = query.chars().take(24).collect();
        shown.push(format!("{query}: {}", answer.show().replace('\n', " ")));
    }
    expect![[r#"
        colour=red: 400 unknown-parameter   ?colour: is no parameter of this list
        sku.like=a: 400 unknown-parameter   ?sku.like: `sku` has no such operator
        price.in=1: 400 unknown-parameter   ?price.in: `price` has no such operator
        stock.prefix=1: 400 unknown-parameter   ?stock.prefix: `stock` has no such operator
        stock=1.0: 400 invalid-parameter   ?stock: must be a whole number of 64 bits
        stock=a: 400 invalid-parameter   ?stock: must be a whole number of 64 bits
        price=1.00001: 400 invalid-parameter   ?price: must be an amount such as `12.50`
        price.currency=eur: 400 invalid-parameter   ?price.currency: must be the code of a currency (ISO 4217), such as `EUR`
        price.currency.in=EUR,AB: 400 invalid-parameter   ?price.currency.in: must be the code of a currency (ISO 4217), such as `EUR`
        created_at.lt=yesterday: 400 invalid-parameter   ?created_at.lt: must be an RFC 3339 timestamp such as `2026-01-31T12:30:00Z`
        id=17: 400 invalid-parameter   ?id: must be a UUID
        sku.null=true: 400 unknown-parameter   ?sku.null: `sku` has no such operator
        limit=0: 400 invalid-parameter   ?limit: must be at least 1
        limit=-1: 400 invalid-parameter   ?limit: must be a whole number
        limit=1.5: 400 invalid-parameter   ?limit: must be a whole number
        limit=: 400 invalid-parameter   ?limit: must be a whole number
        sort=: 400 invalid-parameter   ?sort: has an empty element
        sort=colour: 400 invalid-parameter   ?sort: `colour` is no sort key of this list
        sort=price.currency: 400 invalid-parameter   ?sort: `price.currency` is no sort key of this list
        sort=sku,-sku: 400 invalid-parameter   ?sort: names `sku` twice
        fields=sku,sku: 400 invalid-parameter   ?fields: names `sku` twice
        fields=colour: 400 invalid-parameter   ?fields: `colour` is no member of the row
        expand=lines: 400 unknown-parameter   ?expand: is no parameter of this list
        cursor=x: 400 invalid-cursor   ?cursor: was not made for this list
        sku=%ff: 400 invalid-parameter   ?sku: is not UTF-8 in percent-encoding
        sku=%00: 400 invalid-parameter   ?sku: may not hold the character NUL
        sku.in=: 400 invalid-parameter   ?sku.in: has an empty element
        name=%ZZ: 400 invalid-parameter   ?name: is not UTF-8 in percent-encoding
        q=a%00: 400 invalid-parameter   ?q: may not hold the character NUL
        q=: 400 invalid-parameter   ?q: must hold a word, of letters or digits
        q=-: 400 invalid-parameter   ?q: must hold a word, of letters or digits
        q=%E2%80%94+_: 400 invalid-parameter   ?q: must hold a word, of letters or digits
        sku.ne=x&sku.ne=x&sku.ne: 400 invalid-parameter   ?sku.ne: stands twice
        &sku.ne=a&sku.gt=a&sku.g: 400 invalid-parameter   ?stock.lt: is one of more than 20 terms
        sku.in=a,a,a,a,a,a,a,a,a: 400 invalid-parameter   ?sku.in: takes at most 100 values"#]].assert_eq(&shown.join("\n"));
    let page = world.ask("alice GET /v1/products?limit=1000000000000000000000", "").await;
    assert_eq!(skus(&page).len(), 5, "a limit above the most is the most");
}

#[tokio::test]
async fn a_list_is_sorted_by_every_key_that_the_contract_offers_and_by_no_other() {
    let world = World::new();
    let contract = crate::fixture::shop().contract.clone();
    let mut refused = Vec::new();
    for operation in &contract.operations {
        for filter in &operation.filters {
            let line = format!("manager GET {}?sort={}", operation.path, filter.name);
            let answer = world.ask(&line, "").await;
            assert_eq!(answer.status, if filter.sortable { 200 } else { 400 }, "{line}");
            if !filter.sortable {
                refused.push(format!("{}: {}", filter.name, answer.show().replace('\n', " ")));
            }
        }
    }
    expect![[r#"
        price.currency: 400 invalid-parameter   ?sort: `price.currency` is no sort key of this list
        cost.currency: 400 invalid-parameter   ?sort: `cost.currency` is no sort key of this list
        total.currency: 400 invalid-parameter   ?sort: `total.currency` is no sort key of this list
        note: 400 invalid-parameter   ?sort: `note` is no sort key of this list
        target: 400 invalid-parameter   ?sort: `target` is no sort key of this list
        during.end: 400 invalid-parameter   ?sort: `during.end` is no sort key of this list
        reply: 400 invalid-parameter   ?sort: `reply` is no sort key of this list
        revenue.currency: 400 invalid-parameter   ?sort: `revenue.currency` is no sort key of this list
        spread.currency: 400 invalid-parameter   ?sort: `spread.currency` is no sort key of this list"#]]
    .assert_eq(&refused.join("\n"));
}

#[tokio::test]
async fn a_cursor_is_good_for_its_filter_order_caller_and_tenant_alone() {
    let world = stocked().await;
    let page = world.ask("alice GET /v1/products?limit=2&sort=sku&stock.gte=0", "").await;
    let cursor = page.json()["next_cursor"].as_str().unwrap().to_owned();
    let mut tampered = cursor.clone().into_bytes();
    tampered[3] = if tampered[3] == b'A' { b'B' } else { b'A' };
    let tampered = String::from_utf8(tampered).unwrap();
    for (line, wanted) in [
        (format!("alice GET /v1/products?cursor={cursor}&limit=5&stock.gte=0&sort=sku"), 200),
        (format!("alice GET /v1/products?sort=sku&stock.gte=0&fields=sku&cursor={cursor}"), 200),
        (format!("alice GET /v1/products?sort=sku&stock.gte=1&cursor={cursor}"), 400),
        (format!("alice GET /v1/products?sort=sku&cursor={cursor}"), 400),
        (format!("alice GET /v1/products?sort=-sku&stock.gte=0&cursor={cursor}"), 400),
        (format!("alice GET /v1/products?sort=sku&stock.gte=0&q=a&cursor={cursor}"), 400),
        (format!("bob GET /v1/products?sort=sku&stock.gte=0&cursor={cursor}"), 400),
        (format!("eve GET /v1/products?sort=sku&stock.gte=0&cursor={cursor}"), 400),
        (format!("manager GET /v1/coupons?cursor={cursor}"), 400),
        (format!("alice GET /v1/products?sort=sku&stock.gte=0&cursor={tampered}"), 400),
    ] {
        let answer = world.ask(&line, "").await;
        assert_eq!(answer.status, wanted, "{line}: {}", answer.body);
        if wanted == 400 {
            assert!(answer.body.starts_with("invalid-cursor"), "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn children_and_references_are_shown_where_they_are_asked_for() {
    let world = World::new();
    let product = world.product("a-1", "2", 3).await;
    let order = world.order(&product).await;
    let list = world.ask("alice GET /v1/orders", "").await;
    assert!(
        list.json()["items"][0].get("lines").is_none(),
        "a list has no children: {}",
        list.body
    );
    let list = world.ask("alice GET /v1/orders?expand=lines&fields=lines,total", "").await;
    expect![[r#"{"items":[{"id":"01b8dac5-b400-7001-8000-000000000001","lines":[{"id":"01b8dac5-b400-7002-8000-000000000002","product":"01b8dac5-b400-7000-8000-000000000000","price":{"amount":"2.00","currency":"EUR"},"quantity":2,"amount":{"amount":"4.00","currency":"EUR"}}],"total":{"amount":"4.00","currency":"EUR"}}]}"#]].assert_eq(&list.body);
    let item = world.ask(&format!("alice GET /v1/orders/{order}?expand=lines.product"), "").await;
    let json = item.json();
    assert_eq!(json["lines"][0]["product"]["sku"], "a-1");
    assert!(json["lines"][0]["product"].get("cost").is_none(), "alice may not read `cost`");
    let list = world.ask("alice GET /v1/orders?expand=lines.product,lines", "").await;
    assert_eq!(list.json()["items"][0]["lines"][0]["product"]["id"], product.as_str());
    // A deleted target leaves the id, and expanding gives null.
    let gone = world.ask(&format!("manager DELETE /v1/products/{product}"), "").await;
    assert_eq!(gone.status, 204, "nothing in this context refers to it: {}", gone.body);
    let item = world.ask(&format!("alice GET /v1/orders/{order}"), "").await;
    assert_eq!(item.json()["lines"][0]["product"], product.as_str());
    let item = world.ask(&format!("alice GET /v1/orders/{order}?expand=lines.product"), "").await;
    assert_eq!(item.json()["lines"][0]["product"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_question_with_more_words_than_are_looked_for_is_refused() {
    let world = World::new();
    world.product("a-1", "2", 3).await;
    let words = |number: usize| vec!["thing"; number].join("+");
    let fits = world.ask(&format!("alice GET /v1/products?q={}", words(16)), "").await;
    assert_eq!((fits.status, fits.json()["items"].as_array().map(Vec::len)), (200, Some(1)));
    let more = world.ask(&format!("alice GET /v1/products?q={}", words(17)), "").await;
    assert_eq!(more.show(), "400\ninvalid-parameter\n  ?q: takes at most 16 words");
}

#[tokio::test]
async fn lists_are_walked_by_the_longest_values_that_a_sort_key_may_have() {
    let world = World::new();
    let mut made = Vec::new();
    for at in 0..3 {
        let (sku, name) = (format!("{at}{}", "s".repeat(39)), "secret".repeat(33) + "ab");
        let body = format!(
            r#"{{"sku":"{sku}","name":"{name}","price":{{"amount":"99999999999999.99","currency":"EUR"}},"stock":{at}}}"#
        );
        let one = world.ask("manager POST /v1/products", &body).await;
        assert_eq!(one.status, 201, "{}", one.body);
        made.push(sku);
    }
    for sort in ["name", "-name,sku", "name,price,stock,sku"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let line = format!("alice GET /v1/products?limit=1&sort={sort}{cursor}");
            let page = world.ask(&line, "").await;
            assert_eq!(page.status, 200, "{}", page.body);
            seen.extend(skus(&page));
            let json = page.json();
            let Some(next) = json["next_cursor"].as_str() else { break };
            assert!(next.len() < 1_024, "{sort}: {}", next.len());
            let plain = URL_SAFE_NO_PAD.decode(next).expect("it is base64");
            assert!(!plain.windows(6).any(|six| six == b"secret"), "{sort}");
            cursor = format!("&cursor={next}");
        }
        seen.sort();
        assert_eq!(seen, made, "{sort}");
    }
}
