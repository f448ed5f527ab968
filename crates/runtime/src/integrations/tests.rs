//! Addresses and proofs of systems outside.

use super::Remotes;

fn added(url: &str, auth: Option<&str>) -> Result<(), String> {
    Remotes::default().add("bank", url, auth)
}

#[test]
fn an_address_is_an_http_url_without_query_fragment_and_user() {
    for good in ["https://bank.example", "http://127.0.0.1:8080/api/v2/"] {
        assert_eq!(added(good, None), Ok(()), "{good}");
    }
    for bad in [
        "bank.example",
        "ftp://bank.example",
        "https://b.example/?a=1",
        "https://b.example/#a",
        "https://u:p@b.example",
    ] {
        let wrong = added(bad, None).expect_err(bad);
        assert!(wrong.contains("`https://` URL") && !wrong.contains(bad), "{wrong}");
    }
}

#[test]
fn a_proof_is_a_token_a_user_with_password_or_a_header_and_is_never_shown() {
    let url = "https://bank.example";
    for good in ["bearer t0ken", "basic user:s3cret", "header X-Key s3cret"] {
        assert_eq!(added(url, Some(good)), Ok(()), "{good}");
    }
    for bad in [
        "bearer",
        "bearer s3cret\u{1}x",
        "basic s3cret",
        "header X-Key",
        "header X_ü s3cret",
        "s3cret",
    ] {
        let wrong = added(url, Some(bad)).expect_err(bad);
        assert!(!wrong.contains("s3cret"), "{wrong}");
    }
    let mut remotes = Remotes::default();
    assert_eq!(remotes.add("bank", url, Some("bearer s3cret")), Ok(()));
    assert_eq!(format!("{remotes:?}"), "Remotes(…)");
}
