//! Parameters move by the signs of whole-number sums, with two roundings, on any number of threads.

mod support;

use psyche_transform::{
    block_signs, update, Misfit, Place, Plan, Step, Votes, EDGE, GROUP, VOTE_MAX,
};
use support::{basis, blocks, payload, plan, table, Chance, Payload};

/// The signs of a block in whole numbers.
fn signs_of(table: &[i16], (a, b): (usize, usize), votes: &[i64]) -> Vec<f32> {
    let (down, across) = (basis(table, a), basis(table, b));
    let mut half = vec![0; a * b];
    for (at, &vote) in votes.iter().enumerate().filter(|(_, &vote)| vote != 0) {
        let row = &across[at % b * b..][..b];
        for (sum, &entry) in half[at / b * b..].iter_mut().zip(row) {
            *sum += vote * i64::from(entry);
        }
    }
    let sum = |at: usize| {
        let column = |row: usize| i64::from(down[row * a + at / b]);
        (0..a).map(|row| column(row) * half[row * b + at % b]).sum()
    };
    let sums = (0..a * b).map(|at| if a > 1 { sum(at) } else { half[at] });
    sums.map(|sum: i64| sum.signum() as f32).collect()
}

/// What should come out, one number after the other.
fn expected(
    plan: &Plan,
    parameters: &[Vec<f32>],
    payloads: &[Payload],
    step: Step,
) -> Vec<Vec<f32>> {
    let table = table();
    let mut votes = vec![0_i64; plan.coefficients()];
    for (counts, indices, values) in payloads {
        let groups = counts.iter().enumerate();
        let groups = groups.flat_map(|(group, &count)| vec![group; usize::from(count)]);
        for ((group, &index), &value) in groups.zip(indices).zip(values) {
            votes[group * GROUP + usize::from(index)] += i64::from(value);
        }
    }
    let cap = if step.cap > 0 {
        i64::from(step.cap)
    } else {
        i64::MAX
    };
    votes
        .iter_mut()
        .for_each(|vote| *vote = (*vote).clamp(-cap, cap));
    let mut moved = parameters.to_vec();
    for (place, numbers) in plan.places().iter().zip(&mut moved) {
        let edges = (place.edge_rows, place.edge_columns);
        for (number, block) in blocks(place).iter().enumerate() {
            let votes = &votes[place.start + number * block.len()..][..block.len()];
            for (inside, sign) in block.iter().zip(signs_of(&table, edges, votes)) {
                let Some(inside) = *inside else { continue };
                let shrink = if place.decays { step.shrink } else { 1.0 };
                let shrunk = numbers[inside] * shrink;
                numbers[inside] = shrunk - step.rate * sign;
            }
        }
    }
    moved
}

fn moved(
    plan: &Plan,
    parameters: &[Vec<f32>],
    payloads: &[Payload],
    step: Step,
    threads: usize,
) -> Result<Vec<Vec<f32>>, Misfit> {
    let mut parameters = parameters.to_vec();
    let slices = parameters.iter_mut().map(Vec::as_mut_slice).collect();
    let votes: Vec<Votes> = payloads
        .iter()
        .map(|(counts, indices, values)| Votes {
            counts,
            indices,
            values,
        })
        .collect();
    update(plan, slices, &votes, step, threads)?;
    Ok(parameters)
}

fn parameters(plan: &Plan) -> Vec<Vec<f32>> {
    let mut chance = Chance(5);
    let places = plan.places().iter();
    places
        .map(|place| chance.numbers(place.rows * place.columns))
        .collect()
}

#[test]
fn parameters_move_by_the_signs_of_whole_numbers_on_any_number_of_threads() {
    let (plan, mut chance) = (plan(), Chance(1));
    let before = parameters(&plan);
    for (count, most, cap, scale) in [
        (1, 8, 1, 1),
        (4, 8, 1, 1),
        (5, 60, 0, 1_000),
        (3, 400, 2, 1),
    ] {
        let mut payloads: Vec<Payload> = (0..count)
            .map(|_| payload(&mut chance, &plan, most))
            .collect();
        // One that is there twice, and one that cancels another.
        let (counts, indices, mut values) = payloads[0].clone();
        payloads.push(payloads[count - 1].clone());
        values.iter_mut().for_each(|value| *value *= -scale);
        payloads.push((counts, indices, values));
        let step = Step {
            cap,
            rate: 0.01,
            shrink: 0.997,
        };
        let wanted = expected(&plan, &before, &payloads, step);
        for threads in [1, 3, 100] {
            let found = moved(&plan, &before, &payloads, step, threads).expect("fits");
            assert!(
                found == wanted,
                "{count} payloads of {most}, {threads} threads"
            );
        }
    }
}

#[test]
fn without_payloads_parameters_only_decay() {
    let plan = plan();
    let step = Step {
        cap: 1,
        rate: 0.01,
        shrink: 0.5,
    };
    let found = moved(&plan, &parameters(&plan), &[], step, 2).expect("fits");
    for ((place, before), after) in plan.places().iter().zip(parameters(&plan)).zip(found) {
        let shrink = if place.decays { 0.5 } else { 1.0 };
        assert!(before.iter().map(|one| one * shrink).eq(after), "{place:?}");
    }
}

#[test]
fn sums_that_are_zero_or_nearly_are_found_exactly() {
    let (table, mut chance) = (table(), Chance(3));
    for points in [64, 63, 40] {
        for peak in [1, 50, VOTE_MAX as usize] {
            let mut votes = vec![0_i32; points * points];
            for row in 0..points {
                for column in 0..row {
                    let vote = chance.below(2 * peak + 1) as i32 - peak as i32;
                    // Antisymmetric: zero on the diagonal.
                    votes[row * points + column] = vote;
                    votes[column * points + row] = -vote;
                }
            }
            let one = basis(&table, points);
            let signs = block_signs((points, points), (one, one), &votes).expect("fits");
            assert!((0..points).all(|at| signs[at * points + at] == 0));
            let wide: Vec<i64> = votes.iter().map(|&vote| vote.into()).collect();
            let wanted = signs_of(&table, (points, points), &wide);
            assert!(
                signs.into_iter().map(f32::from).eq(wanted),
                "{points} points, votes to {peak}"
            );
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_and_moves_nothing() {
    let plan = plan();
    let before = parameters(&plan);
    let step = Step {
        cap: 0,
        rate: 0.01,
        shrink: 1.0,
    };
    let good = payload(&mut Chance(1), &plan, 8);
    let mut beyond = good.clone();
    let last = beyond.1.len() - 1;
    beyond.1[last] = GROUP as u16 - 1;
    let short = (good.0.clone(), good.1.clone(), good.2[1..].to_vec());
    let fewer = (good.0[1..].to_vec(), good.1.clone(), good.2.clone());
    for bad in [beyond, short, fewer] {
        assert!(moved(&plan, &before, &[good.clone(), bad], step, 1).is_err());
    }
    let mut many = vec![good.clone(); 2];
    many[0].2[3] = VOTE_MAX as i16;
    assert!(moved(&plan, &before, &many, step, 1).is_err());
    assert!(moved(&plan, &before[1..], &[good], step, 1).is_err());
}

#[test]
fn places_and_tables_that_make_no_plan_are_refused() {
    let place = Place {
        start: 0,
        rows: 64,
        columns: 64,
        edge_rows: 64,
        edge_columns: 64,
        decays: true,
    };
    let with = |change: fn(&mut Place)| {
        let mut changed = place;
        change(&mut changed);
        Plan::new(vec![changed], &table()).is_err()
    };
    assert!(!with(|_| ()));
    assert!(with(|place| place.start = 1));
    assert!(with(|place| place.rows = 0));
    assert!(with(|place| place.edge_rows = 0));
    assert!(with(|place| place.edge_columns = EDGE + 1));
    assert!(with(
        |place| (place.rows, place.columns) = (1 << 40, 1 << 40)
    ));
    let mut table = table();
    assert!(Plan::new(vec![place], &table[..1_000]).is_err());
    let last = table.len() - 1;
    table[last] += 1;
    assert!(Plan::new(vec![place], &table).is_err());
}
