//! A clause: under which conditions which sections open. The conditions are a closed list of plain values, since every agent
//! has to judge them alike in every version of the program, and since offers are listed and priced and not only answered with
//! yes or no. Refuses clauses that contradict themselves. Specification: `proto/README.md` section 18.

use heatmark_evidence::check_purpose;
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::messages::Role;
use heatmark_ledger::wire::shape::{Shape, part};
use heatmark_merkle::{Hash, tag};
use prost::Message;
use rand_core::CryptoRng;

use crate::EscrowError;
use crate::manifest::MAX_SECTIONS;
use crate::money::{MAX_PREMIUM, is_currency};
use crate::wire::{self, SHORT, ascend, is_country, is_hash, is_hash_or_none, is_name};

/// Longest clause in bytes.
pub const MAX_CLAUSE_BYTES: usize = 32 << 10;
/// Most members, arbiters, purposes or countries that a clause lists.
pub const MAX_LISTED: usize = 256;
/// Longest time for which a buyer may be asked to keep what it opens no longer than, in days.
pub const MAX_RETENTION_DAYS: u32 = 36_525;

const SHAPE: Shape = &[
    part(3, 1, &[]),
    part(5, SHORT, &[]),
    part(11, SHORT, &[]),
    part(13, 1, &[]),
    part(18, 2, &[]),
];

/// Who may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum WhoKind {
    /// Nothing: no clause has it.
    Unspecified = 0,
    /// Any member in good standing.
    Anyone = 1,
    /// The members listed.
    Members = 2,
    /// Members that have one of the roles listed.
    Roles = 3,
}

/// What it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum PriceKind {
    /// Nothing: no clause has it.
    Unspecified = 0,
    /// No money.
    Free = 1,
    /// An amount.
    Fixed = 2,
    /// A share of another amount, as of an order's.
    Premium = 3,
}

/// Conditions for some sections, as the owner's policy has them.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Clause {
    /// 32 random bytes, so that nobody guesses a clause from its digest.
    #[prost(bytes = "vec", tag = "1")]
    pub salt: Vec<u8>,
    /// Its name, for people.
    #[prost(string, tag = "2")]
    pub name: String,
    /// The sections that it is about, ascending.
    #[prost(string, repeated, tag = "3")]
    pub sections: Vec<String>,
    /// Who may open.
    #[prost(enumeration = "WhoKind", tag = "4")]
    pub who_kind: i32,
    /// The members, ascending, where they are listed.
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub members: Vec<Vec<u8>>,
    /// The roles, ascending, where they are listed.
    #[prost(enumeration = "Role", repeated, tag = "6")]
    pub roles: Vec<i32>,
    /// What it costs.
    #[prost(enumeration = "PriceKind", tag = "7")]
    pub price_kind: i32,
    /// The amount in the currency's minor unit, where it is fixed.
    #[prost(uint64, tag = "8")]
    pub amount: u64,
    /// The premium in hundredths of a percent, where it is one.
    #[prost(uint32, tag = "9")]
    pub premium: u32,
    /// The currency, ISO 4217; empty where it is free.
    #[prost(string, tag = "10")]
    pub currency: String,
    /// The members that may hold the money and rule, ascending; none exactly where it is free.
    #[prost(bytes = "vec", repeated, tag = "11")]
    pub arbiters: Vec<Vec<u8>>,
    /// SHA-256 of the text that the buyer has to agree to; empty for none.
    #[prost(bytes = "vec", tag = "12")]
    pub nda: Vec<u8>,
    /// The purposes that it is given for, ascending; none for any.
    #[prost(string, repeated, tag = "13")]
    pub purposes: Vec<String>,
    /// From when on it gives nothing, in Unix milliseconds; 0 for never.
    #[prost(uint64, tag = "14")]
    pub until_ms: u64,
    /// Whether the owner accepts each deal itself.
    #[prost(bool, tag = "15")]
    pub by_hand: bool,
    /// Whether it gives on regulators' orders only.
    #[prost(bool, tag = "16")]
    pub order: bool,
    /// For how many days from a deal's opening the buyer may keep what it opens; 0 for as long as it likes.
    #[prost(uint32, tag = "17")]
    pub retention_days: u32,
    /// Countries of which a buyer has to be, ascending; none for any.
    #[prost(string, repeated, tag = "18")]
    pub countries: Vec<String>,
    /// What one deal covers further ones of: an order's number or a period. Empty where every deal stands by itself.
    #[prost(string, tag = "19")]
    pub standing: String,
}

/// Who may open, as a clause says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Any member in good standing.
    Anyone,
    /// These members.
    Members(Vec<MemberId>),
    /// Members that have one of these roles.
    Roles(Vec<Role>),
}

/// What it costs, as a clause says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Price {
    /// Nothing.
    Free,
    /// An amount.
    Fixed {
        /// In the currency's minor unit.
        amount: u64,
        /// ISO 4217.
        currency: String,
    },
    /// A share of an amount that only the arbiter is told.
    Premium {
        /// In hundredths of a percent.
        hundredths: u32,
        /// ISO 4217.
        currency: String,
    },
}

impl Clause {
    /// Reads a clause.
    ///
    /// # Errors
    /// [`EscrowError`] when it is too long, not in its one encoding, or contradicts itself.
    pub fn read(bytes: &[u8]) -> Result<Self, EscrowError> {
        let clause: Self = wire::decode(bytes, MAX_CLAUSE_BYTES, SHAPE)?;
        clause.check()?;
        Ok(clause)
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// `H("deposit-clause", bytes)`, which a manifest lists.
    #[must_use]
    pub fn digest(&self) -> Hash {
        tag::hash("deposit-clause", &[&self.to_bytes()])
    }

    /// The same clause under a fresh salt, for one manifest.
    #[must_use]
    pub fn salted(mut self, rng: &mut impl CryptoRng) -> Self {
        let mut salt = [0; 32];
        rng.fill_bytes(&mut salt);
        self.salt = salt.to_vec();
        self
    }

    /// Who may open; none for a number that names nothing.
    #[must_use]
    pub fn who(&self) -> Option<Who> {
        match WhoKind::try_from(self.who_kind).ok()? {
            WhoKind::Unspecified => None,
            WhoKind::Anyone => Some(Who::Anyone),
            WhoKind::Members => {
                let ids = self.members.iter().map(|id| MemberId::try_from(id.as_slice()).ok());
                ids.collect::<Option<_>>().map(Who::Members)
            }
            WhoKind::Roles => {
                let roles = self.roles.iter().map(|role| Role::try_from(*role).ok());
                roles.collect::<Option<_>>().map(Who::Roles)
            }
        }
    }

    /// What it costs; none for a number that names nothing.
    #[must_use]
    pub fn price(&self) -> Option<Price> {
        let currency = self.currency.clone();
        match PriceKind::try_from(self.price_kind).ok()? {
            PriceKind::Unspecified => None,
            PriceKind::Free => Some(Price::Free),
            PriceKind::Fixed => Some(Price::Fixed { amount: self.amount, currency }),
            PriceKind::Premium => Some(Price::Premium { hundredths: self.premium, currency }),
        }
    }

    /// Whether its parts have their lengths and it does not contradict itself.
    ///
    /// # Errors
    /// [`EscrowError::Parts`] names what does not fit.
    pub fn check(&self) -> Result<(), EscrowError> {
        let listed = [self.members.len(), self.arbiters.len(), self.purposes.len()];
        let purposes = self.purposes.iter().all(|purpose| check_purpose(purpose).is_ok());
        let said: [(bool, &'static str); 10] = [
            (is_hash(&self.salt), "its salt has not 32 bytes"),
            (is_name(&self.name), "it has no name that prints"),
            (
                (1..=MAX_SECTIONS).contains(&self.sections.len())
                    && self.sections.iter().all(|name| is_name(name))
                    && ascend(&self.sections),
                "its sections are not 1 to 32 ascending names",
            ),
            (self.who_is_sound(), "it does not say in one way who may open"),
            (self.price_is_sound(), "price, currency and arbiters do not fit each other"),
            (
                is_hash_or_none(&self.nda) && self.retention_days <= MAX_RETENTION_DAYS,
                "the agreement's digest or the days of retention do not fit",
            ),
            (purposes && ascend(&self.purposes), "its purposes are not ascending texts"),
            (
                self.countries.iter().all(|country| is_country(country)) && ascend(&self.countries),
                "its countries are not ascending codes of ISO 3166-1",
            ),
            (
                listed.iter().all(|length| *length <= MAX_LISTED)
                    && self.countries.len() <= MAX_LISTED,
                "it lists more than 256 of something",
            ),
            (
                self.standing.is_empty() || (is_name(&self.standing) && self.pays()),
                "only what costs something is covered by a standing deal",
            ),
        ];
        match said.iter().find(|(holds, _)| !holds) {
            None => Ok(()),
            Some((_, why)) => Err(EscrowError::Parts(why)),
        }
    }

    /// Whether it costs something.
    #[must_use]
    pub fn pays(&self) -> bool {
        matches!(self.price(), Some(Price::Fixed { .. } | Price::Premium { .. }))
    }

    fn who_is_sound(&self) -> bool {
        let roles = !self.roles.contains(&(Role::Unspecified as i32)) && ascend(&self.roles);
        let members = self.members.iter().all(|member| is_hash(member)) && ascend(&self.members);
        let fits = match self.who() {
            None => false,
            Some(Who::Anyone) => self.members.is_empty() && self.roles.is_empty(),
            Some(Who::Members(members)) => !members.is_empty() && self.roles.is_empty(),
            Some(Who::Roles(roles)) => !roles.is_empty() && self.members.is_empty(),
        };
        roles && members && fits
    }

    fn price_is_sound(&self) -> bool {
        let arbiters =
            self.arbiters.iter().all(|arbiter| is_hash(arbiter)) && ascend(&self.arbiters);
        let fits = match self.price() {
            None => false,
            Some(Price::Free) => {
                let nothing = self.amount == 0 && self.premium == 0 && self.currency.is_empty();
                return nothing && self.arbiters.is_empty();
            }
            Some(Price::Fixed { amount, .. }) => amount != 0 && self.premium == 0,
            Some(Price::Premium { hundredths, .. }) => {
                (1..=MAX_PREMIUM).contains(&hundredths) && self.amount == 0
            }
        };
        fits && arbiters && is_currency(&self.currency) && !self.arbiters.is_empty()
    }
}
