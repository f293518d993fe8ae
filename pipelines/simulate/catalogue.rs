//! What the shop does: services, their operations, and what each tightens, fills and fits.

/// Joints that an operation tightens.
#[derive(Debug)]
pub(super) struct Torque {
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) angle_min: f64,
    pub(super) angle_max: f64,
    pub(super) joints: u32,
    pub(super) pset: &'static str,
    pub(super) class: &'static str,
}

/// A fluid that an operation fills in: the grade is the resource on the card and the tag of the dispenser.
#[derive(Debug)]
pub(super) struct Fluid {
    pub(super) grade: &'static str,
    pub(super) least_litres: f64,
    pub(super) most_litres: f64,
}

/// A part that is booked by hand.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) resource: &'static str,
    pub(super) quantity: f64,
}

/// A labour line.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) name: &'static str,
    /// Standard time in a real shop.
    pub(super) standard_s: f64,
    pub(super) skill: &'static str,
    /// Height of the lift while it goes on; 0 on the floor.
    pub(super) height_m: f64,
    pub(super) torque: Option<Torque>,
    pub(super) fluid: Option<Fluid>,
    pub(super) parts: &'static [Part],
    /// Whether the 12 V supply must support the vehicle.
    pub(super) support: bool,
}

/// What a customer books.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) operations: &'static [Operation],
}

/// All skills; a technician has some of them.
pub(super) const SKILLS: [&str; 5] = ["mechanic", "tyres", "brakes", "electrical", "qa"];

/// Least voltage that an operation with support expects.
pub(super) const SUPPORT_VOLTAGE_MIN: f64 = 12.5;

const fn operation(name: &'static str, standard_s: f64, skill: &'static str) -> Operation {
    Operation {
        name,
        standard_s,
        skill,
        height_m: 0.0,
        torque: None,
        fluid: None,
        parts: &[],
        support: false,
    }
}

const fn joints(
    count: u32,
    torque: (f64, f64),
    angle: (f64, f64),
    pset: &'static str,
    class: &'static str,
) -> Torque {
    Torque {
        min: torque.0,
        max: torque.1,
        angle_min: angle.0,
        angle_max: angle.1,
        joints: count,
        pset,
        class,
    }
}

const fn fluid(grade: &'static str, least_litres: f64, most_litres: f64) -> Option<Fluid> {
    Some(Fluid { grade, least_litres, most_litres })
}

const fn part(resource: &'static str, quantity: f64) -> Part {
    Part { resource, quantity }
}

const QUALITY_CHECK: Operation = operation("quality_check", 300.0, "qa");

/// The first is what the first bay begins with: it has the most to see.
pub(super) static SERVICES: [Service; 7] = [
    Service {
        name: "wheel_change",
        operations: &[
            Operation {
                height_m: 1.2,
                torque: Some(joints(20, (110.0, 130.0), (25.0, 60.0), "P20", "A")),
                parts: &[part("balance_weight_10g", 8.0)],
                ..operation("mount_wheels", 900.0, "tyres")
            },
            QUALITY_CHECK,
        ],
    },
    Service {
        name: "oil_service",
        operations: &[
            Operation {
                height_m: 1.8,
                torque: Some(joints(1, (25.0, 35.0), (15.0, 45.0), "P03", "B")),
                parts: &[part("drain_plug_gasket", 1.0)],
                ..operation("drain_oil", 600.0, "mechanic")
            },
            Operation {
                height_m: 1.8,
                torque: Some(joints(1, (20.0, 28.0), (60.0, 120.0), "P04", "B")),
                parts: &[part("oil_filter", 1.0)],
                ..operation("change_oil_filter", 480.0, "mechanic")
            },
            Operation { fluid: fluid("oil_5w30", 3.8, 5.6), ..operation("fill_oil", 420.0, "mechanic") },
            QUALITY_CHECK,
        ],
    },
    Service {
        name: "brake_service",
        operations: &[
            Operation {
                height_m: 1.2,
                torque: Some(joints(8, (80.0, 95.0), (20.0, 50.0), "P31", "A")),
                parts: &[part("brake_pad_set", 1.0)],
                ..operation("change_brake_pads", 1500.0, "brakes")
            },
            Operation {
                height_m: 1.2,
                torque: Some(joints(4, (8.0, 12.0), (10.0, 30.0), "P32", "A")),
                fluid: fluid("brake_fluid_dot4", 0.8, 1.1),
                ..operation("bleed_brakes", 1200.0, "brakes")
            },
            QUALITY_CHECK,
        ],
    },
    Service {
        name: "coolant_service",
        operations: &[
            Operation {
                height_m: 1.6,
                torque: Some(joints(2, (9.0, 13.0), (30.0, 75.0), "P11", "B")),
                ..operation("drain_coolant", 720.0, "mechanic")
            },
            Operation {
                fluid: fluid("coolant_g12", 5.0, 8.5),
                ..operation("fill_coolant", 600.0, "mechanic")
            },
            QUALITY_CHECK,
        ],
    },
    Service {
        name: "gearbox_service",
        operations: &[
            Operation {
                height_m: 1.8,
                torque: Some(joints(12, (10.0, 14.0), (40.0, 90.0), "P41", "B")),
                parts: &[part("gearbox_filter", 1.0), part("gearbox_pan_gasket", 1.0)],
                ..operation("change_gearbox_filter", 1800.0, "mechanic")
            },
            Operation {
                height_m: 1.8,
                fluid: fluid("atf_6", 5.5, 7.5),
                ..operation("fill_gearbox", 900.0, "mechanic")
            },
            QUALITY_CHECK,
        ],
    },
    Service {
        name: "control_unit_update",
        operations: &[
            Operation { support: true, ..operation("read_faults", 300.0, "electrical") },
            Operation { support: true, ..operation("program_control_unit", 1500.0, "electrical") },
            QUALITY_CHECK,
        ],
    },
    Service {
        name: "timing_belt",
        operations: &[
            Operation {
                height_m: 0.9,
                torque: Some(joints(10, (40.0, 50.0), (80.0, 110.0), "P52", "A")),
                parts: &[part("timing_belt_kit", 1.0), part("water_pump", 1.0)],
                ..operation("change_timing_belt", 2700.0, "mechanic")
            },
            Operation {
                fluid: fluid("coolant_g12", 4.0, 6.0),
                ..operation("fill_coolant", 600.0, "mechanic")
            },
            QUALITY_CHECK,
        ],
    },
];
