use super::*;

const DAY_MS: i64 = 24 * HOUR_MS;

fn day(resource: &str, series: u32) -> MeterDay {
    MeterDay { site: "lyon".into(), resource: resource.into(), unit: "L".into(), started_ms: 0, series }
}

fn reads(balances: &mut Balances, day: &MeterDay, before: Option<f64>, now: f64, is_booked: bool) {
    let quantity = before.filter(|before| now >= *before).map(|before| now - before);
    let fresh = Balance::new(MeterKind::Counter, 0, DAY_MS);
    let room = balances.take(day.clone(), fresh, |balance| {
        balance.write(Some(Shown { before, now }), quantity, is_booked);
    });
    assert!(room);
}

fn tell(balances: &mut Balances, bay: u32, passed: Passed) -> Vec<(MeterDay, Balance)> {
    let is_time = balances.is_waited_for(bay) && balances.is_time(bay, passed);
    balances.due(bay, passed, is_time)
}

fn passed(hours: i64) -> Passed {
    Passed { frontier_ms: hours * HOUR_MS, is_silent: false, is_closed: false }
}

#[test]
fn a_counters_rise_is_what_steps_and_nobody_used_and_a_reset_is_told_and_nobodys() {
    let (mut balances, meter) = (Balances::default(), day("oil", 0));
    for (before, now, is_booked) in [
        (None, 100.0, false),
        (Some(100.0), 104.2, true),
        (Some(104.2), 105.0, false),
        (Some(105.0), 3.0, true),
    ] {
        reads(&mut balances, &meter, before, now, is_booked);
    }
    reads(&mut balances, &meter, Some(3.0), 3.5, true);
    assert!(tell(&mut balances, 0, passed(1)).is_empty(), "its first hour goes on");
    let due = tell(&mut balances, 0, passed(24));
    let [(_, balance)] = due.as_slice() else { panic!("one balance, not {due:?}") };
    assert_eq!(balance.shown, Some((100.0, 3.5)));
    assert_eq!((balance.resets, balance.reset_quantity), (1, 102.0));
    assert!((balance.metered() - 5.5).abs() < 1e-9 && (balance.drawn.booked - 4.7).abs() < 1e-9);
    assert!((balance.drawn.unassigned - 0.8).abs() < 1e-9);
    assert_eq!(balance.difference().to_bits(), 0, "what arithmetic leaves is nothing");
    assert!(balance.is_final);
}

#[test]
fn a_balance_is_told_each_hour_and_a_correction_is_the_next_revision_of_a_final_one() {
    let (mut balances, meter) = (Balances::default(), day("oil", 0));
    let told = |balances: &mut Balances, at: Passed| {
        let due = tell(balances, 0, at);
        due.iter().map(|(_, told)| (told.revision, told.is_final)).collect::<Vec<_>>()
    };
    reads(&mut balances, &meter, None, 1.0, false);
    assert_eq!(told(&mut balances, passed(1)), []);
    reads(&mut balances, &meter, Some(1.0), 2.0, true);
    assert_eq!(told(&mut balances, passed(2)), [(1, false)]);
    assert_eq!(told(&mut balances, passed(3)), [], "nothing is new");
    reads(&mut balances, &meter, Some(2.0), 3.0, true);
    let silent = |minutes: i64| Passed {
        frontier_ms: 3 * HOUR_MS + minutes * 60_000,
        is_silent: true,
        is_closed: false,
    };
    assert_eq!(told(&mut balances, silent(5)), [], "it has just told what it had");
    assert_eq!(told(&mut balances, silent(11)), [(2, false)]);
    assert_eq!(told(&mut balances, passed(24)), [(3, true)]);
    reads(&mut balances, &meter, Some(3.0), 4.0, true);
    assert_eq!(told(&mut balances, passed(24)), [(4, true)]);
    balances.forget(|_| DAY_MS);
    assert_eq!(balances.days.len(), 1, "a correction may still come");
    balances.forget(|_| DAY_MS + 1);
    assert_eq!(balances.days.len(), 0);
}

#[test]
fn a_tank_lost_what_its_level_fell_by_and_no_dispenser_of_its_site_measured() {
    let mut balances = Balances::default();
    let (tank, pump) = (day("oil", 3), day("oil", 7));
    let other = MeterDay { site: "oslo".into(), ..day("oil", 8) };
    let fresh = |kind, bay| Balance::new(kind, bay, DAY_MS);
    for (before, now) in [(None, 500.0), (Some(500.0), 488.0)] {
        balances.take(tank.clone(), fresh(MeterKind::Level, 0), |balance| {
            balance.write(Some(Shown { before, now }), None, false);
        });
    }
    for (pump, is_booked) in [(&pump, true), (&pump, false), (&other, true)] {
        balances.take(pump.clone(), fresh(MeterKind::Amount, 1), |balance| {
            balance.write(None, Some(4.5), is_booked);
        });
    }
    assert_eq!(tell(&mut balances, 0, passed(0)).len(), 0);
    assert_eq!(tell(&mut balances, 1, passed(0)).len(), 0);
    let due = tell(&mut balances, 0, passed(25));
    assert_eq!(due.len(), 1);
    let told = |due: &[(MeterDay, Balance)]| {
        let (_, tank) = due.iter().find(|(day, _)| *day == tank).expect("the tank's");
        assert_eq!((tank.metered(), tank.drawn.booked, tank.drawn.unassigned), (12.0, 4.5, 4.5));
        assert_eq!(tank.difference(), 3.0);
        tank.is_final
    };
    assert!(!told(&due), "a dispenser's day goes on");
    let due = tell(&mut balances, 1, passed(25));
    assert_eq!(due.len(), 3);
    assert!(told(&due), "all have passed it");
}

#[test]
fn beyond_the_bound_a_meter_has_no_balance_and_those_that_are_there_go_on() {
    let mut balances = Balances::default();
    let mut take = |series: u32| {
        let fresh = Balance::new(MeterKind::Amount, 0, DAY_MS);
        balances.take(day("oil", series), fresh, |balance| balance.write(None, Some(1.0), true))
    };
    assert!((0..BALANCES_MAX).all(|number| take(u32::try_from(number).expect("small"))));
    assert!(!take(u32::MAX) && take(0));
}
