//! What several files say together: agreements between two records, and for each record what others attest of it.

use super::{Party, party_json, party_text, value_text};
use crate::command::words;
use heatmark_evidence::{Agreed, Attested, Bound, Bundle};
use heatmark_ledger::receipt::Signing;
use heatmark_records::forms::attestation::{Accreditation, How};
use serde_json::{Value, json};

/// Whether the keys of both issuers were sound.
pub(super) fn is_sound(agreed: &Agreed) -> bool {
    agreed.records.iter().all(|record| record.signing == Signing::Sound)
}

/// An agreement, for machines.
pub(crate) fn agreed_json(agreed: &Agreed) -> Value {
    json!({
        "records": agreed.records.iter().map(|record| json!({
            "record_id": hex::encode(record.record.0),
            "form": record.head.heading().form,
            "issuer": party_json(&record.issuer),
            "compromised_since": since(record.signing),
        })).collect::<Vec<_>>(),
        "discloser": party_json(&agreed.discloser),
        "receiver": agreed.receiver,
        "purpose": agreed.purpose,
        "made": words::time(agreed.made.0),
        "agree": agreed.tolerances.iter().map(|(path, tolerance)| json!({
            "path": path.as_str(), "within": tolerance.to_string(),
        })).collect::<Vec<_>>(),
    })
}

fn since(signing: Signing) -> Option<u64> {
    match signing {
        Signing::Suspect { since } => Some(since.0),
        Signing::Sound => None,
    }
}

/// What people read of an agreement.
pub(crate) fn agreed_text(agreed: &Agreed) -> String {
    let mut text = String::new();
    for record in &agreed.records {
        text.push_str(&format!(
            "  record     {} of {}\n",
            hex::encode(record.record.0),
            party_text(&record.issuer)
        ));
        if let Some(since) = since(record.signing) {
            text.push_str(&format!(
                "  on hold    the issuer's key counts as stolen from block {since} on\n"
            ));
        }
    }
    text.push_str(&format!(
        "  made by    {}, {}\n  for        {}: {}\n",
        party_text(&agreed.discloser),
        words::time(agreed.made.0),
        words::short(agreed.receiver.as_bytes()),
        agreed.purpose,
    ));
    for (path, tolerance) in agreed.tolerances.iter() {
        text.push_str(&format!("  {path} of both differs by at most {tolerance}\n"));
    }
    text
}

/// A record with what is attested of it and what the policy finds lacking, for machines.
pub(super) fn bundle_json(bundle: &Bundle<'_>, verdict: &str, lacks: &[String]) -> Value {
    json!({
        "record_id": hex::encode(bundle.record().0),
        "verdict": verdict,
        "lacks": lacks,
        "attestations": bundle.attestations().map(|id| hex::encode(id.0)).collect::<Vec<_>>(),
        "attested": bundle.attested().iter().map(attested_json).collect::<Vec<_>>(),
    })
}

fn attested_json(attested: &Attested<'_>) -> Value {
    json!({
        "property": attested.property,
        "attestation": hex::encode(attested.attestation.0),
        "by": party_json(attested.issuer),
        "independent": attested.independent,
        "how": match attested.how { How::Measured => "measured", How::Confirmed => "confirmed" },
        "bound": bound_word(attested.bound),
        "result": attested.result.map(value_text),
        "sample_type": attested.sample_type,
        "method": attested.method,
        "date": attested.date,
        "accreditation": accreditation_word(attested.accreditation),
        "accredited_as": attested.accredited_as.map(|(body, number)| format!("{body} {number}")),
        "agrees_within": attested.agrees_within.map(ToString::to_string),
    })
}

const fn bound_word(bound: Bound) -> &'static str {
    match bound {
        Bound::Same => "same",
        Bound::Untold => "untold",
        Bound::Other => "other",
        Bound::Nothing => "nothing",
    }
}

const fn accreditation_word(accreditation: Accreditation) -> &'static str {
    match accreditation {
        Accreditation::InForce => "in-force",
        Accreditation::OutOfScope => "out-of-scope",
        Accreditation::NotInForce => "not-in-force",
        Accreditation::Untold => "untold",
        Accreditation::None => "none",
    }
}

/// What people read of it; nothing where nobody attests anything and nothing lacks.
pub(super) fn bundle_text(bundle: &Bundle<'_>, lacks: &[String]) -> String {
    let attested = bundle.attested();
    if attested.is_empty() && lacks.is_empty() {
        return String::new();
    }
    let mut text = format!("Record {}\n", hex::encode(bundle.record().0));
    for attested in &attested {
        text.push_str(&format!("  attested   {}\n", attested_text(attested)));
    }
    for lack in lacks {
        text.push_str(&format!("  lacks      {lack}\n"));
    }
    text
}

fn attested_text(attested: &Attested<'_>) -> String {
    let by: &Party = attested.issuer;
    let mut parts = vec![match (attested.how, attested.result) {
        (How::Confirmed, _) => "as it was shown".to_owned(),
        (How::Measured, Some(result)) => value_text(result),
        (How::Measured, None) => "measured, its result not shown".to_owned(),
    }];
    parts.extend(attested.method.map(|method| format!("by {method}")));
    parts.extend(attested.date.map(|date| format!("on {date}")));
    parts.extend(attested.sample_type.map(|of| format!("on a {of} sample")));
    parts.extend(attested.agrees_within.map(|within| format!("proved to agree within {within}")));
    let mut accreditation = attested.accreditation.word().to_owned();
    if let Some((body, number)) = attested.accredited_as {
        accreditation.push_str(&format!(" ({body} {number})"));
    }
    parts.push(accreditation);
    match attested.bound {
        Bound::Other => parts.push("OF ANOTHER FIELD than is told here".to_owned()),
        Bound::Untold if attested.how == How::Confirmed => {
            parts.push("which is not told here".to_owned());
        }
        _ => {}
    }
    if !attested.independent {
        parts.push("NOT INDEPENDENT: by the record's own issuer".to_owned());
    }
    if !attested.sound {
        parts.push("on hold: the attester's key counts as stolen".to_owned());
    }
    let told = format!("{} by {}: {}", attested.property, party_text(by), parts.join(", "));
    told.replace(['\n', '\r', '\t'], " ")
}
