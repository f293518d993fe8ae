//! Rows of stream `commands`.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray, UInt64Array};
use arrow::error::ArrowError;
use ingest::entry::command::Order;

use super::super::block::times;
use super::super::commands::Answer;
use super::super::ids::row_id;
use super::{batch, names, same};
use crate::schema::COMMANDS;

/// A command with what came of it.
#[derive(Debug)]
pub(in crate::engine) struct AnsweredCommand<'a> {
    pub order: &'a Order,
    pub at_ms: i64,
    pub answer: &'a Answer,
    pub outcome: &'static str,
    pub site: Option<&'a str>,
    pub message: Option<u64>,
    pub messages: u64,
    /// Commands so far.
    pub number: u64,
}

/// One row of stream `commands`.
pub(in crate::engine) fn command(command: &AnsweredCommand<'_>) -> Result<RecordBatch, ArrowError> {
    let AnsweredCommand { order, at_ms, answer, outcome, site, message, messages, number } = command;
    let what = serde_json::to_string(&order.what).unwrap_or_default();
    let number = number.to_le_bytes();
    let parts = [order.key.as_bytes(), what.as_bytes(), order.actor.as_bytes(), outcome.as_bytes(), &number];
    let text = |text: Option<&str>| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    batch(
        &COMMANDS,
        vec![
            text(Some(&row_id("commands", &parts))),
            times(vec![*at_ms]),
            same(order.what.kind(), 1),
            same(&order.actor, 1),
            Arc::new(BooleanArray::from(vec![false])),
            text(Some(&order.key)),
            text(Some(order.what.target())),
            text(order.what.reason()),
            same(outcome, 1),
            text(Some(&answer.detail)),
            Arc::new(UInt64Array::from(vec![*message])),
            Arc::new(UInt64Array::from(vec![*messages])),
            names([*site].into_iter()),
        ],
    )
}
