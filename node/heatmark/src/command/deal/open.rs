//! `heatmark deal open`: holds what is asked for against the clause that agents offer, has the node begin the deal, and may wait
//! for what comes of it.

use super::super::answer::{Answer, Exit};
use super::super::connect::block_on;
use super::super::escrow::{clause_price, clause_text};
use super::super::failure::Failure;
use super::super::inspect::kept;
use super::super::{day, member, words};
use super::show::{deal_json, has_ended, inspection, inspects, is_patient, line};
use super::{Open, find, told};
use crate::files;
use heatmark_client::{DealPart, DeskClient, OfferedClause, OpenDealRequest};
use heatmark_escrow::parse_amount;
use serde_json::json;
use std::io::{self, Write as _};
use std::time::Duration;

/// How long agents are waited for when nothing is known of the record yet.
const ASK: Duration = Duration::from_secs(8);
/// Longest agreement that is read, in bytes.
const MAX_AGREEMENT_BYTES: u64 = 64 << 20;
/// Longest order that is read, in bytes.
const MAX_ORDER_BYTES: u64 = 64 << 10;

pub(super) fn run(command: &Open) -> Result<Answer, Failure> {
    let mut request = request(command)?;
    let reach = command.node.reach()?;
    block_on(async {
        let desk = reach.desk().await?;
        let clause = clause(&desk, &request, &command.clause).await?;
        check(command, &request, &clause)?;
        let paid = !clause.currency.is_empty() && command.standing.is_none();
        command.within.check(request.lengths.as_ref(), &clause, paid)?;
        request.of_amount = base(command, &clause)?;
        if let Some(name) = &command.arbiter {
            let ledger = reach.ledger().await?;
            request.arbiter = member::find(&reach, &ledger, name).await?.0.to_vec();
        }
        if let Some(standing) = &command.standing {
            request.standing = find(&desk, standing).await?.0.to_vec();
        }
        if let Some(inspection) = &command.inspection {
            request.inspection = kept::find(&reach, inspection).await?.view.inspection;
        }
        let opened = desk
            .open_deal(request)
            .await
            .map_err(|error| told(error, |why| Failure::no("the deal is not begun").because(why)));
        let deal = opened?;
        if command.wait { wait(&desk, deal).await } else { Ok(begun(command, &deal, &clause)) }
    })
}

fn request(command: &Open) -> Result<OpenDealRequest, Failure> {
    let agreement = match &command.agreement {
        Some(file) => {
            heatmark_desk::agreement_digest(&files::read(file, MAX_AGREEMENT_BYTES)?).0.to_vec()
        }
        None => Vec::new(),
    };
    let mut orders = Vec::with_capacity(command.orders.len());
    for file in &command.orders {
        orders.push(files::read(file, MAX_ORDER_BYTES)?);
    }
    let keep_until_ms = match &command.keep_until {
        Some(text) => day::beginning_ms(text).ok_or_else(|| {
            Failure::input(format!("{text:?} is no date")).next("write it as 2027-12-31")
        })?,
        None => 0,
    };
    Ok(OpenDealRequest {
        record_id: words::id(&command.record, "record")?.to_vec(),
        sections: command.sections.clone(),
        clause: command.clause.clone(),
        purpose: command.purpose.clone(),
        agreement,
        orders,
        keep_until_ms,
        lengths: command.within.lengths()?,
        confirm_by_hand: command.confirm_by_hand,
        ..OpenDealRequest::default()
    })
}

/// The clause as agents offer it; they are asked where none has said so yet.
async fn clause(
    desk: &DeskClient,
    request: &OpenDealRequest,
    name: &str,
) -> Result<OfferedClause, Failure> {
    let record: [u8; 32] = request.record_id.as_slice().try_into().unwrap_or_default();
    let mut offered: Vec<String> = Vec::new();
    for wait in [Duration::ZERO, ASK] {
        let offers = desk.ask_offers(&[record], wait).await?.offers;
        let clauses = || offers.iter().flat_map(|offer| &offer.clauses);
        if let Some(clause) = clauses().find(|clause| clause.name == name) {
            return Ok(clause.clone());
        }
        offered = clauses().map(|clause| words::on_one_line(&clause.name)).collect();
    }
    let failure = Failure::no(format!("nobody offers you this record under a clause {name:?}"));
    Err(if offered.is_empty() {
        failure
            .because("no agent that is there says that it could open any of it for you")
            .next("try again when more agents are there, or ask the record's issuer")
    } else {
        failure
            .because(format!("these are offered: {}", offered.join(", ")))
            .next("choose one of them; `heatmark escrow offers` tells their conditions")
    })
}

/// What every agent would refuse is refused here, in words.
fn check(command: &Open, request: &OpenDealRequest, clause: &OfferedClause) -> Result<(), Failure> {
    if let Some(name) = command.sections.iter().find(|name| !clause.sections.contains(name)) {
        return Err(Failure::input(format!("clause {:?} does not open {name:?}", clause.name))
            .next(format!("it opens {}", clause.sections.join(", "))));
    }
    if !clause.purposes.is_empty() && !clause.purposes.contains(&command.purpose) {
        return Err(Failure::input(format!("clause {:?} is for other purposes", clause.name))
            .next(format!("give --purpose as one of these: {}", clause.purposes.join(", "))));
    }
    if request.agreement != clause.agreement {
        let digest = hex::encode(&clause.agreement);
        let failure = match (clause.agreement.is_empty(), command.agreement.is_some()) {
            (true, _) => Failure::input(format!("clause {:?} asks for no agreement", clause.name))
                .next("leave out --agreement"),
            (false, true) => Failure::input("this is not the agreement that the clause asks for")
                .because(format!("its SHA-256 is {digest}"))
                .next("get the owner's text, byte for byte"),
            (false, false) => {
                Failure::input(format!("clause {:?} asks for an agreement", clause.name))
                    .because(format!("its SHA-256 is {digest}"))
                    .next("name the owner's text: --agreement FILE")
            }
        };
        return Err(failure);
    }
    let orders = u32::try_from(command.orders.len()).unwrap_or(u32::MAX);
    if orders < clause.orders {
        return Err(Failure::input(format!(
            "clause {:?} opens on orders of {} regulators, and {orders} are given",
            clause.name, clause.orders
        ))
        .next("get their files and name each: --order FILE"));
    }
    Ok(())
}

/// What a premium is a share of, in the clause's minor unit; 0 where it takes none.
fn base(command: &Open, clause: &OfferedClause) -> Result<u64, Failure> {
    let currency = clause.currency.as_str();
    match (&command.of, clause.premium) {
        (None, 0) => Ok(0),
        (None, _) if command.standing.is_some() => Ok(0),
        (None, _) => Err(Failure::input(format!("clause {:?} asks for a premium", clause.name))
            .because(clause_price(clause))
            .next(format!("say of what amount: --of '125000.00 {currency}'"))),
        (Some(_), 0) => {
            Err(Failure::input(format!("clause {:?} asks for no premium", clause.name))
                .next("leave out --of"))
        }
        (Some(text), _) => {
            let amount = parse_amount(text).or_else(|| parse_amount(&format!("{text} {currency}")));
            match amount {
                Some((amount, in_currency)) if in_currency == currency && amount > 0 => Ok(amount),
                _ => Err(Failure::input(format!("{text:?} is no amount in {currency}"))
                    .next(format!("write it like '125000.00 {currency}'"))),
            }
        }
    }
}

fn begun(command: &Open, deal: &[u8; 32], clause: &OfferedClause) -> Answer {
    let id = hex::encode(deal);
    let mut conditions = clause_text(clause);
    conditions.insert(0, clause_price(clause));
    let text = format!(
        "Deal {id}\nUnder {}: {}\n`heatmark deal watch {}` tells how it goes on\n",
        words::on_one_line(&clause.name),
        conditions.join("; "),
        words::short(deal),
    );
    let json = json!({
        "deal": id,
        "record_id": command.record.to_ascii_lowercase(),
        "clause": clause.name,
        "price": clause_price(clause),
    });
    Answer::yes(json, text)
}

/// Waits until the buyer has what it asked for, or will not get it.
async fn wait(desk: &DeskClient, deal: [u8; 32]) -> Result<Answer, Failure> {
    let mut watch = desk.watch_deal(deal).await?;
    let id = hex::encode(deal);
    let short = words::short(&deal);
    let goes_on = |why: String| {
        Failure::unknown(format!("deal {id} has not opened yet"))
            .because(why)
            .next(format!("it goes on by itself: heatmark deal watch {short}"))
    };
    while let Some(views) = watch.next().await? {
        let Some(view) = views.iter().find(|view| view.part() == DealPart::Buyer) else { continue };
        // Nothing is left to do when standard error is gone.
        let _ = writeln!(io::stderr(), "{}", line(view, false));
        if view.opened && !inspects(view) {
            let inspected = inspection(view).map(|said| format!("Inspection: {said}\n"));
            let text = format!(
                "Deal {id}\nOpened: `heatmark deal sections {short}` shows it\n{}",
                inspected.unwrap_or_default()
            );
            return Ok(Answer::yes(deal_json(view), text));
        }
        if has_ended(view) {
            let why = match view.trouble_text.as_str() {
                "" => format!("it is {}", view.phase),
                trouble => words::on_one_line(trouble),
            };
            let text = format!("Deal {id}\nCame to nothing: {why}\n");
            return Ok(Answer::of(Exit::No, deal_json(view), text));
        }
        if view.trouble == "too-few-parties" || !is_patient(view) {
            return Err(goes_on(words::on_one_line(&view.trouble_text)));
        }
    }
    Err(goes_on("the node ended the watch".to_owned()))
}
