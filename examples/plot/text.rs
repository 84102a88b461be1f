//! Text with subscripts.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font as register;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Outcome, SCALE};

/// Makes the font that comes with the examples known, so that no font of the machine is needed.
pub fn register_font() -> Outcome {
    let bytes = include_bytes!("font/DejaVuSans-subset.ttf");
    register("sans-serif", FontStyle::Normal, bytes).map_err(|_| "the font file is broken".into())
}

/// Pieces of `text`, each with whether it is a subscript: `w_{EE}` is `w` and, lowered, `EE`.
fn pieces(text: &str) -> Vec<(&str, bool)> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("_{") {
        let (subscript, after) = after.split_once('}').unwrap_or((after, ""));
        pieces.extend([(before, false), (subscript, true)]);
        rest = after;
    }
    pieces.push((rest, false));
    pieces.retain(|(piece, _)| !piece.is_empty());
    pieces
}

fn size_of(points: f64, subscript: bool) -> f64 {
    points * f64::from(SCALE) * if subscript { 0.74 } else { 1.0 }
}

/// Width of a text in pixels.
pub fn width<DB: DrawingBackend>(area: &DrawingArea<DB, Shift>, text: &str, points: f64) -> Outcome<i32>
where
    DB::ErrorType: 'static,
{
    let mut total = 0;
    for (piece, subscript) in pieces(text) {
        let style = TextStyle::from(("sans-serif", size_of(points, subscript)).into_font());
        total += advance(area, piece, &style)?;
    }
    Ok(total)
}

/// How far the pen moves; the space at the ends counts, which a bounding box leaves out.
fn advance<DB: DrawingBackend>(area: &DrawingArea<DB, Shift>, piece: &str, style: &TextStyle) -> Outcome<i32>
where
    DB::ErrorType: 'static,
{
    let framed = area.estimate_text_size(&format!("|{piece}|"), style)?.0;
    let frame = area.estimate_text_size("||", style)?.0;
    Ok(framed as i32 - frame as i32)
}

/// Draws a text whose middle (upright: of its left end) is at `at`.
pub fn draw<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    text: &str,
    points: f64,
    color: RGBColor,
    at: (i32, i32),
    anchor: Anchor,
) -> Outcome
where
    DB::ErrorType: 'static,
{
    let total = width(area, text, points)?;
    let mut along = match anchor {
        Anchor::Start => 0,
        Anchor::Middle | Anchor::Upward => -total / 2,
        Anchor::End => -total,
    };
    let upward = anchor == Anchor::Upward;
    for (piece, subscript) in pieces(text) {
        let size = size_of(points, subscript);
        let lowered = if subscript { (0.24 * points * f64::from(SCALE)) as i32 } else { 0 };
        let font = ("sans-serif", size).into_font();
        let step = advance(area, piece, &TextStyle::from(font.clone()))?;
        // A blank at either end is not drawn; what is drawn begins after it.
        let blank = piece.len() - piece.trim_start().len();
        let shift = if blank > 0 { advance(area, &piece[..blank], &TextStyle::from(font.clone()))? } else { 0 };
        let (font, place) = if upward {
            (font.transform(FontTransform::Rotate270), (at.0 + lowered, at.1 - along - shift))
        } else {
            (font, (at.0 + along + shift, at.1 + lowered))
        };
        let style = TextStyle::from(font).color(&color).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw_text(piece.trim(), &style, place)?;
        along += step;
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq)]
pub enum Anchor {
    Start,
    Middle,
    End,
    /// Centred, reading upward.
    Upward,
}
