//! What an address says of Amazon's services.

use percent_encoding::percent_decode_str;
use reqwest::Url;

/// Characters of a region's name at most.
const REGION_CHARS_MAX: usize = 40;
/// Characters of a bucket's name.
const BUCKET_CHARS: std::ops::RangeInclusive<usize> = 3..=63;

/// Where the services are, and how they are spoken to.
#[derive(Clone)]
pub(in crate::adapters::broker) struct Settings {
    pub(super) region: String,
    /// Access key id and secret; none to look for them where Amazon's own tools do.
    pub(super) key: Option<(String, String)>,
    /// One server for all of them, as of an emulator, without a slash at its end.
    pub(super) endpoint: Option<String>,
    /// Where the data of large messages is kept.
    pub(super) bucket: Option<String>,
}

/// What is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Sns,
    Sqs,
    S3,
    Sts,
}

impl Service {
    /// As it is called in addresses and signatures.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sns => "sns",
            Self::Sqs => "sqs",
            Self::S3 => "s3",
            Self::Sts => "sts",
        }
    }
}

impl Settings {
    /// Reads `sqs://eu-central-1?bucket=events&endpoint=http://127.0.0.1:5000`.
    pub(in crate::adapters::broker) fn read(url: &Url) -> Result<Self, String> {
        let region = url.host_str().unwrap_or_default().to_owned();
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if region.len() > REGION_CHARS_MAX || !region.chars().all(known) {
            return Err("the host of such an address is a region: `sqs://eu-central-1`".to_owned());
        }
        if url.port().is_some() || !matches!(url.path(), "" | "/") {
            let fault = "the address of a region has no port and no path; an emulator is named by \
                         `?endpoint=http://host:port`";
            return Err(fault.to_owned());
        }
        let mut settings = Self { region, key: key(url)?, endpoint: None, bucket: None };
        for (name, value) in url.query_pairs() {
            match &*name {
                "endpoint" => settings.endpoint = Some(endpoint(&value)?),
                "bucket" => settings.bucket = Some(bucket(&value)?),
                _ => {
                    return Err("of Amazon SQS, an address says `prefix`, `bucket` and `endpoint`"
                        .to_owned());
                }
            }
        }
        Ok(settings)
    }

    /// Where a service is.
    pub(super) fn root(&self, service: Service) -> String {
        if let Some(endpoint) = &self.endpoint {
            return endpoint.clone();
        }
        let suffix = if self.region.starts_with("cn-") { ".cn" } else { "" };
        format!("https://{}.{}.amazonaws.com{suffix}", service.name(), self.region)
    }

    /// Where an object is, by a name that needs no encoding.
    pub(super) fn object(&self, bucket: &str, name: &str) -> String {
        let root = self.root(Service::S3);
        match &self.endpoint {
            Some(_) => format!("{root}/{bucket}/{name}"),
            None => format!("{}/{name}", root.replacen("://", &format!("://{bucket}."), 1)),
        }
    }
}

fn key(url: &Url) -> Result<Option<(String, String)>, String> {
    let decoded = |text: &str| {
        let text = percent_decode_str(text).decode_utf8();
        text.map(String::from).map_err(|_| "an access key is UTF-8".to_owned())
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", _) | (_, None) => Err("an access key id has a secret".to_owned()),
        (id, Some(secret)) => Ok(Some((decoded(id)?, decoded(secret)?))),
    }
}

fn endpoint(text: &str) -> Result<String, String> {
    let fault = || "`endpoint` is the address of a server: `http://127.0.0.1:5000`".to_owned();
    let url: Url = text.parse().map_err(|_| fault())?;
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if !matches!(url.scheme(), "http" | "https") || !plain || url.fragment().is_some() {
        return Err(fault());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// A name with a dot has no certificate.
fn bucket(text: &str) -> Result<String, String> {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !BUCKET_CHARS.contains(&text.len()) || !text.chars().all(known) {
        return Err("`bucket` is 3 to 63 lower-case letters, digits and `-`".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        Settings::read(&text.parse().expect("a URL"))
    }

    #[test]
    fn services_are_where_the_region_has_them() {
        let of = |text: &str, service| read(text).expect("settings").root(service);
        let here = "https://sns.eu-central-1.amazonaws.com";
        assert_eq!(of("sqs://eu-central-1", Service::Sns), here);
        let there = "https://sqs.cn-north-1.amazonaws.com.cn";
        assert_eq!(of("sqs://cn-north-1", Service::Sqs), there);
        let bucket = read("sqs://us-east-1?bucket=events").expect("settings");
        let object = "https://events.s3.us-east-1.amazonaws.com/t/0/e";
        assert_eq!(bucket.object("events", "t/0/e"), object);
        assert_eq!(bucket.bucket.as_deref(), Some("events"));
        assert_eq!(bucket.key, None);
    }

    #[test]
    fn an_emulator_is_one_server_for_all_of_them() {
        let text = "sqs://id:s%2Fecret@us-east-1?endpoint=http://127.0.0.1:5000/";
        let settings = read(text).expect("settings");
        assert_eq!(settings.root(Service::Sts), "http://127.0.0.1:5000");
        assert_eq!(settings.object("events", "t/0/e"), "http://127.0.0.1:5000/events/t/0/e");
        assert_eq!(settings.key, Some(("id".to_owned(), "s/ecret".to_owned())));
    }

    #[test]
    fn what_is_not_known_of_amazon_is_refused_without_a_word_of_it() {
        for text in [
            "sqs://hidden.example.com",
            "sqs://us-east-1:80",
            "sqs://us-east-1/hidden",
            "sqs://id@us-east-1",
            "sqs://us-east-1?profile=hidden",
            "sqs://us-east-1?endpoint=hidden",
            "sqs://us-east-1?endpoint=http://id:hidden@h",
            "sqs://us-east-1?bucket=Hidden.Events",
        ] {
            let why = read(text).err().unwrap_or_default();
            assert!(!why.is_empty() && !why.to_lowercase().contains("hidden"), "{text}: {why}");
        }
    }
}
