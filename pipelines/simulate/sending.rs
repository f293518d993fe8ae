//! Messages on their way out of the shop, and those that say what is there.

use std::sync::Arc;

use super::Published;
use super::device::Tool;
use super::payload::Payload;
use super::workshop::Workshop;

/// What a lift bears.
const LIFT_KG: f64 = 3500.0;

impl Workshop {
    /// Sends through the gateway of a bay.
    pub(super) fn send(&mut self, bay: usize, topic: Arc<str>, payload: Vec<u8>, qos: u8, retain: bool) {
        let message = Published { at_ms: self.now_us / 1000, topic, payload, qos, retain };
        self.made += 1 + self.bays[bay].gateway.pass(message, &mut self.out);
        if self.bays[bay].gateway.is_full() {
            self.reconnect(bay);
        }
    }

    /// Sends from the office, or from the broker itself.
    pub(super) fn send_directly(&mut self, topic: Arc<str>, payload: Vec<u8>, retain: bool) {
        self.made += 1;
        self.out.push_back(Published { at_ms: self.now_us / 1000, topic, payload, qos: 1, retain });
    }

    /// Sends telemetry of a tool.
    pub(super) fn send_telemetry(&mut self, bay: usize, tool: Tool, payload: Vec<u8>) {
        let topic = Arc::clone(&self.bays[bay].device(tool).telemetry.topic);
        self.send(bay, topic, payload, self.settings.qos, false);
    }

    /// Sends that a tool is there.
    pub(super) fn send_online(&mut self, bay: usize, tool: Tool) {
        let ts_ms = self.bays[bay].tool_ts_ms(tool, self.now_us);
        let status = &mut self.bays[bay].device_mut(tool).status;
        let payload = status.message(ts_ms).flag("online", true).finish();
        let topic = Arc::clone(&status.topic);
        self.send(bay, topic, payload, 1, true);
    }

    /// Sends whether a vehicle is on the bay.
    pub(super) fn send_bay_status(&mut self, bay: usize, occupied: bool) {
        let ts_ms = self.bays[bay].ts_ms(self.now_us);
        let status = &mut self.bays[bay].status;
        let payload = status.message(ts_ms).flag("open", true).flag("occupied", occupied).finish();
        let topic = Arc::clone(&status.topic);
        self.send(bay, topic, payload, 1, true);
    }

    /// Sends what is known of a tool.
    pub(super) fn send_asset(&mut self, bay: usize, tool: Tool) {
        let limit = |metric: &str, min: Option<f64>, max: f64| {
            Payload::object_of(|item| {
                let item = item.text("metric", metric);
                min.into_iter().fold(item, |item, min| item.number("min", min)).number("max", max)
            })
        };
        let (rated, limits) = match tool {
            Tool::Torque => (Some(200.0), vec![]),
            // Each pair of arms bears half of what the lift does.
            Tool::Lift => (
                Some(LIFT_KG),
                vec![
                    limit("lift_height", Some(0.0), 2.0),
                    limit("lift_load_left", None, LIFT_KG / 2.0),
                    limit("lift_load_right", None, LIFT_KG / 2.0),
                ],
            ),
            Tool::Air => (None, vec![limit("air_pressure", Some(6.0), 8.5)]),
            Tool::Supply => (None, vec![limit("voltage", Some(11.8), 14.8)]),
            Tool::Motor => (None, vec![limit("temperature", None, 70.0)]),
            Tool::Dispenser | Tool::Energy | Tool::Gateway => (None, vec![]),
        };
        let (name, bay_name) = (self.bays[bay].tool_name(tool), self.bays[bay].name.clone());
        let due_ms = self.now_us / 1000 + 86_400_000 * (5 + self.seed.below(360) as i64);
        let office = &mut self.offices[self.bays[bay].site];
        let mut asset = office.assets.message(self.now_us / 1000);
        asset = asset.text("asset", &name).text("kind", tool.kind()).text("bay", &bay_name);
        if let Some(rated) = rated {
            asset = asset.number("rated", rated).integer("calibration_due", due_ms);
        }
        if !limits.is_empty() {
            asset = asset.raw("limits", &format!("[{}]", limits.join(",")));
        }
        let topic = Arc::clone(&office.assets.topic);
        self.send_directly(topic, asset.finish(), true);
    }
}
