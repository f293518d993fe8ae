//! The audit stream, queue `audit`: what people asked for and what came of it, every change of an exception, each
//! configuration that applied, each takeover. Signatures, releases and the like are commands; those that came as step
//! events are records of their own kind. Nobody is verified yet, and each record says so.

use ingest::entry::command::Order;
use serde_json::json;

use super::Functions;
use super::input::ExceptionChange;
use super::job::JobKey;
use super::queues::{Draft, Head};

/// What concerns the service itself.
#[derive(Clone, Debug)]
pub(crate) enum Occasion<'a> {
    /// A configuration applies: after a start, or because the files have changed.
    Configuration { engine: &'a str, version: &'a str, is_change: bool },
    /// Another process leads.
    Takeover { generation: u64, writer: &'a str },
}

impl Functions {
    /// Somebody has asked for something.
    pub(crate) fn audit_order(
        &mut self,
        order: &Order,
        at_ms: i64,
        (outcome, detail, site): (&str, &str, Option<&str>),
    ) {
        let what = serde_json::to_value(&order.what).unwrap_or_default();
        let body = json!({
            "actor": order.actor, "actor_verified": false, "what": what, "outcome": outcome, "detail": detail,
        });
        self.queues.push(
            &mut self.told,
            "audit",
            Draft {
                at_ms,
                site: site.map(Box::from),
                job: order.what.job().map(Box::from),
                kind: "command".into(),
                key: order.key.as_str().into(),
                body,
            },
        );
    }

    /// A step event said that somebody has signed (`sign_off`) or that the vehicle was handed over (`release`).
    pub(super) fn audit_event(
        &mut self,
        ((site, job), step): (&JobKey, Option<&str>),
        kind: &str,
        by: Option<&str>,
        outcome: Result<String, String>,
        at_ms: i64,
    ) {
        let (outcome, detail) = match outcome {
            Ok(detail) => ("applied", detail),
            Err(why) => ("refused", why),
        };
        let body = json!({
            "actor": by, "actor_verified": false, "step": step, "outcome": outcome, "detail": detail,
        });
        let key = step.map_or_else(|| format!("{site}/{job}"), |step| format!("{site}/{job}/{step}"));
        let (site, job) = (Some(site.clone()), Some(job.clone()));
        let draft = Draft { at_ms, site, job, kind: kind.into(), key: key.into(), body };
        self.queues.push(&mut self.told, "audit", draft);
    }

    pub(super) fn audit_exception(&mut self, change: &ExceptionChange) {
        let body = json!({
            "rule": change.rule, "severity": change.severity, "bay": change.bay, "step": change.step,
            "state": change.state, "operator_state": change.operator_state, "actor": change.actor,
            "reason": change.reason,
        });
        self.queues.push(
            &mut self.told,
            "audit",
            Draft {
                at_ms: change.at_ms,
                site: Some(change.site.clone()),
                job: change.job.clone(),
                kind: "exception".into(),
                key: change.id.clone(),
                body,
            },
        );
    }

    /// Something of the service itself. These entries have no time of their own; `at_ms` is that of the newest tick.
    pub(crate) fn audit_occasion(&mut self, occasion: &Occasion<'_>, at_ms: i64) {
        let (kind, key, body) = match occasion {
            Occasion::Configuration { engine, version, is_change } => {
                let body = json!({ "engine": engine, "is_change": is_change });
                ("configuration", (*version).to_owned(), body)
            }
            Occasion::Takeover { generation, writer } => {
                ("takeover", generation.to_string(), json!({ "writer": writer }))
            }
        };
        let at_ms = at_ms.max(0);
        let draft = Draft { at_ms, site: None, job: None, kind: kind.into(), key: key.into(), body };
        self.queues.push(&mut self.told, "audit", draft);
    }

    /// The newest item of each queue, by its name.
    pub(crate) fn queue_heads(&self) -> impl Iterator<Item = (&str, &Head)> {
        self.queues.heads()
    }
}
