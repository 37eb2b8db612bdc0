//! etcd-process
