//! Visitors of the shop: what the web servers log, and what the shop itself tells.

use std::net::Ipv4Addr;

use serde_json::json;

use super::Plan;
use crate::traffic::item::{Draft, Request};
use crate::traffic::place::{BOTS, BROWSERS, PRODUCTS, SEARCHES, SITE, WEB_HOSTS};
use crate::traffic::random::Random;

/// Parts of every page.
const PARTS: &[&str] = &[
    "/assets/app.css",
    "/assets/app.js",
    "/assets/logo.svg",
    "/assets/fonts/text.woff2",
    "/assets/img/header.webp",
];

/// A browser that looks around.
struct Visitor {
    source: Ipv4Addr,
    host: &'static str,
    agent: &'static str,
}

impl Visitor {
    fn asks(
        &self,
        (method, target): (&'static str, String),
        (status, bytes): (u16, u32),
        from: &str,
    ) -> Draft {
        let referrer = if from.is_empty() { String::new() } else { format!("{SITE}{from}") };
        let (source, agent) = (self.source, self.agent);
        let request =
            Request { source, user: None, method, target, status, bytes, referrer, agent };
        Draft::web(self.host, request)
    }
}

pub(super) fn visit(plan: &mut Plan, random: &mut Random) {
    let visitor = Visitor {
        source: random.visitor(),
        host: random.pick(WEB_HOSTS),
        agent: random.pick(BROWSERS),
    };
    let (mut at, mut from) = (0, String::new());
    for page in 0..random.between(1, 5) {
        let target = page_path(random);
        let size = random.between(4_000, 38_000);
        plan.at(at, visitor.asks(("GET", target.clone()), (200, size), &from));
        let parts = if page == 0 { random.between(2, 5) } else { random.between(0, 1) };
        for (nth, part) in (1..=parts).zip(PARTS) {
            let answer = if random.percent(30) { (304, 0) } else { (200, 18_000 + nth * 713) };
            plan.at(at + 60 + nth * 25, visitor.asks(("GET", (*part).to_owned()), answer, &target));
        }
        from = target;
        at += random.between(3_000, 25_000);
    }
    if random.percent(6) {
        plan.at(200, visitor.asks(("GET", "/apple-touch-icon.png".to_owned()), (404, 146), ""));
    }
    if random.percent(15) {
        log_in(plan, random, &visitor, at);
    }
}

/// One typo now and then; everybody gets in at the second try.
fn log_in(plan: &mut Plan, random: &mut Random, visitor: &Visitor, mut at: u32) {
    plan.at(at, visitor.asks(("GET", "/login".to_owned()), (200, 3_122), "/"));
    at += random.between(4_000, 12_000);
    if random.percent(12) {
        plan.at(at, visitor.asks(("POST", "/login".to_owned()), (401, 3_188), "/login"));
        at += random.between(5_000, 12_000);
    }
    plan.at(at, visitor.asks(("POST", "/login".to_owned()), (302, 0), "/login"));
    plan.at(at + 90, visitor.asks(("GET", "/account".to_owned()), (200, 9_410), "/login"));
}

fn page_path(random: &mut Random) -> String {
    match random.between(0, 9) {
        0..=2 => "/".to_owned(),
        3 => format!("/products?page={}", random.between(1, 12)),
        4..=6 => format!("/products/{}", random.pick(PRODUCTS)),
        7 => format!("/search?q={}", random.pick(SEARCHES)),
        8 => "/cart".to_owned(),
        _ => format!("/journal/{}-{}", random.pick(PRODUCTS), random.between(2019, 2026)),
    }
}

pub(super) fn search_engine(plan: &mut Plan, random: &mut Random) {
    let visitor = Visitor {
        source: random.visitor(),
        host: random.pick(WEB_HOSTS),
        agent: random.pick(BOTS),
    };
    plan.at(0, visitor.asks(("GET", "/robots.txt".to_owned()), (200, 118), ""));
    for nth in 1..=random.between(1, 4) {
        let target = page_path(random);
        let size = random.between(4_000, 38_000);
        plan.at(nth * 4_000, visitor.asks(("GET", target), (200, size), ""));
    }
}

/// Somebody buys something; the shop tells each step.
pub(super) fn order(plan: &mut Plan, random: &mut Random) {
    let customer = format!("c{}", random.between(10_000, 99_999));
    let source = random.visitor().to_string();
    let mut at = 0;
    let tell = |plan: &mut Plan, at, level: &str, event: &str, message: String| {
        let keys = vec![
            ("level", json!(level)),
            ("event_type", json!(event)),
            ("user", json!(customer)),
            ("src_ip", json!(source)),
            ("message", json!(message)),
        ];
        plan.at(at, Draft::json("app-1", "shop", keys));
    };
    if random.percent(8) {
        tell(plan, at, "warning", "login_failed", format!("{customer} gave a wrong password"));
        at += random.between(3_000, 9_000);
    }
    tell(plan, at, "info", "login_success", format!("{customer} logged in"));
    at += random.between(2_000, 20_000);
    let product = random.pick(PRODUCTS);
    tell(plan, at, "info", "cart_updated", format!("{product} put into the cart of {customer}"));
    if random.percent(40) {
        at += random.between(8_000, 40_000);
        let number = random.between(100_000, 999_999);
        let cents = random.between(900, 24_000);
        let price = format!("{}.{:02}", cents / 100, cents % 100);
        tell(plan, at, "info", "order_placed", format!("order {number} over {price} EUR placed"));
        at += random.between(400, 2_000);
        tell(
            plan,
            at,
            "info",
            "payment_authorised",
            format!("payment of order {number} authorised"),
        );
    }
}
