//! Deposits, holdings, offers and deals as messages, and lists of them in pages.

use heatmark_desk::{DealInspection, DealView, DepositView, HoldingView, OpenedSection};
use heatmark_escrow::{DocumentEntry, Manifest, SectionEntry};
use heatmark_proto::desk::v1 as pb;
use heatmark_vault::DealRole;
use prost::Message;

/// Most bytes of one page, well within what a client accepts.
const PAGE_BYTES: usize = 8 << 20;

/// Most rows of one page.
const PAGE_ROWS: usize = 256;

/// Rows that are read for one page: one more than it has says that there are more.
pub(super) const READ: usize = PAGE_ROWS + 1;

/// Rows that are skipped.
pub(super) fn skipped(skip: u32) -> usize {
    usize::try_from(skip).unwrap_or(usize::MAX)
}

/// As many rows as go into a page, and whether there are more.
pub(super) fn page<M: Message>(rows: impl Iterator<Item = M>) -> (Vec<M>, bool) {
    let mut page = Vec::new();
    let mut room = PAGE_BYTES;
    for row in rows {
        // One row fits in any case: a manifest is bounded.
        match room.checked_sub(row.encoded_len()) {
            None if !page.is_empty() => return (page, true),
            left => room = left.unwrap_or(0),
        }
        if page.len() == PAGE_ROWS {
            return (page, true);
        }
        page.push(row);
    }
    (page, false)
}

pub(super) fn count(some: usize) -> u32 {
    u32::try_from(some).unwrap_or(u32::MAX)
}

pub(super) fn sections(manifest: &Manifest) -> Vec<pb::SectionView> {
    manifest.sections.iter().map(section).collect()
}

fn section(entry: &SectionEntry) -> pb::SectionView {
    pb::SectionView {
        name: entry.name.clone(),
        bytes: entry.bytes,
        fields: entry.fields.clone(),
        documents: entry.documents.iter().map(document).collect(),
    }
}

fn document(entry: &DocumentEntry) -> pb::DocumentView {
    pb::DocumentView { name: entry.name.clone(), bytes: entry.bytes }
}

pub(super) fn deposit(view: DepositView) -> pb::DepositView {
    let DepositView { id, manifest, anchored, destroyed, agents } = view;
    let agents = agents.into_iter().map(|agent| pb::DepositAgentView {
        member: agent.member.to_vec(),
        name: agent.name,
        state: agent.state.to_owned(),
        alive_ms: agent.alive_ms,
        trouble: agent.trouble,
    });
    pb::DepositView {
        deposit: id.to_vec(),
        manifest: manifest.digest().0.to_vec(),
        epoch: manifest.epoch,
        deposited_ms: manifest.deposited_ms,
        threshold: manifest.threshold,
        agents: agents.collect(),
        sections: sections(&manifest),
        record_id: manifest.record,
        anchored,
        destroyed,
    }
}

pub(super) fn holding(view: HoldingView) -> pb::HoldingView {
    let HoldingView { owner: (owner, owner_name), manifest, signed, state } = view;
    let (owner, state) = (owner.to_vec(), state.to_owned());
    let known = pb::HoldingView { owner, owner_name, signed, state, ..pb::HoldingView::default() };
    let Some(manifest) = manifest else { return known };
    pb::HoldingView {
        manifest: manifest.digest().0.to_vec(),
        epoch: manifest.epoch,
        deposited_ms: manifest.deposited_ms,
        threshold: manifest.threshold,
        agents: count(manifest.agents.len()),
        sections: sections(&manifest),
        record_id: manifest.record,
        ..known
    }
}

pub(super) fn deal(view: DealView) -> pb::DealView {
    let (owner, owner_name) = view.owner.map(|(id, name)| (id.to_vec(), name)).unwrap_or_default();
    let ruling = view.ruling.map(|(refund, code, reason)| pb::DealRuling { refund, code, reason });
    pb::DealView {
        deal: view.deal.to_vec(),
        part: part(view.role).into(),
        phase: view.phase.to_owned(),
        buyer: view.buyer.0.to_vec(),
        buyer_name: view.buyer.1,
        owner,
        owner_name,
        record_id: view.record.map(|record| record.0.to_vec()).unwrap_or_default(),
        sections: view.sections,
        purpose: view.purpose,
        amount: view.amount.0,
        currency: view.amount.1,
        ready: view.agents.0,
        released: view.agents.1,
        threshold: view.agents.2,
        deadline_ms: view.deadline_ms.unwrap_or(0),
        trouble: view.trouble.0,
        trouble_text: view.trouble.1,
        bad_agents: view.bad.into_iter().map(u32::from).collect(),
        opened: view.opened.0,
        destroyed: view.opened.1,
        ruling,
        begun_ms: view.at_ms,
        inspection: view.inspection.map(inspection),
    }
}

fn inspection(asked: DealInspection) -> pb::DealInspection {
    let DealInspection { before, after, trouble: (trouble, trouble_text) } = asked;
    let (after, verdict_after) =
        after.map(|(id, verdict)| (id.to_vec(), verdict)).unwrap_or_default();
    pb::DealInspection {
        before: before.0.to_vec(),
        verdict_before: before.1,
        after,
        verdict_after,
        trouble,
        trouble_text,
    }
}

fn part(role: DealRole) -> pb::DealPart {
    match role {
        DealRole::Buyer => pb::DealPart::Buyer,
        DealRole::Agent => pb::DealPart::Agent,
        DealRole::Arbiter => pb::DealPart::Arbiter,
        DealRole::Owner => pb::DealPart::Owner,
    }
}

pub(super) fn opened(section: OpenedSection) -> pb::OpenedSection {
    let documents = section.documents.into_iter();
    pb::OpenedSection {
        name: section.name,
        fields: section.fields.iter().map(heatmark_records::FieldProof::encode).collect(),
        documents: documents
            .map(|document| pb::DocumentView { name: document.name, bytes: document.bytes })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize, bytes: usize) -> impl Iterator<Item = pb::OpenDealResponse> {
        (0..count).map(move |_| pb::OpenDealResponse { deal: vec![1; bytes] })
    }

    #[test]
    fn a_page_ends_where_it_is_full_and_says_so() {
        let sizes = |(page, more): (Vec<pb::OpenDealResponse>, bool)| (page.len(), more);
        assert_eq!(sizes(page(rows(0, 1))), (0, false));
        assert_eq!(sizes(page(rows(PAGE_ROWS, 1))), (PAGE_ROWS, false));
        assert_eq!(sizes(page(rows(READ, 1))), (PAGE_ROWS, true));
        assert_eq!(sizes(page(rows(5, PAGE_BYTES / 2))), (1, true));
        assert_eq!(sizes(page(rows(1, PAGE_BYTES * 2))), (1, false));
    }
}
