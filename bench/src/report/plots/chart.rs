//! Two kinds of charts: bars, and lines on logarithmic scales.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use plotters::prelude::*;

const SIZE: (u32, u32) = (860, 440);
const FONT: &str = "sans-serif";
const COLORS: [RGBColor; 5] = [
    RGBColor(110, 110, 110),
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(255, 127, 14),
    RGBColor(44, 160, 44),
];

type Drawn = std::result::Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// Groups of bars; a bar for each name that has a value.
pub(super) struct Bars {
    pub(super) title: &'static str,
    pub(super) y: &'static str,
    pub(super) groups: Vec<(String, Vec<Option<f64>>)>,
    pub(super) names: Vec<String>,
}

/// A line for each name.
pub(super) struct Lines {
    pub(super) title: &'static str,
    pub(super) x: &'static str,
    pub(super) y: &'static str,
    pub(super) series: Vec<(String, Vec<(f64, f64)>)>,
}

impl Bars {
    pub(super) fn draw(&self, file: &Path) -> Result<PathBuf> {
        self.try_draw(file).map_err(|error| anyhow!("cannot draw {}: {error}", file.display()))?;
        Ok(file.to_owned())
    }

    fn try_draw(&self, file: &Path) -> Drawn {
        /// Of the width of a group; the rest is the gap to the next one.
        const FILLED: f64 = 0.8;
        /// Above the highest bar, for the legend.
        const HEADROOM: f64 = 1.15;
        let root = SVGBackend::new(file, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let values = self.groups.iter().flat_map(|(_, values)| values.iter().flatten().copied());
        let highest = values.fold(0.0, f64::max);
        let groups = count(self.groups.len());
        let mut chart = ChartBuilder::on(&root)
            .caption(self.title, (FONT, 20))
            .margin(12)
            .x_label_area_size(30)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..groups, 0.0..highest * HEADROOM)?;
        // A label in the middle of each group: there are two steps in each.
        let label = |x: &f64| {
            let group =
                self.groups.iter().enumerate().find(|(index, _)| (count(*index) + 0.5 - x).abs() < 0.01);
            group.map(|(_, (name, _))| name.clone()).unwrap_or_default()
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .x_labels(self.groups.len() * 2 + 1)
            .x_label_formatter(&label)
            .y_desc(self.y)
            .draw()?;
        let width = FILLED / count(self.names.len());
        for (index, name) in self.names.iter().enumerate() {
            let style = COLORS[index % COLORS.len()].filled();
            let bars = self.groups.iter().enumerate().filter_map(|(group, (_, values))| {
                let value = values.get(index).copied().flatten()?;
                let left = count(group) + (1.0 - FILLED) / 2.0 + width * count(index);
                Some(Rectangle::new([(left, 0.0), (left + width, value)], style))
            });
            chart
                .draw_series(bars)?
                .label(name)
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], style));
        }
        legend(&mut chart)?;
        root.present()?;
        Ok(())
    }
}

impl Lines {
    pub(super) fn draw(&self, file: &Path) -> Result<PathBuf> {
        self.try_draw(file).map_err(|error| anyhow!("cannot draw {}: {error}", file.display()))?;
        Ok(file.to_owned())
    }

    fn try_draw(&self, file: &Path) -> Drawn {
        let root = SVGBackend::new(file, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let points = || self.series.iter().flat_map(|(_, points)| points.iter().copied());
        let (left, right) = bounds(points().map(|(x, _)| x));
        let (low, high) = bounds(points().map(|(_, y)| y));
        let mut chart = ChartBuilder::on(&root)
            .caption(self.title, (FONT, 20))
            .margin(12)
            .x_label_area_size(45)
            .y_label_area_size(60)
            .build_cartesian_2d((left..right).log_scale(), (low..high).log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_labels(6)
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&|value| plain(*value))
            .y_label_formatter(&|value| plain(*value))
            .draw()?;
        for (index, (name, points)) in self.series.iter().enumerate() {
            let color = COLORS[index % COLORS.len()];
            let style = color.stroke_width(2);
            chart
                .draw_series(LineSeries::new(points.iter().copied(), style))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], style));
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, color.filled())))?;
        }
        legend(&mut chart)?;
        root.present()?;
        Ok(())
    }
}

fn legend<'a, X: Ranged, Y: Ranged>(
    chart: &mut ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, Y>>,
) -> Drawn {
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}

/// A bit more room than the values need.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) =
        values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    (low * 0.5, high * 3.0)
}

/// Without exponents, and without digits that say nothing.
fn plain(value: f64) -> String {
    if value >= 1.0 { format!("{value:.0}") } else { format!("{value}") }
}

#[expect(clippy::cast_precision_loss, reason = "there are few of what is drawn")]
fn count(number: usize) -> f64 {
    number as f64
}
