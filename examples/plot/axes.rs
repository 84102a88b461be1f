//! Panels and legends.

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::text::{self, Anchor};
use super::{BLACK, Dash, GREY, Mark, Outcome, Panel, SCALE};

const TITLE: f64 = 19.0;
const LABEL: f64 = 18.0;
const TICK: f64 = 16.0;
const SAMPLE: i32 = 34;

pub fn draw_panel<DB: DrawingBackend>(panel: &Panel, area: &DrawingArea<DB, Shift>) -> Outcome
where
    DB::ErrorType: 'static,
{
    let (width, height) = area.dim_in_pixel();
    let (width, height) = (width as i32, height as i32);
    let (left, right, top, bottom) = (84 * SCALE, 18 * SCALE, 38 * SCALE, 58 * SCALE);
    let mut chart = ChartBuilder::on(area)
        .margin_top(top)
        .margin_right(right)
        .margin_left(left - 30 * SCALE)
        .margin_bottom(bottom - 30 * SCALE)
        .x_label_area_size(30 * SCALE)
        .y_label_area_size(30 * SCALE)
        .build_cartesian_2d(panel.x.range.clone(), panel.y.range.clone())?;

    for mark in panel.marks.iter().filter(|mark| matches!(mark, Mark::Area { .. })) {
        draw_mark(&mut chart, mark)?;
    }
    chart
        .configure_mesh()
        .x_labels(ticks(&panel.x))
        .y_labels(ticks(&panel.y))
        .x_label_formatter(&|v| tick_label(*v, &panel.x))
        .y_label_formatter(&|v| tick_label(*v, &panel.y))
        .label_style(("sans-serif", TICK * f64::from(SCALE)).into_font())
        .axis_style(BLACK.stroke_width(SCALE as u32))
        .bold_line_style(GREY.mix(0.25).stroke_width(SCALE as u32))
        .light_line_style(WHITE.mix(0.0))
        .set_all_tick_mark_size(5 * SCALE)
        .draw()?;
    for mark in panel.marks.iter().filter(|mark| !matches!(mark, Mark::Area { .. })) {
        draw_mark(&mut chart, mark)?;
    }

    for mark in &panel.marks {
        if let Mark::Note { at, text, color } = mark {
            let (base_x, base_y) = area.get_base_pixel();
            let (x, y) = chart.backend_coord(&(at[0], at[1]));
            text::draw(area, text, TICK, *color, (x - base_x, y - base_y), Anchor::Start)?;
        }
    }
    for (k, name) in panel.x.names.iter().flatten().enumerate() {
        let (base_x, base_y) = area.get_base_pixel();
        let (x, y) = chart.backend_coord(&(k as f64 + 0.5, panel.y.range.start));
        text::draw(area, name, TICK, BLACK, (x - base_x, y - base_y + 16 * SCALE), Anchor::Middle)?;
    }
    let middle = (left + width - right) / 2;
    text::draw(area, &panel.title, TITLE, BLACK, (middle, top / 2), Anchor::Middle)?;
    text::draw(area, &panel.x.label, LABEL, BLACK, (middle, height - 14 * SCALE), Anchor::Middle)?;
    let half = (top + height - bottom) / 2;
    text::draw(area, &panel.y.label, LABEL, BLACK, (17 * SCALE, half), Anchor::Upward)
}

fn draw_mark<DB: DrawingBackend>(
    chart: &mut ChartContext<'_, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>,
    mark: &Mark,
) -> Outcome
where
    DB::ErrorType: 'static,
{
    match mark {
        Mark::Line { points, color, width, dash, .. } => {
            let style = color.stroke_width(width * SCALE as u32);
            let (x, y) = (chart.x_range(), chart.y_range());
            for piece in clipped(points, [x.start, x.end], [y.start, y.end]) {
                let points = piece.into_iter().map(|p| (p[0], p[1]));
                match strokes(*dash) {
                    None => chart.draw_series(LineSeries::new(points, style)).map(|_| ())?,
                    Some((size, gap)) => {
                        chart.draw_series(DashedLineSeries::new(points, size as u32, gap as u32, style)).map(|_| ())?;
                    }
                }
            }
        }
        Mark::Dots { points, color, radius, filled, .. } => {
            let r = radius * SCALE;
            for p in points {
                let at = (p[0], p[1]);
                let inside = if *filled { color.filled() } else { WHITE.filled() };
                chart.draw_series([Circle::new(at, r, inside)])?;
                chart.draw_series([Circle::new(at, r, color.stroke_width(2 * SCALE as u32))])?;
            }
        }
        Mark::Area { corners: [a, b], color, .. } => {
            chart.draw_series([Rectangle::new([(a[0], a[1]), (b[0], b[1])], color.filled())])?;
        }
        Mark::Arrow { from, to, color } => {
            let plane = chart.plotting_area();
            let (x0, y0) = plane.map_coordinate(&(from[0], from[1]));
            let (x1, y1) = plane.map_coordinate(&(to[0], to[1]));
            let (dx, dy) = (f64::from(x1 - x0), f64::from(y1 - y0));
            let length = dx.hypot(dy);
            if length > 0.0 {
                let (ux, uy) = (dx / length, dy / length);
                let size = 9.0 * f64::from(SCALE);
                let corner = |along: f64, across: f64| {
                    let x = f64::from(x1) - along * ux * size - across * uy * size;
                    let y = f64::from(y1) - along * uy * size + across * ux * size;
                    (x as i32, y as i32)
                };
                let tip = plane.strip_coord_spec();
                let (base_x, base_y) = tip.get_base_pixel();
                let local = |(x, y): (i32, i32)| (x - base_x, y - base_y);
                tip.draw(&Polygon::new(
                    vec![local(corner(0.0, 0.0)), local(corner(1.0, 0.45)), local(corner(1.0, -0.45))],
                    color.filled(),
                ))?;
            }
        }
        Mark::Note { .. } => {}
    }
    Ok(())
}

/// The parts of a polyline inside a rectangle (Liang and Barsky, segment by segment).
fn clipped(points: &[[f64; 2]], x: [f64; 2], y: [f64; 2]) -> Vec<Vec<[f64; 2]>> {
    let mut pieces: Vec<Vec<[f64; 2]>> = Vec::new();
    for pair in points.windows(2) {
        let (mut enter, mut leave) = (0.0f64, 1.0f64);
        for (axis, [low, high]) in [x, y].into_iter().enumerate() {
            let (start, step) = (pair[0][axis], pair[1][axis] - pair[0][axis]);
            if step == 0.0 {
                if start < low || start > high {
                    leave = -1.0;
                }
            } else {
                let (p, q) = ((low - start) / step, (high - start) / step);
                enter = enter.max(p.min(q));
                leave = leave.min(p.max(q));
            }
        }
        if enter > leave {
            continue;
        }
        let at = |t: f64| [0, 1].map(|axis| pair[0][axis] + t * (pair[1][axis] - pair[0][axis]));
        match pieces.last_mut() {
            Some(piece) if enter == 0.0 && piece.last() == Some(&pair[0]) => piece.push(at(leave)),
            _ => pieces.push(vec![at(enter), at(leave)]),
        }
    }
    pieces
}

/// Lengths of stroke and gap.
fn strokes(dash: Dash) -> Option<(i32, i32)> {
    match dash {
        Dash::Solid => None,
        Dash::Dashed => Some((8 * SCALE, 5 * SCALE)),
        Dash::Dotted => Some((2 * SCALE, 4 * SCALE)),
    }
}

fn ticks(axis: &super::Axis) -> usize {
    if axis.names.is_some() {
        return 0;
    }
    if axis.decades { ((axis.range.end - axis.range.start).abs() as usize + 1).clamp(3, 7) } else { 6 }
}

fn tick_label(v: f64, axis: &super::Axis) -> String {
    if axis.names.is_some() {
        return String::new();
    }
    if axis.decades {
        if (v - v.round()).abs() > 1e-9 {
            return String::new();
        }
        let digits: String = format!("{}", v.round() as i64)
            .chars()
            .map(|c| match c {
                '-' => '\u{207b}',
                '1' => '\u{b9}',
                '2' => '\u{b2}',
                '3' => '\u{b3}',
                d => char::from_u32(0x2070 + d.to_digit(10).unwrap_or(0)).unwrap_or(d),
            })
            .collect();
        return format!("10{digits}");
    }
    let span = (axis.range.end - axis.range.start).abs();
    let decimals = (-(span / 5.0).log10()).ceil().clamp(0.0, 6.0) as usize;
    let v = if v.abs() < 1e-9 * span { 0.0 } else { v };
    let text = format!("{v:.decimals$}");
    text.replace('-', "\u{2212}")
}

/// Distributes legend entries over rows that fit the width.
pub fn legend_rows<'a, DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    entries: &[&'a Mark],
) -> Outcome<Vec<Vec<(&'a Mark, i32)>>>
where
    DB::ErrorType: 'static,
{
    let available = area.dim_in_pixel().0 as i32 - 40 * SCALE;
    let mut rows: Vec<Vec<(&Mark, i32)>> = Vec::new();
    let mut used = available;
    for mark in entries {
        let width = text::width(area, mark.label(), TICK)? + (SAMPLE + 30) * SCALE;
        if used + width > available {
            rows.push(Vec::new());
            used = 0;
        }
        used += width;
        rows.last_mut().expect("a row was opened").push((*mark, width));
    }
    Ok(rows)
}

pub fn draw_legend<DB: DrawingBackend>(area: &DrawingArea<DB, Shift>, rows: &[Vec<(&Mark, i32)>]) -> Outcome
where
    DB::ErrorType: 'static,
{
    let full = area.dim_in_pixel().0 as i32;
    for (row, entries) in rows.iter().enumerate() {
        let total: i32 = entries.iter().map(|(_, width)| width).sum();
        let mut x = (full - total) / 2 + 10 * SCALE;
        let y = (row as i32 * 26 + 13) * SCALE;
        for (mark, width) in entries {
            draw_sample(area, mark, x, y)?;
            text::draw(area, mark.label(), TICK, BLACK, (x + (SAMPLE + 8) * SCALE, y), Anchor::Start)?;
            x += width;
        }
    }
    Ok(())
}

fn draw_sample<DB: DrawingBackend>(area: &DrawingArea<DB, Shift>, mark: &Mark, x: i32, y: i32) -> Outcome
where
    DB::ErrorType: 'static,
{
    let end = x + SAMPLE * SCALE;
    // The middle of small letters is a little above the middle of their line.
    let y = y - 2 * SCALE;
    match mark {
        Mark::Line { color, width, dash, .. } => {
            let style = color.stroke_width(width * SCALE as u32);
            match strokes(*dash) {
                None => area.draw(&PathElement::new([(x, y), (end, y)], style))?,
                Some((size, gap)) => {
                    let mut from = x;
                    while from < end {
                        area.draw(&PathElement::new([(from, y), ((from + size).min(end), y)], style))?;
                        from += size + gap;
                    }
                }
            }
        }
        Mark::Dots { color, radius, filled, .. } => {
            let at = ((x + end) / 2, y);
            let inside = if *filled { color.filled() } else { WHITE.filled() };
            area.draw(&Circle::new(at, radius * SCALE, inside))?;
            area.draw(&Circle::new(at, radius * SCALE, color.stroke_width(2 * SCALE as u32)))?;
        }
        Mark::Area { color, .. } => {
            area.draw(&Rectangle::new([(x, y - 8 * SCALE), (end, y + 8 * SCALE)], color.filled()))?;
        }
        Mark::Note { .. } | Mark::Arrow { .. } => {}
    }
    Ok(())
}
