use std::sync::Mutex;

use tokio::sync::oneshot;

use super::*;

/// One thing that can happen to a cache.
#[derive(Clone, Copy, Debug)]
enum Step {
    Ask,
    Leave,
    Invalidate,
    /// A caller whose request was refused.
    Refused,
    Respond(Good),
    /// In minutes: into the advisory window of hourly credentials, and from there into the mandatory one or past it.
    Wait(u64),
}

#[derive(Clone, Copy, Debug)]
enum Good {
    Yes,
    Expired,
    Failed,
}

const STEPS: [Step; 9] = [
    Step::Ask,
    Step::Leave,
    Step::Invalidate,
    Step::Refused,
    Step::Respond(Good::Yes),
    Step::Respond(Good::Expired),
    Step::Respond(Good::Failed),
    Step::Wait(46),
    Step::Wait(13),
];

/// A caller that waits; `None` for a refused one that gets no other credentials.
type Caller = Pin<Box<dyn Future<Output = Option<Result<Arc<Credentials>, Error>>>>>;

struct Case {
    wall: Wall,
    cache: CachedCredentials,
    loads: Arc<Mutex<Vec<oneshot::Sender<provider::Result>>>>,
    waiting: Vec<Caller>,
    last: Option<Arc<Credentials>>,
}

impl Case {
    fn new() -> Self {
        let loads = Arc::<Mutex<Vec<oneshot::Sender<provider::Result>>>>::default();
        let provider = Scripted::new({
            let loads = Arc::clone(&loads);
            move |_| {
                let (sender, response) = oneshot::channel();
                loads.lock().unwrap().push(sender);
                async { response.await.unwrap() }.boxed()
            }
        });
        let wall = Wall::new();
        // The clock jumps here, and no load is to count as lost.
        let builder = CachedCredentials::builder(provider).time_source(wall.clone()).seed(7);
        let cache = builder.load_timeout(minutes(60 * 24)).build();
        Self { wall, cache, loads, waiting: Vec::new(), last: None }
    }

    fn under_way(&self) -> usize {
        let mut loads = self.loads.lock().unwrap();
        loads.retain(|load| !load.is_closed());
        loads.len()
    }

    fn step(&mut self, step: Step, number: usize) {
        match step {
            Step::Ask => {
                let cache = self.cache.clone();
                self.waiting.push(Box::pin(async move { Some(cache.snapshot().await) }));
            }
            Step::Leave => drop(self.waiting.pop()),
            Step::Invalidate => {
                if let Some(last) = &self.last {
                    self.cache.invalidate(last);
                }
            }
            Step::Refused => {
                if let Some(last) = self.last.clone() {
                    let cache = self.cache.clone();
                    self.waiting
                        .push(Box::pin(async move { cache.reload_after_refusal(&last).await.map(Ok) }));
                }
            }
            Step::Respond(good) => {
                if self.under_way() == 1 {
                    let response = match good {
                        Good::Yes => Ok(hourly(&self.wall, number)),
                        Good::Expired => Ok(token(number, Some(self.wall.now()))),
                        Good::Failed => Err(broken()),
                    };
                    let load = self.loads.lock().unwrap().pop().unwrap();
                    load.send(response).unwrap();
                }
            }
            Step::Wait(time) => self.wall.forward(minutes(time)),
        }
    }

    /// Lets tasks and callers run. Their credentials are valid, and nobody waits without a load under way.
    async fn settle(&mut self) -> Vec<bool> {
        let mut results = Vec::new();
        for _ in 0..3 {
            let mut waiting = Vec::new();
            for mut caller in self.waiting.drain(..) {
                match (&mut caller).now_or_never() {
                    None => waiting.push(caller),
                    Some(None) => {}
                    Some(Some(result)) => {
                        results.push(result.is_ok());
                        if let Ok(credentials) = result {
                            assert!(credentials.expiry().unwrap() > self.wall.now(), "expired credentials");
                            self.last = Some(credentials);
                        }
                    }
                }
            }
            self.waiting = waiting;
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
        }
        let under_way = self.under_way();
        assert!(under_way <= 1, "loads at once");
        assert!(self.waiting.is_empty() || under_way == 1, "waiting without a load");
        results
    }
}

/// Every order of some things that can happen, from an empty cache and from a filled one.
///
/// This stands for a loom model. All that changes the store changes under one lock, so what threads can do to it is
/// what these steps can do in some order; a model of loom's would have to put its own types in place of tokio's tasks
/// and channels and of arc-swap, and would be a model of those.
async fn every_order(events: u32) {
    for number in 0..2 * STEPS.len().pow(events) {
        let filled = number % 2 == 1;
        let mut order = if filled { vec![Step::Ask, Step::Respond(Good::Yes)] } else { Vec::new() };
        let mut rest = number / 2;
        for _ in 0..events {
            order.push(STEPS[rest % STEPS.len()]);
            rest /= STEPS.len();
        }
        let mut case = Case::new();
        for (number, &step) in order.iter().enumerate() {
            case.step(step, number);
            case.settle().await;
        }
        // Whatever came before, once the provider works again the next caller succeeds.
        case.wall.forward(seconds(6));
        case.step(Step::Ask, 7);
        let mut results = case.settle().await;
        if case.under_way() == 1 {
            case.step(Step::Respond(Good::Yes), 8);
            results.extend(case.settle().await);
        }
        assert_eq!(results.last(), Some(&true), "{order:?}");
        assert!(case.waiting.is_empty(), "{order:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_order_of_four_events() {
    every_order(4).await;
}

#[tokio::test(start_paused = true)]
#[ignore = "takes a minute"]
async fn every_order_of_five_events() {
    every_order(5).await;
}
