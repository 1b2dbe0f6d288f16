//! Counts the heap calls of one signature, apart from `signing`, whose times a counting allocator would falsify.
//!
//! Prints a line `CASE SUBJECT COUNT` for each: allocations and reallocations, after a first signature that fills
//! the signers' caches.

use std::alloc::System;
use std::error::Error;

use sigv4_bench::cases::Case;
use sigv4_bench::subjects;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> Result<(), Box<dyn Error>> {
    for case in Case::all() {
        for (name, subject) in subjects::all(&case)? {
            subject.signed()?;
            // The fewest of a few: the date's second may turn within one of them.
            let mut fewest = usize::MAX;
            for _ in 0..5 {
                subject.observe(&mut |sign| {
                    let region = Region::new(ALLOCATOR);
                    sign();
                    let change = region.change();
                    fewest = fewest.min(change.allocations + change.reallocations);
                })?;
            }
            println!("{} {name} {fewest}", case.name);
        }
    }
    Ok(())
}
