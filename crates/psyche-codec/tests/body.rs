//! Selections come back, and bodies are those of the golden file.

mod support;

use psyche_codec::{decode, encode, Form, Misfit, Selection};
use serde_json::Value;
use support::{form, selection, Chance, COUNTS};

#[test]
fn a_selection_comes_back() {
    let mut chance = Chance::new(1);
    for case in 0..400 {
        let form = form(&mut chance);
        let selection = selection(&mut chance, &form, COUNTS[case % 4]);
        let body = support::encode(&form, &selection);
        assert_eq!(
            decode(&body, &form, selection.indices.len() as u32),
            Ok(selection)
        );
    }
}

fn golden() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/golden/payload.json"
    );
    serde_json::from_str(&std::fs::read_to_string(path).expect("golden file")).expect("JSON")
}

fn numbers<T: TryFrom<i64>>(value: &Value) -> Vec<T> {
    let numbers = value.as_array().expect("a list").iter();
    numbers
        .map(|n| {
            T::try_from(n.as_i64().expect("a number"))
                .ok()
                .expect("in range")
        })
        .collect()
}

fn bytes(value: &Value) -> Vec<u8> {
    let hex = value.as_str().expect("hex");
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
        .collect()
}

fn form_of(case: &Value) -> Form {
    let number = |name: &str| case[name].as_u64().expect("a number");
    Form::new(number("coefficients"), number("topk") as u16)
        .and_then(|form| form.with(number("most") as u16, number("value_bits") as u32))
        .expect("a valid form")
}

#[test]
fn bodies_are_those_of_the_golden_file() {
    for case in golden()["bodies"].as_array().expect("a list") {
        let (form, body) = (form_of(case), bytes(&case["body"]));
        let selection = Selection {
            counts: numbers(&case["counts"]),
            indices: numbers(&case["indices"]),
            values: numbers(&case["values"]),
        };
        assert_eq!(support::encode(&form, &selection), body, "{}", case["name"]);
        assert_eq!(
            decode(&body, &form, selection.indices.len() as u32),
            Ok(selection)
        );
    }
}

#[test]
fn refused_bodies_of_the_golden_file_are_refused_for_the_same_fault() {
    for case in golden()["refused"].as_array().expect("a list") {
        let sent = case["sent"].as_u64().expect("a number") as u32;
        let fault = decode(&bytes(&case["body"]), &form_of(case), sent).expect_err("refused");
        assert_eq!(fault.name(), case["fault"], "{}", case["name"]);
    }
}

#[test]
fn what_does_not_have_the_form_is_not_encoded() {
    let form = Form::new(4_096 + 700, 8).expect("a valid form"); // limits 8 and 2
    let refused = |counts: &[u16], indices: &[u16], values: &[i16]| {
        let Misfit(_) = encode(&form, counts, indices, values).expect_err("refused");
    };
    refused(&[1], &[5], &[1]);
    refused(&[9, 0], &[0, 1, 2, 3, 4, 5, 6, 7, 8], &[1; 9]);
    refused(&[0, 3], &[1, 2, 3], &[1; 3]);
    refused(&[2, 0], &[5, 5], &[1, 1]);
    refused(&[2, 0], &[6, 5], &[1, 1]);
    refused(&[1, 0], &[4_096], &[1]);
    refused(&[0, 1], &[700], &[1]);
    refused(&[1, 0], &[5], &[0]);
    refused(&[1, 0], &[5, 6], &[1, 1]);
    refused(&[1, 0], &[5], &[1, 1]);
    assert!(encode(&form, &[1, 1], &[5, 699], &[1, -1]).is_ok());
}

#[test]
fn a_form_that_no_header_can_describe_is_none() {
    for (coefficients, topk) in [
        (0, 8),
        (4_096, 0),
        (4_096, 4_097),
        (1 << 40, 64),
        (u64::MAX, 1),
    ] {
        assert_eq!(Form::new(coefficients, topk), None);
    }
}
