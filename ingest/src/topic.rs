//! Which topics mean what: patterns with captures.
//!
//! A pattern is a topic whose levels may be `{site}`, `{bay}`, `{tool}` (each matches one level and names
//! it) or `+` (one level of no interest). Where several match, the one with more literal levels wins, then
//! the one whose first literal level comes earlier, then the order of the configuration.

use crate::config::TopicSettings;

#[cfg(test)]
mod tests;

/// What messages of a topic are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Telemetry,
    Steps,
    Usage,
    Jobs,
    Status,
    Assets,
    /// Own output that came back.
    Output,
}

impl Kind {
    /// Whether its messages hold readings; the others hold events.
    #[must_use]
    pub fn holds_readings(self) -> bool {
        matches!(self, Kind::Telemetry | Kind::Status)
    }

    /// Its key in `[topics]`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Telemetry => "telemetry",
            Kind::Steps => "steps",
            Kind::Usage => "usage",
            Kind::Jobs => "jobs",
            Kind::Status => "status",
            Kind::Assets => "assets",
            Kind::Output => "outputs",
        }
    }
}

/// What a topic says: its kind, and the names that it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route<'a> {
    pub kind: Kind,
    pub site: Option<&'a str>,
    pub bay: Option<&'a str>,
    pub tool: Option<&'a str>,
}

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    #[error(
        "topics.{key} has an empty pattern; remove it or write one such as \"workshop/{{site}}/telemetry\""
    )]
    Empty { key: &'static str },
    #[error(
        "topics.{key} pattern \"{pattern}\": level \"{level}\" is no capture; the captures are {{site}}, {{bay}} and {{tool}}, each a whole level"
    )]
    UnknownCapture { key: &'static str, pattern: String, level: String },
    #[error(
        "topics.{key} pattern \"{pattern}\" captures {level} twice; write + for the level that does not count"
    )]
    CapturedTwice { key: &'static str, pattern: String, level: String },
    #[error(
        "topics.{key} pattern \"{pattern}\": level \"{level}\" has a wildcard; write {{site}}, {{bay}}, {{tool}} or + for one whole level, and list each depth as a pattern of its own in place of #"
    )]
    Wildcard { key: &'static str, pattern: String, level: String },
    #[error(
        "topics.{key} pattern \"{pattern}\" matches the same topics as topics.{other_key} pattern \"{other}\"; make one level of either literal, or remove one"
    )]
    Ambiguous { key: &'static str, pattern: String, other_key: &'static str, other: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Capture {
    Site,
    Bay,
    Tool,
    /// `+`.
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Level {
    Literal(Box<str>),
    Capture(Capture),
}

impl Level {
    fn is_literal(&self) -> bool {
        matches!(self, Level::Literal(_))
    }
}

#[derive(Clone, Debug)]
struct Pattern {
    kind: Kind,
    text: String,
    levels: Vec<Level>,
}

/// All patterns of `[topics]`.
#[derive(Clone, Debug)]
pub struct Topics {
    /// The one to prefer first.
    patterns: Vec<Pattern>,
    filters: Vec<String>,
}

impl Topics {
    /// Takes the patterns in.
    ///
    /// # Errors
    /// The first pattern that has a wrong shape, or that cannot be told from another.
    pub fn new(settings: &TopicSettings) -> Result<Self, TopicError> {
        let lists = [
            (Kind::Telemetry, &settings.telemetry),
            (Kind::Steps, &settings.steps),
            (Kind::Usage, &settings.usage),
            (Kind::Jobs, &settings.jobs),
            (Kind::Status, &settings.status),
            (Kind::Assets, &settings.assets),
            (Kind::Output, &settings.outputs),
        ];
        let mut patterns: Vec<Pattern> = Vec::new();
        for (kind, list) in lists {
            for text in list {
                let pattern = Pattern { kind, text: text.clone(), levels: levels(kind, text)? };
                if let Some(other) = patterns.iter().find(|other| same_topics(other, &pattern)) {
                    return Err(TopicError::Ambiguous {
                        key: kind.as_str(),
                        pattern: pattern.text,
                        other_key: other.kind.as_str(),
                        other: other.text.clone(),
                    });
                }
                patterns.push(pattern);
            }
        }
        let filters = filters(&patterns);
        patterns.sort_by_key(|pattern| {
            let literals = pattern.levels.iter().filter(|level| level.is_literal()).count();
            let captures_first: Vec<bool> = pattern.levels.iter().map(|level| !level.is_literal()).collect();
            (std::cmp::Reverse(literals), captures_first)
        });
        Ok(Topics { patterns, filters })
    }

    /// The MQTT filters to subscribe to, in the order of the configuration: captures become `+`, filters
    /// that another one covers are left out, and so are the outputs.
    #[must_use]
    pub fn filters(&self) -> Vec<String> {
        self.filters.clone()
    }

    /// What `topic` says; `None` if no pattern matches. A capture does not match an empty level, nor a
    /// first level that begins with `$`.
    #[must_use]
    pub fn resolve<'a>(&self, topic: &'a str) -> Option<Route<'a>> {
        self.patterns.iter().find_map(|pattern| pattern.matches(topic))
    }
}

impl Pattern {
    fn matches<'a>(&self, topic: &'a str) -> Option<Route<'a>> {
        let mut route = Route { kind: self.kind, site: None, bay: None, tool: None };
        let mut rest = topic.split('/');
        for (place, level) in self.levels.iter().enumerate() {
            let text = rest.next()?;
            match level {
                Level::Literal(literal) if **literal == *text => {}
                Level::Literal(_) => return None,
                Level::Capture(_) if text.is_empty() || (place == 0 && text.starts_with('$')) => return None,
                Level::Capture(Capture::Site) => route.site = Some(text),
                Level::Capture(Capture::Bay) => route.bay = Some(text),
                Level::Capture(Capture::Tool) => route.tool = Some(text),
                Level::Capture(Capture::Nothing) => {}
            }
        }
        rest.next().is_none().then_some(route)
    }

    fn filter(&self) -> String {
        let levels: Vec<&str> = self
            .levels
            .iter()
            .map(|level| match level {
                Level::Literal(literal) => &**literal,
                Level::Capture(_) => "+",
            })
            .collect();
        levels.join("/")
    }

    /// Whether every topic that `other` matches is matched too.
    fn covers(&self, other: &Pattern) -> bool {
        self.levels.len() == other.levels.len()
            && self.levels.iter().zip(&other.levels).enumerate().all(|(place, (mine, others))| {
                match (mine, others) {
                    (Level::Capture(_), Level::Literal(literal)) => place > 0 || !literal.starts_with('$'),
                    (Level::Capture(_), Level::Capture(_)) => true,
                    (Level::Literal(mine), Level::Literal(others)) => mine == others,
                    (Level::Literal(_), Level::Capture(_)) => false,
                }
            })
    }
}

fn same_topics(one: &Pattern, other: &Pattern) -> bool {
    one.covers(other) && other.covers(one)
}

fn filters(patterns: &[Pattern]) -> Vec<String> {
    let inputs: Vec<&Pattern> = patterns.iter().filter(|pattern| pattern.kind != Kind::Output).collect();
    let needed = inputs.iter().enumerate().filter(|(place, pattern)| {
        !inputs.iter().enumerate().any(|(other, wider)| other != *place && wider.covers(pattern))
    });
    needed.map(|(_, pattern)| pattern.filter()).collect()
}

fn levels(kind: Kind, text: &str) -> Result<Vec<Level>, TopicError> {
    let key = kind.as_str();
    if text.trim().is_empty() {
        return Err(TopicError::Empty { key });
    }
    let mut levels = Vec::new();
    for level in text.split('/') {
        let with = |error: fn(&'static str, String, String) -> TopicError| {
            error(key, text.to_owned(), level.to_owned())
        };
        let capture = match level {
            "{site}" => Some(Capture::Site),
            "{bay}" => Some(Capture::Bay),
            "{tool}" => Some(Capture::Tool),
            "+" => Some(Capture::Nothing),
            _ if level.contains(['{', '}']) => {
                return Err(with(|key, pattern, level| TopicError::UnknownCapture { key, pattern, level }));
            }
            _ if level.contains(['+', '#']) => {
                return Err(with(|key, pattern, level| TopicError::Wildcard { key, pattern, level }));
            }
            _ => None,
        };
        let level_read = capture.map_or_else(|| Level::Literal(level.into()), Level::Capture);
        if capture.is_some_and(|capture| capture != Capture::Nothing) && levels.contains(&level_read) {
            return Err(with(|key, pattern, level| TopicError::CapturedTwice { key, pattern, level }));
        }
        levels.push(level_read);
    }
    Ok(levels)
}
