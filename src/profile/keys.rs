//! Taking the keys of a table one by one.

/// Proof that a problem has been written down: whoever holds it need not report anything more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Reported(());

/// The keys of one table.
#[derive(Debug)]
pub struct Keys<'a> {
    name: &'a str,
}

impl Keys<'_> {
    /// What the table is called in messages.
    pub fn name(&self) -> &str {
        self.name
    }
}
impl Keys<'_> {
    /// stub
    pub fn size(&mut self, _: &str) -> Result<crate::profile::SizeDistribution, Reported> { Err(Reported(())) }
    /// stub
    pub fn choice(&mut self, _: &str) -> Result<String, Reported> { Err(Reported(())) }
}
