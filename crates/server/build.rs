//! Tells cargo to build again when the page was built, and whether it is there at all.

use std::path::Path;

const DIST: &str = "../../ui/dist";

fn main() {
    // Cargo takes a watched path that is missing for changed and would compile this crate again
    // every time; an empty directory stops that. Where it cannot be made nothing is lost.
    let _ = std::fs::create_dir_all(DIST);
    println!("cargo::rerun-if-changed={DIST}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=REQUIRE_UI");
    if Path::new(DIST).join("index.html").is_file() {
        return;
    }
    let missing = "the page is not built: run `npm ci && npm run build` in ui/";
    if std::env::var("REQUIRE_UI").is_ok_and(|value| value == "1") {
        println!("cargo::error=REQUIRE_UI=1, but {missing}");
    } else {
        println!("cargo::warning={missing}");
    }
}
