//! Tools that are out of service, as in calibration: what their readings raise is told and calls for nobody, until they
//! return. What goes on then calls anew.
//!
//! Bound: [`OUT_MAX`] tools; no further one is taken out of service.

use std::collections::BTreeMap;

use super::{Exception, Exceptions, Operator, OperatorState, Refusal};

/// Tools that may be out of service at once.
const OUT_MAX: usize = 10_000;

/// Site and tool.
type ToolName = (String, String);

/// The tools, each with who took it out of service, why and when.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct OutOfService(BTreeMap<ToolName, Operator>);

impl OutOfService {
    /// By site and name.
    pub(in crate::engine) fn all(&self) -> impl Iterator<Item = (&str, &str, &Operator)> {
        self.0.iter().map(|((site, tool), by)| (site.as_str(), tool.as_str(), by))
    }

    /// Who has taken the tool of an exception out of service, before it is raised.
    pub(super) fn by(&self, site: &str, tool: Option<&str>) -> Option<Operator> {
        let tool = tool.filter(|_| !self.0.is_empty())?;
        self.0.get(&(site.to_owned(), tool.to_owned())).cloned()
    }
}

impl Exceptions {
    /// What a tool says calls for nobody.
    pub(in crate::engine) fn take_out(
        &mut self,
        site: &str,
        tool: &str,
        by: Operator,
    ) -> Result<(), Refusal> {
        let name = (site.to_owned(), tool.to_owned());
        if let Some(known) = self.out_of_service.0.get(&name) {
            let actor = known.actor.as_deref().unwrap_or("somebody");
            return Err(Refusal::Conflict(format!("tool `{tool}` was taken out of service by {actor}")));
        }
        if self.out_of_service.0.len() >= OUT_MAX {
            let detail =
                format!("{OUT_MAX} tools are out of service, and no more can be; return others first");
            return Err(Refusal::Conflict(detail));
        }
        let by = Operator { state: OperatorState::OutOfService, until_ms: None, ..by };
        self.out_of_service.0.insert(name, by.clone());
        for condition in self.conditions.all_mut() {
            if condition.open.as_ref().is_some_and(|open| is_of(open, site, tool)) {
                condition.shelved = None;
            }
        }
        self.mark_those(&by, |one| is_of(one, site, tool));
        Ok(())
    }

    /// A tool is watched again, and what goes on of it calls.
    pub(in crate::engine) fn put_back(
        &mut self,
        site: &str,
        tool: &str,
        by: Operator,
    ) -> Result<(), Refusal> {
        if self.out_of_service.0.remove(&(site.to_owned(), tool.to_owned())).is_none() {
            return Err(Refusal::Conflict(format!("tool `{tool}` of site `{site}` is not out of service")));
        }
        let by = Operator { state: OperatorState::Unacknowledged, until_ms: None, ..by };
        self.mark_those(&by, |one| {
            is_of(one, site, tool) && one.operator.state == OperatorState::OutOfService
        });
        Ok(())
    }

    /// Marks those that go on, held back ones among them, in the order of their ids.
    fn mark_those(&mut self, by: &Operator, is_wanted: impl Fn(&Exception) -> bool) {
        let open = self.conditions.values().filter_map(|condition| condition.open.as_ref());
        let wanted = open.chain(self.latched.values()).filter(|one| is_wanted(one));
        let mut ids: Vec<String> = wanted.map(|one| one.id.clone()).collect();
        ids.sort_unstable();
        for id in ids {
            self.mark(&id, by);
        }
    }
}

fn is_of(exception: &Exception, site: &str, tool: &str) -> bool {
    exception.site == site && exception.tool.as_deref() == Some(tool)
}
