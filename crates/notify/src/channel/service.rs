//! A service that a template describes: Slack, Discord, Teams, PagerDuty, Opsgenie, Telegram,
//! ntfy, Alertmanager, and what packs of one's own bring. What tells them apart is in their files
//! ([`crate::services`]); here it is only sent.

use std::sync::{Arc, PoisonError, RwLock};

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::http::{HttpPost, PlainHttp};
use super::{Failure, SendError};
use crate::config::ServiceConfig;
use crate::error::NotifyError;
use crate::secret::Secret;
use crate::services::{Definition, Services};
use crate::template::{Settings, Template};
use crate::view::Message;

pub(crate) struct ServiceChannel {
    name: String,
    service: String,
    config: ServiceConfig,
    ready: RwLock<Arc<Ready>>,
}

/// What the service's file and the configuration make together.
struct Ready {
    definition: Definition,
    template: Template,
    post: HttpPost,
}

/// Everything of a service's requests but the message.
pub(crate) struct Request {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) template: Template,
}

impl ServiceChannel {
    pub(crate) fn new(
        name: &str,
        service: &str,
        config: &ServiceConfig,
        services: &Services,
    ) -> Result<Self, NotifyError> {
        let ready = Ready::new(name, service, config, services.get(service)?)?;
        Ok(Self {
            name: name.to_owned(),
            service: service.to_owned(),
            config: config.clone(),
            ready: RwLock::new(Arc::new(ready)),
        })
    }

    /// Takes the service's file as it is now; whether it is another. What is under way ends as it began.
    pub(crate) fn renew(&self, services: &Services) -> Result<bool, NotifyError> {
        let definition = services.get(&self.service)?;
        if self.ready().definition == *definition {
            return Ok(false);
        }
        let ready = Ready::new(&self.name, &self.service, &self.config, definition)?;
        *self.ready.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ready);
        Ok(true)
    }

    fn ready(&self) -> Arc<Ready> {
        self.ready.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) async fn send(&self, message: &Message) -> Result<String, SendError> {
        let ready = self.ready();
        let body = ready.template.render(message).and_then(|body| ready.definition.write(&body));
        let body = body.map_err(|answer| SendError { kind: Failure::Message, answer })?;
        ready.post.post(body, HeaderMap::new()).await
    }
}

impl Ready {
    fn new(
        name: &str,
        service: &str,
        config: &ServiceConfig,
        definition: &Definition,
    ) -> Result<Self, NotifyError> {
        let definition = definition.clone();
        let url = Secret::resolve(
            "url",
            config.url.as_ref(),
            config.url_file.as_ref(),
            config.url_env.as_deref(),
        )?;
        let token = Secret::resolve(
            "token",
            config.token.as_ref(),
            config.token_file.as_ref(),
            config.token_env.as_deref(),
        )?;
        let hidden = token.as_ref().map_or_else(String::new, |token| token.reveal().to_owned());
        let Request { url, headers, template } =
            prepare(name, service, &definition, url, token, config.target.clone())?;
        let plain = if definition.plain_http { PlainHttp::Anywhere } else { PlainHttp::Loopback };
        let (url, ca_file) = (Some(Secret::new(url.as_str())), config.ca_file.as_deref());
        let post = HttpPost::new(url, plain, headers, ca_file, config.timeout_seconds)?;
        let mut post = post.speaking(definition.content_type(), definition.answers());
        post.hide(&hidden);
        Ok(Self { definition, template, post })
    }
}

/// What is sent to a service with these settings.
pub(crate) fn prepare(
    channel: &str,
    service: &str,
    definition: &Definition,
    url: Option<Secret>,
    token: Option<Secret>,
    target: Option<String>,
) -> Result<Request, NotifyError> {
    let given = [("url", url.is_some()), ("token", token.is_some()), ("target", target.is_some())];
    check(service, definition, given)?;
    let settings = Settings {
        channel: channel.to_owned(),
        token: token.as_ref().map_or_else(String::new, |token| token.reveal().to_owned()),
        target: target.unwrap_or_default(),
    };
    let Some(url) = address(definition, url, &settings)? else {
        return Err(NotifyError::Config(
            "url is missing; give url, url_file or url_env".to_owned(),
        ));
    };
    // The error of `parse` does not repeat the address, which may hold a token.
    let mut url: Url = url
        .reveal()
        .trim()
        .parse()
        .map_err(|error| NotifyError::Config(format!("url is not an address: {error}")))?;
    for (key, value) in &definition.query {
        if !url.query_pairs().any(|(known, _)| known == *key) {
            url.query_pairs_mut().append_pair(key, value);
        }
    }
    let headers = headers(definition, &settings)?;
    Ok(Request { url, headers, template: definition.compile(settings)? })
}

/// What the service needs is there, and nothing that it has no use for.
fn check(
    service: &str,
    definition: &Definition,
    given: [(&str, bool); 3],
) -> Result<(), NotifyError> {
    let wrong = |why: String| Err(NotifyError::Config(why));
    for (key, is_given) in given {
        let needed = definition.needs.iter().any(|need| need == key);
        if needed && !is_given {
            let ways = match key {
                "target" => "give target".to_owned(),
                key => format!("give {key}, {key}_file or {key}_env"),
            };
            return wrong(format!("{key} is missing; {ways} ({})", definition.about));
        }
        let taken = needed || key == "url" || definition.takes.iter().any(|take| take == key);
        if is_given && !taken {
            return wrong(format!("{key} means nothing to {service}; remove it"));
        }
    }
    Ok(())
}

fn address(
    definition: &Definition,
    given: Option<Secret>,
    settings: &Settings,
) -> Result<Option<Secret>, NotifyError> {
    let base = given.or_else(|| definition.url.as_ref().map(Secret::new));
    let (Some(base), Some(path)) = (&base, &definition.path) else { return Ok(base) };
    let path = definition.fill(path, settings)?;
    let odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '?' | '#' | '\\');
    if path.contains(odd) {
        let message = "token has characters that no token has".to_owned();
        return Err(NotifyError::Config(message));
    }
    let base = base.reveal().trim().trim_end_matches('/');
    // An address that has the path already is taken as it is.
    if Url::parse(base).is_ok_and(|url| url.path().ends_with(path.trim_end_matches('/'))) {
        return Ok(Some(Secret::new(base)));
    }
    Ok(Some(Secret::new(format!("{base}{path}"))))
}

fn headers(definition: &Definition, settings: &Settings) -> Result<HeaderMap, NotifyError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &definition.headers {
        let value = definition.fill(value, settings)?;
        if value.is_empty() {
            continue;
        }
        let wrong = |_| NotifyError::Config(format!("header {name:?}: not with this token"));
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| NotifyError::Config(format!("header {name:?} is no header name")))?;
        let mut value = HeaderValue::from_str(&value).map_err(wrong)?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}
