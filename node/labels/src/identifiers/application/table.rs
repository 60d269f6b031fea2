//! The table itself: every application identifier once, in the order of its digits.

use super::{Application, Part, n, n_to, x, x_to, y_to, z_to, zero};
use crate::identifiers::{Means, Written};

/// What identifies an article.
const ITEM: &[&str] = &["01", "02", "03", "8006", "8026"];
/// What identifies a package.
const PACKAGE: &[&str] = &["00"];

const fn row(identifier: &'static str, parts: &'static [Part], title: &'static str) -> Application {
    rows([identifier, identifier], parts, title)
}

const fn rows(
    range: [&'static str; 2],
    parts: &'static [Part],
    title: &'static str,
) -> Application {
    let [first, last] = range;
    Application { first, last, parts, title, means: Means::Other, needs: &[], common: false }
}

impl Application {
    const fn with(mut self, needs: &'static [&'static str]) -> Self {
        self.needs = needs;
        self
    }

    const fn means(mut self, means: Means) -> Self {
        self.means = means;
        self
    }

    const fn common(mut self) -> Self {
        self.common = true;
        self
    }
}

pub(super) static TABLE: &[Application] = &[
    row("00", &[n(18).check()], "package (SSCC)").means(Means::Package).common(),
    row("01", &[n(14).check()], "article (GTIN)").means(Means::Gtin).common(),
    row("02", &[n(14).check()], "contained article (GTIN)")
        .with(&["37"])
        .means(Means::Gtin)
        .common(),
    row("03", &[n(14).check()], "article made to order (GTIN)").means(Means::Gtin),
    row("10", &[x_to(20)], "lot").with(ITEM).means(Means::Lot).common(),
    row("11", &[n(6).day()], "produced").with(ITEM).means(Means::Produced(Written::Six)).common(),
    row("12", &[n(6).day()], "payment due").with(&["8020"]),
    row("13", &[n(6).day()], "packed").with(ITEM).means(Means::Packed(Written::Six)).common(),
    row("15", &[n(6).day()], "best before")
        .with(ITEM)
        .means(Means::BestBefore(Written::Six))
        .common(),
    row("16", &[n(6).day()], "sell by").with(ITEM).means(Means::SellBy(Written::Six)),
    row("17", &[n(6).day()], "expiry").with(ITEM).means(Means::Expires(Written::Six)).common(),
    row("20", &[n(2)], "variant").with(ITEM),
    row("21", &[x_to(20)], "serial").with(&["01", "03", "8006"]).means(Means::Serial).common(),
    row("22", &[x_to(20)], "consumer variant").with(&["01"]),
    row("235", &[x_to(28)], "serial of a third party").with(&["01"]),
    row("240", &[x_to(30)], "further number of the article").with(ITEM).means(Means::Part).common(),
    row("241", &[x_to(30)], "part number of the customer")
        .with(ITEM)
        .means(Means::CustomerPart)
        .common(),
    row("242", &[n_to(6)], "made-to-order variant").with(ITEM),
    row("243", &[x_to(20)], "packaging component").with(&["01"]),
    row("250", &[x_to(30)], "second serial").with(&["21"]),
    row("251", &[x_to(30)], "source").with(&["01", "8006"]),
    row("253", &[n(13).check(), x_to(17).optional()], "document (GDTI)"),
    row("254", &[x_to(20)], "place within a location").with(&["414"]),
    row("255", &[n(13).check(), n_to(12).optional()], "coupon (GCN)"),
    row("30", &[n_to(8)], "count of a variable article").with(&["01", "02"]).means(Means::Pieces),
    rows(["3100", "3105"], &[n(6)], "net weight (kg)")
        .with(&["01", "02"])
        .means(Means::Kilograms)
        .common(),
    rows(["3110", "3115"], &[n(6)], "length (m)").with(&["01", "02"]),
    rows(["3120", "3125"], &[n(6)], "width (m)").with(&["01", "02"]),
    rows(["3130", "3135"], &[n(6)], "height (m)").with(&["01", "02"]),
    rows(["3140", "3145"], &[n(6)], "area (m2)").with(&["01", "02"]),
    rows(["3150", "3155"], &[n(6)], "net volume (l)").with(&["01", "02"]),
    rows(["3160", "3165"], &[n(6)], "net volume (m3)").with(&["01", "02"]),
    rows(["3200", "3205"], &[n(6)], "net weight (lb)")
        .with(&["01", "02"])
        .means(Means::Pounds)
        .common(),
    rows(["3210", "3215"], &[n(6)], "length (in)").with(&["01", "02"]),
    rows(["3220", "3225"], &[n(6)], "length (ft)").with(&["01", "02"]),
    rows(["3230", "3235"], &[n(6)], "length (yd)").with(&["01", "02"]),
    rows(["3240", "3245"], &[n(6)], "width (in)").with(&["01", "02"]),
    rows(["3250", "3255"], &[n(6)], "width (ft)").with(&["01", "02"]),
    rows(["3260", "3265"], &[n(6)], "width (yd)").with(&["01", "02"]),
    rows(["3270", "3275"], &[n(6)], "height (in)").with(&["01", "02"]),
    rows(["3280", "3285"], &[n(6)], "height (ft)").with(&["01", "02"]),
    rows(["3290", "3295"], &[n(6)], "height (yd)").with(&["01", "02"]),
    rows(["3300", "3305"], &[n(6)], "gross weight (kg)").with(&["00", "01"]),
    rows(["3310", "3315"], &[n(6)], "length of the package (m)").with(&["00", "01"]),
    rows(["3320", "3325"], &[n(6)], "width of the package (m)").with(&["00", "01"]),
    rows(["3330", "3335"], &[n(6)], "height of the package (m)").with(&["00", "01"]),
    rows(["3340", "3345"], &[n(6)], "area of the package (m2)").with(&["00", "01"]),
    rows(["3350", "3355"], &[n(6)], "gross volume (l)").with(&["00", "01"]),
    rows(["3360", "3365"], &[n(6)], "gross volume (m3)").with(&["00", "01"]),
    rows(["3370", "3375"], &[n(6)], "kilograms a square metre").with(&["00", "01"]),
    rows(["3400", "3405"], &[n(6)], "gross weight (lb)").with(&["00", "01"]),
    rows(["3410", "3415"], &[n(6)], "length of the package (in)").with(&["00", "01"]),
    rows(["3420", "3425"], &[n(6)], "length of the package (ft)").with(&["00", "01"]),
    rows(["3430", "3435"], &[n(6)], "length of the package (yd)").with(&["00", "01"]),
    rows(["3440", "3445"], &[n(6)], "width of the package (in)").with(&["00", "01"]),
    rows(["3450", "3455"], &[n(6)], "width of the package (ft)").with(&["00", "01"]),
    rows(["3460", "3465"], &[n(6)], "width of the package (yd)").with(&["00", "01"]),
    rows(["3470", "3475"], &[n(6)], "height of the package (in)").with(&["00", "01"]),
    rows(["3480", "3485"], &[n(6)], "height of the package (ft)").with(&["00", "01"]),
    rows(["3490", "3495"], &[n(6)], "height of the package (yd)").with(&["00", "01"]),
    rows(["3500", "3505"], &[n(6)], "area (in2)").with(&["01", "02"]),
    rows(["3510", "3515"], &[n(6)], "area (ft2)").with(&["01", "02"]),
    rows(["3520", "3525"], &[n(6)], "area (yd2)").with(&["01", "02"]),
    rows(["3530", "3535"], &[n(6)], "area of the package (in2)").with(&["00", "01"]),
    rows(["3540", "3545"], &[n(6)], "area of the package (ft2)").with(&["00", "01"]),
    rows(["3550", "3555"], &[n(6)], "area of the package (yd2)").with(&["00", "01"]),
    rows(["3560", "3565"], &[n(6)], "net weight (troy oz)").with(&["01", "02"]),
    rows(["3570", "3575"], &[n(6)], "net weight or volume (oz)").with(&["01", "02"]),
    rows(["3600", "3605"], &[n(6)], "net volume (qt)").with(&["01", "02"]),
    rows(["3610", "3615"], &[n(6)], "net volume (gal)").with(&["01", "02"]),
    rows(["3620", "3625"], &[n(6)], "gross volume (qt)").with(&["00", "01"]),
    rows(["3630", "3635"], &[n(6)], "gross volume (gal)").with(&["00", "01"]),
    rows(["3640", "3645"], &[n(6)], "net volume (in3)").with(&["01", "02"]),
    rows(["3650", "3655"], &[n(6)], "net volume (ft3)").with(&["01", "02"]),
    rows(["3660", "3665"], &[n(6)], "net volume (yd3)").with(&["01", "02"]),
    rows(["3670", "3675"], &[n(6)], "gross volume (in3)").with(&["00", "01"]),
    rows(["3680", "3685"], &[n(6)], "gross volume (ft3)").with(&["00", "01"]),
    rows(["3690", "3695"], &[n(6)], "gross volume (yd3)").with(&["00", "01"]),
    row("37", &[n_to(8)], "count of contained articles")
        .with(&["00", "02", "8026"])
        .means(Means::Pieces)
        .common(),
    rows(["3900", "3909"], &[n_to(15)], "amount due").with(&["255", "8020"]),
    rows(["3910", "3919"], &[n(3), n_to(15)], "amount due with currency").with(&["8020"]),
    rows(["3920", "3929"], &[n_to(15)], "price").with(&["01"]),
    rows(["3930", "3939"], &[n(3), n_to(15)], "price with currency").with(&["01", "02"]),
    rows(["3940", "3943"], &[n(4)], "percentage off").with(&["255"]),
    rows(["3950", "3955"], &[n(6)], "price a unit").with(&["01", "02"]),
    row("400", &[x_to(30)], "order number of the customer").means(Means::Order).common(),
    row("401", &[x_to(30)], "consignment (GINC)"),
    row("402", &[n(17).check()], "shipment (GSIN)"),
    row("403", &[x_to(30)], "route").with(PACKAGE),
    row("410", &[n(13).check()], "ship to (GLN)"),
    row("411", &[n(13).check()], "bill to (GLN)"),
    row("412", &[n(13).check()], "bought from (GLN)").means(Means::Gln),
    row("413", &[n(13).check()], "ship for (GLN)"),
    row("414", &[n(13).check()], "place (GLN)"),
    row("415", &[n(13).check()], "pay to (GLN)"),
    row("416", &[n(13).check()], "made or served at (GLN)").means(Means::Gln),
    row("417", &[n(13).check()], "party (GLN)").means(Means::Gln),
    row("420", &[x_to(20)], "ship-to postcode"),
    row("421", &[n(3), x_to(9)], "ship-to country and postcode"),
    row("422", &[n(3)], "country of origin").with(ITEM).common(),
    row("423", &[n_to(15)], "countries of first processing").with(&["01", "02"]),
    row("424", &[n(3)], "country of processing").with(&["01", "02"]),
    row("425", &[n_to(15)], "countries of disassembly").with(&["01", "02"]),
    row("426", &[n(3)], "country of all processing").with(&["01", "02"]),
    row("427", &[x_to(3)], "region of origin").with(&["422"]),
    rows(["4300", "4301"], &[x_to(35)], "ship to: company, name").with(PACKAGE),
    rows(["4302", "4306"], &[x_to(70)], "ship to: address").with(PACKAGE),
    row("4307", &[x(2)], "ship to: country").with(PACKAGE),
    row("4308", &[x_to(30)], "ship to: telephone").with(PACKAGE),
    row("4309", &[n(20)], "ship to: coordinates").with(PACKAGE),
    rows(["4310", "4311"], &[x_to(35)], "return to: company, name").with(PACKAGE),
    rows(["4312", "4316"], &[x_to(70)], "return to: address").with(PACKAGE),
    row("4317", &[x(2)], "return to: country").with(PACKAGE),
    row("4318", &[x_to(20)], "return to: postcode").with(PACKAGE),
    row("4319", &[x_to(30)], "return to: telephone").with(PACKAGE),
    row("4320", &[x_to(35)], "service").with(PACKAGE),
    rows(["4321", "4323"], &[n(1)], "dangerous goods, leave, sign").with(PACKAGE),
    rows(["4324", "4325"], &[n(6).day(), n(4).minute()], "deliver not before, not after")
        .with(PACKAGE),
    row("4326", &[n(6).day()], "release").with(PACKAGE),
    rows(["4330", "4333"], &[n(6), x(1).optional()], "temperature bound").with(PACKAGE),
    row("7001", &[n(13)], "NATO stock number").with(ITEM),
    row("7002", &[x_to(30)], "meat cut").with(&["01", "02"]),
    row("7003", &[n(6).day(), n(4).minute()], "expiry with time")
        .with(&["01", "02"])
        .means(Means::Expires(Written::SixAndTime))
        .common(),
    row("7004", &[n_to(4)], "potency").with(&["10"]),
    row("7005", &[x_to(12)], "catch area").with(&["01", "02"]),
    row("7006", &[n(6).day()], "first frozen").with(&["01", "02"]),
    row("7007", &[n(6).day(), n(6).day().optional()], "harvested").with(&["01", "02"]),
    row("7008", &[x_to(3)], "species").with(&["01", "02"]),
    row("7009", &[x_to(10)], "fishing gear").with(&["01", "02"]),
    row("7010", &[x_to(2)], "production method").with(&["01", "02"]),
    row("7011", &[n(6).day(), n(4).minute().optional()], "test by").with(&["01", "02"]),
    row("7020", &[x_to(20)], "refurbishment lot").with(&["01", "8006"]),
    row("7021", &[x_to(20)], "functional status").with(&["01", "8006"]),
    row("7022", &[x_to(20)], "revision status").with(&["7021"]),
    row("7023", &[x_to(30)], "assembly (GIAI)"),
    rows(["7030", "7039"], &[n(3), x_to(27)], "processor").with(&["01", "02"]),
    row("7040", &[n(1), x(3)], "importer and issuer"),
    row("7041", &[x_to(4)], "freight unit type").with(PACKAGE),
    rows(["710", "716"], &[x_to(20)], "national health number").with(&["01"]),
    rows(["7230", "7239"], &[x(2), x_to(28)], "certification").with(&["01", "8004"]),
    row("7240", &[x_to(20)], "protocol").with(&["01", "8006"]),
    row("7241", &[n(2)], "medium type").with(&["8017", "8018"]),
    row("7242", &[x_to(25)], "version").with(&["8017", "8018"]),
    row("7250", &[n(8)], "day of birth").with(&["8018"]),
    row("7251", &[n(12)], "time of birth").with(&["8018"]),
    row("7252", &[n(1)], "sex").with(&["8018"]),
    rows(["7253", "7254"], &[x_to(40)], "family or given name").with(&["8017", "8018"]),
    row("7255", &[x_to(10)], "suffix of a name").with(&["8017", "8018"]),
    row("7256", &[x_to(90)], "full name").with(&["8017", "8018"]),
    row("7257", &[x_to(70)], "address").with(&["8018"]),
    row("7258", &[x(3)], "birth sequence").with(&["8018"]),
    row("7259", &[x_to(40)], "name of a baby").with(&["8018"]),
    row("8001", &[n(14)], "roll dimensions").with(&["01"]),
    row("8002", &[x_to(20)], "mobile telephone"),
    row("8003", &[zero(), n(13).check(), x_to(16).optional()], "returnable asset (GRAI)"),
    row("8004", &[x_to(30)], "asset (GIAI)"),
    row("8005", &[n(6)], "price a unit").with(&["01", "02"]),
    row("8006", &[n(14).check(), n(4)], "piece of an article (ITIP)"),
    row("8007", &[x_to(34)], "bank account").with(&["415"]),
    row("8008", &[n(6).day(), n(2), n_to(4).optional()], "produced with time").with(&["01", "02"]),
    row("8009", &[x_to(50)], "sensor").with(&["00", "01"]),
    row("8010", &[y_to(30)], "component (CPID)").means(Means::PartByOther),
    row("8011", &[n_to(12)], "serial of the component").with(&["8010"]).means(Means::Serial),
    row("8012", &[x_to(20)], "software version").with(&["01", "8006"]),
    row("8013", &[x_to(25)], "model (GMN)"),
    row("8014", &[x_to(25)], "device registration").with(&["01"]),
    row("8017", &[n(18).check()], "service provider (GSRN)"),
    row("8018", &[n(18).check()], "service recipient (GSRN)"),
    row("8019", &[n_to(10)], "service instance").with(&["8017", "8018"]),
    row("8020", &[x_to(25)], "payment slip").with(&["415"]),
    row("8026", &[n(14).check(), n(4)], "contained pieces (ITIP)").with(&["37"]),
    row("8030", &[z_to(90)], "signature")
        .with(&["00", "01", "253", "255", "8003", "8004", "8006", "8010", "8017", "8018"]),
    row("8110", &[x_to(70)], "coupon"),
    row("8111", &[n(4)], "points").with(&["255"]),
    row("8112", &[x_to(70)], "coupon"),
    row("8200", &[x_to(70)], "product page").with(&["01"]),
    row("90", &[x_to(30)], "agreed between the parties"),
    rows(["91", "99"], &[x_to(90)], "internal to a company"),
];
