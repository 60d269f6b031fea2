//! A letter on paper that is no inspection: names with what they are, remarks, rows under a head. Drawn as reports are, in the
//! same fonts.

use crate::ReportError;
use crate::pdf::of_blocks;
use crate::report::{Block, Row, Table};

/// A letter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letter {
    /// On top, and the file's title.
    pub title: String,
    /// Names with what they are.
    pub facts: Vec<(String, String)>,
    /// Stands above the rows.
    pub heading: String,
    /// Heads of the columns, with each one's share of the width.
    pub columns: Vec<(&'static str, u16)>,
    /// The rows, each with as many cells as there are columns.
    pub rows: Vec<Vec<String>>,
    /// What stands below.
    pub remarks: Vec<String>,
}

impl Letter {
    /// The letter as a PDF. Further fonts are asked for what the own ones do not have, in their order.
    ///
    /// # Errors
    /// [`ReportError`].
    pub fn pdf(&self, further: &[Vec<u8>]) -> Result<Vec<u8>, ReportError> {
        let row = |cells: &Vec<String>| Row { mark: None, cells: cells.clone() };
        let table = Table {
            head: self.columns.iter().map(|(head, _)| *head).collect(),
            widths: self.columns.iter().map(|(_, width)| *width).collect(),
            rows: self.rows.iter().map(row).collect(),
        };
        let mut blocks = vec![
            Block::Title(self.title.clone()),
            Block::Facts(self.facts.clone()),
            Block::Heading(self.heading.clone()),
            Block::Table(table),
        ];
        blocks.extend(self.remarks.iter().cloned().map(Block::Note));
        of_blocks(&blocks, self.title.clone(), further)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_of_many_rows_goes_on_paper_whatever_others_wrote_in_it() {
        let row = |n: usize| vec![format!("LOT-{n}"), "Ring <b>\u{202e}".to_owned(), n.to_string()];
        let letter = Letter {
            title: "NOTICE".to_owned(),
            facts: vec![("To".to_owned(), "Wälzlager AG".to_owned())],
            heading: "Lots".to_owned(),
            columns: vec![("Lot", 40), ("Product", 40), ("Pieces", 20)],
            rows: (0..200).map(row).collect(),
            remarks: vec!["Take them out of use.".to_owned()],
        };
        let pdf = letter.pdf(&[]);
        assert!(pdf.is_ok_and(|pdf| pdf.starts_with(b"%PDF-") && pdf.len() > 10_000));
        assert!(Letter::default().pdf(&[]).is_ok(), "an empty one is a page all the same");
    }
}
