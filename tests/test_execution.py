"""Epochs that are asked for one after the other share an iterator; after a gap there is a new one."""

from stages.training import execution


def test_an_epoch_is_the_one_that_is_asked_for_whatever_came_before():
    begun = []

    def read(place):
        begun.append(place)
        return iter([(epoch, step) for epoch in range(place, 9) for step in range(3)])

    epoch = execution.in_turn(read, 3)
    for place in (2, 3, 6, 7, 0):
        assert list(epoch(place)) == [(place, 0), (place, 1), (place, 2)]
    assert begun == [2, 6, 0]
