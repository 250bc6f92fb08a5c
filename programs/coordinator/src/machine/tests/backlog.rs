use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::machine::backlog::{Backlog, Interval, Returned, Taken, SEGMENTS};

/// A list of its own, as it would lie in an account.
struct List {
    intervals: Vec<Interval>,
    count: u32,
}

impl List {
    fn new(entries: usize) -> Self {
        Self {
            intervals: vec![Interval::default(); entries],
            count: 0,
        }
    }

    fn view(&mut self) -> Backlog<'_> {
        Backlog {
            intervals: &mut self.intervals,
            count: &mut self.count,
        }
    }

    fn ranges(&self) -> Vec<(u64, u64)> {
        let used = &self.intervals[..self.count as usize];
        used.iter().map(|one| (one.start, one.end)).collect()
    }

    fn give(&mut self, start: u64, end: u64) -> u64 {
        self.view().give_back(Interval { start, end }).repeated
    }
}

#[test]
fn intervals_stay_ascending_and_neighbours_merge() {
    let mut list = List::new(8);
    list.give(20, 30);
    list.give(0, 10);
    list.give(40, 50);
    assert_eq!(list.ranges(), [(0, 10), (20, 30), (40, 50)]);
    list.give(10, 20);
    assert_eq!(list.ranges(), [(0, 30), (40, 50)]);
    list.give(30, 40);
    assert_eq!(list.ranges(), [(0, 50)]);
}

#[test]
fn an_empty_interval_changes_nothing() {
    let mut list = List::new(4);
    list.give(5, 5);
    assert_eq!(list.ranges(), []);
}

#[test]
fn the_lowest_are_taken_before_fresh_ones() {
    let mut list = List::new(8);
    list.give(0, 3);
    list.give(10, 12);
    let mut cursor = 100;
    let taken = list.view().take(7, &mut cursor);
    let expected = [(0, 3), (10, 12), (100, 102)].map(|(start, end)| Interval { start, end });
    assert_eq!(&taken.segments[..3], expected);
    assert_eq!((taken.count, taken.sequences, taken.fresh), (3, 7, 2));
    assert_eq!((cursor, list.ranges()), (102, vec![]));
}

#[test]
fn a_part_of_an_interval_stays_in_the_list() {
    let mut list = List::new(8);
    list.give(0, 10);
    let taken = list.view().take(4, &mut 10);
    assert_eq!((taken.count, taken.fresh), (1, 0));
    assert_eq!(list.ranges(), [(4, 10)]);
}

#[test]
fn fresh_positions_that_follow_extend_the_last_segment() {
    let mut list = List::new(8);
    list.give(90, 100);
    let mut cursor = 100;
    let taken = list.view().take(20, &mut cursor);
    let first = Interval {
        start: 90,
        end: 110,
    };
    assert_eq!((taken.count, taken.segments[0]), (1, first));
    assert_eq!((taken.fresh, cursor), (10, 110));
}

#[test]
fn a_round_with_all_segments_used_gets_fewer_sequences() {
    let mut list = List::new(16);
    for index in 0..10 {
        list.give(index * 10, index * 10 + 1);
    }
    let mut cursor = 1000;
    let taken = list.view().take(100, &mut cursor);
    assert_eq!((taken.count as usize, taken.sequences), (SEGMENTS, 8));
    assert_eq!((taken.fresh, cursor), (0, 1000));
    assert_eq!(list.ranges(), [(80, 81), (90, 91)]);
}

#[test]
fn a_full_list_joins_its_two_nearest_and_counts_the_gap() {
    let mut list = List::new(4);
    list.give(0, 10);
    list.give(20, 30);
    list.give(35, 40);
    assert_eq!(list.give(100, 110), 5);
    assert_eq!(list.ranges(), [(0, 10), (20, 40), (100, 110)]);
}

#[test]
fn of_equal_gaps_the_lowest_is_joined() {
    let mut list = List::new(4);
    list.give(0, 10);
    list.give(20, 30);
    list.give(40, 50);
    assert_eq!(list.give(60, 70), 10);
    assert_eq!(list.ranges(), [(0, 30), (40, 50), (60, 70)]);
}

#[test]
fn a_share_over_several_segments_goes_back_in_pieces() {
    let mut list = List::new(8);
    let segments = [(0, 4), (10, 14), (100, 110)].map(|(start, end)| Interval { start, end });
    list.view().give_back_share(&segments, 2, 10);
    assert_eq!(list.ranges(), [(2, 4), (10, 14), (100, 102)]);
}

#[test]
fn positions_that_are_there_already_count_as_overlapped() {
    let mut list = List::new(8);
    list.give(0, 10);
    list.give(20, 30);
    let interval = Interval { start: 5, end: 25 };
    assert_eq!(list.view().give_back(interval).overlapped, 10);
    assert_eq!(list.ranges(), [(0, 30)]);
}

/// What a run counts: with every step, fresh + repeated = accepted + in flight + backlog.
#[derive(Default)]
struct Books {
    cursor: u64,
    repeated: u64,
    accepted: u64,
    in_flight: u64,
    trained: BTreeMap<u64, u32>,
}

impl Books {
    fn take(&mut self, list: &mut List, batch: u32) -> Taken {
        let taken = list.view().take(batch, &mut self.cursor);
        self.in_flight += u64::from(taken.sequences);
        taken
    }

    /// Settles a round of four equal shares: a set bit accepts one, the others go back.
    fn settle(&mut self, list: &mut List, taken: &Taken, accepted: u8) {
        let segments = &taken.segments[..taken.count as usize];
        let positions: Vec<u64> = segments.iter().flat_map(|one| one.start..one.end).collect();
        for share in 0..4_u32 {
            let (first, end) = (
                taken.sequences * share / 4,
                taken.sequences * (share + 1) / 4,
            );
            self.in_flight -= u64::from(end - first);
            if accepted & (1 << share) != 0 {
                self.accepted += u64::from(end - first);
                for position in &positions[first as usize..end as usize] {
                    *self.trained.entry(*position).or_default() += 1;
                }
            } else {
                let returned = list.view().give_back_share(segments, first, end);
                self.repeated = self.repeated + returned.repeated - returned.overlapped;
            }
        }
    }

    fn check(&self, list: &mut List) {
        let backlog = list.view().positions();
        let known = self.accepted + self.in_flight + backlog;
        assert_eq!(self.cursor + self.repeated, known);
        let ranges = list.ranges();
        assert!(ranges.iter().all(|(start, end)| start < end));
        assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0));
        assert!(ranges.len() < list.intervals.len());
        let unused = &list.intervals[list.count as usize..];
        assert!(unused.iter().all(|one| *one == Interval::default()));
    }
}

proptest! {
    #[test]
    fn shares_given_back_together_end_as_one_by_one(
        entries in 2_usize..12,
        held in prop::collection::vec((0_u64..300, 1_u64..20), 0..8),
        pieces in prop::collection::vec((1_u64..30, 1_u64..30), 1..6),
        cuts in prop::collection::vec((0_u32..6, 1_u32..6), 0..40),
    ) {
        let mut together = List::new(entries);
        let mut single = List::new(entries);
        for (start, length) in held {
            together.give(start, start + length);
            single.give(start, start + length);
        }
        let mut at = 0;
        let mut segments = Vec::new();
        for (gap, length) in pieces {
            segments.push(Interval { start: at + gap, end: at + gap + length });
            at += gap + length;
        }
        let mut offset = 0;
        let mut shares = Vec::new();
        for (gap, length) in cuts {
            shares.push((offset + gap, offset + gap + length));
            offset += gap + length;
        }
        let mut sum = Returned::default();
        for (first, end) in &shares {
            let returned = single.view().give_back_share(&segments, *first, *end);
            sum.repeated += returned.repeated;
            sum.overlapped += returned.overlapped;
        }
        let bulk = together.view().give_back_shares(&segments, &shares);
        prop_assert_eq!(bulk, sum);
        prop_assert_eq!(together.ranges(), single.ranges());
    }

    #[test]
    fn nothing_is_ever_lost(
        entries in 3_usize..12,
        rounds in prop::collection::vec((1_u32..40, 0_u8..16), 1..60),
    ) {
        let mut list = List::new(entries);
        let mut books = Books::default();
        // Two rounds are in flight at a time, as with overlap 1.
        let mut open: Vec<(Taken, u8)> = Vec::new();
        for (batch, accepted) in rounds {
            let taken = books.take(&mut list, batch);
            open.push((taken, accepted));
            books.check(&mut list);
            if open.len() == 2 {
                let (taken, accepted) = open.remove(0);
                books.settle(&mut list, &taken, accepted);
                books.check(&mut list);
            }
        }
        for (taken, _) in open {
            books.settle(&mut list, &taken, 0b1111);
        }
        books.check(&mut list);
        while !list.ranges().is_empty() {
            let taken = books.take(&mut list, 1);
            books.settle(&mut list, &taken, 0b1111);
        }
        // Everything below the cursor was trained, and what was trained twice was counted.
        prop_assert_eq!(books.trained.len() as u64, books.cursor);
        let again: u64 = books.trained.values().map(|times| u64::from(times - 1)).sum();
        prop_assert_eq!(again, books.repeated);
    }
}
