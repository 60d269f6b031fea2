//! Patterns over paths and names: `*` stands for any characters, `/` among them.

/// Whether a text is what a pattern says, `*` standing for any characters, `/` among them. Takes time in the product of
/// both lengths, whatever they are.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(inner) = last.replace(part) {
            // The earliest place leaves the most for what follows.
            let found: Option<(&str, &str)> = rest.split_once(inner);
            let Some((_, behind)) = found else { return false };
            rest = behind;
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_characters() {
        for (pattern, text, expected) in [
            ("heat", "heat", true),
            ("heat", "heats", false),
            ("chemistry/*", "chemistry/C", true),
            ("chemistry/*", "chemistry/C/maximum", true),
            ("chemistry/*", "chemistry", false),
            ("*/maximum", "chemistry/C/maximum", true),
            ("*a*b*a", "abba", true),
            ("*a*b*a", "aba/b", false),
            ("a*a", "a", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("**", "x", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
