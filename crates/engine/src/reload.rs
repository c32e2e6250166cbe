//! Takes edited content into use while running.
//!
//! In: changes of the configured packs and rules (the file system tells), or a request. Out: new
//! rules and sources for the pipeline, new requests of services for the channels. An edit that is
//! refused changes nothing: the version before it stays in force, and that is said. Never touches
//! the built-in packs, never stops the pipeline.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tocsin_content::{Diagnostic, Level, PackFile};
use tocsin_detect::RuleSet;
use tocsin_model::RuleMeta;
use tocsin_notify::Notifier;
use tocsin_parse::Parser;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::{ContentConfig, DetectConfig};
use crate::content::{Choice, Content, Files};
use crate::pipeline::Control;

/// How long files must be left alone before they are read: editors write in several steps.
const SETTLE: Duration = Duration::from_millis(300);

/// The rules and sources in force and what is wrong with content.
#[derive(Debug, Default)]
pub struct InForce {
    /// Reads records as the pipeline does.
    pub parser: Parser,
    /// The rules.
    pub rules: Vec<Arc<RuleMeta>>,
    /// The same, compiled, with what they cost.
    pub compiled: RuleSet,
    /// What was refused or looks wrong.
    pub diagnostics: Vec<Diagnostic>,
}

impl InForce {
    /// What a piece of content puts in force.
    pub fn of(content: &Content) -> Self {
        Self {
            parser: content.parser.clone(),
            rules: content.rules.rules().to_vec(),
            compiled: content.rules.clone(),
            diagnostics: content.diagnostics.clone(),
        }
    }
}

/// Watches content and replaces it.
pub struct Reloader {
    content: ContentConfig,
    detect: DetectConfig,
    cooldown: Duration,
    /// The newest version of each file that was not refused.
    good: BTreeMap<String, PackFile>,
    in_force: Arc<ArcSwap<InForce>>,
    notifier: Arc<Notifier>,
    control: mpsc::Sender<Control>,
}

impl Reloader {
    /// A reloader of what `loaded` was made of. `cooldown` is the default one of alerts.
    pub(crate) fn new(
        content: ContentConfig,
        detect: DetectConfig,
        cooldown: Duration,
        loaded: &Content,
        in_force: Arc<ArcSwap<InForce>>,
        notifier: Arc<Notifier>,
        control: mpsc::Sender<Control>,
    ) -> Self {
        let good = good_files(loaded);
        Self { content, detect, cooldown, good, in_force, notifier, control }
    }

    /// Reloads after every change and every message of `asked`, until `shutdown`.
    pub(crate) async fn run(mut self, mut asked: mpsc::Receiver<()>, shutdown: CancellationToken) {
        let (sender, mut changed) = mpsc::channel(1);
        let _watcher = watch(&self.content, sender);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                Some(()) = asked.recv() => {}
                Some(()) = changed.recv() => {
                    while tokio::time::timeout(SETTLE, changed.recv()).await.is_ok() {}
                }
            }
            let Ok((back, control)) = tokio::task::spawn_blocking(move || {
                let control = self.reload();
                (self, control)
            })
            .await
            else {
                return;
            };
            self = back;
            if let Some(control) = control {
                // A closed channel means that the engine is stopping.
                let _ = self.control.send(control).await;
            }
        }
    }

    /// Reads everything again; what to give the pipeline, if anything may change.
    fn reload(&mut self) -> Option<Control> {
        let choice = Choice::default();
        let files = Files::read(&self.content, &choice.rules);
        let mut read = Content::compile(files.clone(), &self.detect, &choice);
        let refused = refused(&read);
        let mut about = Vec::new();
        let broken: Vec<&PackFile> =
            refused.iter().filter_map(|path| self.good.get(path)).collect();
        if !broken.is_empty() {
            let (files, said) = put_back(files, &broken, &read.diagnostics);
            about = said;
            read = Content::compile(files, &self.detect, &choice);
            if let Some(lost) =
                self::refused(&read).iter().find(|path| self.good.contains_key(*path))
            {
                about.push(Diagnostic::error(
                    lost,
                    0,
                    0,
                    "what was changed elsewhere breaks this file: all rules stay as they were",
                ));
                self.tell(about);
                return None;
            }
        }
        self.good = good_files(&read);
        about.extend(self.renew_channels(&read));
        let mut in_force = InForce::of(&read);
        in_force.diagnostics.splice(0..0, about.iter().cloned());
        let before = self.in_force.load();
        let known = |one: &&Diagnostic| before.diagnostics.contains(one);
        for diagnostic in in_force.diagnostics.iter().filter(|one| !known(one)) {
            match diagnostic.level {
                Level::Error => tracing::error!("{diagnostic}"),
                Level::Warning => tracing::warn!("{diagnostic}"),
            }
        }
        let refused = in_force.diagnostics.iter().filter(|one| is_error(one)).count();
        let rules = in_force.rules.len();
        tracing::info!("content read again: {rules} rules in force, {refused} refused");
        self.in_force.store(Arc::new(in_force));
        Some(Control {
            rules: Arc::new(read.rules.clone()),
            worker: read.parser.worker(),
            longest_cooldown: read.longest_cooldown(self.cooldown),
        })
    }

    /// Lets channels go on with the services' files as they are now; what is wrong with those that
    /// cannot.
    fn renew_channels(&self, read: &Content) -> Vec<Diagnostic> {
        let (renewed, kept) = self.notifier.renew(&read.services);
        if !renewed.is_empty() {
            tracing::info!("services read again: of channels {}", renewed.join(", "));
        }
        let told = |error| format!("{error}; the version before stays in force");
        kept.iter().map(|error| Diagnostic::error("notify.channels", 0, 0, told(error))).collect()
    }

    /// Says what was refused, while the rules stay.
    fn tell(&self, about: Vec<Diagnostic>) {
        for diagnostic in &about {
            tracing::error!("{diagnostic}");
        }
        let now = self.in_force.load();
        let diagnostics = about.into_iter().chain(now.diagnostics.iter().cloned()).collect();
        self.in_force.store(Arc::new(InForce {
            parser: now.parser.clone(),
            rules: now.rules.clone(),
            compiled: now.compiled.clone(),
            diagnostics,
        }));
    }
}

/// Puts the earlier versions of `broken` back, and says so with the first reason of each.
fn put_back(
    mut files: Files,
    broken: &[&PackFile],
    diagnostics: &[Diagnostic],
) -> (Files, Vec<Diagnostic>) {
    let mut said = Vec::new();
    for earlier in broken {
        let now = files.all_mut().find(|file| file.path == earlier.path);
        let gone = now.map(|file| file.bytes.clone_from(&earlier.bytes)).is_none();
        if gone {
            files.loose.push((*earlier).clone());
        }
        let why = diagnostics.iter().find(|one| one.path == earlier.path && is_error(one));
        if let Some(why) = why {
            let message = format!("{}; the version before stays in force", why.message);
            said.push(Diagnostic { message, ..why.clone() });
        }
    }
    // What could not be read is back.
    files.diagnostics.retain(|one| broken.iter().all(|earlier| earlier.path != one.path));
    (files, said)
}

fn is_error(diagnostic: &Diagnostic) -> bool {
    diagnostic.level == Level::Error
}

fn refused(content: &Content) -> BTreeSet<String> {
    let errors = content.diagnostics.iter().filter(|one| is_error(one));
    errors.map(|one| one.path.clone()).collect()
}

fn good_files(content: &Content) -> BTreeMap<String, PackFile> {
    let refused = refused(content);
    let of_packs = content.packs.iter().flat_map(|pack| &pack.files);
    let all = of_packs.chain(&content.rule_files);
    let good = all.filter(|file| !refused.contains(&file.path));
    good.map(|file| (file.path.clone(), file.clone())).collect()
}

/// A watcher over the configured paths; `None` when there is nothing to watch or no way to.
fn watch(content: &ContentConfig, changed: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let roots: BTreeSet<PathBuf> =
        content.packs.iter().chain(&content.rules).map(|path| root(path)).collect();
    if roots.is_empty() {
        return None;
    }
    let heard = move |event: notify::Result<notify::Event>| {
        let reading = event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_)));
        if !reading {
            // A full channel means that a reload is due already.
            let _ = changed.try_send(());
        }
    };
    let mut watcher = notify::recommended_watcher(heard)
        .inspect_err(|error| tracing::warn!("edited rules need SIGHUP to be read: {error}"))
        .ok()?;
    for root in roots {
        if let Err(error) = watcher.watch(&root, RecursiveMode::Recursive) {
            let root = root.display();
            tracing::warn!("{root}: edited rules need SIGHUP to be read: {error}");
        }
    }
    Some(watcher)
}

/// What to watch for a path: a file's directory, because editors replace files.
fn root(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if path.is_file() && parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) if path.is_file() => parent.to_owned(),
        _ => path.to_owned(),
    }
}
