//! Places within a JSON record. Refuses objects and lists where one value should be.

use heatmark_records::forms::json::Json;

use super::Source;
use crate::Wrong;

/// Most nodes that one path finds.
const MAX_FOUND: usize = 100_000;

/// An item of a record; a name that begins with a slash is looked up in the record.
pub(super) struct Node<'a> {
    pub(super) record: &'a Json,
    pub(super) item: &'a Json,
    pub(super) at: String,
}

impl Source for Node<'_> {
    fn cell(&self, name: &str) -> Result<Option<String>, Wrong> {
        let found = match name.strip_prefix('/') {
            Some(name) => at(self.record, name),
            None => at(self.item, name),
        };
        match found {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Text(text) | Json::Number(text)) => Ok(Some(text.clone())),
            Some(Json::Boolean(value)) => Ok(Some(value.to_string())),
            Some(Json::List(_) | Json::Object(_)) => Err(Wrong::NotSingle),
        }
    }

    fn place(&self, name: &str) -> String {
        let name = name.strip_prefix('/').unwrap_or(name);
        match (self.at.is_empty(), name.is_empty()) {
            (true, _) => name.to_owned(),
            (false, true) => self.at.clone(),
            (false, false) => format!("{}/{name}", self.at),
        }
    }
}

/// Every node at a path, with its place; `*` stands for every item of a list.
pub(super) fn find<'a>(root: &'a Json, path: &str) -> Vec<(String, &'a Json)> {
    let mut found = vec![(String::new(), root)];
    for step in path.split('/').filter(|step| !step.is_empty()) {
        let mut below = Vec::new();
        for (place, node) in found {
            let join = |name: &str| {
                if place.is_empty() { name.to_owned() } else { format!("{place}/{name}") }
            };
            if step == "*" {
                let items = node.items().iter().enumerate();
                below.extend(items.map(|(index, item)| (join(&index.to_string()), item)));
            } else if let Some(next) = child(node, step) {
                below.push((join(step), next));
            }
            if below.len() > MAX_FOUND {
                return below;
            }
        }
        found = below;
    }
    found
}

fn at<'a>(node: &'a Json, path: &str) -> Option<&'a Json> {
    path.split('/').filter(|step| !step.is_empty()).try_fold(node, child)
}

fn child<'a>(node: &'a Json, step: &str) -> Option<&'a Json> {
    match node {
        Json::List(items) => items.get(step.parse::<usize>().ok()?),
        _ => node.get(&step.replace("~1", "/").replace("~0", "~")),
    }
}
