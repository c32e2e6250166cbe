//! Tables that people keep: CSV with a line of names on top, a JSON list, or one JSON object a
//! line. Rows come out as names and text; what a name means is the reader's business.

use serde_json::Value as Json;

/// One row: its number in the file, and columns by name (lower case).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) number: usize,
    pub(crate) cells: Vec<(String, String)>,
}

impl Row {
    /// The first column of these names that is not empty.
    pub(crate) fn get(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| {
            let cell = self.cells.iter().find(|(known, _)| known == name);
            cell.map(|(_, text)| text.as_str()).filter(|text| !text.is_empty())
        })
    }
}

/// Reads a table of any of the three forms.
///
/// # Errors
/// What is wrong, with the line.
pub(crate) fn read(text: &str) -> Result<Vec<Row>, String> {
    let text = text.trim_start_matches('\u{feff}');
    match text.trim_start().as_bytes().first() {
        None => Ok(Vec::new()),
        Some(b'[') => {
            let rows: Vec<Json> =
                serde_json::from_str(text).map_err(|error| format!("no JSON list: {error}"))?;
            rows.iter().enumerate().map(|(at, row)| object(at + 1, row)).collect()
        }
        Some(b'{') => {
            let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            let row = |(at, line): (usize, &str)| {
                let row = serde_json::from_str(line)
                    .map_err(|error| format!("line {}: no JSON object: {error}", at + 1))?;
                object(at + 1, &row)
            };
            lines.map(row).collect()
        }
        Some(_) => csv(text),
    }
}

fn object(number: usize, row: &Json) -> Result<Row, String> {
    let Json::Object(members) = row else { return Err(format!("row {number}: no JSON object")) };
    let text = |value: &Json| match value {
        Json::String(text) => text.trim().to_owned(),
        Json::Null | Json::Object(_) => String::new(),
        Json::Array(items) => {
            let items = items.iter().filter_map(Json::as_str);
            items.collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    };
    let cells = members.iter().map(|(name, value)| (name.to_lowercase(), text(value))).collect();
    Ok(Row { number, cells })
}

fn csv(text: &str) -> Result<Vec<Row>, String> {
    let mut records = records(text).into_iter();
    let Some((_, head)) = records.next() else { return Ok(Vec::new()) };
    let names: Vec<String> = head.iter().map(|name| name.trim().to_lowercase()).collect();
    let row = |(number, cells): (usize, Vec<String>)| {
        if cells.len() > names.len() {
            return Err(format!(
                "line {number}: {} columns, the first line names {}",
                cells.len(),
                names.len()
            ));
        }
        let cells = names.iter().cloned().zip(cells).collect();
        Ok(Row { number, cells })
    };
    records.map(row).collect()
}

/// Lines of comma- or semicolon- or tab-separated text (as the first line says); quoted cells may
/// hold separators, doubled quotes and line breaks. Empty lines and those of `#` are left out.
pub(crate) fn records(text: &str) -> Vec<(usize, Vec<String>)> {
    let first = text.lines().find(|line| !is_nothing(line)).unwrap_or("");
    let separator = [',', ';', '\t'].into_iter().max_by_key(|separator| {
        // The earlier of equals: `max_by_key` takes the last.
        (first.matches(*separator).count(), u8::from(*separator == ','))
    });
    let separator = separator.unwrap_or(',');
    let mut out = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if is_nothing(line) {
            continue;
        }
        let mut cells = Vec::new();
        let mut cell = String::new();
        let mut quoted = false;
        let mut line = line;
        loop {
            let mut chars = line.chars().peekable();
            while let Some(c) = chars.next() {
                match c {
                    '"' if quoted && chars.peek() == Some(&'"') => {
                        chars.next();
                        cell.push('"');
                    }
                    '"' if quoted || cell.trim().is_empty() => quoted = !quoted,
                    c if c == separator && !quoted => {
                        cells.push(std::mem::take(&mut cell).trim().to_owned());
                    }
                    c => cell.push(c),
                }
            }
            if !quoted {
                break;
            }
            let Some((_, next)) = lines.next() else { break };
            cell.push('\n');
            line = next;
        }
        cells.push(cell.trim().to_owned());
        out.push((at + 1, cells));
    }
    out
}

fn is_nothing(line: &str) -> bool {
    line.trim().is_empty() || line.trim_start().starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_each_form_are_read() {
        let expected = |number| Row {
            number,
            cells: vec![
                ("host".to_owned(), "web-1".to_owned()),
                ("owner".to_owned(), "Ana, \"Ops\"".to_owned()),
            ],
        };
        let table = [
            ("# ours\nHost,Owner\nweb-1,\"Ana, \"\"Ops\"\"\"\n", 3),
            ("host;owner\n\nweb-1;\"Ana, \"\"Ops\"\"\"\n", 3),
            ("[{\"host\":\"web-1\",\"owner\":\"Ana, \\\"Ops\\\"\"}]", 1),
            ("{\"host\":\"web-1\",\"owner\":\"Ana, \\\"Ops\\\"\"}\n", 1),
        ];
        for (text, number) in table {
            assert_eq!(read(text).unwrap(), [expected(number)], "{text}");
        }
        assert_eq!(read("").unwrap(), []);
        for (text, why) in
            [("a,b\n1,2,3\n", "line 2: 3 columns"), ("[1]", "row 1"), ("{\n", "line 1")]
        {
            assert!(read(text).unwrap_err().contains(why), "{text}");
        }
    }
}
