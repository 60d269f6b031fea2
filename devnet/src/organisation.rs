//! Who lives in the town: companies, an escrow agent and a regulator, invented. The laboratory and the regulator hold shares of
//! deposits as well. Refuses nothing.

/// An organisation with a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    /// A short name, also that of its directory: `mill`, `mill-2`.
    pub name: String,
    /// Name under which it is registered.
    pub legal_name: String,
    /// Country of registration, two capital letters.
    pub country: &'static str,
    /// What it is to the network: names of roles as people write them.
    pub roles: &'static [&'static str],
    /// Whether it votes on blocks.
    pub validator: bool,
}

struct Part {
    name: &'static str,
    legal_name: &'static str,
    country: &'static str,
    roles: &'static [&'static str],
}

const fn part(
    name: &'static str,
    legal_name: &'static str,
    country: &'static str,
    roles: &'static [&'static str],
) -> Part {
    Part { name, legal_name, country, roles }
}

const MEMBERS: [Part; 5] = [
    part("mill", "Kesselbach Edelstahl AG", "DE", &["supplier"]),
    part("forge", "Brandvik Forge AS", "NO", &["supplier"]),
    part("assembler", "Aldermoor Turbines Ltd", "GB", &["assembler"]),
    part("lab", "Laboratoire Essais Chamonix SAS", "FR", &["lab", "escrow-agent"]),
    part("escrow-agent", "Treuhand Marbach AG", "CH", &["escrow-agent"]),
];

/// Buys rings and makes bearings of them; has no vote.
const BEARINGS: Part = part("bearing-maker", "Rodamientos Ibar SA", "ES", &["supplier"]);
const REGULATOR: Part =
    part("regulator", "Office for Material Safety", "BE", &["regulator", "escrow-agent"]);

/// The organisations of a town: so many that vote, so many that only watch. The first four that
/// vote are mill, forge, assembler and lab, the first that watch are the regulator and the bearing maker; then names
/// repeat with a number.
#[must_use]
pub fn cast(validators: usize, observers: usize) -> Vec<Organisation> {
    let mut town = numbered(&MEMBERS, validators, true);
    if validators < MEMBERS.len() {
        // The escrow agent, who got no vote, watches.
        let [.., escrow_agent] = MEMBERS;
        town.extend(numbered(&[REGULATOR, BEARINGS, escrow_agent], observers, false));
    } else {
        town.extend(numbered(&[REGULATOR], observers, false));
    }
    town
}

fn numbered(parts: &[Part], count: usize, validator: bool) -> Vec<Organisation> {
    (1_usize..=count)
        .flat_map(|round| parts.iter().map(move |part| (round, part)))
        .take(count)
        .map(|(round, part)| Organisation {
            name: numbered_name(part.name, "-", round),
            legal_name: numbered_name(part.legal_name, " ", round),
            country: part.country,
            roles: part.roles,
            validator,
        })
        .collect()
}

fn numbered_name(name: &str, gap: &str, round: usize) -> String {
    if round == 1 { name.to_owned() } else { format!("{name}{gap}{round}") }
}

#[cfg(test)]
mod tests;
