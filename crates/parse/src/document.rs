//! The documentation of all sources, generated from the packs: what is read, into which fields,
//! how it is switched on at the vendor.

use std::collections::BTreeSet;
use std::fmt::Write;

use tocsin_content::Pack;
use tocsin_model::FieldId;

use crate::source::plan::{Assign, Plan, Read};
use crate::source::sink::Target;
use crate::{Options, Parser};

/// Markdown about every source of the packs, by pack.
pub fn sources_markdown(packs: &[Pack]) -> String {
    let (parser, _) = Parser::load(packs, Options::default());
    let mut text = String::from(
        "# Log sources\n\nGenerated from `content/*/sources/*/source.yml`. The source of a line is \
         found by itself; `--source NAME`, or a hint, fixes or narrows the choice.\n",
    );
    let mut last = "";
    for (source, plan) in parser.sources().iter().zip(parser.plans()) {
        if source.pack != last {
            last = &source.pack;
            // Writing to a String cannot fail, here and below.
            let _ = write!(text, "\n## {}\n", source.pack);
        }
        let _ = write!(text, "\n### {}\n\n{}.\n", source.name, source.about);
        let code = |words: &[String]| {
            words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        };
        if !source.setup.is_empty() {
            let _ = write!(text, "\n- Switch on: {}\n", source.setup.trim());
        } else {
            text.push('\n');
        }
        if !source.hints.is_empty() {
            let _ = writeln!(text, "- Hints: {}", code(&source.hints));
        }
        if !source.paths.is_empty() {
            let _ = writeln!(text, "- Usual files: {}", code(&source.paths));
        }
        let fields: Vec<String> = fields(plan).into_iter().map(str::to_owned).collect();
        let _ = writeln!(text, "- Fields: {}", code(&fields));
    }
    text
}

/// The names of the fields a plan may write, without those of raw fields.
pub(crate) fn fields(plan: &Plan) -> BTreeSet<&'static str> {
    let mut names = BTreeSet::new();
    let mut target = |target: &Target| match target {
        Target::Temp(_) => {}
        Target::Address(side) | Target::AddressPort(side) => {
            names.extend([side.address.name(), side.ip.name()]);
        }
        Target::Time | Target::TimeUtc => {
            names.insert("@timestamp");
        }
        Target::Url => names.extend(["url.original", "url.path", "url.query"]),
        Target::Field(id, _) => {
            names.insert(id.name());
        }
    };
    let lines = plan.messages.iter().flat_map(|table| &table.lines);
    lines.clone().flat_map(|line| &line.targets).for_each(&mut target);
    plan.fields.iter().for_each(|rule| target(&rule.target));
    for when in &plan.whens {
        when.copies.iter().for_each(|(to, _)| target(to));
        let groks = when.groks.iter().flat_map(|(_, groks)| groks);
        groks.flat_map(|(_, targets)| targets).for_each(&mut target);
    }
    let assigns = lines.flat_map(|line| line.assigns.iter());
    let assigns = assigns.chain(plan.whens.iter().flat_map(|when| &when.assigns));
    let assigned = assigns.chain(&plan.defaults).filter_map(|Assign { to, .. }| match to {
        Read::Field(id) => Some(*id),
        Read::Temp(_) => None,
    });
    let assigned: Vec<FieldId> = assigned.collect();
    names.extend(assigned.into_iter().map(FieldId::name));
    names
}
