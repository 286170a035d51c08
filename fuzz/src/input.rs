//! Structure out of a fuzzer's bytes. What is missing reads as zero, so that every input means something.

/// How long a list of equal items may become.
const MAX_LIST: usize = 16 * 1024;

/// Reads bytes front to back.
pub(crate) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((first, rest)) => {
                self.rest = rest;
                *first
            }
            None => 0,
        }
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u8) -> u8 {
        self.byte() % limit
    }

    pub(crate) fn pick<'b, T>(&mut self, from: &'b [T]) -> &'b T {
        &from[usize::from(self.byte()) % from.len()]
    }

    pub(crate) fn chance(&mut self, one_in: u8) -> bool {
        self.below(one_in) == 0
    }

    /// Text: a byte that says how long it is, then that much of UTF-8. The largest lengths stand for much more.
    pub(crate) fn text(&mut self) -> String {
        let length = match self.byte() {
            length @ 0..=0xf7 => usize::from(length),
            long => usize::from(long - 0xf7) * 512,
        };
        let (text, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(crate) fn rest_text(&mut self) -> String {
        String::from_utf8_lossy(self.rest()).into_owned()
    }

    /// A JSON value, as text. Not always in the spelling that anything of ours gives it.
    pub(crate) fn json(&mut self, depth: u8) -> String {
        let choices = if depth == 0 { 8 } else { 11 };
        match self.below(choices) {
            0 => "null".to_owned(),
            1 => if self.chance(2) { "true" } else { "false" }.to_owned(),
            2 => self.byte().to_string(),
            3 => {
                (*self.pick(&["1.0", "-0", "-0.0", "1e21", "1E-7", "12345678901234567890", "9007199254740993", "0.1"]))
                    .to_owned()
            }
            4 => {
                (*self.pick(&["\"\"", "\"\\u0000\"", "\"\\ud83d\"", "\"\\u0041\\/\"", "{}", "[]", " [ ] "])).to_owned()
            }
            5 => quoted(&self.text()),
            // Long and dull: what compaction is there for.
            6 => {
                let times = usize::from(self.byte()) * 8;
                quoted(&self.text().chars().take(4).collect::<String>().repeat(times))
            }
            // Whatever it says, when that is JSON.
            7 => {
                let text = self.text();
                if is_json(&text) { text } else { quoted(&text) }
            }
            8 => {
                let items: Vec<String> = (0..self.below(6)).map(|_| self.json(depth - 1)).collect();
                format!("[{}]", items.join(","))
            }
            9 => {
                let item = self.json(depth - 1);
                // Lists of lists of lists would be no longer an input but a flood.
                let times = usize::from(self.byte()).min(MAX_LIST / item.len());
                format!("[{}]", vec![item; times].join(","))
            }
            _ => {
                let member = |input: &mut Self| {
                    let key = if input.chance(3) {
                        (*input.pick(&["10", "9", "__proto__", "id", "title", "a", "_truncated", ""])).to_owned()
                    } else {
                        input.text()
                    };
                    format!("{}:{}", quoted(&key), input.json(depth - 1))
                };
                let members: Vec<String> = (0..self.below(5)).map(|_| member(self)).collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }
}

/// `text` as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text has a JSON form")
}

/// Whether `text` is one JSON value, as serde reads values that it passes over.
pub(crate) fn is_json(text: &str) -> bool {
    serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
}
