use super::setting::Setting;

/// Where each setting was given, for those who have to correct it.
pub(super) struct Origins {
    name_of: fn(Setting) -> &'static str,
    given: Vec<(Setting, String)>,
}

impl Origins {
    /// None yet, in a way in that calls the settings by these names.
    pub(super) fn new(name_of: fn(Setting) -> &'static str) -> Self {
        Self { name_of, given: Vec::new() }
    }

    pub(super) fn add(&mut self, setting: Setting, origin: String) {
        self.given.push((setting, origin));
    }

    /// Where it was given, or else its name.
    pub(super) fn of(&self, setting: Setting) -> &str {
        let given = self.given.iter().find(|(given, _)| *given == setting);
        given.map_or_else(|| self.name_of(setting), |(_, origin)| origin)
    }

    /// Those that were given, and where.
    pub(super) fn given(&self) -> &[(Setting, String)] {
        &self.given
    }

    pub(super) fn is_given(&self, setting: Setting) -> bool {
        self.given.iter().any(|(given, _)| *given == setting)
    }

    pub(super) fn name_of(&self, setting: Setting) -> &'static str {
        (self.name_of)(setting)
    }
}
