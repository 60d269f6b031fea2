//! Linear formulas over properties, such as `C + Mn/6 + (Cr+Mo+V)/5`: read into one exact ratio a property and one
//! constant. A word names an element (`chemistry/<word>`), braces any path (`{mechanical/Rm}`). Refuses products and
//! quotients of properties, numbers without end, and formulas that are too long or too deep.

use std::collections::BTreeMap;

use crate::{Decimal, Path};

const MAX_FORMULA_BYTES: usize = 1_024;
const MAX_TERMS: usize = 32;
const MAX_DEPTH: usize = 8;
/// Numerators and denominators stay below this, so that nothing overflows later.
const MAX_PART: i128 = 1_000_000_000_000;

/// An exact fraction in lowest terms, its denominator positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    numerator: i128,
    denominator: i128,
}

impl Ratio {
    /// One.
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };
    const ZERO: Self = Self { numerator: 0, denominator: 1 };

    /// What stands above the line.
    #[must_use]
    pub const fn numerator(&self) -> i128 {
        self.numerator
    }

    /// What stands below the line, above 0.
    #[must_use]
    pub const fn denominator(&self) -> i128 {
        self.denominator
    }

    fn new(numerator: i128, denominator: i128) -> Option<Self> {
        let divisor = greatest_common_divisor(numerator, denominator);
        let sign = denominator.signum();
        let numerator = numerator.checked_div(divisor)?.checked_mul(sign)?;
        let denominator = denominator.checked_div(divisor)?.checked_mul(sign)?;
        let bounded = numerator.checked_abs()? < MAX_PART && denominator < MAX_PART;
        (bounded && denominator > 0).then_some(Self { numerator, denominator })
    }

    fn of(number: &Decimal) -> Option<Self> {
        let denominator = 10_i128.checked_pow(number.scale().into())?;
        Self::new(number.mantissa(), denominator)
    }

    fn plus(self, other: Self) -> Option<Self> {
        let left = self.numerator.checked_mul(other.denominator)?;
        let right = other.numerator.checked_mul(self.denominator)?;
        let below = self.denominator.checked_mul(other.denominator)?;
        Self::new(left.checked_add(right)?, below)
    }

    fn times(self, other: Self) -> Option<Self> {
        let above = self.numerator.checked_mul(other.numerator)?;
        Self::new(above, self.denominator.checked_mul(other.denominator)?)
    }

    fn inverse(self) -> Option<Self> {
        Self::new(self.denominator, self.numerator)
    }
}

/// The greatest common divisor, never 0.
pub(crate) fn greatest_common_divisor(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.saturating_abs(), b.saturating_abs());
    while b != 0 {
        (a, b) = (b, a.checked_rem(b).unwrap_or(0));
    }
    a.max(1)
}

/// A sum of properties, each times a ratio, and a constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combination {
    terms: BTreeMap<Path, Ratio>,
    constant: Ratio,
}

impl Combination {
    /// One property as it stands.
    #[must_use]
    pub fn single(path: Path) -> Self {
        Self { terms: BTreeMap::from([(path, Ratio::ONE)]), constant: Ratio::ZERO }
    }

    /// One property less another; none when they are the same.
    pub(crate) fn difference(path: Path, less: Path) -> Option<Self> {
        let minus_one = Ratio { numerator: -1, denominator: 1 };
        let terms = BTreeMap::from([(path, Ratio::ONE), (less, minus_one)]);
        (terms.len() == 2).then_some(Self { terms, constant: Ratio::ZERO })
    }

    /// Reads a formula.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_FORMULA_BYTES {
            return None;
        }
        let mut parser = Parser { rest: text.trim_start(), depth: 0 };
        let mut sum = parser.sum()?;
        if !parser.rest.is_empty() {
            return None;
        }
        sum.terms.retain(|_, ratio| ratio.numerator != 0);
        (!sum.terms.is_empty() && sum.terms.len() <= MAX_TERMS).then_some(sum)
    }

    /// The properties and their ratios, ascending by path.
    pub fn terms(&self) -> impl ExactSizeIterator<Item = (&Path, &Ratio)> {
        self.terms.iter()
    }

    /// The constant.
    #[must_use]
    pub const fn constant(&self) -> &Ratio {
        &self.constant
    }

    /// The properties, ascending.
    pub fn paths(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.terms.keys()
    }

    fn number(ratio: Ratio) -> Self {
        Self { terms: BTreeMap::new(), constant: ratio }
    }

    fn plus(mut self, other: Self) -> Option<Self> {
        for (path, ratio) in other.terms {
            let sum = self.terms.get(&path).copied().unwrap_or(Ratio::ZERO).plus(ratio)?;
            self.terms.insert(path, sum);
        }
        self.constant = self.constant.plus(other.constant)?;
        Some(self)
    }

    fn times(mut self, factor: Ratio) -> Option<Self> {
        for ratio in self.terms.values_mut() {
            *ratio = ratio.times(factor)?;
        }
        self.constant = self.constant.times(factor)?;
        Some(self)
    }

    fn as_number(&self) -> Option<Ratio> {
        self.terms.is_empty().then_some(self.constant)
    }
}

/// Reads a formula from its front.
struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn takes(&mut self, sign: char) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    /// As far as `belongs` says, which is at least a byte.
    fn word(&mut self, belongs: impl Fn(char) -> bool) -> Option<String> {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.trim_start();
        (!word.is_empty()).then(|| word.to_owned())
    }

    fn sum(&mut self) -> Option<Combination> {
        let negative = self.takes('-');
        let mut sum = self.product()?;
        if negative {
            sum = sum.times(Ratio::new(-1, 1)?)?;
        }
        loop {
            if self.takes('+') {
                sum = sum.plus(self.product()?)?;
            } else if self.takes('-') {
                sum = sum.plus(self.product()?.times(Ratio::new(-1, 1)?)?)?;
            } else {
                return Some(sum);
            }
        }
    }

    fn product(&mut self) -> Option<Combination> {
        let mut product = self.factor()?;
        loop {
            if self.takes('*') {
                let factor = self.factor()?;
                product = match (product.as_number(), factor.as_number()) {
                    (_, Some(ratio)) => product.times(ratio)?,
                    (Some(ratio), None) => factor.times(ratio)?,
                    (None, None) => return None,
                };
            } else if self.takes('/') {
                product = product.times(self.factor()?.as_number()?.inverse()?)?;
            } else {
                return Some(product);
            }
        }
    }

    fn factor(&mut self) -> Option<Combination> {
        if self.takes('(') {
            self.depth = self.depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH)?;
            let inner = self.sum()?;
            self.depth = self.depth.saturating_sub(1);
            return self.takes(')').then_some(inner);
        }
        if self.takes('{') {
            let path = self.word(|c| c != '}')?;
            return self.takes('}').then_some(Combination::single(Path::new(path.trim()).ok()?));
        }
        if self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            let digits = self.word(|c| c.is_ascii_digit() || c == '.')?;
            return Some(Combination::number(Ratio::of(&Decimal::parse(&digits).ok()?)?));
        }
        let symbol = self.word(|c| c.is_ascii_alphanumeric())?;
        Some(Combination::single(Path::new(&format!("chemistry/{symbol}")).ok()?))
    }
}
