//! Work on many files at once.

use std::cell::Cell;
use std::future::{Future, ready};

use futures::{StreamExt, pin_mut, stream};

use crate::failure::Failure;

/// How many files are under way at the same time.
pub(super) const AT_ONCE: usize = 16;

/// Does a job for each item, a few at once, and hands over what comes out, in no order.
///
/// After the first failure no job is begun any more, and those under way are brought to their end: what they do is
/// counted, and no write is given up halfway. That failure is the answer.
pub(super) async fn for_each<T, R, F: Future<Output = Result<R, Failure>>>(
    items: impl IntoIterator<Item = T>,
    job: impl Fn(T) -> F,
    done: impl FnMut(R),
) -> Result<(), Failure> {
    for_each_while(|| true, items, job, done).await
}

/// As [`for_each`], and no job is begun any more once this says no.
pub(super) async fn for_each_while<T, R, F: Future<Output = Result<R, Failure>>>(
    goes_on: impl Fn() -> bool,
    items: impl IntoIterator<Item = T>,
    job: impl Fn(T) -> F,
    mut done: impl FnMut(R),
) -> Result<(), Failure> {
    let failed = Cell::new(false);
    let goes_on = |_: &T| ready(!failed.get() && goes_on());
    let results = stream::iter(items).take_while(goes_on).map(job).buffer_unordered(AT_ONCE);
    pin_mut!(results);
    let mut first = Ok(());
    while let Some(result) = results.next().await {
        match result {
            Ok(value) => done(value),
            Err(failure) => {
                failed.set(true);
                first = first.and(Err(failure));
            }
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn after_a_failure_nothing_is_begun_and_all_that_was_begun_ends() {
        let begun = Cell::new(0);
        let mut ended = 0;
        let job = |number: usize| {
            begun.set(begun.get() + 1);
            async move {
                if number == 3 {
                    return Err(Failure::usage("three"));
                }
                // All others are still under way when the third one fails.
                tokio::task::yield_now().await;
                Ok(number)
            }
        };
        let failure = for_each(0..1_000, job, |_| ended += 1).await.unwrap_err();
        assert!(format!("{failure:?}").contains("three"));
        assert!((AT_ONCE..=2 * AT_ONCE).contains(&begun.get()), "{}", begun.get());
        assert_eq!(ended, begun.get() - 1);
    }

    #[tokio::test]
    async fn every_item_is_worked_on() {
        let mut sum = 0;
        for_each(0..100, |number| async move { Ok(number) }, |number| sum += number).await.unwrap();
        assert_eq!(sum, 4_950);
    }
}
