//! What is different between two texts, line by line.

/// Beyond so many pairs of lines, what differs is told as a whole: gone, and new.
const MOST_PAIRS: usize = 4_000_000;
/// How many lines around a difference are told.
const AROUND: usize = 2;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Both,
    Old,
    New,
}

/// Lines with `-` are gone, lines with `+` are new; what is the same is told around them only. Nothing where nothing differs.
pub(super) fn line_diff(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let begin = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let (same, old_rest) = old.split_at(begin);
    let (_, new_rest) = new.split_at(begin);
    let end = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(old, new)| old == new).count();
    let (old_middle, same_end) = old_rest.split_at(old_rest.len() - end);
    let (new_middle, _) = new_rest.split_at(new_rest.len() - end);
    let mut lines: Vec<(Side, &str)> = same.iter().map(|line| (Side::Both, *line)).collect();
    middle(old_middle, new_middle, &mut lines);
    lines.extend(same_end.iter().map(|line| (Side::Both, *line)));
    shown(&lines)
}

/// How many lines the rests of both texts have in common, from each pair of places on.
struct Common {
    width: usize,
    counts: Vec<u32>,
}

impl Common {
    fn of(old: &[&str], new: &[&str]) -> Self {
        let width = new.len() + 1;
        let mut common = Self { width, counts: vec![0; (old.len() + 1) * width] };
        for (row, old) in old.iter().enumerate().rev() {
            for (column, new) in new.iter().enumerate().rev() {
                let count = if old == new {
                    common.at(row + 1, column + 1) + 1
                } else {
                    common.at(row + 1, column).max(common.at(row, column + 1))
                };
                if let Some(place) = common.counts.get_mut(row * width + column) {
                    *place = count;
                }
            }
        }
        common
    }

    fn at(&self, row: usize, column: usize) -> u32 {
        self.counts.get(row * self.width + column).copied().unwrap_or_default()
    }
}

fn middle<'t>(old: &[&'t str], new: &[&'t str], lines: &mut Vec<(Side, &'t str)>) {
    if old.len().saturating_mul(new.len()) > MOST_PAIRS {
        lines.extend(old.iter().map(|line| (Side::Old, *line)));
        lines.extend(new.iter().map(|line| (Side::New, *line)));
        return;
    }
    let common = Common::of(old, new);
    let (mut row, mut column) = (0, 0);
    loop {
        match (old.get(row), new.get(column)) {
            (None, None) => return,
            (Some(line), Some(other)) if line == other => {
                lines.push((Side::Both, *line));
                (row, column) = (row + 1, column + 1);
            }
            (Some(line), other) if other.is_none() || common.at(row + 1, column) >= common.at(row, column + 1) => {
                lines.push((Side::Old, *line));
                row += 1;
            }
            (_, Some(line)) => {
                lines.push((Side::New, *line));
                column += 1;
            }
            (Some(_), None) => return,
        }
    }
}

fn shown(lines: &[(Side, &str)]) -> String {
    let differs = |place: usize| lines.get(place).is_some_and(|(side, _)| *side != Side::Both);
    let is_near = |place: usize| (place.saturating_sub(AROUND)..=place + AROUND).any(differs);
    let (mut text, mut last) = (String::new(), None);
    for (place, (side, line)) in lines.iter().enumerate().filter(|(place, _)| is_near(*place)) {
        if last.is_some_and(|last| last + 1 < place) {
            text.push_str("…\n");
        }
        last = Some(place);
        let mark = match side {
            Side::Both => ' ',
            Side::Old => '-',
            Side::New => '+',
        };
        text.push_str(&format!("{mark} {line}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_with_what_is_around_it() {
        assert_eq!(line_diff("a\nb\nc", "a\nb\nc"), "");
        assert_eq!(line_diff("a\nb\nc\nd\ne", "a\nx\nc\nd\ne"), "  a\n- b\n+ x\n  c\n  d\n");
        assert_eq!(line_diff("", "one"), "+ one\n");
        assert_eq!(
            line_diff("1\n2\n3\n4\n5\n6\n7\n8", "0\n2\n3\n4\n5\n6\n7\n9"),
            "- 1\n+ 0\n  2\n  3\n…\n  6\n  7\n- 8\n+ 9\n"
        );
        let (old, new) = ("a\n".repeat(3_000), "b\n".repeat(3_000));
        assert_eq!(line_diff(&old, &new).lines().count(), 6_000);
    }
}
