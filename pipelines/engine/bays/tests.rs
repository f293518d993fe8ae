use super::*;

#[test]
fn a_bay_far_behind_keeps_its_own_time() {
    let mut bays = Bays::new(30_000, 30_000, 86_400_000);
    bays.heard(0, 1_000_000, 1_000_000);
    bays.heard(1, 400_000, 1_000_100);
    assert_eq!(bays.watermark_ms(0), 970_000);
    assert_eq!(bays.watermark_ms(1), 370_000);
    bays.heard(0, 900_000, 1_000_200);
    assert_eq!(bays.watermark_ms(0), 970_000, "an older row moves nothing back");
}

#[test]
fn a_silent_bay_is_released_once_and_later_closed_and_speaks_again() {
    let mut bays = Bays::new(30_000, 30_000, 86_400_000);
    bays.heard(0, 1_000_000, 1_000_500);
    assert_eq!(bays.next_deadline_ms(1_001_000), Some(1_031_000));
    assert!(bays.tick(1_030_000).released.is_empty());
    assert_eq!(bays.tick(1_031_000).released, [0]);
    assert!(bays.tick(1_032_000).released.is_empty());
    assert_eq!(bays.tick(1_031_000 + 86_400_000).closed, [0]);
    assert_eq!(bays.frontier_ms(0), 1_000_000 + 86_400_000);
    bays.heard(0, 1_000_001, 99_000_000);
    assert_eq!(bays.frontier_ms(0), 970_001);
}

#[test]
fn a_state_without_a_time_shows_that_a_bay_lives_and_not_how_far_it_has_come() {
    let mut bays = Bays::new(30_000, 30_000, 86_400_000);
    bays.heard(0, 1_000_000, 1_000_000);
    bays.heard(0, i64::MIN, 2_000_000);
    assert_eq!(bays.watermark_ms(0), 970_000);
    assert!(bays.tick(2_029_000).released.is_empty());
    bays.heard(1, i64::MIN, 2_010_000);
    assert_eq!(bays.watermark_ms(1), i64::MIN);
    assert_eq!(bays.tick(2_040_000).released, [0, 1], "what it has is shown all the same");
    assert_eq!(bays.tick(2_040_000 + 86_400_000).closed, [0, 1]);
    assert_eq!(bays.frontier_ms(1), 2_010_000 + 86_400_000);
}

#[test]
fn a_shop_where_all_bays_are_silent_waits_for_nobody_and_is_not_at_the_end_of_time() {
    let site: Box<str> = "lyon".into();
    let mut bays = Bays::new(30_000, 30_000, 86_400_000);
    bays.heard(0, 1_000_000, 1_000_000);
    bays.heard(1, 1_020_000, 1_020_000);
    assert_eq!(bays.least_ms(|_| &site).1, 970_000);
    bays.tick(1_040_000);
    assert_eq!(bays.least_ms(|_| &site).1, 990_000, "only the second bay is waited for");
    bays.tick(1_060_000);
    let (sites, all_ms) = bays.least_ms(|_| &site);
    assert_eq!((sites["lyon"], all_ms), (990_000, 990_000));
}
