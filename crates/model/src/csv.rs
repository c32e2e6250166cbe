//! CSV (RFC 4180) whose cells no spreadsheet takes for formulas.

/// What starts a formula in some spreadsheet; also tab and line breaks, which hide what follows.
const FORMULA: [char; 9] = ['=', '+', '-', '@', '\t', '\r', '\n', '|', '%'];

/// A line of cells, with its end.
pub fn row<'a>(cells: impl Iterator<Item = &'a str>, out: &mut String) {
    for (at, text) in cells.enumerate() {
        if at > 0 {
            out.push(',');
        }
        cell(text, out);
    }
    out.push_str("\r\n");
}

/// A cell, quoted where it must be; what a spreadsheet would take for a formula begins with an
/// apostrophe, so that it is text.
pub fn cell(text: &str, out: &mut String) {
    let digits = |c: char| c.is_ascii_digit() || matches!(c, '-' | '.');
    let number = text.chars().all(digits) && text.parse::<f64>().is_ok();
    let formula = text.starts_with(FORMULA) && !number;
    let quoted = text.contains(['"', ',', '\r', '\n', '\t']) || text.trim() != text;
    if quoted {
        out.push('"');
    }
    if formula {
        out.push('\'');
    }
    match quoted {
        true => out.push_str(&text.replace('"', "\"\"")),
        false => out.push_str(text),
    }
    if quoted {
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_each_is_read_back() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("-12.5", "-12.5"),
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("|calc", "'|calc"),
            ("-x, y", "\"'-x, y\""),
            ("say \"so\"", "\"say \"\"so\"\"\""),
            ("\tx", "\"'\tx\""),
            (" x ", "\" x \""),
            ("a\r\nb", "\"a\r\nb\""),
            ("-inf", "'-inf"),
        ] {
            let mut out = String::new();
            cell(text, &mut out);
            assert_eq!(out, expected, "{text:?}");
        }
    }
}
