//! How names of the model become names of a contract: words, cases and regular plurals. One place,
//! so that paths, columns, operation ids and types of one name always agree.

/// PostgreSQL cuts identifiers at 63 bytes, silently; longer ones end in a hash of the whole.
const IDENTIFIER_BYTES_MAX: usize = 63;

/// Cuts a name into its words in lower case: `SalesByDay`, `salesByDay`, `sales_by_day` and
/// `sales-by-day` are all `sales by day`; `HTTPServer` is `http server`.
pub fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (at, &letter) in letters.iter().enumerate() {
        if !letter.is_alphanumeric() {
            words.push(std::mem::take(&mut word));
            continue;
        }
        let after_small =
            at > 0 && (letters[at - 1].is_lowercase() || letters[at - 1].is_numeric());
        let before_small = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        let after_capital = at > 0 && letters[at - 1].is_uppercase();
        if letter.is_uppercase() && (after_small || (after_capital && before_small)) {
            words.push(std::mem::take(&mut word));
        }
        word.extend(letter.to_lowercase());
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// `sales_by_day`: columns, tables, members.
pub fn snake(name: &str) -> String {
    words(name).join("_")
}

/// `sales-by-day`: path segments.
pub fn kebab(name: &str) -> String {
    words(name).join("-")
}

/// `SalesByDay`: types.
pub fn pascal(name: &str) -> String {
    words(name).iter().map(|word| capital(word)).collect()
}

/// `salesByDay`: operation ids.
pub fn camel(name: &str) -> String {
    let mut words = words(name).into_iter();
    let first = words.next().unwrap_or_default();
    first + &words.map(|word| capital(&word)).collect::<String>()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Words that have no other form for many: where there is none, or where it is the same.
const UNCOUNTABLE: [&str; 26] = [
    "aircraft",
    "baggage",
    "cash",
    "content",
    "data",
    "equipment",
    "evidence",
    "feedback",
    "fish",
    "furniture",
    "hardware",
    "information",
    "inventory",
    "knowledge",
    "luggage",
    "media",
    "metadata",
    "money",
    "news",
    "premises",
    "research",
    "series",
    "sheep",
    "software",
    "species",
    "staff",
];
/// Words whose plural no rule gives.
const IRREGULAR: [(&str, &str); 25] = [
    ("appendix", "appendices"),
    ("calf", "calves"),
    ("child", "children"),
    ("criterion", "criteria"),
    ("curriculum", "curricula"),
    ("foot", "feet"),
    ("goose", "geese"),
    ("half", "halves"),
    ("index", "indexes"),
    ("knife", "knives"),
    ("leaf", "leaves"),
    ("life", "lives"),
    ("loaf", "loaves"),
    ("man", "men"),
    ("matrix", "matrices"),
    ("mouse", "mice"),
    ("ox", "oxen"),
    ("person", "people"),
    ("phenomenon", "phenomena"),
    ("quiz", "quizzes"),
    ("self", "selves"),
    ("shelf", "shelves"),
    ("thief", "thieves"),
    ("tooth", "teeth"),
    ("woman", "women"),
];
/// Words in `-o` that take `-es`.
const IN_OES: [&str; 6] = ["echo", "embargo", "hero", "potato", "tomato", "veto"];
/// Further words in `-f` and `-fe` that take `-ves`.
const IN_VES: [&str; 3] = ["wife", "wolf", "scarf"];

/// The plural of an English word or of the last word of a name: `box` → `boxes`, `category` →
/// `categories`, `analysis` → `analyses`, `person` → `people`, `series` → `series`. Paths, tables
/// and operation ids all take it from here; a word that it does not know is given with `path:`.
pub fn plural(name: &str) -> String {
    // A word begins after a mark, or with a capital after a small letter.
    let begins = |(at, pair): (usize, &[u8])| match pair {
        [b'-' | b'_' | b' ', _] => Some(at + 1),
        [before, next] if before.is_ascii_lowercase() && next.is_ascii_uppercase() => Some(at + 1),
        _ => None,
    };
    let start = name.as_bytes().windows(2).enumerate().filter_map(begins).next_back().unwrap_or(0);
    let (head, word) = name.split_at(start);
    let last = word.to_ascii_lowercase();
    let last = last.as_str();
    if UNCOUNTABLE.contains(&last) {
        return name.to_owned();
    }
    if let Some((_, many)) = IRREGULAR.iter().find(|(one, _)| *one == last) {
        let first = &word[..word.len().min(1)];
        let same = many.starts_with(first.to_lowercase().as_str());
        return format!("{head}{}{}", if same { first } else { "" }, &many[usize::from(same)..]);
    }
    let ends = |ending: &str| last.ends_with(ending);
    let but = |letters: usize| &name[..name.len() - letters];
    let vowel_y = ["ay", "ey", "iy", "oy", "uy"].into_iter().any(ends);
    if ends("y") && !vowel_y && last.len() > 1 {
        return format!("{}ies", but(1));
    }
    if ends("sis") {
        return format!("{}ses", but(3));
    }
    if IN_VES.contains(&last) {
        return format!("{}ves", but(if ends("fe") { 2 } else { 1 }));
    }
    if ["s", "x", "z", "ch", "sh"].into_iter().any(ends) || IN_OES.contains(&last) {
        return format!("{name}es");
    }
    format!("{name}s")
}

/// The path segment of a resource: kebab-case plural (`OrderLine` → `order-lines`).
pub fn resource_path(name: &str) -> String {
    plural(&kebab(name))
}

/// The path segment of a view: kebab-case, never a plural (`SalesByDay` → `sales-by-day`).
pub fn view_path(name: &str) -> String {
    kebab(name)
}

/// An identifier of parts joined by `_`, never longer than every store takes.
pub(crate) fn identifier(parts: &[&str]) -> String {
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
    fn one_name_in_every_case() {
        for name in ["SalesByDay", "salesByDay", "sales_by_day", "sales-by-day"] {
            let cases = [snake(name), kebab(name), pascal(name), camel(name)];
            assert_eq!(cases, ["sales_by_day", "sales-by-day", "SalesByDay", "salesByDay"]);
        }
        assert_eq!(kebab("HTTPServer2Log"), "http-server2-log");
    }

    #[test]
    fn plurals_are_regular() {
        let path = |name| resource_path(name);
        let singular = ["Product", "Category", "Box", "Address", "Key", "Branch", "OrderLine"];
        let plural = ["products", "categories", "boxes", "addresses", "keys", "branches"];
        assert_eq!(singular.map(path)[..6], plural);
        assert_eq!(path("OrderLine"), "order-lines");
        assert_eq!(view_path("SalesByDay"), "sales-by-day");
    }

    #[test]
    fn irregular_plurals_are_those_of_english() {
        let cases = "person people, child children, leaf leaves, analysis analyses, \
                     diagnosis diagnoses, criterion criteria, species species, series series, \
                     premises premises, news news, data data, information information, \
                     equipment equipment, quiz quizzes, bus buses, box boxes, status statuses, \
                     basis bases, shelf shelves, wife wives, roof roofs, photo photos, hero heroes, \
                     SalesPerson SalesPeople, SkillSet SkillSets, Größe Größes, order-child order-children, Child Children, \
                     price-index price-indexes, class classes, human humans, address addresses";
        for case in cases.split(", ") {
            let (one, many) = case.split_once(' ').expect("two words");
            assert_eq!(plural(one), many, "{one}");
        }
        assert_eq!(resource_path("SalesPerson"), "sales-people");
    }

    #[test]
    fn words_that_end_in_a_vowel_and_y_stay_as_they_are() {
        let made = ["order", "category", "day", "batch", "y"].map(plural);
        assert_eq!(made, ["orders", "categories", "days", "batches", "ys"]);
        let columns = ["OrderLine", "HTTPRoute", "Day2Day", "order-line", "a__b"].map(snake);
        assert_eq!(columns, ["order_line", "http_route", "day2_day", "order_line", "a_b"]);
    }

    #[test]
    fn case_conversion_is_idempotent() {
        for name in ["A", "AB", "aB", "Ab1c", "x_y", "x__y", "URLMap", "Größe"] {
            assert_eq!(snake(&snake(name)), snake(name), "{name}");
            assert_eq!(kebab(&kebab(name)), kebab(name), "{name}");
            assert_eq!(camel(&camel(name)), camel(name), "{name}");
        }
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
