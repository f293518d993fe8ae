//! All exceptions at a glance, in one pass over them: in a flood there are as many as tools.

use rustc_hash::FxHashMap;

use super::{Exception, Exceptions, State};

/// Exceptions of which boards list any.
const LISTED_MAX: usize = 200;
/// Suppressed exceptions in the list, so that lately closed ones have room.
const SUPPRESSED_MAX: usize = 50;

/// What goes on.
#[derive(Debug, Default)]
pub(in crate::engine) struct Overview<'a> {
    pub open: u64,
    /// Held back by others; not among the open ones.
    pub suppressed: u64,
    /// Of the open ones, put aside for a while.
    pub shelved: u64,
    /// Open ones, the most severe first and of these the newest, then suppressed and lately closed ones: so in a flood
    /// what is left out is what matters least.
    pub listed: Vec<&'a Exception>,
    bays: FxHashMap<(&'a str, &'a str), OfBay<'a>>,
}

/// What is open on a bay.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct OfBay<'a> {
    pub open: u32,
    /// The most severe that calls for somebody.
    pub worst: Option<&'a Exception>,
}

impl Overview<'_> {
    /// What is open on a bay of a site.
    pub(in crate::engine) fn of(&self, site: &str, bay: &str) -> OfBay<'_> {
        self.bays.get(&(site, bay)).copied().unwrap_or_default()
    }
}

impl Exceptions {
    /// Looks at all of them.
    pub(in crate::engine) fn overview(&self) -> Overview<'_> {
        let mut overview = Overview::default();
        let (mut open, mut suppressed) = (Vec::new(), Vec::new());
        let conditions = self.conditions.values().filter_map(|condition| condition.open.as_ref());
        for exception in conditions.chain(self.latched.values()) {
            if exception.state == State::Suppressed {
                suppressed.push(exception);
                continue;
            }
            open.push(exception);
            overview.shelved += u64::from(exception.is_shelved());
            let Some(bay) = exception.bay.as_deref() else { continue };
            let of_bay = overview.bays.entry((exception.site.as_str(), bay)).or_default();
            of_bay.open += 1;
            let is_worse = |worst: &Exception| exception.severity < worst.severity;
            if !exception.is_aside() && of_bay.worst.is_none_or(is_worse) {
                of_bay.worst = Some(exception);
            }
        }
        (overview.open, overview.suppressed) = (open.len() as u64, suppressed.len() as u64);
        first(&mut open, LISTED_MAX);
        first(&mut suppressed, SUPPRESSED_MAX);
        overview.listed = open.into_iter().chain(suppressed).chain(self.recent()).take(LISTED_MAX).collect();
        overview
    }
}

/// Keeps the first `count`, in order.
fn first(exceptions: &mut Vec<&Exception>, count: usize) {
    let order = |left: &&Exception, right: &&Exception| left.urgency().cmp(&right.urgency());
    if exceptions.len() > count {
        exceptions.select_nth_unstable_by(count, order);
        exceptions.truncate(count);
    }
    exceptions.sort_unstable_by(order);
}
