use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Session;
use super::keeper::{CLOSING_LIMIT, Kept, keep};
use super::life::Life;
use crate::clock::Moment;
use crate::error::{Error, ErrorKind, Result};
use crate::identity::Identity;
use crate::kv::{BackendError, BackendErrorKind, KvBackend, Op, Revision};
use crate::lock::LockState;
use crate::observe;
use crate::retry::Backoff;
use crate::storage::{Storage, Write, Written};

/// The session that a storage uses, if it has one.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    current: Mutex<Option<Current>>,
    /// Held by who begins a session, so that there is only one.
    beginning: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Current {
    session: Arc<Session>,
    keeper: JoinHandle<Result<(), BackendError>>,
}

impl Sessions {
    pub(super) fn alive(&self) -> Option<Arc<Session>> {
        let current = super::lock(&self.current);
        let session = &current.as_ref()?.session;
        (session.state() != LockState::Lost).then(|| Arc::clone(session))
    }
}

impl<B: KvBackend> Storage<B> {
    /// The session: the one there is, or a new one if there is none or it was lost.
    pub(crate) async fn session(&self) -> Result<Arc<Session>> {
        self.check_open()?;
        if let Some(session) = self.client().sessions.alive() {
            return Ok(session);
        }
        // In a task of its own: a caller that is dropped must not leave a lease that nobody knows of.
        let storage = self.clone();
        let beginning = self.client().background.tasks.spawn(async move { storage.begin_session().await });
        let stopped = |_| Error::new(ErrorKind::Closed).with_detail("the runtime shuts down");
        beginning.await.map_err(stopped)?
    }

    async fn begin_session(&self) -> Result<Arc<Session>> {
        let client = self.client();
        let _alone = client.sessions.beginning.lock().await;
        if let Some(session) = client.sessions.alive() {
            return Ok(session);
        }
        let closing = client.background.closing().clone();
        // One that has begun to come into being when the storage is closed is ended properly, if the store answers.
        let is_too_late = async {
            closing.cancelled().await;
            tokio::time::sleep(CLOSING_LIMIT).await;
        };
        let session = tokio::select! {
            biased;
            session = self.new_session_that_lives() => Arc::new(session?),
            () = is_too_late => return Err(Error::new(ErrorKind::Closed)),
        };
        let keeper = client.background.tasks.spawn(keep(Kept(Arc::clone(&session)), closing));
        *super::lock(&client.sessions.current) = Some(Current { session: Arc::clone(&session), keeper });
        Ok(session)
    }

    /// A new session; another one if its lease has ended before it had a key, because this process or its call was held
    /// up for so long. A store that always takes longer than its leases run is one that does not answer in time.
    async fn new_session_that_lives(&self) -> Result<Session> {
        let deadline = Instant::now() + self.client().request_timeout;
        let mut backoff = Backoff::new(self.surroundings());
        loop {
            match self.new_session().await {
                Err(error) if error.is_backend(BackendErrorKind::LeaseNotFound) => {
                    if Instant::now() >= deadline {
                        let detail = "the lease of a new session has ended before it was used";
                        return Err(Error::new(ErrorKind::Timeout).with_detail(detail));
                    }
                    backoff.pause().await;
                }
                result => return result,
            }
        }
    }

    async fn new_session(&self) -> Result<Session> {
        let client = self.client();
        let sent = Moment::now(&client.surroundings);
        // What is not known of a lease without keys is nothing to tell: it changes nothing, and ends by itself.
        let lease = client.backend.0.grant(client.lock_timeout).await.map_err(Error::of_read)?;
        let id = hex::encode(&client.surroundings.random()[..8]);
        let key = self.keyspace().session(&id);
        let record = Identity::own(None, client.surroundings.wall_clock()).encode();
        let put = Op::Put { key: key.clone(), value: record.clone(), lease: Some(lease.id) };
        let epoch = match self.put_session(put).await {
            Ok(epoch) => epoch,
            Err(error) => {
                // If that fails too the lease ends by itself.
                let _ = client.backend.0.revoke(lease.id).await;
                return Err(error);
            }
        };
        observe::session_begun(&id, lease.ttl);
        Ok(Session {
            backend: client.backend.clone(),
            id,
            lease: lease.id,
            key,
            record,
            lock_timeout: client.lock_timeout,
            request_timeout: client.request_timeout,
            epoch: AtomicU64::new(epoch.0),
            places: AtomicU64::new(0),
            life: Mutex::new(Life::new(sent, lease.ttl)),
            lost: CancellationToken::new(),
            held: Mutex::default(),
            doubt: Notify::new(),
            runtime: Handle::current(),
            tasks: client.background.tasks.clone(),
            surroundings: client.surroundings.clone(),
        })
    }

    /// Puts the key of a session that begins. Nobody else puts it, and it goes with its lease, so it may be put again if
    /// the answer is lost.
    async fn put_session(&self, put: Op) -> Result<Revision> {
        let limit = self.client().request_timeout;
        let write = Write { ops: vec![put], ..Write::default() };
        let mut backoff = Backoff::new(self.surroundings());
        let put_until_answered = async {
            loop {
                match self.attempt(&write).await {
                    Ok(Written::Done(epoch, _)) => return Ok(epoch),
                    Err(error) if error.is_outcome_unknown() && error.is_retryable() => backoff.pause().await,
                    Ok(Written::Refused(error, _)) | Err(error) => return Err(error),
                }
            }
        };
        let late = |_| Error::new(ErrorKind::Timeout).with_detail(format!("after {limit:?}"));
        tokio::time::timeout(limit, put_until_answered).await.map_err(late)?
    }

    /// Refuses what needs a session or a watch once the storage was closed.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.client().background.closing().is_cancelled() {
            return Err(Error::new(ErrorKind::Closed));
        }
        Ok(())
    }

    /// Ends what this storage does in the background, for all its clones: its session, and with it every lock that it
    /// holds or waits for; and its watches. Locks that are free now can be taken by others at once. Files can still be
    /// read and written; locking and watching fail with `Closed` from now on.
    ///
    /// A program that ends without it keeps nobody waiting longer than
    /// [`lock_timeout`](crate::StorageOptions::lock_timeout). Dropping the last handle does the same in the background,
    /// if the runtime goes on.
    ///
    /// Closing again does nothing. Dropping the future is safe: what has begun goes on in the background.
    ///
    /// # Errors
    ///
    /// Those of every operation, when the store did not answer within five seconds or refused: everything on this side
    /// is closed then, and the locks become free at the end of their lease.
    pub async fn close(&self) -> Result<()> {
        let client = self.client();
        client.background.close().await;
        let keeper = super::lock(&client.sessions.current).take().map(|current| current.keeper);
        let Some(keeper) = keeper else { return Ok(()) };
        // Without an answer its runtime was shut down under it: then there was nobody to end the lease.
        let ended = keeper.await.unwrap_or_else(|_| Ok(()));
        ended.map_err(|error| Error::of_read(error).with_operation("close"))
    }
}
