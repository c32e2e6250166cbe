//! The embedded backend does what every backend must.

use tocsin_store::{Embedded, EventStore, Options, conformance};

#[test]
fn embedded_conforms() {
    let mut dirs = Vec::new();
    let done = conformance::run(&mut || {
        let dir = tempfile::tempdir().unwrap();
        let store = Embedded::open(dir.path(), Options::default()).unwrap();
        dirs.push(dir);
        Box::new(store) as Box<dyn EventStore>
    });
    if let Err(errors) = done {
        panic!("{} failed:\n{}", errors.len(), errors.join("\n"));
    }
}
