//! `/context`: what is known of addresses, hosts and users beyond their lines, and where from.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use tocsin_engine::Handle;
use utoipa::ToSchema;

use crate::app::Shared;
use crate::error::{ApiError, ErrorAnswer};

/// What is known beyond lines, and what was refused.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ContextView {
    /// Databases of places and owners of addresses.
    pub databases: Vec<DatabaseView>,
    /// Who is to be named where places are shown.
    pub attribution: Vec<String>,
    /// Hosts of the inventory.
    pub hosts: usize,
    /// Users of the inventory.
    pub users: usize,
    /// Addresses and networks of the inventory.
    pub networks: usize,
    /// What is wrong, by file; what was read of it before stays in force.
    pub problems: BTreeMap<String, String>,
}

/// A database of places and owners of addresses.
#[derive(Debug, Serialize, ToSchema)]
pub struct DatabaseView {
    /// Where it is.
    path: String,
    /// Its own word for what it holds.
    kind: String,
    /// When it was made, seconds since 1970.
    built: u64,
    /// Memory that it takes, bytes.
    bytes: usize,
}

/// What is known of an address.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlaceView {
    /// The address.
    ip: String,
    country_iso_code: Option<String>,
    country_name: Option<String>,
    region_name: Option<String>,
    city_name: Option<String>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    as_number: Option<u32>,
    as_organization: Option<String>,
    /// Who is to be named where this is shown.
    attribution: Vec<String>,
}

/// What a running engine knows.
pub fn view(handle: &Handle) -> ContextView {
    let status = handle.context.status();
    let database = |one: tocsin_engine::context::DatabaseStatus| DatabaseView {
        path: one.path,
        kind: one.kind,
        built: one.built,
        bytes: one.bytes,
    };
    ContextView {
        databases: status.databases.into_iter().map(database).collect(),
        attribution: status.attribution,
        hosts: status.hosts,
        users: status.users,
        networks: status.networks,
        problems: status.problems,
    }
}

/// What is known beyond lines, and where from.
#[utoipa::path(
    get,
    path = "/context",
    tag = "state",
    operation_id = "get_context",
    responses((status = 200, description = "Databases, inventory, problems", body = ContextView))
)]
pub async fn about(State(app): State<Shared>) -> Json<ContextView> {
    Json(view(&app.handle))
}

/// Where an address is and whose it is.
#[utoipa::path(
    get,
    path = "/context/addresses/{ip}",
    tag = "state",
    operation_id = "get_place",
    params(("ip" = String, Path, description = "An address")),
    responses(
        (status = 200, description = "What is known; null where nothing is", body = PlaceView),
        (status = 400, description = "No address", body = ErrorAnswer),
    )
)]
pub async fn place(
    State(app): State<Shared>,
    Path(ip): Path<String>,
) -> Result<Json<PlaceView>, ApiError> {
    let address: IpAddr =
        ip.parse().map_err(|_| ApiError::bad_request(format!("{ip:?} is no address")))?;
    let place = app.handle.context.current().geo.find(address);
    let (latitude, longitude) = place.location.unzip();
    Ok(Json(PlaceView {
        ip: address.to_string(),
        country_iso_code: place.country,
        country_name: place.country_name,
        region_name: place.region,
        city_name: place.city,
        latitude,
        longitude,
        as_number: place.number,
        as_organization: place.organization,
        attribution: app.handle.context.status().attribution,
    }))
}
