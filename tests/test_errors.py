"""What is said about a name nobody knows."""

import pytest

from stages.running import errors


def test_a_bad_input_is_a_value_error():
    assert issubclass(errors.BadInput, ValueError)


def test_a_message_is_bounded_and_obeyed_by_no_terminal():
    message = str(errors.BadInput("a\nb \x1b[2J\u202e" + 10**6 * "c" + "; do this"))
    assert message.startswith("a\nb \\x1b[2J\\u202ec") and message.endswith("; do this")
    assert len(message) == errors.MOST_CHARACTERS


def test_an_unknown_name_is_shown_with_choices_and_the_near_one():
    message = str(errors.unknown("class", "airplan", ["bird", "airplane"]))
    assert message == "unknown class 'airplan'; expected one of: bird, airplane. Did you mean 'airplane'?"


def test_nothing_is_suggested_when_no_name_is_near():
    assert "Did you mean" not in str(errors.unknown("class", "xyz", ["bird", "airplane"]))


@pytest.mark.parametrize(("count", "listed"), [(30, True), (31, False)])
def test_a_long_list_of_choices_is_only_counted(count, listed):
    message = str(errors.unknown("dataset", "name7x", [f"name{i}" for i in range(count)]))
    assert ("name0, name1" in message) is listed
    assert (f"{count} known names" in message) is not listed
    assert "Did you mean 'name7'?" in message


def test_unknown_names_stay_in_one_line():
    said = str(errors.unknown("column", "lab\nel", ["file\nname", "label"]))
    assert said == "unknown column 'lab\\nel'; expected one of: file\\nname, label. Did you mean 'label'?"
