//! Number text.

/// Appends the JSON number `raw` as `JSON.stringify` spells it; an integer keeps all of its digits.
pub fn write_number(raw: &str, out: &mut String) {
    if raw.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        out.push_str(if raw == "-0" { "0" } else { raw });
        return;
    }
    match raw.parse::<f64>() {
        Ok(number) => write_float(number, out),
        Err(_) => out.push_str(raw),
    }
}

/// Whether [`write_number`] would not change `raw`.
pub(super) fn is_canonical(raw: &str) -> bool {
    if raw.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return raw != "-0";
    }
    let mut spelled = String::with_capacity(raw.len());
    write_number(raw, &mut spelled);
    spelled == raw
}

/// `Number::toString` of ECMAScript; what has no digits is `null`, as in `JSON.stringify`.
fn write_float(number: f64, out: &mut String) {
    if !number.is_finite() {
        out.push_str("null");
        return;
    }
    if number == 0.0 {
        out.push('0');
        return;
    }
    // The shortest digits that read back as the same number, as `d.ddde±x`.
    let scientific = format!("{:e}", number.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if number < 0.0 {
        out.push('-');
    }
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let split = |at: i32| digits.split_at_checked(usize::try_from(at).unwrap_or(0)).unwrap_or((&digits, ""));
    // 21 and -7 are the bounds that ECMAScript sets to plain notation.
    if (count - 1..21).contains(&exponent) {
        out.push_str(&digits);
        out.push_str(&zeros(exponent + 1 - count));
    } else if (0..21).contains(&exponent) {
        let (whole, fraction) = split(exponent + 1);
        out.push_str(&format!("{whole}.{fraction}"));
    } else if (-6..0).contains(&exponent) {
        out.push_str(&format!("0.{}{digits}", zeros(-exponent - 1)));
    } else {
        let (first, rest) = split(1);
        let point = if rest.is_empty() { "" } else { "." };
        let sign = if exponent < 0 { '-' } else { '+' };
        out.push_str(&format!("{first}{point}{rest}e{sign}{}", exponent.abs()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelled_as_javascript_does() {
        for (raw, spelled) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("1.0", "1"),
            ("1e2", "100"),
            ("1E+2", "100"),
            ("1e20", "100000000000000000000"),
            ("1e21", "1e+21"),
            ("1.5e300", "1.5e+300"),
            ("123456789012345680000.0", "123456789012345680000"),
            ("0.000001", "0.000001"),
            ("1e-6", "0.000001"),
            ("1e-7", "1e-7"),
            ("1.25e-7", "1.25e-7"),
            ("12.50", "12.5"),
            ("-12.50", "-12.5"),
            ("1e400", "null"),
            ("5e-324", "5e-324"),
            ("1e-400", "0"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("9007199254740993", "9007199254740993"),
        ] {
            let mut out = String::new();
            write_number(raw, &mut out);
            assert_eq!(out, spelled, "{raw}");
            assert_eq!(is_canonical(raw), raw == spelled, "{raw}");
        }
    }
}
