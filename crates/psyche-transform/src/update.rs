//! What every client does alike: votes to signs, and parameters moved by them.

use crate::generate::run_all;
use crate::inverse::Inverse;
use crate::plan::{Misfit, Plan, Strip, GROUP};
use crate::simd::Job;
use crate::tally::{Tally, Votes};

/// The largest vote: 64 of them times a row of the table stay below 2^31.
pub const VOTE_MAX: u32 = 8_191;

/// How far parameters move.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Largest sum of votes a coefficient, either way; 0 leaves sums as they are.
    pub cap: u16,
    /// The learning rate.
    pub rate: f32,
    /// What parameters that decay are multiplied by first.
    pub shrink: f32,
}

/// p <- fl(p * shrink) where weight decay applies, then p <- fl(p - rate * s), s the sign of the
/// inverse transform of the clamped votes.
///
/// The same bits on every machine and with any number of threads: signs are exact, and Rust never
/// makes one rounding of two operations.
///
/// # Errors
/// [`Misfit`] if a slice is not as long as the plan says, a payload is damaged, or votes could
/// exceed [`VOTE_MAX`]. Nothing is changed then.
pub fn update(
    plan: &Plan,
    parameters: Vec<&mut [f32]>,
    payloads: &[Votes],
    step: Step,
    threads: usize,
) -> Result<(), Misfit> {
    let sizes = plan.places().iter().map(|place| place.rows * place.columns);
    if !sizes.eq(parameters.iter().map(|one| one.len())) {
        return Err(Misfit("the parameters have another size than the plan's"));
    }
    payloads
        .iter()
        .try_for_each(|payload| payload.check(plan))?;
    let voted: u64 = payloads.iter().map(|one| u64::from(one.largest())).sum();
    let cap = if step.cap > 0 { step.cap.into() } else { voted };
    if voted.min(cap) > VOTE_MAX.into() || voted > i32::MAX as u64 {
        return Err(Misfit("so many votes make sums that are too large"));
    }
    let share = plan.coefficients().div_ceil(threads.max(1));
    let mut parts: Vec<Part> = Vec::new();
    for (strip, numbers) in pairs(plan, parameters) {
        if strip.start() >= share * parts.len() {
            parts.push(Part {
                plan,
                payloads,
                step,
                strips: Vec::new(),
            });
        }
        if let Some(part) = parts.last_mut() {
            part.strips.push((strip, numbers));
        }
    }
    run_all(parts);
    Ok(())
}

/// All strips with their numbers.
fn pairs<'a>(
    plan: &'a Plan,
    parameters: Vec<&'a mut [f32]>,
) -> impl Iterator<Item = (Strip<'a>, &'a mut [f32])> {
    let places = plan.places().iter().zip(parameters);
    let numbers = places.flat_map(|(place, all)| all.chunks_mut(place.strip_numbers()));
    plan.strips().map(|(_, strip)| strip).zip(numbers)
}

struct Part<'a> {
    plan: &'a Plan,
    payloads: &'a [Votes<'a>],
    step: Step,
    strips: Vec<(Strip<'a>, &'a mut [f32])>,
}

impl Job for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Some((first, _)) = self.strips.first() else {
            return;
        };
        let mut tally = Tally::new(self.payloads, self.step.cap.into(), first.start() / GROUP);
        let mut inverse = Inverse::new();
        for (strip, numbers) in self.strips {
            let (down, across) = self.plan.bases(strip.place);
            let shrink = if strip.place.decays {
                self.step.shrink
            } else {
                1.0
            };
            for sheet in strip.sheets() {
                inverse.clear();
                tally.visit(sheet.start, sheet.end(), |at, vote| {
                    let at = at - sheet.start;
                    inverse.vote(at / across.points, at % across.points, vote, across);
                });
                inverse.add_up::<FUSED>(down, across);
                for (row, sums) in inverse.sums[..sheet.rows].iter().enumerate() {
                    let (begin, width) = sheet.segment(row, numbers.len());
                    if width > 0 {
                        shift(
                            &mut numbers[begin..begin + width],
                            sums,
                            self.step.rate,
                            shrink,
                        );
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn shift(numbers: &mut [f32], sums: &[f32], rate: f32, shrink: f32) {
    for (number, &sum) in numbers.iter_mut().zip(sums) {
        let up = if sum > 0.0 { rate } else { 0.0 };
        let step = if sum < 0.0 { -rate } else { up };
        *number = *number * shrink - step;
    }
}
