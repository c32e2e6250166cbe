//! When segments are merged: often while they are small, so that searches do not ask hundreds of
//! them, and rarely once they are large, because every merge writes all of it again.

use tantivy::SegmentMeta;
use tantivy::indexer::{MergeCandidate, MergePolicy};

/// Segments of fewer events than the first number are merged when there are so many of them as
/// the second says. Larger ones than the last are left alone. What a thread indexes between two
/// commits under load is above the first tier, and so is merged once.
const TIERS: [(u32, usize); 3] = [(5_000, 8), (200_000, 16), (2_000_000, 8)];
/// The most segments that are merged at once.
const MERGED_MAX: usize = 64;

/// Merges within tiers of sizes.
#[derive(Debug)]
pub(crate) struct Tiers;

impl MergePolicy for Tiers {
    fn compute_merge_candidates(&self, segments: &[SegmentMeta]) -> Vec<MergeCandidate> {
        let mut candidates = Vec::new();
        let mut least = 0;
        for (below, enough) in TIERS {
            let tier = least..below;
            let mut alike: Vec<&SegmentMeta> =
                segments.iter().filter(|segment| tier.contains(&segment.max_doc())).collect();
            if alike.len() >= enough {
                alike.sort_by_key(|segment| segment.max_doc());
                let ids = alike.iter().take(MERGED_MAX.min(alike.len())).map(|one| one.id());
                candidates.push(MergeCandidate(ids.collect()));
            }
            least = below;
        }
        candidates
    }
}
