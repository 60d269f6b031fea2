//! `heatmark lot`: makes lots of what a certificate certifies, works on them, divides them, and tells what there is.

mod capsule;
mod how;
mod kinds;
pub(crate) mod quantity;
mod receive;
mod serials;
mod ship;
pub(crate) mod trace;
mod underway;

use super::alert::own_record;
use super::answer::{Answer, table};
use super::connect::{NodeArgs, block_on};
use super::failure::Failure;
use super::words;
use clap::{Args, Subcommand};
use heatmark_client::{LotEvent, LotRow, LotState, MakeLotsRequest, ProcessField};
use how::How;
use quantity::{Lot, mass_text};
use serde_json::{Value, json};
use serials::Numbering;

/// What to do with lots.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes the first lots of a certificate's material, once, or lots of material without one
    #[command(
        after_help = "Example:\n  heatmark lot commission 4c7e… --make 'BILLET-1=2500 kg,10' --make 'BILLET-2=2.5 t,10' --product 'billet 120 mm' --home mill\n  heatmark lot commission --uncertified --make 'SCREWS-7=12 kg,4000' --home forge\nAll lots together are no more than the certificate's mass. Masses in t, kg, g, mg or lb."
    )]
    Commission(Commission),
    /// Makes something else of lots: billets into rings
    #[command(
        after_help = "Example:\n  heatmark lot transform BILLET-1 --make 'RING-9=2300 kg,200' --product 'ring 400 mm' --scrap '200 kg' --home forge\nWhat comes out and the scrap is what went in, to the milligram. Lots of different certificates\ndo not go into one."
    )]
    Transform(Transform),
    /// Works on lots piece by piece: what is lost is scrap
    #[command(
        after_help = "Example:\n  heatmark lot rework RING-9 --make 'RING-9B=2250 kg,198' --scrap '50 kg,2' --home forge"
    )]
    Rework(Transform),
    /// Divides a lot
    #[command(
        after_help = "Example:\n  heatmark lot split RING-9 --make 'RING-9-1=1150 kg,100' --make 'RING-9-2=1150 kg,100' --home forge"
    )]
    Split(Transform),
    /// Puts lots of one material and description together
    #[command(
        after_help = "Example:\n  heatmark lot merge RING-9-1 RING-9-2 --make 'RING-9-ALL=2300 kg,200' --home forge"
    )]
    Merge(Transform),
    /// Lowers a lot's quantity after a mistake; never raises it
    #[command(
        after_help = "Example:\n  heatmark lot correct RING-9 --make 'RING-9C=2200 kg,199' --scrap '100 kg,1' --reason 'counted again' --home forge"
    )]
    Correct(Transform),
    #[command(flatten)]
    Other(kinds::Command),
    /// Scraps whole lots
    #[command(
        visible_alias = "dispose",
        after_help = "Example:\n  heatmark lot scrap RING-9-2 --reason 'cracked in quenching' --home forge"
    )]
    Scrap(Scrap),
    /// Notes that lots went to somebody who is no member, so that a recall finds who has them
    #[command(
        after_help = "Example:\n  heatmark lot deliver RING-9-2 --to 'Smith & Sons, Leeds' --reference INV-204 --home forge\nThe lots are used up here; a recall names this customer and writes its notice. Nobody else learns of it."
    )]
    Deliver(Deliver),
    /// Offers fresh seals to a company that is to send lots; its node asks for them by itself
    #[command(
        after_help = "Example:\n  heatmark lot offer --to 'Forge GmbH' --seals 4 --reference PO-4711 --out po-4711.offer --home assembler\nWithout --out it goes to that company's node."
    )]
    Offer(ship::Offer),
    /// Sends lots to a company, with their evidence and a despatch advice
    #[command(
        after_help = "Example:\n  heatmark lot ship RING-9 --to 'Bearings AG' --order PO-4711 --despatch DA-12 --show chemistry --onward melt/country --home forge\n  heatmark lot ship RING-9 --to 'Bearings AG' --offer po-4711.offer --out ring-9.parcel --home forge\nThe receiver's node is asked for seals where it has offered none. The lots are the receiver's once\nit has posted the parcel; until then they can be taken back: heatmark lot cancel."
    )]
    Ship(ship::Ship),
    /// Takes back lots that their receiver has not posted
    #[command(
        after_help = "Example:\n  heatmark lot cancel RING-9 --home forge\nWhichever the log takes first stands: this, or the receiver's posting."
    )]
    Cancel(ship::Cancel),
    /// Lists lots on their way: sent and not posted, arrived and not received, waiting for seals
    #[command(
        after_help = "Example:\n  heatmark lot underway --home forge\n  heatmark lot underway --all --home forge"
    )]
    Underway(underway::Underway),
    /// Lists what has been on its way for too long
    #[command(after_help = "Example:\n  heatmark lot overdue --days 3 --home forge")]
    Overdue(underway::Overdue),
    /// Receives a parcel: from then on its lots are yours
    #[command(
        after_help = "Example:\n  heatmark lot receive 4c7e --look --home bearings\n  heatmark lot receive 4c7e --home bearings\n  heatmark lot receive ring-9.parcel --counted 'RING-9=2300 kg,199' --discrepancy 'one ring missing' --home bearings\nNames a letter by 4 digits of its id or more, or a file."
    )]
    Receive(receive::Receive),
    /// Tells the sender that a parcel is not taken
    #[command(
        after_help = "Example:\n  heatmark lot refuse 4c7e --reason 'crate broken' --home bearings"
    )]
    Refuse(receive::Refuse),
    /// Writes a lot's capsule: all that proves where it comes from, in one file
    #[command(
        after_help = "Example:\n  heatmark lot capsule RING-9 --out ring-9.capsule --home bearings\n  heatmark inspect ring-9.capsule --home bearings"
    )]
    Capsule(capsule::Write),
    /// Shows what a lot is made of, or what was made of it: as a tree, as JSON, as a picture
    #[command(
        after_help = "Example:\n  heatmark lot trace RING-9 --home forge\n  heatmark lot trace BILLET-1 --down --svg billet-1.svg --home forge\n  heatmark lot trace 4711/0 --up --json --home assembler\nOthers' lots, which have no name here, are named LEAF/OUTPUT. What nobody showed this company is not in it;\na lot says how many of its inputs are not known here."
    )]
    Trace(trace::Trace),
    /// Finds lots, heats, dies and companies by a part of their names
    #[command(after_help = "Example:\n  heatmark lot search 48213 --home forge")]
    Search(trace::Search),
    /// Lists own lots, customers and stock that something affects
    #[command(
        after_help = "Example:\n  heatmark lot affected --heat 48213 --home forge\n  heatmark lot affected --supplier 'Kesselbach Edelstahl AG' --home forge\nExits with 0 when nothing of it is here or was sent, with 1 when something is."
    )]
    Affected(trace::Affected),
    /// Lists the lots that are there
    #[command(
        after_help = "Example:\n  heatmark lot list --home forge\n  heatmark lot list --all --home forge"
    )]
    List(List),
    /// Proves that a piece with this serial is one of a lot's, and draws its label
    #[command(
        after_help = "Example:\n  heatmark lot label RING-9 --serial K-0007 --proof k-0007.serial --home forge\n  heatmark lot label RING-9 --serial K-0007 --gtin 09506000134352 --out k-0007.svg --home forge\nThe proof tells one serial and none of the others."
    )]
    Label(serials::Label),
    /// Tells about one lot
    #[command(after_help = "Example:\n  heatmark lot show RING-9 --home forge")]
    Show(Show),
}

/// The lots that come to be.
#[derive(Debug, Args)]
pub(crate) struct Made {
    /// A lot that comes to be: its name, mass and pieces
    #[arg(long = "make", value_name = "NAME=MASS[,PIECES]", required = true)]
    make: Vec<Lot>,
    /// What it is [default: what it was]
    #[arg(long, value_name = "TEXT", default_value = "")]
    product: String,
    /// The last day on which it may be used
    #[arg(long, value_name = "DATE")]
    expires: Option<String>,
}

/// `lot commission`.
#[derive(Debug, Args)]
pub(crate) struct Commission {
    #[command(flatten)]
    node: NodeArgs,
    /// The certificate: a record of this node, or the beginning of its id
    #[arg(value_name = "RECORD", required_unless_present = "uncertified")]
    record: Option<String>,
    /// The material has no certificate on the network; every verdict says so
    #[arg(long, conflicts_with = "record")]
    uncertified: bool,
    #[command(flatten)]
    made: Made,
    #[command(flatten)]
    numbering: Numbering,
    #[command(flatten)]
    how: How,
}

/// Whatever makes lots of lots.
#[derive(Debug, Args)]
pub(crate) struct Transform {
    #[command(flatten)]
    node: NodeArgs,
    /// The lots that go in, by name
    #[arg(value_name = "LOT", required = true)]
    inputs: Vec<String>,
    #[command(flatten)]
    made: Made,
    /// What is lost: mass and, where pieces balance, pieces
    #[arg(long, value_name = "MASS[,PIECES]", value_parser = quantity::scrap)]
    scrap: Option<(u64, u64)>,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    numbering: Numbering,
    #[command(flatten)]
    how: How,
}

/// `lot scrap`.
#[derive(Debug, Args)]
pub(crate) struct Scrap {
    #[command(flatten)]
    node: NodeArgs,
    /// The lots, by name
    #[arg(value_name = "LOT", required = true)]
    inputs: Vec<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// `lot deliver`.
#[derive(Debug, Args)]
pub(crate) struct Deliver {
    #[command(flatten)]
    node: NodeArgs,
    /// The lots, by name
    #[arg(value_name = "LOT", required = true)]
    inputs: Vec<String>,
    /// To whom: a name and what it takes to reach them
    #[arg(long, value_name = "TEXT")]
    to: String,
    /// An invoice's number or the like
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
}

/// `lot list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    node: NodeArgs,
    /// Those that were used as well
    #[arg(long)]
    all: bool,
}

/// `lot show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    node: NodeArgs,
    /// The lot's name
    #[arg(value_name = "LOT")]
    lot: String,
}

pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Commission(command) => commission(&command),
        Command::Transform(command) => transform("transform", &command),
        Command::Rework(command) => transform("rework", &command),
        Command::Split(command) => transform("split", &command),
        Command::Merge(command) => transform("merge", &command),
        Command::Correct(command) => transform("correct", &command),
        Command::Other(command) => kinds::run(command),
        Command::Scrap(command) => {
            let request = MakeLotsRequest {
                kind: "dispose".to_owned(),
                inputs: command.inputs.clone(),
                reason: command.reason.clone(),
                ..MakeLotsRequest::default()
            };
            make(&command.node, request)
        }
        Command::Deliver(command) => {
            let field = |name: &str, text: &str| ProcessField {
                name: name.to_owned(),
                text: text.to_owned(),
            };
            let mut process = vec![field("customer", &command.to)];
            process.extend(command.reference.iter().map(|text| field("reference", text)));
            let request = MakeLotsRequest {
                kind: "dispose".to_owned(),
                inputs: command.inputs.clone(),
                reason: "delivered".to_owned(),
                process,
                ..MakeLotsRequest::default()
            };
            make(&command.node, request)
        }
        Command::Offer(command) => ship::offer(&command),
        Command::Ship(command) => ship::run(&command),
        Command::Cancel(command) => ship::cancel(&command),
        Command::Underway(command) => underway::run(&command),
        Command::Overdue(command) => underway::overdue(&command),
        Command::Receive(command) => receive::run(&command),
        Command::Refuse(command) => receive::refuse(&command),
        Command::Capsule(command) => capsule::run(&command),
        Command::Trace(command) => trace::trace(&command),
        Command::Search(command) => trace::search(&command),
        Command::Affected(command) => trace::affected(&command),
        Command::List(command) => list(&command),
        Command::Label(command) => serials::label(&command),
        Command::Show(command) => show(&command),
    }
}

fn commission(command: &Commission) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let certificate = match &command.record {
        Some(record) => block_on(own_record(&reach, record))?.0.to_vec(),
        None => Vec::new(),
    };
    let mut request = MakeLotsRequest {
        kind: "commission".to_owned(),
        certificate,
        outputs: command.made.lots()?,
        ..MakeLotsRequest::default()
    };
    command.how.tell(&mut request)?;
    let serials = command.numbering.tell(&mut request)?;
    make_numbered(&command.node, request, serials)
}

fn transform(kind: &str, command: &Transform) -> Result<Answer, Failure> {
    let (scrap_mg, scrap_pieces) = command.scrap.unwrap_or_default();
    let mut request = MakeLotsRequest {
        kind: kind.to_owned(),
        inputs: command.inputs.clone(),
        outputs: command.made.lots()?,
        scrap_mg,
        scrap_pieces,
        reason: command.reason.clone(),
        ..MakeLotsRequest::default()
    };
    command.how.tell(&mut request)?;
    let serials = command.numbering.tell(&mut request)?;
    make_numbered(&command.node, request, serials)
}

impl Made {
    fn lots(&self) -> Result<Vec<heatmark_client::NewLot>, Failure> {
        let expires_ms = match &self.expires {
            None => 0,
            Some(date) => quantity::end_of_day(date)?,
        };
        let lot = |lot: &Lot| heatmark_client::NewLot {
            name: lot.name.clone(),
            product: self.product.clone(),
            mass_mg: lot.mass_mg,
            pieces: lot.pieces,
            expires_ms,
            ..heatmark_client::NewLot::default()
        };
        Ok(self.make.iter().map(lot).collect())
    }
}

fn make(node: &NodeArgs, request: MakeLotsRequest) -> Result<Answer, Failure> {
    make_numbered(node, request, None)
}

/// Makes an event in which these serials begin.
fn make_numbered(
    node: &NodeArgs,
    mut request: MakeLotsRequest,
    serials: Option<Vec<String>>,
) -> Result<Answer, Failure> {
    let reach = node.reach()?;
    let event = block_on(async {
        let desk = reach.desk().await?;
        if let Some(serials) = serials {
            request.serials_root = desk.keep_serials(serials).await?;
        }
        Ok(desk.make_lots(request).await?)
    })?;
    Ok(told(&event))
}

fn told(event: &LotEvent) -> Answer {
    let mut text = words::verified_text(&event.proven.verified);
    if !event.lots.is_empty() {
        text.push_str(&rows(&event.lots));
    }
    let json = json!({
        "event": hex::encode(&event.digest),
        "lots": event.lots.iter().map(described).collect::<Vec<_>>(),
        "receipt": words::verified(&event.proven.verified),
    });
    Answer::yes(json, text)
}

fn list(command: &List) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let mut lots: Vec<LotRow> = block_on(async {
        let desk = reach.desk().await?;
        let mut all: Vec<LotRow> = Vec::new();
        loop {
            let page = desk.lots(all.last()).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    })?;
    lots.retain(|lot| command.all || lot.state() != LotState::Used);
    lots.sort_by(|left, right| (left.at_ms, &left.name).cmp(&(right.at_ms, &right.name)));
    let text = if lots.is_empty() { "No lots.\n".to_owned() } else { rows(&lots) };
    Ok(Answer::yes(json!({ "lots": lots.iter().map(described).collect::<Vec<_>>() }), text))
}

fn show(command: &Show) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let name = command.lot.clone();
    let lot = block_on(async { Ok(reach.desk().await?.lot_named(name).await?) })?;
    let mut text = format!(
        "Lot          {}\nProduct      {}\nMass         {}\nPieces       {}\nState        {}\nMade by      {}\n",
        lot.name,
        lot.product,
        mass_text(lot.mass_mg),
        lot.pieces,
        stands(&lot),
        lot.made_by,
    );
    if !lot.from.is_empty() {
        text.push_str(&format!("From         {}\n", lot.from.join(", ")));
    }
    if !lot.certificate.is_empty() {
        text.push_str(&format!("Certificate  {}\n", hex::encode(&lot.certificate)));
    }
    if lot.expires_ms != 0 {
        let expired = if expired(&lot) { ", which is past" } else { "" };
        text.push_str(&format!("Expires      {}{expired}\n", words::time(lot.expires_ms)));
    }
    text.push_str(&serials::text(&lot));
    for field in &lot.process {
        text.push_str(&format!("{:<12} {}\n", capitalised(&field.name), field.text));
    }
    if !lot.used_by.is_empty() {
        text.push_str(&format!("Used by      {}\n", lot.used_by));
    }
    if !lot.became.is_empty() {
        text.push_str(&format!("Is now       {}\n", lot.became.join(", ")));
    }
    Ok(Answer::yes(described(&lot), text))
}

fn rows(lots: &[LotRow]) -> String {
    let cells: Vec<Vec<String>> = lots
        .iter()
        .map(|lot| {
            vec![
                lot.name.clone(),
                lot.product.clone(),
                mass_text(lot.mass_mg),
                lot.pieces.to_string(),
                stands(lot),
            ]
        })
        .collect();
    table(&["LOT", "PRODUCT", "MASS", "PIECES", "STATE"], &cells)
}

/// What became of a lot, and the alert that reaches it.
fn stands(lot: &LotRow) -> String {
    let state = if expired(lot) { "expired" } else { state(lot.state()) };
    match trace::grave(lot.alert()) {
        Some(level) => format!("{state}, {} !", level.to_uppercase()),
        None => state.to_owned(),
    }
}

/// Whether a lot that is there must not be used any more, by this machine's clock.
fn expired(lot: &LotRow) -> bool {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = since.ok().and_then(|since| u64::try_from(since.as_millis()).ok());
    lot.state() == LotState::Standing && now.is_some_and(|now| (1..=now).contains(&lot.expires_ms))
}

fn capitalised(name: &str) -> String {
    let mut rest = name.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

const fn state(state: LotState) -> &'static str {
    match state {
        LotState::Coming => "coming",
        LotState::Standing => "there",
        LotState::Leaving => "being used",
        LotState::Used => "used",
        LotState::Unspecified => "unknown",
    }
}

fn described(lot: &LotRow) -> Value {
    json!({
        "lot": hex::encode(&lot.lot),
        "name": lot.name,
        "product": lot.product,
        "mass_mg": lot.mass_mg,
        "pieces": lot.pieces,
        "expires_ms": lot.expires_ms,
        "expired": expired(lot),
        "state": state(lot.state()),
        "made_by": lot.made_by,
        "leaf_index": lot.leaf_index,
        "certificate": hex::encode(&lot.certificate),
        "from": lot.from,
        "at_ms": lot.at_ms,
        "alert": trace::grave(lot.alert()),
        "serials": serials::described(lot),
        "used_by": lot.used_by,
        "became": lot.became,
        "process": lot.process.iter().map(|field| (field.name.clone(), field.text.clone().into()))
            .collect::<serde_json::Map<_, Value>>(),
    })
}
