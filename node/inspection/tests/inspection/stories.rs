//! Deliveries to a dock: billets as a mill cast them, rings that a forge made of them.

use heatmark_evidence::capsule::{Capsule, CapsuleRecord, Mine};
use heatmark_inspection::{Delivery, Demands, Inspection, Order, Parcel, Reading, judge};
use heatmark_ledger::ids::UnixMillis;
use heatmark_lots::{Kind, OpenLot, Terms};
use heatmark_records::{FieldProof, Fields, Heading, Opening, Secret, Value};
use prost::Message;

use crate::town::bytes32;
use crate::world::{ASSEMBLER, FORGE, Held, MILL, World, number, path};

pub(crate) const LIMITS: &str = "standard = 'works standard 7'\nrevision = '2'\nsample = 'heat'\nrounding = 'absolute'\n\
    [[limit]]\nproperty = 'chemistry/C'\nunit = '%'\nmaximum = '0.030'\n\
    [[limit]]\nproperty = 'chemistry/Cr'\nunit = '%'\nminimum = '16.0'\nmaximum = '18.0'\n";

/// What is delivered at a dock.
pub(crate) struct Dock {
    pub(crate) world: World,
    pub(crate) capsules: Vec<Capsule>,
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

/// A certificate of billets, of which carbon is only proved.
fn certificate(world: &mut World) -> usize {
    let fields = [
        ("heat", text("H-4711")),
        ("melt/country", text("DE")),
        ("melt/shop", text("Witten 2")),
        ("product/name", text("Billet 120 mm")),
        ("product/condition", text("as cast")),
        ("product/standard", text("Works Standard 7, revision 2")),
        ("product/shape/Diameter", number("120.3", "mm")),
        ("product/mass", number("10", "t")),
        ("chemistry/C", number("0.021", "%")),
        ("chemistry/Cr", number("17.01", "%")),
    ];
    world.publish(MILL, "Heatmark 1", &fields)
}

fn capsule(world: &World, held: &Held) -> Capsule {
    let mut capsule = world.capsule(held);
    world.prove(&world.records[0], LIMITS, &mut capsule.records[0]);
    capsule
}

impl Dock {
    /// Two billets of 1 t each, as the mill cast them.
    pub(crate) fn billets() -> Self {
        let (world, delivered) = Self::cast();
        let capsules = vec![capsule(&world, &delivered[0])];
        Self { world, capsules }
    }

    pub(crate) fn two_lots() -> Self {
        let (world, delivered) = Self::cast();
        let capsules = delivered.iter().map(|held| capsule(&world, held)).collect();
        Self { world, capsules }
    }

    fn cast() -> (World, Vec<Held>) {
        let mut world = World::new();
        let heat = certificate(&mut world);
        let billets = world.commission(heat, &[(2_000_000_000, 2), (2_000_000_000, 2)]);
        let delivered = world.transfer(ASSEMBLER, &billets);
        (world, delivered)
    }

    /// Rings of a billet; the forge describes them or does not.
    pub(crate) fn rings(described: bool) -> Self {
        let mut world = World::new();
        let heat = certificate(&mut world);
        let billets = world.commission(heat, &[(1_000_000_000, 1)]);
        let billets = world.transfer(FORGE, &billets);
        let opening = description(&world);
        let made = (FORGE, Kind::Transform);
        let rings = if described {
            let class = billets[0].lot.lot().content.class;
            let mut rings = world.lot(0, 1, class);
            let terms = Terms {
                class,
                description: opening.check().unwrap(),
                serials: None,
                expires_ms: 0,
                seal: rings.lot.lot().seal,
            };
            rings.lot = OpenLot::fresh(1_000_000_000, 4, terms, &mut rand::rng());
            world.make_of(made, &billets, vec![rings])
        } else {
            world.make(made, &billets, &[(1_000_000_000, 4)])
        };
        let delivered = world.transfer(ASSEMBLER, &rings);
        let mut capsule = capsule(&world, &delivered[0]);
        if described {
            let tree = opening.tree().unwrap();
            let shown = |at: &str| tree.show(&path(at)).unwrap().encode();
            capsule.records.push(CapsuleRecord {
                record: opening.check().unwrap().0.to_vec(),
                head: opening.head().encode(),
                fields: vec![shown("product/name"), shown("product/shape/OuterDiameter")],
                ..CapsuleRecord::default()
            });
            capsule.records.sort_by(|left, right| left.record.cmp(&right.record));
        }
        Self { world, capsules: vec![capsule] }
    }

    /// Does not tell fields of the certificate.
    pub(crate) fn leave_out(&mut self, paths: &[&str]) {
        self.capsules[0].records[0].fields.retain(|field| {
            let field = FieldProof::decode(field).unwrap();
            !paths.contains(&field.path.as_str())
        });
    }

    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let named = self.capsules.iter().zip(1..);
        named.map(|(capsule, n)| (format!("lot-{n}.capsule"), capsule.encode_to_vec())).collect()
    }

    pub(crate) fn inspect(&self, order: &str, policy: &str, readings: &str) -> Inspection {
        self.inspect_files(&self.files(), (order, policy, readings))
    }

    pub(crate) fn inspect_files(
        &self,
        files: &[(String, Vec<u8>)],
        (order, policy, readings): (&str, &str, &str),
    ) -> Inspection {
        let demands = demands(policy);
        let now = self.world.town.tip.time.0 + 1_000;
        let acceptance = demands.acceptance(UnixMillis(now), Mine::default());
        let trust = self.world.town.trust();
        let parcels: Vec<Parcel> = files
            .iter()
            .map(|(name, bytes)| Parcel::inspect(name, bytes, &trust, &acceptance))
            .collect();
        let order = (!order.is_empty()).then(|| Order::parse(order.as_bytes()).unwrap());
        let readings = match readings {
            "" => Vec::new(),
            text => Reading::parse(text.as_bytes()).unwrap(),
        };
        let (order, demands) = (order.as_ref(), &demands);
        judge(&Delivery { parcels: &parcels, order, demands, readings: &readings }, Vec::new(), now)
    }
}

pub(crate) fn demands(policy: &str) -> Demands {
    let mut load = |name: &str| match name {
        "7.toml" => Ok(LIMITS.to_owned()),
        "narrow.toml" => Ok(LIMITS.replace("0.030", "0.025")),
        _ => Err("no such file".to_owned()),
    };
    Demands::parse(policy.as_bytes(), &mut load).unwrap()
}

/// What the forge says of its rings.
fn description(world: &World) -> Opening {
    let mut fields = Fields::new();
    fields.insert(path("product/name"), text("ring 400 mm")).unwrap();
    fields.insert(path("product/shape/OuterDiameter"), number("400.1", "mm")).unwrap();
    let heading = Heading {
        network: world.network(),
        form: "Heatmark lot 1".into(),
        issuer: *world.town.id(FORGE).as_bytes(),
        alert_subject: world.records[0].opening.head().heading().alert_subject,
        origin_seal: None,
    };
    Opening::seal(heading, fields, Secret::new(bytes32("description"))).unwrap()
}
