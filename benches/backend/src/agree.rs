//! Both servers are asked the same and must answer the same, byte by byte, but for what cannot be
//! equal: ids and times of what they make, traces, and tags over those.

use crate::cases::{Requests, raw, uuid};
use crate::data::{Draw, Rows, SHOPPERS};
use crate::process::{Reply, Server};

/// Asks both and tells the first difference.
pub(crate) fn check(
    rows: &Rows,
    requests: &Requests<'_>,
    mainstay: &Server,
    reference: &Server,
) -> Result<usize, String> {
    let pair = Pair { mainstay, reference, requests };
    let mut draw = Draw(11);
    let mut compared = 0;
    for _ in 0..50 {
        let at = draw.below(rows.orders.len());
        let order = &rows.orders[at];
        let own = requests.shopper(order.tenant, order.shopper);
        let other = requests.shopper(order.tenant, (order.shopper + 1) % SHOPPERS);
        let foreign = requests.shopper((order.tenant + 1) % 4, order.shopper);
        let path = format!("/v1/orders/{}", uuid(order.id));
        let short = format!("{path}?fields=shopper,total,note,status,created_at,updated_at");
        for (path, token) in [
            (&path, own),
            (&short, own),
            (&path, requests.staff(order.tenant)),
            (&path, other),
            (&path, foreign),
            (&path, ""),
        ] {
            pair.same("GET", path, token, &[], "", false)?;
            compared += 1;
        }
    }
    for tenant in 0..4 {
        let shopper = requests.shopper(tenant, 3);
        for token in [requests.staff(tenant), shopper] {
            let mut path = "/v1/orders?limit=20".to_owned();
            for _ in 0..3 {
                let reply = pair.same("GET", &path, token, &[], "", false)?;
                let link = reply.header("link").and_then(|link| link.strip_prefix('<'));
                let Some((next, _)) = link.and_then(|link| link.split_once('>')) else { break };
                next.clone_into(&mut path);
                compared += 1;
            }
            pair.same("GET", "/v1/orders?limit=5&expand=lines", token, &[], "", false)?;
            compared += 1;
        }
    }
    Ok(compared + pair.writes(rows, &mut draw)?)
}

struct Pair<'a> {
    mainstay: &'a Server,
    reference: &'a Server,
    requests: &'a Requests<'a>,
}

impl Pair<'_> {
    fn writes(&self, rows: &Rows, draw: &mut Draw) -> Result<usize, String> {
        let json = ("Content-Type", "application/json".to_owned());
        let patch = ("Content-Type", "application/merge-patch+json".to_owned());
        let key = ("Idempotency-Key", "agree-1".to_owned());
        let tag = |tag: &str| ("If-Match", format!("\"{tag}\""));
        let token = self.requests.shopper(0, 1);
        let body = self.requests.new_order(draw, 0);
        let create = |headers: &[(&str, String)], body: &str| {
            self.same("POST", "/v1/orders", token, headers, body, true)
        };
        create(std::slice::from_ref(&json), &body)?;
        create(&[json.clone(), key.clone()], &body)?;
        let again = create(&[json.clone(), key.clone()], &body)?;
        if again.header("idempotent-replayed").is_none() {
            return Err("the second call with a key was not the first one's".to_owned());
        }
        let other = self.requests.new_order(draw, 0);
        create(&[json.clone(), key], &other)?;
        create(std::slice::from_ref(&json), &body.replace("\"quantity\":2", "\"quantity\":200"))?;
        create(std::slice::from_ref(&json), "{\"lines\":[]}")?;
        let foreign = self.requests.new_order(draw, 1);
        create(std::slice::from_ref(&json), &foreign)?;
        let mut drafts = rows.orders.iter().filter(|order| order.status == "draft");
        let order = drafts.next().ok_or("there is no draft")?;
        let token = self.requests.shopper(order.tenant, order.shopper);
        let path = format!("/v1/orders/{}", uuid(order.id));
        let change = |headers: &[(&str, String)], body: &str| {
            self.same("PATCH", &path, token, headers, body, true)
        };
        change(&[patch.clone(), tag("1.0000000000000000")], "{\"note\":\"ring twice\"}")?;
        change(&[patch.clone(), tag("1.0000000000000000")], "{\"note\":\"too late\"}")?;
        change(std::slice::from_ref(&patch), "{\"note\":null}")?;
        let place = format!("{path}/place");
        let placed =
            |headers: &[(&str, String)]| self.same("POST", &place, token, headers, "", true);
        placed(&[tag("1.0000000000000000")])?;
        placed(&[tag("3.0000000000000000")])?;
        placed(&[])?;
        Ok(13)
    }

    fn same(
        &self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, String)],
        body: &str,
        made: bool,
    ) -> Result<Reply, String> {
        let of =
            |server: &Server| server.ask(&raw(server.address, method, path, token, headers, body));
        let (one, other) = (of(self.mainstay)?, of(self.reference)?);
        if plain(&one, made) == plain(&other, made) {
            return Ok(one);
        }
        Err(format!(
            "{method} {path} {body} is answered differently.\nMainstay:  {}\nreference: {}",
            plain(&one, made),
            plain(&other, made)
        ))
    }
}

/// An answer without what cannot be equal.
fn plain(reply: &Reply, made: bool) -> String {
    let failed = reply.status >= 400;
    let hide = made || failed;
    let mut text = format!("{} {}", reply.status, mask(&reply.body, hide));
    for name in [
        "content-type",
        "etag",
        "link",
        "location",
        "cache-control",
        "www-authenticate",
        "idempotent-replayed",
    ] {
        if let Some(value) = reply.header(name) {
            let value = match (name, made) {
                // The version is before the dot; the rest is a hash over ids and times.
                ("etag", true) => value.split('.').next().unwrap_or_default().to_owned(),
                _ => mask(value, hide),
            };
            text.push_str(&format!("\n    {name}: {value}"));
        }
    }
    text
}

/// Ids, traces and times as `#`: runs of hexadecimal digits with dashes of 32 or more, and what
/// begins like a time.
fn mask(text: &str, hide: bool) -> String {
    if !hide {
        return text.to_owned();
    }
    let hex = |c: char| c.is_ascii_hexdigit() || c == '-';
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let run = rest.find(|c: char| !hex(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(run);
        let is_time = word.len() == 10 && word.starts_with("20") && after.starts_with('T');
        if is_time {
            let end = after.find('"').unwrap_or(after.len());
            out.push('#');
            rest = &after[end..];
            continue;
        }
        out.push_str(if word.len() >= 32 { "#" } else { word });
        let step = after.chars().next().map_or(0, char::len_utf8);
        out.push_str(&after[..step]);
        rest = &after[step..];
    }
    out
}
