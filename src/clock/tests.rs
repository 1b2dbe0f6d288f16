use super::*;
use aws_smithy_async::test_util::ManualTimeSource;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const ORIGIN: &str = "api.example.com";

fn at(text: &str) -> SystemTime {
    OffsetDateTime::parse(text, &Rfc3339).unwrap().into()
}

fn noon() -> SystemTime {
    at("2026-01-01T12:00:00Z")
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn offset(seconds: i64) -> Offset {
    Offset { milliseconds: seconds * 1000 }
}

fn clock_at(now: SystemTime) -> (Clock, ManualTimeSource) {
    let source = ManualTimeSource::new(now);
    (Clock::new(SharedTimeSource::new(source.clone()), true), source)
}

fn headers(pairs: &[(&'static str, String)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

fn dated(server: SystemTime) -> HeaderMap {
    headers(&[("date", httpdate::fmt_http_date(server))])
}

/// One round trip of two seconds to a server whose clock is `ahead` of ours.
fn round_trip(clock: &Clock, origin: &str, ahead: i64) -> Option<Offset> {
    let sent = clock.now();
    clock.learn(origin, &dated(offset(ahead).apply(sent + seconds(1))), sent, sent + seconds(2))
}

/// `test-data/clock-skew-test-cases.json` of the crate aws-runtime 1.10.2, unchanged. Copyright Amazon.com, Inc. or its
/// affiliates, Apache License 2.0.
const VECTORS: &str = include_str!("tests/clock-skew.json");

/// The codes in the vectors that may mean skew.
fn may_mean_skew(code: &str) -> bool {
    matches!(code, "RequestTimeTooSkewed" | "InvalidSignatureException")
}

#[test]
fn aws_vectors() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let tests = vectors["tests"].as_array().unwrap();
    assert_eq!(tests.len(), 10);
    for test in tests {
        let name = test["description"].as_str().unwrap();
        let (clock, source) = clock_at(SystemTime::UNIX_EPOCH);
        for (index, operation) in test["operations"].as_array().unwrap().iter().enumerate() {
            if index == 0 {
                clock.keep(ORIGIN, offset(operation["initialClientSkew"].as_i64().unwrap()), noon());
            }
            let attempts = operation["attempts"].as_array().unwrap();
            let max_attempts = operation["maxAttempts"].as_u64().unwrap_or(2);
            let mut outcome = "error";
            let mut tried = 0;
            for attempt in attempts {
                let time = |key: &str| at(attempt[key].as_str().unwrap());
                let response = &attempt["response"];
                source.set_time(time("clientTimeAtSend"));
                let reading = clock.read(ORIGIN);
                assert_eq!(reading.corrected(), time("expectedSigningTime"), "{name}");
                let received: HeaderMap = response["headers"]
                    .as_object()
                    .unwrap()
                    .iter()
                    .map(|(key, value)| (key.parse().unwrap(), value.as_str().unwrap().parse().unwrap()))
                    .collect();
                let candidate = clock.learn(ORIGIN, &received, reading.local, time("clientTimeAtReceive"));
                tried += 1;
                let Some(code) = response["errorCode"].as_str() else {
                    outcome = "success";
                    break;
                };
                let retry = candidate.is_some_and(|candidate| should_retry(reading.offset, candidate));
                if !(retry && may_mean_skew(code) && tried < max_attempts) {
                    break;
                }
            }
            assert_eq!(tried as usize, attempts.len(), "{name}");
            assert_eq!(outcome, operation["expectedOutcome"], "{name}");
            let expected = offset(operation["expectedClientSkew"].as_i64().unwrap());
            assert_eq!(clock.read(ORIGIN).offset, expected, "{name}");
        }
    }
}

#[test]
fn an_offset_is_learned_for_its_origin_alone() {
    let (clock, _) = clock_at(noon());
    assert_eq!(clock.now_for(ORIGIN), noon());
    assert_eq!(round_trip(&clock, ORIGIN, 3600), Some(offset(3600)));
    assert_eq!(clock.now_for(ORIGIN), noon() + seconds(3600));
    for other in ["other.example.com", "api.example.com:8443"] {
        assert_eq!(clock.now_for(other), noon());
    }
    assert_eq!(clock.now(), noon());
    assert_eq!(round_trip(&clock, ORIGIN, -3600), Some(offset(-3600)));
    assert_eq!(clock.now_for(ORIGIN), noon() - seconds(3600));
}

#[test]
fn the_seconds_of_date_do_not_make_the_offset_flap() {
    let (clock, source) = clock_at(noon());
    for step in 0..200_u64 {
        let sent = source.advance(Duration::from_millis(137 * step % 1000));
        // The server's clock agrees; its `Date` is cut to the second.
        clock.learn(ORIGIN, &dated(sent + Duration::from_millis(20)), sent, sent + Duration::from_millis(40));
        assert!(clock.offsets.load().is_empty());
    }
    source.set_time(noon() + seconds(3600));
    round_trip(&clock, ORIGIN, 400);
    for ahead in [399, 401, 402, 400] {
        assert_eq!(round_trip(&clock, ORIGIN, ahead), Some(offset(ahead)));
        assert_eq!(clock.read(ORIGIN).offset, offset(400));
    }
    round_trip(&clock, ORIGIN, 404);
    assert_eq!(clock.read(ORIGIN).offset, offset(404));
}

#[test]
fn a_response_that_does_not_show_the_servers_clock_is_ignored() {
    let (clock, _) = clock_at(noon());
    let hour = seconds(3600);
    let date = httpdate::fmt_http_date(noon() + hour);
    let cached = headers(&[("date", date.clone()), ("age", "1".into())]);
    let mut twice = dated(noon() + hour);
    twice.append("date", date.parse().unwrap());
    for (response, took, name) in [
        (cached, seconds(1), "from a cache"),
        (twice, seconds(1), "two dates"),
        (headers(&[]), seconds(1), "no date"),
        (headers(&[("date", "yesterday".into())]), seconds(1), "unreadable"),
        (headers(&[("date", "Fri, 31 Dec 9999 23:59:59 GMT".into())]), seconds(1), "no signature reaches it"),
        (dated(noon() + hour), seconds(15 * 60 + 1), "too slow"),
    ] {
        assert_eq!(clock.learn(ORIGIN, &response, noon(), noon() + took), None, "{name}");
        assert_eq!(clock.now_for(ORIGIN), noon(), "{name}");
    }
    let stepped_back = clock.learn(ORIGIN, &dated(noon() + hour), noon(), noon() - seconds(1));
    assert_eq!(stepped_back, None);
    let just_in_time = clock.learn(ORIGIN, &dated(noon() + hour), noon(), noon() + seconds(15 * 60));
    assert_eq!(just_in_time, Some(offset(3600 - 450)));
}

#[test]
fn all_three_forms_of_date_are_read() {
    for text in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        " Sun, 06 Nov 1994 08:49:37 GMT ",
    ] {
        let time = server_time(&HeaderValue::from_static(text));
        assert_eq!(time, Some(at("1994-11-06T08:49:37Z")), "{text}");
    }
    for text in ["", "0", "Sun, 06 Nov 1994 25:49:37 GMT", "1994-11-06T08:49:37Z"] {
        assert_eq!(server_time(&HeaderValue::from_static(text)), None, "{text}");
    }
    assert_eq!(server_time(&HeaderValue::from_bytes(b"\xff").unwrap()), None);
}

#[test]
fn a_retry_is_right_beyond_four_minutes_from_what_was_used() {
    assert!(!should_retry(Offset::ZERO, offset(240)));
    assert!(should_retry(Offset::ZERO, offset(241)));
    assert!(should_retry(Offset::ZERO, offset(-241)));
    assert!(!should_retry(offset(3600), offset(3600)));
    assert!(should_retry(offset(3600), Offset::ZERO), "a learned offset that has become wrong");
}

#[test]
fn switched_off_nothing_is_learned() {
    let clock = Clock::new(SharedTimeSource::new(ManualTimeSource::new(noon())), false);
    assert_eq!(round_trip(&clock, ORIGIN, 3600), None);
    assert_eq!(clock.now_for(ORIGIN), noon());

    for (value, off) in [("true", true), ("TRUE", true), ("false", false), ("", false), ("1", false)] {
        assert_eq!(disabled_by(&Env::from_pairs(&[(DISABLE, value)])), off, "{value}");
    }
    assert!(!disabled_by(&Env::from_pairs(&[])));
}

#[test]
fn origins_are_bounded_and_the_oldest_makes_room() {
    let (clock, source) = clock_at(noon());
    for host in 0..MAX_ORIGINS + 10 {
        source.advance(seconds(1));
        round_trip(&clock, &format!("h{host}"), 600);
    }
    assert_eq!(clock.offsets.load().len(), MAX_ORIGINS);
    assert_eq!(clock.read("h9").offset, Offset::ZERO);
    assert_eq!(clock.read("h10").offset, offset(600));
    round_trip(&clock, "h10", 0);
    assert_eq!(clock.offsets.load().len(), MAX_ORIGINS - 1, "a clock that agrees takes no place");
}

#[test]
fn extreme_times_do_not_panic() {
    let far = SystemTime::UNIX_EPOCH + seconds(u64::from(u32::MAX) * 1_000);
    for now in [SystemTime::UNIX_EPOCH, far] {
        let (clock, _) = clock_at(now);
        for server in [SystemTime::UNIX_EPOCH, at("8999-01-01T00:00:00Z")] {
            clock.learn(ORIGIN, &dated(server), now, now);
            let _ = clock.now_for(ORIGIN);
        }
    }
    for milliseconds in [i64::MIN, i64::MAX] {
        let _ = Offset { milliseconds }.apply(noon());
        assert!(should_retry(Offset { milliseconds }, Offset::ZERO));
    }
}

#[test]
fn many_threads_learn_at_once() {
    let (clock, _) = clock_at(noon());
    std::thread::scope(|scope| {
        for thread in 0..8_i64 {
            let clock = &clock;
            scope.spawn(move || {
                for host in 0..20 {
                    round_trip(clock, &format!("h{thread}-{host}"), 600 + host);
                }
            });
        }
    });
    assert_eq!(clock.offsets.load().len(), 160);
}

#[test]
fn a_request_that_was_delayed_teaches_nothing_wrong() {
    let (clock, _) = clock_at(noon());
    let frozen = seconds(14 * 60);
    // Signed at noon, sent when the process went on, with a response right away.
    let candidate = clock.learn(ORIGIN, &dated(noon() + frozen), noon(), noon() + frozen);
    assert!(should_retry(Offset::ZERO, candidate.unwrap()));
    assert_eq!(clock.now_for(ORIGIN), noon(), "our clock agrees with the server's");
}

/// What is logged at WARN, as `origin offset`.
fn warnings(f: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_ansi(false)
        .with_writer({
            let log = log.clone();
            move || log.clone()
        })
        .finish();
    tracing::subscriber::with_default(subscriber, f);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let field = |line: &str, name: &str| {
        let rest = line.split_once(&format!("{name}=")).unwrap().1;
        rest.split_whitespace().next().unwrap().trim_matches('"').to_owned()
    };
    text.lines().map(|line| format!("{} {}", field(line, "origin"), field(line, "offset_seconds"))).collect()
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_large_offset_is_one_warning_for_each_origin_and_change() {
    let (clock, source) = clock_at(noon());
    let learn = |origin: &str, offsets: &[i64]| {
        warnings(|| {
            for ahead in offsets.iter().cycle().take(100) {
                source.advance(seconds(1));
                round_trip(&clock, origin, *ahead);
            }
        })
    };
    assert_eq!(learn("small.example.com", &[200, -200]), [""; 0]);
    assert_eq!(learn("a.example.com", &[3600]), ["a.example.com 3600"]);
    assert_eq!(learn("a.example.com:8443", &[-3600]), ["a.example.com:8443 -3600"]);
    assert_eq!(learn("a.example.com", &[7200]), ["a.example.com 7200"], "a change");
    assert_eq!(
        learn("a.example.com", &[7200, 0, 3600]),
        [""; 0],
        "both are known, however often they change"
    );
    source.advance(REPORT_INTERVAL);
    assert_eq!(learn("a.example.com", &[3600]), ["a.example.com 3600"], "again after an hour");
}
