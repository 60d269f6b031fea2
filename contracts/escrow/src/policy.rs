//! A policy as an owner writes it: TOML, one table for each clause, every word of it known. Refuses what it does not know and
//! what contradicts itself, in one line that names the place. Specification: `proto/README.md` section 18.
//!
//! ```toml
//! [[clause]]
//! name = "Audit"
//! sections = ["assay"]
//! roles = ["assembler"]
//! price = "250.00 EUR"
//! arbiters = ["<member id>"]
//! agreement = "<SHA-256 of the text>"
//! ```

mod print;
mod table;

use heatmark_ledger::genesis::role_from_name;
use heatmark_ledger::ids::MemberId;
use heatmark_merkle::Hash;
use rand_core::CryptoRng;
use thiserror::Error;

use crate::EscrowError;
use crate::clause::{Clause, PriceKind, WhoKind};
use crate::date::end_of;
use crate::manifest::{MAX_CLAUSES, MAX_REGULATORS};
use crate::money::{parse_amount, parse_decimal};
use crate::wire::is_country;
use table::Table;

/// Longest policy in bytes.
const MAX_POLICY_BYTES: usize = 64 << 10;

/// What an owner allows, and whose orders it obeys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The clauses, without salts, in the order in which they are written.
    pub clauses: Vec<Clause>,
    /// The regulators, ascending.
    pub regulators: Vec<MemberId>,
    /// How many of them it takes.
    pub quorum: u32,
    /// Countries of which agents have to be, ascending; none for any.
    pub agent_countries: Vec<String>,
}

/// A text is no policy. The writer's fault: mend what is named.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place}: {fault}")]
pub struct PolicyError {
    /// Where: a line of the text, or a clause and a key in it.
    pub place: String,
    /// What is wrong there.
    pub fault: PolicyFault,
}

/// What is wrong at a place of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyFault {
    /// Longer than any policy.
    #[error("a policy has at most {MAX_POLICY_BYTES} bytes")]
    TooLong,
    /// No TOML.
    #[error("{0}")]
    Toml(String),
    /// A key that no policy has.
    #[error("there is no such key")]
    UnknownKey,
    /// The key is missing.
    #[error("it is missing")]
    Missing,
    /// The value is of another kind.
    #[error("it is {0}")]
    Kind(&'static str),
    /// An entry stands twice.
    #[error("an entry stands twice")]
    Twice,
    /// No clause, or too many.
    #[error("a policy has 1 to {MAX_CLAUSES} clauses")]
    Clauses,
    /// Two clauses have one name.
    #[error("two clauses have this name")]
    Name,
    /// No way, or more than one, of saying who may open.
    #[error("say who may open by one of open_to = \"anyone\", members and roles")]
    Who,
    /// More regulators are asked for than there are, or none.
    #[error("it is from 1 to the number of regulators")]
    Quorum,
    /// A clause opens on orders and there are no regulators.
    #[error("clauses on order need regulators and a quorum")]
    NoRegulators,
    /// The clause contradicts itself.
    #[error("{0}")]
    Clause(EscrowError),
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// [`PolicyError`] with the place and what is wrong there.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let at = |place: &str, fault| PolicyError { place: place.to_owned(), fault };
        if text.len() > MAX_POLICY_BYTES {
            return Err(at("policy", PolicyFault::TooLong));
        }
        let read: toml::Table = toml::from_str(text).map_err(|error| no_toml(text, &error))?;
        let mut table = Table::new("policy".to_owned(), read);
        let clauses = table.tables("clause")?;
        let regulators = ids(&mut table, "regulators")?;
        let quorum = table.number("quorum", "a whole number")?;
        let agent_countries = countries(&mut table, "agent_countries")?;
        table.end()?;
        if clauses.is_empty() || clauses.len() > MAX_CLAUSES {
            return Err(at("clause", PolicyFault::Clauses));
        }
        let clauses: Vec<Clause> = clauses.into_iter().map(clause).collect::<Result<_, _>>()?;
        let (most, quorum) = (regulators.len(), quorum.unwrap_or(0));
        let fits = usize::try_from(quorum).is_ok_and(|quorum| quorum <= most);
        if !fits || (quorum == 0) != regulators.is_empty() || most > MAX_REGULATORS {
            return Err(at("quorum", PolicyFault::Quorum));
        }
        let policy = Self { clauses, regulators, quorum, agent_countries };
        policy.check()?;
        Ok(policy)
    }

    /// The same policy as text; reading it again gives the same.
    #[must_use]
    pub fn to_toml(&self) -> String {
        print::policy(self)
    }

    /// The clauses for one manifest, each under a fresh salt, in the order of their digests.
    #[must_use]
    pub fn salted(&self, rng: &mut impl CryptoRng) -> Vec<Clause> {
        let mut clauses: Vec<Clause> =
            self.clauses.iter().map(|clause| clause.clone().salted(rng)).collect();
        clauses.sort_by_key(|clause| clause.digest().0);
        clauses
    }

    fn check(&self) -> Result<(), PolicyError> {
        let mut names = std::collections::BTreeSet::new();
        for clause in &self.clauses {
            let at = |fault| PolicyError { place: format!("clause {:?}", clause.name), fault };
            if !names.insert(&clause.name) {
                return Err(at(PolicyFault::Name));
            }
            if clause.order && self.quorum == 0 {
                return Err(at(PolicyFault::NoRegulators));
            }
        }
        Ok(())
    }
}

/// The first line of what the parser says, and where.
fn no_toml(text: &str, error: &toml::de::Error) -> PolicyError {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    let message = error.message().lines().next().unwrap_or_default().to_owned();
    PolicyError { place: format!("line {line}"), fault: PolicyFault::Toml(message) }
}

fn clause(mut table: Table) -> Result<Clause, PolicyError> {
    let name = table.text("name")?.ok_or_else(|| table.fault("name", PolicyFault::Missing))?;
    table.rename(format!("clause {name:?}"));
    let mut sections = table.texts("sections")?;
    sections.sort();
    let mut clause = Clause { name, sections, ..Clause::default() };
    who(&mut table, &mut clause)?;
    price(&mut table, &mut clause)?;
    let hash = "SHA-256 in 64 hex digits";
    clause.nda = match table.text("agreement")? {
        None => Vec::new(),
        Some(text) => {
            let digest: Result<Hash, _> = text.parse();
            digest.map_err(|_| table.fault("agreement", PolicyFault::Kind(hash)))?.0.to_vec()
        }
    };
    clause.purposes = table.texts("purposes")?;
    clause.purposes.sort();
    let kind = "a date, 2027-12-31, or a time with offset, 2027-12-31T12:00:00Z";
    if let Some(until) = table.datetime("until", kind)? {
        let end = end_of(&until).ok_or_else(|| table.fault("until", PolicyFault::Kind(kind)))?;
        clause.until_ms = end;
    }
    clause.by_hand = match table.text("accept")?.as_deref() {
        None | Some("by rule") => false,
        Some("by hand") => true,
        Some(_) => {
            return Err(table.fault("accept", PolicyFault::Kind("\"by rule\" or \"by hand\"")));
        }
    };
    clause.order = table.flag("on_order")?;
    clause.retention_days = table.number("retention_days", "a whole number of days")?.unwrap_or(0);
    clause.countries = countries(&mut table, "countries")?;
    clause.standing = table.text("standing")?.unwrap_or_default();
    // The salt comes with the manifest; everything else is held against itself now.
    let probe = Clause { salt: vec![0; 32], ..clause.clone() };
    probe.check().map_err(|error| table.whole(PolicyFault::Clause(error)))?;
    table.end()?;
    Ok(clause)
}

fn who(table: &mut Table, clause: &mut Clause) -> Result<(), PolicyError> {
    let anyone = match table.text("open_to")?.as_deref() {
        None => false,
        Some("anyone") => true,
        Some(_) => return Err(table.fault("open_to", PolicyFault::Kind("\"anyone\""))),
    };
    let members = ids(table, "members")?;
    let roles = table.texts("roles")?;
    let kind = match (anyone, members.is_empty(), roles.is_empty()) {
        (true, true, true) => WhoKind::Anyone,
        (false, false, true) => WhoKind::Members,
        (false, true, false) => WhoKind::Roles,
        _ => return Err(table.whole(PolicyFault::Who)),
    };
    let known = "a list of roles: supplier, assembler, lab, escrow-agent, regulator, validator";
    let roles = roles.iter().map(|name| role_from_name(name).map(i32::from));
    let roles: Option<Vec<i32>> = roles.collect();
    clause.roles = roles.ok_or_else(|| table.fault("roles", PolicyFault::Kind(known)))?;
    clause.roles.sort_unstable();
    clause.members = members.iter().map(MemberId::to_vec).collect();
    clause.who_kind = kind.into();
    Ok(())
}

fn price(table: &mut Table, clause: &mut Clause) -> Result<(), PolicyError> {
    let kind = "\"free\", an amount, \"250.00 EUR\", or a premium, \"3.2 % EUR\"";
    let text = table.text("price")?.ok_or_else(|| table.fault("price", PolicyFault::Missing))?;
    clause.arbiters = ids(table, "arbiters")?.iter().map(MemberId::to_vec).collect();
    if text == "free" {
        clause.price_kind = PriceKind::Free.into();
        return Ok(());
    }
    if let Some((share, currency)) = text.split_once(" % ") {
        let hundredths = parse_decimal(share, 2).and_then(|share| u32::try_from(share).ok());
        let premium = hundredths.ok_or_else(|| table.fault("price", PolicyFault::Kind(kind)))?;
        (clause.price_kind, clause.premium) = (PriceKind::Premium.into(), premium);
        currency.clone_into(&mut clause.currency);
        return Ok(());
    }
    let amount = parse_amount(&text);
    let amount = amount.ok_or_else(|| table.fault("price", PolicyFault::Kind(kind)))?;
    (clause.amount, clause.currency) = amount;
    clause.price_kind = PriceKind::Fixed.into();
    Ok(())
}

/// Member ids, ascending.
fn ids(table: &mut Table, key: &'static str) -> Result<Vec<MemberId>, PolicyError> {
    let texts = table.texts(key)?;
    let ids: Result<Vec<MemberId>, _> = texts.iter().map(|text| text.parse()).collect();
    let kind = PolicyFault::Kind("a list of member ids of 64 hex digits");
    let mut ids = ids.map_err(|_| table.fault(key, kind))?;
    ids.sort_unstable();
    if ids.is_sorted_by(|left, right| left < right) {
        Ok(ids)
    } else {
        Err(table.fault(key, PolicyFault::Twice))
    }
}

fn countries(table: &mut Table, key: &'static str) -> Result<Vec<String>, PolicyError> {
    let mut countries = table.texts(key)?;
    countries.sort();
    if countries.iter().all(|country| is_country(country)) {
        Ok(countries)
    } else {
        let kind = "a list of countries, two capital letters of ISO 3166-1 each";
        Err(table.fault(key, PolicyFault::Kind(kind)))
    }
}

#[cfg(test)]
mod tests;
