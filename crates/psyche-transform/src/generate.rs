//! A round of a member: gradients into the momentum, the largest of each group out of it.

use crate::forward::{Factors, Forward};
use crate::plan::{Misfit, Plan, Strip, GROUP};
use crate::select::Search;
use crate::simd::{dispatch, Job};

/// What was taken out of the momentum.
#[derive(Debug, Default, PartialEq)]
pub struct Picked {
    /// Coefficients of each group.
    pub counts: Vec<u16>,
    /// Indices within their groups, rising in each; one group after the other.
    pub indices: Vec<u16>,
    /// Their values: finite and not zero.
    pub values: Vec<f32>,
}

/// M <- beta M + scale DCT(gradients); takes the `topk` largest of each group out of M.
///
/// A smaller last group gives its share of `topk`, rounded up. With a scale of 0 the gradients are
/// not looked at. What is not finite leaves the momentum and is not among what is picked.
/// The same bits with any number of threads.
///
/// # Errors
/// [`Misfit`] if a slice is not as long as the plan says.
pub fn generate(
    plan: &Plan,
    momentum: &mut [f32],
    gradients: &[&[f32]],
    (beta, scale): (f32, f32),
    topk: u16,
    threads: usize,
) -> Result<Picked, Misfit> {
    let sizes = plan.places().iter().map(|place| place.rows * place.columns);
    if momentum.len() != plan.coefficients() || !sizes.eq(gradients.iter().map(|g| g.len())) {
        return Err(Misfit(
            "the momentum or the gradients have another size than the plan's",
        ));
    }
    let factors = Factors { beta, scale };
    let mut parts: Vec<Part> = Vec::new();
    let mut rest = momentum;
    for strips in ranges(plan, threads) {
        let start = strips[0].1.start();
        let end = strips[strips.len() - 1].1.end();
        let (momentum, after) = rest.split_at_mut(end - start);
        rest = after;
        parts.push(Part {
            plan,
            strips,
            momentum,
            gradients,
            factors,
            topk: usize::from(topk),
        });
    }
    let mut picked = Picked::default();
    for part in run_all(parts) {
        picked.counts.extend(part.counts);
        picked.indices.extend(part.indices);
        picked.values.extend(part.values);
    }
    Ok(picked)
}

/// Does all jobs at once, the last on this thread; their outputs in their order.
pub(crate) fn run_all<J: Job + Send>(mut jobs: Vec<J>) -> Vec<J::Output>
where
    J::Output: Send,
{
    let last = jobs.pop();
    std::thread::scope(|scope| {
        let spawned: Vec<_> = jobs
            .into_iter()
            .map(|job| scope.spawn(|| dispatch(job)))
            .collect();
        let last = last.map(dispatch);
        let join = |handle: std::thread::ScopedJoinHandle<_>| {
            handle
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        spawned.into_iter().map(join).chain(last).collect()
    })
}

type Strips<'a> = Vec<(usize, Strip<'a>)>;

/// Cuts the strips into up to so many ranges; each begins where a group does.
fn ranges(plan: &Plan, threads: usize) -> Vec<Strips<'_>> {
    let share = plan.coefficients().div_ceil(threads.max(1));
    let mut found: Vec<Strips> = vec![Vec::new()];
    for (index, strip) in plan.strips() {
        let due = strip.start() >= share * found.len();
        if due && strip.start() % GROUP == 0 && strip.start() > 0 {
            found.push(Vec::new());
        }
        if let Some(last) = found.last_mut() {
            last.push((index, strip));
        }
    }
    found
}

struct Part<'a> {
    plan: &'a Plan,
    strips: Strips<'a>,
    /// Of its strips alone.
    momentum: &'a mut [f32],
    gradients: &'a [&'a [f32]],
    factors: Factors,
    topk: usize,
}

impl Job for Part<'_> {
    type Output = Picked;

    #[inline(always)]
    fn run<const FUSED: bool>(self) -> Picked {
        let start = self.strips.first().map_or(0, |(_, strip)| strip.start());
        let mut taking = Taking::new(self.topk, self.momentum.len());
        let mut forward = Forward::new();
        for (index, strip) in &self.strips {
            let numbers = strip.numbers(self.gradients[*index]);
            let bases = self.plan.bases(strip.place);
            for sheet in strip.sheets() {
                let (begin, end) = (sheet.start - start, sheet.end() - start);
                let part = &mut self.momentum[begin..end];
                if self.factors.scale == 0.0 {
                    part.iter_mut().for_each(|one| *one *= self.factors.beta);
                } else {
                    forward.accumulate::<FUSED>(part, &sheet, numbers, bases, self.factors);
                }
                taking.take_until(self.momentum, end);
            }
        }
        taking.picked
    }
}

/// Takes the largest out of groups as soon as they are done, while they are in the cache.
struct Taking {
    topk: usize,
    done: usize,
    search: Search,
    picked: Picked,
}

impl Taking {
    fn new(topk: usize, coefficients: usize) -> Self {
        let groups = coefficients.div_ceil(GROUP);
        let picked = Picked {
            counts: Vec::with_capacity(groups),
            indices: Vec::with_capacity(groups * topk),
            values: Vec::with_capacity(groups * topk),
        };
        Self {
            topk,
            done: 0,
            search: Search::default(),
            picked,
        }
    }

    #[inline(always)]
    fn take_until(&mut self, momentum: &mut [f32], end: usize) {
        while self.done < end {
            let size = GROUP.min(momentum.len() - self.done);
            if self.done + size > end {
                break;
            }
            self.take(&mut momentum[self.done..self.done + size]);
            self.done += size;
        }
    }

    #[inline(always)]
    fn take(&mut self, group: &mut [f32]) {
        let limit = (group.len() * self.topk).div_ceil(GROUP);
        let before = self.picked.indices.len();
        for &index in self.search.largest(group, limit) {
            let value = std::mem::take(&mut group[usize::from(index)]);
            if value.is_finite() {
                self.picked.indices.push(index);
                self.picked.values.push(value);
            }
        }
        self.picked
            .counts
            .push((self.picked.indices.len() - before) as u16);
    }
}
