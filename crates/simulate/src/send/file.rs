//! Lines into a file, into one file for each kind of log, or onto standard output. Writes are
//! short and nothing else runs beside them, so they block.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::{SendError, Taken};
use crate::traffic::{Format, Item};

/// Open files.
pub(super) struct Files {
    /// One for all kinds of log, or one for each of [`Format::ALL`].
    outs: Vec<(String, Out)>,
}

enum Out {
    File(File),
    Stdout(io::Stdout),
}

impl Files {
    /// Opens a file for adding to it, or the files of a directory (one that exists, or whose
    /// path ends with `/`).
    pub(super) fn open(path: &Path) -> Result<Self, SendError> {
        let fail = |target: &Path| {
            let target = target.display().to_string();
            move |cause| SendError::Write { target, cause }
        };
        let is_dir = path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/");
        let paths = if is_dir {
            std::fs::create_dir_all(path).map_err(fail(path))?;
            Format::ALL.iter().map(|format| path.join(format.file_name())).collect()
        } else {
            vec![path.to_owned()]
        };
        let mut outs = Vec::new();
        for path in paths {
            let file = OpenOptions::new().create(true).append(true).open(&path);
            outs.push((path.display().to_string(), Out::File(file.map_err(fail(&path))?)));
        }
        Ok(Self { outs })
    }

    pub(super) fn stdout() -> Self {
        Self { outs: vec![("standard output".to_owned(), Out::Stdout(io::stdout()))] }
    }

    /// Writes whole lines only.
    pub(super) fn write(&mut self, batch: &[Item]) -> Result<Taken, SendError> {
        let single = self.outs.len() == 1;
        for ((target, out), format) in self.outs.iter_mut().zip(Format::ALL) {
            let mut text = String::new();
            for item in batch.iter().filter(|item| single || item.format() == format) {
                text.push_str(&item.line());
                text.push('\n');
            }
            let written = match out {
                Out::File(file) => file.write_all(text.as_bytes()),
                Out::Stdout(stdout) => {
                    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
                }
            };
            written.map_err(|cause| SendError::Write { target: target.clone(), cause })?;
        }
        Ok(Taken { sent: batch.len() as u64, refused: 0 })
    }
}
