//! The inspection for an ERP: one JSON object, `heatmark/inspection/1`, as `proto/README.md` section 14 lists it. Names are only ever
//! added; what is not known is `null`, and numbers that exceed what JSON readers keep are none.

use serde_json::{Value, json};

use crate::moment;
use crate::view::{
    Disposition, Input, Inspection, Line, Lot, Proved, Record, Step, Told, digits, word,
};

/// Name and version of the schema.
pub const SCHEMA: &str = "heatmark/inspection/1";

/// The inspection as JSON.
#[must_use]
pub fn json(inspection: &Inspection) -> Value {
    json!({
        "schema": SCHEMA,
        "verdict": word(inspection.outcome),
        "stands": word(inspection.stands()),
        "at": moment::stamp(inspection.at_ms),
        "order": (!inspection.order.is_empty()).then_some(&inspection.order),
        "by": inspection.by.iter().map(input).collect::<Vec<_>>(),
        "lots": inspection.lots.iter().map(lot).collect::<Vec<_>>(),
        "lines": inspection.lines.iter().map(line).collect::<Vec<_>>(),
        "readings": inspection.readings.iter().map(|[property, result, instrument, piece]| json!({
            "property": property, "result": result, "instrument": instrument, "piece": piece,
        })).collect::<Vec<_>>(),
        "disposition": inspection.disposition.as_ref().map(disposition),
    })
}

fn input(input: &Input) -> Value {
    json!({
        "what": input.what,
        "name": input.name,
        "sha256": digits(&input.sha256),
        "bytes": input.bytes,
    })
}

fn disposition(disposition: &Disposition) -> Value {
    json!({
        "by": disposition.by,
        "decision": word(disposition.outcome),
        "reason": disposition.reason,
    })
}

fn line(line: &Line) -> Value {
    json!({
        "lot": (!line.lot.is_empty()).then_some(&line.lot),
        "check": line.check,
        "outcome": word(line.outcome),
        "about": line.about,
        "code": line.code,
        "words": line.words,
        "evidence": line.evidence,
        "next": line.next,
    })
}

fn lot(lot: &Lot) -> Value {
    json!({
        "file": lot.file,
        "name": lot.title(),
        "capsule": digits(&lot.capsule),
        "verdict": word(lot.outcome),
        "proved": lot.proved.as_ref().map(proved),
    })
}

fn proved(proved: &Proved) -> Value {
    json!({
        "header": digits(&proved.header),
        "height": proved.height,
        "as_of": moment::stamp(proved.time_ms),
        "lot": proved.lot.map(|(hash, _, _)| digits(&hash)),
        "leaf": proved.lot.map(|(_, leaf, _)| leaf),
        "output": proved.lot.map(|(_, _, output)| output),
        "mass_mg": proved.quantities.map(|(mass, _)| mass),
        "pieces": proved.quantities.map(|(_, pieces)| pieces),
        "expires": (proved.expires_ms != 0).then(|| moment::stamp(proved.expires_ms)),
        "certified_permille": proved.certified_permille,
        "gain_ppm": proved.gain_ppm,
        "history": proved.history.iter().map(step).collect::<Vec<_>>(),
        "records": proved.records.iter().map(record).collect::<Vec<_>>(),
    })
}

fn step(step: &Step) -> Value {
    json!({ "leaf": step.leaf, "kind": step.kind, "by": step.by, "member": digits(&step.member) })
}

fn record(record: &Record) -> Value {
    let field = |(path, told): &(String, Told)| match told {
        Told::Shown(text) => json!({ "path": path, "shown": text }),
        Told::Hidden(unit) => json!({ "path": path, "hidden": true, "unit": unit }),
        Told::Absent => json!({ "path": path, "absent": true }),
    };
    json!({
        "part": crate::view::part_word(record.part),
        "record": digits(&record.id),
        "issuer": record.issuer,
        "member": digits(&record.member),
        "form": record.form,
        "fields": record.fields.iter().map(field).collect::<Vec<_>>(),
        "proved": record.proved.as_ref().map(|(title, id)| json!({
            "specification": title, "specification_id": id,
        })),
    })
}
