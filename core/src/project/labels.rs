//! The words of an export, per language.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The languages that turnkeep has words in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Russian.
    Russian,
}

impl Language {
    /// `normalizeLang`: Russian for tags that begin with `ru`, English for everything else.
    pub fn from_tag(tag: Option<&str>) -> Self {
        match tag.map(str::to_lowercase) {
            Some(tag) if tag.starts_with("ru") => Language::Russian,
            _ => Language::English,
        }
    }

    /// `en` or `ru`.
    pub fn as_str(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Russian => "ru",
        }
    }
}

/// The words that a host may replace; what it leaves out stays in the export's language.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Labels {
    /// Title of a chat without one.
    pub untitled: Option<String>,
    /// The model's name above its messages.
    pub ai_agent: Option<String>,
    /// The person's name above theirs.
    pub you: Option<String>,
    /// What a tool without a label of its own is called; `{name}` stands for its name.
    pub ran_tool: Option<String>,
    /// The note under a message that is still being written.
    pub still_generating: Option<String>,
    /// Labels of tools, by name.
    pub tools: BTreeMap<String, String>,
}

impl Labels {
    /// The built-in words of a language.
    pub fn builtin(language: Language) -> Self {
        let (words, tools): ([&str; 5], &[(&str, &str)]) = match language {
            Language::English => (
                [
                    "Untitled chat",
                    "AI agent",
                    "You",
                    "Ran tool {name}",
                    "This answer is still being written; the export holds what there was of it.",
                ],
                &[
                    ("searchPages", "Searched pages"),
                    ("getPage", "Read page"),
                    ("createPage", "Created page"),
                    ("updatePageContent", "Updated page"),
                    ("renamePage", "Renamed page"),
                    ("movePage", "Moved page"),
                    ("deletePage", "Deleted page (to trash)"),
                    ("createComment", "Commented"),
                    ("resolveComment", "Resolved comment"),
                ],
            ),
            Language::Russian => (
                [
                    "Без названия",
                    "ИИ-агент",
                    "Вы",
                    "Выполнил инструмент {name}",
                    "Ответ ещё пишется; в экспорт попало то, что уже было готово.",
                ],
                &[
                    ("searchPages", "Искал по страницам"),
                    ("getPage", "Прочитал страницу"),
                    ("createPage", "Создал страницу"),
                    ("updatePageContent", "Обновил страницу"),
                    ("renamePage", "Переименовал страницу"),
                    ("movePage", "Переместил страницу"),
                    ("deletePage", "Удалил страницу (в корзину)"),
                    ("createComment", "Прокомментировал"),
                    ("resolveComment", "Закрыл комментарий"),
                ],
            ),
        };
        let [untitled, ai_agent, you, ran_tool, still_generating] = words.map(|word| Some(word.to_owned()));
        let tools = tools.iter().map(|(name, label)| ((*name).to_owned(), (*label).to_owned())).collect();
        Self { untitled, ai_agent, you, ran_tool, still_generating, tools }
    }

    /// These words where they are given, `base`'s elsewhere.
    #[must_use]
    pub fn over(self, base: Self) -> Self {
        let mut tools = base.tools;
        tools.extend(self.tools);
        Self {
            untitled: self.untitled.or(base.untitled),
            ai_agent: self.ai_agent.or(base.ai_agent),
            you: self.you.or(base.you),
            ran_tool: self.ran_tool.or(base.ran_tool),
            still_generating: self.still_generating.or(base.still_generating),
            tools,
        }
    }
}
