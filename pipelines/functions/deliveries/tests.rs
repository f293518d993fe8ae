use serde_json::json;

use super::super::queues::Draft;
use super::*;

const COURIER: &str = "erp";

/// A shop whose bills have so many items.
fn shop(items: u64) -> Functions {
    let mut functions = Functions::default();
    bill(&mut functions, items);
    functions
}

fn bill(functions: &mut Functions, items: u64) {
    for number in 0..items {
        let draft = Draft {
            at_ms: 1,
            site: None,
            job: None,
            kind: "line".into(),
            key: format!("{number}").into(),
            body: json!({}),
        };
        functions.queues.push(&mut functions.told, "billing", draft);
    }
}

fn told(functions: &mut Functions, item: u64, progress: Progress) -> Result<String, Refusal> {
    let (courier, queue, detail) = (COURIER.to_owned(), "billing".to_owned(), "so".to_owned());
    functions.deliver(&What::Deliver { courier, queue, item, progress, detail }, 5_000)
}

fn standing(functions: &Functions) -> DeliveryView {
    functions.deliveries().next().expect("it has begun")
}

fn conflict(told: Result<String, Refusal>, words: &str) {
    match told {
        Err(Refusal::Conflict(why)) => assert!(why.contains(words), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn items_go_out_in_their_order_and_each_counts_once() {
    let mut functions = shop(3);
    assert!(matches!(told(&mut functions, 1, Progress::Attempt), Err(Refusal::Unknown(_))));
    told(&mut functions, 1, Progress::Begin).expect("it begins");
    conflict(told(&mut functions, 1, Progress::Begin), "has begun already");
    conflict(told(&mut functions, 1, Progress::Sent), "is not on its way");
    conflict(told(&mut functions, 2, Progress::Attempt), "the next item of courier `erp` is 1");
    told(&mut functions, 1, Progress::Attempt).expect("it is sent");
    told(&mut functions, 1, Progress::Failed).expect("nobody is there");
    conflict(told(&mut functions, 1, Progress::Sent), "is not on its way");
    told(&mut functions, 1, Progress::Attempt).expect("it is sent again");
    assert_eq!((standing(&functions).attempts, standing(&functions).attempt_ms), (2, Some(5_000)));
    told(&mut functions, 1, Progress::Sent).expect("it has arrived");
    told(&mut functions, 1, Progress::Sent).expect("told once more, as after a crash");
    let now = standing(&functions);
    assert_eq!((now.settled, now.sent, now.waiting, now.attempts, now.failure), (1, 1, 2, 0, None));
}

#[test]
fn what_is_held_waits_for_a_person() {
    let mut functions = shop(2);
    told(&mut functions, 1, Progress::Begin).expect("it begins");
    conflict(told(&mut functions, 1, Progress::Resend), "waits for nobody");
    told(&mut functions, 1, Progress::Attempt).expect("it is sent");
    told(&mut functions, 1, Progress::Held).expect("it is refused");
    conflict(told(&mut functions, 1, Progress::Attempt), "waits for a person: so");
    conflict(told(&mut functions, 2, Progress::Skip), "the next item of courier `erp` is 1");
    told(&mut functions, 1, Progress::Resend).expect("a person says so");
    told(&mut functions, 1, Progress::Attempt).expect("it is sent again");
    told(&mut functions, 1, Progress::Held).expect("it is refused again");
    told(&mut functions, 1, Progress::Skip).expect("a person gives it up");
    let now = standing(&functions);
    assert_eq!((now.settled, now.sent, now.skipped, now.waiting), (1, 0, 1, 1));
    told(&mut functions, 2, Progress::Attempt).expect("the next one is sent");
    conflict(told(&mut functions, 3, Progress::Attempt), "the next item of courier `erp` is 2");
    told(&mut functions, 2, Progress::Sent).expect("it has arrived");
    conflict(told(&mut functions, 3, Progress::Attempt), "there is no item 3 yet");
    bill(&mut functions, 1);
    told(&mut functions, 3, Progress::Attempt).expect("it is there now");
}

#[test]
fn a_courier_gets_one_queue() {
    let mut functions = shop(1);
    told(&mut functions, 1, Progress::Begin).expect("it begins");
    let other = What::Deliver {
        courier: COURIER.to_owned(),
        queue: "audit".to_owned(),
        item: 1,
        progress: Progress::Attempt,
        detail: String::new(),
    };
    conflict(functions.deliver(&other, 1), "gets queue `billing`");
}

#[test]
fn couriers_are_bounded() {
    let mut functions = shop(1);
    let mut begin = |number: usize| {
        let (courier, queue) = (format!("hook-{number}"), "billing".to_owned());
        let (progress, detail) = (Progress::Begin, String::new());
        functions.deliver(&What::Deliver { courier, queue, item: 1, progress, detail }, 1)
    };
    (0..COURIERS_MAX).for_each(|number| drop(begin(number).expect("there is room")));
    conflict(begin(COURIERS_MAX), "there are 100 couriers already");
}

/// A mail takes what is for mail; the rest of the queue is not its own.
#[test]
fn what_is_for_others_is_passed_over_and_counted() {
    let mut functions = shop(6);
    told(&mut functions, 1, Progress::Begin).expect("it begins");
    told(&mut functions, 3, Progress::Passed).expect("three of them");
    told(&mut functions, 3, Progress::Passed).expect("told once more, as after a crash");
    told(&mut functions, 4, Progress::Attempt).expect("the next");
    conflict(told(&mut functions, 5, Progress::Passed), "cannot be passed over any more");
    told(&mut functions, 4, Progress::Sent).expect("it was on its way");
    conflict(told(&mut functions, 7, Progress::Passed), "there is no item 7 yet");
    told(&mut functions, 6, Progress::Passed).expect("the rest");
    let now = standing(&functions);
    assert_eq!((now.settled, now.waiting, now.sent, now.passed, now.skipped), (6, 0, 1, 5, 0));
}
