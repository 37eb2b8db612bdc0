//! Some hundreds of seeds.

use simulation::run_many;

#[test]
fn nothing_goes_wrong_in_hundreds_of_seeds_and_everything_happens_in_them() {
    let many = run_many(0, 300);
    println!("{}", many.counts);
    for run in &many.failed {
        println!("seed {}: {:#?}", run.seed, run.violations);
    }
    assert!(
        many.failed.is_empty(),
        "the same again: cargo xtask simulate --seed {} --trace",
        many.failed[0].seed
    );
    assert_eq!(many.seeds, 300);
    assert_eq!(many.missing(), Vec::<&str>::new());
}
