//! Laws that hold for all rules together.

use super::testing::{decisions, example, read};

const EXAMPLES: [&str; 4] = ["shop", "links", "clinic", "kiosk"];

#[test]
fn print_all() {
    for name in EXAMPLES {
        println!("\n# ================ {name}");
        for decision in decisions(example(name)) {
            println!("{}", read(&decision));
        }
    }
}
