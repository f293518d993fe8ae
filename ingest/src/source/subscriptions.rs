//! What we asked the broker for, and what it gave.

use rumqttc::{QoS, SubAck, Subscribe, SubscribeFilter, SubscribeReasonCode};

/// The filters of the configuration, and how it stands with them.
#[derive(Debug)]
pub(super) struct Subscriptions {
    filters: Vec<SubscribeFilter>,
    /// In the SUBSCRIBE on its way.
    asked: Vec<SubscribeFilter>,
    refused: Vec<SubscribeFilter>,
    /// This process has subscribed to all, and the broker has said yes.
    is_complete: bool,
}

impl Subscriptions {
    pub(super) fn new(filters: &[String], qos: QoS) -> Self {
        let filters = filters.iter().map(|filter| SubscribeFilter::new(filter.clone(), qos)).collect();
        Subscriptions { filters, asked: Vec::new(), refused: Vec::new(), is_complete: false }
    }

    /// What to ask for on a new connection.
    pub(super) fn connected(&mut self, is_session_present: bool) -> Option<Subscribe> {
        if is_session_present && self.is_complete {
            return None;
        }
        self.refused.clear();
        Some(self.ask(self.filters.clone()))
    }

    /// What to ask for once more: a broker may be told to allow it while we are connected.
    pub(super) fn retry(&mut self) -> Option<Subscribe> {
        if !self.asked.is_empty() || self.refused.is_empty() {
            return None;
        }
        let refused = std::mem::take(&mut self.refused);
        Some(self.ask(refused))
    }

    fn ask(&mut self, filters: Vec<SubscribeFilter>) -> Subscribe {
        let mut subscribe = Subscribe::new_many(filters.clone());
        // The only packet of ours that has an id, and the next is sent after its answer.
        subscribe.pkid = 1;
        self.asked = filters;
        // Until the answer: were this connection lost now, the broker might keep a session without them.
        self.is_complete = false;
        subscribe
    }

    pub(super) fn answered(&mut self, answer: SubAck) {
        for (filter, code) in std::mem::take(&mut self.asked).into_iter().zip(answer.return_codes) {
            match code {
                SubscribeReasonCode::Failure => self.refused.push(filter),
                SubscribeReasonCode::Success(qos) if qos != filter.qos => {
                    tracing::warn!(filter = filter.path, ?qos, "the broker gives less than was asked for");
                }
                SubscribeReasonCode::Success(_) => {}
            }
        }
        self.is_complete = self.refused.is_empty();
    }

    /// The connection is gone, and with it the answer.
    pub(super) fn lost(&mut self) {
        self.asked.clear();
    }

    pub(super) fn is_asking(&self) -> bool {
        !self.asked.is_empty()
    }

    pub(super) fn refused(&self) -> Vec<String> {
        self.refused.iter().map(|filter| filter.path.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscriptions() -> Subscriptions {
        Subscriptions::new(&["a".to_owned(), "b".to_owned()], QoS::AtLeastOnce)
    }

    fn paths(subscribe: Option<Subscribe>) -> Vec<String> {
        let filters = subscribe.map(|subscribe| subscribe.filters).unwrap_or_default();
        filters.into_iter().map(|filter| filter.path).collect()
    }

    fn answer(codes: &[SubscribeReasonCode]) -> SubAck {
        SubAck::new(1, codes.to_vec())
    }

    const YES: SubscribeReasonCode = SubscribeReasonCode::Success(QoS::AtLeastOnce);

    #[test]
    fn a_process_subscribes_at_its_first_connection_and_then_only_where_the_session_is_gone() {
        let mut subscriptions = subscriptions();
        assert_eq!(paths(subscriptions.connected(true)), ["a", "b"], "the configuration may have changed");
        subscriptions.answered(answer(&[YES, YES]));
        assert!(subscriptions.connected(true).is_none());
        assert_eq!(paths(subscriptions.connected(false)), ["a", "b"]);
    }

    #[test]
    fn a_connection_that_is_lost_before_the_answer_leaves_nothing_taken_for_granted() {
        let mut subscriptions = subscriptions();
        subscriptions.connected(true);
        subscriptions.answered(answer(&[YES, YES]));
        subscriptions.connected(false);
        subscriptions.lost();
        assert_eq!(paths(subscriptions.connected(true)), ["a", "b"]);
    }

    #[test]
    fn what_was_refused_is_asked_for_again_and_alone() {
        let mut subscriptions = subscriptions();
        subscriptions.connected(false);
        assert!(subscriptions.retry().is_none(), "the answer is on its way");
        subscriptions.answered(answer(&[YES, SubscribeReasonCode::Failure]));
        assert_eq!(subscriptions.refused(), ["b"]);
        assert_eq!(paths(subscriptions.retry()), ["b"]);
        subscriptions.answered(answer(&[YES]));
        assert!(subscriptions.refused().is_empty() && subscriptions.connected(true).is_none());
    }
}
