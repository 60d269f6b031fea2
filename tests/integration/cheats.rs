//! Every cheat of a modified sender, receiver or validator, tried on real nodes. The companies that cheat are played by the
//! test, with their own keys; whoever is to be cheated is a real node, which has to say why it takes nothing, and to hold
//! nothing afterwards. What the pure tests of `contracts/lots` and `contracts/evidence` refuse in memory is refused here where
//! it would come in.

mod capsules;
mod crooks;
mod dealings;
mod quantities;
mod thieves;

use crate::town::Town;
use crooks::{Crooks, Held};
use heatmark_evidence::transfer::Parcel;
use serde_json::Value;
use std::fs;

/// What an honest receiver's node says to a parcel, and what it holds afterwards.
struct Door<'a> {
    town: &'a Town,
    parcels: u32,
}

impl<'a> Door<'a> {
    const fn of(town: &'a Town) -> Self {
        Self { town, parcels: 0 }
    }

    fn lot(&self, code: i32, arguments: &[&str]) -> Value {
        self.town.command(code, &[&["lot"], arguments, &["--home", "assembler"]].concat())
    }

    fn holds(&self) -> (Value, Value) {
        let lots = self.lot(0, &["list", "--all"])["lots"].clone();
        (lots, self.lot(0, &["underway", "--all"])["parcels"].clone())
    }

    fn file(&mut self, parcel: &[u8]) -> String {
        self.parcels += 1;
        let name = format!("cheat-{}.parcel", self.parcels);
        fs::write(self.town.path(&name), parcel).unwrap();
        name
    }

    /// The parcel's evidence is rejected (1) or not whole (3) for this reason, and nothing of it is taken.
    fn rejects(&mut self, what: &str, parcel: &[u8], (exit, code): (i32, &str)) {
        let before = self.holds();
        let file = self.file(parcel);
        let seen = self.lot(exit, &["receive", &file, "--look"]);
        let codes = seen["lots"][0]["codes"].as_array().unwrap_or_else(|| panic!("{what}: {seen}"));
        assert!(codes.iter().any(|said| said == code), "{what}: {codes:?}, not {code}");
        let refused = self.lot(1, &["receive", &file]);
        assert_eq!(refused["error"]["code"], "rejected", "{what}: {refused}");
        assert_eq!(self.holds(), before, "{what}");
    }

    /// The evidence is whole, and the lot was used elsewhere since: looking says so, and the log refuses it whoever does not look.
    fn comes_too_late(&mut self, what: &str, parcel: &[u8]) {
        let before = self.holds().0;
        let file = self.file(parcel);
        let seen = self.lot(1, &["receive", &file, "--look"]);
        assert_eq!(seen["lots"][0]["codes"], serde_json::json!(["seal-broken"]), "{what}: {seen}");
        let refused = self.lot(1, &["receive", &file]);
        assert_eq!(refused["error"]["code"], "seal-broken", "{what}: {refused}");
        assert_eq!(self.holds().0, before, "{what}");
    }

    /// The file is no parcel that anybody would look into.
    fn refuses(&mut self, what: &str, parcel: &[u8], code: &str) {
        let before = self.holds();
        let file = self.file(parcel);
        for more in [&["--look"][..], &[]] {
            let refused = self.lot(1, &[&["receive", file.as_str()][..], more].concat());
            assert_eq!(refused["error"]["code"], code, "{what}: {refused}");
        }
        assert_eq!(self.holds(), before, "{what}");
    }

    /// An honest parcel, so that the door is known to open.
    fn takes(&mut self, parcel: &[u8], name: &str) {
        let file = self.file(parcel);
        let seen = self.lot(0, &["receive", &file, "--look"]);
        assert_eq!(seen["lots"][0]["outcome"], "accept", "{seen}");
        self.lot(0, &["receive", &file, "--name", &format!("CHEAT={name}")]);
    }
}

/// A parcel with an honest capsule of the lot.
async fn parcel_of(crooks: &mut Crooks<'_>, sender: &str, held: &Held) -> Parcel {
    let capsule = crooks.capsule(held).await;
    crooks.parcel(sender, held, prost::Message::encode_to_vec(&capsule))
}

#[tokio::test]
async fn what_a_dishonest_supplier_makes_up_is_turned_away_at_the_dock() {
    let town = Town::up(&[]).await;
    let mut crooks = Crooks::gather(&town).await;
    let mut door = Door::of(&town);
    honest(&mut crooks, &mut door).await;
    quantities::try_all(&mut crooks, &mut door).await;
    capsules::try_all(&mut crooks, &mut door).await;
    thieves::try_all(&mut crooks, &mut door).await;
    town.down().await;
}

/// What the crooks make honestly is taken: it is the cheats that are turned away, and not their tools.
async fn honest(crooks: &mut Crooks<'_>, door: &mut Door<'_>) {
    let heat = crooks.certificate("mill", "mill", "1").await;
    let billet = crooks.commission(heat, &[(1_000_000_000, 1)]).await.remove(0);
    let parcel = parcel_of(crooks, "mill", &billet).await;
    let parcel = crooks.signed("mill", parcel);
    door.takes(&parcel, "HONEST");
    assert_eq!(door.lot(0, &["show", "HONEST"])["mass_mg"], 1_000_000_000_u64);
}
