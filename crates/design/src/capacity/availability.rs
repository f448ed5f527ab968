//! The algebra of availability: shares of time that parts are there, and of compositions of them.

/// All of these are needed: the product.
pub fn series(parts: &[f64]) -> f64 {
    parts.iter().product()
}

/// One of `count` equal, independent parts is enough.
pub fn parallel(part: f64, count: u32) -> f64 {
    1.0 - (1.0 - part).powi(i32::try_from(count).unwrap_or(i32::MAX))
}

/// At least `needed` of `count` equal, independent parts.
pub fn quorum(part: f64, needed: u32, count: u32) -> f64 {
    let mut total = 0.0;
    let mut ways = 1.0;
    for up in (0..=count).rev() {
        let down = count - up;
        if down > 0 {
            ways *= f64::from(up + 1) / f64::from(down);
        }
        if up >= needed {
            let power = |base: f64, to: u32| base.powi(i32::try_from(to).unwrap_or(i32::MAX));
            total += ways * power(part, up) * power(1.0 - part, down);
        }
    }
    total.min(1.0)
}

/// From the mean time between failures and the mean time to repair, in the same unit.
pub fn from_repair(between_failures: f64, repair: f64) -> f64 {
    between_failures / (between_failures + repair)
}

/// Two replicas and one repairer (a birth-death chain): the share of time that both are down.
pub fn pair_both_down(between_failures: f64, repair: f64) -> f64 {
    let ratio = repair / between_failures;
    let (one, both) = (2.0 * ratio, 2.0 * ratio * ratio);
    both / (1.0 + one + both)
}

/// Seconds of a 30.44-day month that a share of availability leaves for being down.
pub fn budget_seconds_a_month(availability: f64) -> f64 {
    (1.0 - availability) * crate::draft::MONTH_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, exact: f64) {
        assert!((found - exact).abs() < 5e-7, "{found} is not {exact}");
    }

    #[test]
    fn compositions_meet_the_textbook() {
        near(series(&[0.999, 0.999, 0.999]), 0.997_003);
        near(parallel(0.99, 2), 0.9999);
        near(quorum(0.99, 2, 3), 0.999_702);
        near(quorum(0.99, 3, 5), 0.999_990);
        near(from_repair(720.0, 0.5), 0.999_306);
    }

    #[test]
    fn a_pair_with_one_repairer_is_rarely_down_together() {
        let both = pair_both_down(720.0, 0.5);
        assert!((both / 9.631_68e-7 - 1.0).abs() < 1e-4, "{both}");
    }

    #[test]
    fn a_budget_shrinks_with_each_nine() {
        assert!((budget_seconds_a_month(0.9999) - 262.98).abs() < 0.01);
    }
}
