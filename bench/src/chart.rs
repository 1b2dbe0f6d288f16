//! Bar charts as SVG text, readable on light and on dark pages.

use std::fmt::Write;

/// A group of bars.
#[derive(Clone, Debug)]
pub struct Group {
    /// What the bars have in common.
    pub title: String,
    /// Each bar's subject, length (relative to all others of the chart), and the text at its end.
    pub bars: Vec<(String, f64, String)>,
}

/// Colours that stand out on white and on black, by place in the legend.
const COLOURS: [&str; 6] = ["#e8590c", "#4c8dd6", "#5aa469", "#9b7ede", "#8a929c", "#c2a14d"];
const WIDTH: f64 = 860.0;
const LEFT: f64 = 232.0;
const LONGEST: f64 = WIDTH - LEFT - 150.0;
const BAR: f64 = 13.0;

/// Draws groups of bars under a title; `notes` say how the figures were taken.
#[must_use]
pub fn draw(title: &str, notes: &[String], groups: &[Group]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for (name, ..) in groups.iter().flat_map(|group| &group.bars) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let longest = groups.iter().flat_map(|group| &group.bars).fold(0.0, |max, bar| f64::max(max, bar.1));
    let mut body = String::new();
    let mut y = 28.0;
    text(&mut body, 16.0, y, "title", title);
    for note in notes {
        y += 18.0;
        text(&mut body, 16.0, y, "note", note);
    }
    y += 26.0;
    let mut x = 16.0;
    for (at, name) in names.iter().enumerate() {
        rect(&mut body, x, y - 10.0, 12.0, 12.0, colour(at));
        text(&mut body, x + 17.0, y, "label", name);
        x += 30.0 + 6.3 * name.len() as f64;
    }
    y += 16.0;
    for group in groups {
        y += 10.0;
        let middle = y + BAR * group.bars.len() as f64 / 2.0 + 4.0;
        text(&mut body, LEFT - 12.0, middle, "group", &group.title);
        for (name, length, label) in &group.bars {
            let at = names.iter().position(|known| known == name).unwrap_or_default();
            let length = (length / longest * LONGEST).max(1.0);
            rect(&mut body, LEFT, y, length, BAR - 2.0, colour(at));
            text(&mut body, LEFT + length + 6.0, y + BAR - 4.0, "value", label);
            y += BAR;
        }
    }
    let height = y + 16.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\" aria-label=\"{}\">\n{STYLE}\n{body}</svg>\n",
        escaped(title)
    )
}

const STYLE: &str = "<style>\
    text { font-family: system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; font-size: 12px; fill: #24292f }\
    .title { font-size: 16px; font-weight: 600 } .note, .value { font-size: 11px } .note { fill: #57606a }\
    .group { text-anchor: end }\
    @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .note { fill: #9198a1 } }\
    </style>";

fn colour(at: usize) -> &'static str {
    COLOURS.get(at).copied().unwrap_or("#888888")
}

fn rect(out: &mut String, x: f64, y: f64, width: f64, height: f64, fill: &str) {
    let _ = writeln!(
        out,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\" fill=\"{fill}\"/>"
    );
}

fn text(out: &mut String, x: f64, y: f64, class: &str, text: &str) {
    let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{}</text>", escaped(text));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
