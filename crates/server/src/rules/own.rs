//! Rules written on the page: `POST /rules/draft` makes one of a query, `POST /rules/check` says
//! what is wrong with it, `POST /rules` saves it, `DELETE /rules/{id}` removes it again.
//!
//! In: YAML text. Out: files below `<data_dir>/rules`, which the engine takes into use. Refuses
//! everything that could not be loaded; never writes outside that directory and never over a
//! file that holds another rule.

use std::io::Write;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tocsin_content::{Diagnostic, Level, PackFile, yaml};
use tocsin_engine::Content;
use tocsin_engine::backtest::{TEXT_PATH, of_text};
use tocsin_model::{Event, Position, Record, RuleMeta, Severity};
use tocsin_search::{Context, parse_in};
use utoipa::ToSchema;

use crate::app::{App, Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::limits::QUERY_BYTES_MAX;
use crate::query::now;
use crate::rules::draft;

/// The longest rule text, bytes.
const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Files of rules saved on the page.
const FILES_MAX: usize = 1000;
/// Letters of a title that go into a file's name.
const SLUG_CHARS_MAX: usize = 60;

/// What a rule is made of.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DraftBody {
    /// A query in KQL.
    q: String,
    title: String,
    /// A Sigma level; default medium.
    severity: Option<String>,
}

/// A rule that asks what a query asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct Draft {
    /// YAML.
    text: String,
    /// What could not be said in Sigma as the query says it.
    notes: Vec<String>,
}

/// Text of a rule.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleBody {
    /// YAML.
    text: String,
}

/// What is wrong with a rule.
#[derive(Debug, Serialize, ToSchema)]
pub struct Checked {
    problems: Vec<Problem>,
    /// The rules in it that can be loaded.
    rules: Vec<CheckedRule>,
    /// Their tests and how they end.
    tests: Vec<TestOutcome>,
}

/// A fault at a place.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// `error` or `warning`.
    #[schema(value_type = String)]
    level: &'static str,
    message: String,
    /// From 1; 0 where it is about the whole.
    line: u32,
    column: u32,
}

/// A rule that can be loaded.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckedRule {
    id: String,
    title: String,
    #[schema(value_type = String)]
    severity: Severity,
}

/// Where a rule was saved.
#[derive(Debug, Serialize, ToSchema)]
pub struct Saved {
    /// The file.
    path: String,
    /// Ids of the rules in it.
    ids: Vec<String>,
}

/// One test of a rule and how it ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestOutcome {
    name: String,
    /// Whether it expects the rule to fire.
    fires: bool,
    /// What was expected and what came; null when it passed.
    failure: Option<String>,
    line: u32,
}

/// Makes a rule of a query.
#[utoipa::path(
    post,
    path = "/rules/draft",
    tag = "state",
    operation_id = "draft_rule",
    request_body = DraftBody,
    responses(
        (status = 200, description = "The rule; nothing was saved", body = Draft),
        (status = 400, description = "Something is wrong; for `q` with the place", body = ErrorAnswer),
    )
)]
pub async fn draft(body: Bytes) -> Result<Json<Draft>, ApiError> {
    let body: DraftBody = read(&body)?;
    if body.q.len() > QUERY_BYTES_MAX {
        return Err(ApiError::bad_request(format!("q is longer than {QUERY_BYTES_MAX} bytes")));
    }
    let filter = parse_in(&body.q, Context { now: now(), fields: None })?;
    let severity = body.severity.as_deref().unwrap_or("medium");
    let severity: Severity = severity.parse().map_err(ApiError::bad_request)?;
    let id = new_id()?;
    let (text, notes) = draft::rule(&filter, &body.title, severity, &id, &body.q);
    Ok(Json(Draft { text, notes }))
}

/// Says what is wrong with a rule, its tests included.
#[utoipa::path(
    post,
    path = "/rules/check",
    tag = "state",
    operation_id = "check_rule",
    request_body = RuleBody,
    responses(
        (status = 200, description = "What is wrong; nothing was saved", body = Checked),
        (status = 400, description = "The body is wrong", body = ErrorAnswer),
    )
)]
pub async fn check(State(app): State<Shared>, body: Bytes) -> Result<Json<Checked>, ApiError> {
    let body: RuleBody = read(&body)?;
    blocking(move || {
        let content = app.known.content(&app.handle);
        let (rules, tests, diagnostics) = checked(&content, &body.text);
        let problems = diagnostics.iter().map(problem).collect();
        let rules = rules.iter().map(|rule| CheckedRule {
            id: rule.id.clone(),
            title: rule.title.clone(),
            severity: rule.severity,
        });
        Ok(Json(Checked { problems, rules: rules.collect(), tests }))
    })
    .await
}

/// Saves a rule; it comes into force within a second. A rule of the same id that was saved here
/// is replaced.
#[utoipa::path(
    post,
    path = "/rules",
    tag = "state",
    operation_id = "save_rule",
    request_body = RuleBody,
    responses(
        (status = 201, description = "It is saved", body = Saved),
        (status = 400, description = "It cannot be loaded", body = ErrorAnswer),
        (status = 409, description = "Its id is that of a rule from elsewhere", body = ErrorAnswer),
    )
)]
pub async fn save(
    State(app): State<Shared>,
    body: Bytes,
) -> Result<(StatusCode, Json<Saved>), ApiError> {
    let body: RuleBody = read(&body)?;
    blocking(move || {
        let content = app.known.content(&app.handle);
        let path = place(&app, &content, &body.text)?;
        let (rules, _, diagnostics) = checked(&without(&content, &path), &body.text);
        if let Some(error) = diagnostics.iter().find(|one| one.level == Level::Error) {
            return Err(ApiError::bad_request(error.to_string()));
        }
        let Some(first) = rules.first() else {
            return Err(ApiError::bad_request("there is no rule in it"));
        };
        let path = match path {
            Some(path) => path,
            None => free_name(&app.handle.config.own_rules(), &first.title)?,
        };
        write(&path, &body.text).map_err(|error| {
            let path = path.display();
            ApiError::new(StatusCode::INSUFFICIENT_STORAGE, format!("{path}: {error}"))
        })?;
        tracing::info!(path = %path.display(), "a rule was saved");
        let ids = rules.iter().map(|rule| rule.id.clone()).collect();
        Ok((StatusCode::CREATED, Json(Saved { path: path.display().to_string(), ids })))
    })
    .await
}

/// Removes a rule that was saved on the page, with those in the same file.
#[utoipa::path(
    delete,
    path = "/rules/{id}",
    tag = "state",
    operation_id = "remove_rule",
    params(("id" = String, Path, description = "Its id or name")),
    responses(
        (status = 200, description = "It is removed; what it was", body = Draft),
        (status = 404, description = "No such rule was saved here", body = ErrorAnswer),
    )
)]
pub async fn remove(
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Draft>, ApiError> {
    blocking(move || {
        let content = app.known.content(&app.handle);
        let found = content.rules.get(&id).filter(|meta| is_own(&app, &meta.path));
        let Some(meta) = found else {
            let message =
                format!("no rule {id:?} was saved on the page; others can be switched off");
            return Err(ApiError::not_found(message));
        };
        let gone = |error| ApiError::not_found(format!("{}: {error}", meta.path));
        let text = std::fs::read_to_string(&meta.path).map_err(gone)?;
        std::fs::remove_file(&meta.path).map_err(gone)?;
        tracing::info!(path = meta.path, "a rule was removed");
        Ok(Json(Draft { text, notes: Vec::new() }))
    })
    .await
}

/// Whether a file is one of those saved on the page.
pub fn is_own(app: &App, path: &str) -> bool {
    FilePath::new(path).parent() == Some(&app.handle.config.own_rules())
}

/// Runs the tests of one rule among some files.
pub fn run_tests(content: &Content, files: &[PackFile], title: &str) -> Vec<TestOutcome> {
    let mut worker = content.parser.worker();
    let received = now();
    let mut number = 0;
    let mut parse = |source: Option<&str>, line: &str| {
        number += 1;
        if let Some(source) = source.filter(|source| content.parser.source(source).is_none()) {
            return Err(format!("source: there is none called {source:?}"));
        }
        let record = Record {
            input: "test".into(),
            position: Position { stream: 0, offset: number, next: number + 1 },
            received,
            bytes: Bytes::copy_from_slice(line.as_bytes()),
            hint: source.map(Arc::from),
            peer: None,
            path: None,
        };
        let mut event = Event::default();
        worker.parse(&record, &mut event);
        Ok(event)
    };
    let results = content.run_tests(files, &mut parse);
    let own = results.into_iter().filter(|result| result.rule == title);
    let shown = own.map(|result| TestOutcome {
        name: result.name,
        fires: result.fires,
        failure: result.failure,
        line: result.line,
    });
    shown.collect()
}

/// The rules of a text, and everything wrong with it.
fn checked(
    content: &Content,
    text: &str,
) -> (Vec<Arc<RuleMeta>>, Vec<TestOutcome>, Vec<Diagnostic>) {
    let about = |line, column, message: String| Diagnostic::error(TEXT_PATH, line, column, message);
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("longer than {TEXT_BYTES_MAX} bytes");
        return (Vec::new(), Vec::new(), vec![about(0, 0, message)]);
    }
    if let Err(error) = yaml::parse(text) {
        return (Vec::new(), Vec::new(), vec![error.at(TEXT_PATH)]);
    }
    let files = of_text(content, text);
    let (rules, mut found) = content.compile_rules(&files);
    found.retain(|one| one.path == TEXT_PATH);
    let own: Vec<Arc<RuleMeta>> =
        rules.rules().iter().filter(|rule| rule.path == TEXT_PATH).cloned().collect();
    let mut tests = Vec::new();
    for rule in &own {
        tests.extend(run_tests(content, &files, &rule.title));
    }
    let failed = tests.iter().filter_map(|test| Some((test, test.failure.as_ref()?)));
    found
        .extend(failed.map(|(test, failure)| {
            about(test.line, 0, format!("test {:?}: {failure}", test.name))
        }));
    if own.is_empty() && found.is_empty() {
        found.push(about(0, 0, "there is no rule in it".to_owned()));
    }
    (own, tests, found)
}

/// The file that a text replaces: the one of ours that holds its ids.
fn place(app: &App, content: &Content, text: &str) -> Result<Option<PathBuf>, ApiError> {
    let documents = yaml::parse(text)
        .map_err(|error| ApiError::bad_request(error.at(TEXT_PATH).to_string()))?;
    let mut own: Option<PathBuf> = None;
    let ids = documents.iter().flat_map(|node| [node.get("id"), node.get("name")]);
    for id in ids.flatten().filter_map(|node| node.as_text()) {
        let Some(known) = content.rules.get(id) else { continue };
        let path = PathBuf::from(&known.path);
        if !is_own(app, &known.path) || own.as_ref().is_some_and(|own| *own != path) {
            let message =
                format!("{id:?} is already a rule of {}; give this one another id", known.path);
            return Err(ApiError::new(StatusCode::CONFLICT, message));
        }
        own = Some(path);
    }
    Ok(own)
}

/// Content without a file that is about to be replaced.
fn without(content: &Content, path: &Option<PathBuf>) -> Content {
    let replaced = path.as_ref().map(|path| path.display().to_string());
    let files = content.rule_files.iter().filter(|file| Some(&file.path) != replaced.as_ref());
    Content {
        packs: Vec::new(),
        parser: content.parser.clone(),
        rules: content.rules.clone(),
        rule_files: files.cloned().collect(),
        tables: content.tables.clone(),
        options: content.options.clone(),
        dashboards: Vec::new(),
        services: content.services.clone(),
        diagnostics: Vec::new(),
    }
}

/// A file name for a title that is not taken.
fn free_name(dir: &FilePath, title: &str) -> Result<PathBuf, ApiError> {
    let mut slug: String = title
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .take(SLUG_CHARS_MAX)
        .collect();
    if !slug.contains(|c: char| c.is_ascii_alphanumeric()) {
        slug = "rule".to_owned();
    }
    let names = (1..=FILES_MAX).map(|number| match number {
        1 => dir.join(format!("{slug}.yml")),
        number => dir.join(format!("{slug}_{number}.yml")),
    });
    let many = std::fs::read_dir(dir).map_or(0, Iterator::count) >= FILES_MAX;
    let mut free = names.filter(|path| !many && !path.exists());
    free.next().ok_or_else(|| {
        ApiError::new(
            StatusCode::INSUFFICIENT_STORAGE,
            format!("{} holds {FILES_MAX} files; remove some", dir.display()),
        )
    })
}

/// Writes a file so that nobody ever reads half of it.
fn write(path: &FilePath, text: &str) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let half = path.with_extension("yml.part");
    let mut file = std::fs::File::create(&half)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&half, path)
}

fn problem(found: &Diagnostic) -> Problem {
    Problem {
        level: if found.level == Level::Error { "error" } else { "warning" },
        message: found.message.clone(),
        line: found.line,
        column: found.column,
    }
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("the body: {error}")))
}

/// A random UUID.
fn new_id() -> Result<String, ApiError> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| ApiError::busy(format!("no random numbers: {error}")))?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}
