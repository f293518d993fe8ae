//! The front office of a site: job cards, and which technician is free.

use super::catalogue::{Operation, SERVICES, SKILLS, SUPPORT_VOLTAGE_MIN, Service};
use super::device::Channel;
use super::payload::Payload;
use super::seed::Seed;

/// A job on a bay.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) name: String,
    pub(super) vehicle_kg: f64,
    pub(super) steps: Vec<PlannedStep>,
}

/// One of its steps.
#[derive(Debug)]
pub(super) struct PlannedStep {
    /// `S01` and so on.
    pub(super) name: String,
    pub(super) operation: &'static Operation,
    /// Standard time at the pace of this shop.
    pub(super) standard_s: f64,
    /// Of the operation's fluid; 0 without one.
    pub(super) litres: f64,
}

#[derive(Debug)]
struct Technician {
    name: String,
    skills: Vec<&'static str>,
    busy: bool,
}

/// What a site has beside its bays.
#[derive(Debug)]
pub(super) struct Office {
    pub(super) jobs: Channel,
    pub(super) assets: Channel,
    technicians: Vec<Technician>,
    booked: u32,
}

impl Office {
    /// `bays` decides how many technicians there are.
    pub(super) fn new(site: &str, bays: u32, seed: &mut Seed) -> Self {
        let hire = |number: u32| {
            // Each skill is somebody's, or a job could wait for ever.
            let sure = SKILLS[number as usize % SKILLS.len()];
            let skills = SKILLS.into_iter().filter(|skill| *skill == sure || seed.chance(0.5)).collect();
            Technician { name: format!("T{:02}", number + 1), skills, busy: false }
        };
        let technicians = (0..(bays + bays / 2).max(SKILLS.len() as u32)).map(hire).collect();
        let booked = 100 * seed.below(500) as u32;
        let jobs = Channel::new(format!("workshop/{site}/jobs"), 1);
        let assets = Channel::new(format!("workshop/{site}/assets"), 1);
        Office { jobs, assets, technicians, booked }
    }

    /// A free technician with the skill, from now on busy.
    pub(super) fn assign(&mut self, skill: &str) -> Option<usize> {
        let free = |technician: &Technician| !technician.busy && technician.skills.contains(&skill);
        let found = self.technicians.iter().position(free)?;
        self.technicians[found].busy = true;
        Some(found)
    }

    pub(super) fn release(&mut self, technician: usize) {
        self.technicians[technician].busy = false;
    }

    pub(super) fn technician(&self, technician: usize) -> &str {
        &self.technicians[technician].name
    }

    /// Books a job: of the first service for the first job of all, else of any.
    pub(super) fn book(&mut self, first: bool, speed: f64, seed: &mut Seed) -> (Job, &'static Service) {
        self.booked += 1;
        let service = if first { &SERVICES[0] } else { seed.pick(&SERVICES) };
        let plan = |(at, operation): (usize, &'static Operation)| {
            let litres = operation.fluid.as_ref().map_or(0.0, |fluid| {
                // Cards are written in tenths of a litre.
                (seed.between(fluid.least_litres, fluid.most_litres) * 10.0).round() / 10.0
            });
            let standard_s = operation.standard_s / speed;
            PlannedStep { name: format!("S{:02}", at + 1), operation, standard_s, litres }
        };
        let steps = service.operations.iter().enumerate().map(plan).collect();
        let vehicle_kg = seed.between(950.0, 2300.0);
        (Job { name: format!("J{:06}", self.booked), vehicle_kg, steps }, service)
    }

    /// The card of a job, as it is published at `ts_ms`.
    pub(super) fn card(&mut self, job: &Job, service: &Service, ts_ms: i64, seed: &mut Seed) -> Vec<u8> {
        let standard_s: f64 = job.steps.iter().map(|step| step.standard_s).sum();
        let promised_ms = ts_ms + (standard_s * seed.between(1.4, 2.2) * 1000.0) as i64;
        let steps: Vec<String> = job.steps.iter().map(card_step).collect();
        self.jobs
            .message(ts_ms)
            .text("job", &job.name)
            .text("customer", &format!("C{:04}", seed.below(10_000)))
            .text("vehicle", &vehicle_number(seed))
            .text("service", service.name)
            .integer("promised", promised_ms)
            .raw("steps", &format!("[{}]", steps.join(",")))
            .finish()
    }
}

/// 17 characters without I, O and Q, as on a vehicle.
fn vehicle_number(seed: &mut Seed) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPRSTUVWXYZ0123456789";
    (0..17).map(|_| char::from(*seed.pick(LETTERS))).collect()
}

fn card_step(step: &PlannedStep) -> String {
    let operation = step.operation;
    let mut expect = Vec::new();
    if let Some(torque) = &operation.torque {
        let torque_window = Payload::object_of(|item| {
            item.text("metric", "torque")
                .number("min", torque.min)
                .number("max", torque.max)
                .number("count", f64::from(torque.joints))
                .text("pset", torque.pset)
                .text("class", torque.class)
        });
        let angle_window = Payload::object_of(|item| {
            item.text("metric", "angle")
                .number("min", torque.angle_min)
                .number("max", torque.angle_max)
                .text("pset", torque.pset)
                .text("class", torque.class)
        });
        expect.extend([torque_window, angle_window]);
    }
    if operation.support {
        expect.push(Payload::object_of(|item| {
            item.text("metric", "voltage").number("min", SUPPORT_VOLTAGE_MIN)
        }));
    }
    let resource = |name: &str, quantity: f64| {
        Payload::object_of(|item| item.text("resource", name).number("quantity", quantity))
    };
    let mut resources: Vec<String> =
        operation.parts.iter().map(|part| resource(part.resource, part.quantity)).collect();
    resources.extend(operation.fluid.as_ref().map(|fluid| {
        Payload::object_of(|item| {
            item.text("resource", fluid.grade).number("quantity", step.litres).text("unit", "L")
        })
    }));
    Payload::object_of(|item| {
        item.text("step", &step.name)
            .text("operation", operation.name)
            .number("standard_s", step.standard_s)
            .raw("skills", &format!("[\"{}\"]", operation.skill))
            .raw("expect", &format!("[{}]", expect.join(",")))
            .raw("resources", &format!("[{}]", resources.join(",")))
    })
}
