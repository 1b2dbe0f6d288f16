//! Texts that a server has a part in, as a terminal may show them.

/// The text without what moves a terminal's cursor, changes its colors or its title, or turns the direction of text; line
/// breaks and tabs stay.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|character| if is_harmful(character) { char::REPLACEMENT_CHARACTER } else { character })
        .collect()
}

fn is_harmful(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => true,
        _ => character.is_control(),
    }
}
