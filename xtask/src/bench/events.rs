//! Structured events that speed is measured on: what Sysmon writes on ordinary Windows machines.
//! The same seed gives the same bytes.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::lines::Random;

/// Goes up when the events change, so that old files are not taken for new ones.
const VERSION: u32 = 1;
const SEED: u64 = 0x51D1_4A11;
/// One event in so many is an attack.
const ATTACK_EVERY: u64 = 1000;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A process was started: 18 fields, about 750 bytes.
    Process,
    /// A file was written: 12 fields, about 450 bytes.
    File,
}

impl Kind {
    /// What the figures call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "sysmon process",
            Self::File => "sysmon file",
        }
    }
}

/// Program, parent, arguments of ordinary processes; `#` is a number.
const ORDINARY: &[(&str, &str, &str)] = &[
    (
        r"C:\Windows\System32\svchost.exe",
        r"C:\Windows\System32\services.exe",
        "-k netsvcs -p -s Task#",
    ),
    (
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
        "--type=renderer --lang=de --renderer-client-id=# --launch-time-ticks=1795241",
    ),
    (
        r"C:\Program Files\Microsoft Office\root\Office16\WINWORD.EXE",
        r"C:\Windows\explorer.exe",
        r"/n C:\Users\anna\Documents\Letter#.docx",
    ),
    (
        r"C:\Windows\System32\SearchProtocolHost.exe",
        r"C:\Windows\System32\SearchIndexer.exe",
        "Global_UsGthrFltPipeMssGthrPipe#_ 1 -2147483646 Software",
    ),
    (r"C:\Windows\System32\taskhostw.exe", r"C:\Windows\System32\svchost.exe", "Install #"),
    (r"C:\Windows\System32\conhost.exe", r"C:\Windows\System32\git.exe", "0xffffffff -ForceV1 #"),
];
/// The same of attacks.
const ATTACKS: &[(&str, &str, &str)] = &[
    (r"C:\Windows\System32\whoami.exe", r"C:\Windows\System32\cmd.exe", "/priv #"),
    (
        r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe",
        r"C:\Program Files\Microsoft Office\root\Office16\WINWORD.EXE",
        "-nop -w hidden -enc SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQA#",
    ),
    (
        r"C:\Windows\System32\vssadmin.exe",
        r"C:\Windows\System32\cmd.exe",
        "delete shadows /all /quiet #",
    ),
];

/// Writes the file unless it is there; its path.
///
/// # Errors
/// When it cannot be written.
pub fn write(dir: &Path, kind: Kind, events: u64) -> Result<PathBuf> {
    let name = kind.name().replace(' ', "-");
    let path = dir.join(format!("{name}-{events}-v{VERSION}.ndjson"));
    if path.is_file() {
        return Ok(path);
    }
    let part = dir.join("events.part");
    let file =
        std::fs::File::create(&part).with_context(|| format!("cannot write {}", part.display()))?;
    let mut out = BufWriter::new(file);
    let mut random = Random(SEED);
    for number in 0..events {
        match kind {
            Kind::Process => process(&mut out, number, &mut random)?,
            Kind::File => written(&mut out, number, &mut random)?,
        }
    }
    out.flush()?;
    std::fs::rename(&part, &path)?;
    Ok(path)
}

/// What both kinds start with.
fn head(out: &mut impl Write, id: u32, number: u64, random: &mut Random) -> Result<()> {
    let second = number / 500;
    write!(
        out,
        r#"{{"EventID":{id},"Channel":"Microsoft-Windows-Sysmon/Operational","Provider_Name":"Microsoft-Windows-Sysmon","Computer":"ws{:03}.corp.example","UtcTime":"2026-11-02 {:02}:{:02}:{:02}.{:03}","ProcessGuid":"{{{:08X}-0C4E-6723-{:04X}-000000001A00}}","ProcessId":{},"User":"CORP\\user{}""#,
        random.below(500),
        second / 3600 % 24,
        second / 60 % 60,
        second % 60,
        random.below(1000),
        random.below(1 << 32),
        random.below(1 << 16),
        random.below(65_536),
        random.below(200),
    )?;
    Ok(())
}

/// Program, parent and arguments of a process that was started.
pub fn started(number: u64, random: &mut Random) -> (&'static str, &'static str, String) {
    let from = if number % ATTACK_EVERY == ATTACK_EVERY - 1 { ATTACKS } else { ORDINARY };
    let (image, parent, arguments) = from[random.below(from.len() as u64) as usize];
    (image, parent, arguments.replace('#', &random.below(1_000_000).to_string()))
}

fn process(out: &mut impl Write, number: u64, random: &mut Random) -> Result<()> {
    head(out, 1, number, random)?;
    let (image, parent, arguments) = started(number, random);
    let file = image.rsplit('\\').next().unwrap_or(image);
    let json = |text: &str| serde_json::Value::from(text).to_string();
    write!(
        out,
        r#","Image":{},"OriginalFileName":{},"Company":"Microsoft Corporation","CommandLine":{},"CurrentDirectory":"C:\\Windows\\system32\\","IntegrityLevel":"Medium","Hashes":"SHA256={:016X}{:016X}{:016X}{:016X}","ParentProcessId":{},"ParentImage":{},"ParentCommandLine":{}"#,
        json(image),
        json(file),
        json(&format!("\"{image}\" {arguments}")),
        random.below(u64::MAX),
        random.below(u64::MAX),
        random.below(u64::MAX),
        random.below(u64::MAX),
        random.below(65_536),
        json(parent),
        json(&format!("\"{parent}\"")),
    )?;
    writeln!(out, "}}")?;
    Ok(())
}

fn written(out: &mut impl Write, number: u64, random: &mut Random) -> Result<()> {
    head(out, 11, number, random)?;
    let (image, ..) = ORDINARY[random.below(ORDINARY.len() as u64) as usize];
    let json = |text: &str| serde_json::Value::from(text).to_string();
    let user = random.below(200);
    let name = match number % ATTACK_EVERY == ATTACK_EVERY - 1 {
        true => format!(
            r"C:\Users\user{user}\AppData\Roaming\Microsoft\Windows\Start Menu\Programs\Startup\a{number}.vbs"
        ),
        false => {
            format!(r"C:\Users\user{user}\AppData\Local\Temp\~DF{:08X}.tmp", random.below(1 << 32))
        }
    };
    write!(
        out,
        r#","Image":{},"TargetFilename":{},"CreationUtcTime":"2026-11-02 06:00:00.000","RuleName":"-""#,
        json(image),
        json(&name)
    )?;
    writeln!(out, "}}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_json_with_its_fields() {
        let mut random = Random(SEED);
        for number in 0..3000 {
            let mut out = Vec::new();
            process(&mut out, number, &mut random).unwrap();
            let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(value.as_object().unwrap().len(), 18);
            let mut out = Vec::new();
            written(&mut out, number, &mut random).unwrap();
            let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(value.as_object().unwrap().len(), 12);
        }
    }
}
