//! What happens while a step is worked on, planned when it starts.

use super::agenda::Act;
use super::catalogue::Torque;
use super::fault::{Fate, Fault};
use super::office::PlannedStep;
use super::seed::Seed;

/// The acts of a step from now on, each with its seconds from the start of the step, in order. The last is
/// [`Act::Finish`].
pub(super) fn plan(step: &PlannedStep, fate: &mut Fate, seed: &mut Seed) -> Vec<(f64, Act)> {
    let operation = step.operation;
    let share =
        if fate.strikes(Fault::Overrun, seed) { seed.between(2.0, 2.3) } else { seed.around(0.7, 1.15) };
    let length_s = step.standard_s * share;
    let at = |share: f64| length_s * share;
    let mut acts = vec![(at(0.02), Act::Raise(operation.height_m))];
    for part in operation.parts {
        acts.push((at(seed.between(0.06, 0.14)), Act::Book(part)));
    }
    if let Some(torque) = &operation.torque {
        let joints = f64::from(torque.joints);
        let missed =
            fate.strikes(Fault::MissedJoint, seed).then(|| seed.below(torque.joints as usize) as u32);
        for joint in (0..torque.joints).filter(|joint| missed != Some(*joint)) {
            let place = (f64::from(joint) + seed.between(0.2, 0.8)) / joints;
            acts.push((at(0.15 + 0.75 * place), Act::Tighten { joint, again: false }));
        }
    }
    if let Some(fluid) = &operation.fluid {
        let shots = shots(step.litres, fate, seed);
        for (number, litres) in shots.iter().enumerate() {
            let place = (number as f64 + seed.between(0.2, 0.8)) / shots.len() as f64;
            acts.push((at(0.35 + 0.5 * place), Act::Dispense { grade: fluid.grade, litres: *litres }));
        }
    }
    acts.push((length_s, Act::Finish));
    acts.sort_by(|a, b| a.0.total_cmp(&b.0));
    if seed.chance(0.12) {
        pause(&mut acts, step.standard_s, at(seed.between(0.3, 0.8)), seed);
    }
    acts
}

/// Lets all that would happen after `from_s` wait for a part, a decision, lunch.
fn pause(acts: &mut Vec<(f64, Act)>, standard_s: f64, from_s: f64, seed: &mut Seed) {
    let length_s = standard_s * seed.between(0.2, 0.8);
    let place = acts.partition_point(|(at_s, _)| *at_s <= from_s);
    for (at_s, _) in &mut acts[place..] {
        *at_s += length_s;
    }
    acts.splice(place..place, [(from_s, Act::Pause), (from_s + length_s, Act::Resume)]);
}

/// How much each shot of a filling has, in litres. Together they are the plan within 1.5 %.
fn shots(litres: f64, fate: &mut Fate, seed: &mut Seed) -> Vec<f64> {
    let count = 2 + seed.below(4);
    let total = litres * seed.around(0.985, 1.015);
    let weights: Vec<f64> = (0..count).map(|_| seed.between(0.7, 1.3)).collect();
    let sum: f64 = weights.iter().sum();
    let mut shots: Vec<f64> = weights.iter().map(|weight| total * weight / sum).collect();
    if fate.strikes(Fault::OverDispense, seed) {
        shots[count - 1] = litres * seed.between(1.3, 1.8);
    }
    shots
}

/// Torque in N.m and angle in degrees of a tightening, and whether it is out of its window.
pub(super) fn tighten(torque: &Torque, again: bool, fate: &mut Fate, seed: &mut Seed) -> (f64, f64, bool) {
    let inside = |low: f64, high: f64, seed: &mut Seed| {
        let margin = 0.05 * (high - low);
        seed.around(low + margin, high - margin)
    };
    let angle = inside(torque.angle_min, torque.angle_max, seed);
    // The second try is made with care.
    if again || !fate.strikes(Fault::NokTorque, seed) {
        return (inside(torque.min, torque.max, seed), angle, false);
    }
    if seed.chance(0.6) {
        (torque.min * seed.between(0.7, 0.95), torque.angle_min * seed.between(0.4, 0.9), true)
    } else {
        (torque.max * seed.between(1.04, 1.2), torque.angle_max * seed.between(1.05, 1.4), true)
    }
}
