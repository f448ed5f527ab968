//! Metrics as Prometheus reads them.

use super::*;
use expect_test::expect;

#[test]
fn requests_and_durations_are_counted_by_operation() {
    let metrics = Arc::new(Metrics::default());
    let list = metrics.operation("listProducts", "GET", "/v1/products");
    assert_eq!(metrics.operation("listProducts", "GET", "/v1/products"), list);
    assert_ne!(metrics.operation("getProduct", "GET", "/v1/products/{id}"), list);
    assert_eq!(metrics.name(list), ("listProducts", "/v1/products"));
    metrics.answered(list, 200, Duration::from_micros(700));
    metrics.answered(list, 200, Duration::from_millis(30));
    metrics.answered(list, 299, Duration::from_secs(60));
    metrics.answered(OperationId::OTHER, 404, Duration::from_micros(20));
    metrics.counter("store_commits_total", "Commits.", "result=\"ok\"").add(3);
    metrics.counter("store_commits_total", "Commits.", "result=\"ok\"").increment();
    metrics.counter("store_commits_total", "Commits.", "result=\"busy\"").increment();
    metrics.gauge("store_queue", "Writes that wait.", "").set(2);
    let wait = metrics.histogram("store_wait_seconds", "Wait for the writer.", "");
    wait.observe(Duration::from_micros(100));
    let _flight = metrics.begin();
    let (connected, open) = metrics.connect();
    assert_eq!(open, 1);
    drop(connected);
    let text = metrics.text();
    let shown: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("_bucket") || line.contains("0.001") || line.contains("Inf"))
        .collect();
    expect![[r##"
        # HELP http_server_requests_total Requests answered, by operation and status.
        # TYPE http_server_requests_total counter
        http_server_requests_total{operation="other",http_request_method="",http_route="",http_response_status_code="404"} 1
        http_server_requests_total{operation="listProducts",http_request_method="GET",http_route="/v1/products",http_response_status_code="200"} 2
        http_server_requests_total{operation="listProducts",http_request_method="GET",http_route="/v1/products",http_response_status_code="other"} 1
        # HELP http_server_request_duration_seconds From the request's head to the answer's.
        # TYPE http_server_request_duration_seconds histogram
        http_server_request_duration_seconds_bucket{operation="other",http_request_method="",http_route="",le="0.001"} 1
        http_server_request_duration_seconds_bucket{operation="other",http_request_method="",http_route="",le="+Inf"} 1
        http_server_request_duration_seconds_sum{operation="other",http_request_method="",http_route=""} 0.00002
        http_server_request_duration_seconds_count{operation="other",http_request_method="",http_route=""} 1
        http_server_request_duration_seconds_bucket{operation="listProducts",http_request_method="GET",http_route="/v1/products",le="0.001"} 1
        http_server_request_duration_seconds_bucket{operation="listProducts",http_request_method="GET",http_route="/v1/products",le="+Inf"} 3
        http_server_request_duration_seconds_sum{operation="listProducts",http_request_method="GET",http_route="/v1/products"} 60.0307
        http_server_request_duration_seconds_count{operation="listProducts",http_request_method="GET",http_route="/v1/products"} 3
        # HELP http_server_active_requests Requests being worked on.
        # TYPE http_server_active_requests gauge
        http_server_active_requests 1
        # HELP http_server_open_connections Open connections.
        # TYPE http_server_open_connections gauge
        http_server_open_connections 0
        # HELP http_server_connections_total Connections accepted.
        # TYPE http_server_connections_total counter
        http_server_connections_total 1
        # HELP store_commits_total Commits.
        # TYPE store_commits_total counter
        store_commits_total{result="busy"} 1
        store_commits_total{result="ok"} 4
        # HELP store_queue Writes that wait.
        # TYPE store_queue gauge
        store_queue 2
        # HELP store_wait_seconds Wait for the writer.
        # TYPE store_wait_seconds histogram
        store_wait_seconds_bucket{le="0.001"} 1
        store_wait_seconds_bucket{le="+Inf"} 1
        store_wait_seconds_sum 0.0001
        store_wait_seconds_count 1"##]].assert_eq(&shown.join("\n"));
}

#[test]
fn a_label_cannot_break_out_of_its_quotes() {
    let metrics = Metrics::default();
    let odd = metrics.operation("a\"b\\c\nd", "GET", "/");
    metrics.answered(odd, 200, Duration::ZERO);
    assert!(metrics.text().contains(r#"operation="a\"b\\c\nd","#));
}

#[test]
fn statuses_are_sorted_for_the_search() {
    let known = &series::STATUSES[..series::STATUSES.len() - 1];
    assert!(known.windows(2).all(|pair| pair[0] < pair[1]));
}
