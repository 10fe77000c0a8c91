"""Work on several items at a time in threads, and give the results in order."""

import collections
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from stages.running import cores

Item = TypeVar("Item")
Result = TypeVar("Result")


def mapped(
    function: Callable[[Item], Result], items: Iterable[Item], most: int | None = None
) -> Generator[Result, None, None]:
    """Yield the result for each item, in their order.

    A thread per core works ahead, a few items at most, so that memory stays bounded. An error is raised
    where its result would be, and ends the work.

    Args:
        function: Makes the result of an item.
        items: The items.
        most: The largest number of threads, for large results; None for one per core.
    """
    count = min(cores.usable(), most or cores.usable())
    with ThreadPoolExecutor(count) as pool:
        begun: collections.deque[Future[Result]] = collections.deque()
        try:
            for item in items:
                begun.append(pool.submit(function, item))
                if len(begun) > 4 * count:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
