//! Figures for the examples: panels with named axes, written as SVG and PNG.
//!
//! A figure is data (panels, marks, axes); the drawing is here. Colours are those of Okabe and Ito, which colour-blind
//! readers can tell apart. Text may carry subscripts, `w_{EE}`.
#![allow(dead_code)]

mod axes;
mod text;

use std::error::Error;
use std::ops::Range;
use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::prelude::*;

pub const BLACK: RGBColor = RGBColor(0, 0, 0);
pub const GREY: RGBColor = RGBColor(120, 120, 120);
pub const ORANGE: RGBColor = RGBColor(230, 159, 0);
pub const SKY: RGBColor = RGBColor(86, 180, 233);
pub const GREEN: RGBColor = RGBColor(0, 158, 115);
pub const YELLOW: RGBColor = RGBColor(240, 228, 66);
pub const BLUE: RGBColor = RGBColor(0, 114, 178);
pub const RED: RGBColor = RGBColor(213, 94, 0);
pub const PURPLE: RGBColor = RGBColor(204, 121, 167);

/// Everything is drawn this many times too large, so that the picture can be smoothed when it is made smaller.
const SCALE: i32 = 3;
/// Pixels of the drawing per pixel of the PNG, in each direction.
const SHRINK: u32 = 2;

pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A figure of one or more panels side by side, with one legend below.
pub struct Figure {
    name: String,
    size: (u32, u32),
    panels: Vec<Panel>,
}

/// One set of axes.
#[derive(Clone)]
pub struct Panel {
    title: String,
    x: Axis,
    y: Axis,
    marks: Vec<Mark>,
}

/// A named axis with its unit in the name.
#[derive(Clone)]
pub struct Axis {
    label: String,
    range: Range<f64>,
    decades: bool,
    /// The names that stand in place of numbers, one a unit.
    names: Option<Vec<String>>,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Dash {
    Solid,
    Dashed,
    Dotted,
}

#[derive(Clone)]
enum Mark {
    Line { points: Vec<[f64; 2]>, color: RGBColor, width: u32, dash: Dash, label: String },
    Dots { points: Vec<[f64; 2]>, color: RGBColor, radius: i32, filled: bool, label: String },
    Area { corners: [[f64; 2]; 2], color: RGBColor, label: String },
    Note { at: [f64; 2], text: String, color: RGBColor },
    Arrow { from: [f64; 2], to: [f64; 2], color: RGBColor },
}

impl Figure {
    /// A figure of `width` x `height` points, to be written as `name.svg` and `name.png`.
    pub fn new(name: &str, width: u32, height: u32) -> Self {
        Self { name: name.into(), size: (width, height), panels: Vec::new() }
    }

    pub fn panel(mut self, panel: Panel) -> Self {
        self.panels.push(panel);
        self
    }

    /// Writes both files into the folder named by the first command-line argument, `docs/figures` if there is none.
    pub fn save(&self) -> Outcome<PathBuf> {
        let folder = std::env::args()
            .nth(1)
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/figures"), PathBuf::from);
        self.save_in(&folder)
    }

    /// Writes both files into a folder, which is made if it does not exist; returns the path of the PNG.
    pub fn save_in(&self, folder: &Path) -> Outcome<PathBuf> {
        std::fs::create_dir_all(folder)?;
        text::register_font()?;
        let (width, height) = (self.size.0 * SCALE as u32, self.size.1 * SCALE as u32);

        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
            self.draw(&root)?;
            root.present()?;
        }
        let svg = svg
            .replacen(&format!("width=\"{width}\""), &format!("width=\"{}\"", self.size.0), 1)
            .replacen(&format!("height=\"{height}\""), &format!("height=\"{}\"", self.size.1), 1)
            .replace("font-family=\"sans-serif\"", "font-family=\"DejaVu Sans, Verdana, sans-serif\"");
        std::fs::write(folder.join(format!("{}.svg", self.name)), svg)?;

        let mut pixels = vec![255; (width * height * 3) as usize];
        {
            let root = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
            self.draw(&root)?;
            root.present()?;
        }
        let path = folder.join(format!("{}.png", self.name));
        write_png(&path, &pixels, width, height)?;
        Ok(path)
    }

    fn draw<DB: DrawingBackend>(&self, root: &DrawingArea<DB, Shift>) -> Outcome
    where
        DB::ErrorType: 'static,
    {
        root.fill(&WHITE)?;
        let entries = self.legend();
        let rows = axes::legend_rows(root, &entries)?;
        let (_, height) = root.dim_in_pixel();
        let legend_height = if entries.is_empty() { 0 } else { rows.len() as i32 * 26 + 10 };
        let (above, below) = root.split_vertically(height as i32 - legend_height * SCALE);
        for (panel, area) in self.panels.iter().zip(above.split_evenly((1, self.panels.len()))) {
            axes::draw_panel(panel, &area)?;
        }
        axes::draw_legend(&below, &rows)
    }

    /// Every label once, with the mark that stands for it.
    fn legend(&self) -> Vec<&Mark> {
        let mut entries: Vec<&Mark> = Vec::new();
        for mark in self.panels.iter().flat_map(|panel| &panel.marks) {
            if !mark.label().is_empty() && entries.iter().all(|known| known.label() != mark.label()) {
                entries.push(mark);
            }
        }
        entries
    }
}

impl Panel {
    pub fn new(title: &str, x: Axis, y: Axis) -> Self {
        Self { title: title.into(), x, y, marks: Vec::new() }
    }

    pub fn line(self, points: Vec<[f64; 2]>, color: RGBColor, label: &str) -> Self {
        self.styled(points, color, 2, Dash::Solid, label)
    }

    pub fn styled(mut self, points: Vec<[f64; 2]>, color: RGBColor, width: u32, dash: Dash, label: &str) -> Self {
        self.marks.push(Mark::Line { points, color, width, dash, label: label.into() });
        self
    }

    pub fn dots(mut self, points: Vec<[f64; 2]>, color: RGBColor, radius: i32, filled: bool, label: &str) -> Self {
        self.marks.push(Mark::Dots { points, color, radius, filled, label: label.into() });
        self
    }

    /// A filled rectangle between two corners; `strength` 0 is white, 1 the full colour. Not transparent, so that neighbours
    /// may overlap by a pixel without a seam.
    pub fn area(mut self, corners: [[f64; 2]; 2], color: RGBColor, strength: f64, label: &str) -> Self {
        let blend = |channel: u8| (255.0 - strength * (255.0 - f64::from(channel))).round() as u8;
        let color = RGBColor(blend(color.0), blend(color.1), blend(color.2));
        self.marks.push(Mark::Area { corners, color, label: label.into() });
        self
    }

    /// A triangle that points the way, this part of the way along a curve.
    pub fn direction(self, curve: &[[f64; 2]], part: f64, color: RGBColor) -> Self {
        let i = ((curve.len() - 1) as f64 * part) as usize;
        match (curve.get(i), curve.get(i + 1)) {
            (Some(from), Some(to)) => self.arrow(*from, *to, color),
            _ => self,
        }
    }

    /// Text that begins at a point.
    pub fn note(mut self, at: [f64; 2], text: &str, color: RGBColor) -> Self {
        self.marks.push(Mark::Note { at, text: text.into(), color });
        self
    }

    pub fn arrow(mut self, from: [f64; 2], to: [f64; 2], color: RGBColor) -> Self {
        self.marks.push(Mark::Arrow { from, to, color });
        self
    }
}

impl Axis {
    pub fn new(label: &str, range: Range<f64>) -> Self {
        Self { label: label.into(), range, decades: false, names: None }
    }

    /// A logarithmic axis: coordinates are decimal logarithms, tick labels powers of ten.
    pub fn decades(label: &str, range: Range<f64>) -> Self {
        Self { label: label.into(), range, decades: true, names: None }
    }

    /// Categories: the `k`-th fills the coordinates from `k` to `k + 1`.
    pub fn categories(label: &str, names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        Self { label: label.into(), range: 0.0..names.len() as f64, decades: false, names: Some(names) }
    }
}

impl Mark {
    fn label(&self) -> &str {
        match self {
            Mark::Line { label, .. } | Mark::Dots { label, .. } | Mark::Area { label, .. } => label,
            Mark::Note { .. } | Mark::Arrow { .. } => "",
        }
    }
}

/// Averages squares of pixels and writes what is left.
fn write_png(path: &Path, pixels: &[u8], width: u32, height: u32) -> Outcome {
    use image::codecs::png::{CompressionType, FilterType, PngEncoder};
    use image::{ColorType, ImageEncoder};

    let (w, h, n) = ((width / SHRINK) as usize, (height / SHRINK) as usize, SHRINK as usize);
    let mut small = Vec::with_capacity(w * h * 3);
    for y in 0..h {
        for x in 0..w {
            for channel in 0..3 {
                let sum: u32 = (0..n * n)
                    .map(|i| u32::from(pixels[((y * n + i / n) * width as usize + x * n + i % n) * 3 + channel]))
                    .sum();
                small.push((sum / (n * n) as u32) as u8);
            }
        }
    }
    let file = std::io::BufWriter::new(std::fs::File::create(path)?);
    PngEncoder::new_with_quality(file, CompressionType::Best, FilterType::Adaptive).write_image(
        &small,
        w as u32,
        h as u32,
        ColorType::Rgb8,
    )?;
    Ok(())
}
