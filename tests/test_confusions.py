"""Confusions in words say what the counts say."""

import numpy as np

from stages.reporting import confusions

COUNTS = np.array([[928, 72, 0], [1, 998, 1], [0, 3, 7]])


def test_pairs_stand_by_their_images_and_then_by_their_labels():
    assert confusions.pairs(COUNTS) == [(0, 1, 72), (2, 1, 3), (1, 0, 1), (1, 2, 1)]


def test_the_pairs_are_told_in_words_and_in_a_table():
    lines = confusions.markdown(COUNTS, ["ant", "bee", "cat"]).splitlines()
    assert lines[:5] == [
        "# Confused classes",
        "",
        "77 of the 2,010 test images (3.8 %) are taken for another class. All pairs of classes:",
        "",
        "- ant is taken for bee 72 times of 1,000 (7.2 %)",
    ]
    assert lines[6] == "- bee is taken for ant once of 1,000 (0.1 %)"
    assert "| cat | bee | 3 | 10 | 30.0 % | 1 |" in lines


def test_at_most_ten_pairs_are_told():
    text = confusions.markdown(np.ones((5, 5), int), list("abcde"))
    assert "The commonest 10 of 20 pairs of classes" in text
    assert text.count("\n- ") == 10 and text.count("\n| ") == 11


def test_nothing_confused_is_said():
    text = confusions.markdown(np.diag([3, 2]), ["ant", "bee"])
    assert text == "# Confused classes\n\nNone of the 5 test images is taken for another class.\n"


def test_class_names_are_no_markup():
    text = confusions.markdown(np.array([[0, 1], [0, 0]]), ["a|b", "*c*_d"])
    assert "- a\\|b is taken for \\*c\\*\\_d once of 1 (100.0 %)" in text
    assert "| a\\|b | \\*c\\*\\_d | 1 | 1 | 100.0 % | 0 |" in text
