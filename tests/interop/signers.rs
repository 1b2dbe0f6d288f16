//! The other signers, on cases whose signatures are known: what they say of the crate's requests can be relied on.

use serde_json::{Value, json};

use crate::server::crosscheck;

/// A header case of tests/vectors as a server would have received it, or `None` for a presigned one.
fn received(case: &Value) -> Option<Value> {
    let (request, expected) = (&case["request"], &case["expected"]);
    if case["mode"] != "header" {
        return None;
    }
    let mut headers = vec![json!(["Host", request["host"]])];
    for given in [&request["headers"], &expected["added_headers"]] {
        headers.extend(given.as_array().expect("a list").iter().cloned());
    }
    headers.push(json!(["Authorization", expected["authorization"]]));
    Some(json!({
        "service": case["service"],
        "region": case["region"],
        "date": case["date"],
        "credentials": case["credentials"],
        "method": request["method"],
        "target": request["target"],
        "headers": headers,
        "body_b64": request["body_b64"],
        "signed_headers": expected["signed_headers"].as_str()?.split(';').collect::<Vec<_>>(),
        "signature": expected["signature"],
        "config": case["config"],
    }))
}

fn vectors(text: &str) -> Vec<Value> {
    text.lines().filter_map(|line| received(&serde_json::from_str(line).expect("JSON"))).collect()
}

#[test]
fn both_reproduce_the_known_signatures() {
    let cases = vectors(include_str!("../vectors/dev.jsonl"));
    assert_eq!(cases.len(), 148);
    let Some(answers) = crosscheck(&cases) else { return };
    for (case, answer) in cases.iter().zip(answers) {
        let signature = &case["signature"];
        assert_eq!(answer, json!({"botocore": signature, "awscrt": signature}), "{case}");
    }
}

#[test]
fn botocore_alone_signs_a_raw_query_as_it_is() {
    let cases = vectors(include_str!("../vectors/edge_dev.jsonl"));
    assert_eq!(cases.len(), 60);
    let Some(answers) = crosscheck(&cases) else { return };
    for (case, answer) in cases.iter().zip(answers) {
        assert_eq!(answer["awscrt"], case["signature"], "{case}");
        assert_ne!(answer["botocore"], case["signature"], "{case}");
    }
}

#[test]
fn a_changed_request_gives_another_signature_or_an_error() {
    let good = vectors(include_str!("../vectors/dev.jsonl"))
        .into_iter()
        .find(|case| case["signed_headers"].as_array().unwrap().contains(&json!("x-amz-security-token")))
        .unwrap();
    let changes = [
        ("method", json!("PATCH")),
        ("target", json!("/another?target=1")),
        ("body_b64", json!("YW5vdGhlciBib2R5")),
        ("region", json!("another-region-1")),
        ("service", json!("another")),
        ("signed_headers", json!(["host", "x-amz-date"])),
        ("date", json!("20200101T000000Z")),
    ];
    let changed: Vec<_> = changes
        .into_iter()
        .map(|(member, value)| {
            let mut case = good.clone();
            case[member] = value;
            case
        })
        .collect();
    let Some(answers) = crosscheck(&changed) else { return };
    for (case, answer) in changed.iter().zip(answers) {
        if answer["error"].is_null() {
            assert_ne!(answer["botocore"], good["signature"], "{case}");
            assert_ne!(answer["awscrt"], good["signature"], "{case}");
            assert_eq!(answer["botocore"], answer["awscrt"], "{case}");
        }
    }
}
