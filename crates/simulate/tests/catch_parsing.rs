//! The receivers' state machines: conversations as tables, and any chunking of any bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

use proptest::prelude::*;
use tocsin_simulate::catch::http::{HttpDecoder, HttpStep};
use tocsin_simulate::catch::mime::ReadMail;
use tocsin_simulate::catch::smtp::{SmtpRules, SmtpSession, SmtpStep};

fn smtp(rules: SmtpRules, chunks: &[&[u8]]) -> Vec<SmtpStep> {
    let mut session = SmtpSession::new(rules, false);
    chunks.iter().flat_map(|chunk| session.feed(chunk)).collect()
}

fn codes(steps: &[SmtpStep]) -> String {
    let words = steps.iter().map(|step| match step {
        SmtpStep::Reply(text) => text[..3].to_owned(),
        SmtpStep::Mail(mail) => format!("mail:{}", mail.to.join(",")),
        SmtpStep::StartTls => "tls".to_owned(),
        SmtpStep::Close => "close".to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn smtp_conversations() {
    let long = format!("{}\r\nNOOP\r\n", "x".repeat(9000));
    let table: [(&str, &str, &str); 8] = [
        (
            "plain",
            "EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n\
          x\r\n.\r\nQUIT\r\n",
            "250 250 250 250 354 mail:c@d,e@f 221 close",
        ),
        (
            "lower case and LF",
            "helo a\nmail from: <a@b> BODY=8BITMIME\nrcpt to:<c@d>\n",
            "250 250 250",
        ),
        ("bounce sender", "EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<c@d>\r\n", "250 250 250"),
        (
            "out of order",
            "MAIL FROM:<a@b>\r\nEHLO a\r\nRCPT TO:<c@d>\r\nDATA\r\n",
            "503 250 503 503",
        ),
        (
            "reset",
            "EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRSET\r\nDATA\r\n",
            "250 250 250 250 503",
        ),
        (
            "syntax",
            "EHLO a\r\nMAIL FROM:a@b\r\nMAIL FROM:<a@b>\r\nRCPT TO:<>\r\nWHAT\r\n\r\n",
            "250 501 250 501 500 500",
        ),
        ("too long", &long, "500 250"),
        ("starttls not offered", "EHLO a\r\nSTARTTLS\r\n", "250 500"),
    ];
    for (name, input, want) in table {
        let steps = smtp(SmtpRules::default(), &[input.as_bytes()]);
        assert_eq!(codes(&steps), want, "{name}");
    }
}

#[test]
fn smtp_conversations_under_rules() {
    let login = SmtpRules { login: Some(("u".into(), "p".into())), ..SmtpRules::default() };
    let small = SmtpRules { mail_bytes_max: 20, ..SmtpRules::default() };
    let busy = SmtpRules { mail_code: 451, ..SmtpRules::default() };
    let tls = SmtpRules { starttls: true, ..SmtpRules::default() };
    let table: [(&str, SmtpRules, &str, &str); 8] = [
        ("too big as told", small.clone(), "EHLO a\r\nMAIL FROM:<a@b> SIZE=21\r\n", "250 552"),
        (
            "too big in fact",
            small,
            "EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n\
          0123456789\r\n0123456789\r\n.\r\nNOOP\r\n",
            "250 250 250 354 552 250",
        ),
        (
            "refused as asked",
            busy,
            "EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\n",
            "250 250 250 354 451",
        ),
        (
            "login wanted",
            login.clone(),
            "EHLO a\r\nMAIL FROM:<a@b>\r\nAUTH PLAIN AHUAcA==\r\n\
          MAIL FROM:<a@b>\r\n",
            "250 530 235 250",
        ),
        (
            "login plain in two",
            login.clone(),
            "EHLO a\r\nAUTH PLAIN\r\nAHUAcA==\r\n",
            "250 334 235",
        ),
        (
            "login login",
            login.clone(),
            "EHLO a\r\nAUTH LOGIN\r\ndQ==\r\ncA==\r\n",
            "250 334 334 235",
        ),
        (
            "login wrong",
            login,
            "EHLO a\r\nAUTH PLAIN AHUAcQ==\r\nAUTH LOGIN\r\n*\r\nAUTH X\r\n",
            "250 535 334 501 504",
        ),
        (
            "starttls drops what is pipelined",
            tls,
            "EHLO a\r\nSTARTTLS\r\nMAIL FROM:<a@b>\r\n",
            "250 220 tls",
        ),
    ];
    for (name, rules, input, want) in table {
        let steps = smtp(rules, &[input.as_bytes()]);
        assert_eq!(codes(&steps), want, "{name}");
    }
}

const ENVELOPE: &str = "EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n";

/// As a client sends it: dots stuffed, then the end marker.
fn stuffed(body: &[u8]) -> Vec<u8> {
    let mut wire = ENVELOPE.as_bytes().to_vec();
    let mut at_line_start = true;
    for (at, &byte) in body.iter().enumerate() {
        if at_line_start && byte == b'.' {
            wire.push(b'.');
        }
        wire.push(byte);
        at_line_start = at > 0 && body[at - 1] == b'\r' && byte == b'\n';
    }
    wire.extend_from_slice(if at_line_start { b".\r\n" } else { b"\r\n.\r\n" });
    wire
}

fn chunks<'b>(bytes: &'b [u8], cuts: &[usize]) -> Vec<&'b [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

fn http(wire: &[u8], cuts: &[usize]) -> Vec<HttpStep> {
    let mut decoder = HttpDecoder::new(100_000);
    chunks(wire, cuts).iter().flat_map(|chunk| decoder.feed(chunk)).collect()
}

#[test]
fn http_requests() {
    let table = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / 0"),
        (
            "\r\nGET /a?b HTTP/1.0\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
            "GET /a?b 0 close, POST / 3",
        ),
        (
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n\
          abc",
            "continue, POST / 3 close",
        ),
        (
            "PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n\
          0\r\nTrailer: t\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "PUT /x 13, GET / 0",
        ),
        ("POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc", "400"),
        ("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", "400"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nabc", "400"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", "400"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", "400"),
        ("POST / HTTP/1.1\r\nContent-Length: 100001\r\n\r\n", "413"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n186a1\r\n", "413"),
        ("nonsense\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc", ""),
    ];
    for (wire, want) in table {
        let told = http(wire.as_bytes(), &[]).into_iter().map(|step| match step {
            HttpStep::Continue => "continue".to_owned(),
            HttpStep::Refuse(status, _) => status.to_string(),
            HttpStep::Request(request) => {
                let close = if request.close { " close" } else { "" };
                format!("{} {} {}{close}", request.method, request.path, request.body.len())
            }
        });
        assert_eq!(told.collect::<Vec<_>>().join(", "), want, "{wire:?}");
    }
    let endless = "GET / HTTP/1.1\r\nX: ".to_owned() + &"x".repeat(70_000);
    assert!(matches!(http(endless.as_bytes(), &[1000])[..], [HttpStep::Refuse(431, _)]));
}

proptest! {
    #[test]
    fn a_mail_arrives_byte_for_byte_however_it_is_cut(
        body in proptest::collection::vec(prop_oneof![Just(b'.'), Just(b'\r'), Just(b'\n'), any::<u8>()], 0..400),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let wire = stuffed(&body);
        let steps = smtp(SmtpRules::default(), &chunks(&wire, &cuts));
        let mail = steps.iter().find_map(|step| match step {
            SmtpStep::Mail(mail) => Some(mail.data.clone()),
            _ => None,
        });
        let mut want = body.clone();
        if !(want.is_empty() || want.ends_with(b"\r\n")) {
            want.extend_from_slice(b"\r\n");
        }
        prop_assert_eq!(mail, Some(want));
    }

    #[test]
    fn a_body_arrives_byte_for_byte_however_it_is_cut_and_chunked(
        body in proptest::collection::vec(any::<u8>(), 0..400),
        sizes in proptest::collection::vec(1usize..100, 0..8),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let mut chunked = b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        let mut rest = &body[..];
        for size in sizes {
            let (part, tail) = rest.split_at(size.min(rest.len()));
            if !part.is_empty() {
                chunked.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
                chunked.extend_from_slice(part);
                chunked.extend_from_slice(b"\r\n");
            }
            rest = tail;
        }
        if !rest.is_empty() {
            chunked.extend_from_slice(format!("{:X}\r\n", rest.len()).as_bytes());
            chunked.extend_from_slice(rest);
            chunked.extend_from_slice(b"\r\n");
        }
        chunked.extend_from_slice(b"0\r\n\r\n");
        let mut plain = format!("POST /x HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        plain.extend_from_slice(&body);
        for wire in [chunked, plain] {
            let steps = http(&wire, &cuts);
            let [HttpStep::Request(request)] = &steps[..] else { panic!("{steps:?}") };
            prop_assert_eq!(&request.body, &body);
        }
    }

    #[test]
    fn any_bytes_in_any_chunks_give_the_same_steps(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        prop_assert_eq!(http(&bytes, &[]), http(&bytes, &cuts));
        let whole = smtp(SmtpRules::default(), &[&bytes]);
        prop_assert_eq!(whole, smtp(SmtpRules::default(), &chunks(&bytes, &cuts)));
        ReadMail::read(&bytes);
    }

    #[test]
    fn near_protocol_text_never_panics(
        text in "((EHLO|MAIL FROM:|RCPT TO:|AUTH (PLAIN|LOGIN)|DATA|RSET|GET|POST|Content-Type: multipart/x; boundary=b|--b|=\\?utf-8\\?[qb]\\?|=[0-9A-F]?|\\.|<a@b>|é| |\r\n){1,4}){0,30}",
    ) {
        smtp(SmtpRules::default(), &[text.as_bytes()]);
        http(text.as_bytes(), &[]);
        ReadMail::read(text.as_bytes());
    }
}
