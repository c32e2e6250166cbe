//! What the responder asks the rest of Tocsin: who is on an allow-list, who logged in well. And
//! the alerts it is told of.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tocsin_alert::AllowList;
use tocsin_catalog::Catalog;
pub use tocsin_catalog::{Ban, BanState, Target};
use tocsin_model::{Alert, Timestamp};
use tocsin_respond::{More, Refusal, RespondConfig, Surroundings};
pub use tocsin_respond::{RespondError, Responder, Wish};
use tocsin_search::{Context, parse_in};
use tocsin_store::{Embedded, EventStore, Matcher, SearchRequest};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::handle::Live;

/// Alerts that may wait for the responder.
const ALERTS_WAITING_MAX: usize = 256;
/// How long a look for good logins may take.
const LOGIN_LOOK_MAX: Duration = Duration::from_secs(2);
const DAY: Duration = Duration::from_secs(86_400);

/// A responder with what `config` says, whom the catalog's exceptions allow and who logged in
/// well by the store.
///
/// # Errors
/// What is wrong with the configuration.
pub fn responder(
    config: &Config,
    catalog: Arc<Catalog>,
    store: Arc<dyn EventStore>,
) -> Result<Responder, String> {
    let allowed = AllowList::parse(&config.alerts.allow_list)?;
    let (days, from_catalog) = (config.respond.login_days, catalog.clone());
    let protects = move |address: IpAddr, began: Timestamp| {
        if allowed.contains(&address.to_string()) {
            return Ok(Some(Refusal::Allowed("alerts.allow_list".to_owned())));
        }
        if let Some(number) = excepted(&from_catalog, address)? {
            return Ok(Some(Refusal::Allowed(format!("exception {number}"))));
        }
        good_login(&*store, address, began, days)
    };
    let of_users = catalog.clone();
    let around = Surroundings {
        protects: Arc::new(protects),
        spares: Arc::new(move |name: &str| {
            let number = spared(&of_users, name)?;
            Ok(number.map(|number| Refusal::Allowed(format!("exception {number}"))))
        }),
        routes: Arc::new(routes(&config.respond)?),
    };
    Responder::new(&config.respond, catalog, around)
}

/// The first of the configured routes whose condition an alert fits.
///
/// # Errors
/// When a condition is none.
pub fn routes(
    config: &RespondConfig,
) -> Result<impl Fn(&Alert) -> Option<usize> + Send + Sync + use<>, String> {
    let now = Timestamp::from_system(std::time::SystemTime::now());
    let mut conditions = Vec::new();
    for (place, route) in config.routes.iter().enumerate() {
        let wrong = |why: String| format!("respond.routes[{place}].when: {why}");
        if route.when.trim().is_empty() || route.when.trim() == "*" {
            return Err(wrong("it fits every alert, say which ones".to_owned()));
        }
        let context = Context { now, fields: None };
        let filter = parse_in(&route.when, context).map_err(|error| wrong(error.to_string()))?;
        conditions.push(Matcher::new(&filter).map_err(|error| wrong(error.to_string()))?);
    }
    Ok(move |alert: &Alert| {
        if conditions.is_empty() {
            return None;
        }
        let event = alert.to_event();
        conditions.iter().position(|condition| condition.matches(&event))
    })
}

/// The exception in force that puts a user on the allow-list.
fn spared(catalog: &Catalog, name: &str) -> Result<Option<u64>, String> {
    let now = Timestamp::from_system(std::time::SystemTime::now());
    let exceptions = catalog.exceptions(false).map_err(|error| error.to_string())?;
    let holds = exceptions.iter().find(|exception| {
        let of_user =
            |(what, value): &(String, String)| what == "user" && value.eq_ignore_ascii_case(name);
        exception.holds_at(now) && exception.what.allow.as_ref().is_some_and(of_user)
    });
    Ok(holds.map(|exception| exception.id))
}

/// A responder on the data directory that `config` names, for another process than the one that
/// runs: it records wishes and never touches the firewall.
///
/// # Errors
/// When the data directory or the configuration cannot be used.
pub fn open_dir(config: &Config) -> Result<(Responder, Arc<Catalog>), String> {
    let dir = &config.server.data_dir;
    let text = |error: &dyn std::fmt::Display| format!("{}: {error}", dir.display());
    let catalog = Arc::new(Catalog::open(dir).map_err(|error| text(&error))?);
    let shelf = config.store.shelf(dir);
    let store = Embedded::open_to_read_with(&dir.join("store"), shelf);
    let store = store.map_err(|error| text(&error))?;
    let responder = responder(config, catalog.clone(), Arc::new(store))?;
    Ok((responder, catalog))
}

/// The exception in force that puts an address on the allow-list.
fn excepted(catalog: &Catalog, address: IpAddr) -> Result<Option<u64>, String> {
    let now = Timestamp::from_system(std::time::SystemTime::now());
    let exceptions = catalog.exceptions(false).map_err(|error| error.to_string())?;
    let holds = exceptions.iter().find(|exception| {
        exception.holds_at(now)
            && exception.what.allow.as_ref().is_some_and(|(_, value)| {
                let network = value.parse::<IpNet>();
                let network = network.or_else(|_| value.parse::<IpAddr>().map(IpNet::from));
                network.is_ok_and(|network| network.contains(&address))
            })
    });
    Ok(holds.map(|exception| exception.id))
}

/// Whether somebody logged in well from an address in the days before an attack began.
fn good_login(
    store: &dyn EventStore,
    address: IpAddr,
    began: Timestamp,
    days: u32,
) -> Result<Option<Refusal>, String> {
    if days == 0 {
        return Ok(None);
    }
    let query = format!(
        "event.category: authentication and event.outcome: success and source.ip: \"{address}\""
    );
    let filter = parse_in(&query, Context { now: began, fields: None })
        .map_err(|error| format!("looking for logins: {error}"))?;
    let request = SearchRequest {
        filter,
        from: Some(began.minus(DAY * days)),
        to: Some(began),
        limit: 1,
        timeout: Some(LOGIN_LOOK_MAX),
        ..SearchRequest::default()
    };
    let found = store.search(&request).map_err(|error| format!("looking for logins: {error}"))?;
    Ok(found.hits.first().map(|hit| {
        let user = hit["user"]["name"].as_str().unwrap_or("somebody");
        let time = hit["@timestamp"].as_str().unwrap_or("earlier");
        Refusal::GoodLogin(format!("{user} logged in well at {time}"))
    }))
}

/// Starts the responder on the alerts that are shown live.
pub(crate) fn start(
    responder: &Arc<Responder>,
    mut live: broadcast::Receiver<Live>,
    background: &mut JoinSet<()>,
    shutdown: &CancellationToken,
) {
    let (alerts, waiting) = mpsc::channel(ALERTS_WAITING_MAX);
    background.spawn(responder.clone().run(waiting, shutdown.clone()));
    let shutdown = shutdown.clone();
    background.spawn(async move {
        loop {
            let more = tokio::select! {
                () = shutdown.cancelled() => return,
                message = live.recv() => match message {
                    Ok(Live::Alert(alert)) => More::Alert(alert),
                    Err(broadcast::error::RecvError::Lagged(_)) => More::Missed,
                    Err(broadcast::error::RecvError::Closed) => return,
                },
            };
            if alerts.send(more).await.is_err() {
                // Bans are off.
                return;
            }
        }
    });
}
