//! Packs items into batches that weigh the same.
//!
//! Some batches are open at a time. An item goes into the heaviest open batch that has room for it, by weight, by bytes of
//! its line and by number; if none has, a new batch is opened, and the heaviest open one is closed when there are too many.
//! So no batch is heavier than the limit unless a single item is, no two open batches are at most half full, and what is
//! held in memory is bounded by the number of open batches, however many items come.
//!
//! A range of an object that can be cut is an item of its own: [`cuts`] divides it evenly.

/// What a batch may hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PackLimits {
    /// Most weight, in whatever unit; a heavier item is alone in its batch.
    pub weight: f64,
    /// Most bytes of the items of a batch, with a comma between each two.
    pub bytes: usize,
    /// Most items.
    pub items: usize,
    /// Most open batches.
    pub open: usize,
}

/// A batch that is complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Closed {
    /// Its items, with commas between them.
    pub text: String,
    /// How many.
    pub items: usize,
    /// Their weight.
    pub weight: f64,
}

impl Closed {
    fn has_room(&self, limits: &PackLimits, bytes: usize, weight: f64) -> bool {
        self.weight + weight <= limits.weight
            && self.text.len() + 1 + bytes <= limits.bytes
            && self.items < limits.items
    }
}

/// Packs items in the order in which they come.
#[derive(Debug)]
pub struct Packer {
    limits: PackLimits,
    open: Vec<Closed>,
}

impl Packer {
    /// Nothing is packed yet.
    #[must_use]
    pub fn new(limits: PackLimits) -> Self {
        let limits = PackLimits { items: limits.items.max(1), open: limits.open.max(1), ..limits };
        Self { limits, open: Vec::new() }
    }

    /// Takes an item, and gives a batch back if one had to be closed for it.
    pub fn add(&mut self, item: &str, weight: f64) -> Option<Closed> {
        let limits = self.limits;
        let fitting = self.open.iter_mut().filter(|batch| batch.has_room(&limits, item.len(), weight));
        if let Some(batch) = fitting.max_by(|one, other| one.weight.total_cmp(&other.weight)) {
            batch.text.push(',');
            batch.text.push_str(item);
            batch.items += 1;
            batch.weight += weight;
            return None;
        }
        let closed = if self.open.len() == limits.open { self.close_heaviest() } else { None };
        self.open.push(Closed { text: item.to_owned(), items: 1, weight });
        closed
    }

    /// Gives back what is still open, one after another, in the order in which it was opened.
    pub fn finish(&mut self) -> impl Iterator<Item = Closed> + use<> {
        std::mem::take(&mut self.open).into_iter()
    }

    fn close_heaviest(&mut self) -> Option<Closed> {
        let weights = self.open.iter().enumerate().map(|(index, batch)| (index, batch.weight));
        let heaviest = weights.max_by(|one, other| one.1.total_cmp(&other.1)).map(|(index, _)| index);
        heaviest.map(|index| self.open.remove(index))
    }
}

/// Cuts `size` bytes into as few even ranges of at most `longest` bytes as possible: the first byte of each and one past
/// its last. Ranges of nothing are not made; a `longest` of zero counts as one.
pub fn cuts(size: u64, longest: u64) -> impl Iterator<Item = (u64, u64)> {
    let parts = size.div_ceil(longest.max(1)).max(1);
    let cut = move |part: u64| u64::try_from(u128::from(size) * u128::from(part) / u128::from(parts)).unwrap_or(size);
    (0..parts).map(move |part| (cut(part), cut(part + 1))).filter(|(start, end)| start < end)
}
