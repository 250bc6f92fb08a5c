//! Hostile bytes: refused, or the one encoding of what they decode to. Memory stays bounded.
//!
//! A million of them: `PSYCHE_FUZZ_CASES=1000000 cargo test --release -p psyche-codec --test hostile`
#![allow(unsafe_code)] // An allocator that counts cannot be written without.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use psyche_codec::{decode, Form};
use support::{form, selection, Chance, COUNTS};

thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// Counts the bytes that this thread holds, and the most that it ever held.
struct Counting;

// SAFETY: every call goes on to the system's allocator with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.get() + layout.size();
        NOW.set(now);
        PEAK.set(PEAK.get().max(now));
        System.alloc(layout)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.set(NOW.get().saturating_sub(layout.size()));
        System.dealloc(pointer, layout);
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that reading may take: a few for each of the form's groups and of the body, and the sets.
fn allowed(body: &[u8], form: &Form) -> usize {
    16 * form.groups() + 64 * body.len() + (1 << 13)
}

fn try_one(body: &[u8], form: &Form, sent: u32) -> bool {
    let before = NOW.get();
    PEAK.set(before);
    let decoded = decode(body, form, sent);
    let taken = PEAK.get() - before;
    assert!(
        taken <= allowed(body, form),
        "{taken} bytes for {} of {form:?}",
        body.len()
    );
    let Ok(selection) = decoded else { return false };
    assert_eq!(
        support::encode(form, &selection),
        body,
        "a second encoding of {form:?}"
    );
    true
}

/// A body with a few bytes or bits changed, cut off, put in or moved.
fn damage(chance: &mut Chance, body: &mut Vec<u8>) {
    for _ in 0..=chance.below(3) {
        let at = chance.below(body.len() as u64 + 1) as usize;
        let byte = chance.below(256) as u8;
        match chance.below(6) {
            0 => body.truncate(at),
            1 => body.insert(at, byte),
            2 if at < body.len() => body[at] = byte,
            3 if at < body.len() => body[at] = chance.pick(&[0, 1, 127, 128, 255]),
            4 if at + 1 < body.len() => body.swap(at, at + 1),
            _ if at < body.len() => body[at] ^= 1 << (byte % 8),
            _ => body.push(byte),
        }
    }
}

struct Valid {
    form: Form,
    sent: u32,
    body: Vec<u8>,
}

fn valid(chance: &mut Chance, case: usize) -> Valid {
    let form = form(chance);
    let selection = selection(chance, &form, COUNTS[case % 4]);
    Valid {
        form,
        sent: selection.indices.len() as u32,
        body: support::encode(&form, &selection),
    }
}

#[test]
fn damaged_and_random_bodies_are_refused_or_canonical() {
    let cases = std::env::var("PSYCHE_FUZZ_CASES").map_or(5_000, |n| n.parse().expect("a number"));
    let mut chance = Chance::new(2);
    let mut accepted = 0;
    let mut samples = Vec::new();
    for case in 0..cases {
        // New ones now and then, for they take longer to make than to break.
        if case % 1_000 == 0 {
            samples = (0..60).map(|sample| valid(&mut chance, sample)).collect();
        }
        let Valid { form, sent, body } = &samples[case % samples.len()];
        let (mut body, mut sent) = (body.clone(), *sent);
        if case % 7 == 0 {
            body = (0..chance.below(60))
                .map(|_| chance.below(256) as u8)
                .collect();
            sent = chance.below(30) as u32;
        }
        damage(&mut chance, &mut body);
        accepted += usize::from(try_one(&body, form, sent));
    }
    // A flipped sign, or a state that leads to another set, makes another valid payload.
    assert!(
        accepted > cases / 1_000,
        "{accepted} of {cases} were accepted"
    );
}

#[test]
fn a_few_bytes_that_claim_much_take_little_memory() {
    let form = Form::new(1 << 32, 64).expect("a valid form"); // 1 M groups
    assert!(!try_one(&[0, 0], &form, 1 << 26));
    assert!(!try_one(&[0, 255, 255, 255, 255, 15], &form, 1 << 26));
    assert!(!try_one(&[1, 0], &form, u32::MAX));
}
