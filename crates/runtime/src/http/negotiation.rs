//! Content negotiation (RFC 9110, section 12): weighted lists, media types, codings.

use http::{HeaderMap, HeaderName};

/// Elements of a weighted list that are looked at; further ones are ignored.
const ELEMENTS_MAX: usize = 32;

/// The elements of a weighted list with their weight in thousandths; parameters other than `q`
/// stay with the element. An element whose weight is not readable counts as refused.
pub fn weighted<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = (&'a str, u16)> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|element| !element.is_empty())
        .take(ELEMENTS_MAX)
        .map(weight)
}

fn weight(element: &str) -> (&str, u16) {
    let lower = |at: usize| matches!(element.as_bytes()[at], b'q' | b'Q');
    let found = element.char_indices().filter(|(_, letter)| *letter == ';').find_map(|(at, _)| {
        let rest = element[at + 1..].trim_start();
        let begin = element.len() - rest.len();
        let is_weight = rest.len() > 1 && lower(begin) && rest[1..].trim_start().starts_with('=');
        is_weight.then(|| (at, rest[1..].trim_start()[1..].split(';').next().unwrap_or("")))
    });
    match found {
        Some((at, value)) => (element[..at].trim_end(), thousandths(value.trim()).unwrap_or(0)),
        None => (element, 1000),
    }
}

/// `0.8`, `1`, `0.125` in thousandths.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    let part: u16 = if part.is_empty() { 0 } else { format!("{part:0<3}").parse().ok()? };
    match whole {
        _ if !digits => None,
        "0" => Some(part),
        "1" if part == 0 => Some(1000),
        _ => None,
    }
}

/// The first of `offered` media types (best first) that `Accept` takes with the highest weight;
/// the first one where there is no `Accept`. `None` is 406.
pub fn media_type<'a>(headers: &HeaderMap, offered: &[&'a str]) -> Option<&'a str> {
    if !headers.contains_key(http::header::ACCEPT) {
        return offered.first().copied();
    }
    let ranges: Vec<(&str, u16)> = weighted(headers, &http::header::ACCEPT).collect();
    if ranges.is_empty() {
        return offered.first().copied();
    }
    let quality = |media: &str| {
        let best = ranges.iter().filter_map(|(range, q)| Some((specificity(range, media)?, *q)));
        best.max_by_key(|(specific, _)| *specific).map_or(0, |(_, q)| q)
    };
    let mut best = None;
    for media in offered {
        let q = quality(media);
        if q > 0 && best.is_none_or(|(most, _)| q > most) {
            best = Some((q, *media));
        }
    }
    best.map(|(_, media)| media)
}

/// 3 for the type with parameters, 2 for the type, 1 for `type/*`, 0 for `*/*`; none: no match.
fn specificity(range: &str, media: &str) -> Option<u8> {
    let essence = |text: &str| text.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let (wanted, given) = (essence(range), essence(media));
    let (kind, subtype) = wanted.split_once('/')?;
    if wanted == given {
        return Some(if range.contains(';') { 3 } else { 2 });
    }
    match (kind, subtype) {
        ("*", "*") => Some(0),
        (kind, "*") if given.split('/').next() == Some(kind) => Some(1),
        _ => None,
    }
}

/// The media type of a `Content-Type` value without parameters, in lower case; `None` where the
/// charset is one that JSON does not have.
pub fn essence(content_type: &str) -> Option<String> {
    let mut parts = content_type.split(';');
    let media = parts.next()?.trim().to_ascii_lowercase();
    for parameter in parts {
        let (name, value) = parameter.split_once('=')?;
        let utf8 = value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8");
        if name.trim().eq_ignore_ascii_case("charset") && !utf8 {
            return None;
        }
    }
    media.contains('/').then_some(media)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::ACCEPT;

    fn chosen(accept: &str) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        media_type(&headers, &["application/json", "application/problem+json", "text/html"])
    }

    #[test]
    fn the_best_type_that_is_accepted_wins() {
        for (accept, wanted) in [
            ("*/*", Some("application/json")),
            ("text/html", Some("text/html")),
            ("text/*;q=0.5, application/json;q=0.4", Some("text/html")),
            ("application/json;q=0, */*", Some("application/problem+json")),
            ("application/*;q=0.2, text/html;q=0.1", Some("application/json")),
            ("APPLICATION/JSON", Some("application/json")),
            ("image/png", None),
            ("application/json;q=2", None),
            ("application/json ; q = 0.001", Some("application/json")),
            ("", Some("application/json")),
        ] {
            assert_eq!(chosen(accept), wanted, "{accept}");
        }
        assert_eq!(media_type(&HeaderMap::new(), &["a/b"]), Some("a/b"));
    }

    #[test]
    fn a_content_type_is_reduced_to_its_essence() {
        assert_eq!(essence("Application/JSON").as_deref(), Some("application/json"));
        assert_eq!(
            essence("application/json; charset=\"UTF-8\"").as_deref(),
            Some("application/json")
        );
        assert_eq!(essence("application/json; charset=latin1"), None);
        assert_eq!(essence("json"), None);
    }
}
