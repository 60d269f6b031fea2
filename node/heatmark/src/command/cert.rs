//! `heatmark cert`: publishes mill certificates through the own node, lists what was published, shows and proves parts of it.
//! Refuses nothing of a certificate itself: that is the node's to judge, fault by fault.

mod agree;
mod attest;
mod beside;
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
pub(super) use beside::document_name;
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
    /// Attests somebody else's record with results of your own, or confirms what you were shown of it
    #[command(
        after_help = "Example:\n  heatmark cert attest 9f41… --home lab --results report.json --shown from-mill.disclosure\n  heatmark cert attest 9f41… --home lab --results export.csv --mapping lims.toml\n  heatmark cert attest 9f41… --home inspector --results visit.json --shown from-mill.disclosure --confirm heat,chemistry/*\nThe report is any file that `cert publish` reads, with sample/id, sample/type (heat or product), test/method, test/date\nand accreditation/… in it or beside it, in FILE.heatmark.toml. What is out of accreditation is said, and published all\nthe same. The attestation is a record of yours: `cert show` and `cert prove` disclose it."
    )]
    Attest(attest::Attest),
    /// Proves to one member that numbers of your record and of one shown to you agree, showing neither
    #[command(
        after_help = "Example:\n  heatmark cert agree 9f41… --home mill --with from-lab.disclosure --within chemistry/C=0.02% --to 'Forge GmbH' --purpose 'order 4711'\n  heatmark verify carbon.agreement --trust genesis.note\nWhat differs by more cannot be proved: the command says what, and makes nothing. Who knows the other's number learns\nan interval for yours; a field is proved to a member within one tolerance, and with three other records, and no more."
    )]
    Agree(agree::Agree),
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
        Command::Attest(command) => attest::run(&command),
        Command::Agree(command) => agree::run(&command),
        Command::Spec(command) => prove::spec(&command),
        Command::List(command) => list::run(&command),
        Command::WordsOfPdf => words_of_pdf::run(),
    }
}
