//! Stored events → one Parquet file, packed with zstd: for DuckDB, Spark, pandas and others. Its
//! columns are those of the archive; see [`tocsin_store::RowWriter`]. Oldest first.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering;

use tocsin_store::{EventStore, RowWriter, Rows, ScanRequest};

use crate::backtest::Watch;

/// Writes every event that matches to the new file `target`; how many.
///
/// # Errors
/// When the store cannot be read or the file cannot be written.
pub fn export(
    store: &dyn EventStore,
    request: &ScanRequest,
    target: &Path,
    watch: &Watch,
) -> Result<u64, String> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", target.display());
    let fields = store.fields().map_err(|error| error.to_string())?;
    let known = |name: &str| fields.iter().any(|field| field.name == name);
    let file = File::options().write(true).create_new(true).open(target);
    let file = file.map_err(|error| named(&error))?;
    let writer = RowWriter::new(file, &known, Rows::Readable);
    let mut writer = writer.map_err(|error| named(&error))?;
    let mut failed = None;
    let scanned = store.scan(request, &mut |scanned| {
        if let Err(error) = scanned.events.iter().try_for_each(|event| writer.add(event)) {
            failed = Some(error);
            return ControlFlow::Break(());
        }
        watch.done.store(scanned.done, Ordering::Relaxed);
        watch.total.store(scanned.total, Ordering::Relaxed);
        match watch.cancel.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    scanned.map_err(|error| error.to_string())?;
    if let Some(error) = failed {
        return Err(named(&error));
    }
    writer.finish().map_err(|error| named(&error))
}
