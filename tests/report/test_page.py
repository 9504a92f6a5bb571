import re
from html.parser import HTMLParser

import numpy as np
import pytest

from invae.errors import FileError, InputError
from invae.evaluation.results import Figure, Results, Table
from invae.report import Report

VOID = {"meta", "img", "link", "br", "input"}


class Checker(HTMLParser):
    """Collects ids and links, and that tags are closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.sources = [], [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if "href" in attrs:
            self.links.append(attrs["href"])
        if "src" in attrs:
            self.sources.append(attrs["src"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def results(name="one", **more):
    rows = [
        {"set": "x", "method": "TV", "error": 0.0571},
        {"set": "y", "method": "<FBP>", "error": 0.13, "ok": True},
    ]
    table = Table("errors", "Mean error & spread", rows, best={"error": "min"}, notes="40 images")
    drawing = Figure("lines", "A <line>", {"series": [{"y": np.arange(4.0)}]})
    image = Figure("images", "An image", {"rows": [{"images": [np.eye(5)]}]})
    return Results(
        name, f"Title of {name}", "First.\n\nSecond.", {"n": 3}, [table], [drawing, image], 75.0, **more
    )


def parse(html):
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    return checker


def test_page_is_well_formed_self_contained_and_its_links_lead_somewhere():
    checker = parse(Report([results("one"), results("two")]).html())
    assert len(set(checker.ids)) == len(checker.ids)
    assert all(link.startswith("#") and link[1:] in checker.ids for link in checker.links)
    assert len(checker.sources) == 4
    assert all(source.startswith("data:image/") for source in checker.sources)


def test_nothing_is_fetched_from_elsewhere():
    html = re.sub(r"base64,[A-Za-z0-9+/=]+", "", Report(results()).html())
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!#|data:)", html)
    assert "url(" not in html and "@import" not in html and "http" not in html


def test_text_from_data_is_escaped():
    html = Report(results()).html()
    assert "&lt;FBP&gt;" in html and "<FBP>" not in html
    assert "A &lt;line&gt;" in html and "Mean error &amp; spread" in html


def test_best_values_config_and_versions_are_shown():
    html = Report(results(), title="My report", introduction="Hello.").html()
    assert '<span class="best">0.0571</span>' in html
    assert "My report" in html and "Hello." in html
    assert f"numpy {np.__version__}" in html
    assert "&#34;n&#34;: 3" in html
    assert "75 s" in html
    assert html.count("<p>First.</p>") == 1 and "<p>Second.</p>" in html


def test_long_tables_scroll_and_long_texts_wrap():
    rows = [{"a": i, "note": "words " * 12} for i in range(40)]
    html = Report(Results("long", "Long", "", tables=[Table("t", "", rows), Table("s", "", rows[:3])])).html()
    assert html.count('class="scroll tall"') == 1 and 'class="prose"' in html


def test_bare_results_make_a_page():
    parse(Report(Results("bare", "Bare", "", environment={})).html())


def test_write_does_not_overwrite(tmp_path):
    path = Report(results()).write(tmp_path / "report.html")
    with pytest.raises(FileError, match="exists"):
        Report(results()).write(path)
    Report(results()).write(path, overwrite=True)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_no_results_are_refused():
    with pytest.raises(InputError, match="at least one"):
        Report([])
