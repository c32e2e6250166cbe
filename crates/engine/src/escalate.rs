//! Tells further people of what nobody acknowledges.
//!
//! In: alerts in the catalog, looked at regularly. Out: notices in the outbox, each once.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tocsin_catalog::{AlertQuery, Catalog, CatalogError};
use tocsin_model::Timestamp;
use tocsin_notify::Notifier;
use tokio_util::sync::CancellationToken;

/// How often alerts are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Alerts that one look takes, the newest.
const ALERTS_MAX: usize = 1000;

/// Looks until shutdown.
pub(crate) async fn escalate(
    catalog: Arc<Catalog>,
    notifier: Arc<Notifier>,
    shutdown: CancellationToken,
) {
    let Some(span) = notifier.escalates_within() else { return };
    let mut tick = tokio::time::interval(LOOK_EVERY);
    let mut trouble = false;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        let (from_catalog, with) = (catalog.clone(), notifier.clone());
        let looked = tokio::task::spawn_blocking(move || look(&from_catalog, &with, span)).await;
        match looked {
            Ok(Ok(true)) => notifier.notify(),
            Ok(Ok(false)) => trouble = false,
            Ok(Err(error)) if !trouble => {
                trouble = true;
                tracing::warn!("who is to be told of unacknowledged alerts: {error}");
            }
            Ok(Err(_)) | Err(_) => {}
        }
    }
}

/// Saves the notices that are due; whether there are any.
fn look(catalog: &Catalog, notifier: &Notifier, span: Duration) -> Result<bool, CatalogError> {
    let now = Timestamp::from_system(SystemTime::now());
    let query = AlertQuery {
        historical: Some(false),
        from: Some(now.minus(span)),
        limit: ALERTS_MAX,
        ..AlertQuery::default()
    };
    let alerts = catalog.alerts(&query)?.alerts;
    let notices = notifier.unacknowledged(&alerts, now);
    catalog.save(&[], &notices)?;
    Ok(!notices.is_empty())
}
