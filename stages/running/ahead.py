"""Work on several items at a time in threads, and give the results in order."""

import collections
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from stages.running import cores

Item = TypeVar("Item")
Result = TypeVar("Result")


def mapped(function: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result, None, None]:
    """Yield the result for each item, in their order.

    A thread per core works ahead, a few items at most, so that memory stays bounded. An error is raised
    where its result would be, and ends the work.
    """
    count = cores.usable()
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
