"""What a comparison has found, as a page of Markdown with figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from section import Results, Section, Verdict, shown

HEAD = """# Averaging protocols, compared

Written by `python compare.py`. Numbers are means over seeds ± their standard error, and effects are
differences of the same seeds.
"""


class Page:
    """Gathers sections; prints each effect that is claimed as soon as it is known."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "comparison.md"
        self.text = [HEAD]

    def add(self, section: Section, results: Results) -> list[Verdict]:
        """Add a section with its table, its figure and what is claimed."""
        results = section.derive(results)
        figure = f"{section.key}.png"
        section.draw(results, self.folder / figure)
        verdicts = [claim.check(results) for claim in section.claims]
        print(f"\n{section.title}", *verdicts, sep="\n  ", flush=True)
        rows = [row.name for row in section.rows] if section.columns else []
        body = [[name, *(shown(results[name], of) for of in section.columns)] for name in rows]
        self.text += [f"\n## {section.title}\n", f"![{section.title}]({figure})\n"]
        self.text += [*table(["", *section.columns], body), ""] if body else []
        self.text += table(
            ["claim", "difference", "s.e.", "wanted, by 2 s.e.", "holds"],
            [claimed(verdict) for verdict in verdicts],
        )
        return verdicts

    def add_processes(self, found: Mapping[str, Mapping[str, float]]) -> None:
        """Add what real processes have come to."""
        title = "The same with a process for each actor"
        body = [
            [name, f"{each['error']:.4f}", f"{each['loss']:.4f}", f"{each['training']:.1f}"]
            for name, each in found.items()
        ]
        print(f"\n{title}", *(" | ".join(line) for line in body), sep="\n  ", flush=True)
        head = ["", "error", "loss", "seconds of training"]
        self.text += [f"\n## {title}\n", *table(head, body)]

    def write(self, took: object) -> None:
        """Write the page."""
        text = "\n".join([*self.text, f"\nTook {took}.\n"])
        self.path.write_text(text, encoding="utf-8")


def claimed(verdict: Verdict) -> list[str]:
    """Return the line of a claim."""
    claim = verdict.claim
    what = f"{claim.text}: {claim.of} of {claim.larger} − {claim.smaller}"
    numbers = [f"{verdict.difference:+.4g}", f"{verdict.error:.2g}", claim.wanted]
    return [what, *numbers, "yes" if verdict.holds else "**no**"]


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    lines = [head, ["---"] * len(head), *body]
    return [f"| {' | '.join(line)} |" for line in lines]
