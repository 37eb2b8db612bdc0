//! A server with TLS and users starts, is looked after through its plain port, and keeps both over a restart.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

use etcd_process::{EtcdBinary, EtcdProcess, EtcdTls, TestAuthority, TestCertificate};

#[test]
fn a_server_with_tls_and_users_is_looked_after_through_its_plain_port() {
    for binary in EtcdBinary::find_all_for_test("etcd-process: TLS") {
        let authority = TestAuthority::new().unwrap();
        // Even one that no client would accept.
        let server = authority.issue(TestCertificate::server().expired()).unwrap();
        let tls = EtcdTls::new(&server).with_client_authority(authority.ca());
        let mut etcd = EtcdProcess::builder(&binary).with_tls(tls).start().unwrap();
        assert!(etcd.endpoint().starts_with("https://"), "{}", etcd.endpoint());
        etcd.enable_auth("root-password").unwrap();
        etcd.add_user("somebody", "password", "/some/").unwrap();
        etcd.restart().unwrap();
        let role = etcd.etcdctl(&["role", "get", "somebody"]).unwrap();
        assert!(role.contains("[/some/, /some0)"), "{role}");
    }
}
