//! A month of calls by tokio's paused clock, which only unit tests have their timers run by.

use std::sync::Mutex;

use tokio::time::Instant;

use super::*;

/// The clock of tokio's paused time.
#[derive(Clone, Copy, Debug)]
struct TokioClock(Instant);

impl TimeSource for TokioClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + self.0.elapsed()
    }
}

/// Hourly tokens from a provider that fails at every fifth call, is slow, hangs, and once an hour hands out
/// credentials that have expired.
#[derive(Clone)]
struct Moody {
    clock: TokioClock,
    state: Arc<Mutex<Moods>>,
}

struct Moods {
    random: fastrand::Rng,
    last_expired: SystemTime,
    calls: u32,
    failures: u32,
}

enum Mood {
    Good(Duration),
    Down,
    Hangs,
    Expired,
}

impl Moody {
    fn mood(&self) -> Mood {
        let now = self.clock.now();
        let moods = &mut *self.state.lock().unwrap();
        moods.calls += 1;
        let mood = match moods.random.u8(..100) {
            0..20 => Mood::Down,
            20..25 => Mood::Hangs,
            25..35 => Mood::Good(Duration::from_secs(5)),
            _ => Mood::Good(Duration::from_millis(50)),
        };
        let mood = match mood {
            Mood::Good(_) if now > moods.last_expired + Duration::from_secs(3600) => {
                moods.last_expired = now;
                Mood::Expired
            }
            mood => mood,
        };
        moods.failures += u32::from(!matches!(mood, Mood::Good(_)));
        mood
    }
}

impl Moody {
    async fn respond(self) -> provider::Result {
        match self.mood() {
            Mood::Good(delay) => {
                tokio::time::sleep(delay).await;
                Ok(token(1, Some(self.clock.now() + minutes(60))))
            }
            Mood::Down => Err(broken()),
            Mood::Hangs => std::future::pending().await,
            Mood::Expired => Ok(token(1, Some(self.clock.now() - minutes(1)))),
        }
    }
}

/// A month of bursts of 1,000 requests within a second, a few minutes apart, and single requests between them.
///
/// The ideal is one load per 45 minutes, where the advisory window of an hourly token begins, and one more for
/// each response that brought nothing.
#[tokio::test(start_paused = true)]
async fn a_month_with_a_bad_provider() {
    let clock = TokioClock(Instant::now());
    let start = clock.now();
    let month = Duration::from_secs(30 * 24 * 3600);
    let state = Moods { random: fastrand::Rng::with_seed(4), last_expired: start, calls: 0, failures: 0 };
    let moody = Moody { clock, state: Arc::new(Mutex::new(state)) };
    let provider = Scripted::new({
        let moody = moody.clone();
        move |_| moody.clone().respond().boxed()
    });
    let mut caller = Caller {
        clock,
        cache: CachedCredentials::builder(provider).time_source(clock).build(),
        expiry: None,
        requests: 0,
        waits: 0,
        errors: 0,
    };
    let mut random = fastrand::Rng::with_seed(5);
    while clock.now() < start + month {
        for request in 0..1000 {
            caller.request().await;
            if request % 20 == 0 {
                tokio::time::advance(Duration::from_millis(20)).await;
            }
        }
        for _ in 0..random.u8(10..40) {
            tokio::time::sleep(Duration::from_secs(random.u64(1..30))).await;
            caller.request().await;
        }
    }
    let moods = moody.state.lock().unwrap();
    let (requests, waits, errors) = (caller.requests, caller.waits, caller.errors);
    let refreshes = u32::try_from(month.as_secs() / (45 * 60)).unwrap();
    let ideal = refreshes + moods.failures;
    println!(
        "{requests} requests: {waits} waited, {errors} failed; {} loads, {} failed; ideal {ideal}",
        moods.calls, moods.failures
    );
    assert!(moods.calls <= ideal * 12 / 10, "{} loads, ideal {ideal}", moods.calls);
    let successes = moods.calls - moods.failures;
    assert!(successes <= refreshes * 12 / 10, "{successes} loads that brought something, ideal {refreshes}");
    assert!(errors <= requests / 100, "{errors} of {requests} requests went without credentials");
}

struct Caller {
    clock: TokioClock,
    cache: CachedCredentials,
    /// The expiry of what the last response held.
    expiry: Option<SystemTime>,
    requests: u64,
    waits: u64,
    errors: u64,
}

impl Caller {
    async fn request(&mut self) {
        let asked = self.clock.now();
        let mut response = self.cache.provide_credentials();
        let (response, waited) = match (&mut response).now_or_never() {
            Some(response) => (response, false),
            None => (response.await, true),
        };
        self.requests += 1;
        self.waits += u64::from(waited);
        if waited && let Some(expiry) = self.expiry {
            let left = expiry.duration_since(asked).unwrap_or_default();
            assert!(left <= Duration::from_secs(60), "waited with {left:?} left");
        }
        let now = self.clock.now();
        match response {
            Ok(credentials) => {
                assert!(credentials.expiry().unwrap() > now, "expired credentials");
                self.expiry = credentials.expiry();
            }
            // Only where there is nothing else: at the start, and past the expiry of what was there.
            Err(_) => {
                assert!(self.expiry.is_none_or(|expiry| expiry <= now), "an error for no reason");
                self.errors += 1;
            }
        }
    }
}
