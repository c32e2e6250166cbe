//! What Slack and Teams are sent, judged by their makers' own libraries: Slack's for Python,
//! Microsoft's for Adaptive Cards.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};
use tocsin_model::{Notice, NoticeKind, Severity};
use tocsin_notify::Services;
use tocsin_notify::view::{AlertView, Message};

use crate::payloads::{hostile, made_of};
use crate::support::alert;

/// Both print what is wrong with each body, a JSON text a line; nothing when all is well.
const SLACK: &str = "import json, sys\n\
    from slack_sdk.models.blocks import Block\n\
    for line in sys.stdin:\n\
    \x20   body = json.loads(line)\n\
    \x20   try:\n\
    \x20       blocks = Block.parse_all(body['blocks'])\n\
    \x20       if len(body['blocks']) > 50: raise ValueError('more than 50 blocks')\n\
    \x20       if [block.to_dict() for block in blocks] != body['blocks']:\n\
    \x20           raise ValueError('it understands something else')\n\
    \x20   except Exception as error:\n\
    \x20       print(error, line[:300])\n";
const CARDS: &str = "const cards = require(process.argv[1]);\n\
    const lines = require('fs').readFileSync(0, 'utf8').split('\\n').filter(line => line);\n\
    for (const line of lines) {\n\
    const context = new cards.SerializationContext(cards.Versions.v1_4);\n\
    const card = new cards.AdaptiveCard();\n\
    card.parse(JSON.parse(line).attachments[0].content, context);\n\
    for (let at = 0; at < context.eventCount; at++) console.log(context.getEventAt(at).message);\n\
    for (const event of card.validateProperties().validationEvents) console.log(event.message);\n\
    }\n";

/// What a program prints of the bodies; `None`, with a notice, where it cannot even be asked.
fn judged(mut judge: Command, bodies: &[Json], what: &str) -> Option<String> {
    let pipes = judge.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let out = pipes.spawn().ok().map(|mut child| {
        let lines: String = bodies.iter().map(|body| format!("{body}\n")).collect();
        // One that has no library reads nothing.
        let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
        child.wait_with_output().unwrap()
    });
    let error = out.as_ref().map(|out| String::from_utf8_lossy(&out.stderr).into_owned());
    match out {
        Some(out) if out.status.success() => Some(String::from_utf8(out.stdout).unwrap()),
        Some(_) if !error.as_ref().is_some_and(|error| is_absent(error)) => {
            panic!("{}", error.unwrap_or_default())
        }
        _ => {
            // Past the harness, which keeps what a passing test prints to itself.
            let why = format!("skipped: no {what} (cargo xtask test installs it)");
            let _ = writeln!(std::io::stdout(), "{why}");
            None
        }
    }
}

fn is_absent(error: &str) -> bool {
    error.contains("No module named") || error.contains("Cannot find module")
}

/// What a service is sent of an ordinary alert and of hostile ones, with a link and without.
fn bodies(service: &str) -> Vec<Json> {
    let services = Services::shipped();
    let mut alerts = vec![alert(1, Severity::Low)];
    alerts.extend(hostile().iter().zip(2..).map(|(text, number)| made_of(text, number)));
    let pages = [Some("https://tocsin.example"), None].into_iter().cycle();
    let body = |(alert, page)| {
        let notice = Notice { channel: "ops".to_owned(), kind: NoticeKind::Raised, alert };
        let message = Message::Alert(Box::new(AlertView::new(&notice, page)));
        services.payload(service, &message).unwrap()
    };
    alerts.into_iter().zip(pages).map(body).collect()
}

#[test]
fn slacks_own_library_finds_nothing_wrong() {
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients/bin/python3");
    let judge = || {
        let mut command = Command::new(&python);
        command.args(["-c", SLACK]);
        command
    };
    let Some(wrong) = judged(judge(), &bodies("slack"), "slack_sdk") else { return };
    assert_eq!(wrong, "");
    let text = json!({"type": "plain_text", "text": "a".repeat(151)});
    let broken = json!({"blocks": [{"type": "header", "text": text}]});
    let wrong = judged(judge(), &[broken], "slack_sdk").unwrap();
    assert!(wrong.contains("150 characters"), "{wrong}");
}

#[test]
fn microsofts_own_library_of_cards_finds_nothing_wrong() {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .with_file_name("counterparts/cards/node_modules/adaptivecards/dist/adaptivecards.js");
    let judge = || {
        let mut command = Command::new("node");
        command.args(["-e", CARDS]).arg(&home);
        command
    };
    let Some(wrong) = judged(judge(), &bodies("teams"), "adaptivecards") else { return };
    assert_eq!(wrong, "");
    let body = json!([{"type": "RichTextBlok"}]);
    let card = json!({"type": "AdaptiveCard", "version": "1.4", "body": body});
    let broken = json!({"attachments": [{"content": card}]});
    let wrong = judged(judge(), &[broken], "adaptivecards").unwrap();
    assert!(wrong.contains("Unknown element type"), "{wrong}");
}
