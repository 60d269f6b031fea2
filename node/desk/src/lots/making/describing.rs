//! Records that stand in an event by their roots: what a lot is, and what was done to make it. Each is opened in the vault and
//! shown, if ever, field by field. Refuses process fields without a plain name or a printable text.

use crate::keys::alert_signing_key;
use crate::lots::plan::LotPlan;
use crate::{Desk, DeskError};
use heatmark_ledger::keys::PublicKey;
use heatmark_records::{Fields, Heading, Opening, Path, Secret, Value};

/// The form of a lot's description.
const LOT_FORM: &str = "Heatmark lot 1";
/// The form of a process record.
const PROCESS_FORM: &str = "Heatmark process 1";
const NAME: &str = "lot/name";
const PRODUCT: &str = "product/name";
/// Before the name of each field of a process record.
const PROCESS: &str = "process/";
/// Most fields of a process record.
const MAX_PROCESS_FIELDS: usize = 64;
/// Longest name of such a field, and longest text.
const MAX_PROCESS_NAME: usize = 64;
const MAX_PROCESS_TEXT: usize = 512;

/// Makes records, each with an alert key of its own.
pub(super) struct Describer<'d> {
    desk: &'d Desk,
    /// Alert indices that were taken and not used.
    indices: std::ops::Range<u64>,
    /// How many are taken together, since each taking is a synced write.
    together: u64,
}

impl<'d> Describer<'d> {
    pub(super) fn new(desk: &'d Desk, records: usize) -> Self {
        let together = u64::try_from(records).unwrap_or(1).max(1);
        Self { desk, indices: 0..0, together }
    }

    /// A record of what a lot is; what is not told is as before.
    pub(super) fn describe(
        &mut self,
        lot: &LotPlan,
        before: Option<&Opening>,
    ) -> Result<Opening, DeskError> {
        let product = match before {
            Some(before) if lot.product.is_empty() => product_of(before),
            _ => lot.product.clone(),
        };
        let mut fields = Fields::new();
        for (path, text) in [(NAME, &lot.name), (PRODUCT, &product)] {
            if !text.is_empty() {
                fields.insert(Path::new(path)?, Value::Text(text.clone()))?;
            }
        }
        self.seal(LOT_FORM, fields)
    }

    /// A record of what was done; none where nothing is told.
    pub(super) fn process(
        &mut self,
        told: &[(String, String)],
    ) -> Result<Option<Opening>, DeskError> {
        if told.is_empty() {
            return Ok(None);
        }
        let mut fields = Fields::new();
        for (name, text) in told {
            let plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            let named = (1..=MAX_PROCESS_NAME).contains(&name.len()) && name.bytes().all(plain);
            let said = (1..=MAX_PROCESS_TEXT).contains(&text.len())
                && !text.trim().is_empty()
                && !text.chars().any(char::is_control);
            if !named || !said || told.len() > MAX_PROCESS_FIELDS {
                return Err(DeskError::ProcessField);
            }
            let path = Path::new(&format!("{PROCESS}{name}"))?;
            let twice = fields.insert(path, Value::Text(text.clone()));
            twice.map_err(|_| DeskError::ProcessField)?;
        }
        self.seal(PROCESS_FORM, fields).map(Some)
    }

    fn seal(&mut self, form: &str, fields: Fields) -> Result<Opening, DeskError> {
        let desk = self.desk;
        let index = match self.indices.next() {
            Some(index) => index,
            None => {
                let first = desk.parts.vault.take_alert_indices(self.together)?;
                self.indices = first.saturating_add(1)..first.saturating_add(self.together);
                first
            }
        };
        let key = PublicKey::of(&alert_signing_key(&desk.parts.seed, index));
        let heading = Heading {
            network: *desk.parts.intake.network().as_bytes(),
            form: form.to_owned(),
            issuer: *desk.parts.member.as_bytes(),
            alert_subject: *key.alert_subject().as_bytes(),
            origin_seal: None,
        };
        Ok(Opening::seal(heading, fields, Secret::new(rand::random()))?)
    }
}

/// What a lot's description says it is.
pub(crate) fn product_of(description: &Opening) -> String {
    let path = Path::new(PRODUCT).ok();
    match path.and_then(|path| description.fields().get(&path).cloned()) {
        Some(Value::Text(text)) => text,
        _ => String::new(),
    }
}

/// The fields of a process record by name, ascending: `die`, `load`, `station` and the like.
#[must_use]
pub fn process_fields(process: &Opening) -> Vec<(String, String)> {
    let said = |(path, value): (&Path, &Value)| match (path.as_str().strip_prefix(PROCESS), value) {
        (Some(name), Value::Text(text)) => Some((name.to_owned(), text.clone())),
        _ => None,
    };
    process.fields().iter().filter_map(said).collect()
}
