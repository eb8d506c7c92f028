"""The benchmark kit: what it prints, and what is drawn of it."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as xml

from lib.paths import ROOT

BENCH = os.path.join(ROOT, "bench")


def run(*words):
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60)


def test_every_bench_is_in_the_readme_and_an_unknown_one_is_refused():
    names = run(os.path.join(BENCH, "bench.py"), "--list").stdout.split()
    with open(os.path.join(BENCH, "README.md"), encoding="utf-8") as f:
        told = re.findall(r"^\| `([a-z-]+)` \|", f.read(), re.M)
    assert told == names
    wrong = run(os.path.join(BENCH, "bench.py"), "speed")
    assert wrong.returncode == 2 and "there is no bench speed" in wrong.stderr


def test_figures_are_judged_by_their_goals_and_drawn(tmp_path):
    sys.path.insert(0, BENCH)
    import bench
    figures = [bench.judge({"name": name, "value": value, "unit": "us", "floor": 100.0 if ratio else None, "ratio": ratio}) for name, value, ratio in
               (("signalling_busy_all", 150, 1.5), ("media_two_way", 140, 1.4), ("script_start", 8, None), ("held_slices_skipped", 0, None), ("bus_lane", 3, None))]
    assert [f["held"] for f in figures] == [True, False, True, True, None]
    path = tmp_path / "f.jsonl"
    path.write_text("\n".join(json.dumps(f, ensure_ascii=False) for f in figures) + "\n", encoding="utf-8")
    done = run(os.path.join(BENCH, "report.py"), str(path))
    assert done.returncode == 0, done.stderr
    drawing = xml.parse(tmp_path / "f.svg").getroot()
    texts = [node.text for node in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert "3 of 4 hold their goal; left of the line is better" in texts and "media_two_way" in texts
    assert len(list(drawing.iter("{http://www.w3.org/2000/svg}rect"))) == 1 + 4
