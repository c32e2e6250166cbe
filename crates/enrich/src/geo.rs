//! [`Geo`]: where public addresses are and whose they are, from MMDB files; [`Places`] remembers
//! what was found.
//!
//! In: the bytes of files in any of the usual shapes (MaxMind's nested records, the flat ones of
//! DB-IP and IPinfo). Out: `source.geo.*`, `source.as.*` and the same of `destination`. An event
//! that comes with such fields keeps its own.

use std::net::IpAddr;
use std::sync::Arc;

use ahash::AHashMap;
use maxminddb::Reader;
use serde_json::Value as Json;
use tocsin_model::field::{self, FieldId};
use tocsin_model::{Event, Value};

use crate::countries;

/// Addresses whose place is remembered; a power of two.
const REMEMBERED: usize = 8192;
/// Records of one database that are remembered decoded.
const RECORDS_MAX: usize = 65_536;

/// What is known of an address.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Place {
    /// ISO 3166 code of the country.
    pub country: Option<String>,
    /// Its English name.
    pub country_name: Option<String>,
    /// State or province.
    pub region: Option<String>,
    /// City.
    pub city: Option<String>,
    /// Latitude and longitude.
    pub location: Option<(f64, f64)>,
    /// Number of the autonomous system.
    pub number: Option<u32>,
    /// Its owner.
    pub organization: Option<String>,
}

impl Place {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes what another database knows more.
    fn complete(&mut self, other: &Self) {
        if self.country.is_none() || self.country == other.country {
            self.country = self.country.take().or_else(|| other.country.clone());
            self.country_name = self.country_name.take().or_else(|| other.country_name.clone());
            if self.city.is_none() {
                self.city.clone_from(&other.city);
                self.region = self.region.take().or_else(|| other.region.clone());
                self.location = self.location.or(other.location);
            }
        }
        if self.number.is_none() {
            self.number = other.number;
            self.organization = self.organization.take().or_else(|| other.organization.clone());
        }
    }

    /// Reads a record of any of the usual shapes.
    fn of(record: &Json) -> Self {
        let first = |paths: &[&str]| {
            let found = paths.iter().find_map(|path| {
                let text = record.pointer(path)?.as_str()?.trim();
                (!text.is_empty()).then_some(text)
            });
            found.map(str::to_owned)
        };
        let number = |paths: &[&str]| {
            paths.iter().find_map(|path| match record.pointer(path)? {
                Json::String(text) => text.trim().parse().ok(),
                other => other.as_f64(),
            })
        };
        let country = first(&["/country_code", "/country/iso_code", "/country"])
            .filter(|code| code.len() == 2)
            .or_else(|| first(&["/registered_country/iso_code"]));
        let country = country.map(|code| code.to_uppercase());
        let country_name = first(&["/country/names/en", "/country_name"]);
        let known = country.as_deref().and_then(countries::name).map(str::to_owned);
        let location = number(&["/location/latitude", "/latitude", "/lat"]).zip(number(&[
            "/location/longitude",
            "/longitude",
            "/lng",
            "/lon",
        ]));
        let system = record.pointer("/autonomous_system_number").and_then(Json::as_u64);
        let of_text = first(&["/asn"]);
        let of_text = of_text.and_then(|text| text.trim_start_matches("AS").parse().ok());
        Self {
            country_name: country_name.or(known),
            country,
            region: first(&["/subdivisions/0/names/en", "/state1", "/region"]),
            city: first(&["/city/names/en", "/city"]),
            location,
            number: system.and_then(|number| u32::try_from(number).ok()).or(of_text),
            organization: first(&["/autonomous_system_organization", "/as_name", "/name"]),
        }
    }
}

/// One database.
pub struct Database {
    /// What people call it: the name of its file.
    pub name: String,
    reader: Reader<Vec<u8>>,
    bytes: usize,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl Database {
    /// Takes the bytes of a file.
    ///
    /// # Errors
    /// When they are no MMDB, or one that cannot be looked into.
    pub fn new(name: &str, bytes: Vec<u8>) -> Result<Self, String> {
        let length = bytes.len();
        let reader =
            Reader::from_source(bytes).map_err(|error| format!("{name}: no MMDB: {error}"))?;
        let database = Self { name: name.to_owned(), reader, bytes: length };
        // Cut off or mixed up, it shows at one of the ends.
        for address in ["0.0.0.1", "9.9.9.9", "223.255.255.254"] {
            if let Ok(address) = address.parse() {
                database.place(address).map_err(|error| format!("{name}: damaged: {error}"))?;
            }
        }
        Ok(database)
    }

    /// When it was made, seconds since 1970.
    pub fn built(&self) -> u64 {
        self.reader.metadata().build_epoch
    }

    /// Its own word for what it holds.
    pub fn kind(&self) -> &str {
        &self.reader.metadata().database_type
    }

    /// Memory it takes, bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Its record about an address.
    fn place(&self, address: IpAddr) -> Result<Option<Json>, String> {
        if address.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return Ok(None);
        }
        let found = self.reader.lookup(address).map_err(|error| error.to_string())?;
        found.decode::<Json>().map_err(|error| error.to_string())
    }
}

/// All databases, in the order in which they are believed.
#[derive(Debug, Default)]
pub struct Geo {
    databases: Vec<Arc<Database>>,
}

impl Geo {
    /// Of these.
    pub fn new(databases: Vec<Arc<Database>>) -> Self {
        Self { databases }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.databases.is_empty()
    }

    /// All of them.
    pub fn databases(&self) -> &[Arc<Database>] {
        &self.databases
    }

    /// What is known of an address; nothing of one that is not public.
    pub fn find(&self, address: IpAddr) -> Place {
        let mut place = Place::default();
        if !is_public(address) {
            return place;
        }
        for database in &self.databases {
            // What cannot be read of an address is not known.
            if let Ok(Some(record)) = database.place(address) {
                place.complete(&Place::of(&record));
            }
        }
        place
    }
}

/// Whether an address is one that others can reach.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_multicast()
                || first == 0
                || first >= 240
                || (first == 100 && (64..128).contains(&second)))
        }
        IpAddr::V6(address) => {
            let first = address.segments()[0];
            // Global unicast.
            first & 0xe000 == 0x2000
        }
    }
}

/// Where fields go: code, name, region, city, number, organisation.
type Fields = [FieldId; 6];
const SOURCE: Fields = [
    field::SOURCE_GEO_COUNTRY_ISO_CODE,
    field::SOURCE_GEO_COUNTRY_NAME,
    field::SOURCE_GEO_REGION_NAME,
    field::SOURCE_GEO_CITY_NAME,
    field::SOURCE_AS_NUMBER,
    field::SOURCE_AS_ORGANIZATION_NAME,
];
const DESTINATION: Fields = [
    field::DESTINATION_GEO_COUNTRY_ISO_CODE,
    field::DESTINATION_GEO_COUNTRY_NAME,
    field::DESTINATION_GEO_REGION_NAME,
    field::DESTINATION_GEO_CITY_NAME,
    field::DESTINATION_AS_NUMBER,
    field::DESTINATION_AS_ORGANIZATION_NAME,
];

/// Where latitude and longitude go: the dictionary has no fields of fractions.
const LOCATIONS: [[&str; 2]; 2] = [
    ["source.geo.location.lat", "source.geo.location.lon"],
    ["destination.geo.location.lat", "destination.geo.location.lon"],
];

/// What was found before, for one thread.
pub struct Places {
    locations: [[Option<FieldId>; 2]; 2],
    /// Which databases it was found in.
    of: usize,
    by_address: Vec<Option<(IpAddr, Arc<Place>)>>,
    /// Decoded records, by database and place in it.
    records: AHashMap<(usize, usize), Arc<Place>>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            locations: LOCATIONS.map(|names| names.map(FieldId::intern)),
            of: 0,
            by_address: Vec::new(),
            records: AHashMap::new(),
        }
    }
}

impl Places {
    /// Adds the places of an event's source and destination.
    pub fn add(&mut self, geo: &Geo, event: &mut Event) {
        if geo.is_empty() {
            return;
        }
        let ends = [(field::SOURCE_IP, SOURCE), (field::DESTINATION_IP, DESTINATION)];
        for (end, (from, to)) in ends.into_iter().enumerate() {
            let Some(address) = event.get_str(from).and_then(|text| text.parse().ok()) else {
                continue;
            };
            if !is_public(address) || event.has(to[0]) || event.has(to[4]) {
                continue;
            }
            let place = self.find(geo, address);
            if !place.is_empty() {
                put(event, &place, to, self.locations[end]);
            }
        }
    }

    /// What is known of a public address.
    fn find(&mut self, geo: &Geo, address: IpAddr) -> Arc<Place> {
        let of = std::ptr::from_ref(geo).addr();
        if self.of != of || self.by_address.is_empty() {
            // Other databases now.
            self.of = of;
            self.by_address.clear();
            self.by_address.resize(REMEMBERED, None);
            self.records.clear();
        }
        let slot = slot(address);
        if let Some((known, place)) = &self.by_address[slot]
            && *known == address
        {
            return place.clone();
        }
        let mut place: Option<Arc<Place>> = None;
        for (number, database) in geo.databases.iter().enumerate() {
            let Some(one) = self.record(number, database, address) else { continue };
            place = Some(match place {
                None => one,
                Some(before) => {
                    let mut both = (*before).clone();
                    both.complete(&one);
                    Arc::new(both)
                }
            });
        }
        let place = place.unwrap_or_default();
        self.by_address[slot] = Some((address, place.clone()));
        place
    }

    fn record(
        &mut self,
        number: usize,
        database: &Database,
        address: IpAddr,
    ) -> Option<Arc<Place>> {
        if address.is_ipv6() && database.reader.metadata().ip_version == 4 {
            return None;
        }
        let found = database.reader.lookup(address).ok()?;
        let key = (number, found.offset()?);
        if let Some(place) = self.records.get(&key) {
            return Some(place.clone());
        }
        let record = found.decode::<Json>().ok()??;
        let place = Arc::new(Place::of(&record));
        if self.records.len() >= RECORDS_MAX {
            self.records.clear();
        }
        self.records.insert(key, place.clone());
        Some(place)
    }
}

fn slot(address: IpAddr) -> usize {
    let number = match address {
        IpAddr::V4(address) => u64::from(u32::from(address)),
        IpAddr::V6(address) => {
            let wide = u128::from(address);
            (wide >> 64) as u64 ^ wide as u64
        }
    };
    // The upper bits of the product depend on all of the number's.
    (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize % REMEMBERED
}

fn put(event: &mut Event, place: &Place, to: Fields, location: [Option<FieldId>; 2]) {
    let texts = [&place.country, &place.country_name, &place.region, &place.city];
    for (id, text) in to.into_iter().zip(texts) {
        if let Some(text) = text {
            event.push_str(id, text);
        }
    }
    if let Some((latitude, longitude)) = place.location {
        for (id, degrees) in location.into_iter().zip([latitude, longitude]) {
            if let Some(id) = id {
                event.push(id, Value::Float(degrees));
            }
        }
    }
    if let Some(number) = place.number {
        event.push_int(to[4], i64::from(number));
    }
    if let Some(organization) = &place.organization {
        event.push_str(to[5], organization);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_of_every_shape_are_read() {
        let flat = json!({"city": "Bern", "country_code": "CH", "latitude": 46.9,
                          "longitude": 7.4, "state1": "Bern"});
        let nested = json!({"country": {"iso_code": "CH", "names": {"en": "Switzerland"}},
                            "city": {"names": {"en": "Bern", "de": "Bern"}},
                            "subdivisions": [{"names": {"en": "Bern"}}],
                            "location": {"latitude": 46.9, "longitude": 7.4}});
        for record in [flat, nested] {
            let place = Place::of(&record);
            assert_eq!(place.country.as_deref(), Some("CH"));
            assert_eq!(place.country_name.as_deref(), Some("Switzerland"));
            assert_eq!(place.city.as_deref(), Some("Bern"));
            assert_eq!(place.region.as_deref(), Some("Bern"));
            assert_eq!(place.location, Some((46.9, 7.4)));
        }
        let systems = [
            json!({"autonomous_system_number": 64500, "autonomous_system_organization": "Ex"}),
            json!({"asn": "AS64500", "as_name": "Ex", "country": "de"}),
        ];
        for record in systems {
            let place = Place::of(&record);
            assert_eq!((place.number, place.organization.as_deref()), (Some(64500), Some("Ex")));
        }
        assert!(Place::of(&json!("x")).is_empty());
    }

    #[test]
    fn a_second_database_adds_but_does_not_contradict() {
        let mut first = Place::of(&json!({"country_code": "CH"}));
        first.complete(&Place::of(&json!({"country_code": "DE", "city": "Berlin"})));
        assert_eq!(first.city, None);
        first.complete(&Place::of(&json!({"country_code": "CH", "city": "Bern"})));
        first.complete(&Place::of(&json!({"asn": "AS1", "name": "One"})));
        assert_eq!((first.city.as_deref(), first.number), (Some("Bern"), Some(1)));
    }

    #[test]
    fn only_public_addresses_have_a_place() {
        let table = [
            ("8.8.8.8", true),
            ("10.0.0.1", false),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("172.16.0.1", false),
            ("169.254.1.1", false),
            ("127.0.0.1", false),
            ("224.0.0.1", false),
            ("0.1.2.3", false),
            ("255.255.255.255", false),
            ("2001:4860:4860::8888", true),
            ("fe80::1", false),
            ("fd00::1", false),
            ("::1", false),
            ("::ffff:10.0.0.1", false),
            ("::ffff:8.8.8.8", true),
        ];
        for (address, expected) in table {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }
}
