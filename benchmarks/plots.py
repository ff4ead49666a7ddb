"""Figures for the pages: the same colours, sizes and file format everywhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servers import ROOT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOCS = ROOT / "docs"
STYLES: dict[str, dict[str, Any]] = {
    "mock": {"color": "#0b5fa5", "marker": "o"},
    "bare": {"color": "#8a8a8a", "marker": "s", "linestyle": "--"},
}
TITLES = {"mock": "the mock", "bare": "bare Starlette"}


def panels(count: int) -> "tuple[Figure, Sequence[Axes]]":
    """Give a figure on white with so many panels side by side."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update(
        {
            "axes.grid": True,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "font.size": 9,
            "grid.color": "#e4e4e4",
            "lines.markersize": 4,
            "svg.fonttype": "none",
            "svg.hashsalt": "trunkkit",
        }
    )
    import matplotlib.pyplot

    figure, axes = matplotlib.pyplot.subplots(1, count, figsize=(3.6 * count, 3.2), squeeze=False, facecolor="white")
    return figure, list(axes[0])


def label(axes: "Axes", title: str, x: str, y: str, *, log: bool = False) -> None:
    """Say what a panel shows, on a scale from zero or a logarithmic one."""
    axes.set_title(title, loc="left", fontsize=9, fontweight="bold")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if log:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0, top=axes.get_ylim()[1] * 1.1)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8)


def count(axes: "Axes", numbers: Sequence[int]) -> None:
    """Let the axis count in powers, and write each number out."""
    axes.set_xscale("log")
    axes.set_xticks(numbers, [f"{number:,}" for number in numbers])
    axes.minorticks_off()


def save(figure: "Figure", name: str) -> Path:
    """Write the figure as SVG beside the pages, the same bytes for the same figures."""
    path = DOCS / f"{name}.svg"
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    return path
