//! How often baselines are right, on labelled data with planted anomalies: `cargo xtask bench
//! baselines`.

#[path = "../tests/support/labelled.rs"]
mod labelled;

fn main() {
    println!(
        "{:>6} {:>6} {:>9} {:>8} {:>7} {:>13} {:>26}",
        "hosts", "days", "hours", "planted", "found", "false alarms", "false alarms/host/week"
    );
    let mut all = labelled::Outcome::default();
    for seed in 1..=5 {
        let (hosts, days) = (50, 63);
        let one = labelled::run(hosts, days, 500.0, seed * 7919);
        println!(
            "{hosts:>6} {days:>6} {:>9} {:>8} {:>7} {:>13} {:>26.4}",
            one.hours,
            one.planted,
            one.found,
            one.false_alarms,
            one.per_host_week()
        );
        all.hours += one.hours;
        all.planted += one.planted;
        all.found += one.found;
        all.false_alarms += one.false_alarms;
        all.host_days += one.host_days;
        all.sample = one.sample;
    }
    println!(
        "found {:.1} % of {} planted anomalies; {} false alarms in {} hours: {:.4} for each host and week",
        all.found as f64 * 100.0 / all.planted as f64,
        all.planted,
        all.false_alarms,
        all.hours,
        all.per_host_week()
    );
    println!("for example: {}", all.sample);
}
