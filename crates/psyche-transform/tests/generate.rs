//! The momentum is that of plain arithmetic, and the largest of each group leave it.

mod support;

use psyche_transform::{generate, Picked, Plan, GROUP};
use support::{basis, blocks, plan, table, Chance};

/// beta M + scale DCT(gradients) in float64.
fn expected(
    plan: &Plan,
    momentum: &[f32],
    gradients: &[Vec<f32>],
    beta: f64,
    scale: f64,
) -> Vec<f64> {
    let table = table();
    let mut found: Vec<f64> = momentum.iter().map(|&one| beta * f64::from(one)).collect();
    for (place, gradient) in plan.places().iter().zip(gradients) {
        let (a, b) = (place.edge_rows, place.edge_columns);
        let (down, across) = (basis(&table, a), basis(&table, b));
        let entry = |basis: &[i16], at: usize| f64::from(basis[at]) / 16_384.0;
        for (number, block) in blocks(place).iter().enumerate() {
            let value = |at: usize| block[at].map_or(0.0, |at| f64::from(gradient[at]));
            let half: Vec<f64> = (0..a * b)
                .map(|at| {
                    (0..b)
                        .map(|x| value(at / b * b + x) * entry(across, at % b * b + x))
                        .sum()
                })
                .collect();
            for at in 0..a * b {
                let rows = |y: usize| {
                    if a > 1 {
                        entry(down, at / b * a + y)
                    } else {
                        1.0
                    }
                };
                let sum: f64 = (0..a).map(|y| rows(y) * half[y * b + at % b]).sum();
                found[place.start + number * block.len() + at] += scale * sum;
            }
        }
    }
    found
}

fn run(
    momentum: &mut [f32],
    gradients: &[Vec<f32>],
    scale: f32,
    topk: u16,
    threads: usize,
) -> Picked {
    let gradients: Vec<&[f32]> = gradients.iter().map(Vec::as_slice).collect();
    generate(&plan(), momentum, &gradients, (0.9, scale), topk, threads).expect("fits")
}

fn gradients(plan: &Plan, chance: &mut Chance) -> Vec<Vec<f32>> {
    let places = plan.places().iter();
    places
        .map(|place| chance.numbers(place.rows * place.columns))
        .collect()
}

#[test]
fn the_momentum_is_near_that_of_float64_and_its_largest_are_taken() {
    let (plan, mut chance) = (plan(), Chance(1));
    for topk in [1, 32, 200, 4_096] {
        let before = chance.numbers(plan.coefficients());
        let gradients = gradients(&plan, &mut chance);
        let mut wanted = expected(&plan, &before, &gradients, 0.9, 0.7);
        let mut momentum = before;
        let picked = run(&mut momentum, &gradients, 0.7, topk, 1);
        let mut begin = 0;
        for (group, &count) in picked.counts.iter().enumerate() {
            let end = plan.coefficients().min(GROUP * (group + 1));
            let part = GROUP * group..end;
            // Padding is zero in the gradients, not in this momentum: nothing here is zero.
            assert_eq!(
                usize::from(count),
                (part.len() * usize::from(topk)).div_ceil(GROUP)
            );
            let mut sizes: Vec<f64> = wanted[part.clone()].iter().map(|one| one.abs()).collect();
            sizes.sort_by(f64::total_cmp);
            let least = sizes[sizes.len() - usize::from(count)];
            let taken = begin..begin + usize::from(count);
            for (&index, &value) in picked.indices[taken.clone()]
                .iter()
                .zip(&picked.values[taken])
            {
                let one = &mut wanted[part.start + usize::from(index)];
                assert!((f64::from(value) - *one).abs() < 1e-5 && one.abs() > least - 1e-5);
                *one = 0.0;
            }
            begin += usize::from(count);
            assert!(picked.indices[begin - usize::from(count)..begin].is_sorted_by(|a, b| a < b));
        }
        let near = |(one, wanted): (&f32, &f64)| (f64::from(*one) - wanted).abs() < 1e-5;
        assert!(momentum.iter().zip(&wanted).all(near));
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let (plan, mut chance) = (plan(), Chance(2));
    let before = chance.numbers(plan.coefficients());
    let gradients = gradients(&plan, &mut chance);
    let mut once = before.clone();
    let first = run(&mut once, &gradients, 1.0, 40, 1);
    for threads in [2, 3, 100] {
        let mut momentum = before.clone();
        assert_eq!(run(&mut momentum, &gradients, 1.0, 40, threads), first);
        assert!(momentum == once);
    }
}

#[test]
fn zeros_are_not_taken_and_what_is_not_finite_takes_a_place_and_is_dropped() {
    let plan = plan();
    let mut momentum = vec![0.0; plan.coefficients()];
    momentum[5] = f32::NAN;
    momentum[7] = f32::NEG_INFINITY;
    (momentum[9], momentum[11], momentum[13]) = (-3.0, 3.0, 2.0);
    // A scale of zero: these are not looked at.
    let none: Vec<Vec<f32>> = plan
        .places()
        .iter()
        .map(|place| vec![f32::NAN; place.rows * place.columns])
        .collect();
    let picked = run(&mut momentum, &none, 0.0, 3, 1);
    assert_eq!(picked.counts.iter().sum::<u16>(), 1);
    assert_eq!((picked.indices, picked.values), (vec![9], vec![0.9 * -3.0]));
    momentum[11] -= 0.9 * 3.0;
    momentum[13] -= 0.9 * 2.0;
    assert!(momentum.iter().all(|&one| one == 0.0));
}
