//! `tocsin parse`: lines → ECS JSON, one for one.

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use tocsin_model::json::JsonWriter;
use tocsin_model::{Event, Position, Record, Timestamp};

use crate::common_args::{ConfigArgs, sources_of};

/// Arguments of `parse`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Read every line as this source (`openssh.sshd`) or kind (`auth`, `web`, `json`, …).
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Say for each line which source matched and why.
    #[arg(long)]
    explain: bool,
}

/// Runs the command.
///
/// # Errors
/// When input cannot be read or output cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let content = sources_of(&loaded);
    if let Some(source) = &args.source
        && content.parser.source(source).is_none()
    {
        eprintln!("tocsin: --source {source:?} is no source; `tocsin check` lists them");
        return Ok(ExitCode::from(2));
    }
    let mut worker = content.parser.worker();
    let hint: Option<Arc<str>> = args.source.as_deref().map(Arc::from);
    let input: Arc<str> = "stdin".into();
    let received = Timestamp::from_system(SystemTime::now());
    let mut reader = BufReader::with_capacity(256 * 1024, io::stdin().lock());
    let mut out = BufWriter::with_capacity(256 * 1024, io::stdout().lock());
    let mut event = Event::default();
    let mut line = Vec::new();
    let (mut writer, mut text) = (JsonWriter::default(), Vec::new());
    for number in 1.. {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        while matches!(line.last(), Some(b'\n' | b'\r')) {
            line.pop();
        }
        let record = Record {
            input: input.clone(),
            position: Position { stream: 0, offset: number, next: number + 1 },
            received,
            bytes: Bytes::copy_from_slice(&line),
            hint: hint.clone(),
            peer: None,
            path: None,
        };
        if args.explain {
            let explained = worker.parse_explained(&record, &mut event);
            let mut value = event.to_json();
            if let Some(root) = value.as_object_mut() {
                let explained = serde_json::json!({
                    "frame": explained.frame,
                    "source": explained.source,
                    "why": explained.why,
                });
                tocsin_model::event::insert_nested(root, "tocsin.parse.explained", explained);
            }
            serde_json::to_writer(&mut out, &value)?;
        } else {
            worker.parse(&record, &mut event);
            text.clear();
            writer.write(&event, &mut text);
            out.write_all(&text)?;
        }
        out.write_all(b"\n")?;
        if reader.buffer().is_empty() {
            // Somebody may be waiting for the answer to this line.
            out.flush()?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
