//! Attestations between real desks: a laboratory attests a mill's record, a buyer judges both. What a policy refuses is
//! refused for its own reason.

mod agreements;

use super::disclosures::World;
use super::{desk_of, publish, records_of, vault_of};
use crate::{Attest, CertificateFile, Desk, DeskError, Disclose, MadeAttestation};
use heatmark_evidence::{
    Agreed, Bound, Bundle, Policy, Selection, Shortfall, Unattested, Verified, verify,
};
use heatmark_ledger::ids::MemberId;
use heatmark_records::forms::attestation::{Accreditation, How};
use heatmark_records::{Path, RecordId};
use serde_json::{Value as J, json};

const MILL: usize = 0;
const LAB: usize = 1;
const BUYER: usize = 2;

struct Lab {
    world: World,
    desk: Desk,
}

fn report(carbon: &str) -> J {
    json!({
        "Heatmark": "1",
        "certificate": {"number": "P-88", "issued": "2026-05-12"},
        "sample": {"id": "S-1", "type": "product"},
        "test": {"method": "ASTM E415-21", "date": "2026-05-10"},
        "accreditation": {
            "body": "DAkkS", "number": "D-PL-11111-01",
            "valid-from": "2024-01-01", "valid-until": "2028-12-31",
            "scope": [{"method": "ASTM E415-21", "property": "chemistry/*"}],
        },
        "chemistry": {"C": carbon, "Cr": "16.70 %"},
    })
}

fn file(content: &J) -> CertificateFile {
    CertificateFile {
        name: "report.json".into(),
        content: content.to_string().into_bytes(),
        beside: Vec::new(),
        attests: None,
    }
}

fn selection(patterns: &[&str]) -> Selection {
    Selection::new(patterns.iter().map(|s| (*s).to_owned()).collect()).unwrap()
}

async fn shown(desk: &Desk, record: RecordId, to: MemberId, fields: &[&str]) -> Vec<u8> {
    let what = Disclose {
        record,
        receiver: to,
        purpose: "order 4711".into(),
        fields: selection(fields),
        limits: None,
    };
    desk.disclose(what).await.unwrap()
}

impl Lab {
    fn new() -> Self {
        let world = World::new();
        let desk = desk_of(&world.chain, LAB, vault_of(&world.chain, "lab"));
        Self { world, desk }
    }

    fn member(&self, n: usize) -> MemberId {
        self.world.member(n)
    }

    /// A record of the mill with this carbon content, and its disclosure to the laboratory.
    async fn record(&self, carbon: &str) -> (RecordId, Vec<u8>) {
        let record = self.world.records(&[carbon]).await[0];
        let fields = ["heat", "chemistry/*"];
        (record, shown(&self.world.desk, record, self.member(LAB), &fields).await)
    }

    async fn attest(
        &self,
        record: RecordId,
        report: &J,
        disclosures: &[&Vec<u8>],
        confirms: &[&str],
    ) -> Result<MadeAttestation, DeskError> {
        let disclosures = disclosures.iter().map(|bytes| (*bytes).clone()).collect();
        let what =
            Attest { record, file: file(report), disclosures, confirms: selection(confirms) };
        self.desk.attest(what).await
    }

    /// What the mill shows of its record and the laboratory of its attestation, as the buyer reads both.
    async fn bought(
        &self,
        record: RecordId,
        attestation: RecordId,
        results: &[&str],
    ) -> Vec<Verified> {
        let buyer = self.member(BUYER);
        let of_mill = shown(&self.world.desk, record, buyer, &["heat", "chemistry/*"]).await;
        let fields: Vec<&str> = ["attestation"].iter().chain(results).copied().collect();
        let of_lab = shown(&self.desk, attestation, buyer, &fields).await;
        vec![self.read(&of_mill), self.read(&of_lab)]
    }

    fn read(&self, bytes: &[u8]) -> Verified {
        verify(bytes, &self.world.trust, Some(&self.member(BUYER))).unwrap()
    }

    /// Why the policy finds carbon not attested; `None` when it is content.
    fn lacks(&self, files: &[Verified], agreed: &[Agreed], terms: &str) -> Option<Unattested> {
        let terms = format!("[[require]]\nproperty = 'chemistry/C'\nas = 'attested'\n{terms}\n");
        let policy = Policy::parse(&terms).unwrap();
        let bundles = Bundle::gather(files, agreed);
        assert_eq!(bundles.len(), 1, "an attestation is judged with its record");
        match policy.shortfalls(&bundles[0]).as_slice() {
            [] => None,
            [Shortfall::Attestation { why, .. }] => Some(*why),
            other => panic!("{other:?}"),
        }
    }
}

fn code(refused: Result<MadeAttestation, DeskError>) -> &'static str {
    refused.map(|_| ()).unwrap_err().code()
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_what_nobody_can_attest() {
    let lab = Lab::new();
    let (record, to_lab) = lab.record("0.021").await;
    let (other, of_other) = lab.record("0.022").await;
    let good = report("0.022 %");
    // Oneself.
    let what = Attest {
        record,
        file: file(&good),
        disclosures: Vec::new(),
        confirms: Selection::default(),
    };
    assert_eq!(code(lab.world.desk.attest(what).await), "own-record");
    // What was shown of another record, or to somebody else, or is no disclosure.
    assert_eq!(code(lab.attest(record, &good, &[&of_other], &[]).await), "other-record");
    let elsewhere = shown(&lab.world.desk, record, lab.member(BUYER), &["heat"]).await;
    assert_eq!(code(lab.attest(record, &good, &[&elsewhere], &[]).await), "wrong-receiver");
    let mut bent = to_lab.clone();
    let middle = bent.len() / 2;
    bent[middle] ^= 1;
    let refused = lab.attest(record, &good, &[&bent], &[]).await;
    assert!(matches!(refused, Err(DeskError::Evidence(_))), "{refused:?}");
    let many = vec![&to_lab; 17];
    assert_eq!(code(lab.attest(record, &good, &many, &[]).await), "too-many-disclosures");
    // What was not shown is not confirmed.
    let refused = lab.attest(record, &good, &[&to_lab], &["test/temperature"]).await;
    assert_eq!(code(refused), "no-such-field");
    assert_eq!(code(lab.attest(record, &good, &[], &["heat"]).await), "no-such-field");
    // A report that lacks something, or is about another record.
    let mut faulty = good.clone();
    faulty["sample"].as_object_mut().unwrap().remove("type");
    faulty["chemistry"]["C"] = json!("101 %");
    match lab.attest(record, &faulty, &[], &[]).await {
        Err(DeskError::Faults(faults)) => assert_eq!(faults.len(), 2, "{faults:?}"),
        refused => panic!("{refused:?}"),
    }
    let mut about_other = good.clone();
    about_other["attests/record"] = json!(other.to_string());
    assert_eq!(code(lab.attest(record, &about_other, &[], &[]).await), "faults");
    assert_eq!(lab.desk.records(Vec::new(), 10).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_sees_what_a_laboratory_attests() {
    let lab = Lab::new();
    let (record, to_lab) = lab.record("0.021").await;
    let made = lab.attest(record, &report("0.022 %"), &[&to_lab], &["heat"]).await.unwrap();
    assert!(made.form.starts_with("attestation "), "{}", made.form);
    assert_eq!((made.warnings.as_slice(), made.already_published), (&[][..], false));
    let bound: Vec<_> = made.bound.iter().map(Path::as_str).collect();
    assert_eq!(bound, ["chemistry/C", "chemistry/Cr", "heat"]);
    let again = lab.attest(record, &report("0.022 %"), &[&to_lab], &["heat"]).await.unwrap();
    assert_eq!((again.record, again.already_published), (made.record, true));
    assert_eq!(again.committed.id, made.committed.id);

    let files = lab.bought(record, made.record, &["chemistry/*"]).await;
    let bundles = Bundle::gather(&files, &[]);
    let attested = bundles[0].attested();
    let told: Vec<_> = attested.iter().map(|a| (a.property, a.how, a.bound)).collect();
    let same = Bound::Same;
    assert_eq!(
        told,
        [
            ("chemistry/C", How::Measured, same),
            ("chemistry/Cr", How::Measured, same),
            ("heat", How::Confirmed, same)
        ]
    );
    assert!(attested.iter().all(|a| a.independent && a.issuer.member == lab.member(LAB)));
    assert_eq!(attested[0].accreditation, Accreditation::InForce);
    assert_eq!(attested[0].sample_type, Some("product"));
    let by =
        format!("attested_by = ['{}']\nsample = 'product'\nwithin = '10 ppm'", lab.member(LAB));
    assert_eq!(lab.lacks(&files, &[], &by), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_names_what_an_attestation_lacks() {
    let lab = Lab::new();
    let (record, to_lab) = lab.record("0.021").await;
    let made = lab.attest(record, &report("0.022 %"), &[&to_lab], &[]).await.unwrap();
    let files = lab.bought(record, made.record, &["chemistry/*"]).await;
    let buyer = format!("attested_by = ['{}']", lab.member(BUYER));
    for (terms, expected) in [
        ("", None),
        (buyer.as_str(), Some(Unattested::Attester)),
        ("attested_by = ['lab']", Some(Unattested::Attester)),
        ("attested_by = ['lab', 'supplier']", None),
        ("sample = 'heat'", Some(Unattested::Sample)),
        ("within = '0.0009 %'", Some(Unattested::Disagreement)),
    ] {
        assert_eq!(lab.lacks(&files, &[], terms), expected, "{terms}");
    }
    assert_eq!(lab.lacks(&files[..1], &[], ""), Some(Unattested::Nobody));
    // An attestation alone is no certificate, whatever it shows.
    let carbon = Policy::parse("[[require]]\nproperty = 'chemistry/C'\nas = 'shown'\n").unwrap();
    let alone = Bundle::gather(&files[1..], &[]);
    assert_eq!(carbon.shortfalls(&alone[0]), [Shortfall::Alone]);
    assert_eq!(carbon.shortfalls(&Bundle::gather(&files, &[])[0]), []);
    // The result itself is not shown, nor proved to agree.
    let hidden = lab.bought(record, made.record, &[]).await;
    assert_eq!(lab.lacks(&hidden, &[], ""), Some(Unattested::Nobody));
    // An accreditation of which too little is shown.
    let part =
        shown(&lab.desk, made.record, lab.member(BUYER), &["attests/*", "chemistry/*"]).await;
    let part = [files[0].clone(), lab.read(&part)];
    let none = Unattested::Accreditation(Accreditation::None);
    assert_eq!(lab.lacks(&part, &[], ""), Some(none));
    assert_eq!(lab.lacks(&part, &[], "accredited = false"), None);
    for text in [
        "[[require]]\nproperty = 'a'\nas = 'shown'\naccredited = true\n",
        "[[require]]\nproperty = 'a'\nas = 'attested'\nattested_by = ['nobody']\n",
        "[[require]]\nproperty = 'a'\nas = 'attested'\nwithin = 'little'\n",
        "[[require]]\nproperty = 'a'\nas = 'attested'\nsample = 'coil'\n",
    ] {
        assert!(Policy::parse(text).is_err(), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn out_of_accreditation_is_said_and_held() {
    let lab = Lab::new();
    let (record, to_lab) = lab.record("0.021").await;
    let late = {
        let mut late = report("0.021 %");
        late["test"]["date"] = json!("2029-01-01");
        late
    };
    let other_method = {
        let mut other = report("0.021 %");
        other["test"]["method"] = json!("ISO 15350");
        other
    };
    let none = {
        let mut none = report("0.021 %");
        none.as_object_mut().unwrap().remove("accreditation");
        none
    };
    for (report, expected) in [
        (late, Accreditation::NotInForce),
        (other_method, Accreditation::OutOfScope),
        (none, Accreditation::None),
    ] {
        let made = lab.attest(record, &report, &[&to_lab], &[]).await.unwrap();
        assert!(
            made.warnings.iter().all(|line| line.ends_with(expected.word())),
            "{:?}",
            made.warnings
        );
        assert!(!made.warnings.is_empty());
        let results: &[&str] = &["chemistry/*"];
        let fields: Vec<&str> = ["attests/*", "sample/*", "test/*", "certificate/*"]
            .iter()
            .chain(results)
            .chain((expected != Accreditation::None).then_some(&"accreditation/*"))
            .copied()
            .collect();
        let buyer = lab.member(BUYER);
        let of_mill = shown(&lab.world.desk, record, buyer, &["heat"]).await;
        let of_lab = shown(&lab.desk, made.record, buyer, &fields).await;
        let files = [lab.read(&of_mill), lab.read(&of_lab)];
        assert_eq!(lab.lacks(&files, &[], ""), Some(Unattested::Accreditation(expected)));
        assert_eq!(lab.lacks(&files, &[], "accredited = false"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_issuers_own_word_and_another_field_attest_nothing() {
    let lab = Lab::new();
    let (record, _) = lab.record("0.021").await;
    let buyer = lab.member(BUYER);
    // Whoever publishes what it likes can name any record and any leaf.
    let mut own = report("0.021 %");
    own["attests/record"] = json!(record.to_string());
    let (own, _) = records_of(&publish(&lab.world.desk, vec![file(&own)]).await);
    let of_mill = lab.read(&shown(&lab.world.desk, record, buyer, &["chemistry/C"]).await);
    let of_own = lab.read(&shown(&lab.world.desk, own[0], buyer, &["all"]).await);
    assert_eq!(lab.lacks(&[of_mill.clone(), of_own], &[], ""), Some(Unattested::NotIndependent));
    let mut other = report("0.021 %");
    other["attests/record"] = json!(record.to_string());
    other["attests/measured/chemistry/C"] = json!("00".repeat(32));
    let (other, _) = records_of(&publish(&lab.desk, vec![file(&other)]).await);
    let of_other = lab.read(&shown(&lab.desk, other[0], buyer, &["all"]).await);
    assert_eq!(lab.lacks(&[of_mill, of_other], &[], ""), Some(Unattested::OtherField));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inspector_confirms_the_very_field_that_it_was_shown() {
    let lab = Lab::new();
    let (record, to_lab) = lab.record("0.021").await;
    let mut visit = report("0.021 %");
    visit.as_object_mut().unwrap().remove("chemistry");
    assert_eq!(code(lab.attest(record, &visit, &[&to_lab], &[]).await), "faults");
    let confirms = ["chemistry/C", "heat"];
    let made = lab.attest(record, &visit, &[&to_lab], &confirms).await.unwrap();
    let files = lab.bought(record, made.record, &[]).await;
    assert_eq!(lab.lacks(&files, &[], "within = '0 %'"), None);
    // What is confirmed has to be told.
    let buyer = lab.member(BUYER);
    let heat_alone = lab.read(&shown(&lab.world.desk, record, buyer, &["heat"]).await);
    let lacks = lab.lacks(&[heat_alone, files[1].clone()], &[], "");
    assert_eq!(lacks, Some(Unattested::FieldUntold));
}
