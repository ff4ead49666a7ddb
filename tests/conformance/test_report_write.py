"""Writing a report to a file."""

import sys
from types import SimpleNamespace

import pytest
import samples

from conformance import report as reports
from conformance.report import FORMATS, LeakStopped, ReportError


@pytest.fixture(autouse=True)
def ledger(monkeypatch):
    """Give the page, which asks for the sentences of the contract, a few made by hand."""
    monkeypatch.setitem(sys.modules, "conformance.ledger", SimpleNamespace(STATEMENTS=samples.STATEMENTS))


def nothing_secret(text):
    return None


@pytest.mark.parametrize("format", FORMATS)
def test_report_of_every_format_is_written_with_its_folders(format, tmp_path):
    """A path in folders that do not exist yet is fine, and no temporary file stays behind."""
    path = tmp_path / "new" / "folder" / "report"
    reports.write(samples.mixed(), format, path, nothing_secret)
    assert path.read_text("utf-8") == FORMATS[format](samples.mixed())
    assert [found.name for found in path.parent.iterdir()] == ["report"]


@pytest.mark.parametrize("format", FORMATS)
def test_secret_in_the_text_stops_the_report_and_leaves_no_file(format, tmp_path):
    """The search sees the very text that would be written; a hit leaves neither a file nor a folder."""
    path = tmp_path / "folder" / "report"
    with pytest.raises(LeakStopped, match=f"the {format} report was not written, because it holds a password"):
        reports.write(samples.mixed(), format, path, lambda text: "a password" if text else None)
    assert list(tmp_path.iterdir()) == []


def test_secret_in_the_text_leaves_the_report_of_the_run_before(tmp_path):
    """What was there stays as it was."""
    path = tmp_path / "report.json"
    path.write_text("before")
    with pytest.raises(LeakStopped):
        reports.write(samples.mixed(), "json", path, lambda text: "a token")
    assert path.read_text() == "before"


def test_path_that_cannot_be_written_is_one_sentence(tmp_path):
    """A file where a folder should be gives a sentence with the format, the path and the cause."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match=r"^the json report could not be written to .*file/report: \w.*$"):
        reports.write(samples.mixed(), "json", tmp_path / "file" / "report", nothing_secret)


def test_folder_as_path_is_one_sentence(tmp_path):
    """A folder is not replaced by a report."""
    with pytest.raises(ReportError, match="the json report could not be written"):
        reports.write(samples.mixed(), "json", tmp_path, nothing_secret)


def test_unknown_format_is_one_sentence_that_lists_them(tmp_path):
    """A misspelt format names the ones there are."""
    with pytest.raises(ReportError, match="no report format 'xml'; there are junit, json"):
        reports.write(samples.mixed(), "xml", tmp_path / "report", nothing_secret)


def test_link_is_written_through(tmp_path):
    """A link such as /dev/stdout is not replaced by a file."""
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("before")
    link.symlink_to(target)
    reports.write(samples.mixed(), "badge", link, nothing_secret)
    assert link.is_symlink()
    assert target.read_text() == FORMATS["badge"](samples.mixed())


def test_dash_is_standard_output(tmp_path, monkeypatch, capsys):
    """Annotations must be printed by the job, so a path of - prints them."""
    monkeypatch.chdir(tmp_path)
    reports.write(samples.mixed(), "annotations", reports.Path("-"), nothing_secret)
    assert capsys.readouterr().out == FORMATS["annotations"](samples.mixed())
    assert list(tmp_path.iterdir()) == []
