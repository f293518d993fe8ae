//! The demo's configuration, compiled in, so that the binary needs no files beside it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use sinks::store::Address;

use super::files::Texts;
use super::{Config, load};

macro_rules! embedded {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../config/", $name)))),+]
    };
}

/// Every file the demo reads, named from `config/`.
const FILES: &[(&str, &str)] = &embedded![
    "demo.toml",
    "metrics.toml",
    "assets.toml",
    "calendar.toml",
    "functions.toml",
    "rules/air_pressure_low.toml",
    "rules/angle_high.toml",
    "rules/angle_low.toml",
    "rules/bay_occupied_without_job.toml",
    "rules/bay_silent.toml",
    "rules/calibration_overdue.toml",
    "rules/charger_fault.toml",
    "rules/chattering_state.toml",
    "rules/clock_suspect.toml",
    "rules/dispense_without_job.toml",
    "rules/energy_per_hour.toml",
    "rules/extraction_low.toml",
    "rules/gas_high.toml",
    "rules/gateway_down.toml",
    "rules/gateway_offline.toml",
    "rules/hand_over_unsigned.toml",
    "rules/insulation_low.toml",
    "rules/job_on_two_bays.toml",
    "rules/lift_imbalance.toml",
    "rules/lift_moves_in_interlock_step.toml",
    "rules/lift_not_locked.toml",
    "rules/lift_overload.toml",
    "rules/low_voltage.toml",
    "rules/over_dispense.toml",
    "rules/promise_at_risk.toml",
    "rules/readings_missing.toml",
    "rules/readings_surplus.toml",
    "rules/refrigerant_charge_off.toml",
    "rules/rehit_finished_joint.toml",
    "rules/sequence_gap.toml",
    "rules/step_idle.toml",
    "rules/step_out_of_order.toml",
    "rules/step_overlap.toml",
    "rules/step_overrun.toml",
    "rules/step_overrun_warning.toml",
    "rules/stuck_sensor.toml",
    "rules/tank_loss.toml",
    "rules/tool_drift.toml",
    "rules/tool_offline.toml",
    "rules/tool_on_wrong_bay.toml",
    "rules/tool_silent.toml",
    "rules/torque_nok_share.toml",
    "rules/torque_out_of_spec.toml",
    "rules/torque_per_minute.toml",
    "rules/under_fill.toml",
    "rules/vacuum_hold_failed.toml",
    "rules/wrong_grade.toml",
    "rules/wrong_pset.toml",
];

/// The demo's files, with storage below `data` and the addresses as given.
pub(super) fn demo(data: &Path, http: SocketAddr, mqtt: SocketAddr) -> Config {
    let texts: BTreeMap<PathBuf, &'static str> =
        FILES.iter().map(|(name, text)| (name.into(), *text)).collect();
    // The rules are planned by the tests and, as always, at the start of the engine.
    let loaded = load::load(Path::new("demo.toml"), &Texts(texts), None);
    let mut config = loaded.expect("the shipped demo configuration has no mistakes: a test loads it");
    config.folder = data.to_owned();
    config.source.host = mqtt.ip().to_string();
    config.source.port = mqtt.port();
    if let Some(publish) = &mut config.publish {
        (publish.broker.host, publish.broker.port) = (mqtt.ip().to_string(), mqtt.port());
    }
    config.journal.folder = data.join("journal");
    config.checkpoint.folder = data.join("checkpoints");
    config.export.folder = data.join("export");
    config.store.url = Address::of_file(&data.join("andon.db"));
    config.http.listen = http;
    config
}
