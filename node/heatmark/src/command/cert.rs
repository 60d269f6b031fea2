//! `heatmark cert`: publishes mill certificates through the own node, lists what was published, shows and proves parts of it.
//! Refuses nothing of a certificate itself: that is the node's to judge, fault by fault.

mod list;
mod prove;
mod publish;
mod review;
mod show;
mod sources;
mod watch;
mod words_of_pdf;

use super::answer::Answer;
use super::failure::Failure;
use clap::Subcommand;

/// What to do with certificates.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Publishes certificate files, or all files of directories, as one batch
    #[command(
        after_help = "Example:\n  heatmark cert publish --home mill heat-48213.json\n  heatmark cert publish --home mill certificates/ --receipts receipts/\n  heatmark cert publish --home mill --mapping lims.toml export.csv\n  heatmark cert publish --home mill --template kesselbach.toml scan-4711.pdf\n  heatmark cert publish --home forge --transcribed-from 'Norra Stål AB' paper.pdf\nOnly salted commitments go on the log; the contents stay in your node. The same file twice\nis one record. What the form has no place for (melt shop, smelter, remelt, ingot, a concession)\nstands beside the file, in FILE.heatmark.toml. A PDF is attached by its digest; its fields come\nfrom a template, and are shown to be confirmed, or from FILE.heatmark.toml.\nExits with 1 when a file was refused; the others are published all the same."
    )]
    Publish(publish::Publish),
    /// Publishes what other programs drop into a directory, until it is stopped
    #[command(
        after_help = "Example:\n  heatmark cert watch --home mill /var/spool/certificates\nA file is taken when it has not changed for a while; what is published moves to published/ with\nits record's id beside it, what is refused to refused/ with the reasons. It may be killed at any\nmoment: no file is lost, and none becomes two records. While the node does not answer, files wait.\nA program that also writes FILE.heatmark.toml writes that first."
    )]
    Watch(watch::Watch),
    /// Shows chosen fields of a record to one member, in a file that verifies offline
    #[command(
        after_help = "Example:\n  heatmark cert show 9f41… --home mill --fields heat,chemistry/* --to 'Forge GmbH' --purpose 'order 4711' --out heat.disclosure\n  heatmark verify heat.disclosure --trust genesis.note\nA pattern's * stands for any characters. Profiles: origin, chemistry, mechanical, all."
    )]
    Show(show::Show),
    /// Proves to one member that a record keeps limits, without showing its numbers
    #[command(
        after_help = "Example:\n  heatmark cert prove 9f41… --home mill --spec 316l-astm-a240.toml --to 'Forge GmbH' --purpose 'order 4711'\n  heatmark cert prove 9f41… --home mill --own-limits --fields heat --to 'Forge GmbH' --purpose 'order 4711'\nWhat is outside its limits cannot be proved: the command says what, and makes nothing. A field is proved to a\nmember by one specification only, since narrower and narrower limits would give the number away."
    )]
    Prove(prove::Prove),
    /// Reads a specification and prints its limits and its id
    #[command(after_help = "Example:\n  heatmark cert spec 316l-astm-a240.toml")]
    Spec(prove::Spec),
    /// Lists the records that this node has published: heat, mass, what took their place
    #[command(
        after_help = "Example:\n  heatmark cert list --home mill\nThe mass in brackets commissions nothing: no heat is named, or the certificate is transcribed."
    )]
    List(list::List),
    /// Reads a PDF on standard input and prints its words; for this program itself
    #[command(hide = true)]
    WordsOfPdf,
}

pub(crate) fn run(command: Command, json: bool) -> Result<Answer, Failure> {
    match command {
        Command::Publish(command) => publish::run(&command),
        Command::Watch(command) => watch::run(&command, json),
        Command::Show(command) => show::run(&command),
        Command::Prove(command) => prove::run(&command),
        Command::Spec(command) => prove::spec(&command),
        Command::List(command) => list::run(&command),
        Command::WordsOfPdf => words_of_pdf::run(),
    }
}
