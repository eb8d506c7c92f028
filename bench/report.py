#!/usr/bin/env python3
"""Draws what `./run bench --output FILE` wrote: one bar a figure, how far it is from its goal, as an SVG.

    bench/report.py FILE [OUT.svg]

A bar's length is the figure's share of its goal (for "at least" goals the other way round), so that everything left of the line at 1 holds its goal. Figures
without a goal stand in a list below.
"""
import html
import json
import sys

WIDTH, ROW, LEFT, SPAN = 1260, 26, 300, 420  # SPAN: pixels of "1"
COLOURS = {True: "#2a9d63", False: "#c8553d"}


def share(figure):
    """1 = exactly the goal; less is better."""
    what, sign, goal = figure["goal"].split()
    seen, goal = figure[what], float(goal)
    if sign == "≤":
        return seen / goal if goal else (0.0 if seen == 0 else 2.0)
    return goal / seen if seen else 2.0


def text(x, y, words, size=13, anchor="start", colour="#222", weight="normal"):
    return '<text x="%.1f" y="%.1f" font-size="%d" text-anchor="%s" fill="%s" font-weight="%s">%s</text>' % (x, y, size, anchor, colour, weight, html.escape(words))


def bar(figure, y):
    length = min(share(figure), 1.45) * SPAN
    ratio = "" if figure["ratio"] is None else ", %.2f × floor" % figure["ratio"]
    return [
        text(LEFT - 12, y + 17, figure["name"], anchor="end"),
        '<rect x="%d" y="%.1f" width="%.1f" height="%d" rx="2" fill="%s"/>' % (LEFT, y + 4, max(length, 1.5), ROW - 9, COLOURS[figure["held"]]),
        text(LEFT + 1.45 * SPAN + 16, y + 17, "%.4g %s%s   (goal: %s)" % (figure["value"], figure["unit"], ratio, figure["goal"]), size=11, colour="#555"),
    ]


def draw(figures):
    judged = [f for f in figures if f["held"] is not None]
    others = [f for f in figures if f["held"] is None]
    height = 90 + ROW * len(judged) + (40 + 18 * len(others) if others else 0)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, sans-serif">' % (WIDTH, height),
           '<rect width="100%" height="100%" fill="#fff"/>', text(20, 32, "Carillon: figures beside their goals", size=18, weight="bold"),
           text(20, 52, "%d of %d hold their goal; left of the line is better" % (sum(f["held"] for f in judged), len(judged)), colour="#555")]
    top = 70
    for i, figure in enumerate(judged):
        out += bar(figure, top + i * ROW)
    bottom = top + ROW * len(judged)
    out.append('<line x1="%d" x2="%d" y1="%d" y2="%d" stroke="#222" stroke-dasharray="4 3"/>' % (LEFT + SPAN, LEFT + SPAN, top - 4, bottom + 4))
    if others:
        out.append(text(20, bottom + 30, "Without a goal", weight="bold"))
        for i, figure in enumerate(others):
            out.append(text(20, bottom + 50 + 18 * i, "%s: %.4g %s" % (figure["name"], figure["value"], figure["unit"]), size=12))
    return "\n".join(out + ["</svg>", ""])


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith("-"):
        print(__doc__)
        return 2
    with open(sys.argv[1], encoding="utf-8") as f:
        figures = [json.loads(line) for line in f if line.startswith("{")]
    if not figures:
        print("%s holds no figures; write them with ./run bench --output FILE" % sys.argv[1], file=sys.stderr)
        return 1
    target = sys.argv[2] if len(sys.argv) == 3 else sys.argv[1].rsplit(".", 1)[0] + ".svg"
    with open(target, "w", encoding="utf-8") as f:
        f.write(draw(figures))
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
