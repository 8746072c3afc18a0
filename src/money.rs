//! Prices as decimal numbers, with as many decimals as their currency has.

/// How many decimals a currency has (ISO 4217).
pub fn decimals(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

/// Reads `19.99` as 1999; zeros beyond the last decimal are allowed. `None`: not such a number, or too large.
pub fn parse(text: &str, decimals: u32) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) || text.ends_with('.') {
        return None;
    }
    let (kept, rest) = fraction.split_at(fraction.len().min(decimals as usize));
    if rest.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let scale = 10_i64.pow(decimals);
    let minor = if kept.is_empty() { 0 } else { kept.parse::<i64>().ok()? * 10_i64.pow(decimals - kept.len() as u32) };
    whole.parse::<i64>().ok()?.checked_mul(scale)?.checked_add(minor)
}

/// Writes 1999 as `19.99`. The amount is not negative.
pub fn format(amount: i64, decimals: u32) -> String {
    let scale = 10_i64.pow(decimals);
    match decimals {
        0 => amount.to_string(),
        _ => format!("{}.{:0width$}", amount / scale, amount % scale, width = decimals as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_exactly() {
        for (text, decimals, amount) in [
            ("52", 2, Some(5_200)),
            ("9.99", 2, Some(999)),
            ("9.9", 2, Some(990)),
            ("0.0500", 2, Some(5)),
            ("1500", 0, Some(1_500)),
            ("1500.00", 0, Some(1_500)),
            ("1.234", 3, Some(1_234)),
            ("9.999", 2, None),
            ("", 2, None),
            (".5", 2, None),
            ("5.", 2, None),
            ("-1", 2, None),
            ("+1", 2, None),
            ("1e3", 2, None),
            ("1,50", 2, None),
            ("$5", 2, None),
            ("99999999999999999999", 2, None),
            ("92233720368547758.08", 2, None),
        ] {
            assert_eq!(parse(text, decimals), amount, "{text}");
        }
    }

    #[test]
    fn prices_are_written_as_they_are_read() {
        for (amount, decimals, text) in [(5_200, 2, "52.00"), (5, 2, "0.05"), (1_500, 0, "1500"), (1_234, 3, "1.234")] {
            assert_eq!(format(amount, decimals), text);
            assert_eq!(parse(text, decimals), Some(amount));
        }
    }
}
