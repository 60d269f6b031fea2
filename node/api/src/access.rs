//! Whom the API lets in, and what of the desk they may ask: the registry's keys as everywhere, and
//! of the node's own organisation the operators in its vault as well, each for what was granted.
//!
//! The member's own registered keys hold every role, since they can sign in its name anyway; so
//! whoever holds the node's home can always administer it. A method that is not listed here needs
//! the role `administer`. Asked at every request, so that a revocation counts at once.

use crate::refusal::refuse;
use crate::registry::StoreRegistry;
use heatmark_client::tls::{PeerIdentity, Registry};
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::state::StateError;
use heatmark_vault::{Admitted, Role};
use tonic::{Code, Status};

/// The desk's methods begin with this.
pub(crate) const DESK: &str = "/heatmark.desk.v1.";

/// What a method of the desk needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Any role.
    Any,
    Role(Role),
}

/// Methods of the desk for whoever does not administer. Rows of records hold no field's value but heat and
/// mass, by which people know them.
const METHODS: &[(&str, Need)] = &[
    ("/heatmark.desk.v1.DeskService/ListRecords", Need::Any),
    ("/heatmark.desk.v1.DeskService/Publish", Need::Role(Role::Publish)),
    ("/heatmark.desk.v1.DeskService/Disclose", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.DeskService/MakeLots", Need::Role(Role::Publish)),
    ("/heatmark.desk.v1.DeskService/ListLots", Need::Any),
    ("/heatmark.desk.v1.DeskService/KeepSerials", Need::Role(Role::Publish)),
    ("/heatmark.desk.v1.DeskService/ProveSerial", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.DeskService/ReportCapture", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.DeskService/OfferSeals", Need::Role(Role::Publish)),
    ("/heatmark.desk.v1.DeskService/TakeOffer", Need::Role(Role::Publish)),
    ("/heatmark.desk.v1.DeskService/ShipLots", Need::Role(Role::Publish)),
    ("/heatmark.desk.v1.DeskService/ReadParcel", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.DeskService/ReceiveLots", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.DeskService/RefuseLots", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.DeskService/CancelParcel", Need::Role(Role::Publish)),
    ("/heatmark.desk.v1.DeskService/DropShipment", Need::Role(Role::Publish)),
    ("/heatmark.desk.v1.DeskService/BuildCapsule", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.DeskService/ListParcels", Need::Any),
    ("/heatmark.desk.v1.DeskService/TraceLots", Need::Any),
    ("/heatmark.desk.v1.DeskService/AffectedLots", Need::Any),
    ("/heatmark.desk.v1.DeskService/SearchLots", Need::Any),
    ("/heatmark.desk.v1.DeskService/ReportOrigin", Need::Any),
    ("/heatmark.desk.v1.DeskService/ListRecalls", Need::Any),
    ("/heatmark.desk.v1.DeskService/ShowRecall", Need::Any),
    ("/heatmark.desk.v1.DeskService/DrillRecall", Need::Any),
    ("/heatmark.desk.v1.DeskService/NoteRecall", Need::Role(Role::Alert)),
    ("/heatmark.desk.v1.DeskService/AcknowledgeRecall", Need::Role(Role::Alert)),
    ("/heatmark.desk.v1.DeskService/SendLetter", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.DeskService/ListLetters", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.DeskService/GetLetter", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.DeskService/DropLetter", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.DeskService/Attest", Need::Role(Role::Publish)),
    ("/heatmark.desk.v1.DeskService/Agree", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.DeskService/RaiseAlert", Need::Role(Role::Alert)),
    ("/heatmark.desk.v1.DeskService/ExplainAlert", Need::Role(Role::Alert)),
    ("/heatmark.desk.v1.EscrowService/Deposit", Need::Role(Role::Publish)),
    ("/heatmark.desk.v1.EscrowService/KeepDocument", Need::Role(Role::Publish)),
    ("/heatmark.desk.v1.EscrowService/ListDueDeposits", Need::Any),
    ("/heatmark.desk.v1.EscrowService/TendDeposit", Need::Role(Role::Publish)),
    ("/heatmark.desk.v1.EscrowService/ListDeposits", Need::Any),
    ("/heatmark.desk.v1.EscrowService/ListHoldings", Need::Any),
    ("/heatmark.desk.v1.EscrowService/AskOffers", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.EscrowService/KeepInspection", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.EscrowService/ListInspections", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.EscrowService/ShowInspection", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.EscrowService/OpenDeal", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.EscrowService/ListDeals", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.EscrowService/ShowDeal", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.EscrowService/WatchDeal", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.EscrowService/ConfirmDeal", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.EscrowService/DisputeDeal", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.EscrowService/JudgeClaim", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.EscrowService/OpenedSections", Need::Role(Role::Inspect)),
    ("/heatmark.desk.v1.EscrowService/OpenedDocument", Need::Role(Role::Inspect)),
];

fn need_of(path: &str) -> Need {
    let known = METHODS.iter().find(|(method, _)| *method == path);
    known.map_or(Need::Role(Role::Administer), |(_, need)| *need)
}

/// The registry, and the operators of the node's own member.
#[derive(Clone)]
pub(crate) struct Access {
    registry: StoreRegistry,
    /// Not the desk: handshakes under way outlive it, and it holds the vault's database.
    operators: Admitted,
    member: MemberId,
}

impl Access {
    pub(crate) fn new(registry: StoreRegistry, operators: Admitted, member: MemberId) -> Self {
        Self { registry, operators, member }
    }

    /// Whether somebody who was let in may call a method.
    pub(crate) fn check(&self, identity: &PeerIdentity, path: &str) -> Result<(), Status> {
        if !path.starts_with(DESK) {
            return Ok(());
        }
        if identity.member != self.member {
            let message = "the desk serves the node's own member only";
            return Err(refuse(Code::PermissionDenied, "not-own-member", message));
        }
        if matches!(self.registry.member_of(&identity.key), Ok(Some(_))) {
            return Ok(());
        }
        let operator = self.operators.operator(&identity.key.to_bytes());
        let roles = operator.map(|operator| operator.roles).unwrap_or_default();
        let need = need_of(path);
        match need {
            Need::Any if !roles.is_empty() => Ok(()),
            Need::Role(role) if roles.contains(&role) => Ok(()),
            Need::Any => Err(missing("any role")),
            Need::Role(role) => Err(missing(&format!("the role \"{role}\""))),
        }
    }
}

fn missing(role: &str) -> Status {
    let message = format!(
        "this needs {role}, which your key does not have; who administers the node grants it: \
         heatmark vault grant"
    );
    refuse(Code::PermissionDenied, "role", message)
}

impl Registry for Access {
    fn member_of(&self, key: &PublicKey) -> Result<Option<MemberId>, StateError> {
        if let Some(member) = self.registry.member_of(key)? {
            return Ok(Some(member));
        }
        let operator = self.operators.operator(&key.to_bytes());
        Ok(operator.map(|_| self.member))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_needs_an_administrator() {
        let administer = Need::Role(Role::Administer);
        for method in ["SignAndSubmit", "EraseRecord", "GrantOperator", "BackupVault", "Unknown"] {
            assert_eq!(need_of(&format!("/heatmark.desk.v1.DeskService/{method}")), administer);
        }
        // What binds the organisation's money or its word in a dispute.
        for method in ["AcceptDeal", "FundDeal", "RuleDeal", "SignOrder"] {
            assert_eq!(need_of(&format!("/heatmark.desk.v1.EscrowService/{method}")), administer);
        }
        let publish = need_of("/heatmark.desk.v1.DeskService/Publish");
        assert_eq!(publish, Need::Role(Role::Publish));
    }
}
