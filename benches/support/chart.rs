//! A chart by hand: panels of lines, as SVG.

use std::fmt::Write as _;

/// Of a panel, in pixels, and what is around its axes.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 60.0;
const COLOURS: [&str; 3] = ["#1f5fa8", "#c4501b", "#6b7280"];

/// How values lie on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// From zero.
    Linear,
    Log,
}

#[derive(Clone, Debug)]
pub(crate) struct Axis {
    pub(crate) label: &'static str,
    pub(crate) scale: Scale,
}

/// Points in order, joined by a line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
    /// What is wished for, not what was measured.
    pub(crate) is_target: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) lines: Vec<Line>,
}

/// From which to which value an axis goes, and over which pixels.
struct Ruler {
    scale: Scale,
    values: (f64, f64),
    pixels: (f64, f64),
}

impl Ruler {
    fn new(scale: Scale, values: impl Iterator<Item = f64> + Clone, pixels: (f64, f64)) -> Ruler {
        let most = values.clone().fold(f64::MIN, f64::max);
        let values = match scale {
            Scale::Linear => (0.0, most * 1.1),
            Scale::Log => (values.fold(f64::MAX, f64::min) / 1.2, most * 1.2),
        };
        Ruler { scale, values, pixels }
    }

    fn at(&self, value: f64) -> f64 {
        let (first, last) = self.values;
        let part = match self.scale {
            Scale::Linear => (value - first) / (last - first),
            Scale::Log => (value / first).ln() / (last / first).ln(),
        };
        self.pixels.0 + part * (self.pixels.1 - self.pixels.0)
    }

    /// Round values: of 1, 2 and 5 times a power of ten, as many as can be read.
    fn ticks(&self) -> Vec<f64> {
        let (first, last) = self.values;
        match self.scale {
            Scale::Linear => {
                let rough = last / 5.0;
                let power = 10_f64.powf(rough.log10().floor());
                let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * power);
                let step = step.into_iter().find(|step| *step >= rough).unwrap_or(rough);
                (0..=5).map(|number| f64::from(number) * step).filter(|tick| *tick <= last).collect()
            }
            Scale::Log => {
                let is_wide = last / first > 50.0;
                let times: &[f64] = if is_wide { &[1.0] } else { &[1.0, 2.0, 5.0] };
                let powers = first.log10().floor() as i32..=last.log10().ceil() as i32;
                let all = powers.flat_map(|power| times.iter().map(move |times| times * 10_f64.powi(power)));
                all.filter(|tick| (first..=last).contains(tick)).collect()
            }
        }
    }
}

/// As people read numbers: 0.5, 2,000, 10,000, 4 M.
fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{} M", (value / 1e5).round() / 10.0),
        value if value >= 1e3 => format!("{:.0},{:03.0}", (value / 1e3).floor(), value % 1e3),
        value => format!("{}", (value * 100.0).round() / 100.0),
    }
}

/// Panels, two in a row.
pub(crate) fn svg(title: &str, panels: &[Panel]) -> String {
    let height = 40.0 + HEIGHT * panels.len().div_ceil(2) as f64;
    let mut out = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{0}' height='{height}' viewBox='0 0 {0} {height}' \
         font-family='sans-serif' font-size='12' fill='#1b1f24'>\n<rect width='100%' height='100%' fill='white'/>\n\
         <text x='20' y='28' font-size='16'>{title}</text>\n",
        2.0 * WIDTH
    );
    for (number, panel) in panels.iter().enumerate() {
        let (x, y) = ((number % 2) as f64 * WIDTH, 40.0 + (number / 2) as f64 * HEIGHT);
        let _ = writeln!(out, "<g transform='translate({x} {y})'>");
        draw(panel, &mut out);
        out.push_str("</g>\n");
    }
    out + "</svg>\n"
}

fn draw(panel: &Panel, out: &mut String) {
    let points = || panel.lines.iter().flat_map(|line| line.points.iter());
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let x = Ruler::new(panel.x.scale, points().map(|point| point.0), (LEFT, right));
    let y = Ruler::new(panel.y.scale, points().map(|point| point.1), (bottom, TOP));
    let _ = writeln!(out, "<text x='{LEFT}' y='20' font-size='14' font-weight='bold'>{}</text>", panel.title);
    for tick in y.ticks() {
        let (at, text) = (y.at(tick), short(tick));
        let _ = writeln!(
            out,
            "<path d='M{LEFT} {at:.1}H{right}' stroke='#e3e6ea'/><text x='{:.1}' y='{:.1}' text-anchor='end'>{text}</text>",
            LEFT - 8.0,
            at + 4.0
        );
    }
    for tick in x.ticks() {
        let (at, text) = (x.at(tick), short(tick));
        let _ = writeln!(
            out,
            "<path d='M{at:.1} {bottom}v5' stroke='#1b1f24'/><text x='{at:.1}' y='{:.1}' text-anchor='middle'>{text}</text>",
            bottom + 19.0
        );
    }
    let (middle_x, middle_y) = ((LEFT + right) / 2.0, (TOP + bottom) / 2.0);
    let _ = writeln!(
        out,
        "<path d='M{LEFT} {TOP}V{bottom}H{right}' fill='none' stroke='#1b1f24'/>\n\
         <text x='{middle_x}' y='{}' text-anchor='middle'>{}</text>\n\
         <text transform='translate(18 {middle_y}) rotate(-90)' text-anchor='middle'>{}</text>",
        HEIGHT - 18.0,
        panel.x.label,
        panel.y.label
    );
    let mut legend_x = LEFT;
    for (line, colour) in panel.lines.iter().zip(COLOURS.iter().cycle()) {
        let dashes = if line.is_target { " stroke-dasharray='6 5'" } else { "" };
        let path: Vec<String> =
            line.points.iter().map(|point| format!("{:.1} {:.1}", x.at(point.0), y.at(point.1))).collect();
        let path = path.join("L");
        let _ = writeln!(out, "<path d='M{path}' fill='none' stroke='{colour}' stroke-width='2'{dashes}/>");
        for point in line.points.iter().filter(|_| !line.is_target) {
            let _ = writeln!(
                out,
                "<circle cx='{:.1}' cy='{:.1}' r='4' fill='{colour}'/>",
                x.at(point.0),
                y.at(point.1)
            );
        }
        let _ = writeln!(
            out,
            "<path d='M{legend_x} 38h22' stroke='{colour}' stroke-width='2'{dashes}/><text x='{}' y='42'>{}</text>",
            legend_x + 28.0,
            line.name
        );
        legend_x += 44.0 + 6.4 * line.name.len() as f64;
    }
}
