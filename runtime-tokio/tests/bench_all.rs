//! `ntf bench all`, which runs the other benches as processes of their own: every figure is there at every size, and has
//! its chart. What the figures are depends on the machine and is not looked at.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn every_figure_has_its_sizes_and_a_chart() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-all");
    let _ = fs::remove_dir_all(&folder);
    let (scratch, charts) = (folder.join("scratch"), folder.join("charts"));
    fs::create_dir_all(&scratch).expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_ntf"))
        .args(["bench", "all", "--json", "--rounds", "2", "--seconds", "1", "--notifications", "100"])
        .args(["--subscriptions", "100,200", "--links", "100,200", "--devices", "2,4", "--svg"])
        .arg(&charts)
        .env("TMPDIR", &scratch)
        .output()
        .expect("the program can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).expect("text");
    let object: Value = serde_json::from_str(printed.lines().last().expect("a line")).expect("JSON");
    let figures = object["figures"].as_array().expect("figures");
    for figure in figures {
        let name = figure["name"].as_str().expect("a name");
        let sizes = sizes(figure);
        let expected: &[f64] = match name {
            "block" => &[1.0, 10.0, 40.0, 80.0],
            "idle" => &[10.0, 20.0, 200.0, 1000.0],
            "sockets" => &[2.0, 4.0],
            _ => &[100.0, 200.0],
        };
        assert_eq!(sizes, expected, "{name}");
        let chart = fs::read_to_string(charts.join(format!("{name}.svg"))).expect("a chart");
        assert!(chart.starts_with("<svg") && chart.ends_with("</svg>\n"), "{chart}");
    }
    assert!(figures.len() >= 10, "{object}");
    assert_eq!(fs::read_dir(&charts).expect("the folder").count(), figures.len());
    assert_eq!(fs::read_dir(&scratch).expect("the folder").count(), 0, "nothing is left behind");
    let _ = fs::remove_dir_all(&folder);
}

fn sizes(figure: &Value) -> Vec<f64> {
    let points = figure["points"].as_array().expect("points");
    points.iter().map(|point| point[0].as_f64().expect("a size")).collect()
}
