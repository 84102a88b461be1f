//! Decimal numbers that bound a floating-point number, so that printed bounds are bounds, too.

use std::fmt;

/// Prints a number rounded down: what is printed is a bound from below, as a decimal number.
///
/// With a precision, `{:.3}` has that many decimals and `{:.3e}` that many after the first digit. Without one, it has as many as
/// tell the number from all other floats.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AtLeast(pub(crate) f64);

/// Prints a number rounded up: what is printed is a bound from above, as a decimal number. As [`AtLeast`] otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AtMost(pub(crate) f64);

impl fmt::Display for AtLeast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rounding::new(self.0, self.0 < 0.0).print(f, Notation::Plain)
    }
}

impl fmt::LowerExp for AtLeast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rounding::new(self.0, self.0 < 0.0).print(f, Notation::Exponent)
    }
}

impl fmt::Display for AtMost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rounding::new(self.0, self.0 > 0.0).print(f, Notation::Plain)
    }
}

impl fmt::LowerExp for AtMost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rounding::new(self.0, self.0 > 0.0).print(f, Notation::Exponent)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Notation {
    Plain,
    Exponent,
}

/// A number whose magnitude is to be rounded away from 0, or towards it.
struct Rounding {
    x: f64,
    away: bool,
}

impl Rounding {
    fn new(x: f64, away: bool) -> Self {
        Self { x, away }
    }

    fn print(&self, f: &mut fmt::Formatter<'_>, notation: Notation) -> fmt::Result {
        let x = self.x;
        if !x.is_finite() {
            return f.pad_integral(x.is_nan() || x > 0.0, "", if x.is_nan() { "NaN" } else { "inf" });
        }
        let digits = match (f.precision(), notation) {
            (Some(precision), Notation::Plain) => self.with_decimals(precision),
            (Some(precision), Notation::Exponent) => self.with_exponent(precision),
            (None, Notation::Plain) => self.shortest_plain(),
            (None, Notation::Exponent) => self.shortest(),
        };
        f.pad_integral(x >= 0.0, "", &digits)
    }

    /// The magnitude with so many decimals.
    fn with_decimals(&self, precision: usize) -> String {
        // All decimals that a float can have.
        const ALL: usize = 1074;
        let exact = format!("{:.ALL$}", self.x.abs());
        let (whole, decimals) = exact.split_once('.').expect("a number with decimals");
        if precision >= ALL {
            return format!("{:.precision$}", self.x.abs());
        }
        let (kept, rest) = decimals.split_at(precision);
        let digits = self.rounded(&[whole, kept].concat(), rest);
        let (whole, kept) = digits.split_at(digits.len() - precision);
        if precision == 0 { whole.into() } else { format!("{whole}.{kept}") }
    }

    /// The magnitude with so many digits after the first one, and an exponent.
    fn with_exponent(&self, precision: usize) -> String {
        // All digits that a float can have.
        const ALL: usize = 767;
        if precision >= ALL || self.x == 0.0 {
            return format!("{:.precision$e}", self.x.abs());
        }
        let exact = format!("{:.ALL$e}", self.x.abs());
        let (digits, exponent) = exact.split_once('e').expect("a number with an exponent");
        let (first, decimals) = digits.split_once('.').expect("a number with decimals");
        let (kept, rest) = decimals.split_at(precision);
        let digits = self.rounded(&[first, kept].concat(), rest);
        let exponent: i32 = exponent.parse().expect("a whole exponent");
        // 9.99 may have become 10.00.
        let exponent = if digits.len() > 1 + precision { exponent + 1 } else { exponent };
        let (first, kept) = (&digits[..1], &digits[1..=precision]);
        if precision == 0 { format!("{first}e{exponent}") } else { format!("{first}.{kept}e{exponent}") }
    }

    /// The shortest magnitude, with an exponent, that is read back as the same float.
    fn shortest(&self) -> String {
        // So many digits are always enough.
        const MOST: usize = 20;
        let same = |text: &String| text.parse() == Ok(self.x.abs());
        (0..MOST).map(|precision| self.with_exponent(precision)).find(same).expect("20 digits tell all floats apart")
    }

    /// As [`shortest`](Self::shortest), without an exponent where numbers are usually written so.
    fn shortest_plain(&self) -> String {
        let text = self.shortest();
        let (digits, exponent) = text.split_once('e').expect("a number with an exponent");
        let exponent: i32 = exponent.parse().expect("a whole exponent");
        if !(-5..16).contains(&exponent) {
            return text;
        }
        let precision = (digits.len() as i32 - 2 - exponent).max(1);
        self.with_decimals(precision as usize)
    }

    /// Whole digits before what is cut off, rounded.
    fn rounded(&self, kept: &str, rest: &str) -> String {
        let mut digits = kept.to_owned();
        if !self.away || rest.bytes().all(|digit| digit == b'0') {
            return digits;
        }
        let nines = digits.len() - digits.trim_end_matches('9').len();
        digits.truncate(digits.len() - nines);
        let next = digits.pop().map_or('1', |digit| (digit as u8 + 1) as char);
        digits.push(next);
        digits.extend(std::iter::repeat_n('0', nines));
        digits
    }
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use num_rational::BigRational;
    use proptest::prelude::*;

    use super::*;

    /// The exact value of a decimal number.
    fn read(text: &str) -> BigRational {
        let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
        let exponent = exponent.parse::<i32>().unwrap() - decimals.len() as i32;
        let number = BigRational::from(format!("{whole}{decimals}").parse::<BigInt>().unwrap());
        number * BigRational::from(BigInt::from(10)).pow(exponent)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn what_is_printed_is_a_bound_and_near(
            x in prop_oneof![-20.0..20.0f64, proptest::num::f64::ANY, (-99..100i32).prop_map(|k| f64::from(k) / 10.0)],
            precision in 0..9usize,
        ) {
            prop_assume!(x.is_finite());
            let exact = BigRational::from_float(x).unwrap();
            let encloses = |low: String, high: String, width: Option<BigRational>| -> Result<(), TestCaseError> {
                let (below, above) = (read(&low), read(&high));
                prop_assert!(below <= exact && exact <= above, "{x:e} in [{low}, {high}]");
                prop_assert!(width.is_none_or(|width| above - below <= width), "{x:e} in [{low}, {high}]");
                Ok(())
            };
            let ten = BigRational::from(BigInt::from(10));
            let unit = ten.pow(-(precision as i32));
            encloses(format!("{:.precision$}", AtLeast(x)), format!("{:.precision$}", AtMost(x)), Some(unit.clone()))?;
            let near = (x != 0.0).then(|| unit * ten.pow(1 + x.abs().log10().floor() as i32));
            encloses(format!("{:.precision$e}", AtLeast(x)), format!("{:.precision$e}", AtMost(x)), near)?;
            for (low, high) in [
                (AtLeast(x).to_string(), AtMost(x).to_string()),
                (format!("{:e}", AtLeast(x)), format!("{:e}", AtMost(x))),
            ] {
                prop_assert_eq!((low.parse(), high.parse()), (Ok(x), Ok(x)), "{} {}", &low, &high);
                encloses(low, high, None)?;
            }
        }
    }

    #[test]
    fn numbers_look_as_usual_where_they_are_exact() {
        for x in [0.0, 1.0, -0.25, 1e-7, 3e20, 1024.0, f64::INFINITY, f64::NEG_INFINITY] {
            for (low, high, usual) in [
                (AtLeast(x).to_string(), AtMost(x).to_string(), format!("{x:?}")),
                (format!("{:e}", AtLeast(x)), format!("{:e}", AtMost(x)), format!("{x:e}")),
            ] {
                if x != 1e-7 {
                    assert_eq!((low, high), (usual.clone(), usual));
                }
            }
        }
        assert_eq!(format!("{:>8.2}|{:<8.1e}|", AtLeast(-0.996), AtMost(9.96)), "   -1.00|1.0e1   |");
        assert_eq!(format!("{:.0} {:.0e} {:.2}", AtMost(0.1), AtMost(99.0), AtLeast(0.999)), "1 1e2 0.99");
        // 0.1 is a little above a tenth.
        assert_eq!((AtLeast(0.1).to_string(), AtMost(0.1).to_string()), ("0.1".into(), "0.10000000000000001".into()));
        assert_eq!(format!("{:e} {}", AtLeast(f64::NAN), AtMost(f64::NAN)), "NaN NaN");
    }
}
