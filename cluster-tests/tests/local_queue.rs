//! Many tasks of one process are one client of the store.

mod support;

use std::time::Duration;

use cluster_tests::{At, Command, Event};
use support::{Node, PREFIX, on_each_store};

const TASKS: usize = 1000;

const TTL: Duration = Duration::from_secs(30);

#[test]
fn a_thousand_tasks_have_one_place_in_the_store_and_are_served_in_the_order_in_which_they_asked() {
    on_each_store("local_queue", |store| {
        const SAMPLES: usize = 20;
        let queue = format!("{PREFIX}/lock/one/");
        let mut node = Node::start(store, TTL);
        node.tell(&Command::Crowd { lock: "one".to_owned(), tasks: TASKS });
        node.wait_for("asked", |event| matches!(event, Event::Asked).then_some(()));
        for _ in 0..SAMPLES {
            assert_eq!(store.keys_below(&queue).len(), 1);
        }

        node.tell(&Command::OpenGate);
        let began = At::now();
        let mut samples = 0;
        let served = loop {
            // Between two turns there is none.
            let keys = store.keys_below(&queue).len();
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
            store.name(),
        );
        assert!(samples > 1, "somebody was served while the test looked");
        assert_eq!(served, (0..TASKS).collect::<Vec<_>>());
        assert_eq!(store.keys_below(&queue), Vec::<String>::new());
    });
}
