"""Progress: lines in a log, a bar on a terminal."""

import io
import sys

import pytest
import tqdm

from stages.running import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def every_update(monkeypatch):
    monkeypatch.setattr(progress, "LOG_SECONDS", 0)


def test_a_log_gets_one_line_at_the_end_of_quick_work(capsys):
    with progress.bar(2000, "training", "images") as bar:
        bar.update(500)
        bar.update(1500)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("training: 2,000 of 2,000 images, ")
    assert " images/s, " in line
    assert line.endswith(" 0 s")


def test_a_log_of_long_work_says_how_much_is_left(every_update, capsys):
    with progress.bar(4, "training", "images") as bar:
        bar.update()
        bar.update(3)
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("training: 1 of 4 images, ")
    assert first.endswith(" s left")
    assert last.startswith("training: 4 of 4 images, ")
    assert "left" not in last


def test_bytes_are_counted_in_powers_of_two(capsys):
    with progress.bar(3 << 20, "fetching", "B", divisor=1024) as bar:
        bar.update(3 << 20)
    assert capsys.readouterr().err.startswith("fetching: 3.00M of 3.00MB, ")


def test_figures_are_behind_the_rate(capsys):
    with progress.bar(1, "training", "images") as bar:
        bar.set_postfix_str("loss 0.5")
        bar.update()
    assert "images/s, loss 0.5, " in capsys.readouterr().err


def test_failed_work_gets_no_closing_line(capsys):
    with pytest.raises(ValueError), progress.bar(2, "training", "images") as bar:
        bar.update()
        raise ValueError
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("total", [0, 100])
def test_work_that_ends_without_update_shows_no_infinite_rest(total, capsys):
    with progress.bar(total, "fetching", "B", divisor=1024):
        pass
    assert "inf" not in capsys.readouterr().err


def test_a_terminal_gets_a_bar_with_the_figures(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.bar(2000, "training", "images") as bar:
        assert isinstance(bar, tqdm.tqdm)
        bar.update(2000)
        bar.set_postfix_str("loss 0.5")
    drawn = terminal.getvalue()
    assert "training: 100%" in drawn
    assert "2.00k/2.00k" in drawn
    assert "loss 0.5" in drawn
