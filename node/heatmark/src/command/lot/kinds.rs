//! The events that put lots together, take them apart, look after them, weigh them anew: one command each.

use super::how::How;
use super::quantity;
use super::serials::Numbering;
use super::{Made, NodeArgs, make_numbered};
use crate::command::answer::Answer;
use crate::command::failure::Failure;
use clap::{Args, Subcommand};
use heatmark_client::{LotQuantity, MakeLotsRequest, NewLot};
use std::str::FromStr;

/// What to do with lots, by kind of event.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Mixes lots of different certificates into a new material
    #[command(
        after_help = "Example:\n  heatmark lot blend POWDER-1 POWDER-2 --make 'MIX-7=500 kg' --uncertified '20 kg' --product 'powder blend' --home mill\nWhat is claimed of a blend has to hold for everything in it. Material without a certificate is declared:\nwhoever is given the lot sees its share, in thousandths."
    )]
    Blend(Blend),
    /// Puts lots into a container, which gives them back as they were
    #[command(
        after_help = "Example:\n  heatmark lot aggregate RING-9-1 RING-9-2 --into PALLET-3 --product pallet --home forge"
    )]
    Aggregate(Aggregate),
    /// Takes the lots out of a container
    #[command(
        after_help = "Example:\n  heatmark lot disaggregate PALLET-3 --home forge\n  heatmark lot disaggregate PALLET-3 --named RING-A --named RING-B --home assembler\nThe lots come out as they went in, under their names unless others are given, in their order."
    )]
    Disaggregate(Disaggregate),
    /// Installs components into a product, which keeps its name, serials and pieces
    #[command(
        after_help = "Example:\n  heatmark lot install PUMP-1 BEARING-7 SEAL-2 --home assembler"
    )]
    Install(Install),
    /// Removes components from a product
    #[command(
        after_help = "Example:\n  heatmark lot remove PUMP-1 BEARING-7 --reason 'worn' --home assembler\nThe components come out as they went in; what was repaired or divided since cannot be taken apart."
    )]
    Remove(Remove),
    /// Repairs a product: takes material off, adds some, keeps its pieces
    #[command(
        after_help = "Example:\n  heatmark lot repair PUMP-1 --scrap '30 g' --uncertified '50 g' --reason 'welded' --home assembler"
    )]
    Repair(Repair),
    /// Looks after lots: only what they are and how long they last may change
    #[command(
        after_help = "Example:\n  heatmark lot service GLUE-4 --expires 2027-06-30 --reason 'tested again' --home assembler"
    )]
    Service(Service),
    /// Gives lots other names; the old ones lead to them for ever
    #[command(after_help = "Example:\n  heatmark lot relabel RING-9=K-0815 --home assembler")]
    Relabel(Relabel),
    /// Weighs and counts a lot anew
    #[command(
        after_help = "Example:\n  heatmark lot adjust COIL-7 '5010 kg,1' --reason 'scale 4' --home forge\n  heatmark lot adjust COIL-7 '5100 kg,1' --uncertified '90 kg' --reason 'scale 4' --home forge\nA weighing may exceed the last one by its tolerance; everything above that is declared as uncertified."
    )]
    Adjust(Adjust),
}

/// Why and how.
#[derive(Debug, Args)]
pub(crate) struct Told {
    #[command(flatten)]
    node: NodeArgs,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    how: How,
}

/// `lot blend`.
#[derive(Debug, Args)]
pub(crate) struct Blend {
    /// The lots that go in, by name
    #[arg(value_name = "LOT", required = true)]
    inputs: Vec<String>,
    #[command(flatten)]
    made: Made,
    /// What goes in without a certificate
    #[arg(long, value_name = "MASS", value_parser = quantity::scrap)]
    uncertified: Option<(u64, u64)>,
    /// What is lost
    #[arg(long, value_name = "MASS", value_parser = quantity::scrap)]
    scrap: Option<(u64, u64)>,
    #[command(flatten)]
    numbering: Numbering,
    #[command(flatten)]
    told: Told,
}

/// `lot aggregate`.
#[derive(Debug, Args)]
pub(crate) struct Aggregate {
    /// The lots that go in, by name
    #[arg(value_name = "LOT", required = true)]
    inputs: Vec<String>,
    /// The container's name
    #[arg(long, value_name = "NAME")]
    into: String,
    /// What the container is
    #[arg(long, value_name = "TEXT", default_value = "")]
    product: String,
    #[command(flatten)]
    told: Told,
}

/// `lot disaggregate`.
#[derive(Debug, Args)]
pub(crate) struct Disaggregate {
    /// The container, by name
    #[arg(value_name = "LOT")]
    container: String,
    /// Another name for a lot that comes out; one for each, in their order
    #[arg(long = "named", value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    told: Told,
}

/// `lot install`.
#[derive(Debug, Args)]
pub(crate) struct Install {
    /// The product, by name
    #[arg(value_name = "PRODUCT")]
    product: String,
    /// The components, by name
    #[arg(value_name = "LOT", required = true)]
    components: Vec<String>,
    /// Another name for the product
    #[arg(long = "named", value_name = "NAME", default_value = "")]
    name: String,
    #[command(flatten)]
    told: Told,
}

/// `lot remove`.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The product, by name
    #[arg(value_name = "PRODUCT")]
    product: String,
    /// The components that come out, by the names that they went in under
    #[arg(value_name = "LOT", required = true)]
    components: Vec<String>,
    /// Another name for a component that comes out; in the order in which they went in
    #[arg(long = "named", value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    told: Told,
}

/// `lot repair`.
#[derive(Debug, Args)]
pub(crate) struct Repair {
    /// The product, by name
    #[arg(value_name = "LOT")]
    lot: String,
    /// What is taken off
    #[arg(long, value_name = "MASS", value_parser = quantity::scrap)]
    scrap: Option<(u64, u64)>,
    /// What is added without a certificate
    #[arg(long, value_name = "MASS", value_parser = quantity::scrap)]
    uncertified: Option<(u64, u64)>,
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    told: Told,
}

/// `lot service`.
#[derive(Debug, Args)]
pub(crate) struct Service {
    /// The lots, by name
    #[arg(value_name = "LOT", required = true)]
    lots: Vec<String>,
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    told: Told,
}

/// What a lot is from now on.
#[derive(Debug, Args)]
pub(crate) struct Change {
    /// What it is now [default: what it was]
    #[arg(long, value_name = "TEXT", default_value = "")]
    product: String,
    /// The last day on which it may be used
    #[arg(long, value_name = "DATE")]
    expires: Option<String>,
}

/// `lot relabel`.
#[derive(Debug, Args)]
pub(crate) struct Relabel {
    /// The lots, each with its new name
    #[arg(value_name = "OLD=NEW", required = true)]
    lots: Vec<Renamed>,
    /// What they are [default: what they were]
    #[arg(long, value_name = "TEXT", default_value = "")]
    product: String,
    #[command(flatten)]
    numbering: Numbering,
    #[command(flatten)]
    told: Told,
}

/// A lot with its new name.
#[derive(Debug, Clone)]
pub(crate) struct Renamed {
    old: String,
    new: String,
}

impl FromStr for Renamed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (old, new) = text.split_once('=').ok_or("give both names as OLD=NEW")?;
        Ok(Self { old: old.trim().to_owned(), new: new.trim().to_owned() })
    }
}

/// `lot adjust`.
#[derive(Debug, Args)]
pub(crate) struct Adjust {
    /// The lot, by name
    #[arg(value_name = "LOT")]
    lot: String,
    /// What it weighs, and how many pieces it has
    #[arg(value_name = "MASS[,PIECES]", value_parser = quantity::scrap)]
    found: (u64, u64),
    /// By how many thousandths the weighing may exceed the last one
    #[arg(long, value_name = "THOUSANDTHS", default_value_t = 0, hide_default_value = true)]
    tolerance: u32,
    /// What of it has no certificate
    #[arg(long, value_name = "MASS[,PIECES]", value_parser = quantity::scrap)]
    uncertified: Option<(u64, u64)>,
    #[command(flatten)]
    numbering: Numbering,
    #[command(flatten)]
    told: Told,
}

/// An event that is to be made: why, how, and with which serials.
struct Asked {
    told: Told,
    request: MakeLotsRequest,
    numbering: Option<Numbering>,
}

impl Asked {
    fn new(told: Told, request: MakeLotsRequest) -> Self {
        Self { told, request, numbering: None }
    }
}

pub(super) fn run(command: Command) -> Result<Answer, Failure> {
    let Asked { told, request, numbering } = match command {
        Command::Blend(command) => blend(command)?,
        Command::Aggregate(command) => aggregate(command),
        Command::Disaggregate(command) => disaggregate(command),
        Command::Install(command) => install(command),
        Command::Remove(command) => remove(command),
        Command::Repair(command) => repair(command)?,
        Command::Service(command) => service(command)?,
        Command::Relabel(command) => relabel(command),
        Command::Adjust(command) => adjust(command),
    };
    let mut request = MakeLotsRequest { reason: told.reason.clone(), ..request };
    told.how.tell(&mut request)?;
    let serials = match &numbering {
        Some(numbering) => numbering.tell(&mut request)?,
        None => None,
    };
    make_numbered(&told.node, request, serials)
}

fn blend(command: Blend) -> Result<Asked, Failure> {
    let (scrap_mg, scrap_pieces) = command.scrap.unwrap_or_default();
    let request = MakeLotsRequest {
        outputs: command.made.lots()?,
        scrap_mg,
        scrap_pieces,
        uncertified: declared(command.uncertified),
        ..request("blend", command.inputs)
    };
    Ok(Asked { numbering: Some(command.numbering), ..Asked::new(command.told, request) })
}

fn aggregate(command: Aggregate) -> Asked {
    let container = NewLot { name: command.into, product: command.product, ..NewLot::default() };
    let request =
        MakeLotsRequest { outputs: vec![container], ..request("aggregate", command.inputs) };
    Asked::new(command.told, request)
}

fn disaggregate(command: Disaggregate) -> Asked {
    let outputs = command.names.into_iter().map(named).collect();
    let request = MakeLotsRequest { outputs, ..request("disaggregate", vec![command.container]) };
    Asked::new(command.told, request)
}

fn install(command: Install) -> Asked {
    let mut inputs = vec![command.product];
    inputs.extend(command.components);
    let outputs = vec![named(command.name)];
    Asked::new(command.told, MakeLotsRequest { outputs, ..request("install", inputs) })
}

fn remove(command: Remove) -> Asked {
    let request = MakeLotsRequest {
        outputs: command.names.into_iter().map(named).collect(),
        removed: command.components,
        ..request("remove", vec![command.product])
    };
    Asked::new(command.told, request)
}

fn repair(command: Repair) -> Result<Asked, Failure> {
    let (scrap_mg, scrap_pieces) = command.scrap.unwrap_or_default();
    let request = MakeLotsRequest {
        outputs: vec![command.change.lot()?],
        scrap_mg,
        scrap_pieces,
        uncertified: declared(command.uncertified),
        ..request("repair", vec![command.lot])
    };
    Ok(Asked::new(command.told, request))
}

fn service(command: Service) -> Result<Asked, Failure> {
    let lot = command.change.lot()?;
    let outputs = vec![lot; command.lots.len()];
    let request = MakeLotsRequest { outputs, ..request("service", command.lots) };
    Ok(Asked::new(command.told, request))
}

fn relabel(command: Relabel) -> Asked {
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for Renamed { old, new } in command.lots {
        inputs.push(old);
        outputs.push(NewLot { product: command.product.clone(), ..named(new) });
    }
    let request = MakeLotsRequest { outputs, ..request("relabel", inputs) };
    Asked { numbering: Some(command.numbering), ..Asked::new(command.told, request) }
}

fn adjust(command: Adjust) -> Asked {
    let (mass_mg, pieces) = command.found;
    let request = MakeLotsRequest {
        outputs: vec![NewLot { mass_mg, pieces, ..NewLot::default() }],
        tolerance_permille: command.tolerance,
        uncertified: declared(command.uncertified),
        ..request("adjust", vec![command.lot])
    };
    Asked { numbering: Some(command.numbering), ..Asked::new(command.told, request) }
}

impl Change {
    fn lot(&self) -> Result<NewLot, Failure> {
        let expires = self.expires.as_deref().map(quantity::end_of_day).transpose()?;
        let product = self.product.clone();
        Ok(NewLot { product, expires_ms: expires.unwrap_or(0), ..NewLot::default() })
    }
}

fn request(kind: &str, inputs: Vec<String>) -> MakeLotsRequest {
    MakeLotsRequest { kind: kind.to_owned(), inputs, ..MakeLotsRequest::default() }
}

fn named(name: String) -> NewLot {
    NewLot { name, ..NewLot::default() }
}

fn declared(told: Option<(u64, u64)>) -> Option<LotQuantity> {
    told.map(|(mass_mg, pieces)| LotQuantity { mass_mg, pieces })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_name_stands_behind_the_old_one() {
        let read: Result<Renamed, _> = "RING-9 = K=1".parse();
        assert!(read.is_ok_and(|read| read.old == "RING-9" && read.new == "K=1"));
        assert!("RING-9".parse::<Renamed>().is_err());
    }
}
