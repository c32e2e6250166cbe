//! The made-up company whose logs these are: hosts, people, addresses, browsers.

use std::net::Ipv4Addr;

/// A member of the company.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// Login name.
    pub name: &'static str,
    /// Number of the account.
    pub uid: u32,
    /// Their desk's address.
    pub address: Ipv4Addr,
    /// Whether they may use sudo.
    pub admin: bool,
}

const fn person(name: &'static str, uid: u32, last: u8, admin: bool) -> Person {
    Person { name, uid, address: Ipv4Addr::new(10, 20, 8, last), admin }
}

/// Everybody who logs in.
pub const PEOPLE: &[Person] = &[
    person("anna", 1001, 21, true),
    person("ben", 1002, 22, true),
    person("carla", 1003, 23, false),
    person("daniel", 1004, 24, false),
    person("elif", 1005, 31, false),
    person("farid", 1006, 32, true),
    person("greta", 1007, 40, false),
    person("henrik", 1008, 41, false),
];

/// Hosts that people log in to.
pub const HOSTS: &[&str] = &["gate", "web-1", "web-2", "app-1", "db-1"];

/// Hosts that serve the site.
pub const WEB_HOSTS: &[&str] = &["web-1", "web-2"];

/// Desks with the endpoint agent.
pub const DESKS: &[&str] = &["desk-07", "desk-11", "desk-14", "desk-19", "desk-23", "desk-28"];

/// Address of a host inside.
pub fn address_of(host: &str) -> Ipv4Addr {
    match host {
        "gate" => Ipv4Addr::new(10, 20, 0, 1),
        "web-1" => Ipv4Addr::new(10, 20, 1, 11),
        "web-2" => Ipv4Addr::new(10, 20, 1, 12),
        "app-1" => Ipv4Addr::new(10, 20, 1, 21),
        _ => Ipv4Addr::new(10, 20, 1, 31),
    }
}

/// What browsers call themselves.
pub const BROWSERS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
];

/// What search engines call themselves.
pub const BOTS: &[&str] = &[
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; DuckDuckBot/1.1; +https://duckduckgo.com/duckduckbot.html)",
];

/// The site as links name it.
pub const SITE: &str = "https://shop.example";

/// What the shop sells, as paths name it.
pub const PRODUCTS: &[&str] = &[
    "canvas-tent",
    "wool-blanket",
    "camping-stove",
    "rain-jacket",
    "trail-map-north",
    "head-lamp",
    "steel-bottle",
    "climbing-rope-40m",
    "union-jack-mug",
    "selected-tea-box",
];

/// What people search for.
pub const SEARCHES: &[&str] = &[
    "tent",
    "rain+jacket",
    "where+to+buy+rope",
    "union+jack+mug",
    "select+a+size",
    "gloves+%26+hats",
    "gr%C3%B6%C3%9Fe+42",
    "stove+for+2+or+3",
    "gift+order+by+friday",
];
