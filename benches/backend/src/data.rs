//! The rows that are measured on: products and orders of a few tenants, drawn by a seed, written
//! into the tables that Mainstay made.

use rusqlite::{Connection, params};
use std::path::Path;

/// Tenants.
pub(crate) const TENANTS: [&str; 4] = ["acme", "bluebird", "corner", "dune"];
/// Shoppers of a tenant.
pub(crate) const SHOPPERS: u32 = 25;
/// Products of a tenant.
const PRODUCTS: u32 = 250;
/// Lines of an order.
pub(crate) const LINES: u32 = 5;
/// Microseconds between two orders.
const APART: i64 = 250_000;

/// A generator of numbers by a seed (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below another.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// A UUIDv7 of a time in microseconds.
    fn id(&mut self, micros: i64) -> u128 {
        let millis = u128::from(micros.unsigned_abs() / 1_000);
        let fraction = u128::from(micros.unsigned_abs() % 1_000 * 4_096 / 1_000);
        millis << 80 | 7 << 76 | fraction << 64 | 0b10 << 62 | u128::from(self.next() >> 2)
    }
}

/// A product as requests name it.
#[derive(Debug, Clone)]
pub(crate) struct Product {
    /// Index of its tenant.
    pub(crate) tenant: usize,
    /// Its id.
    pub(crate) id: u128,
    /// In ten-thousandths.
    pub(crate) price: i64,
}

/// An order of the start.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// Index of its tenant.
    pub(crate) tenant: usize,
    /// Number of its shopper.
    pub(crate) shopper: u32,
    /// Its id.
    pub(crate) id: u128,
    /// Microseconds since 1970.
    pub(crate) at: i64,
    /// What is said with it.
    pub(crate) note: Option<&'static str>,
    /// `draft` for four of five.
    pub(crate) status: &'static str,
    /// Lines: id, index of the product, quantity.
    pub(crate) lines: Vec<(u128, usize, i64)>,
}

/// All rows.
pub(crate) struct Rows {
    /// Of all tenants.
    pub(crate) products: Vec<Product>,
    /// Of all tenants, by time.
    pub(crate) orders: Vec<Order>,
}

/// `shopper-7`
pub(crate) fn shopper(number: u32) -> String {
    format!("shopper-{number}")
}

impl Rows {
    /// Draws them; `now` is when the last order was made.
    pub(crate) fn draw(seed: u64, orders: u32, now: i64) -> Self {
        let mut draw = Draw(seed);
        let mut products = Vec::new();
        for tenant in 0..TENANTS.len() {
            for _ in 0..PRODUCTS {
                let price = 10_000 + (draw.below(9_900) as i64) * 100;
                products.push(Product { tenant, id: draw.id(now - 86_400_000_000), price });
            }
        }
        let notes = ["leave it with the neighbour", "ring twice", "a present, no invoice please"];
        let begin = now - i64::from(orders) * APART;
        let make = |number: u32| {
            let at = begin + i64::from(number) * APART + draw.below(200_000) as i64;
            let tenant = draw.below(TENANTS.len());
            let status = match draw.below(15) {
                0 => "paid",
                1 => "shipped",
                2 => "cancelled",
                _ => "draft",
            };
            let note = notes.get(draw.below(10)).copied();
            let of_tenant = tenant * PRODUCTS as usize;
            let id = draw.id(at);
            let lines = (0..LINES)
                .map(|_| {
                    let product = of_tenant + draw.below(PRODUCTS as usize);
                    (draw.id(at), product, 1 + draw.below(9) as i64)
                })
                .collect();
            let shopper = draw.below(SHOPPERS as usize) as u32;
            Order { tenant, shopper, id, at, note, status, lines }
        };
        let orders = (0..orders).map(make).collect();
        Self { products, orders }
    }

    /// What an order costs.
    pub(crate) fn total(&self, order: &Order) -> i64 {
        order.lines.iter().map(|(_, product, many)| self.products[*product].price * many).sum()
    }

    /// Writes them into SQLite.
    pub(crate) fn fill_sqlite(&self, data: &Path) -> rusqlite::Result<()> {
        let link = Connection::open(data.join("shop.db"))?;
        link.execute_batch("PRAGMA synchronous = OFF; BEGIN")?;
        let text = "INSERT INTO catalog_products (org, id, row_version, created_at, updated_at, \
                    sku, name, name_search, price, price_currency, stock) \
                    VALUES (?1, ?2, 1, ?3, ?3, ?4, ?5, ?6, ?7, 'EUR', 100000)";
        let mut insert = link.prepare(text)?;
        let at = self.orders.first().map_or(0, |order| order.at);
        for (number, product) in self.products.iter().enumerate() {
            let (name, org) = (format!("Product {number}"), TENANTS[product.tenant]);
            let (sku, search) = (format!("SKU-{number}"), format!(" product {number}"));
            let id = product.id.to_be_bytes();
            insert.execute(params![org, id, at, sku, name, search, product.price])?;
        }
        drop(insert);
        let text = "INSERT INTO ordering_orders (org, id, row_version, created_at, updated_at, \
                    shopper, total, total_currency, note, status) \
                    VALUES (?1, ?2, 1, ?3, ?3, ?4, ?5, 'EUR', ?6, ?7)";
        let mut insert = link.prepare(text)?;
        let text = "INSERT INTO ordering_order_lines (org, id, order_id, position, product, price, \
                    price_currency, quantity, amount, amount_currency) \
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'EUR', ?7, ?8, 'EUR')";
        let mut insert_line = link.prepare(text)?;
        for order in &self.orders {
            let (org, id) = (TENANTS[order.tenant], order.id.to_be_bytes());
            let (shopper, total) = (shopper(order.shopper), self.total(order));
            insert.execute(params![org, id, order.at, shopper, total, order.note, order.status])?;
            for (position, (line, product, many)) in order.lines.iter().enumerate() {
                let (line, product) = (line.to_be_bytes(), &self.products[*product]);
                let (of, amount) = (product.id.to_be_bytes(), product.price * many);
                let place = position as i64;
                insert_line.execute(params![
                    org,
                    line,
                    id,
                    place,
                    of,
                    product.price,
                    many,
                    amount
                ])?;
            }
        }
        drop((insert, insert_line));
        link.execute_batch("COMMIT")?;
        link.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }
}

/// Copies a directory of files.
pub(crate) fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
