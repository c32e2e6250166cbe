//! Answers about documents, in Elasticsearch's JSON.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Value as Json, json};
use tocsin_collect::wire::elastic::Item;

/// The answer to a bulk request.
pub struct BulkAnswer<'a> {
    pub items: &'a [Item],
    /// Whether only statuses and errors are wanted (`filter_path`).
    pub brief: bool,
}

impl Serialize for BulkAnswer<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(3))?;
        map.serialize_entry("took", &0)?;
        map.serialize_entry("errors", &self.items.iter().any(|item| item.document.is_err()))?;
        map.serialize_entry("items", &Items(self))?;
        map.end()
    }
}

struct Items<'a>(&'a BulkAnswer<'a>);

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let BulkAnswer { items, brief } = self.0;
        let mut list = to.serialize_seq(Some(items.len()))?;
        for item in *items {
            let (status, full) = match *brief && item.document.is_ok() {
                true => (201, json!({"status": 201})),
                false => one(item),
            };
            let mut body = full;
            body["status"] = json!(status);
            list.serialize_element(&json!({ item.action: body }))?;
        }
        list.end()
    }
}

/// Status and body of what became of one document.
pub fn one(item: &Item) -> (u16, Json) {
    let index = if item.index.is_empty() { "tocsin" } else { &item.index };
    let mut body = json!({"_index": index});
    match &item.document {
        Ok(document) => {
            // An id that a client did not give is only for its log.
            let id = item.id.clone().unwrap_or_else(|| id_of(document));
            body["_id"] = json!(id);
            body["_version"] = json!(1);
            body["result"] = json!("created");
            body["_shards"] = json!({"total": 1, "successful": 1, "failed": 0});
            body["_seq_no"] = json!(0);
            body["_primary_term"] = json!(1);
            (201, body)
        }
        Err(refusal) => {
            body["_id"] = json!(item.id);
            body["error"] = json!({"type": refusal.kind, "reason": refusal.reason});
            (refusal.status, body)
        }
    }
}

/// Twenty characters made of the document.
fn id_of(document: &[u8]) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    document.hash(&mut hasher);
    format!("{:020x}", hasher.finish())
}
