//! Where deliveries may go: to addresses of the public Internet, and to what the operator allows.
//!
//! Whoever registers an endpoint chooses a host that this process then calls from within its
//! network. So a name is resolved here, every address is looked at, and the connection goes to one
//! that was looked at: what the name means a moment later changes nothing. An address that stands
//! in the URL itself is looked at whenever the URL is used.

use crate::http::forwarded::Network;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// Characters of an endpoint's URL at most.
pub(crate) const URL_CHARACTERS_MAX: usize = 2_048;

/// IPv4 networks that are not of the public Internet (IANA special-purpose registry, multicast and
/// what is reserved).
const REFUSED_V4: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    // Metadata of clouds stand at 169.254.169.254.
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];
/// IPv6 has its public addresses here; all else is local, mapped, translated or not assigned.
const PUBLIC_V6: (u128, u32) = (0x2000 << 112, 3);
/// What of it is not: protocol assignments with Teredo, documentation, 6to4.
const REFUSED_V6: [(u128, u32); 4] =
    [(0x2001 << 112, 23), (0x2001_0db8 << 96, 32), (0x2002 << 112, 16), (0x3fff << 112, 20)];

/// Tells where deliveries may go.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// Networks that are allowed although they are not of the public Internet.
    pub allowed: Vec<Network>,
    /// Refuses `http`.
    pub https_only: bool,
}

/// Why something is not called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The URL can't be one of an endpoint.
    Url(&'static str),
    /// It leads to an address that is not of the public Internet.
    Address,
    /// The name has no address.
    Unknown,
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Url(why) => why,
            // Which address it is says something of the network that the process is in.
            Self::Address => "must lead to an address of the public Internet",
            Self::Unknown => "must name a host that has an address",
        })
    }
}

impl std::error::Error for Refused {}

impl Guard {
    /// True where an address may be called.
    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        let public = match address {
            IpAddr::V4(address) => is_public_v4(address),
            IpAddr::V6(address) => is_public_v6(address),
        };
        public || self.allowed.iter().any(|network| network.holds(address))
    }

    /// Reads the URL of an endpoint.
    ///
    /// # Errors
    /// Where it is none, or its host is an address that may not be called.
    pub(crate) fn url(&self, text: &str) -> Result<Url, Refused> {
        if text.chars().count() > URL_CHARACTERS_MAX {
            return Err(Refused::Url("is longer than 2048 characters"));
        }
        let malformed = Refused::Url("must be a URL, as `https://example.com/hooks`");
        // Tabs and line ends would be taken out of it silently.
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(malformed);
        }
        let url = Url::parse(text).map_err(|_| malformed.clone())?;
        match url.scheme() {
            "https" => {}
            "http" if !self.https_only => {}
            "http" => return Err(Refused::Url("must begin with `https`")),
            _ => return Err(malformed),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Url("may hold no user or password"));
        }
        if url.fragment().is_some() {
            return Err(Refused::Url("may have no fragment"));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(malformed)?;
        match literal(host) {
            Some(address) if !self.admits(address) => Err(Refused::Address),
            Some(_) | None => Ok(url),
        }
    }

    /// Reads a URL and finds out whether its host may be called as things are now.
    ///
    /// # Errors
    /// Where it may not.
    pub(crate) async fn reach(&self, text: &str) -> Result<Url, Refused> {
        let url = self.url(text)?;
        match url.host_str() {
            Some(host) if literal(host).is_none() => {
                self.resolve(host).await?;
            }
            Some(_) | None => {}
        }
        Ok(url)
    }

    /// The addresses of a name that may be called; port 0.
    async fn resolve(&self, name: &str) -> Result<Vec<SocketAddr>, Refused> {
        let found = tokio::net::lookup_host((name, 0)).await.map_err(|_| Refused::Unknown)?;
        let found: Vec<SocketAddr> = found.collect();
        if found.is_empty() {
            return Err(Refused::Unknown);
        }
        let admitted: Vec<SocketAddr> =
            found.into_iter().filter(|address| self.admits(address.ip())).collect();
        if admitted.is_empty() { Err(Refused::Address) } else { Ok(admitted) }
    }
}

/// The address that a host is, in whichever spelling: URLs are brought into one when they are read.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    let within = |(network, length): &([u8; 4], u32)| {
        let shift = 32 - length;
        bits >> shift == u32::from_be_bytes(*network) >> shift
    };
    !REFUSED_V4.iter().any(within)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let bits = u128::from(address);
    let within = |(network, length): &(u128, u32)| {
        let shift = 128 - length;
        bits >> shift == network >> shift
    };
    within(&PUBLIC_V6) && !REFUSED_V6.iter().any(within)
}

/// Resolves names for a client: it connects to what comes out of here and to nothing else.
#[derive(Debug, Clone)]
pub(super) struct Resolver(pub(super) Arc<Guard>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let found = guard.resolve(name.as_str()).await?;
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(text: &str) -> bool {
        Guard::default().admits(text.parse().expect("an address"))
    }

    #[test]
    fn what_is_not_of_the_public_internet_is_refused() {
        let refused = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for text in refused {
            assert!(!admitted(text), "{text}");
        }
    }

    #[test]
    fn what_is_of_the_public_internet_is_called() {
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450::1",
        ];
        for text in public {
            assert!(admitted(text), "{text}");
        }
    }

    #[test]
    fn every_spelling_of_an_address_in_a_url_is_looked_at() {
        let guard = Guard::default();
        let hosts = [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "017700000001",
            "0",
            "0.0.0.0",
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[64:ff9b::127.0.0.1]",
            "[2002:7f00:1::1]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "%31%32%37.0.0.1",
            "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
            "127.0.0.1.",
        ];
        for host in hosts {
            for url in [format!("https://{host}/x"), format!("http://{host}:8080/x")] {
                let found = guard.url(&url);
                assert_eq!(found, Err(Refused::Address), "{url}");
            }
        }
    }

    #[test]
    fn a_url_is_https_where_it_must_be_and_holds_nothing_secret() {
        let guard = Guard { https_only: true, ..Guard::default() };
        assert!(guard.url("https://example.com:8443/hooks?a=b").is_ok());
        assert!(guard.url("https://8.8.8.8/").is_ok());
        let refused = [
            "http://example.com/",
            "ftp://example.com/",
            "example.com",
            "/hooks",
            "https://",
            "https://ann@example.com/",
            "https://ann:pw@example.com/",
            "https://:pw@example.com/",
            "https://example.com/#part",
            "https://exa mple.com/",
            "https://example.com/\n",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "",
        ];
        for url in refused {
            assert!(matches!(guard.url(url), Err(Refused::Url(_))), "{url}");
        }
        assert!(guard.url(&format!("https://example.com/{}", "x".repeat(3_000))).is_err());
        assert!(Guard::default().url("http://example.com/").is_ok());
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_unless_its_network_is_allowed() {
        let guard = Guard::default();
        assert_eq!(guard.reach("http://localhost:9/").await, Err(Refused::Address));
        let allowed = ["127.0.0.0/8", "::1"].map(|text| text.parse().expect("a network"));
        let guard = Guard { allowed: allowed.into(), https_only: false };
        assert!(guard.reach("http://localhost:9/").await.is_ok());
        assert!(guard.reach("http://127.0.0.1:9/").await.is_ok());
        assert_eq!(guard.reach("http://10.0.0.1/").await, Err(Refused::Address));
        let resolver = Resolver(Arc::new(Guard::default()));
        let name = "localhost".parse().expect("a name");
        assert!(resolver.resolve(name).await.is_err());
    }
}
