use std::ffi::OsStr;

use bad_input::bolero::{Driver, ValueGenerator};
use bad_input::{Choice, Texts, Verdict, fuzz};

use crate::location::Location;

#[test]
fn a_location_is_shown_as_one_that_means_the_same() {
    fuzz!(Locations, |text: &String| {
        let parsed = Location::parse("cp", OsStr::new(text));
        if let Ok(location) = &parsed {
            let shown = location.name();
            match (location, Location::parse("cp", OsStr::new(&shown)).ok()) {
                // The name of a tar is shown without what says that it is one.
                (Location::Tar(_), _) => {}
                // An empty path is as good as none.
                (Location::Store { .. }, Some(again)) => assert_eq!(again, *location, "{shown:?}"),
                (location, again) => assert_eq!(again.as_ref(), Some(location), "{shown:?}"),
            }
            if let Location::Store { url, .. } = location {
                assert!(!url.contains('#'), "{url:?}");
            }
        }
        Verdict::of(&parsed)
    });
}

struct Locations;

impl ValueGenerator for Locations {
    type Output = String;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<String> {
        let start =
            *driver.pick(&["", "", "store:", "tar:", "etcd://a", "memory:", "sqlite:", "x://", "-", "./"])?;
        let end = *driver.pick(&["", "", "", "#", "#a", ".tar", "/", "-"])?;
        Some(format!("{start}{}{end}", Texts.generate(driver)?))
    }
}
