//! stub
use clap::Args;
/// stub
#[derive(Debug, Args)]
pub(super) struct ProfileArgs {}
pub(super) fn run(_: &ProfileArgs, _: &mut impl std::io::Write) -> Result<(), super::Failure> {
    Ok(())
}
pub(super) fn shipped(name: &str) -> Option<&'static str> {
    (name == "quickstart").then_some(include_str!("../../profiles/quickstart.toml"))
}
