use std::error::Error as StdError;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::AuthClient;
use storage_core::kv::{BackendError, BackendErrorKind};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::advice::{Advice, like};
use super::token::TokenSlot;
use crate::Secret;
use crate::deadline::within;
use crate::error::from_client;
use crate::observe;

/// For how long a member that has refused the password is not asked again. Checking one costs it a good part of a
/// second of computing, and it is not going to like it better soon.
const PAUSE: Duration = Duration::from_secs(5);

/// Gets tokens for a user, one at a time for all calls that need one.
pub(super) struct Login {
    client: AuthClient,
    user: String,
    password: Secret,
    limit: Duration,
    token: Arc<TokenSlot>,
    advice: Advice,
    /// Whoever holds it authenticates. The last attempt, if it failed.
    attempt: Mutex<Option<Failed>>,
}

struct Failed {
    at: Instant,
    error: BackendError,
}

impl Login {
    pub(super) fn new(
        client: AuthClient,
        user: &str,
        password: Secret,
        limit: Duration,
        token: Arc<TokenSlot>,
        advice: Advice,
    ) -> Self {
        Self { client, user: user.to_owned(), password, limit, token, advice, attempt: Mutex::new(None) }
    }

    /// Sees to it that there is a token, and answers which one.
    pub(super) async fn token(&self) -> Result<u64, BackendError> {
        match self.token.number() {
            0 => self.newer_than(0).await,
            number => Ok(number),
        }
    }

    /// Sees to it that there is another token than this one, and answers which one.
    ///
    /// Of many who ask at once one authenticates; the others take what it gets, a failure too.
    pub(super) async fn newer_than(&self, old: u64) -> Result<u64, BackendError> {
        let begin = Instant::now();
        let mut attempt = self.attempt.lock().await;
        let number = self.token.number();
        if number > old {
            return Ok(number);
        }
        if let Some(failed) = &*attempt
            && failed.counts_for(begin)
        {
            return Err(failed.again());
        }
        observe::login(self.advice.endpoint());
        let result = within(self.limit, "authenticating", self.authenticate()).await;
        let result = result.map_err(|error| self.advice.add(error).not_applied());
        observe::login_ended(self.advice.endpoint(), &self.user, &result);
        match result {
            Ok(number) => {
                *attempt = None;
                Ok(number)
            }
            Err(error) => {
                let failed = attempt.insert(Failed { at: Instant::now(), error });
                Err(failed.again())
            }
        }
    }

    async fn authenticate(&self) -> Result<u64, BackendError> {
        let mut client = self.client.clone();
        let answer = client.authenticate(self.user.clone(), self.password.expose().to_owned()).await;
        let answer = answer.map_err(from_client)?;
        self.token.replace(answer.token()).ok_or_else(|| {
            BackendError::new(BackendErrorKind::Internal, "unexpected: a token that no header can hold")
        })
    }
}

impl Failed {
    /// Whether one who began to wait then is answered by this: it ended since, or would only be repeated.
    fn counts_for(&self, begin: Instant) -> bool {
        self.at >= begin || (!self.error.is_retryable() && self.at + PAUSE > begin)
    }

    /// The error, for one more.
    fn again(&self) -> BackendError {
        let message = self.error.message();
        match innermost(&self.error) {
            Some(cause) => like(&self.error, format!("{message}: {cause}")),
            None => like(&self.error, message),
        }
    }
}

fn innermost(error: &BackendError) -> Option<&(dyn StdError + 'static)> {
    iter::successors(error.source(), |&error| error.source()).last()
}
