//! Arguments that arrive value by value, each with its JSON path: written down as JSON text that only ever grows.

use serde::Deserialize;
use serde_json::{Map, Value};

/// One value, or a piece of a text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PartialArg {
    json_path: String,
    string_value: Option<String>,
    number_value: Option<serde_json::Number>,
    bool_value: Option<bool>,
    /// `NULL_VALUE`; that it is there is all that it says.
    null_value: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// The arguments of one call.
#[derive(Default)]
pub(super) struct PartialArgs {
    text: String,
    /// The path of the last value; the containers on it are open in the text.
    open: Vec<Step>,
    in_string: bool,
    /// The whole value, for arguments that did not come in the order of their text.
    tree: Value,
    out_of_order: bool,
}

impl PartialArgs {
    /// Takes a value; returns what it adds to the text.
    pub(super) fn add(&mut self, arg: PartialArg) -> String {
        let Some(path) = parse_path(&arg.json_path).filter(|path| !path.is_empty()) else {
            return String::new();
        };
        let before = self.text.len();
        match arg.string_value {
            Some(piece) => {
                let continues = self.in_string && self.open == path;
                if !continues {
                    self.go_to(&path);
                    self.text.push('"');
                    self.in_string = true;
                }
                let quoted = Value::String(piece.clone()).to_string();
                self.text.push_str(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default());
                match slot(&mut self.tree, &path) {
                    Some(Value::String(text)) if continues => text.push_str(&piece),
                    Some(place) => *place = Value::String(piece),
                    None => self.out_of_order = true,
                }
            }
            None => {
                let value = match (arg.number_value, arg.bool_value, arg.null_value) {
                    (Some(number), ..) => Value::Number(number),
                    (_, Some(value), _) => Value::Bool(value),
                    (_, _, Some(_)) => Value::Null,
                    _ => return String::new(),
                };
                self.go_to(&path);
                self.text.push_str(&value.to_string());
                match slot(&mut self.tree, &path) {
                    Some(place) => *place = value,
                    None => self.out_of_order = true,
                }
            }
        }
        self.added_since(before)
    }

    /// Ends the text; returns what that adds to it, and the whole.
    pub(super) fn finish(mut self) -> (String, String) {
        let before = self.text.len();
        self.close_down_to(0);
        if self.text.is_empty() {
            return (String::new(), "{}".to_owned());
        }
        let added = self.added_since(before);
        if self.out_of_order { (added, self.tree.to_string()) } else { (added, self.text) }
    }

    fn added_since(&self, before: usize) -> String {
        if self.out_of_order { String::new() } else { self.text.get(before..).unwrap_or_default().to_owned() }
    }

    /// Closes what does not lead to `path` and opens what does.
    fn go_to(&mut self, path: &[Step]) {
        let common = self.open.iter().zip(path).take_while(|(open, wanted)| open == wanted).count();
        let is_next = match (self.open.get(common), path.get(common)) {
            (None, Some(Step::Index(index))) => *index == 0,
            (None, Some(Step::Key(_))) => self.open.is_empty(),
            (Some(Step::Index(last)), Some(Step::Index(index))) => *index == last + 1,
            (Some(Step::Key(_)), Some(Step::Key(_))) => true,
            _ => false,
        };
        let is_known = path.get(..=common).is_some_and(|began| value_at(&self.tree, began).is_some());
        if !is_next || is_known {
            self.out_of_order = true;
        }
        self.close_down_to(common + 1);
        if self.open.len() > common {
            self.text.push(',');
            self.open.truncate(common);
        } else if self.text.is_empty() {
            self.text.push('{');
        }
        for (place, step) in path.iter().enumerate().skip(common) {
            if let Step::Key(key) = step {
                self.text.push_str(&Value::String(key.clone()).to_string());
                self.text.push(':');
            }
            match path.get(place + 1) {
                Some(Step::Key(_)) => self.text.push('{'),
                Some(Step::Index(_)) => self.text.push('['),
                None => {}
            }
        }
        self.open = path.to_vec();
    }

    /// Closes the text and the containers below this depth.
    fn close_down_to(&mut self, depth: usize) {
        if std::mem::take(&mut self.in_string) {
            self.text.push('"');
        }
        while self.open.len() > depth {
            match self.open.pop() {
                Some(Step::Key(_)) => self.text.push('}'),
                Some(Step::Index(_)) => self.text.push(']'),
                None => {}
            }
        }
    }
}

/// `$.a.b[0]['c d']`.
fn parse_path(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.strip_prefix('$')?;
    let mut path = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            path.push(Step::Key(after.get(..end)?.to_owned()));
            rest = after.get(end..)?;
        } else {
            let (inside, after) = rest.strip_prefix('[')?.split_once(']')?;
            let quoted = inside.strip_prefix(['\'', '"']).and_then(|name| name.strip_suffix(['\'', '"']));
            path.push(match quoted {
                Some(name) => Step::Key(name.to_owned()),
                None => Step::Index(inside.parse().ok()?),
            });
            rest = after;
        }
    }
    Some(path)
}

fn value_at<'v>(value: &'v Value, path: &[Step]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

/// The place of a value, made if it is not there; lists grow by one at most.
fn slot<'v>(value: &'v mut Value, path: &[Step]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => {
            if !value.is_object() {
                *value = Value::Object(Map::new());
            }
            Some(value.as_object_mut()?.entry(key.clone()).or_insert(Value::Null))
        }
        Step::Index(index) => {
            if !value.is_array() {
                *value = Value::Array(Vec::new());
            }
            let list = value.as_array_mut()?;
            if *index == list.len() {
                list.push(Value::Null);
            }
            list.get_mut(*index)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(args: &str) -> (Vec<String>, String) {
        let args: Vec<PartialArg> = serde_json::from_str(args).unwrap();
        let mut partial = PartialArgs::default();
        let mut deltas: Vec<String> = args.into_iter().map(|arg| partial.add(arg)).collect();
        let (last, whole) = partial.finish();
        deltas.push(last);
        (deltas, whole)
    }

    #[test]
    fn values_become_growing_text() {
        let (deltas, whole) = run(
            r#"[{"jsonPath":"$.list[0].name","stringValue":"a\"b"},{"jsonPath":"$.list[0].name","stringValue":"c"},
                {"jsonPath":"$.list[0].n","numberValue":1.5},{"jsonPath":"$.list[1].name","stringValue":"d"},
                {"jsonPath":"$.flag","boolValue":false},{"jsonPath":"$['odd key']","nullValue":"NULL_VALUE"}]"#,
        );
        assert_eq!(whole, r#"{"list":[{"name":"a\"bc","n":1.5},{"name":"d"}],"flag":false,"odd key":null}"#);
        assert_eq!(deltas.concat(), whole);
        assert_eq!(deltas[0], r#"{"list":[{"name":"a\"b"#);
    }

    #[test]
    fn values_out_of_order_are_all_kept() {
        let (_, whole) = run(
            r#"[{"jsonPath":"$.a.x","numberValue":1},{"jsonPath":"$.b","numberValue":2},{"jsonPath":"$.a.y","numberValue":3}]"#,
        );
        assert_eq!(serde_json::from_str::<Value>(&whole).unwrap(), serde_json::json!({"a": {"x": 1, "y": 3}, "b": 2}));
        assert_eq!(run("[]").1, "{}");
    }
}
