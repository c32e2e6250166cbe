//! How often baselines are right: labelled hours of five kinds of hosts, with planted anomalies.

#[path = "support/labelled.rs"]
mod labelled;

#[test]
fn planted_anomalies_are_found_and_ordinary_hours_are_quiet() {
    let outcome = labelled::run(10, 35, 400.0, 7);
    assert!(outcome.planted > 10, "{outcome:?}");
    assert!(outcome.found * 100 >= outcome.planted * 90, "{outcome:?}");
    assert!(outcome.per_host_week() < 0.1, "{outcome:?}");
}
