//! Services: what each wants to be sent, as content.
//!
//! In: `channels/*.yml` of packs, one file a service. Out: a [`Definition`] of each, what is wrong
//! with those that are left out, and results of the tests inside them. Never sends anything.

mod tests_inside;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, OnceLock};

use minijinja::Value;
use minijinja::value::Serde;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tocsin_content::{Diagnostic, FileKind, Pack, PackFile, yaml};

use crate::channel::Answers;
use crate::error::NotifyError;
use crate::template::{PLAIN, Settings, Template, environment};
use crate::view::Message;

pub use tests_inside::{ServiceTest, TestResult, run_tests};

/// What a channel can give to a service.
const GIVEN: [&str; 3] = ["url", "token", "target"];
/// The longest name of a service, characters.
const NAME_CHARS_MAX: usize = 64;

/// The services that there are, by name: those of the binary, and those of one's own packs.
#[derive(Debug, Clone)]
pub struct Services(Arc<BTreeMap<String, Definition>>);

/// What a service's file says.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Definition {
    /// What it is for.
    pub about: String,
    /// Settings that a channel must have: `url`, `token`, `target`.
    pub(crate) needs: Vec<String>,
    /// Settings that it may have.
    pub(crate) takes: Vec<String>,
    /// Address where the channel says none.
    pub(crate) url: Option<String>,
    /// What is added to the address.
    pub(crate) path: Option<String>,
    /// Query parameters that are added where the address lacks them.
    pub(crate) query: BTreeMap<String, String>,
    /// Headers; one that comes out empty is left away.
    pub(crate) headers: BTreeMap<String, String>,
    /// Whether plain HTTP may leave this machine.
    pub(crate) plain_http: bool,
    /// How the body is written.
    pub(crate) send: Encoding,
    /// Statuses that say that it was taken. Default every 2xx.
    success: Vec<u16>,
    /// Statuses that are about this one message, which is given up after five tries; anything
    /// else is about the channel. Default 400, 413, 415 and 422.
    refused: Vec<u16>,
    /// Statuses that ask to wait as long as `Retry-After` says. Default 429 and 503.
    wait: Vec<u16>,
    /// The body.
    body: String,
    /// Requests that have to come out.
    pub(crate) tests: Vec<ServiceTest>,
}

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    /// As JSON.
    #[default]
    Json,
    /// As a form: the body is an object, its values are texts, numbers or truths.
    Form,
}

impl Default for Services {
    fn default() -> Self {
        Self::shipped()
    }
}

impl PartialEq for Services {
    fn eq(&self, other: &Self) -> bool {
        self.0.keys().eq(other.0.keys())
    }
}

impl Services {
    /// Those of the binary.
    pub fn shipped() -> Self {
        static SHIPPED: OnceLock<Services> = OnceLock::new();
        let read = || read_packs(&tocsin_content::builtin_packs(), |_| true, &mut Vec::new());
        SHIPPED.get_or_init(|| Self(Arc::new(read()))).clone()
    }

    /// Those of the binary and of these packs, whose own come first, and what is wrong with those
    /// that are left out.
    pub fn load(packs: &[Pack]) -> (Self, Vec<Diagnostic>) {
        let mut diagnostics = Vec::new();
        let mut all = (*Self::shipped().0).clone();
        let own = |file: &PackFile| !file.built_in;
        all.extend(read_packs(packs, own, &mut diagnostics));
        (Self(Arc::new(all)), diagnostics)
    }

    /// Name and description of each.
    pub fn list(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, definition)| (name.as_str(), definition.about.as_str()))
    }

    /// One of them.
    pub(crate) fn get(&self, name: &str) -> Result<&Definition, NotifyError> {
        self.0.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
            let message = format!(
                "service: there is none called {name:?}; there are {} (a pack brings one as \
                 channels/{name}.yml)",
                known.join(", ")
            );
            NotifyError::Config(message)
        })
    }

    /// What a service is sent of a message, with settings of no channel.
    ///
    /// # Errors
    /// When there is no such service.
    pub fn payload(&self, name: &str, message: &Message) -> Result<Json, NotifyError> {
        self.get(name)?.compile(Settings::example())?.render(message).map_err(NotifyError::Config)
    }
}

/// The services of packs; of two with one name the first is taken.
fn read_packs(
    packs: &[Pack],
    wanted: impl Fn(&PackFile) -> bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Definition> {
    let mut all: BTreeMap<String, Definition> = BTreeMap::new();
    let files = packs.iter().flat_map(|pack| pack.of_kind(FileKind::Channel));
    for file in files.filter(|file| wanted(file)) {
        match read(file) {
            Ok((name, definition)) => match all.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(definition);
                }
                Entry::Occupied(known) => {
                    let name = known.key();
                    let message = format!("there is a service {name} in another pack already");
                    diagnostics.push(Diagnostic::error(&file.path, 0, 0, message));
                }
            },
            Err(wrong) => diagnostics.push(*wrong),
        }
    }
    all
}

/// A file's name, without its ending, is the service's.
fn read(file: &PackFile) -> Result<(String, Definition), Box<Diagnostic>> {
    let refuse =
        |line: u32, message: String| Box::new(Diagnostic::error(&file.path, line, 0, message));
    let name = file.inner.rsplit('/').next().unwrap_or_default();
    let name = name.trim_end_matches(".yaml").trim_end_matches(".yml");
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(plain) {
        let message = format!("{name:?} is no name of a service; use a-z, 0-9, - and _");
        return Err(refuse(0, message));
    }
    let documents = yaml::parse(&file.text()).map_err(|error| Box::new(error.at(&file.path)))?;
    let [document] = documents.as_slice() else {
        return Err(refuse(0, "a service is one YAML document".to_owned()));
    };
    let definition: Definition =
        document.decode().map_err(|error| Box::new(error.at(&file.path)))?;
    let line = |key: &str| document.entry(key).map_or(0, |(key, _)| key.place.line);
    for (key, names) in [("needs", &definition.needs), ("takes", &definition.takes)] {
        if let Some(odd) = names.iter().find(|name| !GIVEN.contains(&name.as_str())) {
            let message = format!("{key}: {odd:?} is nothing that a channel gives; use {GIVEN:?}");
            return Err(refuse(line(key), message));
        }
    }
    if definition.url.is_none() && !definition.needs.iter().any(|need| need == "url") {
        return Err(refuse(0, "url is missing; give url, or needs: [url]".to_owned()));
    }
    let settings = Settings::example();
    let texts = definition.headers.values().map(|text| ("headers", text));
    for (key, text) in texts.chain(definition.path.iter().map(|text| ("path", text))) {
        let filled = definition.fill(text, &settings);
        filled.map_err(|error| refuse(line(key), format!("{key}: {error}")))?;
    }
    definition.compile(settings).map_err(|error| refuse(line("body"), error.to_string()))?;
    Ok((name.to_owned(), definition))
}

impl Definition {
    /// Its body as a template.
    pub(crate) fn compile(&self, settings: Settings) -> Result<Template, NotifyError> {
        Template::new(&self.body, settings)
    }

    /// A text of it (path, header) with the channel's settings.
    pub(crate) fn fill(&self, text: &str, settings: &Settings) -> Result<String, NotifyError> {
        let Settings { channel, token, target } = settings;
        let context = json!({"channel": channel, "token": token, "target": target});
        environment()
            .render_named_str(PLAIN, text, Value::from(Serde(&context)))
            .map_err(|error| NotifyError::Config(format!("template: {error}")))
    }

    /// The bytes of a body.
    pub(crate) fn write(&self, body: &Json) -> Result<Vec<u8>, String> {
        match self.send {
            Encoding::Json => Ok(body.to_string().into_bytes()),
            Encoding::Form => form(body),
        }
    }

    /// Which answers mean what.
    pub(crate) fn answers(&self) -> Answers {
        let usual = Answers::default();
        let said = |said: &[u16], usual: Vec<u16>| match said {
            [] => usual,
            said => said.to_vec(),
        };
        Answers {
            success: said(&self.success, usual.success),
            refused: said(&self.refused, usual.refused),
            wait: said(&self.wait, usual.wait),
        }
    }

    /// What the body is.
    pub(crate) fn content_type(&self) -> &'static str {
        match self.send {
            Encoding::Json => "application/json",
            Encoding::Form => "application/x-www-form-urlencoded",
        }
    }
}

/// An object as a form.
fn form(body: &Json) -> Result<Vec<u8>, String> {
    let Json::Object(pairs) = body else {
        return Err("a form is made of an object".to_owned());
    };
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (key, value) in pairs {
        let text = match value {
            Json::Null => continue,
            Json::String(text) => text.clone(),
            Json::Bool(_) | Json::Number(_) => value.to_string(),
            _ => return Err(format!("{key}: a value of a form is a text, a number or a truth")),
        };
        form.append_pair(key, &text);
    }
    Ok(form.finish().into_bytes())
}
