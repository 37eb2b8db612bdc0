//! Many tasks of one process are one client of the store.

mod support;

use std::time::Duration;

use cluster_tests::{At, Command, Event};
use support::{Node, PREFIX, keys_below, on_each_etcd};

const TASKS: usize = 1000;

const TTL: Duration = Duration::from_secs(30);

#[test]
fn a_thousand_tasks_have_one_place_in_the_store_and_are_served_in_the_order_in_which_they_asked() {
    on_each_etcd("local_queue", |etcd| {
        const SAMPLES: usize = 20;
        let queue = format!("{PREFIX}/lock/one/");
        let mut node = Node::start(etcd, TTL);
        node.tell(&Command::Crowd { lock: "one".to_owned(), tasks: TASKS });
        node.wait_for("asked", |event| matches!(event, Event::Asked).then_some(()));
        for _ in 0..SAMPLES {
            assert_eq!(keys_below(etcd, &queue).len(), 1);
        }

        node.tell(&Command::OpenGate);
        let began = At::now();
        let mut samples = 0;
        let served = loop {
            // Between two turns there is none.
            let keys = keys_below(etcd, &queue).len();
            assert!(keys <= 1, "{keys} places of one process");
            samples += 1;
            if let Some(served) = node.said(|event| match event {
                Event::Served(served) => Some(served.clone()),
                _ => None,
            }) {
                break served;
            }
        };
        let took = began.elapsed();
        println!(
            "local_queue, {}: {TASKS} tasks wait with one key in {SAMPLES} samples, are served in {took:.1?} with at \
             most one in {samples} samples",
            support::name(etcd),
        );
        assert!(samples > 1, "somebody was served while the test looked");
        assert_eq!(served, (0..TASKS).collect::<Vec<_>>());
        assert_eq!(keys_below(etcd, &queue), Vec::<String>::new());
    });
}
