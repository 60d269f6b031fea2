//! What a scanner types, in every form.

use heatmark_fuzz::{Shape, Target};
use heatmark_labels::{MAX_READINGS, scan};

#[test]
fn scans() {
    let seeds: Vec<Vec<u8>> = [
        "]d201095060001343521727013110RING/48-2\u{1d}210007",
        "(01)09506000134352(10)RING/48-2(21)0007",
        "0109506000134352310300050010RING4821000737250",
        "https://id.gs1.org/01/09506000134352/10/RING%2F48-2/21/0007?17=270131&linkType=all",
        "[)>\u{1e}06\u{1d}1P65B-3\u{1d}1T48213\u{1d}25SUN123456789S7\u{1d}7Q12.5KG\u{1d}14D20270131\u{1e}\u{4}",
        "[)><RS>05<GS>0109506000134352<GS>10A<RS>12<GS>MFR C1234<GS>SER 7<RS><EOT>",
        "*MFR C1234*PNR 65B/3*SER 0007*",
        "urn:heatmark:capsule:00c0ffee0a1b2c3d4e5f60718293a4b5c6d7e8f900112233445566778899aabb",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    let record = b"\xd1\x01\x2eU\x04id.example.com/01/09506000134352/10/A/21/0007".to_vec();
    let seeds = seeds.into_iter().chain([record]).collect();
    let run = |input: &[u8]| match scan(input, 2026) {
        Ok(scan) => {
            assert!((1..=MAX_READINGS).contains(&scan.readings.len()));
            true
        }
        Err(error) => {
            assert!(error.to_string().len() < 200);
            false
        }
    };
    // Ways of cutting a string without separators wait for their turn.
    Target::new("scans", seeds, run).of(Shape::Text).may_allocate(4_000, 16 << 20).fuzz();
}
