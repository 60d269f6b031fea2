//! What a code means to an inspector, and what to do next. Every code of `proto/README.md` section 12 has its words here; what
//! is not listed is told as evidence that does not verify.

/// What happened, and what to do.
pub(crate) type Words = (&'static str, &'static str);

const NEW_CAPSULE: &str = "ask the supplier for a new capsule of this lot";
const NOT_SOUND: &str = "do not use the material; tell the supplier, and ask for a new capsule";
const ASK: &str = "ask the supplier to show it: heatmark inspect … --ask";

#[rustfmt::skip]
const WORDS: &[(&str, Words)] = &[
    ("ok", ("in order", "")),
    // The file as a whole.
    ("too-long", ("the file is longer than any capsule", NEW_CAPSULE)),
    ("not-canonical", ("the file, or the label's proof, is damaged or is none", NEW_CAPSULE)),
    ("wrong-network", ("the file belongs to another network", "check the trust root, or ask the supplier for a capsule of this network")),
    ("capsule-order", ("the file's parts are out of order", NEW_CAPSULE)),
    ("state-proof", ("an entry of the registry or of the alerts is not what the log holds", NOT_SOUND)),
    ("older-than-trust", ("the capsule is older than the header that you pinned", "ask the supplier for a newer capsule, or verify from genesis")),
    ("certificate-quorum", ("too few validators signed the block that everything rests on", NOT_SOUND)),
    ("certificate-signature", ("a validator's signature on the block does not verify", NOT_SOUND)),
    // Anchored.
    ("inclusion-path", ("it does not stand on the log where the capsule says", NOT_SOUND)),
    ("not-a-lot-event", ("what stands on the log there is no event of lots", NOT_SOUND)),
    ("event-digest", ("the event is not the one that stands on the log", NOT_SOUND)),
    ("event-outputs", ("the event's lots are not those that stand on the log", NOT_SOUND)),
    ("seal-count", ("the event does not name the seals that it broke", NOT_SOUND)),
    ("batch-path", ("the record is not part of what its issuer anchored", NOT_SOUND)),
    ("not-an-anchor", ("what stands on the log there is no certificate's anchor", NOT_SOUND)),
    ("not-the-issuer", ("it is not signed by the company that it names as its issuer", NOT_SOUND)),
    ("wrong-root", ("a field shown does not belong to the record", NOT_SOUND)),
    ("field-order", ("the fields shown are out of order", NEW_CAPSULE)),
    ("bad-head", ("the record's head cannot be read", NEW_CAPSULE)),
    ("bad-field", ("a field shown cannot be read", NEW_CAPSULE)),
    ("record-unreached", ("a record in the capsule has nothing to do with this lot", "ask the supplier why it is there, and for a capsule without it")),
    ("issuer-untold", ("the capsule does not tell whose key signed the record", NEW_CAPSULE)),
    ("key-compromised", ("the issuer's key counts as stolen since before then", "ask the issuer to publish the certificate anew")),
    // Sealed.
    ("wrong-seal", ("a broken seal is not the one of its lot", NOT_SOUND)),
    ("no-origin-seal", ("the certificate has no seal that could be commissioned", NOT_SOUND)),
    ("seal-twice", ("one seal stands on two lots: the lot has two histories", NOT_SOUND)),
    ("seal-broken-twice", ("one seal is broken twice", NOT_SOUND)),
    ("input-twice", ("a lot is used twice", NOT_SOUND)),
    // Balanced.
    ("balance", ("more came out than went in, or another quantity than is said", NOT_SOUND)),
    ("range", ("a quantity is not proved to be one", NOT_SOUND)),
    ("proof-count", ("the proofs of an event are not those that it needs", NOT_SOUND)),
    ("class", ("materials of different certificates went into one lot", NOT_SOUND)),
    ("changed", ("something changed that this kind of event may not change", NOT_SOUND)),
    ("expiry", ("a lot would outlive what it is made of", NOT_SOUND)),
    ("components", ("what was taken apart is not what was put together", NOT_SOUND)),
    ("serials", ("serials overlap, or do not come from the lot before", NOT_SOUND)),
    ("serial-count", ("there are not as many pieces as serials", NOT_SOUND)),
    ("serial-twice", ("one set of serials begins twice", NOT_SOUND)),
    ("no-certified-mass", ("the certificate states no mass that could be commissioned", NOT_SOUND)),
    ("lot-missing", ("the event that makes this lot is not in the capsule", NEW_CAPSULE)),
    ("input-unknown", ("an event uses a lot that was never made", NOT_SOUND)),
    ("event-unreached", ("an event in the capsule has nothing to do with this lot", "ask the supplier why it is there, and for a capsule without it")),
    ("input-missing", ("the history has a gap: where an input came from is not told", "ask the supplier for the whole history: heatmark inspect … --ask")),
    ("record-missing", ("the certificate that the material was commissioned by is not in the capsule", ASK)),
    ("uncertified", ("less of it is certified than the policy demands", "use it only where uncertified material may be used")),
    ("gain", ("weighings raised its mass by more than the policy accepts", "weigh it, and ask the supplier to explain")),
    ("process-untold", ("how it was made is not recorded", ASK)),
    ("no-serials", ("its pieces carry no serials", "ask the supplier for serialised pieces")),
    // Mine.
    ("seal-broken", ("the lot has gone on already: it is not the goods before you", "do not accept the goods; tell the supplier")),
    ("wrong-opening", ("the quantities named are not those that the log commits to", NOT_SOUND)),
    ("mass-differs", ("the mass is not the one that was ordered or received", "weigh the goods, and settle the difference with the supplier")),
    ("pieces-differ", ("the pieces are not as many as were ordered or received", "count the goods, and settle the difference with the supplier")),
    ("wrong-serial", ("the label's serial is none of this lot's", "this label belongs to other goods: keep them apart")),
    ("seal-unknown", ("it is not shown that the lot is yours, or still whole", "receive the lot through your node, or ask for a capsule that shows its seal")),
    ("not-opened", ("the capsule does not tell mass and pieces", "ask the supplier for a capsule made for you")),
    // Origin.
    ("claim-false", ("the certificate says otherwise than the policy demands", "do not use the material for this purpose")),
    ("claim-missing", ("the certificate does not show what the policy demands", ASK)),
    ("issuer", ("the certificate's issuer is not one that the policy names", "do not use the material for this purpose")),
    ("transcribed", ("the certificate copies another company's paper", "see the paper itself, or ask the mill for its own record")),
    ("no-certificate", ("no certificate is here that the demand could be compared with", ASK)),
    // Conforming.
    ("conformance-proof", ("the proof that limits are kept does not verify", NOT_SOUND)),
    ("limit-unproved", ("the proof does not speak of a limit that it should", NOT_SOUND)),
    ("specification", ("limits are proved by a specification that the policy does not name, or that cannot be read", ASK)),
    ("own-limits", ("limits of the certificate's own cannot be passed on", ASK)),
    ("property", ("a property is not told as the policy demands", ASK)),
    ("outside-limits", ("a value shown is outside its limit", "do not use the material for this purpose")),
    ("not-shown", ("a value is not shown", ASK)),
    ("not-proved", ("a limit is neither shown nor proved to be kept", ASK)),
    ("not-comparable", ("a value cannot be compared with its limit", "compare it yourself, and dispose with a reason")),
    ("discloser", ("the proof was made by somebody whom the policy does not name", ASK)),
    ("discloser-untold", ("the capsule does not tell who made the proof", NEW_CAPSULE)),
    // Attested.
    ("not-attested", ("nobody independent attests it", "ask the supplier for an attestation: heatmark inspect … --ask")),
    ("not-independent", ("only the certificate's own issuer attests it", "ask for an independent attestation")),
    ("attester", ("the attester is not one that the policy names", "ask for an attestation by one that it names")),
    ("attester-key", ("the attester's key counts as stolen, or is not told", "ask the attester to attest it anew")),
    ("attests-other-field", ("the attestation is of another field than is told here", "ask the attester")),
    ("attests-untold-field", ("the attestation confirms a field that is not shown here", ASK)),
    ("attested-sample", ("the sample is not of the kind that the policy demands", "ask for a test of the other kind of sample")),
    ("out-of-accreditation", ("the test is not within the attester's accreditation", "ask for an accredited test")),
    ("agreement-untold", ("it is not told whether both results agree", ASK)),
    ("results-differ", ("the laboratory's result differs from the certificate's by more than the policy allows", "have it tested again")),
    // Clear.
    ("recalled", ("it is recalled by its issuer, or by somebody whose concerns count", "block the goods; ask the issuer")),
    ("revoked", ("its certificate is revoked", "block the goods; ask the issuer")),
    ("on-hold", ("its issuer put it on hold", "wait; `heatmark alert status` tells what stands")),
    ("superseded", ("another certificate took the place of this one", "ask for the new certificate")),
    ("alert-untold", ("the capsule does not tell whether anything stands against it", NEW_CAPSULE)),
    ("expired-input", ("something was used that had expired, or may have", ASK)),
    ("expiry-extended", ("it lasts longer than what it is made of", ASK)),
    ("mass-untold", ("what its certificate says of the mass is not shown", ASK)),
    ("commissions-nothing", ("an attestation stands where a certificate has to", NOT_SOUND)),
    ("expired", ("it must not be used any longer", "block the goods")),
    ("stale", ("the evidence is older than the policy allows", NEW_CAPSULE)),
    // What the order and own readings come to.
    ("lot-twice", ("the same lot is delivered twice", "count the goods: one of these files is too many")),
    ("as-ordered", ("as ordered", "")),
    ("order-differs", ("it is not what was ordered", "settle it with the supplier, or dispose with a reason")),
    ("order-untold", ("the capsule does not show it", ASK)),
    ("size-differs", ("the size is not the one that was ordered", "measure it; settle it with the supplier")),
    ("as-measured", ("own reading within its limits", "")),
    ("reading-outside", ("own reading outside its limit", "measure again; do not use the material for this purpose")),
    ("reading-differs", ("own reading and certificate differ by more than the policy allows", "measure again: this may be other material")),
    ("reading-missing", ("it was not measured", "measure it, and give the reading with --readings")),
    ("reading-unjudged", ("own reading, with nothing to compare it with", "")),
];

/// The words for a code.
pub(crate) fn of(code: &str) -> Words {
    let known = WORDS.iter().find(|(name, _)| *name == code).map(|(_, words)| *words);
    known.unwrap_or(("the evidence does not verify", NOT_SOUND))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests fail loudly")]

    use super::*;

    /// The codes of the tables of sections 12 to 14, as the specification lists them.
    fn specified() -> Vec<String> {
        let text = include_str!("../../../proto/README.md");
        let section = text.split("\n## 12.").nth(1).unwrap();
        let rows = section.lines().filter(|line| {
            [
                "| anchored |",
                "| sealed |",
                "| balanced |",
                "| mine |",
                "| origin |",
                "| conforming |",
                "| attested |",
                "| clear |",
                "| ordered |",
                "| measured |",
            ]
            .iter()
            .any(|start| line.starts_with(start))
        });
        let mut codes = Vec::new();
        for row in rows {
            let quoted = row.split('`').skip(1).step_by(2);
            let is_code = |word: &&str| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            codes.extend(quoted.filter(is_code).map(str::to_owned));
        }
        codes
    }

    #[test]
    fn every_code_that_the_specification_lists_has_its_words() {
        let codes = specified();
        assert!(codes.len() > 40, "{codes:?}");
        let unknown: Vec<_> =
            codes.iter().filter(|code| !WORDS.iter().any(|(name, _)| name == code)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn a_code_has_its_words_once_and_says_what_to_do() {
        for (at, (name, (what, next))) in WORDS.iter().enumerate() {
            assert!(!WORDS.iter().skip(at + 1).any(|(other, _)| other == name), "{name}");
            let fine = ["ok", "as-ordered", "as-measured", "reading-unjudged"].contains(name);
            assert!(!what.is_empty() && (fine || !next.is_empty()), "{name}");
        }
    }
}
