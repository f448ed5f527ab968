//! JSON Web Keys (RFC 7517) for checking signatures: asymmetric keys only, checked with `ring`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use std::fmt;
use std::str::FromStr;

/// Keys of one set that are looked at.
pub const KEYS_MAX: usize = 64;
/// Bytes of a set at most.
pub const SET_BYTES_MAX: usize = 256 << 10;
/// Bits of an RSA modulus at least and at most (what `ring` takes).
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// Signature algorithms (RFC 7518, RFC 8037). There is no `none` and nothing symmetric, so a
/// token cannot name what is not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];

    /// As in `alg`.
    pub fn name(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|algorithm| algorithm.name() == text);
        known.ok_or_else(|| {
            let all = Self::ALL.map(Self::name).join(", ");
            format!("`{text}` is not a signature algorithm that is taken; there are {all}")
        })
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A key for checking signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its id, where it has one.
    pub kid: Option<String>,
    /// The one algorithm it is for, where the set says so.
    pub algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys of a set that can check signatures; others (encryption, symmetric, unknown) are left
/// out, as RFC 7517 section 5 asks.
///
/// # Errors
/// A sentence for operators: it is not a set, or holds no key that can be used.
pub fn read_set(text: &[u8]) -> Result<Vec<Key>, String> {
    if text.len() > SET_BYTES_MAX {
        return Err(format!("the key set is longer than {SET_BYTES_MAX} bytes"));
    }
    let set: Set = serde_json::from_slice(text)
        .map_err(|error| format!("the key set is not readable: {error}"))?;
    let jwks = set.keys.into_iter().take(KEYS_MAX);
    let keys: Vec<Key> =
        jwks.filter_map(|jwk| serde_json::from_value(jwk).ok()).filter_map(key).collect();
    match keys.is_empty() {
        true => Err("the key set holds no key that can check signatures".to_owned()),
        false => Ok(keys),
    }
}

fn key(jwk: Jwk) -> Option<Key> {
    let signs = jwk.usage.as_deref().is_none_or(|usage| usage == "sig");
    let verifies = jwk.key_ops.is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    // A key for an algorithm that is not known here is not a key for another one.
    let algorithm = match jwk.alg {
        Some(name) => Some(name.parse().ok()?),
        None => None,
    };
    let bytes = |field: &Option<String>| URL_SAFE_NO_PAD.decode(field.as_ref()?).ok();
    let point = |size: usize| {
        let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
        let sized = x.len() == size && y.len() == size;
        sized.then(|| [&[4][..], &x, &y].concat())
    };
    let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => {
            let (n, e) = (bytes(&jwk.n)?, bytes(&jwk.e)?);
            let n: Vec<u8> = n.into_iter().skip_while(|byte| *byte == 0).collect();
            RSA_BYTES.contains(&n.len()).then_some(Material::Rsa { n, e })?
        }
        ("EC", Some("P-256")) => Material::P256(point(32)?),
        ("EC", Some("P-384")) => Material::P384(point(48)?),
        ("OKP", Some("Ed25519")) => {
            let x = bytes(&jwk.x)?;
            (x.len() == 32).then_some(Material::Ed25519(x))?
        }
        _ => return None,
    };
    let key = Key { kid: jwk.kid, algorithm, material };
    let fits = algorithm.is_none_or(|algorithm| key.fits(algorithm));
    (signs && verifies && fits).then_some(key)
}

impl Key {
    /// True where the key can be used with the algorithm at all.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        let kind = match algorithm {
            RS256 | RS384 | RS512 | PS256 | PS384 | PS512 => {
                matches!(self.material, Material::Rsa { .. })
            }
            ES256 => matches!(self.material, Material::P256(_)),
            ES384 => matches!(self.material, Material::P384(_)),
            EdDSA => matches!(self.material, Material::Ed25519(_)),
        };
        kind && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// True where the signature over the message is this key's.
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signed: &[u8]) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        let rsa = |parameters| match &self.material {
            Material::Rsa { n, e } => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(parameters, message, signed).is_ok()
            }
            Material::P256(_) | Material::P384(_) | Material::Ed25519(_) => false,
        };
        let curve = |parameters: &'static dyn signature::VerificationAlgorithm| {
            let bytes = match &self.material {
                Material::Rsa { .. } => return false,
                Material::P256(bytes) | Material::P384(bytes) | Material::Ed25519(bytes) => bytes,
            };
            UnparsedPublicKey::new(parameters, bytes).verify(message, signed).is_ok()
        };
        match algorithm {
            Algorithm::RS256 => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::PS256 => rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => rsa(&signature::RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => rsa(&signature::RSA_PSS_2048_8192_SHA512),
            Algorithm::ES256 => curve(&signature::ECDSA_P256_SHA256_FIXED),
            Algorithm::ES384 => curve(&signature::ECDSA_P384_SHA384_FIXED),
            Algorithm::EdDSA => curve(&signature::ED25519),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A.
    const ED25519: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn set(keys: &[&str]) -> Result<Vec<Key>, String> {
        read_set(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes())
    }

    #[test]
    fn the_signature_of_rfc_8037_is_verified_and_its_change_noticed() {
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signed = URL_SAFE_NO_PAD
            .decode(
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            )
            .unwrap();
        let keys = set(&[ED25519]).unwrap();
        assert!(keys[0].verifies(Algorithm::EdDSA, message, &signed));
        assert!(!keys[0].verifies(Algorithm::EdDSA, &message[1..], &signed));
        assert!(!keys[0].verifies(Algorithm::ES256, message, &signed));
        assert!(!keys[0].verifies(Algorithm::EdDSA, message, &signed[1..]));
    }

    /// Signatures by another implementation.
    #[test]
    fn each_algorithm_verifies_what_another_implementation_signed() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("vectors.json")).unwrap();
        let message = vectors["message"].as_str().unwrap().as_bytes();
        let cases = vectors["cases"].as_array().unwrap();
        assert_eq!(cases.len(), Algorithm::ALL.len());
        for case in cases {
            let algorithm: Algorithm = case["alg"].as_str().unwrap().parse().unwrap();
            let key = &set(&[&case["jwk"].to_string()]).unwrap()[0];
            let signed = URL_SAFE_NO_PAD.decode(case["signature"].as_str().unwrap()).unwrap();
            for other in Algorithm::ALL {
                let verified = key.verifies(other, message, &signed);
                assert_eq!(verified, other == algorithm, "{algorithm} as {other}");
            }
            assert!(!key.verifies(algorithm, b"another message", &signed), "{algorithm}");
            let mut changed = signed.clone();
            changed[7] ^= 1;
            assert!(!key.verifies(algorithm, message, &changed), "{algorithm}");
        }
    }

    #[test]
    fn keys_that_cannot_check_signatures_are_left_out() {
        let left_out = [
            r#"{"kty":"oct","k":"AAAA","alg":"HS256"}"#,
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
            r#"{"kty":"EC","crv":"P-256","x":"AQAB","y":"AQAB"}"#,
            r#"{"kty":"EC","crv":"secp256k1","x":"AQAB","y":"AQAB"}"#,
            &ED25519.replace("\"kty\"", "\"use\":\"enc\",\"kty\""),
            &ED25519.replace("\"kty\"", "\"key_ops\":[\"sign\"],\"kty\""),
            &ED25519.replace("\"kty\"", "\"alg\":\"RS256\",\"kty\""),
            &ED25519.replace("\"kty\"", "\"alg\":\"HS256\",\"kty\""),
            "7",
        ];
        for jwk in left_out {
            let error = set(&[jwk]).unwrap_err();
            assert_eq!(error, "the key set holds no key that can check signatures", "{jwk}");
        }
        assert_eq!(set(&[left_out[0], ED25519]).unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for text in ["", "[]", "{}", r#"{"keys":7}"#] {
            assert!(read_set(text.as_bytes()).is_err(), "{text}");
        }
        let large = format!(r#"{{"keys":[],"x":"{}"}}"#, "y".repeat(SET_BYTES_MAX));
        assert!(read_set(large.as_bytes()).unwrap_err().contains("longer than"));
    }

    #[test]
    fn algorithms_have_the_names_of_the_registry() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(algorithm));
        }
        for wrong in ["none", "None", "HS256", "rs256", "ES256K", ""] {
            assert!(wrong.parse::<Algorithm>().is_err(), "{wrong}");
        }
    }
}
