//! What a deal opened: sections and documents. The node has held all of it against the record that stands on the log.

use super::super::answer::Answer;
use super::super::connect::block_on;
use super::super::failure::Failure;
use super::super::verify::{field_json, field_text};
use super::super::words;
use super::{Document, One, find_as, told};
use crate::files::{self, FileError, Growing};
use heatmark_client::{ClientError, DealPart, OpenedSection};
use heatmark_records::FieldProof;
use serde_json::{Value, json};

/// What may go wrong while a document comes in.
enum Taking {
    Node(ClientError),
    File(FileError),
}

impl From<ClientError> for Taking {
    fn from(error: ClientError) -> Self {
        Self::Node(error)
    }
}

pub(super) fn sections(command: &One) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let (id, view, sections) = block_on(async {
        let desk = reach.desk().await?;
        let (id, view) = find_as(&desk, &command.deal, DealPart::Buyer).await?;
        Ok((id, view, desk.opened_sections(id).await?))
    })?;
    let mut text = format!(
        "Record {} of {}, opened by deal {} for {}\n",
        hex::encode(&view.record_id),
        words::on_one_line(&view.owner_name),
        words::short(&id),
        words::on_one_line(&view.purpose),
    );
    let mut rows: Vec<Value> = Vec::with_capacity(sections.len());
    for section in &sections {
        let fields = fields_of(section)?;
        text.push_str(&format!("Section {}\n", words::on_one_line(&section.name)));
        for field in &fields {
            text.push_str(&format!("  {} = {}\n", field.path, field_text(&field.said)));
        }
        for document in &section.documents {
            let name = words::on_one_line(&document.name);
            text.push_str(&format!("  document {name}, {} bytes\n", document.bytes));
        }
        rows.push(json!({
            "name": section.name,
            "fields": fields.iter().map(|field| field_json(field.path.as_str(), &field.said)).collect::<Vec<_>>(),
            "documents": section.documents.iter().map(|document| json!({
                "name": document.name, "bytes": document.bytes,
            })).collect::<Vec<_>>(),
        }));
    }
    let json = json!({
        "deal": hex::encode(id), "record_id": hex::encode(&view.record_id), "sections": rows,
    });
    Ok(Answer::yes(json, text))
}

fn fields_of(section: &OpenedSection) -> Result<Vec<FieldProof>, Failure> {
    let read = |field: &Vec<u8>| FieldProof::decode(field);
    let fields: Result<Vec<FieldProof>, _> = section.fields.iter().map(read).collect();
    fields.map_err(|error| Failure::no("the node's answer is not true").because(error))
}

pub(super) fn document(command: &Document) -> Result<Answer, Failure> {
    let reach = command.one.node.reach()?;
    let mut file = Growing::begin(&command.out, files::PRIVATE)?;
    let (id, bytes) = block_on(async {
        let desk = reach.desk().await?;
        let (id, _) = find_as(&desk, &command.one.deal, DealPart::Buyer).await?;
        let which = (command.section.clone(), command.name.clone());
        let taken =
            desk.opened_document(id, which, |piece| file.write(piece).map_err(Taking::File)).await;
        let bytes = taken.map_err(|error| match error {
            Taking::File(error) => error.into(),
            Taking::Node(error) => told(error, |why| {
                Failure::no(format!(
                    "section {:?} has no document {:?}",
                    command.section, command.name
                ))
                .because(why)
                .next(format!("`heatmark deal sections {}` names them", words::short(&id)))
            }),
        })?;
        Ok((id, bytes))
    })?;
    file.finish()?;
    let json = json!({ "deal": hex::encode(id), "file": command.out, "bytes": bytes });
    Ok(Answer::yes(json, format!("Written to {}, {bytes} bytes\n", command.out.display())))
}
