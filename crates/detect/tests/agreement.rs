//! The engine and the plain evaluators agree: on random rules and events, several rules at once, so
//! that they share automata and nodes, and several events in a row, so that they share buffers; on
//! random correlations and streams, in whatever order events arrive within the lateness bound, and
//! with a restart in between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use common::{compare, generate, generate_streams};
use proptest::prelude::*;

proptest! {
    #![proptest_config(common::cases(256))]

    #[test]
    fn detections_agree(
        detections in prop::collection::vec(generate::detection(), 1..9),
        events in prop::collection::vec(generate::event(), 1..9),
    ) {
        compare::detections(&detections, &events)?;
    }

    #[test]
    fn correlations_agree(
        text in generate_streams::side_by_side(),
        plans in generate_streams::plans(),
        restart in 0..50_usize,
    ) {
        compare::streams(&text, &plans, restart)?;
    }

    #[test]
    fn chains_agree(
        text in generate_streams::chain(),
        plans in generate_streams::plans(),
        restart in 0..50_usize,
    ) {
        compare::streams(&text, &plans, restart)?;
    }
}
