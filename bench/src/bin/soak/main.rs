//! Minutes of traffic against a server on loopback that verifies every signature, while credentials rotate every few
//! seconds and one thing after another goes wrong: server, connections, credentials provider, clocks.
//!
//! Prints what happened, and fails if an invariant is broken.

mod clients;
mod faults;
mod ledger;
mod provider;
mod server;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_smithy_async::time::TimeSource;
use clap::Parser;
use clients::{Caller, Shared};
use faults::{FAULT, FAULTS, Fault, JumpingClock, Phase, QUIET, SETTLE, Schedule};
use ledger::{Ledger, Report};
use provider::{Issued, Provider};
use server::{BoxError, Server};
use sigv4_bench::cases::REGION;
use sigv4_middleware::Signer;
use tokio::runtime::{Builder, Runtime};

const SERVICE: &str = "execute-api";
/// Callers of each kind.
const CALLERS: usize = 8;
/// Memory is measured from here on.
const WARM_UP: Duration = Duration::from_secs(10);

/// Signs and sends for minutes while credentials rotate and faults come and go.
#[derive(Parser)]
struct Options {
    /// How long; one round of all faults takes about two minutes.
    #[arg(long, default_value_t = 2)]
    minutes: u64,
    /// The most calls that are made.
    #[arg(long, default_value_t = 5_000_000)]
    calls: u64,
}

#[derive(Clone, Debug)]
struct SharedClock(Arc<JumpingClock>);

impl TimeSource for SharedClock {
    fn now(&self) -> std::time::SystemTime {
        self.0.time()
    }
}

fn main() -> Result<ExitCode, BoxError> {
    let options = Options::parse();
    // Runtimes of their own, so that the tasks of the clients can be counted.
    let (serving, calling) = (runtime()?, runtime()?);
    let (ledger, schedule, issued) =
        (Arc::<Ledger>::default(), Arc::new(Schedule::new()), Arc::<Issued>::default());
    let server = Arc::new(Server {
        clock: JumpingClock::default(),
        issued: Arc::clone(&issued),
        schedule: Arc::clone(&schedule),
        ledger: Arc::clone(&ledger),
    });
    let addr = serving.block_on(Arc::clone(&server).start())?;
    let clock = Arc::new(JumpingClock::default());
    let shared = Arc::new(Shared {
        url: format!("http://{addr}"),
        ledger: Arc::clone(&ledger),
        schedule: Arc::clone(&schedule),
        stop: AtomicBool::new(false),
        ids: AtomicU64::new(0),
        most: options.calls,
    });
    let length = Duration::from_secs(60 * options.minutes);
    let memory = calling.block_on(async {
        let signer = Signer::builder()
            .credentials(Provider { issued: Arc::clone(&issued), schedule: Arc::clone(&schedule) })
            .service(SERVICE)
            .region(REGION)
            .time_source(SharedClock(Arc::clone(&clock)))
            .build()?;
        let mut callers = tokio::task::JoinSet::new();
        for caller in Caller::all(&signer)? {
            for _ in 0..CALLERS {
                callers.spawn(clients::run(caller.clone(), Arc::clone(&shared)));
            }
        }
        drop(signer);
        let before = go_wrong(length, &schedule, &clock, &server).await;
        shared.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = callers.join_next().await {
            ended?;
        }
        Ok::<_, BoxError>(before.zip(resident()))
    })?;
    let leaked_tasks = leaked(&calling);
    let report = Report {
        ledger: &ledger,
        loads: issued.loads.load(Ordering::Relaxed),
        leaked_tasks,
        memory: memory.map(|(before, after)| [before, after]),
    };
    print!("{report}");
    let broken = report.broken();
    for invariant in &broken {
        println!("BROKEN: {invariant}");
    }
    for (message, count) in report.examples() {
        println!("{count:>8}  {message}");
    }
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// One fault after another, with quiet in between, until the time is over. Gives the memory after the warm-up.
async fn go_wrong(
    length: Duration,
    schedule: &Schedule,
    clock: &JumpingClock,
    server: &Server,
) -> Option<u64> {
    let started = Instant::now();
    let warm_up = WARM_UP.min(length / 4);
    tokio::time::sleep(warm_up).await;
    let memory = resident();
    for fault in FAULTS.iter().copied().cycle() {
        if started.elapsed() + FAULT + QUIET > length {
            break;
        }
        schedule.set(Phase::Fault(fault));
        clock.jump_to(fault.client_clock());
        server.clock.jump_to(fault.server_clock());
        if fault == Fault::Revoked {
            server.issued.revoke_all();
        }
        tokio::time::sleep(FAULT).await;
        clock.jump_to(0);
        server.clock.jump_to(0);
        schedule.set(Phase::After(fault));
        tokio::time::sleep(SETTLE).await;
        schedule.set(Phase::Quiet);
        tokio::time::sleep(QUIET - SETTLE).await;
    }
    memory
}

/// Tasks that are alive although all clients were dropped, after they had time to end.
fn leaked(runtime: &Runtime) -> usize {
    let metrics = runtime.metrics();
    for _ in 0..100 {
        if metrics.num_alive_tasks() == 0 {
            break;
        }
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(100)).await });
    }
    metrics.num_alive_tasks()
}

/// Resident memory of this process, in bytes; `None` where Linux's `/proc` is missing.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
