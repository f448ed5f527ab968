//! Currencies (ISO 4217).

use serde::{Deserialize, Serialize};

/// An ISO 4217 code of three capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Currency(pub [u8; 3]);

/// What is wrong with a code that no currency has.
pub const WANTED: &str = "must be the code of a currency (ISO 4217), such as `EUR`";

/// Codes by the digits after the point, each list sorted: list one of the maintenance agency (SIX)
/// as of 1 January 2026. Left out are codes that nothing has a price in and that have no digits
/// after the point at all: metals, units of bond markets and of development banks, `XTS` for tests
/// and `XXX` for none.
const CODES: [(u8, &[&str]); 4] = [(2, &TWO), (0, &NONE), (3, &THREE), (4, &FOUR)];
const NONE: [&str; 17] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
    "VUV", "XAF", "XOF", "XPF",
];
const TWO: [&str; 139] = [
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BMD",
    "BND", "BOB", "BOV", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHE", "CHF",
    "CHW", "CNY", "COP", "COU", "CRC", "CUP", "CVE", "CZK", "DKK", "DOP", "DZD", "EGP", "ERN",
    "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GTQ", "GYD", "HKD", "HNL",
    "HTG", "HUF", "IDR", "ILS", "INR", "IRR", "JMD", "KES", "KGS", "KHR", "KPW", "KYD", "KZT",
    "LAK", "LBP", "LKR", "LRD", "LSL", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU",
    "MUR", "MVR", "MWK", "MXN", "MXV", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD",
    "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR",
    "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB",
    "TJS", "TMT", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "USD", "USN", "UYU", "UZS", "VED",
    "VES", "WST", "XAD", "XCD", "XCG", "YER", "ZAR", "ZMW", "ZWG",
];
const THREE: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];
const FOUR: [&str; 2] = ["CLF", "UYW"];

/// Codes that three capital letters could be.
const PLACES: usize = 26 * 26 * 26;
/// Stands for a code that no currency has.
const UNKNOWN: u8 = u8::MAX;
/// Digits after the point, by the place of the code: every amount that is read, written or computed
/// asks for them.
static DIGITS: [u8; PLACES] = {
    let mut digits = [UNKNOWN; PLACES];
    let mut list = 0;
    while list < CODES.len() {
        let (decimals, codes) = CODES[list];
        let mut at = 0;
        while at < codes.len() {
            let code = codes[at].as_bytes();
            if let Some(place) = place([code[0], code[1], code[2]]) {
                digits[place] = decimals;
            }
            at += 1;
        }
        list += 1;
    }
    digits
};

/// Where a code stands in [`DIGITS`]; none for what is not three capital letters.
const fn place(code: [u8; 3]) -> Option<usize> {
    let [a, b, c] = code;
    if !(a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_uppercase()) {
        return None;
    }
    Some(((a - b'A') as usize * 26 + (b - b'A') as usize) * 26 + (c - b'A') as usize)
}

impl Currency {
    /// The currency of a code; none where there is no such currency.
    pub fn of(code: &str) -> Option<Self> {
        let letters: [u8; 3] = code.as_bytes().try_into().ok()?;
        let known = place(letters).is_some_and(|at| DIGITS[at] != UNKNOWN);
        known.then_some(Self(letters))
    }

    /// The codes of the currencies with so many digits after the point, sorted.
    pub fn with_decimals(decimals: u8) -> &'static [&'static str] {
        let found = CODES.iter().find(|(digits, _)| *digits == decimals);
        found.map_or(&[], |(_, codes)| codes)
    }

    /// Digits after the point; 2 for a currency that is gone, for rows keep what they were given.
    pub fn decimals(self) -> u8 {
        let digits = place(self.0).map_or(UNKNOWN, |at| DIGITS[at]);
        if digits == UNKNOWN { 2 } else { digits }
    }

    /// The letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

/// A currency that is gone since is one still: it was written when it was.
impl TryFrom<String> for Currency {
    type Error = &'static str;

    fn try_from(code: String) -> Result<Self, Self::Error> {
        let letters = code.as_bytes().try_into().map_err(|_| WANTED)?;
        place(letters).map(|_| Self(letters)).ok_or(WANTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_sorted_and_stand_once() {
        for (decimals, codes) in CODES {
            assert!(codes.is_sorted_by(|a, b| a < b), "{decimals}");
            for code in codes {
                assert_eq!(Currency::of(code).map(Currency::decimals), Some(decimals), "{code}");
            }
            assert_eq!(Currency::with_decimals(decimals), codes);
        }
        assert!(Currency::with_decimals(1).is_empty());
    }

    #[test]
    fn what_is_no_currency_of_today_is_none() {
        for code in ["", "EU", "EURO", "eur", "ABC", "XXX", "XTS", "XAU", "DEM", "BGN", "€"] {
            assert_eq!(Currency::of(code), None, "{code}");
        }
        assert_eq!(Currency(*b"DEM").decimals(), 2);
    }
}
