//! `tocsin sources`: what can be read, and what of some lines is not understood.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use serde_json::json;
use tocsin_model::{Event, Position, Record, Timestamp, field};
use tocsin_parse::{Parser, Shape, Shapes, SourceMeta};

use crate::common_args::{ConfigArgs, sources_of};
use crate::terminal::safe;

/// Arguments of `sources`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Read these files (`-`: standard input) and show which of their lines are not understood,
    /// by shape, the most frequent first.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    unparsed: Vec<PathBuf>,
    /// Print only those lines as they came, some of each shape, to try a source on.
    #[arg(long, requires = "unparsed")]
    lines: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Say more about this source (`openssh.sshd`) or those of this kind (`web`).
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read or output cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let content = sources_of(&loaded);
    let mut out = io::stdout().lock();
    if !args.unparsed.is_empty() {
        let shapes = not_understood(&content.parser, &args.unparsed)?;
        show_shapes(&args, &shapes, &mut out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = |source: &&SourceMeta| match &args.name {
        Some(name) => source.name == *name || source.hints.contains(name) || source.pack == *name,
        None => true,
    };
    let sources: Vec<&SourceMeta> = content.parser.sources().iter().filter(chosen).collect();
    if sources.is_empty() {
        eprintln!("tocsin: no such source; `tocsin sources` lists them");
        return Ok(ExitCode::from(2));
    }
    for source in sources {
        if args.json {
            let line = json!({
                "name": source.name, "about": source.about, "setup": source.setup,
                "hints": source.hints, "paths": source.paths,
            });
            writeln!(out, "{line}")?;
        } else if args.name.is_some() {
            writeln!(out, "{}\n  {}\n  switch on: {}", source.name, source.about, source.setup)?;
            writeln!(out, "  hints: {}", source.hints.join(", "))?;
            writeln!(out, "  usual files: {}\n", source.paths.join(", "))?;
        } else {
            writeln!(out, "{:<24} {}", source.name, source.about)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn not_understood(parser: &Parser, files: &[PathBuf]) -> anyhow::Result<Shapes> {
    let mut shapes = Shapes::default();
    let mut worker = parser.worker();
    let mut event = Event::default();
    let received = Timestamp::from_system(SystemTime::now());
    for (stream, path) in files.iter().enumerate() {
        let name =
            if path.as_os_str() == "-" { "stdin".into() } else { path.display().to_string() };
        let input: Arc<str> = name.as_str().into();
        let mut reader: Box<dyn BufRead> = if name == "stdin" {
            Box::new(io::stdin().lock())
        } else {
            let file = File::open(path)
                .map_err(|error| anyhow::anyhow!("cannot read {}: {error}", safe(&name)))?;
            Box::new(BufReader::new(file))
        };
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            if reader.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            while matches!(line.last(), Some(b'\n' | b'\r')) {
                line.pop();
            }
            if line.is_empty() {
                continue;
            }
            let record = Record {
                input: input.clone(),
                position: Position { stream: stream as u64, offset: number, next: number + 1 },
                received,
                bytes: Bytes::copy_from_slice(&line),
                hint: None,
                peer: None,
                path: Some(input.clone()),
            };
            worker.parse(&record, &mut event);
            if !worker.doubts().understood {
                let source = event.get_str(field::EVENT_DATASET).unwrap_or("unparsed");
                shapes.note(&input, source, event.original(), received);
            }
        }
    }
    Ok(shapes)
}

fn show_shapes(args: &Args, shapes: &Shapes, out: &mut impl Write) -> io::Result<()> {
    for Shape { input, source, shape, count, samples, .. } in shapes.list() {
        if args.lines {
            for line in samples {
                writeln!(out, "{line}")?;
            }
        } else if args.json {
            let line = json!({
                "input": input, "source": source, "shape": shape, "count": count,
                "samples": samples,
            });
            writeln!(out, "{line}")?;
        } else {
            writeln!(out, "{count:>8}  {source}  {}  {}", safe(&input), safe(&shape))?;
            for line in samples {
                writeln!(out, "          {}", safe(&line))?;
            }
        }
    }
    if shapes.forgotten() > 0 {
        eprintln!("tocsin: {} more lines of rare shapes", shapes.forgotten());
    }
    Ok(())
}
