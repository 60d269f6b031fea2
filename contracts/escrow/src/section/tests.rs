#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::type_complexity,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use super::*;
use crate::purpose::content_context;
use crate::stage::{Stage, free};
use heatmark_envelopes::Decryptor;

/// A section's content as who combined the shares reads it.
fn content(stage: &Stage, section: &str) -> Vec<u8> {
    let entry = stage.manifest.section(section).unwrap();
    let context = content_context(&stage.manifest, section);
    let secret = &stage.secrets[section];
    let mut decryptor = Decryptor::new(secret, &context, &entry.content().unwrap());
    let mut content = decryptor.push(&stage.contents[section]).unwrap().to_vec();
    content.extend_from_slice(&decryptor.finish().unwrap());
    content
}

/// Reads a content in portions of so many bytes, and gives the document.
fn read(stage: &Stage, content: &[u8], portion: usize) -> Result<Vec<u8>, SectionFault> {
    let mut reader = SectionReader::new(&stage.manifest, "assay").unwrap();
    let mut document = Vec::new();
    for bytes in content.chunks(portion) {
        for portion in reader.push(bytes)? {
            match portion {
                Portion::Head(head) => assert_eq!(head, stage.heads["assay"]),
                Portion::Document { place, bytes } => {
                    assert_eq!(place, 0);
                    document.extend_from_slice(&bytes);
                }
            }
        }
    }
    assert_eq!(reader.finish()?, stage.heads["assay"]);
    Ok(document)
}

#[test]
fn a_content_reads_the_same_in_whatever_portions() {
    let stage = Stage::under(free());
    let content = content(&stage, "assay");
    for portion in [1, 3, 4, 5, 65_536, content.len()] {
        assert_eq!(read(&stage, &content, portion).unwrap(), stage.document);
    }
    assert!(SectionReader::new(&stage.manifest, "more").is_none());
}

#[test]
fn a_section_without_documents_ends_with_its_head() {
    let stage = Stage::under(free());
    let content = content(&stage, "labour");
    let mut reader = SectionReader::new(&stage.manifest, "labour").unwrap();
    assert_eq!(reader.push(&content).unwrap().len(), 1);
    assert_eq!(reader.push(&[0]), Err(SectionFault::Length));
    let mut reader = SectionReader::new(&stage.manifest, "labour").unwrap();
    reader.push(&content).unwrap();
    reader.finish().unwrap();
}

#[test]
fn refuses_contents_cut_off_changed_or_longer() {
    let stage = Stage::under(free());
    let content = content(&stage, "assay");
    let longer = [content.as_slice(), &[0]].concat();
    assert_eq!(read(&stage, &longer, 1_000), Err(SectionFault::Length));
    let cut = &content[..content.len() - 1];
    assert_eq!(read(&stage, cut, 1_000), Err(SectionFault::Length));
    assert_eq!(read(&stage, &content[..100], 1_000), Err(SectionFault::Head));
    assert_eq!(read(&stage, &[], 1_000), Err(SectionFault::Head));
    let mut changed = content.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(read(&stage, &changed, 1_000), Err(SectionFault::Document(0)));
    let mut huge = content.clone();
    huge[0] = 0xff;
    assert_eq!(read(&stage, &huge, 1_000), Err(SectionFault::Head));
    let mut other = content;
    other[10] ^= 1;
    assert!(read(&stage, &other, 1_000).is_err());
}

#[test]
fn a_head_is_held_against_record_and_manifest() {
    let stage = Stage::under(free());
    let entry = stage.manifest.section("assay").unwrap();
    let head = &stage.heads["assay"];
    head.check(&stage.manifest, entry).unwrap();
    let cases: [(SectionFault, &dyn Fn(&mut SectionHead)); 9] = [
        (SectionFault::Head, &|head| head.version = 0),
        (SectionFault::Head, &|head| head.head.push(0)),
        (SectionFault::Head, &|head| head.documents[0].salt = vec![]),
        (SectionFault::Fields, &|head| head.fields.swap(0, 1)),
        (SectionFault::Fields, &|head| head.fields.push(head.fields[0].clone())),
        (SectionFault::Field, &|head| head.fields[1] = vec![1; 400]),
        (SectionFault::Fields, &|head| head.documents.push(head.documents[0].clone())),
        (SectionFault::Document(0), &|head| head.documents[0].digest = vec![1; 32]),
        (SectionFault::Document(0), &|head| head.documents[0].salt = vec![1; 32]),
    ];
    for (fault, change) in cases {
        let mut head = head.clone();
        change(&mut head);
        assert_eq!(head.check(&stage.manifest, entry), Err(fault));
    }
    let mut other = stage.manifest.clone();
    other.record = vec![1; 32];
    assert_eq!(head.check(&other, entry), Err(SectionFault::Field));
    let mut entry = entry.clone();
    entry.documents[0].bytes += 1;
    assert_eq!(head.check(&stage.manifest, &entry), Err(SectionFault::Document(0)));
}
