//! Makes small MMDB files of networks and JSON records, for tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use serde_json::{Value as Json, json};

#[derive(Clone, Copy)]
enum To {
    Nothing,
    Node(usize),
    Data(usize),
}

/// An MMDB of version 4 networks; `kind` is its own word for what it holds.
pub fn mmdb(kind: &str, networks: &[(&str, Json)]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut nodes = vec![[To::Nothing; 2]];
    for (network, record) in networks {
        let (address, length) = network.split_once('/').unwrap();
        let address = u32::from(address.parse::<std::net::Ipv4Addr>().unwrap());
        let length: u32 = length.parse().unwrap();
        let place = data.len();
        put(&mut data, record);
        let mut node = 0;
        for depth in 0..length {
            let bit = (address >> (31 - depth) & 1) as usize;
            if depth + 1 == length {
                nodes[node][bit] = To::Data(place);
                break;
            }
            node = match nodes[node][bit] {
                To::Node(next) => next,
                _ => {
                    nodes.push([To::Nothing; 2]);
                    let next = nodes.len() - 1;
                    nodes[node][bit] = To::Node(next);
                    next
                }
            };
        }
    }
    let mut bytes = Vec::new();
    for to in nodes.iter().flatten() {
        let number = match to {
            To::Nothing => nodes.len(),
            To::Node(node) => *node,
            To::Data(place) => nodes.len() + 16 + place,
        };
        bytes.extend((number as u32).to_be_bytes());
    }
    bytes.extend([0; 16]);
    bytes.extend(data);
    bytes.extend(b"\xab\xcd\xefMaxMind.com");
    put(
        &mut bytes,
        &json!({
            "binary_format_major_version": 2,
            "binary_format_minor_version": 0,
            "build_epoch": 1_780_000_000_u64,
            "database_type": kind,
            "description": { "en": "of a test" },
            "ip_version": 4,
            "languages": ["en"],
            "node_count": nodes.len(),
            "record_size": 32,
        }),
    );
    bytes
}

fn put(out: &mut Vec<u8>, value: &Json) {
    put_as(out, value, 32);
}

fn put_as(out: &mut Vec<u8>, value: &Json, bits: u8) {
    let head = |out: &mut Vec<u8>, kind: u8, size: usize| {
        let (low, more) = if size < 29 { (size as u8, None) } else { (29, Some(size - 29)) };
        match kind {
            1..=7 => out.push(kind << 5 | low),
            _ => out.extend([low, kind - 7]),
        }
        out.extend(more.map(|more| u8::try_from(more).unwrap()));
    };
    match value {
        Json::String(text) => {
            head(out, 2, text.len());
            out.extend(text.bytes());
        }
        Json::Number(number) if number.is_f64() => {
            head(out, 3, 8);
            out.extend(number.as_f64().unwrap().to_be_bytes());
        }
        Json::Number(number) if bits == 16 => {
            head(out, 5, 2);
            out.extend((number.as_u64().unwrap() as u16).to_be_bytes());
        }
        Json::Number(number) if bits == 64 => {
            head(out, 9, 8);
            out.extend(number.as_u64().unwrap().to_be_bytes());
        }
        Json::Number(number) => {
            head(out, 6, 4);
            out.extend((number.as_u64().unwrap() as u32).to_be_bytes());
        }
        Json::Object(members) => {
            head(out, 7, members.len());
            for (name, value) in members {
                put(out, &json!(name));
                // The reader wants each number of the description in its own width.
                let bits = match name.as_str() {
                    "build_epoch" => 64,
                    "ip_version" | "record_size" => 16,
                    name if name.starts_with("binary_format") => 16,
                    _ => 32,
                };
                put_as(out, value, bits);
            }
        }
        Json::Array(items) => {
            head(out, 11, items.len());
            items.iter().for_each(|item| put(out, item));
        }
        other => panic!("{other} has no place in an MMDB"),
    }
}
