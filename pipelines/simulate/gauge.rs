//! Gauges: values that walk, registers that rise, a lift that moves.

use super::device::{Channel, Tool};
use super::payload::Payload;
use super::seed::Seed;

/// What goes on at the bay, as far as gauges feel it.
#[derive(Debug, Default)]
pub(super) struct Condition {
    /// A step is worked on (started, not paused).
    pub(super) working: bool,
    /// The 12 V supply supports the vehicle.
    pub(super) support: bool,
    /// Mass of the vehicle, kg.
    pub(super) vehicle_kg: f64,
    /// Height to which the lift is sent.
    pub(super) height_m: f64,
}

/// A value that follows a target, which is drawn anew now and then, read with a little noise. The noise stays outside
/// the value, so that reading more often does not make it wander further.
#[derive(Debug)]
struct Walk {
    value: f64,
    target: f64,
    seconds_left: f64,
    /// What it shows: stays as it is while the sensor is stuck.
    reading: f64,
    /// How far the target may be from the centre.
    spread: f64,
    /// Time in which it goes most of the way.
    lag_s: f64,
    noise: f64,
}

impl Walk {
    fn new(value: f64, spread: f64, lag_s: f64, noise: f64) -> Self {
        Walk { value, target: value, seconds_left: 0.0, reading: value, spread, lag_s, noise }
    }

    /// Goes on for `seconds` around `centre`.
    fn go(&mut self, seconds: f64, centre: f64, seed: &mut Seed) {
        self.seconds_left -= seconds;
        if self.seconds_left <= 0.0 || (self.target - centre).abs() > self.spread {
            self.target = seed.near(centre, self.spread);
            self.seconds_left = seed.between(10.0, 40.0);
        }
        self.value += (self.target - self.value) * (seconds / self.lag_s).min(1.0);
        self.reading = seed.near(self.value, self.noise);
    }
}

/// How fast a lift goes, metres a second.
const LIFT_SPEED: f64 = 0.06;

/// The gauges of one bay.
#[derive(Debug)]
pub(super) struct Gauges {
    /// When each was read before, in the order of [`Tool::GAUGES`].
    read_us: [i64; Tool::GAUGES.len()],
    height_m: f64,
    /// The left side's share of the load.
    left_share: f64,
    air_m3: f64,
    pressure: Walk,
    energy_kwh: f64,
    voltage: Walk,
    temperature: Walk,
}

impl Gauges {
    pub(super) fn new(now_us: i64, seed: &mut Seed) -> Self {
        Gauges {
            read_us: [now_us; Tool::GAUGES.len()],
            height_m: 0.0,
            left_share: 0.5,
            air_m3: seed.between(200.0, 4000.0),
            pressure: Walk::new(seed.between(6.9, 7.3), 0.2, 8.0, 0.012),
            energy_kwh: seed.between(1000.0, 9000.0),
            voltage: Walk::new(seed.between(12.58, 12.72), 0.08, 4.0, 0.006),
            temperature: Walk::new(seed.between(19.0, 24.0), 1.0, 240.0, 0.04),
        }
    }

    /// Another vehicle stands on the lift.
    pub(super) fn load(&mut self, seed: &mut Seed) {
        self.left_share = seed.around(0.47, 0.53);
    }

    /// A tool draws air.
    pub(super) fn draw_air(&mut self, litres: f64) {
        self.air_m3 += litres / 1000.0;
        self.pressure.value -= 0.03;
    }

    /// The air counter keeps its register in volatile memory.
    pub(super) fn reset_air_register(&mut self) {
        self.air_m3 = 0.0;
    }

    /// Writes what `tool`, one of [`Tool::GAUGES`], measures now. `speed`: how many seconds of shop time a second
    /// has. A stuck one measures what it measured before; its registers go on.
    pub(super) fn read(
        &mut self,
        tool: Tool,
        (now_us, speed): (i64, f64),
        stuck: bool,
        condition: &Condition,
        message: Payload,
        seed: &mut Seed,
    ) -> Payload {
        let place = Tool::GAUGES.iter().position(|gauge| *gauge == tool).expect("only gauges are read");
        let seconds = (now_us - self.read_us[place]) as f64 / 1e6 * speed;
        self.read_us[place] = now_us;
        match tool {
            Tool::Lift => self.read_lift(seconds, condition, message, seed),
            Tool::Air => self.read_air(seconds, stuck, condition, message, seed),
            Tool::Energy => self.read_energy(seconds, condition, message),
            Tool::Supply => self.read_supply(seconds, stuck, condition, message, seed),
            _ => self.read_motor(seconds, stuck, condition, message, seed),
        }
    }

    fn lift_moves(&self, condition: &Condition) -> bool {
        (condition.height_m - self.height_m).abs() > 1e-9
    }

    fn read_lift(
        &mut self,
        seconds: f64,
        condition: &Condition,
        message: Payload,
        seed: &mut Seed,
    ) -> Payload {
        let way = condition.height_m - self.height_m;
        let most = LIFT_SPEED * seconds;
        self.height_m += way.clamp(-most, most);
        let raised = self.height_m > 0.05;
        let locked = raised && !self.lift_moves(condition);
        let mut side = |share: f64| {
            if raised { (condition.vehicle_kg * share + seed.near(0.0, 1.5)).max(0.0) } else { 0.0 }
        };
        let (left, right) = (side(self.left_share), side(1.0 - self.left_share));
        let height = self.height_m;
        message
            .object("metrics", |metrics| {
                metrics
                    .number("lift_height", height)
                    .number("lift_load_left", left)
                    .number("lift_load_right", right)
                    .flag("lift_raised", raised)
                    .flag("lift_locked", locked)
            })
            .raw("units", r#"{"lift_height":"m","lift_load_left":"kg","lift_load_right":"kg"}"#)
    }

    fn read_air(
        &mut self,
        seconds: f64,
        stuck: bool,
        condition: &Condition,
        message: Payload,
        seed: &mut Seed,
    ) -> Payload {
        let litres_per_minute = if condition.working { 90.0 } else { 4.0 };
        self.air_m3 += litres_per_minute * seconds / 60.0 / 1000.0;
        if !stuck {
            self.pressure.go(seconds, 7.1, seed);
        }
        let (volume, pressure) = (self.air_m3, self.pressure.reading);
        message
            .object("metrics", |metrics| {
                metrics.number("air_volume", volume).number("air_pressure", pressure)
            })
            .raw("units", r#"{"air_volume":"m3","air_pressure":"bar"}"#)
    }

    fn read_energy(&mut self, seconds: f64, condition: &Condition, message: Payload) -> Payload {
        let mut kilowatts = 0.12;
        if condition.working {
            kilowatts += 0.9;
        }
        if condition.support {
            kilowatts += 0.6;
        }
        if self.lift_moves(condition) {
            kilowatts += 2.6;
        }
        self.energy_kwh += kilowatts * seconds / 3600.0;
        message.reading("energy", self.energy_kwh, "kW.h")
    }

    fn read_supply(
        &mut self,
        seconds: f64,
        stuck: bool,
        condition: &Condition,
        message: Payload,
        seed: &mut Seed,
    ) -> Payload {
        if !stuck {
            let centre = if condition.support { 13.6 } else { 12.65 };
            self.voltage.go(seconds, centre, seed);
        }
        message.reading("voltage", self.voltage.reading, "V")
    }

    fn read_motor(
        &mut self,
        seconds: f64,
        stuck: bool,
        condition: &Condition,
        message: Payload,
        seed: &mut Seed,
    ) -> Payload {
        if !stuck {
            let warm = if condition.working { 17.0 } else { 0.0 };
            let moving = if self.lift_moves(condition) { 22.0 } else { 0.0 };
            self.temperature.go(seconds, 21.0 + warm + moving, seed);
        }
        message.reading("temperature", self.temperature.reading, "Cel")
    }
}

/// What a supply reads when the fault `malformed` has it: not a number, or in a unit that is none of a voltage.
pub(super) fn spoilt_voltage(channel: &mut Channel, ts_ms: i64, value: &str, unit: &str) -> Vec<u8> {
    channel.message(ts_ms).text("metric", "voltage").raw("value", value).text("unit", unit).finish()
}
