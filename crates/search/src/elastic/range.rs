//! Ranges and times of queries.

use serde_json::Value as Json;
use tocsin_model::Timestamp;
use tocsin_store::{Bound, Filter};

use crate::elastic::dates::{self, Zone};
use crate::elastic::query::{Reader, one_field, text_of};
use crate::elastic::{ElasticError, Result, field_name};
use crate::fields::{Kind, kind_of};

impl Reader {
    pub(super) fn range(&self, body: &Json, path: &str) -> Result<Filter> {
        let (field, ends) = one_field(body, path)?;
        let field = field_name(field);
        let Some(ends) = ends.as_object() else {
            return Err(ElasticError::new(path, "needs gte, gt, lte or lt"));
        };
        let format = ends.get("format").and_then(Json::as_str);
        if let Some(format) = format.filter(|format| !dates::is_known(format)) {
            return Err(ElasticError::new(path, format!("the format {format:?} is not known")));
        }
        let zone = ends.get("time_zone").and_then(Json::as_str).unwrap_or("UTC");
        let zone = Zone::parse(zone).map_err(|why| ElasticError::new(path, why))?;
        let (mut lower, mut upper) = (Bound::Unbounded, Bound::Unbounded);
        for (key, value) in ends {
            if value.is_null() {
                continue;
            }
            // With rounding, `gt` and `lte` go to the end of the unit.
            let end = |after: bool| match kind_of(field) {
                Kind::Date => self.time(value, after, (format, &zone), path),
                _ => text_of(value, path),
            };
            let flag = |key: &str| ends.get(key).and_then(Json::as_bool);
            match key.as_str() {
                "from" if flag("include_lower") == Some(false) => {
                    lower = Bound::Excluded(end(true)?)
                }
                "to" if flag("include_upper") == Some(false) => {
                    upper = Bound::Excluded(end(false)?)
                }
                "gte" | "from" => lower = Bound::Included(end(false)?),
                "gt" => lower = Bound::Excluded(end(true)?),
                "lte" | "to" => upper = Bound::Included(end(true)?),
                "lt" => upper = Bound::Excluded(end(false)?),
                "format" | "boost" | "relation" | "include_lower" | "include_upper" | "_name"
                | "time_zone" => {}
                other => {
                    let message = format!("{other:?} is not known here; use gte, gt, lte, lt");
                    return Err(ElasticError::new(path, message));
                }
            }
        }
        Ok(Filter::Range { field: field.to_owned(), lower, upper })
    }

    /// A time as RFC 3339: milliseconds, a date, date math. `after`: the last instant of what
    /// has been rounded.
    pub(super) fn time(
        &self,
        value: &Json,
        after: bool,
        (format, zone): (Option<&str>, &Zone),
        path: &str,
    ) -> Result<String> {
        let seconds =
            format.is_some_and(|format| format.split("||").next() == Some("epoch_second"));
        let millis = match value {
            Json::Number(number) => number.as_i64().or(number.as_f64().map(|n| n as i64)),
            Json::String(text) if text.len() > 9 && !seconds => text.parse::<i64>().ok(),
            _ => None,
        };
        if let Some(millis) = millis {
            let millis = if seconds { millis.saturating_mul(1000) } else { millis };
            return Ok(Timestamp::from_millis(millis).to_string());
        }
        match dates::read(value.as_str().unwrap_or_default(), format, zone, self.now) {
            Some((start, _)) if !after => Ok(start.to_string()),
            Some((_, end)) => Ok(Timestamp(end.0 - 1).to_string()),
            None => Err(ElasticError::new(
                path,
                format!("{value} is no time (2026-11-21T10:00:00Z, milliseconds, now-15m/m)"),
            )),
        }
    }
}
