//! Panels that packs bring for the overview.
//!
//! In: `dashboards/*.yml` of packs. Out: titles, queries and fields, checked as far as can be
//! without events. Never asks the store: that is the page's business.

use serde::{Deserialize, Serialize};
use tocsin_content::{Diagnostic, FileKind, Pack, PackFile, yaml};

/// The most panels of one dashboard.
pub const PANELS_MAX: usize = 12;

/// Panels that belong together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dashboard {
    /// The pack that brings it.
    pub pack: String,
    /// For people.
    pub title: String,
    /// Its panels.
    pub panels: Vec<Panel>,
}

/// A figure, a list or a line, made of a query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    /// For people.
    pub title: String,
    /// How it is drawn.
    pub kind: PanelKind,
    /// KQL; empty is every event.
    #[serde(default)]
    pub query: String,
    /// The field whose most frequent values are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The number that is added up, instead of counting events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sum: Option<String>,
}

/// How a panel is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PanelKind {
    /// The most frequent values of a field.
    Top,
    /// Events over time.
    Time,
    /// One number.
    Figure,
}

/// A file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    title: String,
    panels: Vec<Panel>,
}

/// The dashboards of packs, and what is wrong with those that are left out.
pub fn load(packs: &[Pack]) -> (Vec<Dashboard>, Vec<Diagnostic>) {
    let (mut dashboards, mut diagnostics) = (Vec::new(), Vec::new());
    for pack in packs {
        for file in pack.of_kind(FileKind::Dashboard) {
            match read(&pack.name, file) {
                Ok(dashboard) => dashboards.push(dashboard),
                Err(found) => diagnostics.push(*found),
            }
        }
    }
    (dashboards, diagnostics)
}

fn read(pack: &str, file: &PackFile) -> Result<Dashboard, Box<Diagnostic>> {
    let refuse = |message: String| Box::new(Diagnostic::error(&file.path, 0, 0, message));
    let documents = yaml::parse(&file.text()).map_err(|error| Box::new(error.at(&file.path)))?;
    let [document] = documents.as_slice() else {
        return Err(refuse("a dashboard is one YAML document".to_owned()));
    };
    let Document { title, panels } =
        document.decode().map_err(|error| Box::new(error.at(&file.path)))?;
    if panels.is_empty() || panels.len() > PANELS_MAX {
        return Err(refuse(format!("a dashboard has 1 to {PANELS_MAX} panels")));
    }
    for panel in &panels {
        let wrong = |what: &str| refuse(format!("panel {:?}: {what}", panel.title));
        if (panel.kind == PanelKind::Top) != panel.field.is_some() {
            return Err(wrong("a panel of kind top has a field, and no other has one"));
        }
        tocsin_search::parse(&panel.query).map_err(|error| wrong(&format!("query: {error}")))?;
    }
    Ok(Dashboard { pack: pack.to_owned(), title, panels })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str) -> (Vec<Dashboard>, Vec<Diagnostic>) {
        let file = PackFile {
            kind: FileKind::Dashboard,
            path: "content/x/dashboards/a.yml".to_owned(),
            inner: "dashboards/a.yml".to_owned(),
            bytes: text.as_bytes().to_vec(),
            built_in: false,
        };
        load(&[Pack { name: "x".to_owned(), files: vec![file] }])
    }

    #[test]
    fn dashboards_are_read_and_what_is_wrong_is_named() {
        let good = "title: A\npanels:\n  - { title: T, kind: top, query: 'event.outcome: failure', field: user.name }\n  - { title: B, kind: figure, sum: source.bytes }\n";
        let (dashboards, wrong) = loaded(good);
        assert_eq!(
            (dashboards[0].pack.as_str(), dashboards[0].panels.len()),
            ("x", 2),
            "{wrong:?}"
        );
        for (text, message) in [
            ("title: A\npanels: []\n", "1 to 12 panels"),
            ("title: A\npanels:\n  - { title: T, kind: top }\n", "has a field"),
            ("title: A\npanels:\n  - { title: T, kind: time, field: x }\n", "no other has one"),
            ("title: A\npanels:\n  - { title: T, kind: pie }\n", "unknown value"),
            ("title: A\npanels:\n  - { title: T, kind: time, query: 'a: (' }\n", "query: "),
            ("title: A\npanel: 1\n", "unknown key \"panel\""),
            ("title: [\n", ""),
            ("", ""),
        ] {
            let (dashboards, wrong) = loaded(text);
            assert!(dashboards.is_empty(), "{text}");
            assert!(wrong[0].to_string().contains(message), "{text}: {}", wrong[0]);
        }
    }

    #[test]
    fn shipped_dashboards_are_well_formed() {
        let (dashboards, wrong) = load(&tocsin_content::builtin_packs());
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(dashboards.len() >= 4, "{}", dashboards.len());
    }
}
