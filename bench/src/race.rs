//! A race: contenders take turns, in small batches and in another order in every round, so that whatever disturbs the
//! machine disturbs all of them alike. What is compared are the figures of one round.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use hdrhistogram::Histogram;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;
use tokio::time::Instant;

use crate::contender::Contenders;
use crate::row::{Figure, Measured, Row, Spread};

/// The first rounds of a race, which warm up connections and are not counted.
const WARM_UP: u64 = 1;
/// However long they take.
const FEWEST_ROUNDS: u64 = 3;

/// Nanoseconds in an hour: no call takes longer.
const LONGEST: u64 = 3_600_000_000_000;

/// How long a race goes on: until it has had so many rounds, or this time is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) rounds: u64,
    pub(crate) time: Duration,
}

/// Which calls are to be made in a turn. No two turns of a race have a number in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    first: u64,
    calls: u64,
}

impl Turn {
    /// A number for each call.
    pub(crate) fn numbers(self) -> impl Iterator<Item = u64> + Send {
        self.first..self.first + self.calls
    }

    /// One number for the whole turn.
    pub(crate) fn number(self) -> u64 {
        self.first
    }

    /// Whether it is the first one of the race, which is not counted: the time to prepare.
    pub(crate) fn is_first(self) -> bool {
        self.first == 0
    }
}

/// What was measured in a turn.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    /// Of each call.
    pub(crate) latencies: Vec<Duration>,
    /// Of all of them, which may have been at the same time.
    pub(crate) elapsed: Duration,
}

impl Sample {
    /// Of one call.
    pub(crate) fn of_one(elapsed: Duration) -> Self {
        Self { latencies: vec![elapsed], elapsed }
    }

    /// Calls one after the other. Making a future is part of the call.
    pub(crate) async fn of_each<I, F, Fut>(inputs: I, call: F) -> Result<Self>
    where
        I: IntoIterator,
        F: Fn(I::Item) -> Fut,
        Fut: Future<Output = Result<()>>,
    {
        let mut sample = Self::default();
        for input in inputs {
            let began = Instant::now();
            call(input).await?;
            let latency = began.elapsed();
            sample.latencies.push(latency);
            sample.elapsed += latency;
        }
        Ok(sample)
    }

    fn figure(&self, figure: Figure) -> f64 {
        match figure {
            Figure::Latency => median(self.latencies.iter().map(Duration::as_secs_f64).collect()),
            Figure::Throughput => {
                #[expect(clippy::cast_precision_loss, reason = "far fewer calls than 2^52")]
                let calls = self.latencies.len() as f64;
                calls / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
            }
        }
    }
}

/// Contenders that do the same. The first one that enters is what the others are compared with.
pub(crate) struct Race {
    row: Row,
    calls: u64,
    entrants: Vec<Entrant>,
}

struct Entrant {
    name: &'static str,
    turn: Box<dyn FnMut(Turn) -> BoxFuture<'static, Result<Sample>> + Send>,
    samples: Vec<Sample>,
    latencies: Histogram<u64>,
    /// It has been measured once, and takes too long for more.
    is_done: bool,
}

impl Race {
    /// A race of this name, in which a turn is so many calls.
    pub(crate) fn new(name: impl Into<String>, figure: Figure, calls: u64) -> Self {
        Self { row: Row::new(name.into(), figure), calls, entrants: Vec::new() }
    }

    /// Adds one.
    pub(crate) fn enter<F, Fut>(mut self, name: &'static str, mut turn: F) -> Self
    where
        F: FnMut(Turn) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Sample>> + Send + 'static,
    {
        let latencies = Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds are in order");
        let turn = Box::new(move |of| turn(of).boxed());
        self.entrants.push(Entrant { name, turn, samples: Vec::new(), latencies, is_done: false });
        self
    }

    /// Adds all that do the same.
    pub(crate) fn enter_all<F, Fut>(mut self, contenders: &Contenders, turn: F) -> Self
    where
        F: Fn(std::sync::Arc<dyn crate::contender::Contender>, Turn) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<Sample>> + Send + 'static,
    {
        for contender in contenders {
            let (turn, who) = (turn.clone(), contender.clone());
            self = self.enter(contender.name(), move |of| turn(who.clone(), of));
        }
        self
    }

    /// Without those whose names do not begin so.
    pub(crate) fn among(mut self, beginning: &str) -> Self {
        self.entrants.retain(|entrant| entrant.name.starts_with(beginning));
        self
    }

    /// What is done in it.
    pub(crate) fn name(&self) -> &str {
        &self.row.name
    }

    /// Whether nobody has entered.
    pub(crate) fn is_empty(&self) -> bool {
        self.entrants.is_empty()
    }

    /// Lets them take turns. Who fails is out, with the reason; who needs more than the whole time for its first turn has
    /// only that one.
    pub(crate) async fn run(mut self, budget: Budget) -> Row {
        // The order is the same in every run.
        let mut chance = SmallRng::seed_from_u64(1);
        let began = Instant::now();
        let mut first = 0;
        let rounds = WARM_UP + budget.rounds;
        for round in 0..rounds {
            if round >= WARM_UP + FEWEST_ROUNDS && began.elapsed() > budget.time {
                break;
            }
            let mut order: Vec<usize> = (0..self.entrants.len()).collect();
            order.shuffle(&mut chance);
            let turn = Turn { first, calls: self.calls };
            first += self.calls;
            let mut failed = Vec::new();
            for index in order {
                let entrant = &mut self.entrants[index];
                if entrant.is_done {
                    continue;
                }
                let sample = (entrant.turn)(turn).await.with_context(|| format!("in round {round}"));
                match sample {
                    Ok(sample) if round >= WARM_UP => entrant.add(sample),
                    // The first one is what the others are compared with, in every round.
                    Ok(sample) if index > 0 && sample.elapsed > budget.time => {
                        entrant.add(sample);
                        entrant.is_done = true;
                    }
                    Ok(_) => {}
                    Err(error) => failed.push((index, format!("{error:#}"))),
                }
            }
            failed.sort_by_key(|(index, _)| *index);
            for (index, error) in failed.into_iter().rev() {
                let entrant = self.entrants.remove(index);
                self.row.left_out.push((entrant.name.to_owned(), error));
            }
        }
        self.into_row()
    }

    fn into_row(mut self) -> Row {
        let figure = self.row.figure;
        let figures: Vec<Vec<f64>> = self
            .entrants
            .iter()
            .map(|entrant| entrant.samples.iter().map(|sample| sample.figure(figure)).collect())
            .collect();
        for (entrant, own) in self.entrants.iter().zip(&figures) {
            let ratios = own.iter().zip(&figures[0]).map(|(own, floor)| own / floor.max(f64::MIN_POSITIVE));
            let ratio = Spread::of(ratios.collect());
            self.row.measured.push(entrant.measured(ratio));
        }
        self.row
    }
}

impl Entrant {
    fn add(&mut self, sample: Sample) {
        for latency in &sample.latencies {
            let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
            self.latencies.saturating_record(nanoseconds.max(1));
        }
        self.samples.push(sample);
    }

    fn measured(&self, ratio: Spread) -> Measured {
        let per_second = self.samples.iter().map(|sample| sample.figure(Figure::Throughput)).collect();
        let at = |quantile| Duration::from_nanos(self.latencies.value_at_quantile(quantile)).as_secs_f64();
        Measured {
            contender: self.name.to_owned(),
            calls: self.latencies.len(),
            rounds: self.samples.len(),
            p50_seconds: at(0.5),
            p99_seconds: at(0.99),
            per_second: median(per_second),
            ratio,
        }
    }
}

/// The middle one; of none, 0.
pub(crate) fn median(values: Vec<f64>) -> f64 {
    Spread::of(values).median
}
