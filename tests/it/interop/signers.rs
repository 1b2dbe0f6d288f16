//! The other signers, on cases whose signatures are known: what they say of the crate's requests can be relied on.

use serde_json::{Value, json};

use sigv4_test_support::ministack::crosscheck;

/// A case of tests/it/vectors as a server would have received it.
fn received(case: &Value) -> Value {
    let (request, expected) = (&case["request"], &case["expected"]);
    let presigned = case["mode"] == "query";
    let mut headers = vec![json!(["Host", request["host"]])];
    headers.extend(request["headers"].as_array().expect("a list").iter().cloned());
    if !presigned {
        headers.extend(expected["added_headers"].as_array().expect("a list").iter().cloned());
        headers.push(json!(["Authorization", expected["authorization"]]));
    }
    let target = if presigned { &expected["signed_target"] } else { &request["target"] };
    let signed_headers = expected["signed_headers"].as_str().expect("a text");
    json!({
        "service": case["service"],
        "region": case["region"],
        "date": case["date"],
        "credentials": case["credentials"],
        "method": request["method"],
        "target": target,
        "headers": headers,
        "body_b64": request["body_b64"],
        "signed_headers": signed_headers.split(';').collect::<Vec<_>>(),
        "signature": expected["signature"],
        "config": case["config"],
    })
}

fn vectors(text: &str) -> Vec<Value> {
    text.lines().map(|line| received(&serde_json::from_str(line).expect("JSON"))).collect()
}

#[test]
fn both_reproduce_the_known_signatures() {
    let cases = vectors(include_str!("../vectors/dev.jsonl"));
    assert_eq!(cases.len(), 200);
    let Some(responses) = crosscheck(&cases) else { return };
    for (case, response) in cases.iter().zip(responses) {
        let signature = &case["signature"];
        assert_eq!(response, json!({"botocore": signature, "awscrt": signature}), "{case}");
    }
}

#[test]
fn botocore_alone_signs_a_raw_query_as_it_is() {
    let cases = vectors(include_str!("../vectors/edge_dev.jsonl"));
    assert_eq!(cases.len(), 60);
    let Some(responses) = crosscheck(&cases) else { return };
    for (case, response) in cases.iter().zip(responses) {
        assert_eq!(response["awscrt"], case["signature"], "{case}");
        assert_ne!(response["botocore"], case["signature"], "{case}");
    }
}

#[test]
fn a_changed_request_gives_another_signature_or_an_error() {
    let all = vectors(include_str!("../vectors/dev.jsonl"));
    let with_token =
        |case: &&Value| case["signed_headers"].as_array().unwrap().contains(&json!("x-amz-security-token"));
    let presigned = |case: &&Value| case["config"]["expires"] == 300 && case["config"]["payload"] == "sha256";
    let good = [all.iter().find(with_token).unwrap(), all.iter().find(presigned).unwrap()];
    let changes = [
        ("method", json!("PATCH")),
        ("target", json!("/another?target=1")),
        ("body_b64", json!("YW5vdGhlciBib2R5")),
        ("region", json!("another-region-1")),
        ("service", json!("another")),
        ("signed_headers", json!(["host", "x-amz-date"])),
        ("date", json!("20200101T000000Z")),
    ];
    let changed: Vec<_> = good
        .into_iter()
        .flat_map(|good| changes.iter().map(move |change| (good, change)))
        .map(|(good, (member, value))| {
            let mut case = good.clone();
            case[member] = value.clone();
            case
        })
        .collect();
    let Some(responses) = crosscheck(&changed) else { return };
    let mut signed = 0;
    for (case, response) in changed.iter().zip(responses) {
        if response["error"].is_null() {
            assert_ne!(response["botocore"], case["signature"], "{case}");
            assert_ne!(response["awscrt"], case["signature"], "{case}");
            assert_eq!(response["botocore"], response["awscrt"], "{case}");
            signed += 1;
        }
    }
    assert!(signed > changes.len(), "{signed}");
}
