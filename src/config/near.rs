//! Which known word was probably meant.

/// Letters that two words have at least in common where one begins like the other.
const LEAST_BEGUN: usize = 4;

/// The word of `known` that is nearest to `word`, if one is near enough to be a slip of the hand.
///
/// Letter case and the choice between `-` and `_` count for nothing.
pub(super) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |text: &str| -> Vec<char> {
        text.chars().map(|letter| if letter == '-' { '_' } else { letter.to_ascii_lowercase() }).collect()
    };
    let word = plain(word);
    let far_enough = (word.len() / 3).clamp(1, 3);
    known
        .into_iter()
        .filter_map(|candidate| {
            let letters = plain(candidate);
            // One that goes on, or was cut short: "warning", "protect".
            let begun = letters.len().min(word.len()) >= LEAST_BEGUN
                && (word.starts_with(&letters) || letters.starts_with(&word));
            let far = distance(&word, &letters, far_enough).or(begun.then_some(usize::MAX))?;
            Some((far, candidate))
        })
        .min_by_key(|(far, _)| *far)
        .map(|(_, candidate)| candidate)
}

/// An advice line for the nearest word, or for all of them where none is near.
pub(super) fn suggestion<'k>(word: &str, known: impl IntoIterator<Item = &'k str> + Clone, what: &str) -> String {
    if let Some(near) = nearest(word, known.clone()) {
        return format!("did you mean {near:?}?");
    }
    let known: Vec<&str> = known.into_iter().collect();
    if known.is_empty() { format!("there are no {what}") } else { format!("{what}: {}", known.join(", ")) }
}

/// How many letters to add, drop, change or swap with their neighbour; `None` above `most`.
pub(super) fn distance(left: &[char], right: &[char], most: usize) -> Option<usize> {
    if left.len().abs_diff(right.len()) > most {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, letter) in left.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, other) in right.iter().enumerate() {
            let cell = |line: &[usize], at: usize| line.get(at).copied().unwrap_or(usize::MAX - 1);
            let changed = cell(&last, column) + usize::from(letter != other);
            let mut least = changed.min(cell(&last, column + 1) + 1).min(cell(&next, column) + 1);
            let swapped =
                row > 0 && column > 0 && left.get(row - 1) == Some(other) && right.get(column - 1) == Some(letter);
            if swapped {
                least = least.min(cell(&before, column - 1) + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut last, next);
    }
    last.last().copied().filter(|far| *far <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_other_words_are_not() {
        let known = ["listen", "upstream", "unmatched", "workers", "header_size", "hotwax-production"];
        for (word, expected) in [
            ("lisen", Some("listen")),
            ("lsiten", Some("listen")),
            ("Listen", Some("listen")),
            ("header-size", Some("header_size")),
            ("headersize", Some("header_size")),
            ("unmached", Some("unmatched")),
            ("hotwax_prodction", Some("hotwax-production")),
            ("unmatch", Some("unmatched")),
            ("listen_at", Some("listen")),
            ("up", None),
            ("port", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }
}
