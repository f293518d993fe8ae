//! Acts carried out: what people do, and what their tools say about it.

use std::sync::Arc;

use super::agenda::Act;
use super::catalogue::Part;
use super::device::Tool;
use super::fault::Fault;
use super::step;
use super::workshop::Workshop;

impl Workshop {
    /// Carries out the first act of a bay's agenda, and sets when the next comes.
    pub(super) fn act(&mut self, bay: usize) {
        if let Some(act) = self.bays[bay].agenda.pop() {
            match act {
                Act::TakeIn => self.take_in(bay),
                Act::Arrive => self.arrive(bay),
                Act::Assign => self.assign(bay),
                Act::Start => self.start(bay),
                Act::Raise(height_m) => self.bays[bay].condition.height_m = height_m,
                Act::Tighten { joint, again } => self.tighten(bay, joint, again),
                Act::Dispense { grade, litres } => self.dispense(bay, grade, litres),
                Act::Book(part) => self.book(bay, part),
                Act::Pause => self.pause(bay),
                Act::Resume => self.resume(bay),
                Act::Finish => self.finish(bay),
                Act::Depart => self.depart(bay),
            }
        }
        self.set_next_act(bay);
    }

    fn later(&mut self, bay: usize, least_s: f64, most_s: f64, act: Act) {
        let shop_s = self.seed.between(least_s, most_s);
        let at_us = self.now_us + self.shop_us(shop_s);
        self.bays[bay].agenda.add(at_us, act);
    }

    fn take_in(&mut self, bay: usize) {
        let office = &mut self.offices[self.bays[bay].site];
        let (job, service) =
            office.book(bay == 0 && self.bays[bay].jobs == 0, self.settings.speed, &mut self.seed);
        let payload = office.card(&job, service, self.now_us / 1000, &mut self.seed);
        let topic = Arc::clone(&office.jobs.topic);
        self.bays[bay].job = Some(job);
        self.bays[bay].jobs += 1;
        self.bays[bay].step = 0;
        self.send_directly(topic, payload, false);
    }

    fn arrive(&mut self, bay: usize) {
        let station = &mut self.bays[bay];
        station.condition.vehicle_kg = station.job.as_ref().map_or(0.0, |job| job.vehicle_kg);
        station.gauges.load(&mut self.seed);
        self.send_bay_status(bay, true);
        self.later(bay, 2.0, 8.0, Act::Assign);
    }

    fn assign(&mut self, bay: usize) {
        let station = &mut self.bays[bay];
        let Some(job) = &station.job else { return };
        let skill = job.steps[station.step].operation.skill;
        station.technician = self.offices[station.site].assign(skill);
        if station.technician.is_none() {
            // Nobody with the skill is free: ask again.
            return self.later(bay, 10.0, 20.0, Act::Assign);
        }
        self.bays[bay].is_unclocked = false;
        self.send_step_event(bay, "assigned");
        self.later(bay, 3.0, 25.0, Act::Start);
    }

    fn start(&mut self, bay: usize) {
        let station = &mut self.bays[bay];
        let Some(job) = &station.job else { return };
        let planned = &job.steps[station.step];
        station.condition.working = true;
        station.condition.support = planned.operation.support;
        station.is_unclocked = self.fate.strikes(Fault::Unclocked, &mut self.seed);
        let acts = step::plan(planned, &mut self.fate, &mut self.seed);
        for (at_s, act) in acts {
            // The plan is in seconds at the pace of this shop already.
            station.agenda.add(self.now_us + (at_s * 1e6) as i64, act);
        }
        self.send_step_event(bay, "started");
    }

    fn pause(&mut self, bay: usize) {
        self.bays[bay].condition.working = false;
        self.send_step_event(bay, "paused");
    }

    fn resume(&mut self, bay: usize) {
        self.bays[bay].condition.working = true;
        self.send_step_event(bay, "resumed");
    }

    fn finish(&mut self, bay: usize) {
        self.send_step_event(bay, "finished");
        let station = &mut self.bays[bay];
        station.condition.working = false;
        station.condition.support = false;
        if let Some(technician) = station.technician.take() {
            self.offices[station.site].release(technician);
        }
        station.step += 1;
        let steps = station.job.as_ref().map_or(0, |job| job.steps.len());
        if station.step < steps {
            return self.later(bay, 4.0, 20.0, Act::Assign);
        }
        station.condition.height_m = 0.0;
        self.later(bay, 60.0, 120.0, Act::Depart);
    }

    fn depart(&mut self, bay: usize) {
        self.bays[bay].job = None;
        self.bays[bay].condition.vehicle_kg = 0.0;
        self.send_bay_status(bay, false);
        self.later(bay, 5.0, 60.0, Act::TakeIn);
        self.later(bay, 70.0, 240.0, Act::Arrive);
    }

    fn tighten(&mut self, bay: usize, joint: u32, again: bool) {
        let station = &mut self.bays[bay];
        let Some(job) = &station.job else { return };
        let Some(torque) = &job.steps[station.step].operation.torque else { return };
        station.gauges.draw_air(4.0);
        if station.device(Tool::Torque).silent {
            return;
        }
        let (newton_metres, degrees, bad) = step::tighten(torque, again, &mut self.fate, &mut self.seed);
        if bad && self.seed.chance(0.8) {
            let shop_s = self.seed.between(6.0, 12.0);
            let at_us = self.now_us + self.shop_us(shop_s);
            self.bays[bay].agenda.add_within_step(at_us, Act::Tighten { joint, again: true });
        }
        let ts_ms = self.bays[bay].tool_ts_ms(Tool::Torque, self.now_us);
        let message = self.bays[bay].device_mut(Tool::Torque).telemetry.message(ts_ms);
        let payload = message
            .object("metrics", |metrics| metrics.number("torque", newton_metres).number("angle", degrees))
            .raw("units", r#"{"torque":"N.m","angle":"deg"}"#)
            .object("tags", |tags| {
                tags.text("joint", &format!("J{:02}", joint + 1)).text("pset", torque.pset)
            })
            .finish();
        self.send_telemetry(bay, Tool::Torque, payload);
    }

    fn dispense(&mut self, bay: usize, grade: &str, litres: f64) {
        let ts_ms = self.bays[bay].tool_ts_ms(Tool::Dispenser, self.now_us);
        let message = self.bays[bay].device_mut(Tool::Dispenser).telemetry.message(ts_ms);
        let payload = message
            .reading("dispensed", litres, "L")
            .object("tags", |tags| tags.text("grade", grade))
            .finish();
        self.send_telemetry(bay, Tool::Dispenser, payload);
    }

    fn book(&mut self, bay: usize, part: &Part) {
        let ts_ms = self.bays[bay].ts_ms(self.now_us);
        let station = &mut self.bays[bay];
        let Some(job) = &station.job else { return };
        let payload = station
            .usage
            .message(ts_ms)
            .text("job", &job.name)
            .text("step", &job.steps[station.step].name)
            .text("resource", part.resource)
            .number("quantity", part.quantity)
            .finish();
        let topic = Arc::clone(&station.usage.topic);
        self.send(bay, topic, payload, 1, false);
    }

    fn send_step_event(&mut self, bay: usize, event: &str) {
        let ts_ms = self.bays[bay].ts_ms(self.now_us);
        let station = &mut self.bays[bay];
        let Some(job) = station.job.as_ref().filter(|_| !station.is_unclocked) else { return };
        let mut message =
            station.steps.message(ts_ms).text("job", &job.name).text("step", &job.steps[station.step].name);
        if let Some(technician) = station.technician {
            message = message.text("technician", self.offices[station.site].technician(technician));
        }
        let payload = message.text("event", event).finish();
        let topic = Arc::clone(&station.steps.topic);
        self.send(bay, topic, payload, 1, false);
    }
}
