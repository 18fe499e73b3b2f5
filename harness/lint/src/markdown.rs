//! Samples in Markdown: fenced blocks of YAML or JSON.

/// The lines of each block, with the offset at which each begins in the file.
pub(crate) fn blocks(text: &str) -> Vec<Vec<(usize, &str)>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let start = offset;
        offset += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        let indent = line.len() - line.trim_start_matches(' ').len();
        let fence = fence(&line[indent..]);
        match (&mut open, fence) {
            (None, Some((mark, word))) => {
                open = Some(Block {
                    mark,
                    indent,
                    wanted: matches!(word, "yaml" | "yml" | "json"),
                    lines: Vec::new(),
                });
            }
            (Some(block), Some((mark, ""))) if mark.starts_with(block.mark) => {
                if block.wanted {
                    blocks.push(std::mem::take(&mut block.lines));
                }
                open = None;
            }
            (Some(block), _) => {
                // What stands to the left of the fence belongs to the Markdown around it.
                let cut = indent.min(block.indent);
                block.lines.push((start + cut, &line[cut..]));
            }
            (None, None) => {}
        }
    }
    blocks
}

struct Block<'t> {
    mark: &'t str,
    indent: usize,
    wanted: bool,
    lines: Vec<(usize, &'t str)>,
}

/// The mark of a fence and the first word behind it.
fn fence(line: &str) -> Option<(&str, &str)> {
    let character = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let end = line.find(|c| c != character).unwrap_or(line.len());
    let word = line[end..]
        .split([' ', '\t', '{', ','])
        .next()
        .unwrap_or_default();
    (end >= 3).then_some((&line[..end], word))
}
