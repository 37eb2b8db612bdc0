//! How much processor time the process of a client takes for a call on etcd. It depends less on what else the machine does
//! than the time that passes.

use std::fs;

use anyhow::{Context as _, Result};

use crate::bench::Bench;
use crate::contender::{Contender, Contenders};
use crate::row::Fact;
use crate::trees::{certificate_path, content};

const BYTES: usize = 2_048;
const CALLS: u32 = 100;
/// The contenders take turns.
const ROUNDS: u32 = 20;
const MICROSECOND: f64 = 1_000.0;

pub(super) async fn run(bench: &mut Bench, group: &str, contenders: &Contenders) -> Result<()> {
    let path = format!("processor/{}", certificate_path(0));
    let content = content(BYTES);
    for called in ["store", "load", "stat"] {
        let name = format!("{group}/processor/{called}");
        if !bench.wants(&name) {
            continue;
        }
        eprintln!("{name}");
        let mut spent = vec![0_u64; contenders.len()];
        for round in 0..=ROUNDS {
            for (who, spent) in contenders.iter().zip(&mut spent) {
                let before = processor_time()?;
                for _ in 0..CALLS {
                    call(&**who, called, &path, &content).await?;
                }
                // The first round is not counted.
                if round > 0 {
                    *spent += processor_time()? - before;
                }
            }
        }
        for (who, spent) in contenders.iter().zip(spent) {
            #[expect(clippy::cast_precision_loss, reason = "far fewer nanoseconds than 2^52")]
            let value = spent as f64 / f64::from(ROUNDS * CALLS) / MICROSECOND;
            bench.note(Fact { name: name.clone(), contender: who.name().to_owned(), value, unit: "us" });
        }
    }
    Ok(())
}

async fn call(who: &dyn Contender, called: &str, path: &str, content: &bytes::Bytes) -> Result<()> {
    match called {
        "store" => who.store(path, content).await,
        "load" => who.load(path).await.map(drop),
        _ => who.stat(path).await,
    }
}

/// That of all threads of this process so far, in nanoseconds.
fn processor_time() -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir("/proc/self/task").context("only Linux tells how long threads ran")? {
        // A thread may have ended since.
        let Ok(times) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        let time = times.split(' ').next().unwrap_or_default();
        sum += time.parse::<u64>().context("the time of a thread is no number")?;
    }
    Ok(sum)
}
