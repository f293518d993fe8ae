//! Status: a flat object whose members are readings. Without `ts` it is of its arrival.

use super::head::Head;
use super::members::Member;
use super::scan::{Scan, Scanner};
use super::work::Work;

/// Takes the object that begins here.
pub(super) fn element<'a>(scanner: &mut Scanner<'a>, work: &mut Work<'a>) -> Scan<()> {
    let mut head = Head::default();
    let mut units = None;
    let mut members = std::mem::take(&mut work.members);
    members.clear();
    let raw = scanner.raw(|scanner| {
        scanner.members(|scanner, name| {
            let says = name.get();
            if &*says == "units" {
                units = Some(scanner.value()?);
            } else if !head.take(&says, scanner)? {
                members.push(Member::take(name, scanner)?);
            }
            Ok(())
        })
    });
    work.members = members;
    let arrived_ms = work.message.arrived_ms;
    work.element(raw?, &head, Some(arrived_ms), |work, context| work.readings(context, units));
    Ok(())
}
