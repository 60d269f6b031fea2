//! Quantities as people and ERP systems write them, read exactly: masses in whole milligrams, results with their unit. Refuses
//! decimal commas, since a comma may be a thousand.

use heatmark_records::forms::milligrams;
use heatmark_records::{Decimal, Measured, Quantity, Relation, Value};

/// A mass in milligrams, rounded down, such as `1500 kg`.
pub(crate) fn mass_mg(text: &str) -> Option<u64> {
    let (number, unit) = split(text);
    scaled(&Decimal::parse(number).ok()?, milligrams(unit)?)
}

/// A mass, or a share of one in per cent, in milligrams.
pub(crate) fn tolerance_mg(text: &str, of_mg: u64) -> Option<u64> {
    let (number, unit) = split(text);
    if unit == "%" {
        return scaled(&Decimal::parse(number).ok()?, (i128::from(of_mg), 100));
    }
    mass_mg(text)
}

fn scaled(number: &Decimal, (numerator, denominator): (i128, i128)) -> Option<u64> {
    let divisor = 10_i128.checked_pow(u32::from(number.scale()))?.checked_mul(denominator)?;
    let scaled = number.mantissa().checked_mul(numerator)?.checked_div(divisor)?;
    u64::try_from(scaled).ok()
}

/// A number with its unit behind it; the unit may be empty.
pub(crate) fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let behind =
        text.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+'));
    let at = text.len().saturating_sub(behind.len());
    text.split_at_checked(at).map_or((text, ""), |(number, unit)| (number, unit.trim()))
}

/// A result, such as `<0.002 %` or `passed`; a unit that is given apart counts where none stands behind the number.
pub(crate) fn measured(text: &str, unit: &str) -> Option<Measured> {
    let text = text.trim();
    let verdict = match text.to_lowercase().as_str() {
        "pass" | "passed" | "ok" => Some(true),
        "fail" | "failed" => Some(false),
        _ => None,
    };
    if let Some(passed) = verdict {
        return Some(Measured { unit: String::new(), quantity: Quantity::Verdict(passed) });
    }
    const SIGNS: [(&str, Relation); 7] = [
        ("<=", Relation::LessOrEqual),
        ("≤", Relation::LessOrEqual),
        (">=", Relation::GreaterOrEqual),
        ("≥", Relation::GreaterOrEqual),
        ("<", Relation::Less),
        (">", Relation::Greater),
        ("=", Relation::Equal),
    ];
    let sign = SIGNS.iter().find_map(|(sign, of)| Some((*of, text.strip_prefix(sign)?)));
    let (relation, rest) = sign.unwrap_or((Relation::Equal, text));
    let (number, behind) = split(rest);
    let number = Decimal::parse(number).ok()?;
    let unit = match (behind, unit.trim()) {
        ("", apart) => apart,
        (behind, "") => behind,
        (behind, apart) if behind == apart => behind,
        _ => return None,
    };
    let measured = Measured { unit: unit.to_owned(), quantity: Quantity::Number(relation, number) };
    Value::Measured(measured.clone()).check().ok().map(|()| measured)
}

/// Kilograms, with as many decimal places as they need.
#[must_use]
pub(crate) fn kilograms(mass_mg: u64) -> String {
    let (whole, rest) = (mass_mg.div_euclid(1_000_000), mass_mg.rem_euclid(1_000_000));
    let text = format!("{whole}.{rest:06}");
    format!("{} kg", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A value as certificates write it, on one line.
#[must_use]
pub fn value_text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        Value::Moment(moment) => moment.as_str().to_owned(),
        Value::Document(document) => {
            let digits: String = document.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("document of {} bytes, SHA-256 {digits}", document.length_bytes)
        }
        Value::Measured(measured) => measured_text(measured),
    }
}

pub(crate) fn measured_text(measured: &Measured) -> String {
    let quantity = match &measured.quantity {
        Quantity::Number(relation, number) => format!("{}{number}", sign(*relation)),
        Quantity::Range { low, high, .. } => format!("{low} to {high}"),
        Quantity::Several(results) => {
            let each =
                |(relation, number): &(Relation, Decimal)| format!("{}{number}", sign(*relation));
            results.iter().map(each).collect::<Vec<_>>().join(", ")
        }
        Quantity::Balance => "balance".to_owned(),
        Quantity::Verdict(true) => "passed".to_owned(),
        Quantity::Verdict(false) => "failed".to_owned(),
    };
    format!("{quantity} {}", measured.unit).trim_end().to_owned()
}

const fn sign(relation: Relation) -> &'static str {
    match relation {
        Relation::Equal => "",
        Relation::Less => "<",
        Relation::LessOrEqual => "≤",
        Relation::Greater => ">",
        Relation::GreaterOrEqual => "≥",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    #[test]
    fn masses_and_tolerances_are_exact_or_refused() {
        for (text, expected) in [
            ("1500 kg", Some(1_500_000_000)),
            ("1.5t", Some(1_500_000_000)),
            ("100 lb", Some(45_359_237)),
            ("0.001 g", Some(1)),
            ("1,5 t", None),
            ("-1 kg", None),
            ("5", None),
            ("5 m", None),
            ("", None),
            ("99999999999999 t", None),
        ] {
            assert_eq!(mass_mg(text), expected, "{text}");
        }
        assert_eq!(tolerance_mg("0.5 %", 1_500_000_000), Some(7_500_000));
        assert_eq!(tolerance_mg("1 kg", 1_500_000_000), Some(1_000_000));
        assert_eq!(tolerance_mg("much", 1), None);
        assert_eq!(kilograms(1_500_000), "1.5 kg");
        assert_eq!(kilograms(0), "0 kg");
    }

    #[test]
    fn results_are_read_with_their_sign_and_unit() {
        for (text, unit, expected) in [
            ("0.021 %", "", "0.021 %"),
            ("<0.002", "%", "<0.002 %"),
            (">= 200 HBW", "", "≥200 HBW"),
            ("200 HBW", "HBW", "200 HBW"),
            ("passed", "", "passed"),
            ("-196 °C", "", "-196 °C"),
        ] {
            assert_eq!(measured_text(&measured(text, unit).unwrap()), expected, "{text}");
        }
        for (text, unit) in [("0,021", "%"), ("200 HBW", "HRC"), ("", "%"), ("abc", "")] {
            assert_eq!(measured(text, unit), None, "{text}");
        }
    }
}
