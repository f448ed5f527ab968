//! Words that plausible rows are made of. Made-up people, reserved domains.

pub(super) const GIVEN: [&str; 16] = [
    "Alice", "Bob", "Carol", "Dave", "Erin", "Farid", "Grace", "Hana", "Ivan", "Judith", "Kofi",
    "Lena", "Mia", "Noah", "Olga", "Priya",
];

pub(super) const FAMILY: [&str; 12] = [
    "Aalto",
    "Berg",
    "Costa",
    "Dunne",
    "Eriksen",
    "Farah",
    "Gruber",
    "Haddad",
    "Ito",
    "Jansen",
    "Kowal",
    "Lindqvist",
];

pub(super) const ADJECTIVES: [&str; 16] = [
    "amber", "broad", "calm", "deep", "even", "fresh", "grey", "hollow", "ivory", "keen", "light",
    "mild", "narrow", "plain", "quiet", "round",
];

pub(super) const NOUNS: [&str; 20] = [
    "anchor", "basket", "candle", "drawer", "engine", "feather", "garden", "harbour", "island",
    "jacket", "kettle", "ladder", "mirror", "needle", "orchard", "pocket", "river", "saddle",
    "table", "window",
];

pub(super) const CITIES: [&str; 8] =
    ["Aarhus", "Bilbao", "Cork", "Dresden", "Evora", "Faro", "Ghent", "Haarlem"];

pub(super) const COUNTRIES: [&str; 6] = ["DE", "DK", "ES", "IE", "NL", "PT"];
