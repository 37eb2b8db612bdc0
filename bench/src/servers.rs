//! The etcd servers below the contenders: fresh ones for each group of workloads, so that none finds the data of another.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use etcd_process::{EtcdBinary, EtcdCluster, EtcdProcess};

use crate::contender::{CertMagic, Contenders, Kvfs, OpenDal, Raw};

/// Room for a million files; etcd's own limit is 2 GiB.
const QUOTA: &str = "--quota-backend-bytes=8589934592";

/// One member, or three.
pub(crate) enum Servers {
    One(Box<EtcdProcess>),
    Three(EtcdCluster),
}

impl Servers {
    /// The newest etcd that is found.
    pub(crate) fn binary() -> Result<EtcdBinary> {
        EtcdBinary::find_all().pop().context("no etcd was found: `cargo xtask setup` fetches one")
    }

    /// A member alone.
    pub(crate) fn one(binary: &EtcdBinary) -> Result<Self> {
        Ok(Self::One(Box::new(EtcdProcess::builder(binary).with_flag(QUOTA).start()?)))
    }

    /// Three members.
    pub(crate) fn three(binary: &EtcdBinary) -> Result<Self> {
        Ok(Self::Three(EtcdCluster::builder(binary).with_flag(QUOTA).start()?))
    }

    /// Where they are.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        match self {
            Self::One(member) => vec![member.endpoint()],
            Self::Three(members) => members.endpoints(),
        }
    }

    /// The bare client, kvfs, and its peers.
    pub(crate) async fn contenders(&self) -> Result<Contenders> {
        let endpoints = self.endpoints();
        Ok(vec![
            Arc::new(Raw::connect(&endpoints, "/raw").await?),
            Arc::new(Kvfs::on_etcd(&endpoints, "/kvfs").await?),
            Arc::new(CertMagic::on_etcd(&endpoints).await?),
            Arc::new(OpenDal::on_etcd(&endpoints)?),
        ])
    }
}
