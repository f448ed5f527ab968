//! On whose behalf a peer calls: `Forwarded` (RFC 7239) or `X-Forwarded-*`, believed from
//! configured proxies only.

use http::header::{FORWARDED, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Hops that are followed at most.
const HOPS_MAX: usize = 16;

/// Peers that are believed, and the header that they set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Their networks. Empty: nobody is believed.
    pub trusted: Vec<Network>,
    /// The header that they overwrite; the other one is the client's and never read.
    pub header: ForwardedHeader,
}

/// Which header the proxies set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, `-Proto`, `-Host`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Standard,
}

/// An IP network: `10.0.0.0/8`, `::1`, `192.0.2.7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// What is known of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its address.
    pub client: IpAddr,
    /// It came over TLS.
    pub secure: bool,
    /// The host it asked for, with port, as sent.
    pub host: Option<HeaderValue>,
}

impl Proxies {
    /// The origin of a request from `peer`; `host` is the authority of the request itself.
    pub fn origin(
        &self,
        peer: IpAddr,
        secure: bool,
        host: Option<HeaderValue>,
        headers: &HeaderMap,
    ) -> Origin {
        let peer = peer.to_canonical();
        let mut origin = Origin { client: peer, secure, host };
        if !self.trusts(peer) {
            return origin;
        }
        let hops = match self.header {
            ForwardedHeader::XForwarded => x_forwarded(headers),
            ForwardedHeader::Standard => forwarded(headers),
        };
        for hop in hops.into_iter().rev().take(HOPS_MAX) {
            if let Some(secure) = hop.secure {
                origin.secure = secure;
            }
            origin.host = hop.host.or(origin.host);
            let Some(client) = hop.client else { break };
            origin.client = client;
            if !self.trusts(client) {
                break;
            }
        }
        origin
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.holds(address))
    }
}

/// What one proxy says of who called it.
#[derive(Debug, Default)]
struct Hop {
    client: Option<IpAddr>,
    secure: Option<bool>,
    host: Option<HeaderValue>,
}

/// `X-Forwarded-For: client, proxy1`; proto and host are those of the last proxy's caller.
fn x_forwarded(headers: &HeaderMap) -> Vec<Hop> {
    let mut hops: Vec<Hop> = elements(headers, &X_FORWARDED_FOR)
        .map(|text| Hop { client: address(&text), ..Hop::default() })
        .collect();
    let secure = elements(headers, &X_FORWARDED_PROTO)
        .last()
        .map(|proto| proto.eq_ignore_ascii_case("https"));
    let host = elements(headers, &X_FORWARDED_HOST)
        .last()
        .and_then(|host| HeaderValue::from_str(&host).ok());
    match hops.last_mut() {
        Some(last) => (last.secure, last.host) = (secure, host),
        None if secure.is_some() || host.is_some() => {
            hops.push(Hop { client: None, secure, host });
        }
        None => {}
    }
    hops
}

/// `Forwarded: for=192.0.2.60;proto=https;host=a.example, for="[2001:db8::1]:4711"`
fn forwarded(headers: &HeaderMap) -> Vec<Hop> {
    let hop = |element: String| {
        let mut hop = Hop::default();
        for pair in split_quoted(&element, ';') {
            let Some((name, value)) = pair.split_once('=') else { continue };
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "for" => hop.client = address(value),
                "proto" => hop.secure = Some(value.eq_ignore_ascii_case("https")),
                "host" => hop.host = HeaderValue::from_str(value).ok(),
                _ => {}
            }
        }
        hop
    };
    elements(headers, &FORWARDED).map(hop).collect()
}

/// The elements of a list header over all its lines.
fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = String> + 'a {
    debug_assert!(name != HOST);
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| split_quoted(text, ','))
        .map(|element| element.trim().to_owned())
        .filter(|element| !element.is_empty())
}

fn split_quoted(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(|letter| {
        quoted ^= letter == '"';
        letter == separator && !quoted
    })
    .collect()
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`; nothing for `unknown`, `_id`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None if text.matches(':').count() == 1 => text.split(':').next()?,
        None => text,
    };
    IpAddr::from_str(bare).ok().map(|address| address.to_canonical())
}

impl Network {
    /// True where an address is in it.
    pub(crate) fn holds(&self, other: IpAddr) -> bool {
        let prefix = |address: u128, width: u32| match width - u32::from(self.bits) {
            128 => 0,
            shift => address >> shift,
        };
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                prefix(u32::from(own).into(), 32) == prefix(u32::from(other).into(), 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                prefix(own.into(), 128) == prefix(other.into(), 128)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an IP address or network like `10.0.0.0/8`");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address = IpAddr::from_str(address).map_err(|_| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().map_err(|_| wrong())?,
            None => width,
        };
        if bits > width { Err(wrong()) } else { Ok(Self { address, bits }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(header: ForwardedHeader, peer: &str, lines: &[(&str, &str)]) -> String {
        let trusted = vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        let proxies = Proxies { trusted, header };
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, value.parse().unwrap());
        }
        let host = Some(HeaderValue::from_static("inner:8080"));
        let origin = proxies.origin(peer.parse().unwrap(), false, host, &headers);
        let scheme = if origin.secure { "https" } else { "http" };
        format!("{} {scheme} {}", origin.client, origin.host.unwrap().to_str().unwrap())
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let lines = [("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https")];
        let seen = origin(ForwardedHeader::XForwarded, "192.0.2.9", &lines);
        assert_eq!(seen, "192.0.2.9 http inner:8080");
    }

    #[test]
    fn the_last_address_that_no_trusted_proxy_owns_is_the_client() {
        let lines = [
            ("x-forwarded-for", "6.6.6.6, 203.0.113.5"),
            ("x-forwarded-for", "10.1.1.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "acme.shop.example"),
        ];
        let seen = origin(ForwardedHeader::XForwarded, "10.0.0.1", &lines);
        assert_eq!(seen, "203.0.113.5 https acme.shop.example");
    }

    #[test]
    fn the_standard_header_is_read_only_where_it_is_the_configured_one() {
        let lines = [
            ("forwarded", "for=6.6.6.6, for=\"[2001:db8::7]:4711\";proto=https;host=\"a.example\""),
            ("x-forwarded-for", "7.7.7.7"),
        ];
        let seen = origin(ForwardedHeader::Standard, "10.0.0.1", &lines);
        assert_eq!(seen, "6.6.6.6 https a.example");
        let seen = origin(ForwardedHeader::XForwarded, "::ffff:10.0.0.1", &lines);
        assert_eq!(seen, "7.7.7.7 http inner:8080");
    }

    #[test]
    fn an_unreadable_hop_ends_the_walk() {
        let lines = [("x-forwarded-for", "1.1.1.1, unknown, 10.2.2.2")];
        let seen = origin(ForwardedHeader::XForwarded, "10.0.0.1", &lines);
        assert_eq!(seen, "10.2.2.2 http inner:8080");
    }

    #[test]
    fn networks_are_read_and_hold_their_addresses() {
        for (network, address, holds) in [
            ("0.0.0.0/0", "8.8.8.8", true),
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("::/0", "1.1.1.1", false),
            ("fd00::/8", "fdff::1", true),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert_eq!(parsed.holds(address.parse().unwrap()), holds, "{network} {address}");
        }
        for wrong in ["10.0.0.0/33", "10.0.0/8", "x", "::1/129", "1.2.3.4/"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
