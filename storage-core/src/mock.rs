//! A backend that answers as a test tells it.

use std::time::Duration;

use async_trait::async_trait;
use mockall::mock;

use crate::kv::{
    BackendError, KeyRange, KvBackend, Lease, LeaseId, Limits, RangePage, RangeRequest, Revision, Txn,
    TxnReply, WatchStream,
};

mock! {
    pub(crate) Backend {}

    #[async_trait]
    impl KvBackend for Backend {
        fn limits(&self) -> Limits;
        async fn range(&self, request: RangeRequest) -> Result<RangePage, BackendError>;
        async fn txn(&self, txn: Txn) -> Result<TxnReply, BackendError>;
        async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError>;
        async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, BackendError>;
        async fn time_to_live(&self, lease: LeaseId) -> Result<Duration, BackendError>;
        async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError>;
        async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream, BackendError>;
    }
}
