use std::panic::RefUnwindSafe;
use std::thread;
use std::time::Instant;

/// So many inputs a target tries under `cargo test`, unless `BOLERO_RANDOM_ITERATIONS` says otherwise.
pub const QUICK_INPUTS: usize = 4_000;

/// What the code under test has made of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was taken, and what follows from that was checked.
    Accepted,
    /// It was refused, as it should be.
    Refused,
}

impl Verdict {
    /// The verdict of code that answers whether it takes an input.
    pub fn of<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() { Self::Accepted } else { Self::Refused }
    }
}

/// Counts what a fuzz target has tried, and says so in one line when it is dropped: `cargo xtask fuzz` reads it.
#[derive(Debug)]
pub struct Target {
    name: &'static str,
    begun: Instant,
    inputs: u64,
    accepted: u64,
}

impl Target {
    /// A target that begins now, named by the module that it stands in.
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a target took, for who waits; nothing depends on it"
    )]
    pub fn new(module: &'static str) -> Self {
        Self { name: module, begun: Instant::now(), inputs: 0, accepted: 0 }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let Self { name, inputs, accepted, .. } = self;
        let end = if thread::panicking() { "failed" } else { "passed" };
        let seconds = self.begun.elapsed().as_secs_f64();
        println!("fuzz target {name} {end}: {inputs} inputs, {accepted} accepted, {seconds:.1} s");
    }
}

/// The property with its inputs counted.
pub fn counted<I: ?Sized, P>(target: &mut Target, mut property: P) -> impl FnMut(&I) + RefUnwindSafe
where
    P: FnMut(&I) -> Verdict + RefUnwindSafe,
{
    move |input| {
        target.inputs += 1;
        if property(input) == Verdict::Accepted {
            target.accepted += 1;
        }
    }
}

/// A fuzz target, as the body of a test: tries a property on inputs of a generator of bolero.
///
/// The property is a closure that takes a reference to an input, panics if something is wrong with it, and answers the
/// [`Verdict`](crate::Verdict). It may keep what it has seen from input to input. The test stands in a module `fuzz`, in a
/// module of its own: that is how `cargo xtask fuzz` finds it, and what it is called.
#[macro_export]
macro_rules! fuzz {
    ($generator:expr, $property:expr) => {
        let mut target = $crate::Target::new(module_path!());
        $crate::bolero::check!()
            .with_generator($generator)
            .with_iterations($crate::QUICK_INPUTS)
            .for_each($crate::counted(&mut target, $property));
    };
}
