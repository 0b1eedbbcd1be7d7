"""The sections of the page in reading order, each with what a reader must know to read it."""

from __future__ import annotations

from collections.abc import Iterator

from dnas.compare.looks import count_text, quality_axis
from dnas.compare.model import Comparison, Devices
from dnas.compare.page.architecture import architecture_cards
from dnas.compare.page.charts import attainment_chart, course_chart
from dnas.compare.page.devices import device_tables, pick_table
from dnas.compare.page.dots import budget_table, hypervolume_table
from dnas.compare.page.front import front_chart, run_name
from dnas.compare.page.heat import agreement_tables, choice_tables
from dnas.compare.page.tables import cost_table, method_table, outside_table, point_table, scrolling_table
from dnas.report.html.markup import Markup, element, join
from dnas.space import SearchSpace

Section = tuple[str, Markup, Markup]


def sections(comparison: Comparison) -> Iterator[Section]:
    """(id, heading, body) of every section; a section without data says why it has none."""
    space = SearchSpace.from_dict(comparison.space)
    axis = quality_axis(comparison)
    yield "finding", _finding_heading(comparison), Markup()
    yield "compared", _heading("What was compared"), _compared(comparison, space)
    yield "front", _heading(f"Latency against {axis.short}"), _front(comparison, space)
    yield "attainment", _heading("What every run reaches"), _attainment(comparison)
    yield "hypervolume", _heading("Hypervolume"), _hypervolume(comparison)
    yield "course", _heading("Hypervolume against evaluations"), _course(comparison)
    yield "budgets", _heading(f"Best {axis.short} within a budget"), _budgets(comparison)
    yield "cost", _heading("What the searches took"), _cost(comparison)
    yield "agreement", _heading("Where the methods agree"), _agreement(comparison, space)
    yield "alpha", _heading("Alpha against evolutionary choices"), _alpha(comparison, space)
    yield "architectures", _heading("Architectures"), _architectures(comparison, space)
    yield "points", _heading("Networks"), _points(comparison)
    if comparison.devices is not None:
        yield "devices", _heading("Several devices"), _devices(comparison.devices, comparison)
    if comparison.outside:
        yield "outside", _heading("Published networks outside the space"), _outside(comparison)
    yield "methods", _heading("Methods and caveats"), _caveats(comparison)
    yield "provenance", _heading("Provenance"), _provenance(comparison)


def _heading(text: str) -> Markup:
    return element("h2", text)


def _note(*text: str) -> Markup:
    return element("p", *text, class_="note")


def _shown(content: Markup, note: Markup, otherwise: str) -> Markup:
    return join(note, content) if content else element("p", otherwise, class_="empty")


def _finding_heading(comparison: Comparison) -> Markup:
    return element(
        "header", element("p", comparison.title, class_="kicker"), element("h1", comparison.finding)
    )


def _compared(comparison: Comparison, space: SearchSpace) -> Markup:
    table, evaluator = comparison.table, comparison.evaluator
    description = table.description.removeprefix(f"{table.name}: ")
    images = evaluator.validation_images
    entries = (
        (
            "Space",
            [element("b", space.name), f": {space.rows}, ", *_size(space)],
        ),
        (
            "Latency table",
            [element("b", table.name), ", ", element("b", table.kind), f". {description}"],
        ),
        (
            "Evaluator",
            [
                evaluator.description,
                f" ({images:,} validation images)" if images is not None else "",
            ],
        ),
    )
    terms = [element("div", element("dt", name), element("dd", *parts)) for name, parts in entries]
    return join(element("dl", *terms, class_="facts"), method_table(comparison))


def _size(space: SearchSpace) -> list[str]:
    """Architectures, and networks where those are fewer."""
    architectures = [*_big(space.size), " architectures"]
    if space.distinct == space.size:
        return architectures
    return [*architectures, ", ", *_big(space.distinct), " distinct networks"]


def _big(count: int) -> list[str]:
    if count < 10**7:
        return [f"{count:,}"]
    digits, power = f"{count:.1e}".split("e+")
    return [f"about {digits} × 10", element("sup", str(int(power)))]


def _front(comparison: Comparison, space: SearchSpace) -> Markup:
    better = "up" if quality_axis(comparison).rising else "down"
    note = _note(
        f"One marker per network, all runs of a method alike; better is {better} and to the left. ",
        "A line through a marker is the table's 90 % interval of the latency, drawn for a few networks of "
        "each method. Point at a marker, or tap it, for its values and interval.",
    )
    otherwise = "No method has a network with a latency and an accuracy."
    return _shown(front_chart(comparison, space), note, otherwise)


def _attainment(comparison: Comparison) -> Markup:
    note = _note(
        "The line is the median attainment surface: what at least half of a method's runs reach within a "
        "latency. The shade goes from what every run reaches to what the best one does; with one run there "
        "is only its front."
    )
    return _shown(attainment_chart(comparison), note, "No latency is reached by enough runs of a method.")


def _hypervolume(comparison: Comparison) -> Markup:
    axis, box = quality_axis(comparison), comparison.box
    corners = (
        f"{axis.short} {_span(box.quality)}, latency {_span(box.latency_ms)} ms, "
        f"parameters {count_text(box.params[0])} to {count_text(box.params[1])}"
    )
    note = _note(
        "The share that a front dominates of a box fixed before any search, larger is better. A dot is a "
        "run, the marker their mean, the line the 95 % t-interval of the mean; one that meets the edge goes "
        f"on beyond it. From the worst to the best corner: {corners}."
    )
    methods = comparison.methods
    three = hypervolume_table(
        methods, [m.hypervolume for m in methods], f"{axis.short}, latency and parameters"
    )
    two = hypervolume_table(
        methods, [m.hypervolume_plane for m in methods], f"{axis.short} and latency alone"
    )
    return join(note, three, two)


def _span(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.4g} to {ends[1]:.4g}"


def _course(comparison: Comparison) -> Markup:
    note = _note(
        "Of three objectives. Thin lines are runs, the thick one their mean, over the evaluations that all "
        "of them have. An evaluation is one network through the one-shot evaluator."
    )
    otherwise = (
        "No run has a course that can be compared: none in generations under this table and evaluator."
    )
    return _shown(course_chart(comparison), note, otherwise)


def _budgets(comparison: Comparison) -> Markup:
    note = _note("Dots are runs, the marker their mean, the line the 95 % t-interval of the mean.")
    return _shown(budget_table(comparison), note, "No latency budgets were given.")


def _cost(comparison: Comparison) -> Markup:
    note = _note(
        "Training of the weights is counted apart from the search: a one-shot supernet is trained once for "
        "all searches over it, a differentiable search trains its own. A dash: the files do not tell."
    )
    return _shown(cost_table(comparison), note, "There is no search among the methods.")


def _agreement(comparison: Comparison, space: SearchSpace) -> Markup:
    note = _note("From how often each method's front takes each choice in a layer; all runs weigh the same.")
    return _shown(
        agreement_tables(comparison, space), note, "It takes two methods with members to compare them."
    )


def _alpha(comparison: Comparison, space: SearchSpace) -> Markup:
    note = _note(
        "Per cent. What the differentiable search believes, softmax(alpha), beside how often the members of "
        "the other methods' fronts take each choice."
    )
    otherwise = "There is no differentiable search among the methods, or nothing to hold it against."
    return _shown(choice_tables(comparison, space), note, otherwise)


def _architectures(comparison: Comparison, space: SearchSpace) -> Markup:
    note = _note(
        "Drawn as in the figure of MoGA: a block's width is its expansion, its colour the kernel. Dotted "
        "lines stand where the resolution changes."
    )
    return _shown(architecture_cards(comparison, space), note, "No method has a network to draw.")


def _points(comparison: Comparison) -> Markup:
    table, shown, count = point_table(comparison)
    note = _note(
        f"{shown} of {count} networks: along each method's front of latency and "
        f"{quality_axis(comparison).short}. All are in points.csv. A click on a heading sorts."
    )
    return _shown(table if shown else Markup(), note, "No method has a network.")


def _devices(devices: Devices, comparison: Comparison) -> Markup:
    note = _note(
        f"Of all {devices.evaluated:,} networks that the runs evaluated, each device has its own front of "
        f"{quality_axis(comparison).short} and latency. A row is the device that networks were chosen for, a "
        "column the one that they run on. Extra latency is how much slower a network of the row's front is "
        "than the fastest network of its quality or better on the column's device, mean over the front; "
        "below it stands how far the 90 % interval of that fastest network reaches."
    )
    return join(element("p", devices.finding), note, device_tables(devices), pick_table(devices, comparison))


def _outside(comparison: Comparison) -> Markup:
    note = _note(
        f"No part of any front or figure. Latency is that of their own kernels, by {comparison.table.name} "
        "for their own spaces. Accuracy is the published one, of a training of their own: it does "
        "not compare with accuracies of inherited weights."
    )
    return join(note, outside_table(comparison))


def _caveats(comparison: Comparison) -> Markup:
    kind = comparison.table.kind
    standing = [
        "Latency is the table's, the same for all methods"
        + ("." if kind == "measured" else f", and {kind}: a model in whole or in part, no measurement."),
        "Intervals over runs assume that runs are independent and their values about normal; with few runs "
        "they are wide. Without an interval there was one run, and nothing can be said of chance.",
    ]
    items = [element("li", text) for text in (*comparison.notes, *standing)]
    return element("ul", *items, class_="notes")


def _provenance(comparison: Comparison) -> Markup:
    files = [
        (comparison.table.name, "latency table", comparison.table.sha256),
        (comparison.evaluator.checkpoint, "evaluator", comparison.evaluator.sha256),
    ]
    if comparison.devices is not None:
        files += [
            (device.table.name, f"latency table of {device.name}", device.table.sha256)
            for device in comparison.devices.devices
        ]
    files += [
        (run.source, f"{method.name}, {run_name(run, index)}", run.sha256)
        for method in comparison.methods
        for index, run in enumerate(method.runs)
        if run.sha256 is not None
    ]
    rows = [
        element(
            "tr", element("td", element("code", n)), element("td", what), element("td", element("code", sha))
        )
        for n, what, sha in files
    ]
    head = element("tr", *(element("th", text, scope="col") for text in ("file", "what", "sha256")))
    versions = ", ".join(f"{name} {version}" for name, version in comparison.versions.items())
    return join(
        element("p", f"Made {comparison.date} with {versions or 'versions not told'}."),
        scrolling_table("Files", head, rows, "plain"),
    )
