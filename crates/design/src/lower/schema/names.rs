//! Names of tables, columns and indexes from the names of the model.

/// PostgreSQL cuts identifiers at 63 bytes, silently; longer ones end in a hash of the whole.
const IDENTIFIER_BYTES_MAX: usize = 63;

/// `OrderLine` to `order_line`, `HTTPRoute` to `http_route`.
pub(crate) fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len() + 4);
    for (at, letter) in letters.iter().enumerate() {
        if !letter.is_ascii_alphanumeric() {
            out.push('_');
            continue;
        }
        let after_lower =
            at > 0 && (letters[at - 1].is_lowercase() || letters[at - 1].is_numeric());
        let before_lower = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        let after_upper = at > 0 && letters[at - 1].is_uppercase();
        if letter.is_uppercase() && (after_lower || after_upper && before_lower) {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

/// The regular plural: `category` to `categories`, `box` to `boxes`, `day` to `days`.
pub(crate) fn plural(word: &str) -> String {
    if let Some(stem) = word.strip_suffix('y')
        && !stem.ends_with(['a', 'e', 'i', 'o', 'u'])
        && !stem.is_empty()
    {
        return format!("{stem}ies");
    }
    let hisses = ["s", "x", "z", "ch", "sh"].iter().any(|end| word.ends_with(end));
    if hisses { format!("{word}es") } else { format!("{word}s") }
}

/// An identifier of parts joined by `_`, never longer than every store takes.
pub(super) fn identifier(parts: &[&str]) -> String {
    let whole = parts.join("_");
    if whole.len() <= IDENTIFIER_BYTES_MAX {
        return whole;
    }
    let hash = whole
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let mut cut = IDENTIFIER_BYTES_MAX - 9;
    while !whole.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}_{hash:08x}", &whole[..cut])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_put_into_snake_case_at_each_word() {
        let made = ["OrderLine", "HTTPRoute", "org", "Day2Day", "order-line"].map(snake);
        assert_eq!(made, ["order_line", "http_route", "org", "day2_day", "order_line"]);
    }

    #[test]
    fn plurals_are_regular() {
        let made = ["order", "category", "day", "box", "address", "batch"].map(plural);
        assert_eq!(made, ["orders", "categories", "days", "boxes", "addresses", "batches"]);
    }

    #[test]
    fn long_identifiers_stay_apart_within_the_bound() {
        let long = "x".repeat(80);
        let (a, b) = (identifier(&["ix", &long, "a"]), identifier(&["ix", &long, "b"]));
        assert_eq!((a.len(), b.len()), (63, 63));
        assert_ne!(a, b);
        assert_eq!(identifier(&["ix", "orders"]), "ix_orders");
    }
}
